"""The agent's own figures for Prometheus, read from its status when they are asked for."""

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.model.views import NeighbourState, Status


def registry(status: Callable[[], Status]) -> CollectorRegistry:
    """A registry of its own: the library's global one would add the interpreter's figures."""
    own = CollectorRegistry()
    own.register(_Figures(status))
    return own


class _Figures(Collector):
    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def describe(self) -> list[Metric]:
        """Nothing: the agent is not up yet when it is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        info = GaugeMetricFamily("paramedic_info", "Version of the agent.", labels=["version"])
        info.add_metric([status.version], 1)
        yield info
        yield _by("paramedic_open_incidents", "Open incidents.", "priority", _priorities(status))
        yield _by("paramedic_subjects", "Subjects of checks by confirmed status.", "status", status.verdicts)
        up = GaugeMetricFamily("paramedic_neighbour_up", "Whether a neighbour answers.", labels=["neighbour"])
        for one in status.neighbours:
            up.add_metric([one.name], one.state is NeighbourState.ANSWERS)
        yield up
        for name, meaning, value in (
            ("start_time_seconds", "When the agent started, seconds since the epoch.", status.started_at),
            ("blind_subjects", "Subjects whose check has not been askable for too long.", status.blind),
            ("frozen", "Whether all treatment is frozen.", status.freeze is not None),
            ("treatments_running", "Runbooks under way.", len(status.executions)),
            ("steps_running", "Runbook steps under way.", len(status.steps_under_way)),
            ("records", "Entries in the timeline.", status.records),
            ("commit_failing", "Whether decisions cannot be committed.", status.commit_error is not None),
            ("events_waiting", "Events not decided yet.", status.decisions.waiting),
            ("decision_lag_seconds", "For how long the oldest of them has waited.", status.decisions.behind),
            ("decision_lag_worst_seconds", "Longest wait for a decision since the start.", status.decisions.worst),
            ("decision_cpu_worst_seconds", "Processor time of the costliest decisions.", status.decisions.costliest),
            ("answers_superseded", "Answers out of date before they were decided.", status.decisions.superseded),
            ("check_lag_average_seconds", "Lag of the latest askings, worst check.", status.schedule.lag_average),
            ("check_lag_worst_seconds", "Longest lag since the start.", status.schedule.lag_worst),
            ("checks_late", "Askings that were due while the one before was not over.", status.schedule.late),
            ("checks_hanging", "Askings that have not returned in time.", len(status.schedule.hanging)),
            ("ticket_updates_waiting", "Updates the ticket system has not taken yet.", status.tickets.waiting),
            ("ticket_updates_set_aside", "Updates it will never take.", status.tickets.set_aside),
            ("messages_waiting", "Messages not delivered yet.", status.messages.waiting),
            ("messages_given_up", "Messages that never were delivered.", status.messages.given_up),
            ("ssh_connections", "SSH connections open.", status.ssh_connections),
        ):
            yield GaugeMetricFamily(f"paramedic_{name}", meaning, value=float(value))


def _by(name: str, meaning: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family


def _priorities(status: Status) -> dict[str, int]:
    none = {f"P{number}": 0 for number in range(1, 6)}
    return none | Counter(str(incident.classification.priority) for incident in status.incidents)
