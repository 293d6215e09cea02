"""Exactly once: what a host keeps of the steps it was asked to carry out, so that asking again only tells."""

from agent.runtime.ledger.ledgers import Ledger, Ledgers
from agent.runtime.ledger.steps import StepShell

__all__ = ["Ledger", "Ledgers", "StepShell"]
