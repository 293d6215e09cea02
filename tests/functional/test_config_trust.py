"""Files that others may change, and secrets that others may read: the agent does not start with them."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from agent.config.load import load
from agent.config.problem import ConfigProblems, Problem
from agent.config.trust import Trust, trusted_users
from tests.neighbours import available

DAEMON, BIN = 1, 2
"""Users of every Linux (LSB core, 21.2), each with a group of the same name and number."""

CONFIG = """\
agent: {state_dir: ../state}
login: {key_file: key, known_hosts: known_hosts}
hosts:
  web1: {address: 192.0.2.1}
  web2: {address: 192.0.2.2, login: {key_file: own-key}}
secrets:
  tickets: {file: secrets/tickets}
  metrics: {credential: metrics}
teams: {operations: {}}
"""

LOOK = """\
runbook: look
steps:
  - run: uptime
"""

WHAT_IT_HOLDS = {
    "config/all.yaml": (CONFIG, 0o644),
    "config/runbooks/look.yaml": (LOOK, 0o644),
    "config/known_hosts": ("", 0o644),
    "config/key": ("", 0o600),
    "config/own-key": ("", 0o400),
    "config/secrets/tickets": ("x", 0o600),
    "credentials/metrics": ("x", 0o440),
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Everything as it should be, whatever the umask of who runs the tests."""
    for name, (text, mode) in WHAT_IT_HOLDS.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
    (tmp_path / "state").mkdir(mode=0o700)
    for folder in (tmp_path, *(folder for folder in tmp_path.rglob("*") if folder.is_dir())):
        folder.chmod(0o755)
    return tmp_path


def problems(site: Path, *, by_agent: bool = True) -> list[Problem]:
    try:
        load(site / "config", environ={"CREDENTIALS_DIRECTORY": str(site / "credentials")}, by_agent=by_agent)
    except ConfigProblems as found:
        return list(found.problems)
    return []


def the_problem(site: Path, *, by_agent: bool = True) -> Problem:
    (one,) = problems(site, by_agent=by_agent)
    return one


def needs_root() -> None:
    available.require("files of other users", None if os.geteuid() == 0 else "this is not root", "sudo make test")


def test_what_is_as_it_should_be_is_accepted(site: Path) -> None:
    assert problems(site) == []


@pytest.mark.parametrize(
    "place",
    ["config", "config/all.yaml", "config/runbooks", "config/runbooks/look.yaml", "config/known_hosts", "state"],
)
@pytest.mark.parametrize("bit", [0o002, 0o1002])
def test_what_everybody_may_change_is_refused_with_the_command_that_repairs_it(
    site: Path, place: str, bit: int
) -> None:
    wrong = site / place
    mode = wrong.stat().st_mode & 0o777
    wrong.chmod(mode | bit)
    problem = the_problem(site)
    assert f"everybody may change {wrong} (mode {mode | bit:04o})" in problem.what
    assert problem.hint == f"chmod o-w {wrong}"
    wrong.chmod(mode)
    assert problems(site) == []


@pytest.mark.parametrize("place", ["config/key", "config/own-key", "config/secrets/tickets", "credentials/metrics"])
@pytest.mark.parametrize("bit", [0o004, 0o040, 0o002])
def test_a_secret_that_others_may_read_is_refused_where_it_is_named(site: Path, place: str, bit: int) -> None:
    wrong = site / place
    wrong.chmod(wrong.stat().st_mode & 0o777 | bit)
    if place == "credentials/metrics" and bit == 0o040:
        assert problems(site) == []  # systemd shows its access list in these bits
        return
    problem = the_problem(site)
    assert f"others than its owner may read {wrong}" in problem.what
    assert problem.hint.startswith(f"chmod 600 {wrong}; what others could read may be known")
    written = (site / "config/all.yaml").read_text().splitlines()
    assert problem.file.endswith("all.yaml")
    assert {"config/own-key": "own-key", "config/key": "key"}.get(place, wrong.name) in written[problem.line - 1]


@pytest.mark.parametrize("place", ["config", "config/secrets", "credentials"])
def test_a_folder_on_the_way_to_a_secret_counts(site: Path, place: str) -> None:
    wrong = site / place
    wrong.chmod(0o757)
    assert f"everybody may change {wrong} (mode 0757)" in {problem.what for problem in problems(site)}


def test_a_folder_above_counts_unless_only_owners_may_replace_what_lies_in_it(site: Path) -> None:
    site.chmod(0o777)
    assert {problem.hint for problem in problems(site)} == {f"chmod o-w {site}"}
    site.chmod(0o1777)
    assert problems(site) == []


def test_links_are_followed_and_the_folders_they_lie_in_count(site: Path) -> None:
    real, between = site / "elsewhere", site / "between"
    between.mkdir()
    (site / "config/runbooks").rename(real)
    (between / "hop").symlink_to("../elsewhere")
    (site / "config/runbooks").symlink_to(between / "hop")
    for folder in (real, between):
        folder.chmod(0o755)
    assert problems(site) == []
    for wrong in (real, between, real / "look.yaml"):
        before = wrong.stat().st_mode & 0o777
        wrong.chmod(before | 0o002)
        assert the_problem(site).hint == f"chmod o-w {wrong}"
        wrong.chmod(before)


def test_links_in_a_circle_end_somewhere(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert Trust((os.geteuid(),)).changeable(tmp_path / "a" / "file") is None


def test_what_is_not_there_is_somebody_elses_to_say(site: Path) -> None:
    (site / "config/key").unlink()
    assert problems(site) == []


# other users and groups


def test_what_belongs_to_a_third_user_is_refused(site: Path) -> None:
    needs_root()
    for place in ("config", "config/all.yaml", "config/runbooks/look.yaml", "config/key", "config/secrets", "state"):
        wrong = site / place
        os.chown(wrong, BIN, BIN)
        problem = problems(site)[0]
        assert f"{wrong} belongs to bin, not to root, as the agent is" in problem.what
        assert problem.hint == f"chown -h root {wrong}"
        os.chown(wrong, 0, 0)
    assert problems(site) == []


def test_a_link_of_a_third_user_is_refused(site: Path) -> None:
    """In a folder as /tmp is, he may lay another one there."""
    needs_root()
    (site / "config/runbooks").rename(site / "elsewhere")
    (site / "config/runbooks").symlink_to("../elsewhere")
    os.chown(site / "config/runbooks", BIN, BIN, follow_symlinks=False)
    assert the_problem(site).what.startswith(f"{site / 'config/runbooks'} belongs to bin")


def test_a_group_that_is_one_trusted_users_own_is_that_user(tmp_path: Path) -> None:
    """As umask 002 leaves files behind on Debian and Ubuntu."""
    needs_root()
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o664)
    os.chown(file, DAEMON, DAEMON)
    assert Trust((DAEMON,)).changeable(file) is None
    os.chown(file, 0, DAEMON)
    assert Trust((DAEMON,)).changeable(file) is None
    fault = Trust((BIN,)).changeable(file)
    assert fault
    assert (fault.what, fault.hint) == (f"group daemon may change {file} (mode 0664)", f"chmod g-w {file}")
    os.chown(file, 0, 54321)
    assert Trust((DAEMON,)).changeable(file)


@pytest.mark.parametrize("groups", ["daemon:x:1:bin", "crew:x:1:", "daemon:x:1:"])
def test_a_group_with_another_member_or_name_is_not_one_users_own(tmp_path: Path, groups: str) -> None:
    """In a mount namespace with a group file of its own."""
    needs_root()
    file, group_file = tmp_path / "file", tmp_path / "group"
    file.touch()
    file.chmod(0o664)
    os.chown(file, 0, DAEMON)
    group_file.write_text(f"root:x:0:\n{groups}\n")
    asks = f"from agent.config.trust import Path, Trust; print(Trust((1,)).changeable(Path({str(file)!r})))"
    within = f'mount --bind {group_file} /etc/group && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", within, "sh", sys.executable, "-c", asks]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
    is_own = groups == "daemon:x:1:"
    assert ("None" in said) is is_own
    assert ("may change" in said) is not is_own


def test_an_access_list_is_not_taken_for_the_users_own_group(tmp_path: Path) -> None:
    """acl(5): with one, the group's bits of the mode are what anybody in the list may do at most."""
    needs_root()
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o644)
    os.chown(file, DAEMON, DAEMON)
    rows = [(0x01, 6, -1), (0x02, 6, BIN), (0x04, 4, -1), (0x10, 6, -1), (0x20, 4, -1)]
    written = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, may, id & 0xFFFFFFFF) for tag, may, id in rows)
    try:
        os.setxattr(file, "system.posix_acl_access", written)
    except OSError:
        available.require("access lists", "this file system has none", "TMPDIR on ext4, xfs or tmpfs")
    assert file.stat().st_mode & 0o777 == 0o664
    assert Trust((DAEMON,)).changeable(file)


def test_a_folder_of_other_things_says_nothing_of_whose_agent_it_is(site: Path) -> None:
    """The default is `var`: for somebody who stands in `/` that is the machine's."""
    needs_root()
    for file in (site, *site.rglob("*")):
        os.chown(file, DAEMON, DAEMON)
    os.chown(site / "state", 0, 0)
    assert "belongs to daemon, not to root" in problems(site, by_agent=False)[0].what
    (site / "state/mail").mkdir()
    assert problems(site, by_agent=False) == []


def test_who_looks_at_another_users_agent_judges_as_that_agent_would(site: Path) -> None:
    """Root checks the configuration of an agent that runs as daemon, and the other way round."""
    needs_root()
    for file in (site / "state", site / "config/secrets", site / "config/secrets/tickets"):
        os.chown(file, DAEMON, DAEMON)
    assert problems(site, by_agent=False) == []
    assert "belongs to daemon, not to root" in problems(site)[0].what
    os.chown(site / "config/all.yaml", BIN, BIN)
    assert "not to root or daemon, the agent's user" in the_problem(site, by_agent=False).what


def test_root_by_sudo_is_the_user_who_called_it(site: Path) -> None:
    needs_root()
    for file in (site, *site.rglob("*")):
        os.chown(file, DAEMON, DAEMON)
    assert problems(site)
    sudo = {"CREDENTIALS_DIRECTORY": str(site / "credentials"), "SUDO_UID": str(DAEMON)}
    assert load(site / "config", environ=sudo)
    with pytest.raises(ConfigProblems):
        load(site / "config", environ=sudo | {"SUDO_UID": str(BIN)})
    assert trusted_users(BIN, sudo) == (BIN,), "an agent that is not root has no other self"


AS_A_NEWCOMER = """\
import os, shutil, sys, tempfile
from pathlib import Path
from agent.config.load import load
from agent.plugin import registry
for group in (registry.CHECKS, registry.STEPS, registry.TICKETS):
    for kind in registry.kinds(group):
        registry.load(group, kind, object)
ours = Path(sys.argv[1])  # which nobody else may be able to enter
written = {file: file.read_bytes() for name in ("config", "runbooks") for file in (ours / name).rglob("*.yaml")}
os.setgroups([])
os.setresgid(1, 1, 1)
os.setresuid(1, 1, 1)
os.umask(0o002)
checkout = Path(tempfile.mkdtemp())
checkout.chmod(0o775)
for file, content in written.items():
    copy = checkout / file.relative_to(ours)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(content)
os.chdir(checkout)
try:
    print(oct((checkout / "config" / "checks.yaml").stat().st_mode), len(load(Path("config"), environ={}).probes))
finally:
    os.chdir("/")
    shutil.rmtree(checkout)
"""


def test_a_checkout_as_umask_002_leaves_it_works_for_an_ordinary_user() -> None:
    needs_root()  # to become one
    checkout = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", AS_A_NEWCOMER, str(checkout)], capture_output=True, text=True, check=False, cwd=checkout
    )
    assert done.stdout.startswith("0o100664 "), done.stderr
    assert int(done.stdout.split()[1]) >= 3
