"""What the checker has to say."""

from dataclasses import dataclass

LOST, DOUBLED, WRONG = "lost", "doubled", "wrong"


@dataclass(frozen=True)
class Finding:
    """`sort` is LOST, DOUBLED or WRONG."""

    sort: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """`figures` in the order in which they are printed."""

    findings: tuple[Finding, ...]
    figures: dict[str, int]

    def count(self, sort: str) -> int:
        return sum(finding.sort == sort for finding in self.findings)

    @property
    def is_clean(self) -> bool:
        return not self.findings
