"""A secret that is configured and not there is found before it is needed, and without saying any other."""

import json
from pathlib import Path

import pytest

from agent.app import App
from agent.config.load import load
from agent.config.secret import SecretRef
from agent.errors import TicketSystemUnavailable, UnknownSecret
from agent.model.commands import Milestone
from agent.runtime.redaction import Redactor
from agent.runtime.secrets import Secrets
from agent.runtime.service_manager import ServiceManager
from tests.functional.control_site import paramedic, short_folder
from tests.functional.outbox_desk import Desk
from tests.functional.remembered_tickets import Ledger, RememberedTickets
from tests.neighbours.waiting import until

SECRETS = """\
secrets:
  there: {file: there}
  tracker-token: {file: tracker-token}
  empty: {file: empty}
  variable: {env: NEVER_SET_ANYWHERE}
  given:
    credential: given
"""


def configured(folder: Path, secrets: str) -> Path:
    config = folder / "config"
    config.mkdir(exist_ok=True)
    settings = f"agent: {{state_dir: {folder}/state, socket: {folder}/control.sock}}\nchecks: {{}}\n"
    (config / "all.yaml").write_text(settings + secrets)
    for name, value in (("there", "a-value-that-is-secret"), ("empty", "\n")):
        (config / name).write_text(value)
        (config / name).chmod(0o600)
    return config


def test_check_config_warns_with_the_place_of_each_and_finds_no_fault(tmp_path: Path) -> None:
    config = configured(tmp_path, SECRETS)
    said = paramedic("check-config", str(config), "--json", CREDENTIALS_DIRECTORY="")
    assert said.code == 0
    unset, cannot, here = "NEVER_SET_ANYWHERE is not set", "cannot be had:", "(so it is here, the agent may have it)"
    needed = "systemd gave no credentials; the unit needs LoadCredential= for 'given'"
    assert json.loads(said.out)["warnings"] == [
        f"{config}/all.yaml:5: secret 'tracker-token' {cannot} {config}/tracker-token (no such file or directory)",
        f"{config}/all.yaml:6: secret 'empty' {cannot} file {config}/empty is empty",
        f"{config}/all.yaml:7: secret 'variable' {cannot} the environment variable {unset} {here}",
        f"{config}/all.yaml:9: secret 'given' {cannot} {needed} {here}",
    ]
    assert "a-value-that-is-secret" not in said.out


def test_the_agent_warns_at_the_start_and_at_each_reload(caplog: pytest.LogCaptureFixture) -> None:
    with short_folder() as folder:
        config = configured(folder, SECRETS)

        def warned() -> list[str]:
            found = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
            caplog.clear()
            return [each.split("'")[1] for each in found if "cannot be had" in each]

        app = App(load(config), ServiceManager({}))
        app.start()
        try:
            assert warned() == ["tracker-token", "empty", "variable", "given"]
            configured(folder, "secrets: {tracker-token: {file: tracker-token}, there: {file: there}}\n")
            assert app.reload().ok
            assert warned() == ["tracker-token"]
        finally:
            app.stop()


@pytest.mark.parametrize("name", ["tracker-token", "db_password", "api-key", "secret"])
@pytest.mark.parametrize("content", [None, b"\n", b"\xff", b"a" * 70000])
@pytest.mark.parametrize("place", ["env", "file", "credential"])
def test_why_it_cannot_be_had_is_not_taken_for_a_secret(
    tmp_path: Path, place: str, name: str, content: bytes | None
) -> None:
    """What follows `token:` or `password:` is redacted, and it is the path that people need."""
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    ref = {
        "env": SecretRef("env", name),
        "file": SecretRef("file", str(file)),
        "credential": SecretRef("credential", name),
    }
    for environ in ({}, {"CREDENTIALS_DIRECTORY": str(tmp_path), name: "\udcff" if content else ""}):
        with pytest.raises(UnknownSecret) as raised:
            Secrets({name: ref[place]}, environ).secret(name)
        why = str(raised.value)
        assert name in why.partition("cannot be had")[2]
        assert Redactor(dict).redact(f"POST /issue: {why}, and so it waits") == f"POST /issue: {why}, and so it waits"


def test_a_ticket_system_that_cannot_be_asked_for_want_of_one_is_said_so_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk, ledger = Desk(tmp_path / "paramedic.db"), Ledger()
    ledger.failing = lambda call: UnknownSecret("secret 'tracker-token' cannot be had: /x/tracker-token (no such file)")
    try:
        outbox = desk.outbox(RememberedTickets(ledger=ledger))
        desk.tell("INC-1", Milestone.OPENED)
        until(lambda: outbox.state().next_attempt == desk.clock.now + 60, within=20, what="it is seen, and waits")
        state = outbox.state()
        assert (state.available, state.asked, state.queue.set_aside) == (False, False, 0)
        assert state.last_error == "secret 'tracker-token' cannot be had: /x/tracker-token (no such file)"
        assert caplog.messages == [f"ticket update INC-1/1 waits: {state.last_error}"]

        ledger.failing = lambda call: TicketSystemUnavailable("gone")
        desk.clock.pass_by(60)
        outbox.wake()
        until(lambda: outbox.state().last_error == "gone", within=20, what="it is asked")
        assert (outbox.state().available, outbox.state().asked) == (None, True), "it has not answered yet"
    finally:
        desk.close()
