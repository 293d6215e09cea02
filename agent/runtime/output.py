"""Output of a command, bounded: a flood costs no more memory than the limit."""


class BoundedOutput:
    """The first and the last bytes of one stream, `limit` bytes in all, and how many were dropped between.

    The beginning tells what was done, the end how it went; what repeats itself is in the middle.
    """

    def __init__(self, limit: int) -> None:
        self._head_room = (limit + 1) // 2
        self._tail_room = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.dropped = 0

    def feed(self, data: bytes) -> None:
        missing = self._head_room - len(self._head)
        if missing > 0:
            self._head += data[:missing]
            data = data[missing:]
        self._tail += data
        surplus = len(self._tail) - self._tail_room
        if surplus > 0:
            del self._tail[:surplus]
            self.dropped += surplus

    def text(self) -> str:
        """UTF-8; what is not, and NUL, which no shell takes, as backslash escapes.

        Where bytes were dropped, a line says how many.
        """
        if not self.dropped:
            return _decoded(self._head + self._tail)
        return f"{_decoded(self._head)}\n[{self.dropped} bytes dropped]\n{_decoded(self._tail)}"


def _decoded(data: bytearray) -> str:
    return data.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
