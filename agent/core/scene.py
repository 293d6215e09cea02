"""What is given for a rehearsal: the incident, how steps and checks answer, what people say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from agent.core.variables import given_values
from agent.model.check import CheckRules, Confirm, LadderRung
from agent.model.execution import StepStatus, Treatment
from agent.model.inventory import Group, Host
from agent.model.quantities import CountOrShare
from agent.model.runbook import AskCheck, Runbook
from agent.model.service import Service
from agent.model.settings import LOCALHOST, Settings


class Course(StrEnum):
    """How a check answers once the incident is open."""

    AT_ONCE = "at once"
    NEVER = "never"
    UNKNOWN = "unknown"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Recovery:
    """When a check is well: at once, never, not to be asked, or after `step` has ended well on its host."""

    course: Course = Course.AT_ONCE
    step: str = ""


class Reaction(StrEnum):
    """What comes of a request for approval."""

    YES = "yes"
    NO = "no"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt of a step comes to. `status` None: judged by `exit`. `takes` in seconds."""

    exit: int | None = 0
    stdout: str = ""
    stderr: str = ""
    takes: float = 0.0
    status: StepStatus | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What is given. `answers` by step name, `STEP on HOST` or command, one for each attempt, the last for good.

    `approvals` by question or step name, `checks`: other checks than the incident's. `earlier`: per host, how
    many seconds ago this runbook treated it. What is not given goes well.
    """

    runbook: Runbook
    check: str = "check"
    hosts: tuple[str, ...] = ("host1",)
    service: str | None = None
    category: str = "general"
    variables: Mapping[str, object] = field(default_factory=dict)
    host_vars: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    answers: Mapping[str, tuple[Answer, ...]] = field(default_factory=dict)
    recovers: Recovery = Recovery()
    checks: Mapping[str, Recovery] = field(default_factory=dict)
    approvals: Mapping[str, Reaction] = field(default_factory=dict)
    earlier: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def runbook_of(scene: Scene) -> Runbook:
    """The runbook with the scene's values in place of its defaults. Raises ValueError for one it does not take."""
    values = given_values(scene.runbook, scene.variables)
    variables = {
        name: variable.model_copy(update={"default": values[name]}) if name in values else variable
        for name, variable in scene.runbook.vars.items()
    }
    return scene.runbook.model_copy(update={"vars": variables})


def settings_of(scene: Scene, runbook: Runbook) -> Settings:
    """The smallest configuration in which this runbook has a meaning."""
    names = {scene.check, *runbook.verify.checks, *scene.checks, *_asked(runbook)}
    rules = {name: CheckRules(name=name, kind="rehearsal", every=10.0, confirm=Confirm(1, 1)) for name in names}
    service = scene.service or (scene.check if len(scene.hosts) > 1 else None)  # it makes one incident of many hosts
    about = {"service": service, "category": scene.category, "ladder": (LadderRung(runbook=runbook.name),)}
    rules[scene.check] = rules[scene.check].model_copy(update=about)
    sort, _, named = runbook.hosts.partition(":")
    hosts = dict.fromkeys((*scene.hosts, LOCALHOST, *([named] if sort == "host" else [])))
    group = Group(name=named, hosts=scene.hosts, treat_at_once=CountOrShare(share=1.0))
    return Settings(
        checks=rules,
        hosts={name: Host(name=name, vars=dict(scene.host_vars)) for name in hosts},
        groups={named: group} if sort == "group" else {},
        services={service: Service(name=service, hosts=scene.hosts)} if service else {},
        runbooks={runbook.name: runbook},
    )


def _asked(runbook: Runbook) -> Iterator[str]:
    for step in (*runbook.treatment, *runbook.rollback):
        demand = step.action.demand()
        if isinstance(demand, AskCheck):
            yield demand.check


def earlier_treatments(scene: Scene, at: float) -> Iterator[Treatment]:
    """What this runbook did before the scene begins `at`."""
    for host, times in scene.earlier.items():
        for ago in times:
            yield Treatment(f"RUN-{ago:g}s-ago", scene.runbook.name, host, at - ago, effective=True)
