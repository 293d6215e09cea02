"""Services: what people use, on which hosts it runs and what it leans on."""

from enum import StrEnum

from pydantic import Field

from agent.model.authored import Authored, Name


class Criticality(StrEnum):
    """How vital a service is to the organisation."""

    VITAL = "vital"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Service(Authored):
    """Something people use. `users` is how many depend on it."""

    name: str
    title: str = ""
    on: tuple[str, ...] = Field((), description="Where it runs: group:NAME or host:NAME.")
    hosts: tuple[str, ...] = Field((), exclude=True, description="Filled in from `on`.")
    criticality: Criticality = Criticality.MEDIUM
    users: int = Field(100, ge=0, description="How many people depend on it.")
    owner: Name | None = Field(None, description="Team that answers for it.")
    depends_on: tuple[Name, ...] = ()
