"""Free ports on loopback."""

from agent.demo.waiting import free_port

__all__ = ["free_port"]
