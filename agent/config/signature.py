"""Who signed a runbook: SSH signatures, checked by OpenSSH itself.

https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig; made with
`ssh-keygen -Y sign -n paramedic-runbook -f KEY restart-web.yaml`, which writes restart-web.yaml.sig beside it.
"""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from agent.config.agent_settings import Signers
from agent.errors import ParamedicError
from agent.model.text import one_line

NAMESPACE = "paramedic-runbook"
"""What was signed for another purpose (a commit, a mail) does not count."""

ENDING = ".sig"

_WITHIN = 10.0
"""Seconds for one question to ssh-keygen; it takes a hundredth of one."""


class NotSigned(ParamedicError):
    """No allowed signer stands for this text. `hint`: what to do about it."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


class CannotVerify(NotSigned):
    """ssh-keygen itself fails us, so every other runbook would fare the same."""


def signer_of(text: bytes, file: Path, signers: Signers) -> str:
    """The name of who signed exactly `text`, which was read from `file`; as it stands in the allowed signers file.

    Raises NotSigned, and CannotVerify when nothing can be said.
    """
    signature = Path(f"{file}{ENDING}")
    how = f"ssh-keygen -Y sign -n {NAMESPACE} -f KEY {file.name}"
    if not signature.is_file():
        raise NotSigned(f"is not signed: there is no {signature.name}", how)
    ours = _ask("find-principals", "-s", str(signature), "-f", str(signers.allowed))
    if not ours.ok or not ours.names:
        raise NotSigned(f"is not signed by anybody in {signers.allowed}{ours.reason}", how)
    name = ours.names[0]
    revoked = ("-r", str(signers.revoked)) if signers.revoked else ()
    where = ("-s", str(signature), "-f", str(signers.allowed))
    # The text goes in by stdin: what is checked is what was read, whatever becomes of the file.
    verdict = _ask("verify", "-I", name, "-n", NAMESPACE, *where, *revoked, text=text)
    if not verdict.ok:
        what = f"is not what {name} signed for runbooks, or the key counts no more{verdict.reason}"
        raise NotSigned(what, "find out who changed it, and put the signed text back; sign only what you have read")
    return one_line(name)


@dataclass(frozen=True, slots=True)
class _Answer:
    ok: bool
    names: tuple[str, ...]
    reason: str


def _ask(question: str, *words: str, text: bytes = b"") -> _Answer:
    try:
        done = subprocess.run(
            ["ssh-keygen", "-Y", question, *words],
            input=text,
            capture_output=True,
            timeout=_WITHIN,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError:
        raise CannotVerify("needs ssh-keygen, which is not installed", "apt-get install openssh-client") from None
    except subprocess.TimeoutExpired:
        what = f"ssh-keygen did not answer within {_WITHIN:g} s"
        raise CannotVerify(what, f"try it: ssh-keygen -Y {question} {shlex.join(words)}") from None
    said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
    names = done.stdout.decode(errors="replace").splitlines()
    return _Answer(done.returncode == 0, tuple(names), f" ({one_line(said)})" if said else "")
