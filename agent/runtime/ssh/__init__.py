"""Commands on other machines over SSH, through pooled connections."""

from agent.runtime.ssh.pool import PoolStats, SshPool

__all__ = ["PoolStats", "SshPool"]
