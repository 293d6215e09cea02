"""What is on record about an incident, and assertions that read as its story."""

from agent.model.timeline import Entry


class Told(list[Entry]):
    """Entries, oldest first. A wish is the kind of an entry (`resolved`), or its kind and words of its text
    (`step: restart: ok`).
    """

    def of(self, wish: str) -> list[Entry]:
        """The entries that fulfil the wish."""
        return [entry for entry in self if _fulfils(entry, wish)]

    def the(self, wish: str) -> Entry:
        """The only one."""
        found = self.of(wish)
        assert len(found) == 1, f"{len(found)} entries are {wish!r}, not one:\n{self}"
        return found[0]

    def has(self, wish: str) -> bool:
        return bool(self.of(wish))

    def in_order(self, *wishes: str) -> None:
        """Each wish is fulfilled by an entry that comes after the one before."""
        rest = iter(self)
        for number, wish in enumerate(wishes):
            found = any(_fulfils(entry, wish) for entry in rest)
            before = f" after {wishes[number - 1]!r}" if number else ""
            assert found, f"there is no {wish!r}{before} in:\n{self}"

    def __str__(self) -> str:
        return "\n".join(f"  {entry.at:.3f} {entry.kind}: {entry.text}" for entry in self)


def _fulfils(entry: Entry, wish: str) -> bool:
    kind, _, words = wish.partition(": ")
    return entry.kind == kind and words in entry.text
