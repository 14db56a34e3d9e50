"""email: a mail of what happened, in plain words, through the mail server of the node's settings ([mail]).

Rules of this file:

1. A node without a mail server sends none, and says so: the next leader may have one. It is tried for as long
   as everything else is.
2. Who it goes to is the row's address alone; how a server answers is judged in outside/mail.py.
"""

from __future__ import annotations

import ssl

from node.effects import words
from node.effects.contract import Parcel, UnsentError
from outside import mail
from outside.mail import Mail, MailServer


class Email:
    kind = "email"

    def __init__(
        self, server: MailServer | None, *, public_url: str = "", trust: ssl.SSLContext | None = None
    ) -> None:
        """`trust`: whose certificates are good; None: those that this host trusts."""
        self._server = server
        self._public_url = public_url
        self._trust = trust

    async def send(self, parcel: Parcel) -> None:
        if self._server is None:
            raise UnsentError("this node has no mail server: its settings have no [mail]")
        told = Mail(
            parcel.id, parcel.target, words.subject(parcel), words.text(parcel, self._public_url),
            parcel.created_ms,
        )  # fmt: skip
        await mail.send(self._server, told, trust=self._trust)
