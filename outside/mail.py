"""A mail to one address, over SMTP.

Rules of this file:

1. A name and a password go over TLS or nowhere: STARTTLS is demanded, not taken where a server happens to
   offer it. The server's certificate is checked by what this host trusts.
2. One address a mail: what a server says of one is of no other. 5xx of the address or of the text is final,
   anything else is tried again: a server that is down, full or set up wrongly will be mended.
3. The same id at each try, as Message-ID: mail programs show one mail where two arrived.
4. It says of itself that a machine wrote it (RFC 3834), so that no absence note answers.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import aiosmtplib

from outside.unsent import UnsentError

ANSWER_S = 12.0  #: of each word of the server
KEYS = frozenset({"server", "from", "tls", "username", "password_file"})
TLS = ("starttls", "tls", "none")
PORTS = {"starttls": 587, "tls": 465, "none": 25}
SUBJECT_LETTERS_MAX = 200


@dataclass(frozen=True, slots=True)
class MailServer:
    """The table [mail] of a settings file."""

    host: str
    port: int
    sender: str
    tls: str  #: of TLS
    username: str = ""
    password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    id: str
    to: str
    subject: str
    text: str
    at_ms: int  #: of what it tells


def mail_server(table: Mapping[str, Any], folder: Path) -> MailServer:
    """Of the settings in `folder`. Raises ValueError: what is wrong, beginning with the key."""

    def text(key: str, default: str = "") -> str:
        value = table.get(key, default)
        if not isinstance(value, str) or not value.isprintable() or len(value) > 255:
            raise ValueError(f"mail.{key} must be a text of 255 printable letters at most")
        return value

    tls = text("tls", "starttls")
    if tls not in TLS:
        raise ValueError(f"mail.tls must be one of {', '.join(TLS)}, not {tls!r}")
    host, separator, port = text("server").rpartition(":")
    if not separator:
        host, port = port, str(PORTS[tls])
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError("mail.server must be host or host:port, such as smtp.example.org:587")
    sender = text("from")
    if "@" not in sender.strip("@") or any(letter.isspace() for letter in sender):
        raise ValueError("mail.from must be the address that mails come from, such as cronclave@example.org")
    username = text("username")
    file = folder / text("password_file") if "password_file" in table else None
    if bool(username) != (file is not None):
        raise ValueError("mail.username and mail.password_file go together")
    if username and tls == "none":
        raise ValueError("mail.tls is none: a name and a password are sent over TLS alone")
    if file is not None and not file.is_file():
        raise ValueError(f"mail.password_file: no file {file}")
    return MailServer(host, int(port), sender, tls, username, file)


async def send(server: MailServer, mail: Mail, *, trust: ssl.SSLContext | None = None) -> None:
    """Returns when the server has taken it over. Raises UnsentError."""
    message = written(server, mail)
    try:
        password = _password(server)
        client = aiosmtplib.SMTP(
            hostname=server.host, port=server.port, timeout=ANSWER_S, use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls", username=server.username or None, password=password,
            tls_context=trust, local_hostname=server.sender.rpartition("@")[2].encode("idna").decode("ascii"),
        )  # fmt: skip
        async with client:
            await client.send_message(message, sender=_ascii(server.sender), recipients=[_ascii(mail.to)])
    except aiosmtplib.SMTPRecipientsRefused as error:
        refused = error.recipients[0]
        raise UnsentError(_said(refused.code, refused.message), is_final=refused.code >= 500) from None
    except aiosmtplib.SMTPDataError as error:
        raise UnsentError(_said(error.code, error.message), is_final=error.code >= 500) from None
    except aiosmtplib.SMTPNotSupported as error:
        if mail.to.isascii():  # no STARTTLS, or no way to log in
            raise UnsentError(f"{server.host}: {error}") from None
        hint = f"{server.host} takes no letters beyond ASCII before the @: give another address"
        raise UnsentError(hint, is_final=True) from None
    except aiosmtplib.SMTPResponseException as error:
        raise UnsentError(_said(error.code, error.message)) from None
    # The library lets through what sockets and its own checks raise.
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise UnsentError(f"{server.host}: {str(error) or type(error).__name__}") from None


def written(server: MailServer, mail: Mail) -> EmailMessage:
    """The message as it is sent."""
    message = EmailMessage(policy=SMTP if mail.to.isascii() else SMTPUTF8)
    message["From"] = _header(server.sender, "Cronclave")
    message["To"] = _header(mail.to)
    message["Subject"] = one_line(mail.subject)[:SUBJECT_LETTERS_MAX]
    message["Date"] = format_datetime(datetime.fromtimestamp(mail.at_ms / 1000, UTC))
    message["Message-ID"] = f"<{mail.id}@cronclave.{_ascii(server.sender).rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Cronclave-Id"] = mail.id
    message.set_content(mail.text.replace("\x00", "\N{REPLACEMENT CHARACTER}"))
    return message


def one_line(text: str) -> str:
    """What a header may hold: no line of anybody's choice begins in it."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _header(address: str, shown: str = "") -> Address:
    local, _, domain = _ascii(address).rpartition("@")
    return Address(shown, local, domain)


def _ascii(address: str) -> str:
    """With its domain as mail and DNS write it."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode('ascii')}"


def _password(server: MailServer) -> str | None:
    """Read at each try, so that another one may be put there."""
    return None if server.password_file is None else server.password_file.read_text(encoding="utf-8").strip()


def _said(code: int, message: str) -> str:
    return f"the server says {code} {one_line(message)[:300]}"
