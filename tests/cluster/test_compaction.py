"""The log stays short, and never loses what the state does not hold durably or a copy will need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.compaction import HELD_FACTOR, PERIOD_S, Compaction
from cluster.disk import FileDisk
from cluster.journal import Journal
from cluster.machine import Applied, Entry
from cluster.settings import ClusterSettings

LOG_BYTES_MAX = 64 << 10
SEGMENT_BYTES = 4 << 10
ENTRY = bytes(500)


class Machine:
    """Says which entries it holds durably."""

    def __init__(self) -> None:
        self.applied = self.durable = 0
        self.error: Exception | None = None

    format, restores = 1, 0

    def stored(self) -> Applied | None:
        return None

    def apply(self, entry: Entry) -> None: ...
    def install(self, path: Path, applied: Applied) -> None: ...
    def copy_to(self, path: Path) -> Applied:
        raise NotImplementedError

    def checkpoint(self) -> None:
        if self.error is not None:
            raise self.error
        self.durable = self.applied


class Log:
    """A journal that grows, and its compaction; the helper thread's work waits in `jobs`."""

    def __init__(self, directory: Path) -> None:
        self.journal = Journal(FileDisk(directory / "journal"), segment_bytes=SEGMENT_BYTES)
        self.machine = Machine()
        self.jobs: list[Callable[[], None]] = []
        self.held: int | None = None
        self.time = 0.0
        self.largest = 0
        settings = ClusterSettings(
            "c", "a", "uid", "127.0.0.1:1", (), directory / "journal", directory / "copies",
            log_bytes_max=LOG_BYTES_MAX, log_tail_bytes=LOG_BYTES_MAX // 4,
        )  # fmt: skip
        self.compaction = Compaction(
            settings,
            self.journal,
            self.machine,
            spawn=self.jobs.append,
            applied_index=lambda: self.machine.applied,
            held_index=lambda: self.held,
        )

    def grow(self, entries: int, *, works: bool = True) -> None:
        """Append and apply; a period passes every fifty entries."""
        for index in range(self.journal.last_index + 1, self.journal.last_index + 1 + entries):
            self.journal.append(ENTRY, index, 1)
            if index % 25 == 0:
                self.journal.sync()
            self.machine.applied = index
            self.time += PERIOD_S / 50
            self.compaction.poll(self.time)
            while works and self.jobs:
                self.jobs.pop(0)()
            self.largest = max(self.largest, self.journal.size_bytes)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_the_log_stays_within_its_bound(log: Log) -> None:
    log.grow(2_000)
    assert log.largest <= LOG_BYTES_MAX + 51 * (len(ENTRY) + 64) + SEGMENT_BYTES
    assert log.journal.first_index > 1_800
    assert log.machine.durable >= log.journal.first_index


def test_nothing_is_trimmed_that_was_applied_after_the_checkpoint_began(log: Log) -> None:
    log.grow(150, works=False)
    began = log.machine.applied
    assert len(log.jobs) == 1
    assert log.journal.first_index == 1
    log.grow(400, works=False)
    assert log.journal.first_index == 1, "trimmed before the checkpoint was done"
    log.jobs.pop(0)()
    log.compaction.poll(log.time)
    assert 1 < log.journal.first_index <= began


def test_a_copy_on_its_way_keeps_the_log_behind_it_within_bounds(log: Log) -> None:
    log.held = 20
    log.grow(350)
    assert log.journal.size_bytes > 2 * LOG_BYTES_MAX
    assert log.journal.first_index <= 20
    log.grow(2_000)
    assert log.largest <= (HELD_FACTOR + 1) * LOG_BYTES_MAX
    log.held = None
    log.grow(200)
    assert log.journal.size_bytes <= 2 * LOG_BYTES_MAX


def test_a_failed_checkpoint_is_raised_on_the_loop(log: Log) -> None:
    log.machine.error = OSError("Input/output error")
    with pytest.raises(OSError, match="Input/output error"):
        log.grow(300)
    assert log.journal.first_index == 1
