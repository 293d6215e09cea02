"""Which text of a runbook runs, who signed it, and what an agent refuses to go by: with the real daemon."""

import hashlib
import subprocess
from pathlib import Path

from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site, whats
from tests.functional.ssh_login import make_key
from tests.neighbours.sshd import Sshd

WAIT = """\
runbook: wait-a-while
steps:
  - name: wait
    run: AT_THE_GATE
    repeatable: true
    timeout: 70s
verify: {within: 1s}
"""

RESTART = """\
runbook: restart-shop
steps:
  - name: restart
    run: echo "$(date +%s.%N) the NTH text" >> LEDGER; RESTART
verify: {within: 20s}
"""

CLOSES_SOON = "policy: {lifecycle: {close_after: 1s}}\n"


class SignedSite:
    """The site, where alice has to have signed every runbook."""

    def __init__(self, site: Site, web: Web) -> None:
        self.site = site
        self.web = web
        self.runbooks = site.config / "runbooks"
        self.alice, self.bob = make_key(site.folder / "alice"), make_key(site.folder / "bob")
        (site.config / "allowed_signers").write_text(f"alice@example.com {self.alice.with_suffix('.pub').read_text()}")
        (site.config / "revoked").touch()
        agent = (site.config / "paramedic.yaml").read_text()
        signed = "signed_runbooks: {allowed_signers: allowed_signers, revoked: revoked}"
        site.write("paramedic.yaml", agent.replace("agent: {", f"agent: {{{signed}, "))

    def text(self, nth: str) -> str:
        """Writes the nth text and returns its digest."""
        self.site.runbook(RESTART.replace("NTH", nth).replace("RESTART", self.web.restart_command))
        return hashlib.sha256((self.runbooks / "restart-shop.yaml").read_bytes()).hexdigest()

    def sign(self, key: Path) -> None:
        for signature in self.runbooks.glob("*.sig"):
            signature.unlink()
        files = sorted(self.runbooks.glob("*.yaml"))
        words = ["ssh-keygen", "-q", "-Y", "sign", "-n", "paramedic-runbook", "-f", str(key), *map(str, files)]
        subprocess.run(words, check=True, capture_output=True)


def test_a_text_that_changed_on_disk_is_not_used_before_a_reload_and_only_if_it_is_signed(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web
) -> None:
    site.on_loopback(sshd)
    site.watches(web, ladder="wait-a-while, restart-shop")
    site.write("policy.yaml", CLOSES_SOON)
    site.runbook(WAIT)
    signed = SignedSite(site, web)
    first = signed.text("first")
    signed.sign(signed.alice)
    daemon.start()
    assert daemon.json("status")["changed_runbooks"] == []
    web.kill()
    daemon.until("treatment: wait-a-while starts")

    second = signed.text("second")  # whoever may write there needs a key, and the agent needs to be told
    assert daemon.json("status")["changed_runbooks"] == ["restart-shop"]
    assert "changed on disk since" in daemon.paramedic("runbook", "list")
    assert "the first text" in daemon.paramedic("runbook", "show", "restart-shop")
    refused = daemon.paramedic("reload", status=1)
    assert "restart-shop.yaml: is not what alice@example.com signed for runbooks" in refused
    signed.sign(signed.bob)
    assert "is not signed by anybody in" in daemon.paramedic("reload", status=1)

    daemon.kill()  # what the incident started with, and who signed it, is on the record
    signed.sign(signed.alice)
    daemon.start()
    site.open_gate()
    daemon.until("closed")
    assert whats(site.done_here()) == ["the first text"]
    (treatment,) = [run for run in daemon.executions() if run.runbook == "restart-shop"]
    assert (treatment.digest, treatment.signed_by) == (first, "alice@example.com")
    starts = [entry for entry in daemon.told() if entry.data.get("digest") == first]
    assert [entry.data["signed_by"] for entry in starts] == ["alice@example.com"]

    web.kill()
    daemon.until("closed", about="INC-2")
    assert whats(site.done_here()) == ["the first text", "the second text"]
    assert {run.digest for run in daemon.executions("INC-2") if run.runbook == "restart-shop"} == {second}

    (site.config / "revoked").write_text(signed.alice.with_suffix(".pub").read_text())
    assert "or the key counts no more" in daemon.paramedic("reload", status=1)


def test_it_does_not_start_or_reload_with_files_that_others_may_change_or_keys_they_may_read(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web
) -> None:
    site.on_loopback(sshd)
    site.restarts(web)
    key = site.config / "key"
    key.touch(mode=0o600)
    key.write_bytes(sshd.client_key.read_bytes())
    site.write("hosts.yaml", (site.config / "hosts.yaml").read_text().replace(str(sshd.client_key), "key"))
    runbooks = site.config / "runbooks"
    runbooks.chmod(0o777)
    key.chmod(0o644)
    daemon.launch()
    assert daemon.ended() == 1
    said = daemon.journal()
    assert f"everybody may change {runbooks} (mode 0777): chmod o-w {runbooks}" in said
    assert f"login.key_file: others than its owner may read {key} (mode 0644): chmod 600 {key}; " in said
    assert "Traceback" not in said
    runbooks.chmod(0o755)
    key.chmod(0o600)
    assert not site.state.exists()
    daemon.start()

    runbook = runbooks / "restart-shop.yaml"
    runbook.chmod(0o666)
    assert f"everybody may change {runbook}" in daemon.paramedic("reload", status=1)
    runbook.chmod(0o644)
    assert "1 runbook" in daemon.paramedic("reload")
