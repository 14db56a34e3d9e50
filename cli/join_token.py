"""Join tokens: what a new machine needs to find the cluster, to know it, and to be let in.

`crj1.` and the base64url of JSON: addresses, the SHA-256 of the cluster's CA certificates, and the secret.

Rule: the secret is told to nobody who has not proved to be the cluster. The CA is asked for over a connection
that proves nothing; only if its fingerprint is one of the token's is it trusted, and a second connection,
checked against it, carries the secret.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cli.client import problem_failure, refuse_plain
from cli.exits import DENIED, NO_LEADER, USAGE, Failure

PREFIX = "crj1."
REPLY_S = 20.0
BUNDLE_BYTES_MAX = 1 << 20
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class JoinToken:
    urls: tuple[str, ...]
    fingerprints: tuple[str, ...]  #: empty: a cluster without TLS
    secret: str

    def encode(self) -> str:
        document = {"u": self.urls, "f": self.fingerprints, "s": self.secret}
        text = json.dumps(document, separators=(",", ":")).encode()
        return PREFIX + base64.urlsafe_b64encode(text).decode().rstrip("=")


def decode(text: str) -> JoinToken:
    """Raises Failure."""
    body = text.strip().removeprefix(PREFIX)
    try:
        document = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        urls, fingerprints = tuple(map(str, document["u"])), tuple(map(str, document["f"]))
        found = JoinToken(urls, fingerprints, str(document["s"]))
    except (ValueError, KeyError, TypeError):
        found = None
    if found is None or not found.urls:
        raise Failure(
            "this is no join token, or not all of it", code=USAGE, hint="cronclave cluster token create"
        )
    if not found.fingerprints and any(url.startswith("https") for url in found.urls):
        raise Failure("this join token names no CA to know the cluster by", code=USAGE)
    return found


def fingerprints(bundle: str) -> tuple[str, ...]:
    """SHA-256 of every certificate of a PEM bundle, in hex."""
    return tuple(
        hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() for pem in _CERTIFICATE.findall(bundle)
    )


def join(token: JoinToken, document: dict[str, Any]) -> dict[str, Any]:
    """The reply of the first node that lets this machine in. Raises Failure."""
    told: list[str] = []
    last: Failure | None = None
    for url in token.urls:
        refuse_plain(url, token.secret)
        try:
            context = _proved(url, token) if url.startswith("https") else None
            status, body = _ask(
                url, "POST", "/v1/join", context, json.dumps(document).encode(), secret=token.secret
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            told.append(f"{url}: {error}")
            continue
        if status == 201:
            reply: dict[str, Any] = json.loads(body)
            return reply
        last, passing = problem_failure(status, body, url)
        told.append(f"{url}: {last.message}")
        if not passing and b"/problems/no-signer" not in body:
            raise last
    if last is not None and b"no-signer" in body:
        raise Failure(
            "no node signs certificates",
            details=told,
            hint="Give a node the CA's key (tls.ca_key), or make the certificate where the CA is kept.",
        )
    raise last or Failure("no node answers", code=NO_LEADER, details=told)


def _proved(url: str, token: JoinToken) -> ssl.SSLContext:
    """What trusts the CA that the token names, and nothing else. Raises Failure."""
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.check_hostname, nobody.verify_mode = False, ssl.CERT_NONE
    _, body = _ask(url, "GET", "/v1/ca", nobody)
    pinned = [
        pem
        for pem in _CERTIFICATE.findall(body.decode("ascii", "replace"))
        if set(fingerprints(pem)) <= set(token.fingerprints)
    ]
    if not pinned:
        raise Failure(
            f"{url} is not the cluster that made this token: its CA is another one",
            code=DENIED,
            hint="Somebody is in between, or the CA was changed since: make a new token.",
        )
    return ssl.create_default_context(cadata="".join(pinned))


def _ask(
    url: str,
    method: str,
    path: str,
    context: ssl.SSLContext | None,
    body: bytes | None = None,
    *,
    secret: str = "",
) -> tuple[int, bytes]:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    connection = (
        http.client.HTTPConnection(host, port, timeout=REPLY_S)
        if context is None
        else http.client.HTTPSConnection(host, port, timeout=REPLY_S, context=context)
    )
    headers = {"Content-Type": "application/json"} if body else {}
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read(BUNDLE_BYTES_MAX)
    finally:
        connection.close()
