"""Which text of a runbook is meant, in a few words."""

from agent.cli.terminal import safe


def say_text(digest: str, signed_by: str) -> str:
    """The beginning of the SHA-256, as much as tells texts apart, and who signed."""
    return f"text {digest[:12]}" + (f", signed by {safe(signed_by)}" if signed_by else "")
