"""A real Roundup issue tracker on loopback, thrown away afterwards.

Roundup is a Python program from PyPI. It is installed once into the cache, apart from our own packages,
and each tracker is a folder with an SQLite database.
"""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import requests

from agent.demo.cache import kept
from agent.demo.program import Program
from agent.demo.waiting import SiteError, answers, free_port

VERSION = "2.6.0"
SHA256 = "12fd8fb806047415f22131f965c6ab4026a28dc63f7054e055c8f891950591d4"
"""Of its source distribution; Roundup needs no other package."""

NOBODY = 65534
REST_HEADERS = {"X-Requested-With": "rest"}
"""With `Origin` and `Referer`, what Roundup wants to see on every writing REST request."""

AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
# Its files, and perhaps Python itself, are in root's folders, which nobody may not even enter.
AS_NOBODY += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]


class Roundup:
    """One tracker in `folder`; `user` may file and change issues over `rest_url` with `password`.

    Issues have an `external_id`, which is their key: a second one with the same is refused (409).
    Raises SiteError if Roundup cannot be installed or does not come up.
    """

    user = "agent"
    password = "agent-of-a-throwaway-tracker"  # noqa: S105 - it lives on loopback, for minutes

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}/tracker/"
        self.rest_url = f"{self.url}rest/data"
        self.origin = f"http://127.0.0.1:{self.port}"
        self._home = self.folder / "tracker"
        self._library = installed()
        words = [sys.executable, "-m", "roundup.scripts.roundup_server", "-p", str(self.port)]
        words += ["-n", "127.0.0.1", "-t", "thread", f"tracker={self._home}"]
        # The server refuses to run as root.
        self._program = Program("roundup-server", AS_NOBODY * (os.getuid() == 0) + words, self.folder / "log")

    @property
    def pid(self) -> int | None:
        return self._program.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start, or start again on the same port with every issue it had."""
        if not self._home.exists():
            self._create()
        environment = _environment(self._library)
        self._program.start(lambda: answers("127.0.0.1", self.port), folder=self.folder, environment=environment)

    def stop(self) -> None:
        """At once: clients see a refused connection."""
        self._program.stop()

    def issues(self, external_id: str = "") -> list[dict[str, Any]]:
        """Every issue whose `external_id` contains that, oldest first, with its properties by name.

        `status` and `priority` are their names, `messages` the texts in order.
        """
        names = {
            link: {row["id"]: row["name"] for row in self._get(f"{link}?@fields=name")["collection"]}
            for link in ("status", "priority")
        }
        found = []
        wanted = f"issue?external_id={quote(external_id)}" if external_id else "issue"
        for number in sorted(int(row["id"]) for row in self._get(wanted)["collection"]):
            issue = {"id": str(number), **self._get(f"issue/{number}")["attributes"]}
            for link, of_this_link in names.items():
                issue[link] = of_this_link.get(issue[link]["id"]) if issue[link] else None
            texts = [self._get(f"msg/{message['id']}?@verbose=3") for message in issue["messages"]]
            issue["messages"] = [text["attributes"]["content"] for text in texts]
            found.append(issue)
        return found

    def _get(self, what: str) -> Any:
        answer = requests.get(
            f"{self.rest_url}/{what}", auth=(self.user, self.password), headers=REST_HEADERS, timeout=10
        )
        if not answer.ok:
            raise SiteError(f"Roundup answered {answer.status_code} to {what}: {answer.text[:300]}")
        return answer.json()["data"]

    def _create(self) -> None:
        self._home.parent.mkdir(parents=True, exist_ok=True)
        settings = f"tracker_web={self.url},mail_domain=localhost,web_api_failed_login_limit=0"
        # Every request logs in anew, and by default that alone keeps a processor busy for 0.1 s.
        settings += ",password_pbkdf2_default_rounds=1000"
        self._admin("install", "classic", "sqlite", settings)
        (self._home / "detectors" / "nosyreaction.py").unlink()  # it would send mail
        schema = self._home / "schema.py"
        classic = 'issue = IssueClass(db, "issue",\n'
        keyed = schema.read_text().replace(
            "assignedto=Link", "external_id=String(indexme='no'),\n                assignedto=Link", 1
        )
        if classic not in keyed or "external_id" not in keyed:
            raise SiteError(f"Roundup's classic template is not the one of version {VERSION}")
        schema.write_text(f'{keyed}\nissue.setkey("external_id")\n')
        self._admin("initialise", "admin-of-a-throwaway-tracker")
        mail = "address=agent@localhost"
        self._admin("create", "user", f"username={self.user}", f"password={self.password}", mail, "roles=User")

    def _admin(self, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "roundup.scripts.roundup_admin", "-i", self._home, *words],
            cwd=self.folder,
            env={**os.environ, **_environment(self._library)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise SiteError(f"roundup-admin {words[0]} failed:\n{done.stdout}{done.stderr}")


def installed() -> Path:
    """The folder to put on PYTHONPATH; installed by pip when it is not in the cache yet."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return kept(f"roundup-{VERSION}-python{python}", _install)


def _install(folder: Path) -> None:
    # Its build, too, takes what is here: the setuptools of our own lock.
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-build-isolation"]
    done = subprocess.run(
        [*words, "--root-user-action=ignore", "--target", folder, "--requirement", "/dev/stdin"],
        input=f"roundup=={VERSION} --hash=sha256:{SHA256}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SiteError(f"pip could not install Roundup {VERSION}:\n{done.stderr[-2000:]}")


def _environment(library: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(library), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
