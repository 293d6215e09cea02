"""The shop's web server: something to break. Run by path: `shop.py FOLDER PORT [--needs PORT]` (re)starts it.

It answers `/healthz` with 200 "ok", or with 500 once FOLDER/spoiled exists, which stands for a cache
gone bad: a fresh start clears it. FOLDER/broken stands for a bad release, which no start clears; and what it
`--needs` may be gone. With `--unless-running` one that runs is left alone. Standard library only, so that it starts
fast and anywhere.
"""

import argparse
import http.server
import os
import select
import signal
import socket
import socketserver
from pathlib import Path


class Shop(http.server.BaseHTTPRequestHandler):
    """Every path is the front page but `/healthz`."""

    folder: Path
    needs: int | None = None

    def do_GET(self) -> None:
        status, text = 200, "The shop is open.\n"
        if (self.folder / "spoiled").exists():
            status, text = 500, "the cache is spoiled\n"
        elif (self.folder / "broken").exists():
            status, text = 500, "this release is broken\n"
        elif self.needs is not None and not answers(self.needs):
            status, text = 503, "no database\n"
        elif self.path == "/healthz":
            text = "ok\n"
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Takes over the port of a predecessor that has just died."""

    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    """Exits 0 when the shop answers; with a traceback if the port is taken."""
    given = argparse.ArgumentParser()
    given.add_argument("folder", type=Path)
    given.add_argument("port", type=int)
    given.add_argument("--needs", type=int, metavar="PORT")
    given.add_argument("--unless-running", action="store_true")
    words = given.parse_args()
    folder: Path = words.folder
    if words.unless_running and shop_of(folder / "pid"):
        return
    end_predecessor(folder / "pid")
    (folder / "spoiled").unlink(missing_ok=True)
    Shop.folder = folder
    Shop.needs = words.needs
    server = Server(("127.0.0.1", words.port), Shop)
    if os.fork():
        os._exit(0)  # the port is ours: whoever connects from now on is answered
    os.setsid()
    (folder / "pid").write_text(f"{os.getpid()}\n")
    detach(folder / "log")
    server.serve_forever()


def answers(port: int) -> bool:
    """Whether anybody takes connections there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def end_predecessor(pid_file: Path) -> None:
    """Kill the shop that runs, if one does; it may hang, so there is no asking."""
    if running := shop_of(pid_file):
        process = os.pidfd_open(running)
        signal.pidfd_send_signal(process, signal.SIGKILL)
        select.select([process], [], [])  # readable once it is dead and has let go of its port
        os.close(process)
    pid_file.unlink(missing_ok=True)


def shop_of(pid_file: Path) -> int | None:
    """The process id in the file, if that process is a shop; a zombie has no command line and is none."""
    try:
        pid = int(pid_file.read_text())
        command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if Path(__file__).name.encode() in command_line else None


def detach(log: Path) -> None:
    """Let go of the terminal or SSH connection that started us."""
    null = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for ours, standard in ((null, 0), (out, 1), (out, 2)):
        os.dup2(ours, standard)


if __name__ == "__main__":
    main()
