"""`*.test.yaml`: how they are read, what they say when something is wrong, and that the shipped ones pass."""

from pathlib import Path

import pytest

from agent.config.problem import ConfigProblems
from agent.config.rehearsal import (
    AuthoredAnswer,
    AuthoredExpectation,
    AuthoredIncident,
    AuthoredTest,
    find_tests,
    rehearse,
)
from agent.model.execution import Outcome

SHIPPED = Path(__file__).parents[2] / "runbooks"

RUNBOOK = """
runbook: restart-web
vars:
  unit: {default: nginx}
evidence:
  - name: keep evidence
    run: journalctl -u {{ vars.unit }}
steps:
  - name: configuration is sound
    run: nginx -t
    on_failure: abort
  - name: may I
    approve: {question: "Restart {{ vars.unit }}?", within: 1m}
  - name: restart
    run: systemctl restart {{ vars.unit }}
    retry: {attempts: 2, delay: 1s}
rollback:
  - name: start the maintenance page
    run: systemctl start nginx-maintenance
"""

TESTS = """
runbook: restart-web
tests:
  - name: a restart helps
    incident: {check: web, hosts: [web1], service: shop}
    vars: {unit: apache2}
    answers:
      configuration is sound: {exit: 0}
      restart: [{exit: 1, stderr: "busy"}, {exit: 0}]
    recovers: after restart
    approve: {Restart apache2?: yes}
    expect:
      outcome: recovered
      steps: [keep evidence, configuration is sound, may I, restart, restart]
      commands: [journalctl -u apache2, nginx -t, systemctl restart apache2, systemctl restart apache2]
  - name: nobody comes
    approve: {may I: nobody}
    expect: {outcome: escalated, steps: [keep evidence, configuration is sound]}
  - name: it does not help
    answers: {systemctl restart nginx: {takes: 30s}}
    recovers: never
    expect:
      outcome: not recovered
      steps:
        - keep evidence
        - configuration is sound
        - may I
        - restart
        - rollback: start the maintenance page
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runbook with its tests in a folder below it; texts name files as seen from here."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "restart-web.yaml").write_text(RUNBOOK)
    (tmp_path / "tests" / "restart-web.test.yaml").write_text(TESTS)
    monkeypatch.chdir(tmp_path)
    return Path()


def test_the_shipped_runbooks_pass_their_tests_and_each_has_some() -> None:
    files = find_tests([SHIPPED])
    results = [result for file in files for result in rehearse(file)]
    assert [str(result) for result in results if not result.passed] == []
    assert {result.runbook for result in results} == {file.stem for file in SHIPPED.glob("*.yaml")}


def test_a_file_of_tests_passes(folder: Path) -> None:
    results = rehearse(folder / "tests/restart-web.test.yaml")
    assert [str(result) for result in results] == [
        "tests/restart-web.test.yaml:4: restart-web: a restart helps: passed",
        "tests/restart-web.test.yaml:16: restart-web: nobody comes: passed",
        "tests/restart-web.test.yaml:19: restart-web: it does not help: passed",
    ]


def test_a_change_of_the_runbook_that_breaks_the_order_fails_its_test_and_says_how(folder: Path) -> None:
    lines = RUNBOOK.splitlines()
    start = lines.index("  - name: configuration is sound")
    check, rest = lines[start : start + 3], lines[:start] + lines[start + 3 :]
    below = rest.index("rollback:")
    (folder / "restart-web.yaml").write_text("\n".join([*rest[:below], *check, *rest[below:]]))
    helps, nobody, _ = rehearse(folder / "tests/restart-web.test.yaml")
    assert not helps.passed
    assert str(helps) == (
        "tests/restart-web.test.yaml:4: restart-web: a restart helps: failed\n"
        "  steps: the right ones, in another order\n"
        "      keep evidence\n"
        "    - configuration is sound\n"
        "      may I\n"
        "      restart\n"
        "      restart\n"
        "    + configuration is sound\n"
        "  commands: the right ones, in another order\n"
        "      journalctl -u apache2\n"
        "    - nginx -t\n"
        "      systemctl restart apache2\n"
        "      systemctl restart apache2\n"
        "    + nginx -t"
    )
    assert str(nobody) == (
        "tests/restart-web.test.yaml:16: restart-web: nobody comes: failed\n"
        "  steps: 'configuration is sound' did not happen\n"
        "      keep evidence\n"
        "    - configuration is sound"
    )


def test_a_change_that_breaks_the_outcome_says_why_it_came_to_that(folder: Path) -> None:
    (folder / "restart-web.yaml").write_text(RUNBOOK.replace("attempts: 2", "attempts: 1"))
    helps, *_ = rehearse(folder / "tests/restart-web.test.yaml")
    assert str(helps).splitlines()[1:5] == [
        "  outcome: expected recovered, got failed (step 'restart' failed)",
        "  steps: 'restart' did not happen, 'rollback: start the maintenance page' was not expected",
        "      keep evidence",
        "      configuration is sound",
    ]


def problems(folder: Path, text: str) -> list[str]:
    file = folder / "tests/broken.test.yaml"
    file.write_text(text)
    with pytest.raises(ConfigProblems) as found:
        rehearse(file)
    return [str(problem).removeprefix("tests/broken.test.yaml:") for problem in found.value.problems]


def test_everything_that_is_wrong_is_said_at_once_and_where(folder: Path) -> None:
    text = """
runbook: restart-web
tests:
  - name: all wrong
    incidnet: {check: web}
    vars: {unti: nginx}
    answers:
      restart: [{exit: many}]
      nginx -t: {exti: 1}
      keep evidence: vanishes
    recovers: after restrat
    checks: {db: sometimes}
    approve: {may I: perhaps}
    earlier: {web1: [5]}
    expect: {outcome: recoverd, stpes: []}
  - expect: {outcome: recovered}
"""
    assert problems(folder, text) == [
        "5: tests[0].incidnet: there is no key 'incidnet' here: did you mean 'incident'?",
        "6: tests[0].vars: restart-web has no variable 'unti'; it has: unit",
        "8: tests[0].answers.restart[0].exit: expected a whole number, got 'many'",
        "9: tests[0].answers.nginx -t.exti: there is no key 'exti' here: did you mean 'exit'?",
        "10: tests[0].answers.keep evidence: expected unreachable, times out or outcome unknown, got 'vanishes'",
        "11: tests[0].recovers: restart-web has no step 'restrat': did you mean 'restart'?",
        "12: tests[0].checks.db: 'sometimes' is not known here: write at once, never, unknown or after STEP",
        "13: tests[0].approve.may I: expected yes, no or nobody, got 'perhaps'",
        "14: tests[0].earlier.web1[0]: 5 has no unit: write a duration such as 30s, 5m or 1h30m",
        "15: tests[0].expect.outcome: 'recoverd' is not an outcome: did you mean 'recovered'? (or refused: REASON)",
        "15: tests[0].expect.stpes: there is no key 'stpes' here: did you mean 'steps'?",
        "16: tests[1]: 'name' is missing: write name: …",
    ]


def test_an_earlier_treatment_is_of_a_host_of_the_test(folder: Path) -> None:
    text = "runbook: restart-web\ntests:\n  - {name: x, expect: {}, earlier: {web1: [5m]}}\n"
    assert problems(folder, text) == ["3: tests[0].earlier.web1: this is no host of the test: known here: host1"]
    text = text.replace("name: x", "name: x, incident: {hosts: [web2, db]}")
    assert problems(folder, text) == ["3: tests[0].earlier.web1: this is no host of the test: did you mean 'web2'?"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1: expected a mapping ('key: value' lines), got nothing: begin with runbook: NAME"),
        ("- a", "1: expected a mapping ('key: value' lines), got a list: begin with runbook: NAME"),
        ("tests: [{name: x, expect: {}}]", "1: 'runbook' is missing: write runbook: …"),
        (
            "runbook: restart-wbe\ntests: [{name: x, expect: {}}]",
            "1: runbook: there is no runbook 'restart-wbe': did you mean 'restart-web'?",
        ),
        (
            "runbook: restart-web\ntests:",
            "2: tests: expected a list of tests, got nothing: begin each with '- name: …'",
        ),
        ("runbook: restart-web", "1: expected a list of tests, got nothing: begin each with '- name: …'"),
    ],
)
def test_a_file_that_is_no_file_of_tests(folder: Path, text: str, problem: str) -> None:
    assert problems(folder, text) == [problem]


def test_a_runbook_that_is_wrong_itself_is_reported_in_its_own_file(folder: Path) -> None:
    (folder / "restart-web.yaml").write_text(RUNBOOK.replace("run: nginx -t", "rnu: nginx -t"))
    with pytest.raises(ConfigProblems) as found:
        rehearse(folder / "tests/restart-web.test.yaml")
    assert [str(problem).partition(": ")[0] for problem in found.value.problems] == ["restart-web.yaml:10"]


def test_a_file_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ConfigProblems, match=r"nothing.test.yaml: cannot be read: No such file or directory"):
        rehearse(folder / "nothing.test.yaml")


def test_files_of_tests_are_found_beside_the_runbooks_and_below_them(folder: Path) -> None:
    (folder / "reload.test.yml").write_text(TESTS)
    found = find_tests([folder, folder / "tests", folder / "tests" / "restart-web.test.yaml"])
    assert [str(file) for file in found] == ["reload.test.yml", "tests/restart-web.test.yaml"]
    assert all(result.passed for file in found for result in rehearse(file))


def test_the_configured_runbook_folders_come_first(folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "restart-web.yaml").write_text(RUNBOOK.replace("nginx -t", "nginx -T"))
    helps, *_ = rehearse(folder / "tests/restart-web.test.yaml", [mine])
    assert "nginx -T" in str(helps)


def test_the_example_in_the_documentation_passes(folder: Path) -> None:
    docs = SHIPPED.parent / "docs"
    for page, file in (("runbooks.md", "restart-shop.yaml"), ("runbook-tests.md", "tests/restart-shop.test.yaml")):
        found = [text.partition("```")[0] for text in (docs / page).read_text().split("```yaml\n")[1:]]
        example = next(text for text in found if text.startswith(f"# runbooks/{file}\n"))
        (folder / file).write_text(example)
    results = rehearse(folder / "tests/restart-shop.test.yaml")
    assert len(results) == 3
    assert [str(result) for result in results if not result.passed] == []


def test_every_key_of_the_format_is_in_the_documentation() -> None:
    text = (SHIPPED.parent / "docs" / "runbook-tests.md").read_text()
    for model in (AuthoredTest, AuthoredAnswer, AuthoredIncident, AuthoredExpectation):
        missing = [name for name in model.model_fields if f"`{name}`" not in text and name != "ends"]
        assert not missing, f"{model.__name__}: {missing}"
    assert all(f"`{outcome}`" in text for outcome in Outcome if outcome not in (Outcome.REFUSED, Outcome.STOPPED))
