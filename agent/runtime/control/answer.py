"""What the control API answers: JSON, or `{"error": "a sentence"}` with the status that fits."""

import asyncio

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.errors import ParamedicError, StoreError
from agent.model.decision import Reply
from agent.model.text import one_line
from agent.runtime.control.admission import NotAllowed
from agent.runtime.control.plain import dump
from agent.runtime.control.port import AgentBusy, AgentStopping


def answer(value: object, status: int = 200) -> Response:
    return Response(dump(value), status, media_type="application/json")


def refusal(status: int, text: str, **more: object) -> Response:
    return answer({"error": text, **more}, status)


def told(reply: Reply) -> Response:
    """What the agent said to an act. 409 when it was not possible: then nothing was changed."""
    return answer(reply) if reply.ok else refusal(409, reply.text, about=reply.about)


class Farewell:
    """Around the application: who has no answer yet when the server must end gets one, in JSON as well."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except asyncio.CancelledError:  # uvicorn's way to say that the time is over
            if begun:
                raise
            await refusal(503, str(AgentStopping()))(scope, receive, send)


def speak_json(app: FastAPI) -> None:
    """Every failure becomes `{"error": …}`."""
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(HTTPException, _not_possible)
    app.add_exception_handler(NotAllowed, _not_allowed)
    app.add_exception_handler(ParamedicError, _known_trouble)
    app.add_exception_handler(Exception, _defect)


def _not_understood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    said = (f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors()[:20])
    return refusal(422, one_line("; ".join(said), 1000))


def _not_possible(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(error.status_code, error.detail)


def _not_allowed(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotAllowed)
    return refusal(403, str(error), user=error.standing.user, role=error.standing.role, needs=error.needed)


def _known_trouble(request: Request, error: Exception) -> Response:
    """503: the agent is busy or its record cannot be read; the same request may succeed later."""
    assert isinstance(error, ParamedicError)
    later = error.retryable or isinstance(error, AgentBusy | StoreError)
    return refusal(503 if later else 500, str(error))


def _defect(request: Request, error: Exception) -> Response:
    """uvicorn logs the traceback."""
    return refusal(500, f"a defect of the agent: {type(error).__name__}; its journal says more")
