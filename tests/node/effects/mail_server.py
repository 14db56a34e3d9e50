"""A mail server that a test tells how to answer: aiosmtpd on 127.0.0.1, with STARTTLS and log-in if asked."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class MailServer:
    """`refuse`: what is said of an address instead of taking it; `answer`: of a text; `login`: who may."""

    login: tuple[str, str] | None = None
    refuse: dict[str, str] = field(default_factory=dict)
    answer: str = "250 taken"
    heard: list[tuple[str, EmailMessage]] = field(default_factory=list)
    over_tls: list[bool] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if not self.answer.startswith("2"):
            return self.answer
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.heard += [(address, message) for address in envelope.rcpt_tos]
        self.over_tls.append(session.ssl is not None)
        return self.answer

    def judge(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        right = (data.login.decode(), data.password.decode()) == self.login
        return AuthResult(success=right, handled=False)


@contextlib.asynccontextmanager
async def serving(
    *, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None, utf8: bool = False
) -> AsyncIterator[MailServer]:
    kept = MailServer(login)

    def protocol() -> SMTP:
        return SMTP(
            kept, hostname="mail.example.org", enable_SMTPUTF8=utf8, tls_context=tls,
            require_starttls=tls is not None, auth_required=login is not None, authenticator=kept.judge,
        )  # fmt: skip

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        server.close()
