"""Where the values of a shell template stand, and where quoting cannot protect them, whichever branches are taken."""

from collections.abc import Hashable, Iterable, Sequence

from jinja2 import nodes

from agent.core.shell_text import ShellText

_MOST_WAYS = 32
"""Of reading the text so far; they differ where branches leave a quote open, or a word begun."""

_EFFORT = 2_000_000
"""Characters to read, in all ways together; each part of the syntax counts for some."""

_A_NODE = 50

ONE_WORD = "one_word"
"""The filter that makes a list one word."""

_LEFT_OUT = " (when a branch or a value before it is left out)"
_TOO_MANY = "behind branches or loops that can be taken in too many ways"


def misplaced_values(tree: nodes.Template) -> list[str]:
    """What is wrong, as sentences without a full stop; each once."""
    return list(dict.fromkeys(_read(tree).problems))


def keep_words_whole(tree: nodes.Template) -> None:
    """In a sound template, let a list that continues a word be part of that word."""
    within = _read(tree).within_words
    for output in tree.find_all(nodes.Output):
        output.nodes = [
            nodes.Filter(child, ONE_WORD, [], [], None, None, lineno=child.lineno) if id(child) in within else child
            for child in output.nodes
        ]


def _read(tree: nodes.Template) -> "_Reading":
    reading = _Reading(tree)
    reading.read(tree.body)
    return reading


class _Reading:
    """What a shell may have made of the text so far: one state for each way through the template that matters."""

    def __init__(self, tree: nodes.Template) -> None:
        self.problems: list[str] = []
        self.within_words: set[int] = set()
        self._ways = [ShellText()]
        self._effort = 0
        outputs = [child for output in tree.find_all(nodes.Output) for child in output.nodes]
        self._raw = {id(child) for child in outputs if isinstance(child, nodes.Filter) and child.name == "raw_shell"}
        if len(self._raw) < sum(used.name == "raw_shell" for used in tree.find_all(nodes.Filter)):
            self.problems.append("raw_shell can only be the last thing in {{ … | raw_shell }}")

    def read(self, body: Sequence[nodes.Node]) -> None:
        for node in body:
            self._spend(_A_NODE)
            match node:
                case nodes.Output():
                    self._output(node)
                case nodes.If():
                    self._branches([node.body, *(each.body for each in node.elif_), node.else_])
                case nodes.For(recursive=False):
                    self._loop(node)
                case nodes.With():
                    self.read(node.body)
                case nodes.AssignBlock(filter=None):
                    self._apart(node.body)
                case nodes.Assign():
                    pass
                case _:
                    self.problems.append(
                        "in a command {% if %}, {% for %}, {% set %} and {% with %} can be used, and no filter over a "
                        f"block: not {type(node).__name__}"
                    )

    def _output(self, node: nodes.Output) -> None:
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                self._spend(len(child.data) * len(self._ways))
                for way in self._ways:
                    way.read(child.data)
                continue
            may_be = [ShellText.read_value]
            if id(child) in self._raw:
                may_be.append(ShellText.read_blank)
            else:
                self._value(child)
                if any(way.is_within_word for way in self._ways):
                    self.within_words.add(id(child))
            self._spend(_A_NODE * len(self._ways))
            read = [way.copy() for way in self._ways for _ in may_be]
            for number, way in enumerate(read):
                may_be[number % len(may_be)](way)
            self._ways = _distinct([*self._ways, *read])  # an empty list renders as nothing

    def _value(self, node: nodes.Node) -> None:
        places = [way.misplaced() for way in self._ways]
        where = next(filter(None, places), None)
        if where:
            sometimes = "" if all(places) else _LEFT_OUT
            self.problems.append(
                f"{_spoken(node)} stands {where}{sometimes}, where it cannot be quoted safely: it is quoted by itself, "
                'so close your quotes before it ("text "{{ x }}" text"), give it to a shell variable in front of all '
                'that (x={{ x }}) and use "$x", or say {{ x | raw_shell }} if it is harmless'
            )

    def _branches(self, bodies: Sequence[Sequence[nodes.Node]]) -> None:
        before = self._ways
        self._ways = _distinct(way for body in bodies for way in self._through(body, before))

    def _loop(self, node: nodes.For) -> None:
        """As many rounds as find anything new."""
        before = ahead = self._ways
        after = {way.key: way for way in self._through(node.else_, before)}
        begun: set[Hashable] = {way.key for way in before}
        while ahead:
            round = {way.key: way for way in self._through(node.body, ahead)}
            ahead = [way for key, way in round.items() if key not in begun]
            begun |= round.keys()
            after |= round
            if len(begun) > _MOST_WAYS:
                ahead, begun, after = [ShellText(lost=_TOO_MANY)], set(), {}
        self._ways = _distinct(after.values())

    def _through(self, body: Sequence[nodes.Node], before: Sequence[ShellText]) -> list[ShellText]:
        """The states after a text that is read in these states."""
        self._ways = [way.copy() for way in before]
        self.read(body)
        return self._ways

    def _apart(self, body: Sequence[nodes.Node]) -> None:
        """Text that becomes a value: it is read for itself."""
        outside = self._ways
        self._through(body, [ShellText()])
        self._ways = outside

    def _spend(self, effort: int) -> None:
        self._effort += effort
        if self._effort > _EFFORT:
            self._ways = [ShellText(lost=_TOO_MANY)]


def _distinct(ways: Iterable[ShellText]) -> list[ShellText]:
    found: dict[Hashable, ShellText] = {}
    for way in ways:
        found.setdefault(way.key, way)
        if len(found) > _MOST_WAYS:
            return [ShellText(lost=_TOO_MANY)]
    return list(found.values())


def _spoken(node: nodes.Node) -> str:
    names = [name.name for name in ([node] if isinstance(node, nodes.Name) else node.find_all(nodes.Name))]
    return "{{ " + names[0] + " … }}" if names else "a value"
