"""Runbooks as they come out of their text."""

import hashlib

import pytest

from agent.config.problem import ConfigProblems
from agent.config.runbook import parse_runbook
from agent.model.runbook import AskCheck, AskPerson, Pause, Perform


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigProblems) as raised:
        parse_runbook(text, "r.yaml")
    return [str(problem) for problem in raised.value.problems]


def test_the_text_that_ran_can_be_shown_and_read_again() -> None:
    text = "runbook: r # a comment\nsteps:\n  - run: 'true'\n"
    runbook = parse_runbook(text, "r.yaml")
    assert runbook.text == text
    assert runbook.digest == hashlib.sha256(text.encode()).hexdigest()
    assert parse_runbook(runbook.text, "kept") == runbook


def test_an_action_is_written_as_one_value_or_as_a_mapping() -> None:
    text = """
runbook: r
steps:
  - run: nginx -t
  - run: {command: grep x y, ok_exit: [0, 1]}
  - wait: 10s
  - check: web
  - approve: {question: May we?, team: dba, within: 5m, otherwise: abort}
"""
    runbook = parse_runbook(text, "r.yaml")
    assert [step.action.kind for step in runbook.steps] == ["run", "run", "wait", "check", "approve"]
    assert runbook.steps[1].action.model_dump() == {"command": "grep x y", "ok_exit": (0, 1)}
    assert [step.action.demand() for step in runbook.steps[1:]] == [
        Perform(),
        Pause(10.0),
        AskCheck("web", 30.0),
        AskPerson("May we?", "dba", 300.0, "abort"),
    ]


def test_steps_without_a_name_are_called_by_what_they_do() -> None:
    text = "runbook: r\nsteps:\n  - run: |\n      first line\n      second\n  - wait: 5s\n  - {name: mine, wait: 1s}\n"
    names = [step.name for step in parse_runbook(text, "r.yaml").steps]
    assert names == ["run first line", "wait 5s", "mine"]
    text = "runbook: r\nvars: {n: {default: x}}\nsteps:\n  - run: uptime; echo {{ vars.n }} on {{ host.name }}\n"
    assert [step.name for step in parse_runbook(text, "r.yaml").steps] == ["run uptime; echo … on …"]
    long = parse_runbook(f"runbook: r\nsteps:\n  - run: {'x' * 500}\n", "r.yaml").steps[0].name
    assert len(long) <= 80


def test_evidence_comes_first_and_never_stops_the_treatment() -> None:
    text = "runbook: r\nsteps:\n  - run: fix\nevidence:\n  - run: look\n    sudo: true\n"
    runbook = parse_runbook(text, "r.yaml")
    look, fix = runbook.treatment
    assert (look.name, look.evidence, look.repeatable, look.on_failure, look.sudo) == (
        "run look",
        True,
        True,
        "continue",
        True,
    )
    assert (fix.evidence, fix.repeatable, fix.on_failure) == (False, False, "rollback")


def test_a_runbook_may_only_look() -> None:
    runbook = parse_runbook("runbook: r\nevidence:\n  - run: df -h\n", "r.yaml")
    assert (len(runbook.evidence), runbook.steps) == (1, ())


def test_results_are_known_to_later_steps_in_the_order_in_which_they_run() -> None:
    text = """
runbook: r
vars:
  unit: {default: nginx.service}
rollback:
  - run: echo {{ restart.status }} {{ seen.stdout }}
steps:
  - run: systemctl restart {{ vars.unit }}
    register: restart
    when: seen.status == 0 and 'x' in steps.seen.stdout
  - run: echo {{ restart.stderr }} on {{ host.name }} for {{ incident.id }}
evidence:
  - run: systemctl status {{ vars.unit }}
    register: seen
"""
    runbook = parse_runbook(text, "r.yaml")
    assert runbook.steps[0].register_as == "restart"
    assert problems("runbook: r\nsteps:\n  - run: echo {{ me.stdout }}\n    register: me\n")


def test_types_of_defaults() -> None:
    text = """
runbook: r
vars:
  word: {default: "8"}
  count: {type: integer, default: 3}
  ratio: {type: number, default: 1}
  yes: {type: boolean, default: true}
  must: {type: integer, description: no default}
steps:
  - run: echo {{ vars.word }}
"""
    variables = parse_runbook(text, "r.yaml").vars
    assert [variables[name].default for name in ("word", "count", "ratio", "yes", "must")] == ["8", 3, 1, True, None]
    for type_, default in (("integer", "1.5"), ("integer", "true"), ("boolean", "1"), ("number", "x"), ("string", "1")):
        said = problems(f"runbook: r\nvars:\n  x: {{type: {type_}, default: {default}}}\nsteps: [{{run: x}}]\n")
        assert len(said) == 1, (type_, default)
        assert "r.yaml:3: vars.x.default" in said[0]


@pytest.mark.parametrize(
    ("command", "what"),
    [
        ("echo '{{ vars.x }}'", "cannot be quoted safely"),
        ('echo "{{ vars.x }}"', "cannot be quoted safely"),
        ("echo {{ vars.y }}", "not known here"),
        ("echo {{ x }}", "not known here"),
        ("echo {{ vars.x | no_filter }}", "no_filter"),
        ("echo {{ vars.x", "not a template"),
    ],
)
def test_templates_are_checked_before_anything_runs(command: str, what: str) -> None:
    quoted = command.replace("\\", "\\\\").replace('"', '\\"')
    said = problems(f'runbook: r\nvars: {{x: {{default: a}}}}\nsteps:\n  - run: "{quoted}"\n')
    assert len(said) == 1
    assert said[0].startswith("r.yaml:4: steps[0].run: ")
    assert what in said[0]


@pytest.mark.parametrize(
    "text", ["", "- a\n", "runbook\n", "runbook: r\n", "steps: []\nrunbook: r\n", "runbook: [\n", "\0"]
)
def test_what_is_no_runbook_is_a_problem(text: str) -> None:
    assert problems(text)
