"""Where in a shell command a value may stand; what is refused, and that what is not is safe in real shells."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.templates import TemplateFailed, problems, render

SHELLS = [words for words in (["dash"], ["bash"], ["busybox", "sh"]) if shutil.which(words[0])]

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
    for words in SHELLS:
        subprocess.run(
            [*words, "-c", template.replace("{{ v }}", quoted)], capture_output=True, timeout=30, check=False
        )
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
        ("echo {% for x in b %}\\{% else %}'{{ v }}{% endfor %}", "inside '…'"),
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
    *("case a in a)", "esac", "if :; then ", "; fi", "{{ v }}", "{{ v }}", "{{ v }}", "{{ b }}"),
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
    if "{{ v }}" not in template or problems(template, frozenset({"v", "b"}), shell=True):
        return
    folder = tmp_path_factory.mktemp("shell")
    for b in ([], [value], [value, value]):
        command = render(template, {"v": value, "b": b}, shell=True)
        for words in SHELLS:
            shell = [str(shutil.which(words[0])), *words[1:]]
            subprocess.run(
                [*shell, "-c", command],
                cwd=folder,
                env={"PATH": "/nonexistent"},
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert not list(folder.iterdir()), f"{words[0]} has run {value!r} in {command!r}"
