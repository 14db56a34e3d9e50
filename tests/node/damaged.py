"""State files that were harmed: where the kinds of places are, and how to flip bits there."""

from __future__ import annotations

import random
from pathlib import Path

from node.seeding import Seeder
from node.state import ReplicatedState

CLUSTER = "c0ffee"
PAGE_BYTES = 4096
TABLE_LEAF, TABLE_INTERIOR, INDEX_LEAF, INDEX_INTERIOR = 0x0D, 0x05, 0x0A, 0x02


def live(data: Path) -> None:
    """Make a data directory with a state of some thousand rows, closed in good order."""
    state = open_state(data)
    state.machine.store.execute("PRAGMA synchronous=OFF")
    for _ in Seeder(state, b"").fill(jobs=500, runs_a_job=2, tail=b"some output of a job"):
        pass
    state.close()


def open_state(data: Path) -> ReplicatedState:
    return ReplicatedState(data, CLUSTER, lambda entry: None, lambda path: None, spawn=lambda job: job())


def file_of(data: Path) -> Path:
    return data / "state" / "1" / "state.db"


def pages_of(path: Path, kind: int) -> list[int]:
    """Numbers, from 0, of the pages of this kind (sqlite.org/fileformat2.html, 1.6), without the first page,
    whose header is another."""
    raw = path.read_bytes()
    return [n for n in range(1, len(raw) // PAGE_BYTES) if raw[n * PAGE_BYTES] == kind]


def flip(path: Path, offset: int, bit: int = 0) -> None:
    """As a disk does it: behind everybody's back."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))


def flip_many(path: Path, count: int, seed: int) -> None:
    rng = random.Random(seed)
    size = path.stat().st_size
    for _ in range(count):
        flip(path, rng.randrange(size), rng.randrange(8))


def place_of(path: Path, text: bytes) -> int:
    """Offset of the last copy of some bytes."""
    at = path.read_bytes().rfind(text)
    assert at >= 0, text
    return at
