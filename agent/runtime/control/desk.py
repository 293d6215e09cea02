"""The agent's side of the control API: acts go to the deciding loop, questions are answered from what is known."""

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future
from concurrent.futures import wait as wait_for
from dataclasses import replace
from importlib.metadata import version

from agent.config.configuration import Configuration
from agent.core.state import State
from agent.errors import StoreError
from agent.model.check import CheckRules
from agent.model.decision import Reply
from agent.model.events import Act, PersonActed, Refused
from agent.model.health import Health, Key
from agent.model.incident import Incident
from agent.model.observation import Observation, Verdict
from agent.model.views import (
    ChainView,
    CheckView,
    RunbookView,
    ScheduleView,
    Status,
    Story,
    SubjectView,
)
from agent.runtime.clock import elapsed
from agent.runtime.control.emergency_desk import EmergencyDesk
from agent.runtime.control.on_disk import OnDisk
from agent.runtime.control.port import AgentBusy, AgentStopping, IncidentQuery
from agent.runtime.control.spoken import fit_for_the_record, refuse_secrets
from agent.runtime.control.surroundings import messages_view, neighbour_views, tickets_view
from agent.runtime.control.told import chain_of, story_from
from agent.runtime.drills import Drilling
from agent.runtime.loop import Loop
from agent.runtime.neighbours import Neighbours
from agent.runtime.performer import Performer
from agent.runtime.prober import Prober
from agent.runtime.redaction import Redactor
from agent.runtime.ssh import SshPool
from agent.runtime.store import Store
from agent.runtime.telling import Telling, Told

log = logging.getLogger("paramedic.control")

_ACT_WITHIN = 15.0
_LAST_ACT_WITHIN = 1.0
"""Seconds that an act under way may take when the agent stops."""
_POLL = 0.02
_EMERGENCIES = 20
"""That status tells of."""
_NOT_BEGUN = "the agent did not come to it in time, and will not do it; `paramedic status` may say why"
_NOT_IN_TIME = "the agent has not answered in time, what was asked may still be done; `paramedic status` may say why"


class Desk:
    """Implements `Control`. Other threads than the deciding one read copies of the state's dictionaries, which
    are taken in one step of the interpreter."""

    def __init__(
        self,
        configuration: Configuration,
        loop: Loop,
        store: Store,
        prober: Prober,
        performer: Performer,
        telling: Telling,
        ssh: SshPool,
        redactor: Redactor,
        neighbours: Neighbours,
        now: Callable[[], float],
        reload: Callable[[str], Reply],
        drills: Drilling,
    ) -> None:
        self.drills = drills
        self.configuration = configuration
        self._loop = loop
        self._store = store
        self._prober = prober
        self._performer = performer
        self._telling = telling
        self._ssh = ssh
        self._redactor = redactor
        self._neighbours = neighbours
        self._now = now
        self._reload = reload
        self.emergencies = EmergencyDesk(lambda: self._state, store, now)
        self._began = elapsed()
        self._on_disk = OnDisk()
        self._head = (0, "")
        self._unreadable: str | None = None
        self._closing: Future[Reply | None] = Future()

    def close(self) -> None:
        """The agent stops: whoever waits for an answer soon gets one. Once."""
        self._closing.set_result(None)

    @property
    def _state(self) -> State:
        return self._loop.state

    def act(self, actor: str, act: Act) -> Reply:
        refused = refuse_secrets(act, self._redactor)
        if refused is not None:
            return refused
        act = fit_for_the_record(act, self._redactor)
        return self._fit(self._answer(self._loop.ask(lambda: PersonActed(self._now(), actor, act, self._closed(act)))))

    def refused(self, actor: str, text: str) -> None:
        self._loop.post(Refused(self._now(), actor, self._redactor.redact(text)))

    def reload(self, actor: str) -> Reply:
        return self._fit(self._reload(actor))

    def status(self) -> Status:
        state = self._state
        health = list(state.health.values())
        (records, head), told, unreadable = self._on_record()
        lags = list(self._prober.lags().values())
        return Status(
            version=version("paramedic"),
            pid=os.getpid(),
            started_at=self._now() - (elapsed() - self._began),
            now=self._now(),
            config=str(self.configuration.folder),
            store=str(self.configuration.agent.state_dir),
            records=records,
            head=head,
            commit_error=self._loop.commit_error or unreadable,
            freeze=state.freeze,
            incidents=tuple(i for i in list(state.incidents.values()) if i.phase.is_open),
            executions=tuple(state.executions.values()),
            checks=len(state.settings.checks),
            hosts=len(state.settings.hosts),
            verdicts=dict(Counter(_status_name(one) for one in health)),
            blind=sum(1 for one in health if one.blind_since is not None),
            tickets=tickets_view(told.tickets, configured=self._telling.outbox is not None),
            messages=messages_view(told.messages, targets=len(state.settings.targets)),
            schedule=ScheduleView(
                probes=len(self.configuration.probes),
                waiting=self._prober.waiting,
                lag_average=max((lag.average for lag in lags), default=0.0),
                lag_worst=max((lag.worst for lag in lags), default=0.0),
                late=sum(lag.late for lag in lags),
                hanging=self._prober.hanging(),
            ),
            neighbours=tuple(neighbour_views(self._neighbours.views(self._now()), told, self._redactor.redact)),
            ssh_connections=self._ssh.stats().connections,
            decisions=self._loop.backlog(),
            steps_under_way=self._performer.under_way,
            changed_runbooks=self._on_disk.changed(self.configuration),
            emergencies=tuple(self.emergencies.emergencies(all=False, limit=_EMERGENCIES)),
            exercises=tuple(state.exercises.values()),
        )

    def incidents(self, query: IncidentQuery) -> Sequence[Incident]:
        return self._store.incidents(
            open_only=not query.all,
            service=query.service,
            priority=query.priority,
            since=query.since,
            limit=query.limit,
        )

    def story(self, about: str) -> Story | None:
        return story_from(self._store, about)

    def checks(self) -> Sequence[CheckView]:
        health: dict[str, list[Health]] = {}
        for one in list(self._state.health.values()):
            health.setdefault(one.key.check, []).append(one)
        rules = self._state.settings.checks
        return [self._check(rules[name], health.get(name, [])) for name in sorted(rules)]

    def ask(self, check: str, host: str | None) -> Sequence[Observation] | None:
        rules = self._state.settings.checks.get(check)
        probes = [p for p in self.configuration.probes if p.check == check and host in (None, p.host.name)]
        if rules is None or not probes:
            return None
        asked_at = self._now()
        self._prober.ask_now([Key(check, host or "")] if host else [Key(check, p.host.name) for p in probes])
        deadline = time.monotonic() + 2 * rules.timeout + 1
        silent = {p.scope: p.host.name for p in probes}
        found: list[Observation] = []
        while silent and time.monotonic() < deadline:
            if wait_for([self._closing], _POLL).done:
                raise AgentStopping
            for scope, answers in self._answers_since(rules, asked_at, silent).items():
                del silent[scope]
                found += answers
        if not found:
            raise AgentBusy(f"{check} has not answered yet; `paramedic checks list {check}` will show it")
        # Who asked for all must not take the answers of some for them.
        missing = [
            Observation(check, at, at, Verdict.UNKNOWN, asked_at, "has not answered yet") for at in silent.values()
        ]
        return [*found, *missing]

    def runbooks(self) -> Sequence[RunbookView]:
        configuration = self.configuration
        settings, changed = configuration.settings, self._on_disk.changed(configuration)
        return [
            RunbookView(
                name=name,
                description=runbook.description,
                digest=runbook.digest,
                hosts=runbook.hosts,
                used_by=tuple(c.name for c in settings.checks.values() if name in c.runbooks),
                text=runbook.text,
                signed_by=runbook.signed_by,
                changed_on_disk=name in changed,
            )
            for name, runbook in sorted(settings.runbooks.items())
        ]

    def verify_records(self) -> ChainView:
        return chain_of(self._store)

    # the rest

    def _fit(self, reply: Reply) -> Reply:
        """It may repeat what was said, or written."""
        return replace(reply, text=self._redactor.redact(reply.text))

    def _closed(self, act: Act) -> Incident | None:
        """Read in the deciding thread, between two commits: the state forgets a closed incident before that is on
        record, and what is decided on an older version of it contradicts the record.
        """
        id = getattr(act, "incident", None)
        return self._store.incident(id) if isinstance(id, str) and id not in self._state.incidents else None

    def _answer(self, answer: "Future[Reply | None]") -> Reply:
        wait_for([answer, self._closing], _ACT_WITHIN, FIRST_COMPLETED)
        if self._closing.done():
            wait_for([answer], _LAST_ACT_WITHIN)
        if not answer.done():
            # Who hears that nothing came of it asks again: it must not be done later, and then twice.
            if answer.cancel():
                raise AgentBusy(_NOT_BEGUN)
            raise AgentStopping if self._closing.done() else AgentBusy(_NOT_IN_TIME)
        reply = answer.result()
        return reply or Reply(False, "the agent had nothing to say to this")

    def _on_record(self) -> tuple[tuple[int, str], Told, str | None]:
        """Head of the record and how far telling is, and why they cannot be read: then the last known head."""
        try:
            self._head, told = self._store.head(), self._telling.state()
        except StoreError as error:
            if str(error) != self._unreadable:
                log.critical("the record cannot be read: %s", error)
            self._unreadable = str(error)
            return self._head, Told(), self._unreadable
        self._unreadable = None
        return self._head, told, None

    def _answers_since(
        self, rules: CheckRules, asked_at: float, scopes: Collection[str]
    ) -> Mapping[str, Sequence[Observation]]:
        """By scope; those that have not answered are left out."""
        found: dict[str, list[Observation]] = {}
        for one in list(self._state.health.values()):
            window = self._state.windows.get(one.key)
            if one.key.check == rules.name and one.scope in scopes and window and window.asked_at >= asked_at:
                verdict = Verdict.UNKNOWN if window.last_verdict is None else window.last_verdict
                found.setdefault(one.scope, []).append(
                    Observation(rules.name, one.key.subject, one.host, verdict, window.asked_at, window.message)
                )
        return found

    def _check(self, rules: CheckRules, health: Sequence[Health]) -> CheckView:
        return CheckView(
            name=rules.name,
            kind=rules.kind,
            description=rules.description,
            every=rules.every,
            service=rules.service,
            ladder=rules.runbooks,
            subjects=tuple(self._subject(one) for one in sorted(health, key=lambda one: one.key)),
        )

    def _subject(self, one: Health) -> SubjectView:
        window = self._state.windows.get(one.key)
        return SubjectView(
            subject=one.key.subject,
            host=one.host,
            status=one.status,
            last=window.last_verdict if window else None,
            since=one.since,
            asked_at=window.asked_at if window else None,
            value=one.value,
            message=(window.message if window else "") or one.message,
            blind=one.blind_since is not None,
            flapping=one.flapping,
        )


def _status_name(one: Health) -> str:
    return one.status.name if one.status is not None else "unconfirmed"
