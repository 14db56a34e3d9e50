"""Senders of deliveries: what GitHub, a sender of Standard Webhooks, and a plain one send."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
from typing import Any

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
TEXT = "a secret of sixteen and more letters"
_NUMBERS = itertools.count(1)


def standard(
    body: bytes, *, secret: str = SECRET, id: str = "", at_s: int | None = None, **more: str
) -> dict[str, str]:
    """The headers. `at_s`: when it is signed; None: now."""
    name = id or f"msg_{next(_NUMBERS)}"
    instant = str(int(time.time()) if at_s is None else at_s)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{name}.{instant}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": name, "webhook-timestamp": instant, "webhook-signature": signature, **more}


def github(body: bytes, *, secret: str = TEXT, id: str = "guid-1") -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={digest}", "x-github-delivery": id}


def text(document: Any) -> bytes:
    return json.dumps(document).encode()
