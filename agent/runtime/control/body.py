"""What requests may carry: bounded in size as a whole and in every field, unknown keys refused."""

from functools import partial
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from agent.model.text import one_line, printable_lines

LIMIT = 256 * 1024
"""Bytes of one request's body."""

_LINE = StringConstraints(strip_whitespace=True, min_length=1, max_length=500)
Line = Annotated[str, _LINE, AfterValidator(partial(one_line, limit=500))]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000), AfterValidator(printable_lines)]
Written = Annotated[Prose, StringConstraints(min_length=1)]
"""Prose that may not be empty."""
Hosts = Annotated[tuple[Line, ...], Field(max_length=10_000)]


class Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
