"""Ticket systems: plugins that keep an incident's copy in someone else's system."""
