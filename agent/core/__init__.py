"""Pure decisions: no I/O, no clock, no randomness, no logging. `engine.decide` is the only entry."""
