"""The control API as one ASGI application: routes under /v1, described at /v1/openapi.json."""

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CollectorRegistry

from agent.runtime.control.admission import Admission
from agent.runtime.control.answer import speak_json
from agent.runtime.control.body import LIMIT
from agent.runtime.control.checks import checks
from agent.runtime.control.drills import drills
from agent.runtime.control.emergencies import acts_on_emergencies, emergencies
from agent.runtime.control.exercises import exercises
from agent.runtime.control.incidents import acts_on_incidents, approvals, incidents
from agent.runtime.control.port import Control
from agent.runtime.control.roles import Roles
from agent.runtime.control.treatments import treatments
from agent.runtime.control.whole import figures, whole

_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""Nothing leaves this machine because a variable happens to be set in the daemon's environment."""


def control_api(control: Control, roles: Roles, metrics: CollectorRegistry | None = None) -> FastAPI:
    """Served over `PeerProtocol`: without it nobody could say who acts. `metrics` also gives GET /metrics."""
    app = FastAPI(
        title="paramedic",
        version=version("paramedic"),
        openapi_url=None,  # a route of ours, which takes a role
        docs_url=None,
        redoc_url=None,
        max_body_size=LIMIT,
        telemetry=_NO_TELEMETRY,
    )
    app.state.admission = Admission(control, roles)
    speak_json(app)
    plans = (emergencies, acts_on_emergencies, exercises, drills)
    for nouns in (whole, incidents, acts_on_incidents, approvals, checks, treatments, *plans):
        app.include_router(nouns(control), prefix="/v1")
    if metrics is not None:
        app.include_router(figures(metrics))
    return app
