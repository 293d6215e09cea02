"""What the torturer did and saw with its own eyes: the checker's third witness, beside the hosts and the tracker."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Break:
    """A patient was made ill. `after`: the latest entry of the record at that moment; `cured_by`: None, the agent."""

    patient: str
    host: str
    after: int
    cured_by: str | None = None


@dataclass
class Act:
    """Something a person told the agent. `token` is in its text; `about`: the incident, known only if it answered.

    `answer`: ok, refused, or None when the agent died before it answered.
    """

    verb: str
    token: str
    about: str | None = None
    answer: str | None = None


@dataclass
class Diary:
    """`seen`: number and hash of the record's head, each time it was looked at. `kills` by crash point.

    `steps`: names of those that leave a trace.
    """

    seed: int
    prefix: str
    steps: list[str]
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    not_done: list[str] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    seen: list[tuple[int, str]] = field(default_factory=list)
    backups: list[str] = field(default_factory=list)
    reboots: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def save(self, file: Path) -> None:
        file.write_text(json.dumps(vars(self), indent=1, default=asdict))
