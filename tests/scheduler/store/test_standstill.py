"""The database file stands still while it is copied: no commit waits, none is torn, and it ends in time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scheduler.store import connection, standstill, state
from scheduler.store.connection import CHECKPOINT_PAGES, Store, StoreError
from scheduler.words import commands as c
from tests.scheduler.story import Story, job

JOBS = 400


@pytest.fixture
def large(story: Story, monkeypatch: pytest.MonkeyPatch) -> Story:
    """Of several blocks."""
    monkeypatch.setattr(standstill, "BLOCK_BYTES", 64 << 10)
    story.put(*[job(f"job-{number}", description="x" * 2_000) for number in range(JOBS)])
    return story


def change(story: Story) -> None:
    """A hundred pages at random."""
    for turn in (c.PauseJob, c.ResumeJob):
        story.tell(*[turn("default", f"job-{number}") for number in range(0, JOBS, 4)])


def copy_with(
    story: Story, path: Path, monkeypatch: pytest.MonkeyPatch, between: Callable[[], None]
) -> state.State:
    """Copy on a helper thread; `between` is called on this one while the copy waits in the middle."""
    middle, go_on = threading.Event(), threading.Event()

    def wait(seconds: float) -> None:
        middle.set()
        assert go_on.wait(60.0)

    monkeypatch.setattr("scheduler.store.connection.time.sleep", wait)
    with ThreadPoolExecutor(1) as helper:
        copying = helper.submit(story.store.copy_to, path)
        try:
            assert middle.wait(60.0)
            between()
        finally:
            go_on.set()
        return copying.result()


def sound(path: Path, copied: state.State) -> None:
    copy = Store.create_or_open(path, cluster="story")
    assert state.load(copy) == copied
    assert copy.value("PRAGMA integrity_check") == "ok"
    copy.close()


def test_commits_leave_the_file_alone_while_it_is_copied(
    large: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state.load(large.store)
    seen: list[bool] = []

    def commit() -> None:
        file = large.store.path.read_bytes()
        while large.store.wal_bytes() < 8 << 20:  # twice what commits usually move
            change(large)
        seen.append(file == large.store.path.read_bytes())

    copied = copy_with(large, tmp_path / "copy", monkeypatch, commit)
    assert seen == [True]
    assert copied == before, "as of its beginning"
    sound(tmp_path / "copy", copied)
    assert large.store.value("PRAGMA wal_autocheckpoint") == CHECKPOINT_PAGES
    assert large.store.checkpoint_aside()[0] == large.store.checkpoint_aside()[1], "all can be moved again"


def test_who_moves_the_log_waits_for_the_copy_and_commits_do_not(
    large: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    movers: list[threading.Thread] = []

    def commit() -> None:
        change(large)
        movers.append(threading.Thread(target=large.store.checkpoint))
        movers[0].start()
        file = large.store.path.read_bytes()
        large.store.checkpoint_at_commits(True)  # as `node.write_ahead` does; not before the copy is done
        for _ in range(20):
            change(large)
        assert large.store.value("PRAGMA wal_autocheckpoint") == 0
        assert movers[0].is_alive()
        assert file == large.store.path.read_bytes()

    sound(tmp_path / "copy", copy_with(large, tmp_path / "copy", monkeypatch, commit))
    movers[0].join(60.0)
    assert not movers[0].is_alive()


def test_a_file_that_a_reader_holds_back_is_never_copied_as_it_is(
    large: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that a snapshot stops half way leaves pages of two instants: then it goes by pages."""
    monkeypatch.setattr(standstill, "TRY_PAUSE_S", 0.001)
    reader = Store.open_reader(large.store.path)
    large.store.checkpoint()
    change(large)
    with reader.snapshot():
        reader.value("SELECT idx FROM state")
        change(large)
        copied = large.store.copy_to(tmp_path / "copy")
    assert copied == state.load(large.store)
    sound(tmp_path / "copy", copied)
    reader.close()


def test_a_reader_that_ends_soon_is_waited_for(large: Story, tmp_path: Path) -> None:
    """The copy is as of its beginning, and so of no fallback."""
    reader = Store.open_reader(large.store.path)
    with ThreadPoolExecutor(1) as helper:
        with reader.snapshot():
            reader.value("SELECT idx FROM state")
            change(large)
            copying = helper.submit(large.store.copy_to, tmp_path / "copy")
        copied = copying.result()
    assert copied == state.load(large.store)
    sound(tmp_path / "copy", copied)
    reader.close()


def test_a_log_that_grows_too_long_ends_the_standstill(
    large: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is made by pages then, and as of its end."""
    bytes_max = large.store.wal_bytes() + (1 << 20)
    monkeypatch.setattr(standstill, "LOG_BYTES_MAX", bytes_max)
    before = state.load(large.store)

    def commit() -> None:
        while large.store.wal_bytes() <= bytes_max:
            change(large)

    copied = copy_with(large, tmp_path / "copy", monkeypatch, commit)
    assert copied.idx > before.idx
    sound(tmp_path / "copy", copied)


def is_open(path: Path) -> bool:
    descriptors = [Path(f"/proc/self/fd/{fd.name}") for fd in Path("/proc/self/fd").iterdir()]
    return path in [fd.resolve() for fd in descriptors if fd.exists()]


def test_a_copy_ends_when_the_state_is_closed(
    large: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing moves the log: what was read may be torn."""
    change(large)
    seen: list[bool] = []

    def close() -> None:
        large.store.close()
        seen.append(is_open(large.path))

    with pytest.raises(StoreError, match="closed while it was copied"):
        copy_with(large, tmp_path / "copy", monkeypatch, close)
    assert seen == [True], "closed under the thread that reads"
    assert not is_open(large.path), "its disk space is not kept"
    assert (tmp_path / "copy").stat().st_size <= standstill.BLOCK_BYTES, "it read on"
    with pytest.raises(StoreError, match="closed while it was copied"):
        large.store.copy_to(tmp_path / "late")


def test_a_copy_by_pages_ends_before_the_state_is_closed(
    large: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that one thread uses and another closes has crashed the interpreter."""
    monkeypatch.setattr(standstill, "LOG_BYTES_MAX", -1)
    monkeypatch.setattr(connection, "_COPY_PAGES", 8)
    monkeypatch.setattr(connection, "_COPY_PAUSE_S", by_pages_s := 0.123)
    middle, go_on = threading.Event(), threading.Event()

    def wait(seconds: float) -> None:
        if seconds == by_pages_s:
            assert large.store._standstill.calling.locked(), "what closing waits for"
            middle.set()
            assert go_on.wait(60.0)

    monkeypatch.setattr("scheduler.store.connection.time.sleep", wait)
    with ThreadPoolExecutor(2) as helpers:
        copying = helpers.submit(large.store.copy_to, tmp_path / "copy")
        try:
            assert middle.wait(60.0)
            closing = helpers.submit(large.store.close)
            while not large.store._standstill.is_closed():
                threading.Event().wait(0.001)
        finally:
            go_on.set()
        with pytest.raises(StoreError, match="closed while it was copied"):
            copying.result()
        closing.result()
    size = (tmp_path / "copy").stat().st_size
    assert size < large.path.stat().st_size / 2, "it went on"


def test_a_database_that_is_closed_is_not_called_any_more(tmp_path: Path) -> None:
    """Not by a copy either that was under way."""
    told: list[bool | str] = []
    still = standstill.Standstill(tmp_path / "state.db", told.append)

    def close() -> None:
        assert still.calling.locked(), "somebody else may call it meanwhile"
        told.append("closed")

    def move() -> tuple[int, int]:
        still.close(close)
        return 1, 1

    for _ in range(2):
        copied = still.copy(tmp_path / "copy", move=move, log_bytes=lambda: 0, pause=lambda seconds: None)
        assert not copied
        still.at_commits(False)
        assert told == [False, "closed"]


@pytest.mark.parametrize(("reads", "copied"), [(0, True), (20, True), (10_000, False)])
def test_readers_are_waited_for_and_not_for_ever(tmp_path: Path, reads: int, copied: bool) -> None:
    (tmp_path / "state.db").write_bytes(b"pages")
    still = standstill.Standstill(tmp_path / "state.db", lambda on: None)
    tries: list[int] = []

    def move() -> tuple[int, int]:
        tries.append(1)
        return 2, 1 if len(tries) <= reads else 2

    done = still.copy(tmp_path / "copy", move=move, log_bytes=lambda: 0, pause=lambda seconds: None)
    assert (done, (tmp_path / "copy").exists()) == (copied, copied)
    assert len(tries) == min(reads + 1, standstill.TRIES_MAX)
    still.close(lambda: None)


def test_commits_that_were_to_leave_the_log_alone_go_on_so_after_a_copy(large: Story, tmp_path: Path) -> None:
    large.store.checkpoint_at_commits(False)
    large.store.copy_to(tmp_path / "copy")
    assert large.store.value("PRAGMA wal_autocheckpoint") == 0


def test_a_copy_leaves_the_locks_of_the_database_alone(large: Story, tmp_path: Path) -> None:
    """Closing any descriptor of a file drops all locks of the process on it: a reader of another process
    would take itself for the last one, and remove the write-ahead log under the writer."""
    large.store.copy_to(tmp_path / "copy")
    change(large)
    before = large.store.wal_bytes()
    assert before > 0
    read = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT idx FROM state'); c.close()"
    )
    subprocess.run([sys.executable, "-c", read, large.path], check=True, timeout=60)
    assert large.store.wal_bytes() == before


def test_copies_are_synced_a_stretch_at_a_time_and_in_the_end(
    large: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync of the Raft log waits for whatever is not synced yet."""
    synced, unsynced_max = 0, 0
    paths: list[Path] = []
    fdatasync, fsync = os.fdatasync, os.fsync

    def stretch(descriptor: int) -> None:
        nonlocal synced, unsynced_max
        size = os.fstat(descriptor).st_size
        synced, unsynced_max = size, max(unsynced_max, size - synced)
        fdatasync(descriptor)

    def whole(descriptor: int) -> None:
        paths.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fdatasync", stretch)
    monkeypatch.setattr(os, "fsync", whole)
    large.store.copy_to(tmp_path / "copy")
    size = (tmp_path / "copy").stat().st_size
    assert 0 < unsynced_max <= standstill.BLOCK_BYTES
    assert synced == size
    assert paths == [tmp_path / "copy", tmp_path]

    monkeypatch.setattr(standstill, "LOG_BYTES_MAX", -1)
    monkeypatch.setattr(connection, "_COPY_PAGES", 8)
    synced = unsynced_max = 0
    paths.clear()
    large.store.copy_to(tmp_path / "pages")
    assert 0 < unsynced_max <= standstill.BLOCK_BYTES + 4 * 8 * 4096
    assert paths == [tmp_path / "pages", tmp_path]
    assert {path.name for path in tmp_path.iterdir()} & {"copy-wal", "copy-shm", "pages-wal"} == set()
