"""Performance data as the Monitoring Plugins guidelines write it."""

import time

import pytest

from agent.model.performance_data import parse_performance_data, parse_plugin_output


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("time=0.5s", {"time": 0.5}),
        ("time=0.500s;1;2;0;10 size=512B;;;0", {"time": 0.5, "size": 512}),
        ("a=250ms b=30us c=7", {"a": 0.25, "b": 0.00003, "c": 7}),
        ("a=1KB b=1MB c=1GB d=2TB e=1KiB", {"a": 1e3, "b": 1e6, "c": 1e9, "d": 2e12, "e": 1024}),
        ("used=92.5% hits=1042c", {"used": 92.5, "hits": 1042}),
        ("x=-3;-10:10;~:5;;", {"x": -3}),
        ("x=1.5e-05s", {"x": 1.5e-05}),
        ("x=.5 y=5.", {"x": 0.5, "y": 5}),
        ("/var=12MB;;;0;100", {"_/var": 12e6}),
        ("'C:\\ %'=20%", {"C:_": 20}),
        ("'it''s here'=1", {"it_s_here": 1}),
        ("'used space'=1 'used space'=2", {"used_space": 1}),
        ("5xx=3", {"_5xx": 3}),
        ("load1=U load5=0.2", {"load5": 0.2}),
        ("temp=20C volt=3V", {}),
        ("broken= a=1 =5 b=x", {"a": 1}),
        ("", {}),
    ],
)
def test_labels_and_units(text: str, readings: dict[str, float]) -> None:
    assert parse_performance_data(text) == pytest.approx(readings)


def test_message_and_data_of_several_lines() -> None:
    output = parse_plugin_output("DISK OK - free | /=1MB;2\n/home has room\nso has /srv | /home=3MB\n/srv=4MB\n")
    assert output.message == "DISK OK - free"
    assert output.readings == {"_/": 1e6, "_/home": 3e6, "_/srv": 4e6}


def test_no_data_at_all() -> None:
    assert parse_plugin_output("OK").readings == {}
    assert parse_plugin_output("").message == ""


@pytest.mark.parametrize("filling", ["'", "a", " ''''", "a=" + "1" * 99 + "!", "'a;"])
def test_no_output_takes_for_ever(filling: str) -> None:
    """64 KiB of it once took half a minute, in which nothing else ran."""
    began = time.thread_time()
    assert parse_plugin_output("|" + filling * (65536 // len(filling))).readings == {}
    assert time.thread_time() - began < 2
