"""A configuration as it comes out: what is inherited, resolved, filled in and applied by itself."""

from pathlib import Path
from types import MappingProxyType

import pytest

from agent.config.configuration import Configuration
from agent.config.load import load
from agent.config.problem import ConfigProblems
from agent.config.secret import SecretRef
from agent.model.check import Confirm
from agent.model.quantities import CountOrShare, Rate
from checks.http import Http
from checks.tcp import Tcp

NO_ENVIRONMENT = MappingProxyType[str, str]({})

# The example of the authoring section of the design: this is how configurations are to read.
CHECKS = r"""
checks:
  root-disk:
    kind: disk
    path: /
    every: 30s
    warning: used > 80%
    critical: used > 92%
    recover: used < 75%          # a threshold of its own for coming back
    confirm: 3 of 5              # debounce
    category: storage
    ladder: [clean-logs, grow-volume]
  web:
    kind: http
    on: group:web                # one subject per host
    url: http://{{ host.address }}:8080/healthz
    every: 10s
    expect: {status: 200, within: 2s}
    confirm: 2
    service: shop
    ladder: [reload-web, restart-web]
  api-errors:
    kind: prometheus
    query: sum by (instance) (rate(http_requests_total{code=~"5.."}[1m]))
    subject: instance            # this label names the host
    critical: value > 5
    every: 15s
    no_data: unknown
"""
INVENTORY = """
login: {user: paramedic, key_file: keys/id_ed25519}
hosts:
  web1: {address: 192.0.2.1}
  web2: {address: 192.0.2.2}
groups:
  web: {hosts: [web1, web2], treat_at_once: 1}
services:
  shop: {on: group:web, criticality: vital, users: 5000, owner: operations}
teams:
  operations: {categories: [storage]}
"""
RESTART_WEB = """
runbook: restart-web
description: Restart the web server when it stops answering.
hosts: affected                  # affected | group:NAME | host:NAME | local
serial: 25%                      # how many at a time
limits: {per_host: 3 per hour, stop_after_failures: 2}
steps:
  - name: keep evidence
    run: journalctl -u nginx -n 200 --no-pager
    on_failure: continue
    repeatable: true
  - name: configuration is sound
    run: nginx -t
    sudo: true
    repeatable: true
  - name: restart
    run: systemctl restart nginx
    sudo: true
    timeout: 30s
    retry: {attempts: 2, delay: 2s}
rollback:
  - run: systemctl start nginx-maintenance
    sudo: true
verify:
  check: web                     # default: the checks that opened the incident
  within: 60s
  stable_for: 20s
"""


def write(folder: Path, **files: str) -> Path:
    """A configuration folder; names that begin with `runbook_` go into its runbooks folder."""
    (folder / "runbooks").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        place = folder / "runbooks" if name.startswith("runbook_") else folder
        (place / f"{name.removeprefix('runbook_')}.yaml").write_text(text, encoding="utf-8")
    return folder


def loaded(folder: Path, **files: str) -> Configuration:
    return load(write(folder, **files), environ=NO_ENVIRONMENT)


def problems(folder: Path, **files: str) -> list[str]:
    with pytest.raises(ConfigProblems) as raised:
        loaded(folder, **files)
    return [str(problem).removeprefix(f"{folder}/") for problem in raised.value.problems]


def test_the_example_of_the_design_loads_as_it_stands(tmp_path: Path) -> None:
    other = {
        name: f"runbook: {name}\nsteps:\n  - run: 'true'\n" for name in ("clean-logs", "grow-volume", "reload-web")
    }
    config = loaded(
        tmp_path,
        checks=CHECKS,
        hosts=INVENTORY,
        runbook_restart=RESTART_WEB,
        **{f"runbook_{name}": text for name, text in other.items()},
    )
    disk, web, errors = (config.settings.checks[name] for name in ("root-disk", "web", "api-errors"))
    assert (disk.every, str(disk.recover), disk.confirm) == (30.0, "used < 75%", Confirm(3, 5))
    assert (web.confirm, web.service, web.runbooks) == (Confirm(2, 2), "shop", ("reload-web", "restart-web"))
    assert (errors.no_data, str(errors.critical)) == ("unknown", "value > 5")

    runbook = config.settings.runbooks["restart-web"]
    assert (runbook.serial, runbook.limits.per_host) == (CountOrShare(share=0.25), Rate(3, 3600.0))
    assert [step.name for step in runbook.steps] == ["keep evidence", "configuration is sound", "restart"]
    assert (runbook.steps[2].timeout, runbook.steps[2].retry.attempts, runbook.steps[2].sudo) == (30.0, 2, True)
    assert runbook.rollback[0].name == "run systemctl start nginx-maintenance"
    assert (runbook.verify.checks, runbook.verify.within, runbook.verify.stable_for) == (("web",), 60.0, 20.0)
    assert config.settings.services["shop"].hosts == ("web1", "web2")
    assert config.runbook_files["restart-web"] == tmp_path / "runbooks" / "restart.yaml"


def test_a_probe_for_each_host_with_its_own_address(tmp_path: Path) -> None:
    text = """
checks:
  web: {kind: http, on: [group:web, host:web1], url: "http://{{ host.address }}:{{ host.vars.port }}/{{host.name}}"}
  ssh: {kind: tcp, on: group:web, port: "{{ host.vars.port }}"}
  here: {kind: tcp, port: 22}
hosts:
  web1: {address: 192.0.2.1, vars: {port: 80}}
  web2: {vars: {port: 8080}}
groups:
  web: {hosts: [web1, web2]}
"""
    config = loaded(tmp_path, all=text)
    found = {(probe.check, probe.host.name): probe.check_type for probe in config.probes}
    assert len(found) == len(config.probes) == 5
    urls = {host: check.url for (_, host), check in found.items() if isinstance(check, Http)}
    ports = {host: check.port for (_, host), check in found.items() if isinstance(check, Tcp)}
    assert urls == {"web1": "http://192.0.2.1:80/web1", "web2": "http://web2:8080/web2"}
    assert ports == {"web1": 80, "web2": 8080, "localhost": 22}


def test_braces_of_other_languages_stay_as_they_are(tmp_path: Path) -> None:
    query = 'sum(rate(x{code=~"5..",host="{{ host.name }}"}[1m])) by (le)'
    config = loaded(
        tmp_path, all=f"checks:\n  errors:\n    kind: prometheus\n    critical: value > 5\n    query: '{query}'\n"
    )
    assert config.probes[0].check_type.model_dump()["query"] == query.replace("{{ host.name }}", "localhost")


def test_the_threshold_of_a_kind_applies_only_where_none_is_written(tmp_path: Path) -> None:
    text = """
checks:
  none: {kind: process, name: nginx}
  own: {kind: process, name: nginx, warning: memory > 2GB}
"""
    rules = loaded(tmp_path, all=text).settings.checks
    assert (str(rules["none"].critical), rules["none"].warning) == ("count < 1", None)
    assert (rules["own"].critical, str(rules["own"].warning)) == (None, "memory > 2GB")


def test_one_word_where_a_list_is_taken(tmp_path: Path) -> None:
    text = """
checks:
  web: {kind: tcp, port: 80, on: host:web1, ladder: restart, category: web}
hosts:
  web1: {login: {use_agent: true}}
groups:
  web: {hosts: web1}
services:
  shop: {on: group:web, depends_on: database}
  database: {}
teams:
  operations: {categories: web, members: alice}
"""
    config = loaded(tmp_path, all=text, runbook_restart="runbook: restart\nsteps: [{run: 'true'}]\n")
    assert config.settings.checks["web"].runbooks == ("restart",)
    assert config.settings.groups["web"].hosts == ("web1",)
    assert config.settings.services["shop"].depends_on == ("database",)
    assert config.settings.teams["operations"].categories == ("web",)


def test_words_for_true_and_false(tmp_path: Path) -> None:
    text = "checks:\n  a: {kind: http, url: 'http://127.0.0.1/', follow_redirects: yes, verify_tls: off}\n"
    check = loaded(tmp_path, all=text).probes[0].check_type
    assert isinstance(check, Http)
    assert (check.follow_redirects, check.verify_tls) == (True, False)


def test_this_machine_is_always_in_the_inventory(tmp_path: Path) -> None:
    plain = loaded(tmp_path / "plain", all="hosts:\n  web1: {}\n")
    host = plain.settings.hosts["localhost"]
    assert (host.connection, host.target) == ("local", "127.0.0.1")
    assert "localhost" not in plain.logins

    own = loaded(tmp_path / "own", all="hosts:\n  localhost: {vars: {site: berlin}}\n  box: {connection: local}\n")
    assert own.settings.hosts["localhost"].vars == {"site": "berlin"}
    assert own.settings.hosts["localhost"].connection == "local"
    assert own.settings.hosts["box"].connection == "local"
    assert not own.logins


def test_a_section_may_be_spread_over_files(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        a="checks:\n  one: {kind: tcp, port: 1}\npolicy:\n  default_team: storage\n",
        b="checks:\n  two: {kind: tcp, port: 2}\npolicy:\n  lifecycle: {close_after: 2h}\nteams:\n  storage:\n",
        empty="# nothing yet\n",
        headings="checks:\nhosts:\n",
    )
    assert set(config.settings.checks) == {"one", "two"}
    assert (config.settings.policy.default_team, config.settings.policy.lifecycle.close_after) == ("storage", 7200.0)


def test_the_default_team_exists_where_no_team_is_named(tmp_path: Path) -> None:
    config = loaded(tmp_path, all="checks:\n  a: {kind: tcp, port: 1, category: whatever}\n")
    assert set(config.settings.teams) == {"operations"}


LOGINS = """
login:
  user: paramedic
  key_file: keys/id_ed25519
  passphrase: unlock
  jump: bastion
  connect_timeout: 3s
hosts:
  bastion: {address: 192.0.2.1, login: {port: 2222}}
  inner: {address: 10.0.0.1, login: {user: root}}
  deep: {address: 10.1.0.1, login: {jump: inner, use_agent: true, known_hosts: /etc/ssh/known}}
  box: {connection: local}
secrets:
  unlock: {credential: unlock}
"""


def test_logins_inherit_and_jumps_are_followed(tmp_path: Path) -> None:
    logins = loaded(tmp_path, hosts=LOGINS).logins
    assert set(logins) == {"bastion", "inner", "deep"}
    bastion, inner, deep = logins["bastion"], logins["inner"], logins["deep"]
    assert (bastion.address, bastion.port, bastion.user, bastion.jump) == ("192.0.2.1", 2222, "paramedic", None)
    assert bastion.key_file == str(tmp_path / "keys/id_ed25519")
    assert bastion.known_hosts == str(tmp_path / "known_hosts")
    assert (inner.user, inner.port, inner.jump, inner.connect_timeout) == ("root", 22, bastion, 3.0)
    assert (deep.jump, deep.known_hosts) == (inner, "/etc/ssh/known")


def test_another_way_to_prove_who_we_are_replaces_the_inherited_one_whole(tmp_path: Path) -> None:
    logins = loaded(tmp_path, hosts=LOGINS).logins
    assert (logins["inner"].key_file is not None, logins["inner"].passphrase) == (True, "unlock")
    deep = logins["deep"]
    assert (deep.use_agent, deep.key_file, deep.passphrase, deep.credential) == (True, None, None, None)


def test_secrets_are_references(tmp_path: Path) -> None:
    text = "secrets:\n  a: {env: TOKEN}\n  b: {file: secrets/b}\n  c: {file: /run/c}\n  d: {credential: d}\n"
    assert loaded(tmp_path, all=text).secrets == {
        "a": SecretRef("env", "TOKEN"),
        "b": SecretRef("file", str(tmp_path / "secrets/b")),
        "c": SecretRef("file", "/run/c"),
        "d": SecretRef("credential", "d"),
    }


def test_a_ticket_system_from_a_preset(tmp_path: Path) -> None:
    text = """
tickets:
  preset: roundup
  url: https://tickets.example.org/tracker
  basic: {user: agent, password: tracker}
  map: {priority: {P5: wish}}
secrets:
  tracker: {env: TRACKER}
"""
    config = loaded(tmp_path, all=text)
    assert config.settings.has_tickets
    assert config.tickets is not None
    priorities = config.tickets.model_dump()["map"]["priority"]
    assert (priorities["P1"], priorities["P5"]) == ("critical", "wish")
    assert not loaded(tmp_path / "without", all="checks:\n").settings.has_tickets


def test_how_long_a_ticket_system_may_settle_is_bounded(tmp_path: Path) -> None:
    text = "tickets:\n  preset: roundup\n  url: https://tickets.example.org\n  settles_within: {}\n"
    config = loaded(tmp_path / "most", all=text.format("5m"))
    assert config.tickets is not None
    assert config.tickets.settles_within == 300
    for value, got in (("301s", "5m 1s"), ("365d", "365d")):
        said = problems(tmp_path / value, all=text.format(value))
        assert said == [f"all.yaml:4: tickets.settles_within: must be at most 5m, got {got}"]


def test_paths_of_the_agent(tmp_path: Path) -> None:
    folder = write(tmp_path / "config", agent="agent: {state_dir: ../var/state, runbooks: [more, runbooks]}\n")
    (folder / "more").mkdir()
    agent = load(folder, environ={"STATE_DIRECTORY": "/var/lib/x"}).agent
    assert agent.state_dir == tmp_path / "var" / "state"
    assert agent.socket == agent.state_dir / "control.sock"
    assert agent.runbooks == (folder / "more", folder / "runbooks")

    write(folder, agent="agent:\n")
    given = {"STATE_DIRECTORY": "/var/lib/paramedic:/var/lib/other", "RUNTIME_DIRECTORY": "/run/paramedic"}
    agent = load(folder, environ=given).agent
    assert (agent.state_dir, agent.socket) == (Path("/var/lib/paramedic"), Path("/run/paramedic/control.sock"))
    assert agent.runbooks == (folder / "runbooks",)
    assert load(folder, environ={}).agent.state_dir == Path.cwd() / "var"


def test_runbooks_beside_the_configuration_or_where_the_caller_says(tmp_path: Path) -> None:
    beside = write(tmp_path / "beside", runbook_one="runbook: one\nsteps: [{run: 'true'}]\n") / "runbooks"
    folder = tmp_path / "beside" / "config"
    folder.mkdir()
    (folder / "a.yaml").write_text("checks:\n", encoding="utf-8")
    (beside / "tests").mkdir()
    (beside / "tests" / "one.test.yaml").write_text("test: one\n", encoding="utf-8")
    (beside / "notes.txt").write_text("not a runbook\n", encoding="utf-8")
    assert set(load(folder, environ={}).settings.runbooks) == {"one"}

    other = write(tmp_path / "other", runbook_two="runbook: two\nsteps: [{run: 'true'}]\n") / "runbooks"
    assert set(load(folder, runbooks=other, environ={}).settings.runbooks) == {"two"}
    with pytest.raises(ConfigProblems, match="cannot be read as a folder"):
        load(folder, runbooks=tmp_path / "nowhere", environ={})


def test_a_folder_that_is_not_there_is_a_problem_and_not_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(ConfigProblems, match="cannot be read as a folder: No such file"):
        load(tmp_path / "nowhere")


def test_what_may_stand_in_an_unreadable_file_is_not_missed(tmp_path: Path) -> None:
    said = problems(
        tmp_path,
        checks="checks:\n  a: {kind: tcp, port: 1, on: group:web, service: shop, ladder: [fix], category: x}\n",
        hosts="hosts: [\n",
        runbook_fix="runbook: [\n",
    )
    assert [line.split(":")[0] for line in said] == ["hosts.yaml", "runbooks/fix.yaml"]


def test_problems_of_ten_thousand_checks_are_all_found(tmp_path: Path) -> None:
    checks = "".join(f"  c{n}: {{kind: tcp, port: {n}, evry: 10s}}\n" for n in range(65000, 67000))
    said = problems(tmp_path, all="checks:\n" + checks)
    assert sum("did you mean 'every'?" in line for line in said) == 2000
    assert sum("must be at most 65535" in line for line in said) == 2000 - 536


def test_ten_thousand_checks_load(tmp_path: Path) -> None:
    """How long it takes is measured in bench/; here: nothing is lost on the way."""
    files = {
        f"c{part}": "checks:\n"
        + "".join(f"  c{part}-{n}: {{kind: tcp, on: group:g, port: {n + 1}}}\n" for n in range(2500))
        for part in range(4)
    }
    files["hosts"] = "hosts:\n  a: {}\ngroups:\n  g: {hosts: [a]}\n"
    config = loaded(tmp_path, **files)
    assert len(config.settings.checks) == len(config.probes) == 10_000
