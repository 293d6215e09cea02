"""Emergency plans: when one starts, what it does, and when it is over."""

from agent.core.emergency.acts import act

__all__ = ["act"]
