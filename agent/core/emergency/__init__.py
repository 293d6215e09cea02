"""Emergency plans: when one starts, what it does, and when it is over."""

from agent.core.emergency.acts import act, approve, lasting
from agent.core.emergency.course import follow, restored, resumed, stood_still

__all__ = ["act", "approve", "follow", "lasting", "restored", "resumed", "stood_still"]
