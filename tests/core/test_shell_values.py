"""Where in a shell command a value may stand; what is refused, and that what is not is safe in real shells."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.sandbox import Sandbox
from agent.core.templates import TemplateFailed, problems, render

SHELLS = [words for words in (["dash"], ["bash"], ["busybox", "sh"]) if shutil.which(words[0])]
KNOWN = frozenset({"v", "b"})


def breaks_out(words: Sequence[str], command: str, folder: Path) -> bool:
    """Whether this shell, which can only write where it is, writes anything."""
    shell = [str(shutil.which(words[0])), *words[1:]]
    env = {"PATH": "/none"}
    subprocess.run([*shell, "-c", command], cwd=folder, env=env, capture_output=True, timeout=60, check=False)
    written = list(folder.iterdir())
    for path in written:
        path.unlink()
    return bool(written)


LOOPHOLES = (
    # what stands within arithmetic is read once more, whatever the quotes
    ("echo $(( {{ v }} ))", "$(>c)"),
    ('echo "$((1 + (2 * {{ v }})))"', "`>c`"),
    ("for ((i = {{ v }}; i < 9; i++)); do break; done", "a[$(>c)]"),
    ("echo $[ {{ v }} ]", "$(>c)"),
    ("echo ${PATH:{{ v }}}", "a[$(>c)]"),
    ("echo ${a[{{ v }}]}", "$(>c)"),
    ("a[{{ v }}]=1", "$(>c)"),
    ("a=([{{ v }}]=1)", "$(>c)"),
    ("((:) # ) {{ v }}\n)", "\n>c #"),
    ("((: <<E); :)\n{{ v }}\nE\n", "$(>c)"),
    # backquotes end at the next one
    ("echo `echo {{ v }}`", "`; >c; `"),
    ("echo `'`' ` {{ v }} '", ";>c;"),
    (": `#`'\n`{{ v }}'", "$(>c)"),
    (": `: <<E `\n: '\nE\n: {{ v }}'", ";>c;"),
    # here-documents
    ("cat <<!\n{{ v }}\n!\n", "$(>c)"),
    ("cat <<\\EOF\n{{ v }}\nEOF\n", "\nEOF\n>c\n:"),
    ("cat <<'E F'\n{{ v }}\nE F\n", "\nE F\n>c\n:"),
    ("cat <<EOF\n EOF\n{{ v }}\nEOF\n", "$(>c)"),
    ("cat <<EOF\nEOF{{ v }}\n{{ v }}\nEOF\n", "$(>c)"),
    ("cat <<EOF\nx\\\nEOF\n{{ v }}\nEOF\n", "$(>c)"),
    ("cat <\\\n<E\n{{ v }}\nE\n", "$(>c)"),
    (": <\\\n<<E \n: '\nE\n: {{ v }}'", ";>c;"),
    (": <<E\nE{{# #}}\n: '\nE\n: {{ v }}'", ";>c;"),
    (": <<E\u00a0\nE\n{{ v }}\nE\u00a0\n", "$(>c)"),
    (": <<E $(\n: '\nE\n: {{ v }}')\nE\n", ";>c;"),
    (": $(: <<E)\n: '\nE\n: {{ v }}'", ";>c;"),
    (': <<E\n$(: "\nE\n{{ v }}")\nE\n', "$(>c)"),
    (": <<E\n\\\nE\n: '\nE\n: {{ v }}'", ";>c;"),
    # a ) that ends more, or less, than it seems
    ('x="$(case y in y) : "{{ v }}";; esac)"', "$(>c)"),
    ('echo "user $(echo ${x%%)*} "of {{ v }}")"', "$(>c)"),
    ('echo "$$("" {{ v }}"', "$(>c)"),
    ('echo "$(echo $(echo {% for x in b %}{{ x }} ){% endfor %}"', "$(>c)"),
    # what is a comment, and what is none
    ("echo \\\n# {{ v }}", "\n>c #"),
    (": $(:)#'\n{{ v }}'", ";>c;"),
    (": ${x- #}'\n{{ v }}'", ";>c;"),
    ("[[ a =~ (#) ]] && : '\n{{ v }}'", ";>c;"),
    # what shells read differently
    ("echo $'it\\'s' {{ v }}", "; >c #"),
    ("""echo "${x:-'" {{ v }}'}\"""", "$(>c)"),
    ("a=(<{{ v }}", "#\n>c\n"),
    # $$ put together, and \\$ before one
    ('echo "${{# #}}$("" {{ v }}"', "$(>c)"),
    (": ${{# #}}${x:- #}'a\n'{{ v }}'", "$(>c)"),
    (': <<E\n\\$$(: "\nE\n{{ v }}")\nE\n', "$(>c)"),
    # expanded twice
    (": >&{{ v }}", "$(>c)"),
    (": >&x{{ v }}", "$(>c)"),
    (": >\\\n& {{ v }}", "$(>c)"),
    # raw text of another place
    ('{% set x = "\'" | raw_shell %}echo {{ x }} {{ v }} {{ x }}', ";>c;"),
    ("{% set x | replace(\"'\", '') | raw_shell %}{{ v }}{% endset %}echo {{ x }}", ";>c;"),
)
"""Templates, and values that would be run although they are quoted, in one shell or another."""


@pytest.mark.parametrize(("template", "value"), LOOPHOLES)
def test_what_a_value_could_do_in_a_real_shell_is_why_its_place_is_refused(
    template: str, value: str, tmp_path: Path
) -> None:
    command = Sandbox(shell=True).from_string(template).render(v=value, b=[value] * 4)
    assert any(breaks_out(words, command, tmp_path) for words in SHELLS), "no shell here is fooled by it"
    assert problems(template, KNOWN, shell=True)
    assert problems(template, KNOWN) == []


@pytest.mark.parametrize(
    ("template", "where"),
    [
        ('echo "{{ v }}"', 'inside "…"'),
        ("echo '{{ v }}'", "inside '…'"),
        ("""curl -H "Authorization: Bearer {{ secret('t') }}" x""", 'inside "…"'),
        ('echo "$(date) {{ v }}"', 'inside "…"'),
        ('echo "a\\"{{ v }}"', 'inside "…"'),
        ('echo "${x:-y} {{ v }}"', 'inside "…"'),
        ("true # see {{ v }}", "in a comment"),
        ("cat <<EOF\nfor {{ v }}\nEOF\n", "in a here-document"),
        ("cat <<-'E'\n\tfor {{ v }}\n\tE\n", "in a here-document"),
        ("cat <<EOF\nx EOF{{ v | raw_shell }}\n{{ v }}", "in a here-document"),
        ("cat <<-EOF\n\t EOF\n{{ v }}\nEOF\n", "in a here-document"),
        ("echo \\{{ v }}", "after a backslash"),
        ("echo ${{ v }}", "right after a $"),
        ("echo $((1 + {{ v }}))", "behind $((…))"),
        ("make >&log {{ v }}", "behind >&"),
        ("make &>log {{ v }}", "behind >&"),
        ("make >{{# #}}&2 {{ v }}", "behind >&"),
        ("[[ a == b || {{ v }} == b ]]", "behind [["),
        ("[{{# #}}[ a {{ v }} ]]", "behind [["),
        ("(( x = {{ v }} ))", "or other parentheses"),
        ("ls @(a|{{ v }})", "or other parentheses"),
        ("cat <(echo {{ v }})", "or other parentheses"),
        ("args=(-n {{ v }})", "or other parentheses"),
        ("echo ${x:-{{ v }}}", "behind ${…"),
        ('echo ${x:-"a"} {{ v }}', "behind ${…"),
        ("x[{{ v }}]=1", "behind a subscript"),
        ("echo `date` {{ v }}", "behind a backquote"),
        ('echo "`date`" {{ v }}', "behind a backquote"),
        ("$(case x in x) echo {{ v }};; esac)", "behind `case`"),
        ("$(c{% if b %}{% endif %}ase x in x) echo {{ v }};; esac)", "behind `case`"),
        ("x=$(date # now\n) {{ v }}", "behind a comment"),
        ("ls |# {{ v }}", "behind a #"),
        ("echo $'a' {{ v }}", "behind $'…"),
        *(
            (f"cat <<{end}\n {{{{ v }}}}", "behind an unusual here-document")
            for end in ("!", "1", "\\EOF", "'E F'", "$x", "é", 'E"O"F', "EOF+", "E\\\nOF", "A <<B")
        ),
        ("cat << {{ v }}", "behind an unusual here-document"),
        ("cat <<E | (\nx\nE\n) {{ v }}", "behind an unusual here-document"),
        ("cat <<E\n$(date -d 'x')\nE\n{{ v }}", "behind an unusual here-document"),
        ("cat <<E\n{{# #}}E{{# #}}\n{{ v }}", "behind a here-document whose last line"),
        # whichever branch is taken
        ("{% if b %}echo '{% endif %}{{ v }}", "inside '…' (when a branch or a value before it is left out)"),
        ("{% if b %}'{% endif %}a{% if b %}'{% endif %}{{ v }}", "inside '…' (when"),
        ("echo{% if b %} '{% else %} {% endif %}'{{ v }}", "inside '…' (when"),
        ("echo{% if b %} '{% elif v %} {% endif %}'{{ v }}", "inside '…' (when"),
        ("echo {% for x in b %}{{ v | raw_shell }} '{% endfor %}{{ v }}", "inside '…' (when"),
        ("echo {% for x in b %}a{% else %}'{% endfor %}{{ v }}", "inside '…' (when"),
        ("echo {% for x in b %}\\{% else %}'{{ v }}{% endfor %}", "inside '…'"),
        ("echo {% for x in b %}'{{ v }}{% endfor %}", "inside '…',"),
        ("echo {% for x in b %} ({% endfor %} {{ v }}", "too many ways"),
        ("echo {{ b }}# {{ v }}", "in a comment (when"),
        ("echo {{ v | raw_shell }}# {{ v }}", "in a comment (when"),
        ("cat <{% if b %}<E{% endif %}\n{{ v }}\nE\n", "behind an unusual here-document (when"),
        ("{% set x %}'{{ v }}'{% endset %}echo {{ x }}", "inside '…'"),
        ("{% with x = 1 %}echo '{% endwith %}{{ v }}", "inside '…'"),
        ("echo \\{% if b %}{% endif %}\n# {{ v }}", "behind a line that goes on"),
    ],
)
def test_a_value_where_quoting_cannot_protect_it_is_refused(template: str, where: str) -> None:
    (problem,) = problems(template, KNOWN, shell=True)
    assert where in problem
    with pytest.raises(TemplateFailed, match="cannot be quoted safely"):
        render(template, {"v": "x", "b": []}, shell=True)
    assert problems(template, KNOWN) == []


@pytest.mark.parametrize(
    "template",
    [
        "echo {{ v }}",
        "echo 'it''s' {{ v }}",
        'echo "it\'s" {{ v }}',
        'echo "$(cat {{ v }})"',
        'echo "a"{{ v }}"b"',
        "echo don\\'t {{ v }}",
        "cat <<EOF\nit's ${x} $x $(date +%F)\nEOF\necho {{ v }}",
        "cat <<EOF\nit's {{ 'x' | raw_shell }}\nEOF\necho {{ v }}",
        "cat <<'E'\n$((\nE\necho {{ v }}",
        "cat <<-E; echo x\n\ta\n\tE\necho {{ v }}",
        "cat <<E | grep x # it's\nx\nE\necho {{ v }}",
        "# don't\necho {{ v }}",
        "echo a#b' '{{ v }}",
        "echo $# $(hostname)#{{ v }}",
        "cat <<< {{ v }}",
        'echo "{{ 1 | raw_shell }}"',
        "case x in a) echo {{ v }};; (b|c) echo {{ v }};; esac",
        "(cd /; ls {{ v }})",
        "f() { echo {{ v }}; }; f",
        "ls /var/log/app[0-9]* [a-z]* {{ v }}",
        "[ -e {{ v }} ] && [ -n {{ v }} ] || exit 1",
        "ls app[0-9].log a[bc] [a-z]x {{ v }}",
        "(cd /x; grep cases $(cat cases.txt)) {{ v }}",
        "make >&2 2>&1 3>&- 2>/dev/null >>/dev/null <&3 && ls {{ v }} & wait",
        "cat <<'END-OF.IT'\n'\nEND-OF.IT\necho {{ v }}",
        "HOME=~root ls {{ v }}",
        "echo $((1 + (2 << 3))) $(( $x % 2 )) $(( $# - 1 )) $(( $(date +%s) - ${n:-0} )) {{ v }}",
        "echo ${x:-$(hostname -f)} ${x:-${y}} ${f%%[0-9]*} ${#} ${x//[^a-z]/} {{ v }}",
        'echo "${x:-$HOME} ${x}" ${#x} ${x%% #*} ${y//a/b} $$ {{ v }}',
        'for f in a b; do echo "$f" {{ v }} >/dev/null 2>&1; done',
        'if [ "$(id -u)" = 0 ]; then x={{ v }}; fi; echo "$x"',
        'while read -r line; do echo "$line" {{ v }}; done < {{ v }}',
        "echo a \\\n  {{ v }}",
        "echo 'a\\\nb' {{ v }}",
        "echo {{ v }}a#{{ v }}",
        "echo{% if b %} '-n' \"{% else %} \"{% endif %}it's\" {{ v }}",
        "echo {% for x in b %}'it' {{ x }} {% endfor %}{{ v }}",
        "{% set x %}it's{% endset %}echo {{ x }} {{ v }}",
        "{% set x = b %}{% with y = x %}echo {{ y }}{% endwith %} {{ v }}",
    ],
)
def test_a_value_where_the_shell_reads_words_is_fine(template: str, tmp_path: Path) -> None:
    assert problems(template, KNOWN, shell=True) == []
    for value in ("$(>c)", "`>c`", "';>c;'", "\n>c\n", "a[$(>c)]"):
        command = render(template, {"v": value, "b": [value]}, shell=True)
        assert not any(breaks_out(words, command, tmp_path) for words in SHELLS)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{% filter truncate(3) %}{{ v }}{% endfilter %}", "not FilterBlock"),
        ("{% macro m() %}'{% endmacro %}echo {{ m() }}", "not Macro"),
        ("{% set x | truncate(3) %}{{ v }}{% endset %}echo {{ x }}", "not AssignBlock"),
        ("echo {{ (v | raw_shell) ~ v }}", "raw_shell can only be the last thing"),
    ],
)
def test_what_would_change_text_after_it_was_quoted_is_refused(template: str, says: str) -> None:
    (problem,) = problems(template, KNOWN, shell=True)
    assert says in problem
    assert problems(template, KNOWN) == []


def test_what_can_be_read_in_too_many_ways_is_given_up() -> None:
    """Each branch could double the ways."""
    branches = "".join(f"{{% if b %}}{quote}{{% endif %}}" for quote in "'\"a( #" * 50)
    (problem,) = problems(f"echo {branches} {{{{ v }}}}", KNOWN, shell=True)
    assert "too many ways" in problem


@pytest.mark.parametrize(
    "template",
    [
        "{% for x in b %}{% if v %}'{% endif %}" * 10 + "echo 'it' " * 4000 + "{% endfor %}" * 10 + "{{ v }}",
        "".join(f"{{% if b %}}{word}{{% endif %}}" for word in ("a", " ", "=", "<", "("))
        + "{% if b %}"
        + "{% elif v %}x '" * 3000
        + "{% endif %}{{ v }}",
    ],
)
def test_loops_and_branches_do_not_multiply_the_effort(template: str) -> None:
    """Read as often as they could be taken, each of these would take longer than a test may."""
    assert problems(template, KNOWN, shell=True)


def test_many_values_are_no_effort() -> None:
    assert problems("echo " + "{{ v }}" * 1000, KNOWN, shell=True) == []


_WORDS = (
    *(
        "echo ",
        " ",
        "a",
        "1",
        "E",
        "x",
        "\n",
        "\t",
        "\\",
        "\\\n",
        "'",
        '"',
        "`",
        "$",
        "$'",
        '$"',
        "(",
        ")",
        "((",
        "))",
        "$(",
        "$((",
    ),
    *(
        "${x",
        ":-",
        "{",
        "}",
        "[",
        "]",
        "<",
        "<<E",
        "<<-E",
        "<<'E'",
        "<<<",
        "\nE\n",
        "\n\tE\n",
        "#",
        ";",
        ";;",
        "&&",
        "|",
        "!",
        "*",
    ),
    *(
        "case a in a) ",
        " # ",
        "a=(",
        "x[",
        "@(",
        "${x%%",
        "$$",
        "$(:)",
        "$((1))",
        '"$(echo ',
        ')"',
        " <<E\nb\nE\n",
        "[[ a =~ ",
        "esac",
        "if :; then ",
        "; fi",
        "{{ v }}",
        "{{ v }}",
        "{{ v }}",
        "{{ b }}",
    ),
)
_TEMPLATES = st.recursive(
    st.lists(st.sampled_from(_WORDS), max_size=6).map("".join),
    lambda inner: st.one_of(
        st.builds("{{% if b %}}{}{{% else %}}{}{{% endif %}}{}".format, inner, inner, inner),
        st.builds("{{% if not b %}}{}{{% endif %}}{}".format, inner, inner),
        st.builds("{{% for x in b %}}{}{{% else %}}{}{{% endfor %}}{}".format, inner, inner, inner),
    ),
    max_leaves=6,
)
_BREAKS_OUT = st.sampled_from(
    [
        "$(>c)",
        "`>c`",
        "; >c #",
        "\n>c\n",
        "';>c;'",
        '";>c;"',
        "\nE\n>c\n",
        ");>c;(",
        "a[$(>c)]",
        "}$(>c)",
        "'\n>c\n'",
        "&>c&",
    ]
)
"""Each would write a file where the shell runs, if it were read by one."""


@given(template=_TEMPLATES, value=_BREAKS_OUT)
@settings(max_examples=1500, deadline=None)
def test_in_what_is_not_refused_a_value_stays_a_value(
    template: str, value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    template = f"echo {template}"
    if "{{ v }}" not in template or problems(template, KNOWN, shell=True):
        return
    folder = tmp_path_factory.mktemp("shell")
    for b in ([], [value], [value] * 4, [[], []]):
        command = render(template, {"v": value, "b": b}, shell=True)
        for words in SHELLS:
            assert not breaks_out(words, command, folder), f"{words[0]} has run {value!r} in {command!r}"
