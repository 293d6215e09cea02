"""Emergency plans as they come out of the configuration: what is filled in, and the runbooks that stand in them."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.config.inline import canonical
from agent.config.load import load
from agent.config.plan_warnings import plan_warnings
from agent.config.problem import ConfigProblems
from agent.config.runbook import parse_runbook
from agent.config.yaml import read_document
from agent.model.plan import Level, Plan, PlanPhase, PlanRole
from agent.model.settings import Settings

CONFIG = r"""
teams: {operations: {members: [alice, bob]}}
people:
  alice: {title: Alice, notify: chat}
  bob: {}
messages: {targets: {chat: {url: chat-url}}}
secrets: {chat-url: {env: CHAT}}
login: {use_agent: true}
hosts: {web1: {}, web2: {}, db1: {}}
groups: {web: {hosts: [web1, web2]}}
services: {shop: {on: [group:web, host:db1]}}
checks:
  web: {kind: tcp, port: 80, on: group:web}
resources:
  spare: {check: web}
plans:
  shop-down:
    title: The shop is down
    version: 2
    owner: operations
    review_due: 2026-03-01
    scope: {services: shop, hosts: [web1]}
    roles: {commander: [alice, team:operations]}
    levels:
      IV: {}
      I:
      II: {any: [{hosts_healthy: below 60%, for: 1m}]}
    phases:
      communicate: [{do: Write to the customers}]
      contain:
        - name: empty the cache
          steps:
            - run: |
                # comment: not YAML's
                rm -rf /var/cache/{{ host.name }}

                  indented
              sudo: true
            - {run: "1e5", name: "no"}
            - {run: "true", when: "host.name == 'web1'"}
          verify: {check: web, within: 30s}
          serial: 50%
        - {name: again, steps: [{run: "true"}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "all.yaml").write_text(CONFIG)
    return tmp_path


def settings_in(folder: Path, **changed: str) -> Settings:
    """Loaded, with texts in it replaced."""
    text = CONFIG
    for before, after in changed.items():
        assert before in text
        text = text.replace(before, after)
    (folder / "all.yaml").write_text(text)
    return load(folder, environ={}).settings


def plan_in(folder: Path, **changed: str) -> Plan:
    return settings_in(folder, **changed).plans["shop-down"]


def test_the_hosts_of_a_plan_are_those_of_its_scope(folder: Path) -> None:
    assert plan_in(folder).hosts == ("web1", "web2", "db1")


def test_phases_and_levels_stand_in_their_order_whatever_order_they_are_written_in(folder: Path) -> None:
    plan = plan_in(folder)
    assert list(plan.phases) == [PlanPhase.CONTAIN, PlanPhase.COMMUNICATE]
    assert list(plan.levels) == [Level.I, Level.II, Level.IV]


def test_a_level_without_conditions_is_for_people_alone(folder: Path) -> None:
    assert plan_in(folder).levels[Level.I].each == ()


def test_an_action_without_a_name_is_called_after_what_it_does(folder: Path) -> None:
    (action,) = plan_in(folder).phases[PlanPhase.COMMUNICATE]
    assert action.name == "Write to the customers"


def test_where_nobody_is_technical_lead_the_commander_answers_for_actions(folder: Path) -> None:
    (action,) = plan_in(folder).phases[PlanPhase.COMMUNICATE]
    assert action.by is PlanRole.COMMANDER
    before, after = "roles: {commander: [alice, team:operations]}", "roles: {commander: alice, technical_lead: bob}"
    (action,) = plan_in(folder, **{before: after}).phases[PlanPhase.COMMUNICATE]
    assert action.by is PlanRole.TECHNICAL_LEAD


def test_steps_in_a_plan_are_a_runbook_whose_text_makes_it_again(folder: Path) -> None:
    """As a restart does with the text on record."""
    first, second = plan_in(folder).inline
    assert (first.name, second.name) == ("shop-down.contain.1", "shop-down.contain.2")
    assert first.digest != second.digest
    for runbook in (first, second):
        assert parse_runbook(runbook.text, "kept") == runbook
    assert [step.name for step in first.steps] == ["run # comment: not YAML's", "no", "run true"]
    assert first.steps[0].sudo
    assert first.verify.checks == ("web",)
    assert first.batch_size(4) == 2


def test_another_text_is_another_plan_and_comments_are_no_text(folder: Path) -> None:
    before = plan_in(folder)
    assert plan_in(folder, **{"title: The shop is down": "title: The shop is down  # at last"}).digest == before.digest
    after = plan_in(folder, **{"within: 30s": "within: 40s"})
    assert after.digest != before.digest
    assert after.inline[0].digest != before.inline[0].digest
    assert after.inline[1].digest == before.inline[1].digest


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**17), 10**17),
    st.floats(-1e15, 1e15).map(lambda number: round(number, 6)),
    st.text(st.characters(codec="utf-8", exclude_categories=("C",), include_characters="\n\t"), max_size=40),
    st.sampled_from(["1e5", "yes", "0755", "10:30", "~", "", "<<", "# no", "- no", "a: b", " x", "x ", "\n x\n", "|"]),
)
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789_- .:#'", min_size=1, max_size=10)


@example({"a": "1e5", "1e5": ["", "~", "2.50", "\n x\n", "# no", " x "]})
@given(st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4)))
def test_what_is_written_canonically_is_read_as_it_was(data: object) -> None:
    document = read_document(canonical({"data": data}), "kept")
    assert document.problems == ()
    assert document.data == {"data": data}


def test_steps_that_nobody_can_sign_are_refused_where_runbooks_must_be_signed(folder: Path) -> None:
    (folder / "signers").write_text("")
    (folder / "agent.yaml").write_text("agent: {signed_runbooks: {allowed_signers: signers}}\n")
    with pytest.raises(ConfigProblems) as found:
        load(folder, environ={})
    assert [one.what for one in found.value.problems if one.path.startswith("plans")] == [
        "nobody can sign steps that stand in a plan",
        "nobody can sign steps that stand in a plan",
    ]


def test_nothing_to_log_in_with_is_said_of_a_plan_too(folder: Path) -> None:
    with pytest.raises(ConfigProblems, match=r"runbook shop-down\.contain\.2 of plan shop-down does"):
        settings_in(folder, **{"login: {use_agent: true}": ""})


def test_what_would_be_missed_on_the_day_is_a_warning(folder: Path) -> None:
    settings = settings_in(folder)
    assert list(plan_warnings(settings, date(2026, 3, 2))) == [
        "plan shop-down: was to be looked through by 2026-03-01; do it, and write the next date as review_due",
        "plan shop-down: has no notification, so nobody is told when it starts",
        "plan shop-down: has no fallback, which says what people do when the agent must give up",
        "plan shop-down: no message reaches bob: write notify: under people, or somebody must call them",
    ]


def test_a_plan_that_lacks_nothing_is_not_warned_of(folder: Path) -> None:
    complete = "fallback: Call Bob.\n    notification: [{tell: commander, within: 5m}]\n    phases:"
    settings = settings_in(folder, **{"phases:": complete, "bob: {}": "bob: {notify: chat}"})
    assert list(plan_warnings(settings, date(2026, 3, 1))) == []
    assert list(plan_warnings(replace(settings, plans={}), date(2026, 3, 2))) == []
