"""A shop of four hosts with an emergency plan, and the people who are called."""

from dataclasses import replace
from typing import Any

from agent.model import events
from agent.model.incident import Incident
from agent.model.people import Person
from agent.model.plan import (
    Call,
    Condition,
    Level,
    LevelRules,
    Plan,
    PlanAction,
    PlanPhase,
    PlanRole,
    Scope,
    StandDown,
)
from agent.model.runbook import Runbook
from agent.model.service import Criticality, Service
from agent.model.settings import Settings
from tests.core.ward import Ward, check, runbook, settings

HOSTS = ("web1", "web2", "web3", "web4")
HALF_ILL = Condition.model_validate({"hosts_healthy": "below 60%", "for": 10.0})
ROLES = {PlanRole.COMMANDER: ("carla", "dan"), PlanRole.TECHNICAL_LEAD: ("tim",), PlanRole.LIAISON: ("lea",)}


def condition(**keys: Any) -> Condition:
    return Condition.model_validate({"for" if key == "lasting" else key: value for key, value in keys.items()})


def level(*any_of: Condition, every: tuple[Condition, ...] = ()) -> LevelRules:
    return LevelRules(any=any_of, all=every)


def call(tell: str, within: float | None = 60.0, *then: Call, **more: Any) -> Call:
    return Call(tell=tell, within=within, then=then, **more)


def action(name: str, **more: Any) -> PlanAction:
    return PlanAction(name=name, **more)


def plan(name: str = "shop-down", **more: Any) -> Plan:
    """Level II while half the hosts of shop are ill for 10 s; level I only by a person; over after 30 s."""
    return Plan(
        **{
            "name": name,
            "title": "The shop is down",
            "owner": "operations",
            "scope": Scope(services=("shop",)),
            "roles": ROLES,
            "levels": {Level.I: LevelRules(), Level.II: level(HALF_ILL)},
            "stand_down": StandDown.model_validate({"for": 30.0}),
            "hosts": HOSTS,
            "digest": f"digest of {name}",
            "report_every": 600.0,
            "fallback": "switch to the static page by hand",
            **more,
        }
    )


def phases(*contain: PlanAction, recover: tuple[PlanAction, ...] = ()) -> dict[PlanPhase, tuple[PlanAction, ...]]:
    return {PlanPhase.CONTAIN: contain, PlanPhase.RECOVER: recover}


def site(*plans: Plan, runbooks: tuple[Runbook, ...] = (), ladder: tuple[str, ...] = (), **more: Any) -> Settings:
    """Check `web` of service shop on four hosts, `disk` of none, `mail` of another service; no ladders by default."""
    found = settings(
        [
            check("web", service="shop", ladder=ladder),
            check("disk", category="storage"),
            check("mail", service="post"),
        ],
        [*runbooks, *(() if "revive" in {book.name for book in runbooks} else (runbook("revive"),))],
        services=[
            Service(name="shop", hosts=HOSTS, criticality=Criticality.HIGH, users=200),
            Service(name="post", hosts=("web1", "post1")),
        ],
        hosts=(*HOSTS, "db1", "post1"),
        **more,
    )
    people = {
        name: Person(name=name, notify=(f"{name}-phone",), title=name.title()) for name in ("carla", "dan", "tim")
    }
    return replace(found, people=people, plans={each.name: each for each in (plans or (plan(),))})


def all_well(ward: Ward) -> None:
    ward.gets_well("web", *HOSTS)
    ward.gets_well("disk", *HOSTS)


def begun(*plans: Plan, **more: Any) -> Ward:
    """All was well, then web1 and web2 fell ill, for long enough that the plan is at work."""
    ward = Ward(site(*plans, **more))
    all_well(ward)
    ward.falls_ill("web", "web1", "web2")
    ward.later(10)
    assert ward.plan().stage.is_active
    return ward


def major(ward: Ward, id: str = "PLAN-1") -> Incident:
    return ward.incident(ward.plan(id).incident)


def activate(ward: Ward, level: Level = Level.II, name: str = "shop-down", actor: str = "carla") -> bool:
    return ward.person(events.ActivatePlan(name, level, "I saw smoke"), actor)


def told(ward: Ward, target: str) -> list[str]:
    return [message.subject for message in ward.messages if message.target == target]
