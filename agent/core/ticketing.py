"""What the ticket system is told of an incident, and when."""

from dataclasses import replace

from agent.core.draft import Draft
from agent.model.commands import Milestone, UpdateTicket
from agent.model.incident import Incident, Phase
from agent.model.text import some

_LISTED = 50
"""Symptoms and hosts named in a ticket; every update carries them."""


def tell(draft: Draft, incident: Incident, milestone: Milestone, text: str, *, whole: bool = False) -> Incident:
    """Queue an update of the incident's ticket; returns the incident with the update counted.

    `whole`: with everything known so far, for whoever reads the ticket first or has to take over.
    """
    if not draft.settings.has_tickets:
        return incident
    if whole:
        text = f"{text}\n\n{describe(incident)}"
    incident = draft.put_incident(replace(incident, updates=incident.updates + 1))
    draft.order(UpdateTicket(incident.id, incident.updates, milestone, text, fields=fields_of(incident)))
    return incident


def as_it_stands(incident: Incident) -> Milestone:
    """For what changes nothing: a ticket system may take a word on a solved ticket for a relapse (Roundup does), and
    must be told again that it is solved.
    """
    solved = {Phase.RESOLVED: Milestone.RESOLVED, Phase.CLOSED: Milestone.CLOSED}
    return solved.get(incident.phase, Milestone.UPDATED)


def fields_of(incident: Incident) -> dict[str, object]:
    """Values for the templates of a ticket system."""
    classification = incident.classification
    return {
        "id": incident.id,
        "title": incident.title,
        "description": describe(incident),
        "priority": str(classification.priority),
        "impact": str(classification.impact),
        "urgency": str(classification.urgency),
        "phase": str(incident.phase),
        "category": incident.category,
        "team": incident.team,
        "assignee": incident.assignee or "",
        "service": incident.service or "",
        "hosts": _hosts(incident),
        "origin": str(incident.origin),
        "exercise": incident.origin == "exercise",
    }


def _hosts(incident: Incident) -> list[str]:
    hosts = incident.hosts
    return [*hosts[:_LISTED], *([f"and {len(hosts) - _LISTED} more"] if len(hosts) > _LISTED else [])]


def describe(incident: Incident) -> str:
    """The file that goes with the incident: what is ill, and why it was judged as it was."""
    lines = [f"{incident.id}: {incident.title}", "", "Symptoms:"]
    ill_first = sorted(incident.symptoms, key=lambda symptom: symptom.cleared_at is not None)
    for symptom in ill_first[:_LISTED]:
        state = "well again" if symptom.cleared_at else symptom.status.name
        lines.append(f"- {symptom.key}: {state}" + (f": {symptom.message}" if symptom.message else ""))
    if len(ill_first) > _LISTED:
        lines.append(f"- and {len(ill_first) - _LISTED} more; {len(incident.ill)} of them all are ill")
    if incident.attempts:
        lines += ["", "Treatments so far:"]
        lines += [f"- {attempt.runbook} ({attempt.execution}): {attempt.outcome}" for attempt in incident.attempts]
    if incident.linked:
        lines += ["", f"Stands for: {some(incident.linked, _LISTED)}"]
    classification = incident.classification
    lines += [
        "",
        f"Priority {classification.priority} because {classification.impact_because};",
        f"{classification.urgency_because}.",
        f"Assigned to {incident.assignee or incident.team}.",
    ]
    return "\n".join(lines)
