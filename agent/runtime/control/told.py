"""What the record tells, with or without a running agent."""

from collections.abc import Iterable
from pathlib import Path

from agent.config.trust import RECORD
from agent.core.emergency.review import review_document
from agent.model.emergency_views import ReviewView
from agent.model.plan import Targets
from agent.model.settings import Settings
from agent.model.views import ChainView, StoredEntry, Story
from agent.runtime.store import Record, Store

_STORY_LIMIT = 10_000
"""Entries of one incident that are shown."""

_LATEST = 1_000
"""Entries about the agent itself that are shown: it has no end."""

_LOOKED_OVER_WITHIN = 20.0
"""Seconds in which the pages of the file are looked at for damage."""


def story_from(store: Store, about: str) -> Story | None:
    """The story of an incident, an execution, the major incident of an emergency, or the agent itself; None when there
    is none.
    """
    if about == "agent":
        return Story(None, (), _stored(store.latest(about, _LATEST)))
    emergency = store.activation(about)
    about = emergency.incident if emergency else about
    incident = store.incident(about)
    alone = store.execution(about)
    if incident is None and alone is None:
        return None
    executions = store.executions_of(about) if incident else [alone] if alone else []
    told_under = about if incident or alone is None or alone.incident is None else alone.incident
    records = store.timeline(told_under, limit=_STORY_LIMIT)
    entries = _stored(records)
    if alone and alone.incident:
        entries = tuple(one for one in entries if one.entry.data.get("execution") == about)
    return Story(incident, tuple(executions), entries)


def _stored(records: Iterable[Record]) -> tuple[StoredEntry, ...]:
    return tuple(StoredEntry(record.seq, record.entry, record.hash) for record in records)


def review_from(store: Store, id: str, settings: Settings) -> ReviewView | None:
    """The review of an emergency: as people closed it, else as far as is known; None when there is no such one.

    `settings`: those in force, for the plan's targets.
    """
    activation = store.activation(id)
    if activation is None:
        return None
    if activation.review:
        return ReviewView(id, activation.review, closed=True)
    plan = settings.plans.get(activation.plan)
    linked = [found for other in activation.linked if (found := store.incident(other))]
    entries = [record.entry for record in store.timeline(activation.incident, limit=_STORY_LIMIT)]
    targets = plan.targets if plan else Targets()
    text = review_document(activation, store.incident(activation.incident), linked, entries, targets)
    return ReviewView(id, text, closed=False)


def chain_of(store: Store) -> ChainView:
    """Whether the chain of records is intact. Raises StoreCorrupt when pages of the file are damaged."""
    store.look_over(_LOOKED_OVER_WITHIN)
    found = store.verify()
    return ChainView(
        intact=found.ok,
        records=found.count,
        head=found.hash,
        broken_at=found.broken,
        why="" if found.ok else found.text,
    )


def default_store(state_dir: Path) -> Path:
    """Where the record is in a state directory."""
    return state_dir / RECORD
