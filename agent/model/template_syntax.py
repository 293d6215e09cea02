"""Templates as Jinja2 reads them, bounded: what passes here also compiles, and in a moment."""

import math
from collections.abc import Iterator

from jinja2 import Environment, TemplateSyntaxError, nodes

DEEPEST = 40
"""Levels of syntax within each other. Jinja2 and Python end in exceptions of their own, or in minutes, far beyond."""

_TOO_DEEP = f"it is nested deeper than {DEEPEST} levels"

MOST_LOOPS = 10
"""Loops within each other: Python takes no more than twenty."""


class BeyondBounds(TemplateSyntaxError):
    """Nested too deeply, or with too large a number in it."""


def parsed(environment: Environment, template: str) -> nodes.Template:
    """The syntax tree. Raises TemplateSyntaxError."""
    try:
        tree = environment.parse(template)
    except RecursionError:
        raise BeyondBounds(_TOO_DEEP, 1) from None
    except ValueError:  # Python reads no number of more than 4300 digits
        raise BeyondBounds("a number in it has too many digits", 1) from None
    for node, depth, loops in _walk(tree):
        if depth > DEEPEST:
            raise BeyondBounds(_TOO_DEEP, node.lineno)
        if loops > MOST_LOOPS:
            raise BeyondBounds(f"more than {MOST_LOOPS} loops are nested", node.lineno)
        if isinstance(node, nodes.Const) and isinstance(node.value, float) and not math.isfinite(node.value):
            raise BeyondBounds("a number in it is too large", node.lineno)
    return tree


def _walk(tree: nodes.Template) -> Iterator[tuple[nodes.Node, int, int]]:
    """Every node, with the levels and the loops around it."""
    waiting: list[tuple[nodes.Node, int, int]] = [(tree, 0, 0)]
    while waiting:
        node, depth, loops = waiting.pop()
        yield node, depth, loops
        inside = loops + isinstance(node, nodes.For)
        waiting += [(child, depth + 1, inside) for child in node.iter_child_nodes()]
