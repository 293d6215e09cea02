"""Who may do what over the control socket."""

from agent.config.source import Folder
from agent.config.validation import validate
from agent.model.access import Access


def read_access(source: Folder) -> Access | None:
    """None where nothing is written: then the defaults of the control socket hold."""
    authored = source.section("access")
    if not authored:
        return None
    access, findings = validate(Access, authored, ("access",), source.reach)
    source.report_all(findings)
    return access
