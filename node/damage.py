"""What becomes of a state that cannot be trusted: it is damaged, or differs from the majority's.

Rules:

1. A node that has peers sets its state aside, for a person to look at, and ends with `EXIT_ANEW`: the next
   core makes a new one from the log or from a peer's copy. Journal, term and vote stay
   (docs/decisions/0009).
2. A node that is alone has nobody to take a state from: it changes nothing and ends with EXIT_REFUSED and
   words. Starting it again would serve the damage, or forget everything.
3. Damage is what SQLite says of the file, and an entry that a majority has applied and this node cannot. An
   error that nothing explains looks at the file before it ends the process.
4. An entry that fails again and again here is a defect or damage that cannot be told apart: after
   `FAILURES_MAX` starts the node is refused with words. What a defect does it does on all nodes, and nobody
   sets a state aside for it.
5. One state is kept aside, the latest: they are large.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from cluster.peers import PeerInfo
from durable.files import replace_file, sync_folder
from node import majority
from node.state import FILE, ApplyError, current_generation
from scheduler.formats import NewerFormatError
from scheduler.store import soundness
from scheduler.store.connection import Error, StoreError, is_damage, is_of_disk

FAILURES_MAX = 3
FAILED = "failed-entry.json"
_ASIDE = "diverged-"

log = logging.getLogger("cronclave.core")


class DivergedError(Exception):
    """This node applied the same entries to another result: it must not serve."""


class UntrustedError(Exception):
    """This node's state is not to be served: the words for the operator, and whether it was set aside."""

    def __init__(self, words: str, *, is_aside: bool) -> None:
        super().__init__(words)
        self.is_aside = is_aside


def set_aside(data: Path) -> Path:
    """Take the state out of use; nobody may have it open. Returns where it lies now."""
    directory = data / "state"
    for old in directory.glob(f"{_ASIDE}*"):
        shutil.rmtree(old, ignore_errors=True)
    generation = current_generation(directory)
    kept = directory / f"{_ASIDE}{generation}"
    os.replace(directory / str(generation), kept)
    sync_folder(directory)
    return kept


def aside(data: Path) -> int:
    """How many states lie aside."""
    return sum(1 for _ in (data / "state").glob(f"{_ASIDE}*"))


def damage_behind(error: Exception, data: Path, peers: Sequence[PeerInfo] = ()) -> str | None:
    """What is damaged, if that is what this error comes from."""
    if is_damage(error):
        return str(error)
    if is_of_disk(error) or isinstance(error, (StoreError, NewerFormatError)):
        return None  # the disk, or a file of another cluster or version: they have their own words
    path = data / "state" / str(current_generation(data / "state")) / FILE
    try:
        found = soundness.problems(path) if path.exists() else []
    except (OSError, Error) as broken:
        log.error("%s cannot be looked at: %s", path, broken)
        return None
    if found:
        return f"{path}: {'; '.join(found)}"
    if isinstance(error, ApplyError) and majority.has_applied(error.index, peers):
        return f"{path}: {error}; a majority of the nodes has applied it"
    return None


def untrusted(words: str, data: Path, *, has_peers: bool) -> UntrustedError:
    """Do what rules 1 and 2 say; nobody may have the state open. Returns what to end with."""
    if has_peers:
        kept = set_aside(data)
        return UntrustedError(
            f"{words}. The state is kept in {kept} for you to look at; a new one is made from log or peer",
            is_aside=True,
        )
    return UntrustedError(
        f"{words}. This node knows of no other that holds the state. If there are others, move"
        f" {data / 'state'} away and start it again: it takes theirs. If there are none, restore a backup"
        " (cronclave cluster restore), and have the disk and the memory of this machine looked at",
        is_aside=False,
    )


def note_failure(error: ApplyError, data: Path) -> str | None:
    """An entry failed and nothing tells why. Words for the operator when it did so too often."""
    place = data / FAILED
    try:
        noted = json.loads(place.read_text())
        times = noted["times"] + 1 if noted["index"] == error.index else 1
    except (OSError, ValueError, KeyError, TypeError):
        times = 1
    replace_file(place, json.dumps({"index": error.index, "times": times}).encode())
    if times < FAILURES_MAX:
        return None
    place.unlink()  # a person who starts it again gets as many tries
    return (
        f"{error}, {times} times now, and the state file looks sound. If this is the only node where it"
        f" happens, move {data / 'state'} away and start it again: it takes a peer's state. If it is the same"
        " on all nodes, it is a defect: keep the data directories and report it with this log"
    )
