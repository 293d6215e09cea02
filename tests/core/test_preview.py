"""The dry run: every step as it would be carried out, and nothing is."""

import pytest

from agent.core.preview import PreviewedStep, preview
from agent.model.inventory import Host
from agent.model.quantities import CountOrShare
from agent.model.runbook import Retry, Runbook, Variable, Verify
from agent.steps.http import HttpStep
from agent.steps.run import Run
from tests.core.ward import Ward, approve, ask_check, run, runbook, shop, wait

HOSTS = [Host(name="web1", address="10.0.0.1"), Host(name="web2", address="10.0.0.2")]


def told(book: Runbook, hosts: list[Host] = HOSTS[:1], **variables: object) -> list[tuple[str, tuple[str, ...]]]:
    return [(row.command, row.notes) for row in preview(book, hosts, variables) if row.section != "verify"]


def test_every_step_of_every_section_on_every_host_in_the_order_of_batches() -> None:
    book = runbook(
        "r",
        run("restart", "restart {{ host.address }}"),
        evidence=(run("log", evidence=True),),
        rollback=(run("undo"),),
        serial=CountOrShare(count=1),
        verify=Verify(within=60.0, stable_for=20.0),
    )
    assert [(row.host, row.batch, row.section, row.name) for row in preview(book, HOSTS, {})] == [
        (host, batch, section, name)
        for host, batch in (("web1", 1), ("web2", 2))
        for section, name in (
            ("evidence", "log"),
            ("steps", "restart"),
            ("verify", "verification"),
            ("rollback", "undo"),
        )
    ]
    assert preview(book, HOSTS, {})[2] == PreviewedStep(
        "web1",
        1,
        "verify",
        "verification",
        "check",
        "ask the checks that opened the incident for up to 1m, well for 20s",
        ("if it is not well: the rollback, then ask again",),
    )


@pytest.mark.parametrize(
    ("step", "command", "notes"),
    [
        (run("a", "restart {{ vars.unit }}", sudo=True), "restart 'nginx; reboot'", ("with sudo",)),
        (run("a", "echo {{ incident.id }}", on="local"), "echo '<incident.id>'", ("on the agent's machine",)),
        (run("a", "curl -u {{ secret('api') }} x"), "curl -u <secret api> x", ()),
        (run("a", retry=Retry(attempts=3)), "true", ("tried up to 3 times",)),
        (run("a", on_failure="continue"), "true", ("goes on if it fails",)),
        (run("a", when="vars.unit == 'apache'"), "true", ("skipped, because this is not so: vars.unit == 'apache'",)),
        (run("a", when="vars.unit"), "true", ()),
        (run("a", when="incident.priority == 'P1'"), "true", ("only if incident.priority == 'P1'",)),
        (wait("a", 90), "wait 1m 30s", ()),
        (ask_check("a", "db", 30), "ask db until it is OK, for up to 30s", ()),
        (
            approve("Restart {{ host.name }}", team="dba", within=60.0),
            "Restart web1?",
            ("waits up to 1m for approval by dba; if nobody comes: escalate",),
        ),
        (
            run("a").model_copy(update={"action": HttpStep(url="http://x/{{ host.name }}", method="POST")}),
            "http://x/web1, method: POST",
            (),
        ),
        (run("a").model_copy(update={"action": Run(command="x", ok_exit=(0, 3))}), "x", ()),
    ],
)
def test_what_is_said_of_a_step(step: object, command: str, notes: tuple[str, ...]) -> None:
    book = runbook("r", step, vars={"unit": Variable(default="nginx; reboot")})  # type: ignore[arg-type]
    assert told(book) == [(command, notes)]


def test_what_earlier_steps_answer_stands_as_a_name() -> None:
    book = runbook(
        "r",
        run("find", "pgrep x", register="found"),
        run("kill", "kill {{ steps.found.stdout }}", when="found.ok"),
        run("count", "{{ 5 // (found.stdout | int) }}"),
    )
    assert told(book)[1:] == [
        ("kill '<steps.found.stdout>'", ("only if found.ok",)),
        ("{{ 5 // (found.stdout | int) }}", ("shown as written: it needs what earlier steps answer",)),
    ]


def test_values_are_checked_and_a_missing_one_is_named() -> None:
    book = runbook("r", run("a", "restart {{ vars.unit }}"), vars={"unit": Variable(pattern="[a-z]+")})
    assert told(book) == [("restart '<vars.unit>'", ())]
    assert told(book, unit="nginx") == [("restart nginx", ())]
    with pytest.raises(ValueError, match="does not match"):
        told(book, unit="a b")
    with pytest.raises(ValueError, match="has no variable 'unti'"):
        told(book, unti="nginx")


def test_the_dry_run_shows_what_is_then_ordered() -> None:
    book = runbook(
        "r", run("restart", "restart {{ incident.id }} {{ host.name }} {{ vars.n }}"), vars={"n": Variable(default=3)}
    )
    ward = Ward(shop(book))
    incident = ward.falls_ill()
    rows = preview(book, [ward.state.settings.hosts["web1"]], {}, incident)
    assert rows[0].command == ward.steps[0].params["command"]
