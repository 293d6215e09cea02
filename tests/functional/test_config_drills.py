"""Drills as they come out of the configuration: hosts and digest filled in, every form accepted."""

from pathlib import Path

from agent.config.load import load
from agent.model.drill import Drill

SITE = """
hosts:
  web1: {address: 192.0.2.1}
  web2: {address: 192.0.2.2}
login: {key_file: key, known_hosts: known_hosts}
groups:
  web: {hosts: [web1, web2]}
checks:
  web: {kind: tcp, port: 80, on: "group:web"}
"""
DRILLS = """
drills:
  web-down:
    title: The web server dies
    form: live
    every: 90d
    deadline: 2m
    hosts: {allow: [group:web, host:web1], most: 1}
    steady_state: {checks: [web]}
    objectives: {recovery: It comes back by itself.}
    inject:
      - {name: kill, host: web1, run: pkill nginx, undo: systemctl start nginx}
    expect:
      - {detected: web, within: 30s}
      - {recovered: true, within: 1m, objective: recovery}
      - {refused: cooling down}
  web-said-down:
    title: The web server is said to be dead
    form: simulate
    hosts: {allow: [host:web1]}
    inject:
      - {name: say so, answer: {check: web, host: web1}}
    expect: [{detected: web}]
  who-is-called:
    title: Who is called
    form: tabletop
    ask: [{ask: Who is called first?, good: whoever is on duty}]
"""


def drills_of(folder: Path, text: str = DRILLS) -> dict[str, Drill]:
    folder.mkdir(exist_ok=True)
    (folder / "site.yaml").write_text(SITE)
    (folder / "drills.yaml").write_text(text)
    return dict(load(folder, environ={}).drills)


def test_each_form_is_read_and_its_hosts_are_filled_in(tmp_path: Path) -> None:
    found = drills_of(tmp_path / "config")
    live = found["web-down"]
    assert live.hosts.names == ("web1", "web2")
    assert (live.every, live.deadline, live.expect[0].kind) == (90 * 86400, 120, "detected")
    assert found["web-said-down"].hosts.names == ("web1",)
    assert found["who-is-called"].form == "tabletop"


def test_the_digest_tells_one_text_from_another(tmp_path: Path) -> None:
    before = drills_of(tmp_path / "before")
    after = drills_of(tmp_path / "after", DRILLS.replace("deadline: 2m", "deadline: 3m"))
    assert len(before["web-down"].digest) == 64
    assert before["web-down"].digest != after["web-down"].digest
    assert before["who-is-called"].digest == after["who-is-called"].digest
