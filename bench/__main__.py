"""All benches one after the other; `python -m bench ssh idle` runs only those named."""

import sys

from bench import idle, observations, reaction, ssh

BENCHES = {"ssh": ssh.main, "reaction": reaction.main, "observations": observations.main, "idle": idle.main}


def main() -> int:
    """0 unless a name is unknown."""
    wanted = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in wanted if name not in BENCHES]
    if unknown:
        print(f"no bench is called {unknown[0]!r}; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    for name in wanted:
        BENCHES[name]()
    return 0


sys.exit(main())
