"""What an author says of a check, apart from what its kind adds."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from agent.model.authored import Authored, Name
from agent.model.quantities import Duration
from agent.model.threshold import Condition


@dataclass(frozen=True, slots=True)
class Confirm:
    """Debounce: `needed` of the last `of` answers must agree before a change is believed."""

    needed: int
    of: int

    def __str__(self) -> str:
        return str(self.needed) if self.needed == self.of else f"{self.needed} of {self.of}"


def parse_confirm(value: object) -> Confirm:
    """`2` (two in a row) or `3 of 5`. Raises ValueError."""
    if isinstance(value, Confirm):
        return value
    hint = "write a number in a row (2) or so many of so many (3 of 5)"
    if isinstance(value, int) and not isinstance(value, bool):
        needed = of = value
    else:
        match = re.fullmatch(r"\s*(\d{1,3})(?:\s+of\s+(\d{1,3}))?\s*", str(value))
        if not match:
            raise ValueError(f"{value!r} is not a debounce: {hint}")
        needed, of = int(match[1]), int(match[2] or match[1])
    if not 1 <= needed <= of <= 100:
        raise ValueError(f"{value!r} can never be met: {hint}, at most 100")
    return Confirm(needed, of)


ConfirmRule = Annotated[
    Confirm,
    BeforeValidator(parse_confirm),
    PlainSerializer(str),
    WithJsonSchema({"type": ["integer", "string"], "examples": [2, "3 of 5"]}),
]


class Flapping(Authored):
    """A subject that changes `changes` times `within` a time flaps until it has been quiet for `settle`."""

    changes: int = Field(10, ge=2)
    within: Duration = 1800.0
    settle: Duration = 600.0


class LadderRung(Authored):
    """One treatment to try: a runbook, and values for its variables where its defaults do not do."""

    runbook: Name
    vars: dict[Name, str | int | float | bool] = {}


def _rung(value: object) -> object:
    return {"runbook": value} if isinstance(value, str) else value


class CheckRules(Authored):
    """The keys every check has, whatever its kind. Durations in seconds."""

    name: str
    kind: str
    description: str = ""
    on: tuple[str, ...] = Field(("local",), description="local, group:NAME or host:NAME; one subject per host.")
    every: Duration = Field(30.0, description="How often to ask.")
    timeout: Duration = Field(10.0, description="The most one asking may take; then the answer is UNKNOWN.")
    warning: Condition | None = Field(None, description="When to warn.")
    critical: Condition | None = Field(None, description="When it is critical.")
    recover: Condition | None = Field(None, description="When to believe it is well again; default: no breach.")
    confirm: ConfirmRule = Confirm(2, 2)
    flapping: Flapping = Flapping()
    no_data: Literal["unknown", "ok", "critical"] = Field(
        "unknown", description="What to conclude when a subject seen before is no longer reported."
    )
    forget_after: Duration = Field(
        3600.0, description="A subject that has not been reported for so long is forgotten, unless an incident has it."
    )
    unknown_after: Duration | None = Field(
        None,
        description="How long UNKNOWN may last before it is an incident; default: 5 intervals, at least 1m.",
    )
    category: str = Field("general", description="Fault type; decides which team is assigned.")
    urgency: Literal["high", "medium", "low"] | None = Field(None, description="Default: from the severity.")
    service: Name | None = None
    ladder: tuple[Annotated[LadderRung, BeforeValidator(_rung)], ...] = Field(
        (), description="Runbooks in order of force, each a name or {runbook: NAME, vars: …}; after the last, a person."
    )

    @property
    def runbooks(self) -> tuple[str, ...]:
        """Names of the runbooks of the ladder."""
        return tuple(rung.runbook for rung in self.ladder)

    @property
    def unknown_limit(self) -> float:
        """Seconds of UNKNOWN before someone must be told."""
        return self.unknown_after if self.unknown_after is not None else max(60.0, 5 * self.every)
