"""Certificate files of this node, read again while it runs; and who a peer's certificate says that it is.

Rules:
1. The files are used as they were read together: a pair that is half written, of two ages, expired, or not
   trusted by its own bundle never replaces one that works. What works stays in use, and the log says why.
2. Files are looked at every `LOOK_S` and on request; a change serves new connections. Connections that
   stand are left alone: breaking them would be an election for nothing.
3. A peer is who its certificate's URI says, `cronclave://CLUSTER/node/NAME`, whatever it says in its hello.
4. Every refusal names who, why and what to do. Repetitions are counted, not written (`RefusalLog`).
"""

from __future__ import annotations

import logging
import os
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

LOOK_S = 2.0
RETRY_S = 60.0  #: files that were refused are tried again after this, since the time may have been the reason
WARN_DAYS = 30
WARN_AGAIN_S = 86_400.0
DAY_S = 86_400

_log = logging.getLogger(__name__)


class TlsError(ValueError):
    """Certificates that cannot be used: which file, why, what to do."""


def identity(cluster: str, name: str) -> str:
    """The URI that a node's certificate carries."""
    return f"cronclave://{quote(cluster, safe='')}/node/{quote(name, safe='')}"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Mutual TLS. The trust bundle may hold two CAs while one replaces the other."""

    certificate: Path
    key: Path
    trust: Path


@dataclass(frozen=True, slots=True)
class Material:
    """The files' contents as they were read together."""

    certificate: bytes
    key: bytes
    trust: bytes

    def context(self, files: TlsFiles, *, server_side: bool) -> ssl.SSLContext:
        """For links between nodes: both ends show a certificate. Raises TlsError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # the node's name is checked, not its address: rule 3
        context.verify_mode = ssl.CERT_REQUIRED
        load_pair(context, self.certificate, self.key, f"{files.certificate} with {files.key}")
        try:
            context.load_verify_locations(cadata=self.trust.decode("ascii", "replace"))
        except (ssl.SSLError, ValueError) as error:
            raise TlsError(f"{files.trust}: no PEM certificates of a CA ({error})") from None
        return context


def read(files: TlsFiles) -> Material:
    """Raises TlsError."""
    found = []
    for path in (files.certificate, files.key, files.trust):
        try:
            found.append(path.read_bytes())
        except OSError as error:
            raise TlsError(f"{path}: {error.strerror}") from None
    return Material(*found)


def load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes, where: str) -> None:
    """Give a context these bytes, not what the files hold a moment later. Raises TlsError."""
    with ExitStack() as held:
        paths: list[str] = []
        for content in (certificate, key):
            descriptor = os.memfd_create("certificate")  # load_cert_chain takes paths only
            held.callback(os.close, descriptor)
            os.write(descriptor, content)
            paths.append(f"/proc/self/fd/{descriptor}")
        try:
            context.load_cert_chain(paths[0], paths[1], password=_no_password)
        except ssl.SSLError as error:
            no_pem = error.reason is None  # without a code: what is no certificate or no key at all
            said = _NO_PEM if no_pem else _PAIRS.get(error.reason, _reason(error))
            raise TlsError(f"{where}: {said}") from None


def _no_password() -> str:
    raise TlsError("the key is encrypted: a node needs one that it can read without a person")


_NO_PEM = "no PEM file, or one that is half written"
_PAIRS = {
    "KEY_VALUES_MISMATCH": "the key does not belong to the certificate",
    "NO_START_LINE": _NO_PEM,
}


# -- files that change ------------------------------------------------------------------------------------


class WatchedFiles:
    """Tells whether files have changed, and when to look at refused ones again."""

    def __init__(self, paths: Iterable[Path], clock: Callable[[], float] = time.monotonic) -> None:
        self._paths = tuple(paths)
        self._clock = clock
        self._seen = self._signature()
        self._retry_at: float | None = None

    def changed(self) -> bool:
        """Whether to read them now. Call `used` or `refused` with what came of it."""
        signature = self._signature()
        if signature != self._seen:
            self._seen = signature
            return True
        return self._retry_at is not None and self._clock() >= self._retry_at

    def used(self) -> None:
        self._retry_at = None

    def refused(self) -> None:
        self._retry_at = self._clock() + RETRY_S

    def _signature(self) -> tuple[tuple[int, int, int], ...]:
        signature = []
        for path in self._paths:
            try:
                stat = path.stat()
                signature.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
            except OSError:
                signature.append((0, 0, 0))
        return tuple(signature)


class LinkTls:
    """The contexts of the links between nodes, for connections from now on."""

    def __init__(self, files: TlsFiles, own: str | None = None) -> None:
        """`own`: the identity that the certificate must carry. Raises TlsError."""
        self._files, self._own = files, own
        self._watched = WatchedFiles((files.certificate, files.key, files.trust))
        self._expiry = ExpiryWarning(str(files.certificate))
        self.accepting, self.dialling, self.not_after_s = self._load()
        if files.key.stat().st_mode & 0o077:
            _log.warning("%s can be read by others on this machine: chmod 600 it", files.key)

    def look(self, *, force: bool = False) -> None:
        """Use what the files hold now, if it changed and is sound."""
        self._expiry.look(self.not_after_s)
        if not self._watched.changed() and not force:
            return
        try:
            self.accepting, self.dialling, self.not_after_s = self._load()
        except (ValueError, OSError) as error:  # whatever a file holds, it does not end a node that runs
            self._watched.refused()
            _log.error("the new certificates are not used, the ones before stay in use: %s", error)
        else:
            self._watched.used()
            _log.info(
                "%s is read again: new connections use it; it is valid until %s",
                self._files.certificate,
                day(self.not_after_s),
            )

    def _load(self) -> tuple[ssl.SSLContext, ssl.SSLContext, float]:
        material = read(self._files)
        accepting = material.context(self._files, server_side=True)
        dialling = material.context(self._files, server_side=False)
        certificate = _meet_itself(accepting, dialling, self._files)
        if self._own is not None and self._own not in identities(certificate):
            raise TlsError(
                f"{self._files.certificate}: it is the certificate of {described(certificate)}, "
                f"this node is {self._own}; make its own, after restore or recover with the new uid: "
                "cronclave cluster cert renew DIR --cluster UID"
            )
        return accepting, dialling, expiry_s(certificate)


def _meet_itself(accepting: ssl.SSLContext, dialling: ssl.SSLContext, files: TlsFiles) -> Mapping[str, Any]:
    """The own certificate, after a handshake in memory: what a peer with the same bundle would accept."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = dialling.wrap_bio(to_client, to_server)
    server = accepting.wrap_bio(to_server, to_client, server_side=True)
    try:
        for _ in range(4):
            for end in (client, server):
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLCertVerificationError as error:
        raise TlsError(f"{files.certificate}: {_own_fault(error, files)}") from None
    except ssl.SSLError as error:
        raise TlsError(f"{files.certificate}: {_reason(error)}") from None
    return server.getpeercert() or {}


def _own_fault(error: ssl.SSLCertVerificationError, files: TlsFiles) -> str:
    if error.verify_code == _EXPIRED:
        return "it has expired: renew it (cronclave cluster cert renew)"
    if error.verify_code == _NOT_YET:
        return "it is not valid yet: is the clock of this machine right?"
    return f"{files.trust} does not hold the CA that signed it ({error.verify_message})"


class ExpiryWarning:
    """A line a day in the log from 30 days before a certificate ends."""

    def __init__(self, what: str, clock: Callable[[], float] = time.time) -> None:
        self._what, self._clock = what, clock
        self._told_s = 0.0

    def look(self, not_after_s: float) -> None:
        now_s = self._clock()
        days = (not_after_s - now_s) / DAY_S
        if days > WARN_DAYS or 0 <= now_s - self._told_s < WARN_AGAIN_S:
            return
        self._told_s = now_s
        if days < 0:
            _log.error(
                "%s has expired on %s: nobody accepts new connections with it; "
                "renew it (cronclave cluster cert renew), a restart is not needed",
                self._what,
                day(not_after_s),
            )
        else:
            _log.warning(
                "%s expires on %s, in %d days: renew it (cronclave cluster cert renew)",
                self._what,
                day(not_after_s),
                days,
            )


def day(instant_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant_s))


# -- who the other end is ---------------------------------------------------------------------------------


def expiry_s(certificate: Mapping[str, Any]) -> float:
    return float(ssl.cert_time_to_seconds(str(certificate["notAfter"])))


def identities(certificate: Mapping[str, Any]) -> list[str]:
    """The URIs of a certificate as ssl gives it."""
    return [str(value) for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]


def described(certificate: Mapping[str, Any]) -> str:
    """Whom a certificate names, for a log."""
    named = identities(certificate) or [
        f"{key}={value}" for names in certificate.get("subject", ()) for key, value in names
    ]
    return ", ".join(named)[:300] or "nobody"


def why_not(certificate: Mapping[str, Any], cluster: str, name: str) -> str | None:
    """Why this certificate is not that of the node; None: it is."""
    found = identities(certificate)
    if identity(cluster, name) in found:
        return None
    ours = [uri for uri in found if uri.startswith("cronclave://")]
    if not ours:
        return (
            f"its certificate names no node ({described(certificate)}): "
            f"it needs the URI {identity(cluster, name)}"
        )
    if not any(uri.startswith(identity(cluster, "")) for uri in ours):
        return f"its certificate belongs to another cluster, {ours[0]}; this is cluster {cluster}"
    return f"its certificate is that of {ours[0]}, not of {name}: each node needs its own"


# -- what went wrong in a handshake ------------------------------------------------------------------------

_NOT_YET, _EXPIRED, _SELF_SIGNED = 9, 10, (18, 19, 20, 21)
_PLAIN = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNKNOWN_PROTOCOL",
                    "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})  # fmt: skip
_ALERTS = {
    "TLSV1_ALERT_UNKNOWN_CA": "its bundle (tls.ca) does not hold the CA that signed ours",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "ours has expired: renew it (cronclave cluster cert renew)",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it finds ours bad: expired, not valid yet, or made for another purpose",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "none was sent",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "ours is made for another purpose",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept ours",
}


def handshake_fault(error: OSError) -> str | None:
    """Why a TLS handshake failed and what to do; None for a connection that merely broke."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _EXPIRED:
            return "its certificate has expired: renew it (cronclave cluster cert renew)"
        if error.verify_code == _NOT_YET:
            return "its certificate is not valid yet: compare the clocks of both machines"
        if error.verify_code in _SELF_SIGNED:
            return (
                "its certificate is signed by a CA that our bundle (tls.ca) does not hold: "
                "it belongs to another cluster, or one of the two has an old bundle"
            )
        return f"its certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or not isinstance(error, ssl.SSLError):
        return None
    reason = error.reason or ""
    if reason in _PLAIN:
        return "it does not speak TLS: give that end certificates too ([tls] in its configuration)"
    if reason in _ALERTS:
        return f"it refuses the certificate of this node: {_ALERTS[reason]}"
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return "it shows no certificate: between nodes both ends show one"
    return f"the TLS handshake failed: {_reason(error)}"


def first_bytes_fault(first: bytes) -> str | None:
    """What a plain port is spoken to with, where that is plain from the first bytes."""
    if len(first) >= 2 and 0x14 <= first[0] <= 0x17 and first[1] == 3:
        return "it speaks TLS and this node does not: give this node certificates too ([tls])"
    if first[:4] in (b"GET ", b"POST", b"PUT ", b"HEAD"):
        return "it speaks HTTP, this is the Raft port: the API has another (http.listen)"
    return None


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()


class RefusalLog:
    """One line for each who and why within `AGAIN_S`, with the number of those that were left out."""

    AGAIN_S = 60.0
    LINES_MAX = 100  #: within `AGAIN_S`, whoever calls under however many names

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._told: dict[tuple[str, str], tuple[float, int]] = {}

    def warn(self, who: str, why: str, *, host: str = "") -> None:
        """`host` in place of `who` for telling repetitions: the port of a stranger changes each time."""
        now = self._clock()
        key = (host or who, why)
        at, left_out = self._told.get(key, (now - self.AGAIN_S, 0))
        if now - at < self.AGAIN_S:
            self._told[key] = (at, left_out + 1)
            return
        if len(self._told) >= self.LINES_MAX:
            self._told = {k: told for k, told in self._told.items() if now - told[0] < self.AGAIN_S}
            if len(self._told) >= self.LINES_MAX:
                return
        self._told[key] = (now, 0)
        self._log.warning("%s: %s%s", who, why, f" ({left_out} more like this)" if left_out else "")
