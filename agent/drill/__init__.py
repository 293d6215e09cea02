"""Drills: the production agent on fenced ports, a fault on purpose, and a judgement of what came of it."""
