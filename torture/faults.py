"""What befalls the agent's world. Each fault ends, at the latest when all are over."""

import random
import threading
from collections.abc import Callable

from torture.diary import Diary
from torture.plan import Plan
from torture.site import FAKETIME, Site
from torture.ward import Host

_DAY = 86400


class Faults:
    """`next_life` begins the fault of a life and ends those that have lasted long enough."""

    def __init__(self, site: Site, diary: Diary, chance: random.Random) -> None:
        self._site, self._diary, self._chance = site, diary, chance
        self._ends: list[tuple[int, str, Callable[[], None]]] = []
        self._life = 0
        self._sudden: str | None = None
        self._at = 0.0
        self._returning: list[threading.Thread] = []

    @property
    def disk_is_full(self) -> bool:
        return any(kind == "disk full" for _, kind, _ in self._ends)

    def next_life(self, plan: Plan) -> None:
        self._life += 1
        for due, kind, end in list(self._ends):
            if due <= self._life:
                self._ends.remove((due, kind, end))
                end()
        self._sudden = None
        under_way = {kind for _, kind, _ in self._ends}
        if plan.fault and plan.fault not in under_way and self._begin(plan.fault, plan.lasting):
            self._diary.faults[plan.fault] += 1

    def in_this_life(self, age: float) -> None:
        """What comes in the middle of it."""
        if self._sudden and age > self._at:
            self._sudden = None
            for host in self._site.hosts:
                host.cut()

    def end_all(self) -> None:
        for _, _, end in self._ends:
            end()
        self._ends = []
        for thread in self._returning:
            thread.join()

    def _begin(self, kind: str, lasting: int) -> bool:
        """False where it cannot be done here."""
        site = self._site
        match kind:
            case "cut":
                self._sudden, self._at = kind, self._chance.uniform(0.5, 2.5)
            case "tickets stopped":
                site.tracker.stop()
                self._until(lasting, kind, site.tracker.start)
            case "answer lost":
                method, part = self._chance.choice([("POST", "/issue"), ("POST", "/msg"), ("PATCH", "/issue")])
                site.proxy.lose_answer(method, f"/rest/data{part}")
            case "disk full":
                if not site.has_disk:
                    return False
                site.fill_disk()
                self._until(min(lasting, 2), kind, site.empty_disk)
            case "clock shifted":
                site.set_clock(self._chance.randint(-3 * _DAY, 3 * _DAY))
                return bool(FAKETIME)
            case "reboot":
                return self._reboot(self._chance.choice(site.hosts))
        return True

    def _reboot(self, host: Host) -> bool:
        if not host.reboot():
            return False
        self._diary.reboots[host.name] += 1
        self._returning.append(threading.Thread(target=host.come_back, name=f"{host.name} boots"))
        self._returning[-1].start()
        return True

    def _until(self, lives: int, kind: str, end: Callable[[], None]) -> None:
        self._ends.append((self._life + lives, kind, end))
