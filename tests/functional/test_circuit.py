"""How hard is tried while no ticket gets through."""

import pytest

from agent.runtime.circuit import Circuit, backoff


def test_the_pause_doubles_up_to_five_minutes() -> None:
    assert [backoff(attempts) for attempts in (1, 2, 3, 8, 9, 10, 100_000)] == [1, 2, 4, 128, 256, 300, 300]


def test_three_failures_in_a_row_open_it_and_one_answer_closes_it() -> None:
    circuit = Circuit()
    assert circuit.room(100, under_way=1, most=4) == 3
    assert [circuit.failed(at, None) for at in (100, 101, 103)] == [False, False, True]
    assert circuit.is_open
    assert circuit.down_since == 100
    assert not circuit.failed(104, None), "opening is told once"
    assert circuit.answered()
    assert not circuit.is_open
    assert circuit.down_since is None
    assert not circuit.answered()


def test_an_answer_in_between_starts_the_count_anew() -> None:
    circuit = Circuit()
    circuit.failed(100, None)
    circuit.failed(101, None)
    assert not circuit.answered()
    assert not circuit.failed(102, None)
    assert circuit.room(102, 0, 4) == 4


def test_while_open_one_probe_at_a_time_after_a_growing_pause() -> None:
    circuit = Circuit()
    now = 100.0
    for _ in range(3):
        circuit.failed(now, None)
    pauses = []
    for _ in range(4):
        start = now
        while not circuit.room(now, 0, 4):
            now += 1
        assert circuit.room(now, 0, 4) == 1
        assert circuit.room(now, 1, 4) == 0
        pauses.append(now - start)
        circuit.failed(now, None)
    assert pauses == [1, 2, 4, 8]


@pytest.mark.parametrize("failures", [1, 5])
def test_a_wish_to_be_left_alone_is_honoured_by_all(failures: int) -> None:
    circuit = Circuit()
    for _ in range(failures):
        circuit.failed(100, 17)
    assert circuit.room(116, 0, 4) == 0
    assert circuit.room(117, 0, 4) >= 1
    circuit.answered()
    assert circuit.room(101, 0, 4) == 0, "an answer to something sent before does not lift it"
