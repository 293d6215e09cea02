"""People around the agent: they break things, mend by hand what is handed to them, and talk to the agent."""

import random
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from agent.cli.agent_client import AgentClient, NoAgent
from agent.cli.exits import Failure
from torture.diary import Act, Break, Diary
from torture.eyes import Episode, Eyes
from torture.site import Site

_PATIENCE = 20.0
"""Seconds to wait for the agent's answer."""


class People:
    """`diary` keeps whatever they do."""

    def __init__(self, site: Site, eyes: Eyes, diary: Diary, chance: random.Random) -> None:
        self._site, self._eyes, self._diary, self._chance = site, eyes, diary, chance
        self._talker = ThreadPoolExecutor(1, "person")
        self._talking: Future[None] | None = None
        self._number = 0
        self.closed = False

    def close(self) -> None:
        """Wait for the last answer."""
        self._talker.shutdown(wait=True)

    def break_something(self, most: int) -> None:
        """At most so many patients are ill at once."""
        if self.closed:
            return
        well = [patient for patient in self._site.patients if self._eyes.ill(patient) is None]
        if not well or len(self._site.patients) - len(well) >= most:
            return
        patient = self._chance.choice(well)
        made = Break(patient.name, patient.host.name, self._eyes.head[0])
        self._diary.breaks.append(made)
        self._eyes.episodes[patient.key] = Episode(patient, made)
        patient.fall_ill()

    def mend(self) -> None:
        """What the agent handed to a person."""
        for episode in self._eyes.episodes.values():
            handed_over = episode.incident and self._eyes.open.get(episode.incident) == "escalated"
            if handed_over and episode.made.cured_by is None and episode.patient.is_ill:
                episode.made.cured_by = "a person"
                episode.patient.cure()

    @property
    def are_talking(self) -> bool:
        return self._talking is not None and not self._talking.done()

    def talk(self) -> None:
        """Say something to the agent, unless its last answer is still awaited."""
        if self.closed or self.are_talking or self._settle_report():
            return
        self._number += 1
        token = f"word{self._number}-{self._chance.randrange(1 << 32):08x}"
        if self._chance.random() < 0.2:
            self._begin(Act("report", token), "incidents", body={"title": f"somebody says {token}"})
        elif self._eyes.open:
            incident = self._chance.choice(sorted(self._eyes.open))
            self._begin(Act("note", token, incident), "incidents", incident, "note", body={"text": f"noted {token}"})

    def settle(self) -> None:
        """Say nothing new, and break nothing more; bring to an end what was begun."""
        self.closed = True
        if not self.are_talking:
            self._settle_report()

    def _settle_report(self) -> bool:
        """No check can clear what a person reported: a person resolves it."""
        open_now = self._eyes.open
        found = next((id for id in self._eyes.reported if open_now.get(id) == "escalated"), None)
        if found:
            self._talking = self._talker.submit(self._resolve, found)
        return found is not None

    def _resolve(self, incident: str) -> None:
        self._ask("incidents", incident, "resolve", body={"reason": "it was nothing"})

    def _begin(self, act: Act, *path: str, body: dict[str, Any]) -> None:
        self._diary.acts.append(act)
        self._talking = self._talker.submit(self._say, act, path, body)

    def _say(self, act: Act, path: tuple[str, ...], body: dict[str, Any]) -> None:
        act.answer, about = self._ask(*path, body=body)
        act.about = about or act.about

    def _ask(self, *path: str, body: dict[str, Any]) -> tuple[str | None, str | None]:
        """ok, refused or None; and what it was about."""
        try:
            reply = AgentClient([self._site.socket], within=_PATIENCE).post(*path, body=body)
        except NoAgent:
            return None, None
        except Failure:
            return "refused", None
        return "ok", reply.get("about")
