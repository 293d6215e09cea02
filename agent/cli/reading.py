"""The configuration, read by a person beside the agent or instead of it."""

from pathlib import Path

from agent.cli import places
from agent.config.configuration import Configuration
from agent.config.load import load


def configuration_in(folder: Path) -> Configuration:
    """As the agent that belongs to it would have it, whoever reads. Raises ConfigProblems."""
    return load(folder, environ=places.as_the_service_sees(folder), by_agent=False)
