"""Secrets are encrypted and read here: AES-256-GCM (NIST SP 800-38D), a random nonce each.

What a value belongs to (the cluster's lineage, namespace, name, version) goes in as associated data: a value
that was copied under another name, or over a newer one, is not read. The same keys prove whose word a request
is that brings no token of a person (`api.callbacks`): HMAC (RFC 2104) with SHA-256.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.ports import NoVault, Vault, VaultError
from node.config import NodeConfig
from node.secret_keys import KeyRing

NONCE_BYTES = 12


def vault_of(config: NodeConfig) -> Vault:
    """The vault of this node. Raises KeysError."""
    if config.secret_key_file is None and not config.secret_key_command:
        return NoVault()
    return NodeVault(KeyRing(config.secret_key_file, config.secret_key_command))


class NodeVault:
    """api.ports.Vault over the keys of this node."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def keys(self) -> Sequence[str]:
        return list(self._ring.keys())

    def seal(self, place: Sequence[str], value: bytes) -> tuple[str, bytes]:
        name, key = next(iter(self._ring.keys().items()))
        nonce = os.urandom(NONCE_BYTES)
        return name, nonce + AESGCM(key).encrypt(nonce, value, _bound(place))

    def open(self, place: Sequence[str], key: str, sealed: bytes) -> bytes:
        known = self._ring.keys()
        if key not in known:
            raise VaultError(f"it does not have the key {key} (secrets.key_file or secrets.key_command)")
        try:
            return AESGCM(known[key]).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound(place))
        except (InvalidTag, ValueError):
            raise VaultError(
                "what is stored is not this secret's value: it was damaged or exchanged"
            ) from None

    def macs(self, place: Sequence[str]) -> Sequence[bytes]:
        said = b"\0".join([b"cronclave proof 1", *(part.encode() for part in place)])
        return [hmac.digest(key, said, "sha256") for key in self._ring.keys().values()]


def _bound(place: Sequence[str]) -> bytes:
    return b"\0".join([b"cronclave secret 1", *(part.encode() for part in place)])
