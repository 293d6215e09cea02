"""The record, kept in SQLite: aggregates, the hash-chained timeline, and what is still to be done."""

from agent.runtime.store.saved import Saved
from agent.runtime.store.steps import UnfinishedStep
from agent.runtime.store.store import Store
from agent.runtime.store.timeline import Break, Record, Verification

__all__ = ["Break", "Record", "Saved", "Store", "UnfinishedStep", "Verification"]
