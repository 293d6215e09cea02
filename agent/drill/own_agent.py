"""The drill's own agent: the production one, with fenced parts where it meets the world."""

from collections.abc import Callable
from pathlib import Path

from agent.app import App
from agent.config.configuration import Configuration
from agent.drill.fence import CheckShell, Fence, NoShell, StepShell
from agent.drill.record import DrillRecord
from agent.drill.scope import for_the_drill, probes_of
from agent.drill.simulation import OnlyItsHosts, Simulation
from agent.drill.steady import SteadyState
from agent.drill.steps import fenced, recorded_only
from agent.drill.tickets import MarkedTickets, UnfiledTickets
from agent.drill.ways import Ways
from agent.model.drill import Drill
from agent.plugin.api import TicketSystem
from agent.runtime.outside import Outside
from agent.runtime.service_manager import ServiceManager


class OwnAgent:
    """Made once for a drill; `folder`: the drill's state folder, named after its id."""

    def __init__(
        self,
        configuration: Configuration,
        drill: Drill,
        folder: Path,
        record: DrillRecord,
        fence: Fence,
        simulation: Simulation,
    ) -> None:
        self._drill = drill
        self._record = record
        self._fence = fence
        self._simulation = simulation
        self._hosts = configuration.settings.hosts
        tickets = _tickets(configuration, folder.name, record)
        self._configuration = for_the_drill(configuration, drill, folder, tickets)

    @property
    def socket(self) -> Path:
        """Where people acknowledge, tick and ask during the drill."""
        return self._configuration.agent.socket

    def app(self, failed: Callable[[], None]) -> App:
        """Not started yet. `failed`: see `App`."""
        return App(self._configuration, ServiceManager({}), failed=failed, outside=self._outside())

    def steady_state(self, ways: Ways, now: Callable[[], float]) -> SteadyState:
        """The drill's own question to its checks, by the same ways that its agent has."""
        checks = self._drill.steady_state.checks
        probes = probes_of(self._configuration, self._drill, checks)
        interviewer = ways.interviewer(self._outside().interviewer)
        return SteadyState(checks, self._configuration.settings, probes, interviewer, now)

    def _outside(self) -> Outside:
        fence, record = self._fence, self._record
        if self._drill.form == "simulate":
            return Outside(
                step_shell=lambda real: NoShell(),
                check_shell=lambda real: NoShell(),
                interviewer=self._simulation.interviewer(self._configuration.probes),
                step_kind=recorded_only,
                record=record.over,
            )
        return Outside(
            step_shell=lambda real: StepShell(fence, real),
            check_shell=lambda real: CheckShell(fence, real),
            interviewer=OnlyItsHosts(fence),
            step_kind=fenced(fence, self._hosts),
            record=record.over,
        )


def _tickets(configuration: Configuration, id: str, record: DrillRecord) -> TicketSystem | None:
    if configuration.tickets is None:
        return None
    if configuration.drill_tickets is None:
        return UnfiledTickets(noted=record.note)
    return MarkedTickets(queue=configuration.drill_tickets, drill=id)
