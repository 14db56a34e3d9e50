"""What a secret's value has to be so that what comes to a hook can be signed with it."""

from __future__ import annotations

import base64
import binascii

PREFIX = "whsec_"
DECODED_BYTES_MIN, DECODED_BYTES_MAX = 24, 64
"""Of `standard`, as Standard Webhooks says."""
TEXT_BYTES_MIN = 16
"""Of the other schemes: what is shorter could be guessed."""


def secret_bytes(scheme: str, value: str) -> bytes:
    """What is signed with. Raises ValueError with the reason, and no part of the value, for one that is none
    of this scheme."""
    value = value.rstrip("\r\n")  # of a file that it was put from
    if scheme != "standard":
        secret = value.encode()
        if len(secret) < TEXT_BYTES_MIN:
            raise ValueError(f"it has fewer than {TEXT_BYTES_MIN} bytes: openssl rand -hex 32")
        return secret
    try:
        secret = base64.b64decode(value.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        said = f"it is no base64, with {PREFIX} before it or not: openssl rand -base64 32"
        raise ValueError(said) from None
    if not DECODED_BYTES_MIN <= len(secret) <= DECODED_BYTES_MAX:
        size = f"{DECODED_BYTES_MIN} to {DECODED_BYTES_MAX} bytes"
        raise ValueError(f"it has {len(secret)} bytes in base64, not {size}: openssl rand -base64 32")
    return secret
