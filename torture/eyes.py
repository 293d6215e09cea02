"""The torturer's eyes on the record while the agent lives: which patients are in treatment, and what it has seen."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from torture.diary import Break, Diary
from torture.site import Patient


@dataclass
class Episode:
    """One illness of one patient. `incident`: None until the agent has opened one."""

    patient: Patient
    made: Break
    incident: str | None = None


@dataclass
class Eyes:
    """`look` reads what is new; nothing is held open between two looks, as a dead agent's record is its own."""

    record: Path
    diary: Diary
    episodes: dict[tuple[str, str], Episode] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    """Incidents that are not closed: their phase."""
    reported: set[str] = field(default_factory=set)
    """Incidents that people reported and that are not closed."""
    head: tuple[int, str] = (0, "")

    def look(self) -> None:
        """Raises sqlite3.Error where the record cannot be read just now; the next look sees it all."""
        with closing(sqlite3.connect(f"{self.record.as_uri()}?mode=ro", uri=True, timeout=1)) as record:
            phases = "SELECT id, phase FROM incidents WHERE phase != 'closed'"
            rows = record.execute(
                "SELECT seq, hash, about, kind, text, data FROM timeline WHERE seq > ? ORDER BY seq", (self.head[0],)
            ).fetchall()
            self.open = dict(record.execute(phases).fetchall())
        for seq, hash, about, kind, text, data in rows:
            self._take_in(about, kind, text, json.loads(data))
            self.head = (seq, hash)
        if rows:
            self.diary.seen.append(self.head)

    def ill(self, patient: Patient) -> Episode | None:
        return self.episodes.get(patient.key)

    def _take_in(self, about: str, kind: str, text: str, data: dict[str, object]) -> None:
        if kind in ("noticed", "joined") and " is CRITICAL" in text:
            episode = self.episodes.get((str(data["check"]), str(data["subject"])))
            if episode is None:
                self.diary.wrong.append(f"{about} is about a patient who is well: {text}")
            elif episode.incident is None:
                episode.incident = about
        if kind == "opened" and text.startswith("somebody says "):
            self.reported.add(about)
        if kind == "resolved":
            for episode in self.episodes.values():
                if episode.incident == about and episode.patient.is_ill:
                    self.diary.wrong.append(f"{about} was resolved while {episode.patient.name} was ill")
        if kind == "closed":
            self.reported.discard(about)
            self.episodes = {key: episode for key, episode in self.episodes.items() if episode.incident != about}
