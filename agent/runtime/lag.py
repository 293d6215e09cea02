"""How late the askings of a check begin."""

from dataclasses import dataclass

_WEIGHT = 0.1
"""Of the latest asking in the moving average."""


@dataclass(frozen=True, slots=True)
class Lag:
    """Seconds from when an asking was due until it began.

    `asked`: how many began. `late`: how many were due while the one before was still waiting or under way,
    and became one with the next. `average` moves: a tenth of it is the latest.
    """

    asked: int = 0
    late: int = 0
    last: float = 0.0
    average: float = 0.0
    worst: float = 0.0

    def began(self, seconds: float) -> "Lag":
        average = self.average + _WEIGHT * (seconds - self.average) if self.asked else seconds
        return Lag(self.asked + 1, self.late, seconds, average, max(self.worst, seconds))

    def missed(self) -> "Lag":
        return Lag(self.asked, self.late + 1, self.last, self.average, self.worst)
