"""The files of a golden log: how they are written, and replayed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack

from scheduler.machine import Machine
from scheduler.machine.renewal import Renewal, renew
from scheduler.store.connection import Store
from scheduler.store.tables.restores import Restore
from scheduler.words import codec
from tests.scheduler.states import opened
from tests.scheduler.story import COMPARED_EVERY, Story

FOLDER = Path(__file__).parent
CLUSTER = "golden"
RENEWAL = "renewal"
"""In place of an entry: here the state was restored from a backup."""


def member_names(members: bytes) -> list[str]:
    """What a golden log holds in place of consensus' own record."""
    return members.decode().split(",")


@dataclass(frozen=True, slots=True)
class Entry:
    applied: tuple[int, int, int, int, bytes]
    stamp_ms: int
    frames: tuple[bytes, ...]


def read(path: Path) -> Iterator[Entry | Renewal]:
    with path.open("rb") as file:
        for row in msgpack.Unpacker(file, use_list=False):
            yield Renewal(*row[1:]) if row[0] == RENEWAL else Entry(*row)


def write(path: Path, entries: list[Entry | Renewal]) -> None:
    rows = [
        [each.applied, each.stamp_ms, each.frames]
        if isinstance(each, Entry)
        else [RENEWAL, *dataclasses.astuple(each)]
        for each in entries
    ]
    path.write_bytes(b"".join(msgpack.packb(row) for row in rows))


def replay(path: Path, state: Path, *, reverse: bool = False) -> dict[str, Any]:
    """What this version makes of a log, in a new state."""
    store = opened(state, CLUSTER)
    if reverse:
        store.execute("PRAGMA reverse_unordered_selects=ON")
    machine = Machine(store, member_names)
    outcomes: list[str] = []
    packed = hashlib.sha256()
    told = hashlib.sha256()
    for number, entry in enumerate(read(path)):
        if isinstance(entry, Renewal):
            renew(store, entry)
            machine = Machine(store, member_names)
            continue
        result = machine.apply_entry(applied=entry.applied, stamp_ms=entry.stamp_ms, frames=entry.frames)
        if number % COMPARED_EVERY == 0:
            assert store.kept.differences() == []
        for frame, (_, _, answers) in zip(entry.frames, result.frames, strict=True):
            encoded = codec.decode_frame(frame).commands
            names = [type(codec.decode_command(data)).__name__ for data in encoded]
            outcomes += [
                f"{name} {answer.code}" for name, answer in zip(names, answers, strict=bool(answers))
            ]
            packed.update(codec.encode_outcomes(answers))
        for events in result.encoded:
            told.update(events)
    assert store.kept.differences() == []
    found = machine.state
    expected = {
        "index": found.idx,
        "format": found.format,
        "state_hash": found.hash.hex(),
        "ledger_head": found.ledger_head.hex(),
        "tables_sha256": hashlib.sha256("\n".join(tables(store)).encode()).hexdigest(),
        "outcomes_sha256": packed.hexdigest(),
        "events_sha256": told.hexdigest(),
        "outcomes": outcomes,
    }
    store.close()
    return expected


def tables(store: Store) -> list[str]:
    """The statements of all tables, indices and triggers, without remarks and blanks."""
    rows = store.rows("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name")
    return ["".join(re.sub(r"--[^\n]*", "", sql).split()) for (sql,) in rows]


def expected_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    return found


class Recorder(Story):
    """A story whose entries are kept."""

    def __init__(self, path: Path, members: str = "node-a,node-b,node-c") -> None:
        self.entries: list[Entry | Renewal] = []
        self.members = members
        self.term, self.term_before = 1, 1
        super().__init__(path)

    def open(self) -> None:
        self.store = opened(self.path, CLUSTER)
        self.machine = Machine(self.store, member_names)

    def renew(self, number: int, hold_ms: int) -> Restore:
        """The state as it is becomes that of a new cluster, in place of going on."""
        members = self.members.encode()
        renewal = Renewal("restore", f"{CLUSTER}-{number}", number, hold_ms, False, members)
        self.entries.append(renewal)
        restore = renew(self.store, renewal)
        self.machine = Machine(self.store, member_names)
        return restore

    def enter(self, *frames: bytes) -> Any:
        self.raft_index += 1
        entry = Entry(
            (self.raft_index, self.term, self.raft_index - 1, self.term_before, self.members.encode()),
            self.now_ms,
            frames,
        )
        self.term_before = self.term
        self.entries.append(entry)
        result = self.machine.apply_entry(applied=entry.applied, stamp_ms=entry.stamp_ms, frames=entry.frames)
        self.events = [event for _, _, event in result.events]
        return result
