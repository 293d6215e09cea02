"""Drills inside the running agent: the agent's child tells what it does, line by line, and the terminal follows."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.agent_client import AgentClient
from agent.cli.exits import Code, Failure, refused

if TYPE_CHECKING:
    from agent.drill.progress import Progress
    from agent.model.drill_result import DrillResult

_LOOK = 0.5


def carry_out(folder: Path, name: str, actor: str, socket: Path | None) -> None:
    """As the agent's child. On standard output one JSON object a line: {progress: …}, and at the end {result: …} or
    {refused: a sentence}.
    """
    from agent.config.load import load
    from agent.drill.begun import DrillRefused
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
        result = run(configuration, drill, actor=actor, say=lambda told: _tell("progress", told), socket=socket)
    except (ParamedicError, OSError) as error:
        _tell("refused", str(error))
    else:
        _tell("result", result)


def _tell(what: str, value: object) -> None:
    """Raises OSError when the agent is gone."""
    from agent.runtime.store import codec

    said = value if isinstance(value, str) else json.loads(codec.dump(value))
    print(json.dumps({what: said}), file=sys.stdout, flush=True)


def follow(agent: AgentClient, name: str, told: "Callable[[Progress], None]") -> "DrillResult":
    """Begin a drill inside the agent and follow it to its end; Ctrl-C ends it by its rollback. Raises Failure."""
    from agent.drill.progress import Stop

    with Stop().on_signals() as stop:
        agent.post("drills", body={"drill": name})
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
                agent.post("drills", "abort")
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
