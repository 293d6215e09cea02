"""A stand-in for drills inside the agent: nothing is ever under way."""

from collections.abc import Sequence

from agent.model.decision import Reply


class FakeDrills:
    def start(self, name: str, actor: str) -> Reply:
        return Reply(True, f"the drill {name} begins", name)

    def told(self, after: int) -> tuple[int, Sequence[object], bool]:
        return 0, (), True

    def abort(self, because: str) -> Reply:
        return Reply(False, "no drill of this agent is under way")
