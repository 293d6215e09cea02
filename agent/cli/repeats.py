"""Long texts that come again: the key of an unknown host is explained once, not at every step that met it."""

_LONG = 80
"""Characters from which a text is worth folding."""
_SHORT = 30
"""Characters of a label before a text, such as `web1: unreachable: `, that is said again all the same."""
_AGAIN = "as above"
_CUT = "…"


class Repeats:
    """Remembers what was shown. `fold`: whether what comes again is shortened at all."""

    def __init__(self, *, fold: bool = True) -> None:
        self._fold = fold
        self._shown: set[str] = set()

    def shortened(self, text: str) -> str:
        """`text`, its long end replaced where that stands above already."""
        if not self._fold or len(text) < _LONG:
            return text
        tails = [text[at:] for at in _beginnings(text)]
        known = next((tail for tail in tails if len(tail) >= _LONG and self._is_known(tail)), None)
        self._shown.update(tail for tail in tails if len(tail) >= _LONG)
        if known is None:
            return text
        told = _without_labels(known)
        return text.removesuffix(told) + _AGAIN

    def _is_known(self, tail: str) -> bool:
        """A text that was cut short counts as the one it begins."""
        if tail in self._shown:
            return True
        return tail.endswith(_CUT) and any(shown.startswith(tail[:-1]) for shown in self._shown)


def _beginnings(text: str) -> list[int]:
    """Where the text begins, and each part of it after a colon."""
    places, at = [0], text.find(": ")
    while at >= 0:
        places.append(at + 2)
        at = text.find(": ", at + 2)
    return places


def _without_labels(tail: str) -> str:
    label, colon, rest = tail.partition(": ")
    while colon and len(label) < _SHORT and len(rest) >= _LONG:
        tail = rest
        label, colon, rest = tail.partition(": ")
    return tail
