"""The queue of messages is delivered: at least once, in order for each target, or given up and told."""

import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from agent.errors import MessageError
from agent.model.commands import SendMessage
from agent.model.decision import Decision
from agent.model.events import MessageEnded
from agent.model.people import MessageTarget
from agent.runtime.messages.messenger import BURST, GIVEN_UP_AFTER, Messenger
from agent.runtime.redaction import Redactor
from agent.runtime.store import Store
from tests.functional.outbox_desk import Clock
from tests.neighbours.waiting import until

SECRET = "correct-horse-9+staple"


class Post:
    """A courier as a test wants him: `refused` targets get nothing, those in `held` wait until let go."""

    def __init__(self) -> None:
        self.taken: list[SendMessage] = []
        self.tried: list[str] = []
        self.refused: dict[str, Exception] = {}
        self.held: dict[str, threading.Event] = {}

    def use(self, targets: Mapping[str, MessageTarget]) -> None:
        """All targets are known here."""

    def deliver(self, message: SendMessage) -> None:
        self.tried.append(message.id)
        if message.target in self.held:
            self.held[message.target].wait(60)
        if message.target in self.refused:
            raise self.refused[message.target]
        self.taken.append(message)


class Office:
    def __init__(self, path: Path) -> None:
        self.store = Store.open(path)
        self.clock = Clock()
        self.post = Post()
        self.events: list[MessageEnded] = []
        self.messenger = self._new()
        self._numbers = 0

    def _new(self) -> Messenger:
        redactor = Redactor(lambda: {SECRET: "api"})
        return Messenger(self.store.messages, self.post, self.events.append, redactor, clock=self.clock)

    def restart(self) -> None:
        self.messenger.stop(20)
        self.messenger = self._new()
        self.messenger.start()

    def say(self, *targets: str, body: str = "half of it is down") -> None:
        ordered = []
        for target in targets:
            self._numbers += 1
            ordered.append(SendMessage(f"MSG-{self._numbers}", "INC-1", target, "shop", body, self.clock.now))
        self.store.commit([Decision(commands=tuple(ordered))], self.clock.now)
        self.messenger.wake()

    def taken(self) -> list[str]:
        return [message.id for message in self.post.taken]

    def waiting(self) -> int:
        return self.store.messages.state().waiting

    def waits_until(self, next_try: float) -> bool:
        return [silent.next_try for silent in self.messenger.state().silent] == [next_try]

    def all_delivered(self) -> bool:
        """Ask again and again, and let a second pass each time."""
        self.clock.pass_by(1)
        return self.waiting() == 0


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    opened = Office(tmp_path / "paramedic.db")
    opened.messenger.start()
    yield opened
    for held in opened.post.held.values():
        held.set()
    opened.messenger.stop(20)
    opened.store.close()


def test_messages_of_a_target_arrive_in_order_and_what_came_of_them_is_told(office: Office) -> None:
    office.say("mail", "mail", "mail")
    until(lambda: len(office.events) == 3, within=20, what="three are told of")
    assert office.taken() == ["MSG-1", "MSG-2", "MSG-3"]
    assert office.events[0] == MessageEnded(office.clock.now, "MSG-1", "INC-1", "mail", None)
    assert office.waiting() == 0  # told after it is written down


def test_a_target_that_hangs_holds_up_no_other(office: Office) -> None:
    office.post.held["chat"] = threading.Event()
    office.say("chat", "mail", "chat", "mail")
    until(lambda: office.taken() == ["MSG-2", "MSG-4"], within=20, what="mail got both")
    until(lambda: office.waiting() == 2, within=20, what="that is written down")
    office.post.held["chat"].set()
    until(lambda: office.taken()[2:] == ["MSG-1", "MSG-3"], within=20, what="chat got both, in order")


def test_what_fails_is_tried_again_ever_more_rarely_and_keeps_its_place(office: Office) -> None:
    office.post.refused["mail"] = MessageError("connection refused")
    office.say("mail", "mail")
    for pause in (1, 2, 4, 8):
        next_try = office.clock.now + pause
        until(partial(office.waits_until, next_try), within=20, what=f"it waits for {pause} s")
        state = office.messenger.state()
        assert (state.silent[0].why, state.queue.last_error) == ("connection refused", "connection refused")
        office.clock.pass_by(pause)
    assert set(office.post.tried) == {"MSG-1"}
    del office.post.refused["mail"]
    until(office.all_delivered, within=20, what="both got through")
    until(lambda: len(office.events) == 2, within=20, what="both are told of")
    assert office.taken() == ["MSG-1", "MSG-2"]
    assert office.messenger.state().silent == ()


def test_a_message_is_given_up_after_a_day_and_the_next_goes_on(office: Office) -> None:
    office.post.refused["mail"] = MessageError(f"refused {SECRET}")
    office.say("mail")
    until(lambda: office.messenger.state().silent, within=20, what="it failed")
    office.clock.pass_by(GIVEN_UP_AFTER)
    until(lambda: office.events, within=20, what="it is given up")
    assert office.events[0].error == "given up after 1d: refused [redacted:api]"
    assert office.messenger.state().queue.given_up == 1
    del office.post.refused["mail"]
    office.say("mail")
    until(lambda: office.taken() == ["MSG-2"], within=20, what="the next got through")


def test_secrets_are_hidden_before_a_message_leaves(office: Office) -> None:
    office.say("mail", body=f"psql said: {SECRET} password=hunter2hunter2")
    until(lambda: office.post.taken, within=20, what="it arrived")
    assert office.post.taken[0].body == "psql said: [redacted:api] password=[redacted]"


def test_a_message_that_comes_late_says_so(office: Office) -> None:
    office.post.refused["mail"] = MessageError("no")
    office.say("mail")
    until(lambda: office.messenger.state().silent, within=20, what="it failed")
    del office.post.refused["mail"]
    office.clock.pass_by(7200)
    until(lambda: office.post.taken, within=20, what="it arrived")
    assert office.post.taken[0].body == "(2h late: it could not be delivered before)\n\nhalf of it is down"


def test_a_courier_with_a_defect_is_a_failure_whose_text_goes_nowhere(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    office.post.refused["mail"] = RuntimeError("slack://T01/B02/abcdef")
    office.say("mail")
    until(lambda: office.messenger.state().silent, within=20, what="it failed")
    assert office.store.messages.state().last_error == "defect: RuntimeError"  # written down before it shows
    assert "abcdef" not in caplog.text


def test_what_was_under_way_at_the_stop_is_delivered_by_the_next_start(office: Office) -> None:
    office.post.held["mail"] = threading.Event()
    office.say("mail", "mail")
    until(lambda: office.post.tried, within=20, what="the first is under way")
    assert not office.messenger.stop(0.2)
    office.post.held.pop("mail").set()
    until(lambda: office.taken() == ["MSG-1"], within=20, what="nobody wrote it down")
    office.restart()
    until(lambda: office.waiting() == 0, within=20, what="both are delivered")
    assert office.taken() == ["MSG-1", "MSG-1", "MSG-2"]


def test_changed_targets_are_tried_at_once(office: Office) -> None:
    office.post.refused["mail"] = MessageError("no")
    office.say("mail")
    until(lambda: office.messenger.state().silent, within=20, what="it failed")
    del office.post.refused["mail"]
    office.messenger.targets_changed()
    until(lambda: office.taken() == ["MSG-1"], within=20, what="it got through though its time had not come")


def test_no_service_is_flooded(office: Office) -> None:
    office.say(*["chat"] * (BURST + 2), "mail")
    until(lambda: len(office.post.taken) == BURST + 1, within=30, what="the burst and the mail are out")
    until(lambda: office.waiting() == 2, within=20, what="that is written down")
    office.clock.pass_by(30)
    assert len(office.post.taken) == BURST + 1
