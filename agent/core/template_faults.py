"""What is wrong with a template can be seen in its syntax tree, before it is ever used."""

import difflib
from collections.abc import Iterable, Iterator

from jinja2 import Environment, meta, nodes


def unknown_names(tree: nodes.Template, known: frozenset[str], sandbox: Environment) -> list[str]:
    """Names, filters and tests that do not exist, and secrets that a filter would spoil."""
    unknown = [
        _unknown(f"filter {used.name!r}", used.name, sandbox.filters)
        for used in tree.find_all(nodes.Filter)
        if used.name not in sandbox.filters
    ]
    unknown += [
        _unknown(f"test {used.name!r}", used.name, sandbox.tests)
        for used in tree.find_all(nodes.Test)
        if used.name not in sandbox.tests
    ]
    if unknown:  # Jinja cannot tell the free names of a tree that it cannot compile
        return list(dict.fromkeys(unknown))
    free = meta.find_undeclared_variables(tree) - {"range", "secret"}
    paths = sorted({path for path in _paths(tree) if path[0] in free} | {(name,) for name in free})
    found = [_unknown_path(path, known) for path in paths]
    found += [
        f"a secret cannot go through a filter ({used.name}): its value is put in only when the step is carried out"
        for used in tree.find_all(nodes.Filter)
        if used.name != "raw_shell" and used.node is not None and _is_secret(used.node)
    ]
    return list(dict.fromkeys(problem for problem in found if problem))


def _paths(tree: nodes.Template) -> Iterator[tuple[str, ...]]:
    """Each `a.b.c` and `a['b']` that starts with a name."""
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        path: list[str] = []
        inner: nodes.Node = node
        while isinstance(inner, nodes.Getattr | nodes.Getitem):
            if isinstance(inner, nodes.Getattr):
                path.insert(0, inner.attr)
            elif isinstance(inner.arg, nodes.Const) and isinstance(inner.arg.value, str):
                path.insert(0, inner.arg.value)
            else:
                path.clear()
            inner = inner.node
        if isinstance(inner, nodes.Name) and path:
            yield (inner.name, *path)


def _unknown_path(path: tuple[str, ...], known: frozenset[str]) -> str | None:
    for end in range(1, len(path) + 1):
        name = ".".join(path[:end])
        parent = ".".join(path[: end - 1])
        siblings = {other for other in known if other.startswith(parent + ".")} if parent else known
        if parent and not siblings:
            return None
        if name not in known:
            return _unknown(repr(name), name, {other for other in siblings if other.count(".") == end - 1})
    return None


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(other for other in known if not other.endswith("."))
    near = difflib.get_close_matches(name, names, 1, 0.6)
    if near:
        return f"{what} is not known here: did you mean {near[0]!r}?"
    return f"{what} is not known here" + (f": there is {', '.join(names)}" if names and len(names) <= 12 else "")


def secret_names(tree: nodes.Template) -> frozenset[str]:
    """The secrets that are referred to by a name written out."""
    return frozenset(
        call.args[0].value
        for call in tree.find_all(nodes.Call)
        if _is_secret(call) and call.args and isinstance(call.args[0], nodes.Const)
    )


def _is_secret(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name == "secret"
