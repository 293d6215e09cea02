"""A small web service to break and restart over SSH, on any machine: the demo's own."""

from agent.demo.web import Web

__all__ = ["Web"]
