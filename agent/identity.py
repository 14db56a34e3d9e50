"""Who this agent is, for good: one small file, replaced as a whole."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from agent.clock import HostClock
from agent.key import FILE as KEY_FILE
from agent.key import InstallationKey, Keyless, load_key
from durable.files import replace_file
from scheduler.protocol import installation_of, session_name


class Occupied(Exception):
    """Another agent runs on this data directory."""


@dataclass(frozen=True, slots=True)
class Identity:
    installation: str  #: of the data directory's key (agent.key)
    cluster: str = ""  #: uid that the agent is pinned to
    restores: int = 0
    boot_id: str = ""  #: of the host when the agent last started
    started: int = 0  #: number of the newest session
    lineage: str = ""  #: uid of the first cluster of all that `cluster` was restored from; "": itself
    told: int = 0  #: the restore that was told what ran here


def next_session(data: Path, identity: Identity, clock: HostClock | None = None) -> tuple[Identity, str]:
    """The name of this process's session, which sorts behind those of all earlier ones: the cluster knows by
    it which of two processes of an installation is the newer, in whatever order it hears of them.

    Numbers go by the wall clock, so that a data directory restored from a backup does not fall behind; where
    the clock was set back, by counting.
    """
    now_ms = (clock or HostClock()).wall_ms()
    identity = dataclasses.replace(identity, started=max(identity.started + 1, now_ms))
    with contextlib.suppress(OSError):
        # A full disk must not keep an agent from reporting what ended; the clock alone is nearly as good.
        store(data, identity)
    return identity, session_name(identity.started, secrets.token_hex(8))


def occupy(data: Path) -> int:
    """Lock the data directory for this process; the handle holds the lock. Raises Occupied."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if data.stat().st_uid == os.geteuid():
        data.chmod(0o700)  # made by hand, perhaps: the spooler's socket and this agent's key are in it
    (data / "output").mkdir(mode=0o700, exist_ok=True)
    handle = os.open(data / "agent.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise Occupied(f"another agent runs on {data}") from None
    return handle


def load(data: Path) -> tuple[Identity, InstallationKey]:
    """The stored identity with its key, or new ones. Raises Keyless."""
    path = data / "identity.json"
    stored = Identity(**json.loads(path.read_text())) if path.exists() else None
    key = load_key(data, may_make=stored is None)
    own = installation_of(key.public)
    if stored is not None and stored.installation != own:
        raise Keyless(f"{data / KEY_FILE} is of installation {own}, {path} of {stored.installation}")
    identity = stored or Identity(installation=own)
    if stored is None:
        store(data, identity)
    return identity, key


def store(data: Path, identity: Identity) -> None:
    replace_file(data / "identity.json", json.dumps(dataclasses.asdict(identity)).encode())
