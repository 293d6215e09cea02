"""Whether the files of runbooks still hold the texts that the agent loaded."""

import hashlib
from pathlib import Path

from agent.config.configuration import Configuration
from agent.config.yaml import SIZE_LIMIT
from agent.plugin.files import read_small
from agent.runtime.ssh.parsed_files import ParsedFiles


class OnDisk:
    """Thread-safe. A file is read once, and again when it changes: `status` and the metrics ask every few seconds."""

    def __init__(self) -> None:
        self._digests: ParsedFiles[str] = ParsedFiles()

    def changed(self, configuration: Configuration) -> tuple[str, ...]:
        """Names of the runbooks in force whose file holds another text now, or is gone."""
        runbooks, files = configuration.settings.runbooks, configuration.runbook_files
        return tuple(name for name in sorted(files) if self._digest(files[name]) != runbooks[name].digest)

    def _digest(self, file: Path) -> str | None:
        try:
            return self._digests.get(file, lambda: hashlib.sha256(read_small(file, SIZE_LIMIT)).hexdigest())
        except OSError:
            return None
