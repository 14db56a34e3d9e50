"""The replicated state on disk: copies are installed under readers' eyes, the write-ahead log stays short."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.cluster import wait_for
from cluster.disk import FileDisk
from cluster.hardening import Hardening
from cluster.journal import Journal
from cluster.machine import Applied, Entry, Position
from cluster.restore import fit
from cluster.settings import ClusterSettings
from node import write_ahead
from node.config import ConfigError, load_config
from node.identity import JOURNAL
from node.seeding import seed_nodes
from node.state import ReplicatedState
from scheduler.model import parse_job, prepare
from scheduler.store import connection
from scheduler.store.connection import Store
from scheduler.verify import verify
from scheduler.words import codec
from scheduler.words.commands import PutJobs
from tests.node.test_config import GOOD, write

CLUSTER = "c1"
INSTALLS = 12
DEADLINE_S = 60.0

#: A front's reader in a process of its own: it goes on with a file until told of the next, and every snapshot
#: has to be one state: each command made one job and one revision.
READER = """
import sys
from pathlib import Path
from scheduler.store import state
from scheduler.store.connection import Store
directory = Path(sys.argv[1])
def path():
    return directory / (directory / "CURRENT").read_text() / "state.db"
seen, reads, at, told = set(), 0, path(), False
reader = Store.open_reader(at)
stopping = False
while not stopping:
    stopping = (directory.parent / "stop").exists()
    if path() != at:
        reader.close()
        at = path()
        reader = Store.open_reader(at)
    with reader.snapshot():
        index = state.load(reader).idx
        jobs = reader.value("SELECT count(*) FROM jobs")
        revisions = reader.value("SELECT count(*) FROM revisions")
        assert jobs == revisions == index * 20, (index, jobs, revisions)
    seen.add(index)
    reads += 1
    if reads == 1:
        print("reads", flush=True)
    elif len(seen) == 2 and not told:
        told = True
        print("goes on", flush=True)
assert reader.value("PRAGMA integrity_check") == "ok"
print(reads, len(seen), index)
"""


class Node:
    """A state and what its loop would do."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.jobs: list[Callable[[], None]] = []
        self.reopened: list[Path] = []
        self.position = Position(1, 0)
        self.number = 0
        self.state = ReplicatedState(
            data, CLUSTER, lambda entry: None, self.reopened.append, spawn=self.jobs.append
        )

    def put(self, text: str = "") -> None:
        """One entry with one command that makes twenty jobs."""
        jobs = [
            parse_job({"job": f"j-{self.number}-{i}", "noop": True, "description": text}) for i in range(20)
        ]
        command = codec.encode_command(PutJobs(tuple(prepare(job, 0) for job in jobs), 0))
        self.number += 1
        frame = codec.Frame("f", self.number, self.number, (command,))
        position = Position(self.position.index + 1, 1)
        self.state.apply(Entry(Applied(position, self.position, b""), 1, [codec.encode_frame(frame)]))
        self.position = position

    def work(self) -> None:
        while self.jobs:
            self.jobs.pop(0)()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path / "node")
    yield node
    node.state.close()


def test_readers_in_other_processes_never_see_a_torn_state(node: Node, tmp_path: Path) -> None:
    origin = Node(tmp_path / "origin")
    origin.put()
    node.put()
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(node.data / "state")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reads\n", reader.communicate()
    for number in range(INSTALLS):
        origin.put("x" * 2_000)
        copy = tmp_path / f"copy-{number}"
        node.state.install(copy, origin.state.copy_to(copy))
        node.work()
        node.position, node.number = origin.position, origin.number
        origin.put()
        node.put()  # the log goes on after the copy
    for reader in readers:  # it has read the first file, and goes on to a later one however late it is
        assert reader.stdout is not None
        assert reader.stdout.readline() == "goes on\n", reader.communicate()
    (node.data / "stop").touch()
    for reader in readers:
        out, errors = reader.communicate(timeout=DEADLINE_S)
        assert reader.returncode == 0, errors
        reads, seen, last = map(int, out.split())
        assert reads > 1
        assert seen > 1
        assert last == node.state.machine.state.idx
    origin.state.close()
    kept = sorted(int(path.name) for path in (node.data / "state").iterdir() if path.name.isdigit())
    assert kept == [INSTALLS, INSTALLS + 1], "the one before stays for readers that were not told yet"


def test_a_copy_under_way_ends_when_the_state_is_closed(node: Node, tmp_path: Path) -> None:
    for _ in range(20):
        node.put("x" * 3_000)
    result: list[object] = []

    def copy() -> None:
        try:
            result.append(node.state.copy_to(tmp_path / "copy"))
        except Exception as error:  # what the test looks at
            result.append(error)

    helper = threading.Thread(target=copy)
    helper.start()
    node.state.close()
    helper.join(DEADLINE_S)
    assert result
    assert isinstance(result[0], Exception | Applied)
    node.state = Node(node.data).state


def test_what_a_reader_kept_in_the_write_ahead_log_is_moved_beside_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit behind a long snapshot's end moves nothing; the helper thread does, and the log is cut."""
    monkeypatch.setattr(write_ahead, "LONG_BYTES", 6 << 20)
    monkeypatch.setattr(connection, "WAL_KEPT_BYTES", 4 << 20)
    monkeypatch.setattr(write_ahead, "PAUSE_S", 0.01)
    node = Node(tmp_path / "node")
    node.put()
    reader = Store.open_reader(node.state.path)
    with reader.snapshot():
        reader.value("SELECT idx FROM state")
        while not node.jobs:
            node.put("x" * 3_000)
            assert node.state.wal_bytes() < 20 << 20, "nobody minds the write-ahead log"
        helper = threading.Thread(target=node.jobs.pop(0))
        helper.start()
        for _ in range(20):
            node.put("x" * 3_000)
        assert node.state.machine.store.value("PRAGMA wal_autocheckpoint") == 0
        assert helper.is_alive(), "it gave up while the reader still read"
    long_bytes = node.state.wal_bytes()
    helper.join(DEADLINE_S)
    assert not helper.is_alive()
    node.put()
    assert node.state.machine.store.value("PRAGMA wal_autocheckpoint") == connection.CHECKPOINT_PAGES

    def cut() -> bool:
        node.put()
        return node.state.wal_bytes() <= 4 << 20

    wait_for(cut, DEADLINE_S, f"a write-ahead log cut, not of {long_bytes} bytes", 0.0)
    reader.close()
    node.state.close()


def test_an_error_of_the_helper_thread_is_raised_on_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_ahead, "LONG_BYTES", 0)
    node = Node(tmp_path / "node")
    node.put()
    path, aside = node.state.path, tmp_path / "aside"
    path.rename(aside)
    path.mkdir()  # the helper's own connection cannot open this
    node.work()
    with pytest.raises(connection.Error):
        node.put()
    path.rmdir()
    aside.rename(path)
    node.state.close()


def test_a_seeded_directory_is_a_node_that_has_just_compacted_its_log(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD), {})
    size = seed_nodes([config], jobs=20, runs=60, tail_bytes=100)
    assert size > 0
    state = ReplicatedState(config.data, config.cluster, lambda entry: None, lambda path: None)
    store = state.machine.store
    assert store.value("SELECT count(*) FROM runs WHERE state = 'succeeded'") == 60
    found = verify(store, 0, 1_790_000_000_000, now_ms=1_790_000_000_000)
    assert (found.ok, found.due, found.overdue) == (True, 60, 0)
    stored = state.stored()
    journal = Journal(FileDisk(config.data / JOURNAL))
    settings = ClusterSettings(
        config.cluster,
        config.name,
        "uid",
        str(config.raft),
        (),
        config.data / JOURNAL,
        config.data / "copies",
    )
    assert fit(journal, stored, settings, Hardening()) == (stored, False)
    assert stored is not None
    assert journal.last_index == stored.position.index
    journal.close()
    state.close()
    with pytest.raises(ConfigError, match="holds a node's state"):
        seed_nodes([config], jobs=20, runs=60)
    with pytest.raises(ConfigError, match="for each of the 20 jobs"):
        seed_nodes([config], jobs=20, runs=61)
