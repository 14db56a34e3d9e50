"""Whether a delivery is signed as its hook asks, and by which id it is known again.

Rules of this file:

1. standard: Standard Webhooks 1.0 (HMAC-SHA256 of id, instant and body); github: X-Hub-Signature-256
   (HMAC-SHA256 of the body alone); token: the secret itself in a header.
2. What is not signed raises `Unsigned`, whatever is wrong with it, and no comparison stops at the first byte
   that differs. Headers are read strictly: nothing of them can raise anything else.
3. What is signed and still cannot be taken raises `Unusable`: its sender may be told why.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import NamedTuple

ID_LETTERS_MAX = 256
SIGNATURES_MAX = 20  #: in one header: of secrets that take turns
REMEMBERED_MS = 3_600_000
"""How long what has no signed instant is remembered in any case."""
_ID = re.compile(rf"[\x21-\x7e]{{1,{ID_LETTERS_MAX}}}")
_SECONDS = re.compile(r"[0-9]{1,11}")


class Unsigned(Exception):
    """For our own log and nobody else."""


class Unusable(Exception):
    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.detail, self.hint = detail, hint


class Signed(NamedTuple):
    id: str  #: empty: its sender gives none, so each is another delivery
    signed_ms: int | None  #: the instant that was signed; None: none was
    safe_ms: int  #: from then on it would not be taken any more for its age, or is remembered for no longer


def check(
    scheme: str, secret: bytes, headers: Mapping[str, str], body: bytes, *, now_ms: int, tolerance_ms: int
) -> Signed:
    """Raises Unsigned or Unusable. `headers`: by their names in small letters."""
    if scheme == "standard":
        return _standard(secret, headers, body, now_ms, tolerance_ms)
    if scheme == "github":
        return _github(secret, headers, body, now_ms)
    return _token(secret, headers, now_ms)


def _standard(
    secret: bytes, headers: Mapping[str, str], body: bytes, now_ms: int, tolerance_ms: int
) -> Signed:
    name, instant = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    said = headers.get("webhook-signature", "").split(" ")[:SIGNATURES_MAX]
    if not _ID.fullmatch(name) or not _SECONDS.fullmatch(instant):
        raise Unsigned("webhook-id or webhook-timestamp is missing, or is none")
    signed = f"{name}.{instant}.".encode() + body
    right = b"v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())
    found = [hmac.compare_digest(right, each.encode("utf-8", "replace")) for each in said]
    if not any(found):
        raise Unsigned("no signature of webhook-signature is right")
    signed_ms = int(instant) * 1_000
    if abs(now_ms - signed_ms) > tolerance_ms:
        raise Unsigned(f"it was signed {(now_ms - signed_ms) // 1_000} s ago, by this node's clock")
    return Signed(name, signed_ms, signed_ms + tolerance_ms)


def _github(secret: bytes, headers: Mapping[str, str], body: bytes, now_ms: int) -> Signed:
    right = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    given = headers.get("x-hub-signature-256", "")
    if not hmac.compare_digest(right.encode(), given.encode("utf-8", "replace")):
        raise Unsigned("x-hub-signature-256 is missing or wrong")
    name = headers.get("x-github-delivery", "")
    if not _ID.fullmatch(name):
        raise Unusable(
            f"X-GitHub-Delivery is missing, or is no id of 1 to {ID_LETTERS_MAX} letters",
            "Each delivery has an id of its own there: by it one that is sent again is known.",
        )
    return Signed(name, None, now_ms + REMEMBERED_MS)


def _token(secret: bytes, headers: Mapping[str, str], now_ms: int) -> Signed:
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    given = headers.get("x-hook-token") or headers.get("x-gitlab-token")
    given = given or (bearer.strip() if scheme.lower() == "bearer" else "")
    # Of equal length, so that not even that of the secret can be measured.
    digests = [hashlib.sha256(each).digest() for each in (secret, given.encode("utf-8", "replace"))]
    if not hmac.compare_digest(*digests):
        raise Unsigned("no header has the token")
    name = headers.get("webhook-id") or headers.get("idempotency-key") or ""
    if name and not _ID.fullmatch(name):
        raise Unusable(
            f"webhook-id or Idempotency-Key is no id of 1 to {ID_LETTERS_MAX} letters without blanks",
            "Send an id that stays when the delivery is sent again, or none.",
        )
    return Signed(name, None, now_ms + REMEMBERED_MS)
