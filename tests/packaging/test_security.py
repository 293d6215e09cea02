"""SECURITY.md tells the truth: its numbers are those of the code, and it names nobody who does not exist."""

import re

import pytest

from agent.config import yaml
from agent.model import pattern
from agent.plugin import http
from agent.runtime import redaction
from agent.runtime.control import body, server, socket_file
from checks import prometheus
from tests.packaging.documents import ROOT, links

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
MIB = 2**20


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ("YAML to 1 MiB", yaml.SIZE_LIMIT == MIB),
        ("50 levels", yaml.DEPTH_LIMIT == 50),
        ("100,000 values by aliases", yaml.EXPANSION_LIMIT == 100_000),
        ("HTTP answers to 1 MiB", http.MIB == MIB),
        ("Prometheus 16 MiB", prometheus._LARGEST == 16 * MIB),
        ("the socket to 256 KiB", body.LIMIT == 256 * 1024),
        ("100 connections", server._CONNECTIONS == 100),
        ("each regular expression to half a second", pattern.PATIENCE == 0.5),
        ("fewer than four characters", redaction.SHORTEST == 4),
        ("the socket is 0660 in a folder 0750", (socket_file._MODE, socket_file._FOLDER_MODE) == (0o660, 0o750)),
    ],
)
def test_what_is_said_is_so(said: str, holds: bool) -> None:
    assert said in " ".join(TEXT.split())
    assert holds


def test_no_address_is_made_up() -> None:
    assert "private security advisory" in TEXT
    assert not re.search(r"[\w.-]+@[\w-]+\.\w+|https?://", TEXT)


def test_it_is_found_from_the_documentation() -> None:
    assert "../SECURITY.md" in links(ROOT / "docs" / "README.md")
