"""The database file stands still while it is copied: no commit waits, none is torn, and it ends in time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scheduler import commands as c
from scheduler.store import connection, standstill, state
from scheduler.store.connection import CHECKPOINT_PAGES, Store, StoreError
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

    monkeypatch.setattr(connection.time, "sleep", wait)
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


def test_a_copy_ends_when_the_state_is_closed(
    large: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing moves the log: what was read may be torn."""
    change(large)
    with pytest.raises(StoreError, match="closed while it was copied"):
        copy_with(large, tmp_path / "copy", monkeypatch, large.store.close)
    descriptors = [Path(f"/proc/self/fd/{fd.name}") for fd in Path("/proc/self/fd").iterdir()]
    assert large.path not in [fd.resolve() for fd in descriptors if fd.exists()], "its disk space is not kept"


def test_a_database_that_is_about_to_be_closed_is_not_called(tmp_path: Path) -> None:
    """SQLite's connection must not be used by one thread while another closes it."""
    told: list[bool] = []
    still = standstill.Standstill(tmp_path / "state.db", told.append)

    def move() -> tuple[int, int]:
        still.end()
        return 1, 1

    assert not still.copy(tmp_path / "copy", move=move, log_bytes=lambda: 0, pause=lambda seconds: None)
    still.at_commits(False)
    still.close()
    assert told == [False]
