"""What is sent to a host about a step, and what it answers.

The scripts `claim.sh` and `carry_out.sh` go over standard input, with what they are given in front of them: no
command line holds a step's text or its secrets, and nothing needs to be installed on the host.
"""

import re
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from agent.model.command_result import CommandResult

FROM_STDIN = "exec sh -c 'eval \"$(cat)\"' paramedic"
"""The command line: in any login shell, csh and fish included."""

ROOM = 4096
"""Bytes of an answer that are ours, beside the outputs."""

_ENDED = re.compile(r"(\d{1,3}) ([\w-]{1,64})(?: (\d{1,12}\.\d\d) (\d{1,12}\.\d\d))?")
"""Exit status, boot id with the ledger's own, and the host's uptime when it began and when it ended."""

ENDINGS = ("done", "late", "left")

_DROPPED = re.compile(r"\n\[(\d{1,18}) bytes dropped\]\n")


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a host. `mark` begins each line of the answer that is meant for us."""

    text: bytes
    mark: str


@dataclass(frozen=True, slots=True)
class Ended:
    """`boot`: of the host and the ledger; `seconds` that it took, by the host's own clock, where it has one."""

    status: int
    boot: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Told:
    """A host's answer, and what the step printed.

    `how`, and the `rest` of the words: `place` BOOT FOLDER; `done`, `late` (killed at its end) or `left` (could not be
    killed) STATUS BOOT [UPTIME UPTIME]; `lost` or `refused` with the reason; empty if the answer is not whole.
    """

    how: str
    rest: str = ""
    stdout: str = ""
    stderr: str = ""

    @property
    def ended(self) -> "Ended | None":
        """What is said of a command that is over; None for another answer."""
        found = _ENDED.fullmatch(self.rest)
        if found is None or self.how not in ENDINGS:
            return None
        status, boot, began, ended = found.groups()
        return Ended(int(status), boot, max(0.0, float(ended) - float(began)) if began else None)

    @property
    def dropped(self) -> int:
        return sum(int(found[1]) for text in (self.stdout, self.stderr) for found in _DROPPED.finditer(text))


def request(script: str, given: Mapping[str, object]) -> Request:
    """`script` with what it is given; as one compound command, so that half of it is a syntax error."""
    mark = f"paramedic:{secrets.token_hex(8)}"
    lines = [f"{name}={shlex.quote(str(value))}" for name, value in {**given, "mark": mark}.items()]
    return Request("\n".join(["{", *lines, script, "}", ""]).encode(errors="surrogateescape"), mark)


def answer(result: CommandResult, mark: str) -> Told | None:
    """What the host told; None when our script did not even begin there. Other output, a banner say, is passed over."""
    lines = result.stdout.split(f"\n{mark} ")
    if len(lines) == 1:
        return None
    head, _, stdout = lines[-1].partition("\n")
    how, _, rest = head.partition(" ")
    if how not in ("place", "lost", "refused") and not (how in ENDINGS and _ENDED.fullmatch(rest)):
        return Told("")
    _, _, stderr = result.stderr.rpartition(f"\n{mark}\n")
    return Told(how, rest, stdout, stderr)


@cache
def script(name: str) -> str:
    """The text of one of our scripts."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
