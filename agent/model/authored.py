"""What everything people write in YAML has in common."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints


class Authored(BaseModel):
    """A frozen piece of configuration; an unknown key is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A name that people type on the command line: letters, digits, dot, underscore, dash."""


@dataclass(frozen=True, slots=True)
class NamesSecret:
    """Marks a field that holds the name of a secret, so that one that is not listed is found when it is read."""


SecretName = Annotated[str, NamesSecret()]
"""The name of a secret under `secrets:`, never its value."""
