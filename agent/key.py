"""The key of an installation: made at the first start of a data directory, and told to nobody.

The installation's id is the fingerprint of its public half (scheduler.protocol.installation_of), so an id is
worth nothing to who has only read it: each Hello is signed over what the node has just asked (Challenge).
Ed25519, RFC 8032.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from durable.files import replace_file

KEY_BYTES = 32
FILE = "agent.key"


class Keyless(Exception):
    """The key is gone or no key; the text says what to do."""


class InstallationKey:
    def __init__(self, secret: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(secret)
        self.public: bytes = self._private.public_key().public_bytes_raw()

    def sign(self, text: bytes) -> bytes:
        return self._private.sign(text)


def load_key(data: Path, *, may_make: bool) -> InstallationKey:
    """The key in this data directory, made when there is none and there may be a new one. Raises Keyless."""
    path = data / FILE
    if not path.exists():
        if not may_make:
            raise Keyless(
                f"{path} is gone: nothing else proves that this is the agent of before. Put it back; if it "
                "is lost, start with an empty data directory (cronclave agents release NAME frees the name)"
            )
        replace_file(path, os.urandom(KEY_BYTES))
    secret = path.read_bytes()
    if len(secret) != KEY_BYTES:
        raise Keyless(f"{path} has {len(secret)} bytes, a key has {KEY_BYTES}: put the right one back")
    return InstallationKey(secret)
