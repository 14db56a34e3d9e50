"""What is on disk: records, the fold, group commit, compaction, damage."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import journal as journal_module
from agent.journal import QUICK_AFTER, Book, Journal, fold, pack
from agent.records import DiskFull, RecordFile, frame, parse
from scheduler.protocol import Finished
from tests.agent.fake_node import DEADLINE_S

ROWS = st.lists(
    st.one_of(
        st.builds(lambda a, c: [1, a, f"c{c}"], st.integers(1, 4), st.integers(1, 9)),
        st.builds(
            lambda a, e: [2, e, a, None, 5, 0, "exit", None, "", b"t"], st.integers(1, 4), st.integers(1, 50)
        ),
        st.builds(lambda a: [3, a], st.lists(st.integers(1, 4), max_size=3)),
        st.builds(lambda n: [4, n], st.integers(1, 99)),
        st.builds(lambda n: [5, n], st.integers(1, 99)),
    ),
    max_size=30,
)


@given(ROWS, st.data())
def test_replaying_any_prefix_twice_changes_nothing(rows: list[list[object]], data: st.DataObject) -> None:
    prefix = rows[: data.draw(st.integers(0, len(rows)))]
    once = fold(map(pack, rows))
    assert fold(map(pack, [*prefix, *rows])) == once
    assert fold(map(pack, [*prefix, *prefix])) == fold(map(pack, prefix))


@given(ROWS)
def test_a_compacted_journal_folds_to_the_same(rows: list[list[object]]) -> None:
    book = fold(map(pack, rows))
    assert fold(map(pack, book.rows())) == book


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.data())
def test_a_torn_tail_is_cut(records: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(map(frame, records))
    torn = whole[: data.draw(st.integers(0, len(whole)))]
    found, length = parse(torn)
    assert found == records[: len(found)]
    assert parse(torn[:length]) == (found, length)
    assert len(torn) - length < 58 or len(found) == len(records)


def test_a_damaged_record_ends_the_file_and_later_writes_are_found(tmp_path: Path) -> None:
    path = tmp_path / "records"
    path.write_bytes(frame(b"one") + frame(b"two")[:-1] + b"X")
    file = RecordFile(path)
    assert file.records == [b"one"]
    assert file.cut_bytes == len(frame(b"two"))
    file.write(frame(b"three"))
    file.sync()
    file.close()
    assert RecordFile(path).records == [b"one", b"three"]


def end(attempt: int, event: int) -> Finished:
    return Finished(event, attempt, 1, 2, 0, "exit", None, "", b"tail")


class Failures:
    def __init__(self) -> None:
        self.errors: list[BaseException] = []


async def opened(path: Path, failures: Failures) -> Journal:
    return Journal(path, failures.errors.append)


async def test_the_call_back_comes_after_the_bytes_are_in_the_file(tmp_path: Path) -> None:
    path, failures = tmp_path / "journal", Failures()
    journal = await opened(path, failures)
    seen: list[Book] = []
    done = asyncio.Event()

    def release() -> None:
        seen.append(fold(parse(path.read_bytes())[0]))
        done.set()

    journal.claim(1, "c1", lambda: None)
    journal.finish(end(1, journal.event()), lambda: None)
    journal.claim(2, "c2", release)
    assert not path.read_bytes()
    await asyncio.wait_for(done.wait(), DEADLINE_S)
    assert seen[0].claims == {2: "c2"}
    assert list(seen[0].finished) == [1]
    await journal.close()


async def test_numbers_of_events_are_never_given_again(tmp_path: Path) -> None:
    failures = Failures()
    journal = await opened(tmp_path / "journal", failures)
    numbers = [journal.event() for _ in range(5)]
    journal.finish(end(1, numbers[0]), lambda: None)
    await journal.close()
    journal = await opened(tmp_path / "journal", failures)
    assert journal.event() > max(numbers)
    await journal.close()


async def test_it_stays_small_and_keeps_what_is_open(tmp_path: Path) -> None:
    path, failures = tmp_path / "journal", Failures()
    limit, journal_module.COMPACT_BYTES = journal_module.COMPACT_BYTES, 20_000
    try:
        journal = await opened(path, failures)
        journal.claim(1, "kept", lambda: None)
        for attempt in range(2, 2_000):
            done = asyncio.Event()
            journal.claim(attempt, "claim", lambda: None)
            journal.finish(end(attempt, journal.event()), done.set)
            if attempt % 50 == 0:
                await asyncio.wait_for(done.wait(), DEADLINE_S)
            journal.drop([attempt])
        await journal.close()
        assert path.stat().st_size < 60_000
    finally:
        journal_module.COMPACT_BYTES = limit
    journal = await opened(path, failures)
    assert journal.book.claims == {1: "kept"}
    assert journal.book.finished == {}
    assert not failures.errors
    await journal.close()


async def test_nothing_is_released_before_the_disk_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go, sync = threading.Event(), threading.Event(), os.fdatasync

    def slow_disk(handle: int) -> None:
        asked.set()
        go.wait(DEADLINE_S)
        sync(handle)

    failures = Failures()
    journal = await opened(tmp_path / "journal", failures)
    monkeypatch.setattr(os, "fdatasync", slow_disk)
    released: list[int] = []
    journal.claim(1, "c", lambda: released.append(1))
    async with asyncio.timeout(DEADLINE_S):
        while not asked.is_set():
            await asyncio.sleep(0.001)
        for _turn in range(10):
            await asyncio.sleep(0)
        assert released == []
        go.set()
        while not released:
            await asyncio.sleep(0.001)
    await journal.close()
    assert not failures.errors


class Disk:
    """Who syncs, and how."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: list[int] = []
        self._sync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", self)

    def __call__(self, handle: int) -> None:
        self.threads.append(threading.get_ident())
        self._sync(handle)


async def claimed(journal: Journal, attempts: Iterable[int]) -> None:
    """Claims one after the other, each once the one before it is safe."""
    for attempt in attempts:
        done = asyncio.Event()
        journal.claim(attempt, f"c{attempt}", done.set)
        async with asyncio.timeout(DEADLINE_S):
            await done.wait()


async def test_a_quick_disk_is_synced_in_the_loop_and_one_that_grows_slow_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, failures, loop = Disk(monkeypatch), Failures(), threading.get_ident()
    journal = await opened(tmp_path / "journal", failures)

    monkeypatch.setattr(journal_module, "SLOW_S", float("inf"))  # whatever it takes is quick
    await claimed(journal, range(QUICK_AFTER + 5))
    assert loop not in disk.threads[:QUICK_AFTER], "it is not known yet"
    assert disk.threads[QUICK_AFTER:] == [loop] * 5

    monkeypatch.setattr(journal_module, "SLOW_S", 0.0)  # whatever it takes is slow
    disk.threads.clear()
    await claimed(journal, range(100, 105))
    assert disk.threads[0] == loop
    assert loop not in disk.threads[1:]

    monkeypatch.setattr(journal_module, "SLOW_S", float("inf"))
    disk.threads.clear()
    await claimed(journal, range(200, 200 + QUICK_AFTER + 1))
    assert loop not in disk.threads[:QUICK_AFTER]
    assert disk.threads[QUICK_AFTER:] == [loop]
    await journal.close()
    assert len(fold(parse((tmp_path / "journal").read_bytes())[0]).claims) == 2 * QUICK_AFTER + 11
    assert not failures.errors


async def test_one_sync_in_the_loop_serves_all_that_came_in_a_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, failures = Disk(monkeypatch), Failures()
    journal = await opened(tmp_path / "journal", failures)
    monkeypatch.setattr(journal_module, "SLOW_S", float("inf"))
    await claimed(journal, range(QUICK_AFTER))
    disk.threads.clear()

    released: list[int] = []
    done = asyncio.Event()

    def ended(attempt: int) -> None:
        """As noops do: what was claimed has ended in the turn in which that was safe."""
        released.append(attempt)
        journal.finish(end(attempt, journal.event()), done.set)

    for attempt in range(50, 60):
        journal.claim(attempt, "c", lambda attempt=attempt: ended(attempt))
    async with asyncio.timeout(DEADLINE_S):
        await done.wait()
    assert released == list(range(50, 60))
    assert disk.threads == [threading.get_ident()] * 2
    await journal.close()
    assert not failures.errors


async def test_a_full_disk_is_tried_again_wherever_it_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = Failures()
    journal = await opened(tmp_path / "journal", failures)
    monkeypatch.setattr(journal_module, "SLOW_S", float("inf"))
    monkeypatch.setattr(journal_module, "RETRY_S", 0.01)
    await claimed(journal, range(QUICK_AFTER))
    write = journal._file.write

    def full(frames: bytes) -> None:
        raise DiskFull("no room")

    monkeypatch.setattr(journal._file, "write", full)
    done = asyncio.Event()
    journal.claim(100, "c", done.set)
    async with asyncio.timeout(DEADLINE_S):
        while not journal.full:
            await asyncio.sleep(0.001)
        journal.claim(101, "c", lambda: None)
        assert not done.is_set()
        monkeypatch.setattr(journal._file, "write", write)
        await done.wait()
    assert not journal.full
    await journal.close()
    assert {100, 101} <= fold(parse((tmp_path / "journal").read_bytes())[0]).claims.keys()


async def test_a_disk_error_ends_it_and_nothing_is_released(tmp_path: Path) -> None:
    failures = Failures()
    journal = await opened(tmp_path / "journal", failures)
    journal._file.close()  # every later write fails with EBADF
    released: list[int] = []
    journal.claim(1, "c", lambda: released.append(1))
    async with asyncio.timeout(DEADLINE_S):
        while not failures.errors:
            await asyncio.sleep(0.001)
    assert released == []
