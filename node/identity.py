"""What a node is: its name and a random uid that lives and dies with its data directory.

A node whose directory was wiped has another uid; the cluster refuses it under its old name, because it
has forgotten its votes (see docs/consensus.md).
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from durable.files import BESIDE, replace_file
from node.config import ConfigError, NodeConfig


def software_version() -> str:
    """The installed version of Cronclave; "0" for a source tree that is not installed."""
    try:
        return importlib.metadata.version("cronclave")
    except importlib.metadata.PackageNotFoundError:
        return "0"


PRIVATE = 0o077
"""The umask of a node's processes: what they write is nobody else's, whatever the shell or unit says."""

JOURNAL = "log"  #: directory of consensus' journal in the data directory
OWNER = "owner"  #: file beside it with the uid of its node: its votes are nobody else's
STARTED = "started"  #: file that says that the journal was there


@dataclass(frozen=True, slots=True)
class Identity:
    uid: str
    cluster: str
    name: str


def lock_data(data: Path) -> int:
    """Take the data directory for this process; returns the descriptor that holds it. Raises ConfigError."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if data.stat().st_uid == os.geteuid():
        data.chmod(0o700)  # made by hand, perhaps: it holds sockets, keys and hashes of tokens
    descriptor = os.open(data / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise ConfigError(f"{data}: another node runs on this data directory; stop it first") from error
    return descriptor


def load_identity(config: NodeConfig) -> Identity:
    """The identity in the data directory, made at the first start. Raises ConfigError on a foreign one."""
    path = config.data / "identity.json"
    if path.exists():
        try:
            stored = json.loads(path.read_text())
            identity = Identity(stored["uid"], stored["cluster"], stored["name"])
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path}: unreadable ({error}); restore it from a copy, "
                "or wipe the directory and join under a new name"
            ) from error
        if (identity.cluster, identity.name) != (config.cluster, config.name):
            raise ConfigError(
                f"{config.data}: belongs to node {identity.name!r} of cluster {identity.cluster}, "
                f"the configuration says node {config.name!r} of cluster {config.cluster}. Give this node "
                "its own directory (node.data), or its own configuration; if the directory of "
                f"{config.name!r} is lost, remove it from the cluster and join under a new name"
            )
        return identity
    identity = Identity(secrets.token_hex(8), config.cluster, config.name)
    write_identity(path, identity)
    return identity


def write_identity(path: Path, identity: Identity) -> None:
    document = {"uid": identity.uid, "cluster": identity.cluster, "name": identity.name}
    replace_file(path, json.dumps(document).encode())


def refuse_forgotten_votes(data: Path, uid: str) -> None:
    """A node that has run before has its own journal, or it forgot its votes. Raises ConfigError."""
    journal = data / JOURNAL
    remedy = "Remove the node from the cluster and let it join under a new name with an empty data directory"
    not_of_the_journal = {OWNER, OWNER + BESIDE}
    if (data / STARTED).exists() and not any(p.name not in not_of_the_journal for p in journal.glob("*")):
        raise ConfigError(f"{journal}: the journal of this node is gone, and with it its votes. {remedy}")
    owner = journal / OWNER
    if owner.exists() and (found := owner.read_text()) != uid:
        raise ConfigError(
            f"{owner}: this journal is of the node with uid {found!r}, and this node is {uid!r}: its votes "
            f"are another's. Put the directory of this node back. If it is lost: {remedy}"
        )


def note_started(data: Path, uid: str) -> None:
    """The journal exists now: from here on it must never be missing, nor another's."""
    if not (data / JOURNAL / OWNER).exists():
        replace_file(data / JOURNAL / OWNER, uid.encode())
    if not (data / STARTED).exists():
        replace_file(data / STARTED, b"")
