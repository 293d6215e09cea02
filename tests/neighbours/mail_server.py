"""A real SMTP server on loopback: what `mailto://` messages arrive at."""

from email import message_from_bytes
from email.message import Message
from email.policy import default
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.neighbours.ports import free_port


class MailServer:
    """`arrived`: the mails it took, in order. Whoever logs in with `user` and `password` is let in."""

    user = "agent"
    password = "smtp-pass-7731"

    def __init__(self) -> None:
        self.arrived: list[Message] = []
        self._controller = Controller(
            self, hostname="127.0.0.1", port=free_port(), authenticator=self._let_in, auth_require_tls=False
        )

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    @property
    def url(self) -> str:
        """As Apprise has it."""
        at = f"{self.user}:{self.password}@127.0.0.1:{self._controller.port}"
        return f"mailto://{at}/?from=agent@x.example&to=ada@x.example&mode=insecure"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - as aiosmtpd calls it
        self.arrived.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"

    def _let_in(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (self.user.encode(), self.password.encode()))
