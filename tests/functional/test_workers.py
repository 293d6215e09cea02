"""Worker threads on a machine that has no thread or descriptor left: in a process of its own, which may be starved."""

import subprocess
import sys
import textwrap
from pathlib import Path

STARVED = """
import os, resource, threading
from contextlib import contextmanager, nullcontext, suppress

@contextmanager
def no_room_for_threads():
    threading.stack_size(64 << 20)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (32 << 20), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

@contextmanager
def no_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    taken = []
    with suppress(OSError):
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    try:
        yield
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
"""


def starved(folder: Path, script: str) -> str:
    """What the script prints."""
    file = folder / "starved.py"
    file.write_text(STARVED + textwrap.dedent(script))
    done = subprocess.run([sys.executable, file], capture_output=True, timeout=60, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_task_for_which_there_was_no_thread_is_done_later(tmp_path: Path) -> None:
    script = """
        from agent.runtime.workers import Workers
        workers, done, over = Workers("test", 4), [], threading.Event()
        with no_room_for_threads():
            workers.submit([lambda: done.append(1)])
        workers.submit([lambda: done.append(2), over.set])
        assert over.wait(30)
        print(done)
        """
    assert starved(tmp_path, script) == "[1, 2]\n"


def test_a_machine_without_descriptors_or_threads_has_not_reached_the_host(tmp_path: Path) -> None:
    script = """
        import encodings.idna, socket
        from agent.errors import HostUnreachable
        from agent.model.inventory import Login
        from agent.runtime.ssh import SshPool
        server = socket.create_server(("127.0.0.1", 0))
        port = server.getsockname()[1]
        login = Login("127.0.0.1", port=port, connect_timeout=1.0, key_file="/none", known_hosts="/none")
        pool = SshPool()
        for lack in (nullcontext, no_descriptors, no_room_for_threads):
            try:
                with lack():
                    pool.run("web1", login, "true", timeout=1)
            except HostUnreachable as error:
                print(str(error).partition(": ")[2])
        """
    silent, descriptors, threads = starved(tmp_path, script).splitlines()
    assert "no SSH" in silent
    assert descriptors.endswith("too many open files")
    assert threads.startswith("no thread is left here")


def test_a_ticket_for_which_there_was_no_thread_waits_and_is_not_given_up(tmp_path: Path) -> None:
    script = """
        from agent.errors import TicketSystemUnavailable
        from agent.config.secret import SecretRef
        from agent.runtime.secrets import Secrets
        from agent.tickets.rest import RestTickets
        tickets = RestTickets.model_validate({
            "preset": "roundup", "url": "http://127.0.0.1:9/tracker",
            "basic": {"user": "u", "password": "p"},
        })
        try:
            with no_room_for_threads():
                tickets.find("INC-1", Secrets({"p": SecretRef("env", "P")}, {"P": "password"}))
        except TicketSystemUnavailable as error:
            print(error)
        """
    assert "no thread is left here" in starved(tmp_path, script)


def test_a_caller_for_whom_there_was_no_thread_is_known_when_there_is_one(tmp_path: Path) -> None:
    script = """
        from pathlib import Path
        from agent.model.access import Access
        from agent.runtime.control.peer import Peer
        from agent.runtime.control.port import AgentBusy
        from agent.runtime.control.roles import Roles
        roles, caller = Roles(Access(viewer=("65534",)), Path("/")), Peer(1, 65534, 65534)
        for lack in (no_room_for_threads, nullcontext):
            try:
                with lack():
                    print(roles.of(caller).role)
            except AgentBusy as error:
                print(error)
        """
    said = starved(tmp_path, script).splitlines()
    assert said == ["no thread is left here to look up who calls; try again", "viewer"]
