"""Drills inside the running agent: the agent's child tells what it does, line by line, and the terminal follows."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.agent_client import AgentClient, NoAgent
from agent.cli.exits import Code, Failure, refused
from agent.cli.typed import typed
from agent.model.quantities import say_duration

if TYPE_CHECKING:
    from agent.drill.progress import Progress, Stop
    from agent.model.drill import Drill
    from agent.model.drill_result import DrillResult

_LOOK = 0.5


def carry_out(folder: Path, name: str, actor: str, socket: Path | None) -> None:
    """As the agent's child. On standard output one JSON object a line: {progress: …}, and at the end {result: …} or
    {refused: a sentence}.
    """
    from agent.config.load import load
    from agent.drill.begun import DrillRefused
    from agent.drill.progress import Stop
    from agent.drill.run import run
    from agent.errors import ParamedicError
    from agent.model.drill import MARK
    from agent.runtime.journal import start_journal

    try:
        configuration = load(folder)
        start_journal(configuration.agent.log_level, mark=MARK)  # it is read in the journal of the agent
        if name not in configuration.drills:
            raise DrillRefused(f"there is no drill {name!r} in {folder}")
        drill = configuration.drills[name]
        stop = Stop()
        threading.Thread(target=_listen, args=(stop,), name="told to end", daemon=True).start()
        result = run(
            configuration, drill, actor=actor, say=lambda told: _tell("progress", told), socket=socket, stop=stop
        )
    except (ParamedicError, OSError) as error:
        _tell_the_end("refused", str(error))
    else:
        _tell_the_end("result", result)


def _listen(stop: "Stop") -> None:
    """A line on standard input says why the drill is to end; its end, that the agent has gone away."""
    said = b""
    while b"\n" not in said and (more := os.read(sys.stdin.fileno(), 4096)):
        said += more
    stop.ask(said.decode(errors="replace").partition("\n")[0] or "the agent that ran it has gone away")


def _tell_the_end(what: str, value: object) -> None:
    """What it came to is on disk: nobody need be there to hear it."""
    with suppress(OSError):
        _tell(what, value)


def _tell(what: str, value: object) -> None:
    """Raises OSError when the agent is gone."""
    from agent.runtime.store import codec

    said = value if isinstance(value, str) else json.loads(codec.dump(value))
    print(json.dumps({what: said}), file=sys.stdout, flush=True)


def no_agent_for(socket: Path) -> Failure:
    """Nobody could say that something real is wrong."""
    text = f"no agent is running ({socket}), which could say that something real is wrong here: start it, "
    return refused(f"{text}or drill without: --beside")


def follow(agent: AgentClient, socket: Path, drill: "Drill", told: "Callable[[Progress], None]") -> "DrillResult":
    """Begin a drill inside the agent and follow it to its end; Ctrl-C ends it by its rollback. Where nobody watches
    any more, it goes on. Raises Failure.
    """
    from agent.drill.progress import Stop

    with Stop().on_signals((signal.SIGINT, signal.SIGTERM)) as stop:
        try:
            agent.post("drills", body={"drill": drill.name})
        except NoAgent:
            raise no_agent_for(socket) from None
        try:
            return _followed(agent, stop, told)
        except NoAgent as gone:
            raise Failure(gone.code, _without_agent(drill)) from None
        except OSError as error:
            why = f"nobody watches any more ({error.strerror or error})"
            raise refused(f"{why}; {drill.name} goes on inside the agent ({typed('drill abort')})") from None


def _without_agent(drill: "Drill") -> str:
    text = f"the agent went away while {drill.name} was under way"
    if drill.form != "live":
        return f"{text}; nothing was broken"
    alone = say_duration(drill.alone)
    return (
        f"{text}\nwhat the drill itself does not put back now, each host undoes by itself when it has heard nothing of "
        f"the drill for {alone}\nthe agent's next start puts back what is left, and proves it: paramedic drill report"
    )


def _followed(agent: AgentClient, stop: "Stop", told: "Callable[[Progress], None]") -> "DrillResult":
    """Raises Failure, and OSError when the terminal is gone."""
    after, is_aborted = 0, False
    while True:
        answer = agent.get("drills", after=after)
        for line in answer["told"]:
            if (result := _heard(line, told)) is not None:
                return result
        if answer["over"] and not answer["told"]:
            raise Failure(Code.INTERNAL, "the drill ended without a result; the agent's journal says why")
        after = answer["last"]
        if stop.because and not is_aborted:
            agent.post("drills", "abort", body={"reason": stop.because})
            is_aborted = True
        time.sleep(_LOOK)


def _heard(line: dict[str, object], told: "Callable[[Progress], None]") -> "DrillResult | None":
    """The result, once it is said. Raises Failure where the drill was refused."""
    from agent.drill.progress import Progress
    from agent.model.drill_result import DrillResult
    from agent.runtime.store import codec

    (what, said), *_ = line.items()
    if what == "refused":
        raise refused(str(said))
    if what == "result":
        return codec.load(DrillResult, json.dumps(said), "the drill's result")
    told(codec.load(Progress, json.dumps(said), "the drill's progress"))
    return None
