"""Reading the record of an agent that is not running. Heavy imports, so only when they are needed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli import places
from agent.cli.agent_client import AgentClient, NoAgent
from agent.cli.exits import Code, Failure, refused
from agent.cli.session import Session
from agent.cli.terminal import complain

if TYPE_CHECKING:
    from agent.runtime.store import Store


def asked(
    session: Session, store: str | None, agent: Callable[[AgentClient], Any], stopped: "Callable[[Store], object]"
) -> Any:
    """What the running agent answers; what its record says when it is stopped, or when `store` names one."""
    if store is not None:
        return _read(session, store, stopped)
    try:
        return agent(session.agent)
    except NoAgent as nobody:
        try:
            return _read(session, None, stopped)
        except _NoStore as none:
            raise Failure(nobody.code, f"{nobody.text}\n{none.text}") from None


class _NoStore(Failure):
    """There is no record to read."""


def record_file(session: Session, store: str | None) -> Path:
    """The record that `store` names, else that of the running agent, else that of the stopped one. Raises Failure."""
    if store is None:
        try:
            return Path(session.agent.get("status")["store"]) / places.STORE_NAME
        except NoAgent:
            pass  # it has stopped
    return _found(session, store)


@contextmanager
def opened(path: Path) -> "Iterator[Store]":
    """A record to read. Raises StoreError, and Failure when we may not."""
    from agent.runtime.store import Store

    try:
        store = Store.open(path, read_only=True)
    except PermissionError as error:
        raise refused(f"you may not read {error.filename}: only the agent's user and root may, so use sudo") from None
    with store:
        yield store


def _read(session: Session, store: str | None, question: "Callable[[Store], object]") -> Any:
    from agent.runtime.control.plain import plain

    path = _found(session, store)
    with opened(path) as record:
        answer = plain(question(record))
    if store is None:
        complain(f"(no agent is running: read from its record, {path})")
    return answer


def _found(session: Session, store: str | None) -> Path:
    tried = places.stores(store, session.socket)
    path = next((each for each in tried if _is_there(each)), None)
    if path is None:
        text = f"no record to read: {' and '.join(map(str, tried))} not there (--store PATH names another)"
        raise refused(text) if store is not None else _NoStore(Code.NO_AGENT, text)
    return path


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:
        return True  # opening it will say so
