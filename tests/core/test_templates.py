"""Templates: what they may say, how values are quoted, and what is refused."""

import shlex
import shutil
import subprocess
from pathlib import Path

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
        ("ls {{ p }}x", {"p": None}, "ls x", "ls ''x"),
        ("{{ p }}", {"p": True}, "true", "true"),
        ("{{ p }}", {"p": 8080}, "8080", "8080"),
        ("{{ 'a b' }}", {}, "a b", "'a b'"),
        ("{{ ('x ' | raw_shell) ~ p }}", {"p": "; y"}, "x ; y", "'x ; y'"),
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


HARD = (
    *(f"cat <<{end}\n" for end in ("!", "1", "\\EOF", "'E F'", "$x", "é", 'E"O"F', "EOF+", "E\\\nOF")),
    "cat <<",
    "echo $[1 +",
    "echo $((cat 'x') ) '",
    "echo $'it\\'s'",  # dash knows no $'…'
    """echo "${x:-'" """,
    """echo "${x:-"a"}" """,
)
"""Where shells differ, or where it would take a whole shell to see what the next character means."""

LOOPHOLES = (
    ("echo $(( {{ v }} ))", "$(touch {})"),
    ('echo "$((1 + (2 * {{ v }})))"', "`touch {}`"),
    ("echo `echo {{ v }}`", "`; touch {}; `"),
    ("cat <<!\n{{ v }}\n!\n", "$(touch {})"),
    ("cat <<\\EOF\n{{ v }}\nEOF\n", "\nEOF\ntouch {}\n:"),
    ("cat <<'E F'\n{{ v }}\nE F\n", "\nE F\ntouch {}\n:"),
    ("cat <<EOF\n EOF\n{{ v }}\nEOF\n", "$(touch {})"),
    ("cat <<EOF\nEOF{{ v }}\n{{ v }}\nEOF\n", "$(touch {})"),
    ("cat <<EOF\nx\\\nEOF\n{{ v }}\nEOF\n", "$(touch {})"),
    ("echo $'it\\'s' {{ v }}", "; touch {} #"),
    ("""echo "${x:-'" {{ v }}'}\"""", "$(touch {})"),
    ("for ((i = {{ v }}; i < 9; i++)); do break; done", "a[$(touch {})]"),
    ("echo $[ {{ v }} ]", "$(touch {})"),
    ("echo \\\n# {{ v }}", "\ntouch {} #"),
    ("cat <\\\n<E\n{{ v }}\nE\n", "$(touch {})"),
)
"""Templates, and values that would be run although they are quoted, in one shell or another."""


@pytest.mark.parametrize(("template", "value"), LOOPHOLES)
def test_what_a_value_could_do_in_a_real_shell_is_why_its_place_is_refused(
    template: str, value: str, tmp_path: Path
) -> None:
    done, quoted = tmp_path / "done", shlex.quote(value.format(tmp_path / "done"))
    for shell in ("sh", "bash", *SHELLS):
        subprocess.run([shell, "-c", template.replace("{{ v }}", quoted)], capture_output=True, timeout=30, check=False)
    assert done.exists(), "no shell here is fooled by it"
    assert problems(template, frozenset({"v"}), shell=True)


@pytest.mark.parametrize(
    ("template", "where"),
    [
        ('echo "{{ v }}"', 'inside "…"'),
        ("echo '{{ v }}'", "inside '…'"),
        ("""curl -H "Authorization: Bearer {{ secret('t') }}" x""", 'inside "…"'),
        ("true # see {{ v }}", "in a comment"),
        ("cat <<EOF\nfor {{ v }}\nEOF\n", "in a here-document"),
        ("cat <<-'E'\n\tfor {{ v }}\n\tE\n", "in a here-document"),
        ("echo \\{{ v }}", "after a backslash"),
        ("echo ${{ v }}", "right after a $"),
        ("echo $'\\\\{{ v }}'", "inside $'…'"),
        ('echo "$(date) {{ v }}"', 'inside "…"'),
        ('echo "a\\"{{ v }}"', 'inside "…"'),
        ("echo `echo '{{ v }}'`", "inside `…`"),
        ("echo `echo {{ v }}`", "inside `…`"),
        ("echo $(( {{ v }} + 1 ))", "in arithmetic"),
        ('echo "$((1 + (2 * {{ v }})))"', "in arithmetic"),
        ("(( x = {{ v }} ))", "in arithmetic"),
        ("for ((i = {{ v }}; i < 9; i++)); do true; done", "in arithmetic"),
        ("cat <<EOF\n EOF\n{{ v }}\nEOF\n", "in a here-document"),
        ("cat <<EOF\nEOF{{ v }}\n{{ v | raw_shell }}EOF\n", "in a here-document"),
        ("cat <<EOF\nx\\\nEOF\n{{ v }}\nEOF\n", "in a here-document"),
        ("cat <<-EOF\n\t EOF\n{{ v }}\nEOF\n", "in a here-document"),
        *((f"{hard} {{{{ v }}}}", "cannot be told") for hard in HARD),
        ("{% if b %}echo '{% endif %}{{ v }}", "inside '…' (when a branch or a value before it is left out)"),
        ("{% if b %}'{% endif %}a{% if b %}'{% endif %}{{ v }}", "inside '…' (when"),
        ("echo{% if b %} '{% else %} {% endif %}'{{ v }}", "inside '…' (when"),
        ("echo{% if b %} '{% elif v %} {% endif %}'{{ v }}", "inside '…' (when"),
        ("echo {% for x in b %}{{ v | raw_shell }} '{% endfor %}{{ v }}", "cannot be told"),
        ("echo {% for x in b %}a{% else %}'{% endfor %}{{ v }}", "inside '…' (when"),
        ("echo {% for x in b %}'{{ v }}{% endfor %}", "inside '…'"),
        ("echo {% for x in b %}({% endfor %} {{ v }}", "cannot be told"),
        ("echo {{ b }}# {{ v }}", "in a comment (when"),
        ("cat <{% if b %}<E{% endif %}\n{{ v }}\nE\n", "cannot be told"),
        ("{% set x %}'{{ v }}'{% endset %}echo {{ x }}", "inside '…'"),
        ("{% with x = 1 %}echo '{% endwith %}{{ v }}", "inside '…'"),
        ("echo \\{% if b %}{% endif %}\n# {{ v }}", "cannot be told"),
    ],
)
def test_a_value_where_quoting_cannot_protect_it_is_refused(template: str, where: str) -> None:
    (problem,) = problems(template, frozenset({"v", "b"}), shell=True)
    assert where in problem
    with pytest.raises(TemplateFailed, match="cannot be quoted safely"):
        render(template, {"v": "x", "b": []}, shell=True)
    assert problems(template, frozenset({"v", "b"})) == []


@pytest.mark.parametrize(
    "template",
    [
        "echo {{ v }}",
        "echo 'it''s' {{ v }}",
        'echo "it\'s" {{ v }}',
        'echo "$(cat {{ v }})"',
        'echo "a"{{ v }}"b"',
        "echo don\\'t {{ v }}",
        "cat <<EOF\nit's\nEOF\necho {{ v }}",
        "# don't\necho {{ v }}",
        "echo a#b' '{{ v }}",
        "cat <<< {{ v }}",
        'echo "{{ v | raw_shell }}"',
        "case x in a) echo {{ v }};; esac",
        "(cd /; ls {{ v }})",
        "echo $'it''s' {{ v }}",
        "cat <<'E'\n$((\nE\necho {{ v }}",
        "cat <<-E; echo x\n\ta\n\tE\necho {{ v }}",
        "echo $((1 + (2 << 3))) {{ v }}",
        "echo ${x:-y} ${x:-{{ v }}}",
        'echo "${x:-y} ${x}" {{ v }}',
        "[ $(( $(cat '/x') + 1 )) = {{ v }} ]",
        "echo{% if b %} '-n' \"{% else %} \"{% endif %}it's\" {{ v }}",
        "echo {% for x in b %}'it' {{ x }} {% endfor %}{{ v }}",
        "{% set x %}it's{% endset %}echo {{ x }} {{ v }}",
        "{% set x = b %}{% with y = x %}echo {{ y }}{% endwith %} {{ v }}",
        "echo a \\\n  {{ v }}",
        "echo 'a\\\nb' {{ v }}",
        "echo {{ v }}a#{{ v }}",
    ],
)
def test_a_value_where_the_shell_reads_words_is_fine(template: str) -> None:
    assert problems(template, frozenset({"v", "b"}), shell=True) == []


def test_text_that_a_tag_would_change_after_quoting_is_refused() -> None:
    """A filter over a whole text could take the quotes off again."""
    for template in ("{% filter truncate(3) %}{{ v }}{% endfilter %}", "{% macro m() %}'{% endmacro %}echo {{ m() }}"):
        (problem,) = problems(template, frozenset({"v"}), shell=True)
        assert "blocks cannot be used in a command" in problem
        assert problems(template, frozenset({"v"})) == []


def test_reading_a_template_of_many_branches_takes_no_longer_than_its_length_allows() -> None:
    """Each branch could double the ways of reading what follows."""
    branches = "".join(f"{{% if b %}}{quote}{{% endif %}}" for quote in "'\"`(" * 50)
    (problem,) = problems(f"echo {branches} {{{{ v }}}}", frozenset({"v", "b"}), shell=True)
    assert "cannot be told" in problem
    assert problems("echo " + "{{ v }}" * 100, frozenset({"v"}), shell=True) == []
    loops = "{% for x in b %}'" * 10 + "{{ v }}" + "{% endfor %}" * 10
    assert problems(f"echo {loops}", frozenset({"v", "b"}), shell=True)


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
