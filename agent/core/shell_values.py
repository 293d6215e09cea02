"""Which values of a shell template stand where quoting cannot protect them, whichever of its branches are taken."""

from collections.abc import Sequence

from jinja2 import nodes

from agent.core.shell_text import ShellText

_MOST_WAYS = 32
"""Of reading the text so far; they differ where branches leave a quote open, or a word begun."""

_LEFT_OUT = " (when a branch or a value before it is left out)"


def misplaced_values(tree: nodes.Template) -> list[str]:
    """What is wrong, as sentences without a full stop; each once."""
    reading = _Reading()
    reading.read(tree.body)
    return list(dict.fromkeys(reading.problems))


class _Reading:
    """What a shell may have made of the text so far: one state for each way through the template that matters."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._ways = [ShellText()]

    def read(self, body: Sequence[nodes.Node]) -> None:
        for node in body:
            match node:
                case nodes.Output():
                    self._output(node)
                case nodes.If():
                    self._branches([node.body, *(each.body for each in node.elif_), node.else_])
                case nodes.For():
                    self._loop(node)
                case nodes.With():
                    self.read(node.body)
                case nodes.AssignBlock():
                    self._apart(node.body)
                case nodes.Assign():
                    pass
                case _:
                    self.problems.append(
                        f"{type(node).__name__} blocks cannot be used in a command: there are {{% if %}}, {{% for %}}, "
                        "{% set %} and {% with %}"
                    )

    def _output(self, node: nodes.Output) -> None:
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                for way in self._ways:
                    way.read(child.data)
                continue
            if not (isinstance(child, nodes.Filter) and child.name == "raw_shell"):
                self._value(child)
            left_out = [way.copy() for way in self._ways]  # an empty list renders as nothing
            for way in self._ways:
                way.read_value()
            self._ways = _distinct([*self._ways, *left_out])

    def _value(self, node: nodes.Node) -> None:
        places = [way.misplaced() for way in self._ways]
        where = next(filter(None, places), None)
        if where:
            sometimes = "" if all(places) else _LEFT_OUT
            self.problems.append(
                f"{_spoken(node)} stands {where}{sometimes}, where it cannot be quoted safely: it is quoted by itself, "
                'so close your quotes before it ("text "{{ x }}" text"), or say {{ x | raw_shell }} if it is harmless'
            )

    def _branches(self, bodies: Sequence[Sequence[nodes.Node]]) -> None:
        before = self._ways
        self._ways = _distinct([way for body in bodies for way in self._through(body, before)])

    def _loop(self, node: nodes.For) -> None:
        before = self._ways
        once = self._through(node.body, before)
        twice = self._through(node.body, once)
        never = self._through(node.else_, before)
        settled = all(way in once for way in twice)  # and so after any number of rounds
        self._ways = _distinct([*once, *never]) if settled else [ShellText.lost()]

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


def _distinct(ways: Sequence[ShellText]) -> list[ShellText]:
    found: list[ShellText] = []
    for way in ways:
        if way not in found:
            found.append(way)
    return found if len(found) <= _MOST_WAYS else [ShellText.lost()]


def _spoken(node: nodes.Node) -> str:
    names = [name.name for name in ([node] if isinstance(node, nodes.Name) else node.find_all(nodes.Name))]
    return "{{ " + names[0] + " … }}" if names else "a value"
