"""The certificates that this node gives to machines that join, where it holds the CA's key (tls.ca_key).

The files are read at each use: a cluster changes its CA without a restart, and the key is in no memory longer
than one signature takes.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence

from cluster.authority import Authority, key_fingerprint, request_key
from node.config import TlsConfig


class NodeAuthority:
    """api.ports.Authority over the node's files."""

    def __init__(self, cluster: str, files: TlsConfig) -> None:
        self._cluster, self._files = cluster, files

    def bundle(self) -> str | None:
        try:
            return self._files.ca.read_text()
        except OSError:
            return None  # in the middle of a copy: the next request finds it

    def is_signer(self) -> bool:
        return self._files.ca_key is not None

    def key_id(self, request: str) -> bytes:
        # Not the hash alone: nobody who sends a public key as a bearer token is anybody.
        return hashlib.sha256(f"node-key\0{key_fingerprint(request_key(request.encode()))}".encode()).digest()

    def sign(self, request: str, name: str, hosts: Sequence[str]) -> str:
        if self._files.ca_key is None:
            raise ValueError("this node does not hold the CA's key")
        try:
            authority = Authority.load(self._files.ca.read_bytes(), self._files.ca_key.read_bytes())
        except OSError as error:
            raise ValueError(f"{error.filename}: {error.strerror}") from None
        now = datetime.datetime.now(datetime.UTC)
        return authority.sign(request.encode(), self._cluster, name, hosts, now).decode()
