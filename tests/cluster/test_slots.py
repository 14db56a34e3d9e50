"""Votes in place: what a torn write leaves, what damage cannot hide, and how little an election writes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from cluster.disk import FileDisk
from cluster.journal import VOTES, Journal, JournalError
from cluster.simulation.disk import Death, SimulatedDisk
from cluster.slots import DATA_BYTES_MAX, SLOT_BYTES, Slots, SlotsError


def stored(directory: Path, *records: bytes) -> Slots:
    slots = Slots(FileDisk(directory), "s")
    slots.create(records[0])
    for record in records[1:]:
        slots.store(record)
    return slots


def found(directory: Path) -> bytes:
    return Slots(FileDisk(directory), "s").load()


def test_the_newest_record_is_read_and_the_file_keeps_its_size(tmp_path: Path) -> None:
    slots = stored(tmp_path, b"0")
    for number in range(1, 6):
        slots.store(b"%d" % number)
        assert found(tmp_path) == b"%d" % number
        assert (tmp_path / "s").stat().st_size == 2 * SLOT_BYTES
    again = Slots(FileDisk(tmp_path), "s")
    again.load()
    again.store(b"after a restart")
    assert found(tmp_path) == b"after a restart"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_store_that_was_torn_at_any_byte_leaves_the_record_before_it(tmp_path: Path, count: int) -> None:
    slots = stored(tmp_path, *(b"record %d" % number for number in range(count)))
    before = (tmp_path / "s").read_bytes()
    slots.store(b"x" * DATA_BYTES_MAX)
    after = (tmp_path / "s").read_bytes()
    changed = [at for at in range(len(after)) if after[at] != before[at]]
    for at in (*range(changed[0], changed[-1], 11), changed[-1], changed[-1] + 1):
        # Up to here it is on disk, or from here on.
        for torn in (after[:at] + before[at:], before[:at] + after[at:]):
            (tmp_path / "s").write_bytes(torn)
            whole = b"x" * DATA_BYTES_MAX if torn == after else b"record %d" % (count - 1)
            assert found(tmp_path) == whole
    again = Slots(FileDisk(tmp_path), "s")
    again.load()
    again.store(b"goes on")
    assert found(tmp_path) == b"goes on"


def test_two_damaged_slots_are_refused_and_a_record_has_its_limit(tmp_path: Path) -> None:
    slots = stored(tmp_path, b"a", b"b")
    with pytest.raises(ValueError, match="480 at most"):
        slots.store(b"x" * (DATA_BYTES_MAX + 1))
    raw = bytearray((tmp_path / "s").read_bytes())
    raw[3] ^= 1
    raw[SLOT_BYTES + 3] ^= 1
    (tmp_path / "s").write_bytes(raw)
    with pytest.raises(SlotsError):
        found(tmp_path)


def opened(directory: Path) -> Journal:
    return Journal(FileDisk(directory / "log"), seen=FileDisk(directory / "log-seen"))


@pytest.mark.parametrize("place", ["log", "log-seen"])
def test_no_damaged_byte_makes_a_node_forget_its_vote(tmp_path: Path, place: str) -> None:
    """The two files bear witness for each other: what is not refused has the newest vote."""
    journal = opened(tmp_path)
    journal.begin_life()
    journal.store_vote(3, "b")
    journal.store_vote(4, "c")
    journal.close()
    path = tmp_path / place / VOTES
    raw = path.read_bytes()
    refusals = []
    used = [at for at in range(len(raw)) if at % SLOT_BYTES < 40]
    for at in used:
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :])
        try:
            again = opened(tmp_path)
        except JournalError as error:
            refusals.append(str(error))
        else:
            assert (again.term, again.vote) == (4, "c")
            again.abandon()
    assert bool(refusals) is (place == "log")
    assert all("the newest vote is damaged" in words for words in refusals)


def test_votes_that_are_gone_are_refused(tmp_path: Path) -> None:
    opened(tmp_path).close()
    (tmp_path / "log" / VOTES).unlink()
    with pytest.raises(JournalError, match="votes, offset 0: it is missing, so the votes of this node are"):
        opened(tmp_path)


class CountingDisk(FileDisk):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.did: list[str] = []

    def write(self, name: str, offset: int, data: bytes) -> None:
        self.did.append(f"write {name}")
        super().write(name, offset, data)

    def sync(self, name: str) -> None:
        self.did.append(f"sync {name}")
        super().sync(name)

    def replace(self, name: str, data: bytes) -> None:
        self.did.append(f"replace {name}")
        super().replace(name, data)


def test_vote_in_a_later_term_is_one_write_and_one_sync_in_journal_and_note(tmp_path: Path) -> None:
    log, seen = CountingDisk(tmp_path / "log"), CountingDisk(tmp_path / "log-seen")
    journal = Journal(log, seen=seen)
    journal.begin_life()
    journal.store_vote(1, "a")
    log.did.clear()
    seen.did.clear()

    journal.store_vote(9, None)  # as pysyncobj does it
    journal.store_vote(9, "b")

    assert log.did == seen.did == ["write votes", "sync votes"]


def test_term_without_a_vote_is_on_disk_before_an_entry_of_it(tmp_path: Path) -> None:
    log = CountingDisk(tmp_path)
    journal = Journal(log)
    log.did.clear()
    journal.store_vote(5, None)
    assert not log.did
    assert journal.is_dirty
    journal.append(b"of term 5", 1, 5)
    journal.sync()
    assert [did.rpartition(".")[2] for did in log.did] == ["write votes", "sync votes", "seg", "seg"]
    assert not journal.is_dirty
    assert Journal(FileDisk(tmp_path)).term == 5


@pytest.mark.parametrize("seed", range(200))
def test_vote_that_anybody_heard_of_outlives_power_losses(seed: int) -> None:
    """Voting goes on until the process dies or power fails, at any operation of either file; then again."""
    rng = random.Random(seed)
    disk, seen = SimulatedDisk("a", rng), SimulatedDisk("a-seen", rng)
    told: tuple[int, str | None] = (0, None)
    for _ in range(6):
        asked = told
        try:
            journal = Journal(disk, seen=seen)
            journal.begin_life()
            assert (journal.term, journal.vote) >= told
            told = (journal.term, journal.vote)  # whoever asks again is told
            dying = rng.choice((disk, seen))
            dying.dies_in = rng.randrange(1, 12)
            while True:
                asked = (journal.term + rng.randrange(1, 3), rng.choice("bc"))
                journal.store_vote(asked[0], None)
                journal.store_vote(*asked)
                told = asked
        except Death:
            disk.dies_in = seen.dies_in = None
        if rng.random() < 0.6:
            disk.crash()
            seen.crash()
    again = Journal(disk, seen=seen)
    assert (again.term, again.vote) in (told, asked)
