"""Secrets that are named in a sound configuration, and not there."""

import os
from collections.abc import Iterator, Mapping

from agent.config.secret import SecretRef
from agent.runtime.secrets import Secrets


def missing_secrets(refs: Mapping[str, SecretRef], environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """A sentence for each. The agent has another environment and other credentials than whoever asks."""
    for ref, why in Secrets(refs, environ).missing():
        if isinstance(why.__cause__, PermissionError):
            continue  # not for us to see: the agent's user may
        here = "" if ref.place == "file" else " (so it is here, the agent may have it)"
        yield f"{ref.written}: {why}{here}"
