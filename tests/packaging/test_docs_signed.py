"""The page about signed runbooks does what it says, with the real ssh-keygen."""

import re
import shlex
import subprocess
from pathlib import Path

from agent.config.load import load
from tests.packaging.documents import DOCS, blocks, section, table
from tests.packaging.test_docs import EXAMPLES, problems, write_site


def test_signed_as_the_page_says_all_runbooks_are_accepted(tmp_path: Path) -> None:
    (example,) = [block for block in EXAMPLES if block.mark == "signed"]
    config = write_site(tmp_path, example)
    key = tmp_path / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    (signers,) = [block for block in blocks(DOCS / "runbooks.md") if block.text.startswith("# config/allowed_signers")]
    assert signers.text.strip() in section("runbooks.md", "Signed runbooks")
    (config / "allowed_signers").write_text(signers.text.replace("ssh-ed25519 AAAA…", public))
    (config / "revoked_keys").touch()
    assert len(problems(config)) > 5, "none is signed"

    said = table("runbooks.md", "Signed runbooks", "to")[0][1]
    command = re.search(r"`(ssh-keygen [^`]+)`", said)
    assert command
    files = [path.name for path in (config / "runbooks").glob("*.yaml")]
    words = shlex.split(
        command[1].replace("~/.ssh/id_ed25519", str(key)).replace("restart-web.yaml", shlex.join(files))
    )
    subprocess.run(words, cwd=config / "runbooks", check=True, capture_output=True)
    assert problems(config) == []
    runbooks = load(config, environ={}).settings.runbooks.values()
    assert {runbook.signed_by for runbook in runbooks} == {"alice@example.com"}
