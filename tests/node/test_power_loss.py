"""Power fails at any moment, and both files, journal and SQLite, lose what was not synced: what was
acknowledged is there again.

A lone node runs under the fault shim, which writes down every write, sync, rename and removal of its files.
From that the test builds what a disk may hold at a moment: all that was synced, and of the rest nothing,
everything, or any pieces of 512 bytes in any order; of each directory the old names or the new ones.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chaos.nemesis.shim import Control, build
from tests.node.lone_node import ACKNOWLEDGED, LoneNode

COMMANDS = 70
MOMENTS = 40
SECTOR = 512
_RECORD = struct.Struct("<BIQQ")


@dataclass(frozen=True, slots=True)
class Operation:
    kind: str  #: w t s d r u, as in shim.c
    path: str
    offset: int
    data: bytes


@dataclass(slots=True)
class Inode:
    synced: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)

    def content(self, keeps: random.Random | None) -> bytes:
        """With what is pending: all of it, or what this generator lets survive."""
        found = bytearray(self.synced)
        for operation in self.pending:
            if operation.kind == "t":
                if keeps is None or keeps.random() < 0.5:
                    _truncate(found, operation.offset)
                continue
            for start in range(0, len(operation.data), SECTOR):
                if keeps is None or keeps.random() < 0.5:
                    piece = operation.data[start : start + SECTOR]
                    _write(found, operation.offset + start, piece)
        return bytes(found)

    def sync(self) -> None:
        self.synced, self.pending = bytearray(self.content(None)), []


class Disk:
    """What was done to the files under one directory, and what of it is safe."""

    def __init__(self) -> None:
        self.names: dict[str, Inode] = {}
        self.safe_names: dict[str, Inode] = {}

    def do(self, operation: Operation) -> None:
        path = operation.path
        if operation.kind in "wt":
            self.names.setdefault(path, Inode()).pending.append(operation)
        elif operation.kind == "s":
            self.names.setdefault(path, Inode()).sync()
        elif operation.kind == "d":
            inside = {n: i for n, i in self.names.items() if os.path.dirname(n) == path}
            outside = {n: i for n, i in self.safe_names.items() if os.path.dirname(n) != path}
            self.safe_names = outside | inside
        elif operation.kind == "r":
            inode = self.names.pop(path, None)
            if inode is not None:
                self.names[operation.data.decode()] = inode
        else:
            self.names.pop(path, None)

    def after_power_loss(self, rng: random.Random, *, keeps: str) -> dict[str, bytes]:
        """`keeps`: nothing, everything or pieces of what was not synced."""
        directories = sorted({os.path.dirname(n) for n in (*self.names, *self.safe_names)})
        found: dict[str, Inode] = {}
        for directory in directories:
            is_new = keeps == "everything" or (keeps == "pieces" and rng.random() < 0.5)
            names = self.names if is_new else self.safe_names
            found |= {n: i for n, i in names.items() if os.path.dirname(n) == directory}
        chosen = {"nothing": lambda i: bytes(i.synced), "everything": lambda i: i.content(None)}.get(
            keeps, lambda i: i.content(rng)
        )
        return {name: chosen(inode) for name, inode in sorted(found.items())}


def _truncate(content: bytearray, size: int) -> None:
    if size <= len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


def _write(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def read_trace(path: Path) -> Iterator[Operation]:
    raw, at = path.read_bytes(), 0
    while at < len(raw):
        kind, path_bytes, offset, data_bytes = _RECORD.unpack_from(raw, at)
        at += _RECORD.size
        name = raw[at : at + path_bytes].decode()
        at += path_bytes
        yield Operation(chr(kind), name, offset, raw[at : at + data_bytes])
        at += data_bytes


@dataclass(frozen=True, slots=True)
class Story:
    directory: Path
    operations: list[Operation]
    hashes: dict[int, str]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """One life of a lone node, written down."""
    root = tmp_path_factory.mktemp("power")
    library = build(root)
    if isinstance(library, str):
        pytest.skip(library)
    data = root / "data"
    data.mkdir()
    control = Control(root / "control")
    control.trace(f"{data}/", root / "trace")
    done = subprocess.run(
        [sys.executable, "-m", "tests.node.lone_node", str(data), str(COMMANDS), str(root / "reference")],
        env={**os.environ, **control.environment(library)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    hashes = json.loads((root / "reference").read_text())
    operations = [o for o in read_trace(root / "trace") if not o.path.endswith("-shm")]  # made anew by SQLite
    return Story(data, operations, {int(index): told for index, told in hashes.items()})


def test_trace_is_the_whole_truth(story: Story) -> None:
    """With everything kept, the disk that is built from it is the one that is there; and the story holds what
    it is for: checkpoints, trimmed segments and a database that was written and synced."""
    disk = Disk()
    for operation in story.operations:
        disk.do(operation)
    built = disk.after_power_loss(random.Random(0), keeps="everything")

    there = {str(p): p.read_bytes() for p in story.directory.rglob("*") if p.is_file()}
    assert {n: c for n, c in built.items()} == {n: c for n, c in there.items() if not n.endswith("-shm")}
    kinds = {(o.kind, os.path.basename(o.path).rpartition(".")[2]) for o in story.operations}
    assert {("u", "seg"), ("s", "seg"), ("s", "db-wal"), ("s", "db"), ("w", "db"), ("r", "new")} <= kinds


@pytest.mark.parametrize("keeps", ["nothing", "everything", "pieces"])
def test_acknowledged_is_there_after_power_is_lost_at_any_moment(
    story: Story, tmp_path: Path, keeps: str
) -> None:
    rng = random.Random(f"moments, {keeps}")
    moments = sorted(rng.sample(range(len(story.operations) + 1), MOMENTS))
    disk, done = Disk(), 0
    for number, moment in enumerate(moments):
        for operation in story.operations[done:moment]:
            disk.do(operation)
        done = moment
        files = disk.after_power_loss(rng, keeps=keeps)
        told = disk.names.get(str(story.directory / ACKNOWLEDGED), Inode()).content(None)
        _power_comes_back(story, tmp_path / str(number), files, told.decode().split(), f"{keeps} of {moment}")


def _power_comes_back(
    story: Story, data: Path, files: dict[str, bytes], acknowledged: list[str], what: str
) -> None:
    for name, content in files.items():
        path = data / Path(name).relative_to(story.directory)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    node = LoneNode(data, life=2)
    state = node.state.machine.state
    if state.raft_index:
        assert state.hash.hex() == story.hashes[state.raft_index], what
    node.lead()
    missing = set(acknowledged) - node.tokens()
    node.commit("goes-on")
    node.close()
    assert not missing, what
    shutil.rmtree(data)
