"""The journal on real files: what was synced is there, a torn tail is cut, damage is refused by name."""

from __future__ import annotations

import errno
import os
import random
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from cluster import restore
from cluster.disk import FileDisk
from cluster.hardening import ALL_ON
from cluster.journal import Journal, JournalError
from cluster.machine import Applied, Position
from cluster.segments import ENTRY, HEAD_BYTES, HEADER_BYTES, SEED_BYTES, Segment, read_header
from cluster.settings import ClusterSettings

_opened: list[Journal] = []


@pytest.fixture(autouse=True)
def _files_closed() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().abandon()


def open_journal(directory: Path, segment_bytes: int = 1 << 20) -> Journal:
    _opened.append(Journal(FileDisk(directory), segment_bytes=segment_bytes))
    return _opened[-1]


def filled(directory: Path, count: int, segment_bytes: int = 1 << 20) -> Journal:
    journal = open_journal(directory, segment_bytes)
    for index in range(1, count + 1):
        journal.append(b"entry %d" % index, index, 1)
        journal.sync()
    return journal


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.seg"))


def beside_segments(source: Path, target: Path) -> None:
    for name in ("meta", "votes"):
        (target / name).write_bytes((source / name).read_bytes())


def header_of(raw: bytes) -> Segment:
    segment = read_header(raw)
    assert segment is not None
    return segment


def record_starts(raw: bytes) -> list[int]:
    """Where the whole records of a segment begin."""
    found, offset = [], HEADER_BYTES
    while record := header_of(raw).read(raw, offset):
        found.append(offset)
        offset = record.end
    return found


def test_what_was_synced_is_there_again(tmp_path: Path) -> None:
    journal = filled(tmp_path, 5)
    journal.store_vote(3, "b")
    journal.append(b"never synced", 6, 1)
    again = open_journal(tmp_path)
    assert again.entries == journal.entries[:5]
    assert (again.term, again.vote) == (3, "b")


def test_truncated_entries_stay_away(tmp_path: Path) -> None:
    journal = filled(tmp_path, 5)
    journal.truncate(3)
    journal.append(b"other", 3, 2)
    journal.sync()
    assert [e[0] for e in open_journal(tmp_path).entries] == [b"entry 1", b"entry 2", b"other"]


def test_truncation_across_a_segment_survives_a_restart_and_a_trim(tmp_path: Path) -> None:
    journal = filled(tmp_path, 40, segment_bytes=400)
    assert len(segments(tmp_path)) > 3
    journal.truncate(20)
    for index in range(20, 60):
        journal.append(b"second %d" % index, index, 2)
        journal.sync()
    assert open_journal(tmp_path, 400).entries == journal.entries
    assert journal.trim(30, 0)
    again = open_journal(tmp_path, 400)
    assert again.entries == journal.entries
    assert 1 < again.first_index <= 30
    assert again.entries[1][0].startswith(b"second")


def test_reset_continues_behind_a_copy_and_keeps_term_and_vote(tmp_path: Path) -> None:
    journal = filled(tmp_path, 5)
    journal.store_vote(7, "c")
    journal.reset(100, 6)
    journal.append(b"next", 101, 7)
    journal.sync()
    again = open_journal(tmp_path)
    assert [e[1:] for e in again.entries] == [(100, 6), (101, 7)]
    assert (again.term, again.vote) == (7, "c")
    assert len(segments(tmp_path)) == 1


def test_tail_cut_at_every_byte_keeps_whole_records(tmp_path: Path) -> None:
    filled(tmp_path / "whole", 4).close()
    [segment] = segments(tmp_path / "whole")
    raw = segment.read_bytes()
    sizes = []
    for end in range(len(raw) - 90, len(raw)):
        directory = tmp_path / f"cut-{end}"
        directory.mkdir()
        (directory / segment.name).write_bytes(raw[:end])
        beside_segments(tmp_path / "whole", directory)
        journal = open_journal(directory)
        count = len(journal.entries)
        assert [e[1] for e in journal.entries] == list(range(1, count + 1))
        sizes.append(count)
        journal.append(b"more", count + 1, 1)
        journal.sync()
        assert open_journal(directory).entries == journal.entries
    assert sizes == sorted(sizes)
    assert sizes[-1] == 3
    assert sizes[0] == 1 or sizes[0] == 2


def open_below(directory: Path) -> set[str]:
    """Files there that this process has open."""
    found = (os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
    return {path for path in found if path.startswith(str(directory))}


def test_a_journal_that_is_refused_leaves_no_file_open(tmp_path: Path) -> None:
    """Its last segment was synced by then, so it was open."""
    log, beside = tmp_path / "log", tmp_path / "log-seen"
    journal = Journal(FileDisk(log), seen=FileDisk(beside))
    journal.begin_life()
    assert open_below(tmp_path), "what is looked for is seen"
    journal.close()
    assert not open_below(tmp_path), "nor does one that is closed"
    (beside / "seen").write_bytes(b"damaged")
    with pytest.raises(JournalError, match="its checksum is wrong"):
        Journal(FileDisk(log), seen=FileDisk(beside))
    assert not open_below(tmp_path)


def test_a_journal_that_does_not_fit_the_state_leaves_no_file_open(tmp_path: Path) -> None:
    settings = ClusterSettings("c", "a", "uid", "127.0.0.1:1", (), tmp_path / "log", tmp_path / "copies")
    beyond = Position(7, 1)
    with pytest.raises(JournalError, match="but there is no journal"):
        restore.open_journal(settings, Applied(beyond, beyond, b""), ALL_ON, random.Random(1), None, None)
    assert not open_below(tmp_path)


@pytest.mark.parametrize("offset", [0, 9, 30, 40, 50, 60, 70, 75])
def test_flipped_bit_in_a_synced_record_is_refused_with_file_and_offset(tmp_path: Path, offset: int) -> None:
    filled(tmp_path, 8).close()
    [segment] = segments(tmp_path)
    raw = bytearray(segment.read_bytes())
    raw[offset] ^= 0x10
    segment.write_bytes(raw)
    with pytest.raises(JournalError, match=rf"{segment.name}, offset \d+: .*join again under a new name"):
        open_journal(tmp_path)


def test_every_flipped_byte_is_refused_or_cuts_the_last_batch_only(tmp_path: Path) -> None:
    filled(tmp_path / "whole", 6).close()
    [segment] = segments(tmp_path / "whole")
    raw = segment.read_bytes()
    directory = tmp_path / "flipped"
    directory.mkdir()
    refused = cut = 0
    for offset in range(len(raw)):
        damaged = bytearray(raw)
        damaged[offset] ^= 0xFF
        (directory / segment.name).write_bytes(damaged)
        beside_segments(tmp_path / "whole", directory)
        try:
            journal = open_journal(directory)
        except JournalError:
            refused += 1
        else:
            # The last batch cannot be told from one that was being written.
            assert [e[1] for e in journal.entries] == [1, 2, 3, 4, 5]
            cut += 1
    assert cut == len(raw) - record_starts(raw)[-1]
    assert refused + cut == len(raw)


LATER = 1 << 20  #: a place that no record of these tests was synced up to


def torn(directory: Path, payloads: list[bytes]) -> Path:
    """A log of five entries, and a batch that power failed in: its first record lost a piece, the payloads
    behind it are whole. Returns the segment."""
    journal = filled(directory, 5)
    [segment] = segments(directory)
    synced = segment.stat().st_size
    journal.append(b"torn" * 1000, 6, 1)
    for index, payload in enumerate(payloads, 7):
        journal.append(payload, index, 1)
    journal.sync()
    journal.abandon()
    with segment.open("r+b") as file:
        file.seek(synced + 100)
        file.write(bytes(512))
    return segment


def test_record_planted_in_a_payload_is_not_taken_for_one(tmp_path: Path) -> None:
    """Who writes the payload knows all of the format, and other segments' seeds; not this one's."""
    filled(tmp_path / "known", 1).close()
    [known] = segments(tmp_path / "known")
    seeds = [header_of(known.read_bytes()).seed, bytes(SEED_BYTES), b"\xff" * SEED_BYTES]
    planted = [Segment(1, 0, 0, seed).record(ENTRY, 99, 1, LATER, b"evidence") for seed in seeds]

    torn(tmp_path / "torn", [b"output " + record + b" of a job" for record in planted])

    assert open_journal(tmp_path / "torn").last_index == 5


def test_each_segment_has_a_seed_of_its_own_from_the_given_source(tmp_path: Path) -> None:
    written = []
    for name in ("once", "again"):
        journal = Journal(FileDisk(tmp_path / name), segment_bytes=400, rng=random.Random(7))
        for index in range(1, 20):
            journal.append(b"entry", index, 1)
            journal.sync()
        journal.close()
        written.append([path.read_bytes() for path in segments(tmp_path / name)])

    assert written[0] == written[1]
    assert len({header_of(raw).seed for raw in written[0]}) == len(written[0]) > 2


def test_payload_that_no_crc_would_miss_is_missed(tmp_path: Path) -> None:
    """The polynomial of CRC-32 itself: whether the disk kept it or lost it, the CRC is the same."""
    unmissed = 0x1DB710641.to_bytes(5, "little")
    assert zlib.crc32(b"a" + unmissed + b"b") == zlib.crc32(b"a" + bytes(5) + b"b")
    journal = filled(tmp_path, 5)
    journal.append(b"before" + unmissed + b"behind", 6, 1)
    journal.sync()
    journal.abandon()
    [segment] = segments(tmp_path)

    segment.write_bytes(segment.read_bytes().replace(unmissed, bytes(5)))

    assert open_journal(tmp_path).last_index == 5


def test_later_record_tells_of_damage_though_its_own_data_are_lost(tmp_path: Path) -> None:
    filled(tmp_path, 8).close()
    [segment] = segments(tmp_path)
    raw = bytearray(segment.read_bytes())
    *_, damaged, _last = record_starts(bytes(raw))
    raw[damaged] ^= 1
    raw[-1] ^= 1
    segment.write_bytes(raw)

    with pytest.raises(JournalError, match=rf"offset {damaged}: a record is damaged that had been synced"):
        open_journal(tmp_path)


def calls_to_open(directory: Path) -> int:
    """How many functions are called while a journal is opened, Python's own among them."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        open_journal(directory)
    finally:
        sys.setprofile(None)
    return calls


def test_tail_full_of_markers_costs_no_more_than_any_other(tmp_path: Path) -> None:
    stranger = Segment(1, 0, 0, b"\xc5\x1e" * (SEED_BYTES // 2))
    head = stranger.record(ENTRY, 7, 1, 0, bytes(1 << 20))[:HEAD_BYTES]
    tails = {"plain": b"x" * 16_000, "heads": head * (16_000 // HEAD_BYTES), "markers": head[:8] * 2_000}
    calls = {}
    for name, tail in tails.items():
        torn(tmp_path / name, [tail] * 50)
        calls[name] = calls_to_open(tmp_path / name)

    assert calls["heads"] == calls["markers"] == calls["plain"]


class CountedBytes(bytes):
    """Counts what is taken out of them."""

    taken = 0

    def __getitem__(self, place: Any) -> Any:
        part = super().__getitem__(place)
        self.taken += len(part)
        return part


def test_search_behind_a_torn_tail_reads_no_further_than_heads() -> None:
    """Even where every head is one that the journal wrote, and the length in it is large."""
    segment = Segment(1, 0, 0, b"\xc5\x1e" * (SEED_BYTES // 2))
    head = segment.record(ENTRY, 7, 1, 0, bytes(1 << 20))[:HEAD_BYTES]
    raw = CountedBytes(segment.header() + b"torn" + head * 400 + bytes(1 << 20))

    assert len(list(segment.synced_by(raw, HEADER_BYTES))) == 400
    assert raw.taken == 400 * HEAD_BYTES


def test_damage_in_an_older_segment_is_refused(tmp_path: Path) -> None:
    filled(tmp_path, 40, segment_bytes=400).close()
    first = segments(tmp_path)[0]
    first.write_bytes(first.read_bytes()[:-3])
    with pytest.raises(JournalError, match=first.name):
        open_journal(tmp_path, 400)


@pytest.mark.parametrize("which", [0, 1, -1])
def test_removed_segment_is_refused(tmp_path: Path, which: int) -> None:
    filled(tmp_path, 40, segment_bytes=400).close()
    gone = segments(tmp_path)[which]
    gone.unlink()
    with pytest.raises(JournalError, match=rf"{gone.name}, offset 0: it is missing"):
        open_journal(tmp_path, 400)


def test_missing_or_damaged_metadata_are_refused(tmp_path: Path) -> None:
    filled(tmp_path, 3).close()
    meta = tmp_path / "meta"
    raw = meta.read_bytes()
    meta.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    with pytest.raises(JournalError, match="meta, offset 0: its checksum is wrong"):
        open_journal(tmp_path)
    meta.unlink()
    with pytest.raises(JournalError, match="votes of this node are forgotten"):
        open_journal(tmp_path)


def test_trim_keeps_the_tail_and_never_what_is_not_held(tmp_path: Path) -> None:
    journal = filled(tmp_path, 100, segment_bytes=400)
    assert not journal.trim(3, 0)
    assert journal.trim(50, 0)
    assert journal.first_index <= 50
    kept = journal.size_bytes
    assert not journal.trim(100, kept)
    assert journal.trim(100, 1000)
    assert journal.size_bytes >= 1000
    assert journal.last_index == 100


class FailingDisk(FileDisk):
    """A disk whose syncs fail once, as after a write error that the kernel has forgotten since."""

    fails = False

    def sync(self, name: str) -> None:
        if self.fails:
            self.fails = False
            raise OSError(errno.EIO, "Input/output error")
        super().sync(name)


def test_failed_sync_is_final(tmp_path: Path) -> None:
    disk = FailingDisk(tmp_path)
    journal = Journal(disk)
    journal.append(b"a", 1, 1)
    disk.fails = True
    with pytest.raises(JournalError, match="Input/output error"):
        journal.sync()
    for attempt in (journal.sync, lambda: journal.store_vote(9, "x"), lambda: journal.reset(5, 5)):
        with pytest.raises(JournalError):
            attempt()
    assert open_journal(tmp_path).term == 0


def test_gap_in_the_log_is_our_own_mistake(tmp_path: Path) -> None:
    journal = filled(tmp_path, 3)
    with pytest.raises(ValueError, match="entry 5 behind 3"):
        journal.append(b"x", 5, 1)


class DyingDisk(FileDisk):
    """Its process dies before the given operation."""

    left = 1 << 30

    def _spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt

    def write(self, name: str, offset: int, data: bytes) -> None:
        self._spend()
        super().write(name, offset, data)

    def sync(self, name: str) -> None:
        self._spend()
        super().sync(name)

    def replace(self, name: str, data: bytes) -> None:
        self._spend()
        super().replace(name, data)

    def unlink(self, name: str) -> None:
        self._spend()
        super().unlink(name)


CHANGES: dict[str, Callable[[Journal], object]] = {
    "reset": lambda journal: journal.reset(56, 3),
    **{f"truncate {index}": partial(Journal.truncate, index=index) for index in (12, *range(20, 31))},
    "trim": lambda journal: journal.trim(25, 500),
}


@pytest.mark.parametrize("change", CHANGES)
def test_change_that_was_interrupted_anywhere_is_whole_or_absent(tmp_path: Path, change: str) -> None:
    for operations in range(16):
        directory = tmp_path / str(operations)
        filled(directory, 30, segment_bytes=400).close()
        disk = DyingDisk(directory)
        journal = Journal(disk, segment_bytes=400)
        before = list(journal.entries)
        disk.left = operations
        died = False
        try:
            CHANGES[change](journal)
            journal.sync()
        except KeyboardInterrupt:
            died = True
        journal.abandon()
        again = open_journal(directory, 400)
        assert [e[1:] for e in again.entries] in (
            [e[1:] for e in before],
            [e[1:] for e in journal.entries],
        ) or (change == "trim" and again.entries[1:] == before[-len(again.entries) + 1 :])
        for index in range(again.last_index + 1, again.last_index + 40):
            again.append(b"later %d" % index, index, 4)
            again.sync()
        terms = {e[1]: e[2] for e in again.entries}
        for index in range(again.first_index, again.last_index - 10):
            again.trim(index, 0)
            assert again.entries[0][2] == terms[again.first_index]
        assert [e[1] for e in again.entries] == list(range(again.first_index, again.last_index + 1))
        assert open_journal(directory, 400).entries == again.entries
        if not died:
            return
    raise AssertionError("never got through")
