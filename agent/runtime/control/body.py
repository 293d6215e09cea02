"""What requests may carry: bounded in size as a whole and in every field, unknown keys refused."""

from functools import partial
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from agent.model.text import one_line, printable_lines

LIMIT = 256 * 1024
"""Bytes of one request's body."""

Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(partial(one_line, limit=500)),
]
_PROSE = StringConstraints(strip_whitespace=True, max_length=20_000)
Prose = Annotated[str, _PROSE, AfterValidator(printable_lines)]
Written = Annotated[str, _PROSE, StringConstraints(min_length=1), AfterValidator(printable_lines)]
"""Prose that may not be empty."""
Hosts = Annotated[tuple[Line, ...], Field(max_length=10_000)]


class Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
