"""How fast and how small, beside others, in one run: `make bench`. Nothing here is asserted on by tests."""
