"""The certificate of a node's HTTPS, renewed without a restart.

The context that uvicorn serves with is given the new pair once the pair is known to be sound: a half written
one would leave it without any. New connections see it; those that stand go on.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import ssl
from pathlib import Path

from cluster.authority import describe
from cluster.tls import LOOK_S, ExpiryWarning, TlsError, WatchedFiles, day, load_pair

log = logging.getLogger("cronclave.front")


class HttpsCertificate:
    """The context for HTTPS, and its files."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises TlsError."""
        self._certificate, self._key = certificate, key
        self._watched = WatchedFiles((certificate, key))
        self._expiry = ExpiryWarning(str(certificate))
        self.context = _server_context()
        self.not_after_s = self._load()

    async def watch(self) -> None:
        """Look at the files for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self, *, force: bool = False) -> None:
        """Use what the files hold now, if it changed and is sound."""
        self._expiry.look(self.not_after_s)
        if not self._watched.changed() and not force:
            return
        try:
            self.not_after_s = self._load()
        except (ValueError, OSError) as error:  # whatever a file holds, it does not end a node that runs
            self._watched.refused()
            log.error("the new HTTPS certificate is not used, the one before stays in use: %s", error)
        else:
            self._watched.used()
            log.info(
                "%s is read again: new HTTPS connections use it; it is valid until %s",
                self._certificate,
                day(self.not_after_s),
            )

    def _load(self) -> float:
        where = f"{self._certificate} with {self._key}"
        try:
            certificate, key = self._certificate.read_bytes(), self._key.read_bytes()
        except OSError as error:
            raise TlsError(f"{error.filename}: {error.strerror}") from None
        load_pair(_server_context(), certificate, key, where)
        try:
            ends = describe(certificate)[0].not_after
        except (ValueError, IndexError) as error:
            raise TlsError(f"{self._certificate}: {error}") from None
        if ends < datetime.datetime.now(datetime.UTC):
            raise TlsError(
                f"{self._certificate}: it has expired on {day(ends.timestamp())}: renew it "
                "(cronclave cluster cert renew)"
            )
        load_pair(self.context, certificate, key, where)
        return ends.timestamp()


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
