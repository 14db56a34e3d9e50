"""The files of a golden log: how they are written, and replayed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack

from scheduler import codec
from scheduler.machine import Machine
from scheduler.store.connection import Store
from tests.scheduler.story import Story

FOLDER = Path(__file__).parent
CLUSTER = "golden"


def member_names(members: bytes) -> list[str]:
    """What a golden log holds in place of consensus' own record."""
    return members.decode().split(",")


@dataclass(frozen=True, slots=True)
class Entry:
    applied: tuple[int, int, int, int, bytes]
    stamp_ms: int
    frames: tuple[bytes, ...]


def read(path: Path) -> Iterator[Entry]:
    with path.open("rb") as file:
        for applied, stamp_ms, frames in msgpack.Unpacker(file, use_list=False):
            yield Entry(applied, stamp_ms, frames)


def write(path: Path, entries: list[Entry]) -> None:
    packed = [msgpack.packb([entry.applied, entry.stamp_ms, entry.frames]) for entry in entries]
    path.write_bytes(b"".join(packed))


def commands(path: Path) -> Iterator[Any]:
    """Every command of a log."""
    for entry in read(path):
        for frame in entry.frames:
            yield from (codec.decode_command(data) for data in codec.decode_frame(frame).commands)


def replay(path: Path, state: Path, *, reverse: bool = False) -> dict[str, Any]:
    """What this version makes of a log, in a new state."""
    store = Store.create_or_open(state, cluster=CLUSTER)
    if reverse:
        store.execute("PRAGMA reverse_unordered_selects=ON")
    machine = Machine(store, member_names)
    outcomes: list[str] = []
    packed = hashlib.sha256()
    told = hashlib.sha256()
    for entry in read(path):
        result = machine.apply_entry(applied=entry.applied, stamp_ms=entry.stamp_ms, frames=entry.frames)
        for frame, (_, _, answers) in zip(entry.frames, result.frames, strict=True):
            encoded = codec.decode_frame(frame).commands
            names = [type(codec.decode_command(data)).__name__ for data in encoded]
            outcomes += [
                f"{name} {answer.code}" for name, answer in zip(names, answers, strict=bool(answers))
            ]
            packed.update(codec.encode_outcomes(answers))
        for events in result.encoded:
            told.update(events)
    found = machine.state
    expected = {
        "index": found.idx,
        "format": found.format,
        "state_hash": found.hash.hex(),
        "ledger_head": found.ledger_head.hex(),
        "outcomes_sha256": packed.hexdigest(),
        "events_sha256": told.hexdigest(),
        "outcomes": outcomes,
    }
    store.close()
    return expected


def expected_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    return found


class Recorder(Story):
    """A story whose entries are kept."""

    def __init__(self, path: Path, members: str = "node-a,node-b,node-c") -> None:
        self.entries: list[Entry] = []
        self.members = members
        super().__init__(path)

    def open(self) -> None:
        self.store = Store.create_or_open(self.path, cluster=CLUSTER)
        self.machine = Machine(self.store, member_names)

    def enter(self, *frames: bytes) -> Any:
        self.raft_index += 1
        entry = Entry(
            (self.raft_index, 1, self.raft_index - 1, 1, self.members.encode()), self.now_ms, frames
        )
        self.entries.append(entry)
        result = self.machine.apply_entry(applied=entry.applied, stamp_ms=entry.stamp_ms, frames=entry.frames)
        self.events = [event for _, _, event in result.events]
        return result
