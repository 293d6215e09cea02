"""Templates: what they may say, how values are quoted, and what is refused."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core import templates
from agent.core.secret_token import substitute_secrets
from agent.core.templates import TemplateFailed, evaluate, expression_problems, problems, render
from agent.model.execution import StepOutcome, StepStatus
from agent.model.incident import Incident, Origin, Phase
from agent.model.inventory import Host
from agent.model.priority import Classification, Impact, Priority, Urgency

CLASSIFICATION = Classification(Impact.MINOR, Urgency.LOW, Priority.P5, "few users", "slow", "matrix")
INCIDENT = Incident("INC-1", Origin.MONITORING, Phase.NEW, "web is down", "web", 0.0, CLASSIFICATION, "ops")
HOST = Host(name="web1", address="10.0.0.1", vars={"port": 8080})
SHELLS = [shell for shell in ("dash", "bash") if shutil.which(shell)]


def printed_by(shell: str, command: str) -> bytes:
    return subprocess.run([shell, "-c", command], capture_output=True, check=True, timeout=20).stdout


@pytest.mark.parametrize(
    ("template", "values", "plain", "shell"),
    [
        ("ls {{ p }}", {"p": "/var/log"}, "ls /var/log", "ls /var/log"),
        ("ls {{ p }}", {"p": "a b"}, "ls a b", "ls 'a b'"),
        ("ls {{ p }}", {"p": "; reboot"}, "ls ; reboot", "ls '; reboot'"),
        ("ls {{ p | raw_shell }}", {"p": "-l -a"}, "ls -l -a", "ls -l -a"),
        ("ls {{ p }}", {"p": ["a", "b c"]}, "ls a, b c", "ls a 'b c'"),
        ("ls {{ p }}", {"p": ["a", [], ["b", []]]}, "ls a, , b, ", "ls a b"),
        ("p={{ p }}", {"p": ["a", "b c", []]}, "p=a, b c, ", "p='a b c '"),
        ("ls {{ p }}x", {"p": None}, "ls x", "ls ''x"),
        ("{{ p }}", {"p": True}, "true", "true"),
        ("{{ p }}", {"p": 8080}, "8080", "8080"),
        ("{{ 'a b' }}", {}, "a b", "'a b'"),
        ("echo ${#name} {{ p }}\n", {"p": "x"}, "echo ${#name} x\n", "echo ${#name} x\n"),
        ("{% for x in p %}{{ x }};{% endfor %}", {"p": ["a", "b c"]}, "a;b c;", "a;'b c';"),
    ],
)
def test_render(template: str, values: dict[str, object], plain: str, shell: str) -> None:
    assert render(template, values, shell=False) == plain
    assert render(template, values, shell=True) == shell


@pytest.mark.parametrize("shell", SHELLS)
@given(value=st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=30))
@settings(max_examples=40, deadline=None)
def test_a_value_reaches_a_real_shell_as_it_is(shell: str, value: str) -> None:
    command = render("""printf %s "[$(printf %s {{ v }})]" 'a'{{ v }}"b" """, {"v": value}, shell=True)
    inner = value.rstrip("\n")  # command substitution drops trailing newlines
    assert printed_by(shell, command) == f"[{inner}]a{value}b".encode()


def test_a_secret_is_a_token_until_it_is_substituted() -> None:
    command = render("""curl -H {{ "X-Key: " ~ secret('api') }} -u u:{{ secret('api') }}""", {}, shell=True)
    assert "s3cret" not in command
    sent = substitute_secrets(command, {"api": "s3'c; $(x)"}.__getitem__, shell=True)
    assert printed_by("sh", sent.replace("curl", "printf '%s\\n'")) == b"-H\nX-Key: s3'c; $(x)\n-u\nu:s3'c; $(x)\n"
    plain = render("Bearer {{ secret('api') }}", {}, shell=False)
    assert substitute_secrets(plain, lambda name: name.upper(), shell=False) == "Bearer API"


@pytest.mark.parametrize("shell", [True, False])
def test_a_value_cannot_forge_a_secret(shell: bool) -> None:
    forged = render("{{ secret('api') }}", {}, shell=False)
    values = {"out": forged, "deep": {"list": [forged]}}
    text = render("{{ out }} {{ deep.list[0] }} {{ deep.list }}", values, shell=shell)
    assert substitute_secrets(text, lambda _: "STOLEN", shell=shell) == "api api api"


@pytest.mark.parametrize(
    ("template", "values", "says"),
    [
        ("{{ nothing }}", {}, "'nothing' is undefined"),
        ("{{ host.adress }}", {"host": {"name": "x"}}, "adress"),
        ("{{ incident.id }}", {"incident": None}, "'id' is asked of something that is not there"),
        ("{{ 'x' * 10 ** 9 }}", {}, "too large"),
        ("{{ 10 ** (10 ** 8) }}", {}, "too large"),
        ("{{ [0] * 99999999 }}", {}, "too large"),
        ("{% for i in range(10 ** 8) %}x{% endfor %}", {}, "Range too big"),
        ("{% for i in range(70000) %}x{% endfor %}", {}, "longer than 65536"),
        ("{{ 'x'.ljust(10 ** 9) }}", {}, "unsafe"),
        ("{{ '{:99999999}'.format(1) }}", {}, "unsafe"),
        ("{{ '%099999999d' % 1 }}", {}, "join with ~"),
        ("{{ ''.__class__.__mro__ }}", {}, "unsafe"),
        ("{{ n + 1 }}", {"n": "x"}, "concatenate"),
        ("{{ n / 0 }}", {"n": 1}, "division"),
        ("{{ secret('no name') }}", {}, "cannot be the name of a secret"),
        ("{{ broken", {}, "cannot be rendered"),
    ],
)
def test_what_cannot_be_rendered_is_said(template: str, values: dict[str, object], says: str) -> None:
    with pytest.raises(TemplateFailed) as failed:
        render(template, values, shell=False)
    assert says in str(failed.value)


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{{ host.name }} {{ vars.port }} {{ probe.stdout }} {{ steps.probe.status }}", []),
        ("{{ host.vars.anything }} {{ range(3) | list }} {{ secret('x') }}", []),
        ("{{ hosst.name }}", ["'hosst' is not known here: did you mean 'host'?"]),
        ("{{ host.adress }}", ["'host.adress' is not known here: did you mean 'host.address'?"]),
        ("{{ vars['prt'] }}", ["'vars.prt' is not known here: did you mean 'vars.port'?"]),
        ("{{ steps.prob.stdout }}", ["'steps.prob' is not known here: did you mean 'steps.probe'?"]),
        ("{{ host.name | uper }}", ["filter 'uper' is not known here: did you mean 'upper'?"]),
        ("{{ 1 if host is definedd }}", ["test 'definedd' is not known here: did you mean 'defined'?"]),
        ("{{ host.name", ["not a template: unexpected end of template, expected 'end of print statement'."]),
        ("docker ps --format '{{.Names}}'", None),
        ("{{ secret('x') | upper }}", None),
        ("{% for h in incident.hosts %}{{ h }}{% endfor %}", []),
    ],
)
def test_problems(template: str, found: list[str] | None) -> None:
    seen = problems(template, templates.step_names(["port"], ["probe"]))
    assert seen == found if found is not None else len(seen) == 1


def test_problems_without_any_variable() -> None:
    assert problems("{{ vars.x }}", templates.step_names([], [])) == ["'vars.x' is not known here"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("probe.status == 0", False),
        ("'inactive' in probe.stdout", True),
        ("not steps.probe.ok and incident.priority == 'P5'", True),
        ("host.vars.port + 1", 8081),
    ],
)
def test_evaluate(expression: str, value: object) -> None:
    outcome = StepOutcome(StepStatus.FAILED, exit=3, stdout="inactive\n")
    values = templates.step_values(INCIDENT, HOST, {}, {"probe": outcome})
    assert evaluate(expression, values) == value
    assert expression_problems(expression, templates.step_names([], ["probe"])) == []


@pytest.mark.parametrize("expression", ["nothing", "nothing.at.all == 1", "host.nothing", "1 +", "'a' < 1"])
def test_an_expression_without_a_value_fails(expression: str) -> None:
    with pytest.raises(TemplateFailed):
        evaluate(expression, {"host": {"name": "x"}})


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("{{ host.name }}", "without {{ }}"),
        ("host.name ==", "not an expression"),
        ("hst.name == 'x'", "did you mean 'host'?"),
        ("host.name | lowr == 'x'", "did you mean 'lower'?"),
    ],
)
def test_expression_problems(expression: str, says: str) -> None:
    (problem,) = expression_problems(expression, templates.HOST_NAMES)
    assert says in problem


def test_the_values_of_a_step() -> None:
    outcome = StepOutcome(StepStatus.OK, exit=0, stdout="one\n")
    values = templates.step_values(INCIDENT, HOST, {"n": 1}, {"host": outcome, "probe": outcome})
    text = render(
        "{{ incident.id }} {{ host.name }} {{ host.address }} {{ vars.n }} {{ probe.stdout }}", values, shell=False
    )
    assert text == "INC-1 web1 10.0.0.1 1 one"
    assert templates.secrets_in("{{ secret('a') ~ secret('b') }}") == {"a", "b"}


@pytest.mark.parametrize(
    "expression",
    [
        *("(" * 5000 + "x" + ")" * 5000, "-" * 3000 + "1", "x" + ".name" * 3000, "[" * 300 + "]" * 300),
        *("+".join(["x"] * 300), "not " * 100 + "x", "1e999", "9" * 5000),
    ],
    ids=lambda expression: expression[:6],
)
def test_what_python_itself_would_choke_on_is_refused_when_it_is_read(expression: str) -> None:
    known = frozenset({"x"})
    assert problems(f"{{{{ {expression} }}}}", known) != []
    assert expression_problems(expression, known) != []
    with pytest.raises(TemplateFailed):
        evaluate(expression, {"x": 1})


def test_loops_within_loops_are_bounded() -> None:
    loops, ends = "{% for a in [1] %}", "{% endfor %}"
    assert problems(loops * 10 + "x" + ends * 10, frozenset()) == []
    assert render(loops * 10 + "x" + ends * 10, {}, shell=False) == "x"
    assert problems(loops * 25 + ends * 25, frozenset()) == ["not a template: more than 10 loops are nested"]
