"""What requests may carry: bounded in size as a whole and in every field, unknown keys refused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LIMIT = 256 * 1024
"""Bytes of one request's body."""

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000)]
Written = Annotated[Prose, StringConstraints(min_length=1)]
"""Prose that may not be empty."""
Hosts = Annotated[tuple[Line, ...], Field(max_length=10_000)]


class Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BoundedBody:
    """ASGI middleware: a body beyond the limit is refused while it arrives, and never held whole."""

    def __init__(self, app: ASGIApp, limit: int = LIMIT) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise HTTPException(413, f"a request may have {self._limit} bytes at most")
            return message

        await self._app(scope, counted, send)
