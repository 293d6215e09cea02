"""Drills: what they name must be there, and what they do must fit the form they take."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from agent.config.conditions import check_condition
from agent.config.library import Library
from agent.config.names import named, refer, refer_to_hosts
from agent.config.problem import Path, say_known
from agent.config.services import check_category
from agent.config.source import Folder
from agent.config.validation import validate
from agent.core.guard import Reason
from agent.model.drill import Drill, Expectation, Injection
from agent.model.quantities import say_duration
from agent.model.settings import LOCALHOST, Settings
from agent.model.text import some
from agent.plugin.probe import Probe


def read_drills(source: Folder, settings: Settings, library: Library, probes: Sequence[Probe] = ()) -> dict[str, Drill]:
    """Every drill, with its hosts and digest filled in. `settings` holds everything else, plans too; `probes`: what
    its checks ask.
    """
    asked: dict[str, list[str]] = {}
    for probe in probes:
        asked.setdefault(probe.check, []).append(probe.host.name)
    drills: dict[str, Drill] = {}
    for name, authored in named(source, "drills"):
        digest = hashlib.sha256(json.dumps(authored, sort_keys=True).encode()).hexdigest()
        drill, findings = validate(Drill, authored, ("drills", name), source.reach, {"name": name, "digest": digest})
        source.report_all(findings)
        if drill is not None:
            drills[name] = _Reader(source, settings, library, asked, drill).checked(is_whole=not findings)
    return drills


class _Reader:
    """Looks through one drill."""

    def __init__(
        self, source: Folder, settings: Settings, library: Library, asked: Mapping[str, Sequence[str]], drill: Drill
    ) -> None:
        self._source = source
        self._settings = settings
        self._library = library
        self._asked = asked
        self._drill = drill
        self._at: Path = ("drills", drill.name)
        self._allowed: tuple[str, ...] = ()

    def checked(self, *, is_whole: bool) -> Drill:
        """The drill with its hosts. `is_whole`: False where something is left out because it was wrong by itself."""
        drill = self._drill
        self._allowed = self._hosts()
        if drill.plan is not None:
            refer(self._source, (*self._at, "plan"), "plans", drill.plan)
        if drill.runbook is not None:
            self._refer_to_runbook((*self._at, "runbook"), drill.runbook)
        if drill.owner is not None:
            refer(self._source, (*self._at, "owner"), "teams", drill.owner)
        for index, check in enumerate(drill.steady_state.checks):
            refer(self._source, (*self._at, "steady_state", "checks", index), "checks", check)
        for index, injection in enumerate(drill.inject):
            self._check_injection((*self._at, "inject", index), injection)
        for index, expectation in enumerate(drill.expect):
            self._check_expectation((*self._at, "expect", index), expectation)
        for index, question in enumerate(drill.ask):
            self._refer_to_objective((*self._at, "ask", index, "objective"), question.objective)
        for index, condition in enumerate(drill.stop_if):
            check_condition(self._source, (*self._at, "stop_if", index), condition)
        for index, undo in enumerate(drill.rollback):
            self._check_allowed((*self._at, "rollback", index, "host"), undo.host)
        if is_whole:
            self._check_objectives()
            self._check_form()
        return drill.model_copy(update={"hosts": drill.hosts.model_copy(update={"names": self._allowed})})

    def _report(self, key: str, what: str, hint: str = "") -> None:
        self._source.report((*self._at, key), what, hint)

    def _hosts(self) -> tuple[str, ...]:
        hosts: dict[str, None] = {}
        for index, reference in enumerate(self._drill.hosts.allow):
            if refer_to_hosts(self._source, (*self._at, "hosts", "allow", index), reference):
                hosts |= dict.fromkeys(self._settings.hosts_of(reference))
        return tuple(hosts)

    def _check_injection(self, at: Path, injection: Injection) -> None:
        drill, answer = self._drill, injection.answer
        if drill.form == "live" and answer is not None:
            what = "a live drill breaks something real: it feeds no answer to a check"
            self._source.report((*at, "answer"), what, "write host, run and undo, or form: simulate")
        if drill.form == "simulate" and injection.run is not None:
            what = "a simulated drill runs nothing on any host"
            self._source.report((*at, "run"), what, "write answer: {check: …, host: …}, or form: live")
        if injection.host is not None:
            self._check_allowed((*at, "host"), injection.host)
        if injection.at >= drill.deadline:
            what = f"comes after {say_duration(injection.at)}, when the drill is over ({say_duration(drill.deadline)})"
            self._source.report((*at, "at"), what, "a later deadline, or an earlier fault")
        if answer is None:
            return
        refer(self._source, (*at, "answer", "check"), "checks", answer.check)
        if answer.host is not None:
            self._check_allowed((*at, "answer", "host"), answer.host)
        if answer.cleared_by is not None:
            self._refer_to_runbook((*at, "answer", "cleared_by"), answer.cleared_by)

    def _check_allowed(self, at: Path, host: str) -> None:
        if refer(self._source, at, "hosts", host) and host not in self._allowed:
            what = f"'{host}' is none of the hosts that this drill may touch"
            self._source.report(at, what, f"write host:{host} under hosts: allow, if that is meant")

    def _check_expectation(self, at: Path, expected: Expectation) -> None:
        source, deadline = self._source, self._drill.deadline
        if expected.detected is not None:
            refer(source, (*at, "detected"), "checks", expected.detected)
        if expected.category is not None:
            check_category(source, (*at, "category"), expected.category, self._settings.teams)
        if expected.assigned is not None:
            refer(source, (*at, "assigned"), "teams", expected.assigned)
        if expected.treated_with is not None:
            self._refer_to_runbook((*at, "treated_with"), expected.treated_with)
        if expected.refused is not None and expected.refused not in map(str, Reason):
            hint = say_known(expected.refused, map(str, Reason))
            source.report((*at, "refused"), f"there is no reason '{expected.refused}' for a refusal", hint)
        for key in ("plan", "stood_down"):
            if (plan := getattr(expected, key)) is not None:
                refer(source, (*at, key), "plans", plan)
        if expected.level is not None and expected.plan is None:
            source.report((*at, "level"), "no plan is expected here", "write plan: NAME beside it")
        for key in ("recovered", "ticket"):
            if getattr(expected, key) is False:
                source.report((*at, key), "only true can be expected", "leave the expectation out")
        self._check_role(at, expected)
        self._refer_to_objective((*at, "objective"), expected.objective)
        if expected.within is not None and expected.within > deadline:
            what = f"{say_duration(expected.within)} is later than the drill's deadline, {say_duration(deadline)}"
            source.report((*at, "within"), what, "a later deadline, or a shorter time")

    def _check_role(self, at: Path, expected: Expectation) -> None:
        """Whoever is to acknowledge must have a part in a plan of this drill."""
        role = expected.acknowledged
        names = [name for name in (self._drill.plan, *(each.plan for each in self._drill.expect)) if name]
        plans = [self._settings.plans[name] for name in names if name in self._settings.plans]
        if role is None or any(role in plan.roles for plan in plans):
            return
        if not names:
            what = "nobody is called without an emergency plan"
            self._source.report((*at, "acknowledged"), what, "write plan: NAME in this drill")
        elif plans:
            known = sorted({str(each) for plan in plans for each in plan.roles})
            what = f"plan '{plans[0].name}' has nobody as {role.said}"
            self._source.report((*at, "acknowledged"), what, say_known(role.value, known))

    def _check_objectives(self) -> None:
        used = {each.objective for each in self._drill.expect} | {each.objective for each in self._drill.ask}
        for name in self._drill.objectives:
            if name not in used:
                what = "nothing is expected or asked for this objective, so it could not be judged"
                hint = f"write objective: {name} beside an expectation"
                self._source.report((*self._at, "objectives", name), what, hint)

    def _check_form(self) -> None:
        drill = self._drill
        if drill.form == "tabletop":
            for key in ("inject", "expect", "rollback", "stop_if"):
                if getattr(drill, key):
                    self._report(key, "a tabletop does nothing, so nothing comes of it", "leave it out, and ask people")
            if not drill.ask:
                self._report("ask", "a tabletop asks people", "write ask: and under it a list of {ask: …, good: …}")
            return
        if drill.ask:
            self._report("ask", f"nobody is asked in a drill of form {drill.form}", "write form: tabletop")
        if not drill.inject:
            self._report("inject", "nothing happens in this drill", "write inject: and under it the faults")
        if not drill.expect:
            self._report("expect", "nothing is expected, so nothing could be judged", "write expect: - recovered: true")
        if drill.form == "live":
            self._check_live()
        elif drill.rollback:
            self._report("rollback", "a simulated drill runs nothing on any host", "leave it out, or form: live")

    def _check_live(self) -> None:
        drill = self._drill
        if "deadline" not in drill.model_fields_set:
            self._report("deadline", "a live drill needs a deadline", "write deadline: 5m")
        if not drill.hosts.allow:
            hint = "write hosts: {allow: [host:NAME], most: 1}"
            self._report("hosts", "a live drill needs the hosts that it may touch", hint)
        if not drill.steady_state.checks:
            what = "a live drill needs checks that are well before and after"
            self._report("steady_state", what, "write steady_state: {checks: [NAME]}")
        for index, check in enumerate(drill.steady_state.checks):
            self._check_steady((*self._at, "steady_state", "checks", index), check)
        plan = self._settings.plans.get(drill.plan or "")
        unseen = [host for host in plan.hosts if host not in self._allowed] if plan else []
        if plan and unseen and drill.hosts.allow:
            what = f"plan '{plan.name}' would see only a part of its hosts, not {some(unseen)}"
            hint = "write them all, and under most how many of them may be touched"
            self._source.report((*self._at, "hosts", "allow"), what, hint)
        hosts = {each.host for each in drill.inject} | {each.host for each in drill.rollback}
        hosts &= set(self._allowed)
        if len(hosts) > drill.hosts.most:
            what = f"{len(hosts)} hosts are touched, and most says {drill.hosts.most}"
            self._source.report((*self._at, "hosts", "most"), what, f"write most: {len(hosts)}, if that is meant")

    def _check_steady(self, at: Path, check: str) -> None:
        """A check of which nothing could be asked during the drill would show nothing."""
        hosts = [host for host in self._asked.get(check, ()) if host != LOCALHOST]
        if hosts and self._allowed and set(hosts).isdisjoint(self._allowed):
            what = f"'{check}' asks {some(hosts)}, and none of these is a host of this drill"
            hint = f"write host:{hosts[0]} under hosts: allow; most says how many may be touched"
            self._source.report(at, what, hint)

    def _refer_to_objective(self, at: Path, name: str | None) -> None:
        if name is not None:
            self._refer_to(at, name, self._drill.objectives, "objective", "write it under objectives: NAME: what it is")

    def _refer_to_runbook(self, at: Path, name: str) -> None:
        if self._library.is_whole:
            known = dict.fromkeys(self._library.names)
            self._refer_to(at, name, known, "runbook", "no runbook was found in the runbook folders")

    def _refer_to(self, at: Path, name: str, known: Mapping[str, object], what: str, otherwise: str) -> None:
        if name not in known:
            self._source.report(at, f"there is no {what} '{name}'", say_known(name, known, otherwise))
