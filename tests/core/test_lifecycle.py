"""The life of an incident: every phase against every move."""

import pytest

from agent.core.lifecycle import MOVES, IllegalMove, Move, after
from agent.model.incident import Phase

TABLE = """
            treat     end  hold  escalate   recover   resolve   close   relapse  reopen
new         treating  -    held  escalated  resolved  resolved  -       -        -
treating    -         new  -     escalated  resolved  -         -       -        -
held        treating  -    held  escalated  resolved  resolved  -       -        -
escalated   treating  -    -     escalated  resolved  resolved  -       -        -
resolved    -         -    -     -          -         -         closed  new      new
closed      -         -    -     -          -         -         -       -        new
"""


def cells() -> list[tuple[Phase, Move, str]]:
    header, *rows = [line.split() for line in TABLE.strip().splitlines()]
    return [(Phase(row[0]), Move(move), cell) for row in rows for move, cell in zip(header, row[1:], strict=True)]


@pytest.mark.parametrize(("phase", "move", "cell"), cells())
def test_every_move_from_every_phase(phase: Phase, move: Move, cell: str) -> None:
    if cell == "-":
        with pytest.raises(IllegalMove, match=f"cannot {move} an incident that is (already )?{phase}"):
            after(phase, move)
    else:
        assert after(phase, move) is Phase(cell)


def test_the_table_above_is_whole() -> None:
    assert {(phase, move) for phase, move, _ in cells()} == {(phase, move) for phase in Phase for move in Move}
    assert set(MOVES) == set(Phase)


def test_a_refused_move_says_what_would_be_right() -> None:
    with pytest.raises(IllegalMove, match="resolve it first"):
        after(Phase.NEW, Move.CLOSE)
    with pytest.raises(IllegalMove, match="wait for the verification"):
        after(Phase.TREATING, Move.RESOLVE)
    with pytest.raises(IllegalMove, match="reopen it first"):
        after(Phase.RESOLVED, Move.ESCALATE)
