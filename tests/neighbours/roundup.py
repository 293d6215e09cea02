"""A real Roundup tracker for tests: the demo's own."""

from agent.demo.roundup import Roundup

__all__ = ["Roundup"]
