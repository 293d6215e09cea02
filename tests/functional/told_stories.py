"""A story with everything in it, as the engine words it, for tests of what people are shown."""

from agent.model.execution import Execution, HostRun, Outcome, RunPhase
from agent.model.health import Key
from agent.model.incident import Attempt, Incident, Origin, Phase, Symptom, TicketRef
from agent.model.observation import Verdict
from agent.model.priority import Classification, Impact, Priority, Urgency
from agent.model.timeline import AGENT, Entry, EntryKind
from agent.model.views import StoredEntry, Story

NOTICED = 1_763_658_668.0
"""Thu 20 Nov 2025 17:11:08 UTC."""

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[31m[red]all is well[/red]\u202e\u0000 \udcff\r\nINC-13"
"""What a server may answer: terminal escapes, Rich markup, a bidirectional override, NUL, an undecodable byte."""

JUDGED = Classification(
    impact=Impact.EXTENSIVE,
    urgency=Urgency.HIGH,
    priority=Priority.P1,
    impact_because=(
        "impact extensive: 2 of 3 hosts of shop (67%) × criticality vital (4) × 1200 users = 3200, extensive from 1000"
    ),
    urgency_because="urgency high: web on web1 is critical",
    priority_because="priority P1: impact extensive × urgency high",
)

INCIDENT = Incident(
    id="INC-12",
    origin=Origin.MONITORING,
    phase=Phase.ESCALATED,
    title="web on web1 is CRITICAL: connection refused",
    category="web",
    opened_at=NOTICED,
    classification=JUDGED,
    team="web-team",
    cause="web",
    service="shop",
    symptoms=(
        Symptom(Key("web", "web1"), "web1", "shop", Verdict.CRITICAL, NOTICED - 20, "connection refused"),
        Symptom(
            Key("web", "web2"), "web2", "shop", Verdict.CRITICAL, NOTICED + 1, "status 502", cleared_at=NOTICED + 64.5
        ),
    ),
    attempts=(
        Attempt("RUN-6", "reload-web", "not recovered", NOTICED + 32.4),
        Attempt("RUN-7", "restart-web", "declined", NOTICED + 932.6),
    ),
    acknowledged_by="alice",
    acknowledged_at=NOTICED + 44,
    ticket=TicketRef("77", "https://tracker.example/issue77"),
)


def _run(host: str, outcome: Outcome | None, reason: str = "", phase: RunPhase = RunPhase.ENDED) -> HostRun:
    return HostRun(host, phase=phase, outcome=outcome, reason=reason, started_at=NOTICED + 1)


RELOAD = Execution(
    id="RUN-6",
    runbook="reload-web",
    digest="d0" * 32,
    incident="INC-12",
    started_at=NOTICED + 0.01,
    actor=AGENT,
    runs=(_run("web1", Outcome.NOT_RECOVERED, "still critical after 30s"),),
    batch=1,
    serial=1,
    outcome=Outcome.NOT_RECOVERED,
    ended_at=NOTICED + 32.4,
)
RESTART = Execution(
    id="RUN-7",
    runbook="restart-web",
    digest="d1" * 32,
    incident="INC-12",
    started_at=NOTICED + 32.5,
    actor=AGENT,
    runs=(_run("web1", Outcome.DECLINED, "nobody answered within 15m"), _run("web2", Outcome.RECOVERED)),
    batch=1,
    serial=2,
    outcome=Outcome.DECLINED,
    ended_at=NOTICED + 932.6,
)


def _entries() -> list[Entry]:
    entries: list[Entry] = []

    def tell(after: float, kind: EntryKind, text: str, actor: str = AGENT, **data: object) -> None:
        entries.append(Entry(NOTICED + after, "INC-12", kind, text, actor, data))

    def step(
        after: float, host: str, name: str, said: str, status: str = "ok", run: str = "RUN-6", **data: object
    ) -> None:
        tell(
            after,
            EntryKind.STEP,
            f"{host}: {name}: {said}",
            **{"execution": run, "host": host, "step": name, "status": status, "evidence": False, **data},
        )

    journal = "\n".join(
        f"Nov 20 17:1{n % 10}:00 web1 nginx[812]:\tworker {n} exited on signal 9" for n in range(1, 201)
    )
    tell(
        0, EntryKind.NOTICED, "web on web1 is CRITICAL: connection refused (confirmed: 2)", check="web", subject="web1"
    )
    tell(0, EntryKind.OPENED, "web on web1 is CRITICAL: connection refused (web)")
    tell(0, EntryKind.CLASSIFIED, JUDGED.because, impact="extensive", urgency="high", priority="P1")
    tell(0, EntryKind.ASSIGNED, "assigned to web-team: it owns category web", team="web-team")
    tell(0.01, EntryKind.TREATMENT, "reload-web starts on web1 (RUN-6)", execution="RUN-6", runbook="reload-web")
    step(0.4, "web1", "last messages of nginx", "ok in 310ms", evidence=True, stdout=journal, stderr="")
    step(0.9, "web1", "configuration is sound", "ok in 95ms", stdout="syntax is ok", stderr="")
    tell(1.0, EntryKind.JOINED, "web on web2 is CRITICAL: status 502, same service", check="web", subject="web2")
    tell(1.2, EntryKind.TICKET, "ticket 77 https://tracker.example/issue77")
    step(
        1.9,
        "web1",
        "reload",
        "failed (exit 1): Job for nginx.service failed.",
        status="failed",
        stdout="",
        stderr="Job for nginx.service failed.\nSee \x1b[1mjournalctl -xe\x1b[0m for details.\n",
    )
    tell(1.9, EntryKind.ROLLBACK, "web1: rolling back, step 'reload' failed", execution="RUN-6", host="web1")
    step(2.2, "web1", "serve the maintenance page", "ok in 120ms", section="rollback")
    tell(
        32.4,
        EntryKind.VERIFICATION,
        "web1: after the rollback not recovered: web on web1 still critical after 30s",
        execution="RUN-6",
        host="web1",
        outcome="not recovered",
    )
    tell(
        32.4,
        EntryKind.TREATMENT,
        "reload-web ended (RUN-6): not recovered: still critical after 30s",
        execution="RUN-6",
        outcome="not recovered",
    )
    tell(
        32.5, EntryKind.TREATMENT, "restart-web starts on web1, web2 (RUN-7)", execution="RUN-7", runbook="restart-web"
    )
    tell(
        32.5,
        EntryKind.REFUSED,
        "web2 waits: host busy: web2 is treated by RUN-5",
        reason="host busy",
        execution="RUN-7",
    )
    tell(
        32.6,
        EntryKind.APPROVAL,
        "web1: waiting up to 15m for somebody of web-team to approve: may the shop be restarted?",
        execution="RUN-7",
        host="web1",
        question="may the shop be restarted?",
    )
    tell(44, EntryKind.ACKNOWLEDGED, "acknowledged by alice", "alice")
    tell(61, EntryKind.NOTE, "the vendor says [bold]do not[/bold] restart yet", "alice")
    tell(64.5, EntryKind.RECOVERED, "web on web2 is well again: status 200 in 4ms")
    tell(932.6, EntryKind.APPROVAL, "web1: nobody answered within 15m: escalate", execution="RUN-7", host="web1")
    tell(
        932.6,
        EntryKind.TREATMENT,
        "restart-web ended (RUN-7): declined: nobody answered within 15m",
        execution="RUN-7",
        outcome="declined",
    )
    tell(
        932.6,
        EntryKind.ESCALATED,
        "handed to web-team: restart-web: declined: nobody answered within 15m",
        to="web-team",
    )
    tell(25_000, EntryKind.NOTE, "night shift: still waiting for the vendor", "root (for bob)")
    return entries


def chained(entries: list[Entry]) -> tuple[StoredEntry, ...]:
    return tuple(StoredEntry(seq, entry, f"{seq:064x}") for seq, entry in enumerate(entries, 1))


STORY = Story(INCIDENT, (RELOAD, RESTART), chained(_entries()))

BY_HAND = Execution(
    id="RUN-3",
    runbook="restart-unit",
    digest="d2" * 32,
    incident=None,
    started_at=NOTICED,
    actor="alice",
    runs=(_run("web1", None, phase=RunPhase.APPROVAL),),
    batch=0,
    serial=1,
    variables={"unit": "nginx.service"},
    override="the vendor asked for it",
)
BY_HAND_STORY = Story(
    None,
    (BY_HAND,),
    chained(
        [
            Entry(
                NOTICED,
                "RUN-3",
                EntryKind.TREATMENT,
                "restart-unit starts on web1 (RUN-3), guards overruled: the vendor asked for it",
                "alice",
                {"execution": "RUN-3"},
            )
        ]
    ),
)
