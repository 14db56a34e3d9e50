"""The log of a survivor gives its state all that it holds, or is refused; what begins behind it is empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.batcher import pack_entry
from cluster.disk import FileDisk
from cluster.journal import Journal, JournalError
from cluster.machine import Applied, Entry, Position
from cluster.membership import Member, Membership
from cluster.raft import MEMBERSHIP, NO_OP, REGULAR
from cluster.renewal import begin, member_names, replay, sole_member
from cluster.restore import pack_members, unpack_members
from cluster.settings import Founder

THREE = Membership.founded([Founder(name, f"{name}:1") for name in "abc"])


class State:
    """Ends at log index 10 of term 2, with a stamp of 500."""

    format = restores = 0

    def __init__(self) -> None:
        members = pack_members(THREE.encode(), 500)
        self.applied: Applied | None = Applied(Position(10, 2), Position(9, 2), members)
        self.entries: list[Entry] = []

    def stored(self) -> Applied | None:
        return self.applied

    def apply(self, entry: Entry) -> None:
        assert self.applied is not None
        assert entry.applied.previous == self.applied.position
        self.entries.append(entry)
        self.applied = entry.applied

    def checkpoint(self) -> None: ...
    def install(self, path: Path, applied: Applied) -> None: ...
    def copy_to(self, path: Path) -> Applied:
        raise NotImplementedError


def log(directory: Path, first: tuple[int, int], *entries: tuple[bytes, int]) -> None:
    """A log whose first entry, already applied, has this index and term; then data and term of each."""
    journal = Journal(FileDisk(directory))
    journal.reset(*first)
    for number, (data, term) in enumerate(entries, 1):
        journal.append(data, first[0] + number, term)
    journal.sync()
    journal.close()


def regular(stamp_ms: int, *proposals: bytes) -> bytes:
    return bytes([REGULAR]) + pack_entry(stamp_ms, list(proposals))


def test_all_that_lies_behind_the_state_is_applied_in_order(tmp_path: Path) -> None:
    two = THREE.without("c")
    tail = (
        (regular(400, b"known"), 2),
        (regular(600, b"one", b"two"), 2),
        (bytes([NO_OP]), 3),
        (bytes([MEMBERSHIP]) + two.encode(), 3),
        (regular(700, b"three"), 3),
    )
    log(tmp_path, (9, 2), *tail)
    state = State()
    assert replay(tmp_path, state) == 4
    assert [e.proposals for e in state.entries] == [[b"one", b"two"], [], [], [b"three"]]
    assert [e.stamp_ms for e in state.entries] == [600, 600, 600, 700]
    assert [unpack_members(e.applied.members) for e in state.entries] == [
        (THREE, 600), (THREE, 600), (two, 600), (two, 700)
    ]  # fmt: skip
    assert state.applied is not None
    assert state.applied.position == Position(14, 3)


def test_nothing_of_the_log_is_changed(tmp_path: Path) -> None:
    log(tmp_path, (10, 2), (regular(600, b"one"), 2))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    replay(tmp_path, State())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    ("first", "says"),
    [
        ((30, 2), "the log begins at 30, the state ends at 10.*waiting for a peer's copy"),
        ((10, 1), r"disagree about log index 10 \(terms 2 and 1\)"),
    ],
)
def test_a_log_that_does_not_fit_the_state_is_refused(
    tmp_path: Path, first: tuple[int, int], says: str
) -> None:
    log(tmp_path, first, (regular(600, b"one"), 2))
    state = State()
    with pytest.raises(JournalError, match=says):
        replay(tmp_path, state)
    assert state.entries == []


def test_an_empty_state_has_nothing_to_recover(tmp_path: Path) -> None:
    state = State()
    state.applied = None
    with pytest.raises(JournalError, match="nothing to recover"):
        replay(tmp_path, state)


def test_the_new_log_goes_on_behind_the_state_in_a_later_term(tmp_path: Path) -> None:
    begin(tmp_path, Position(14, 3))
    journal = Journal(FileDisk(tmp_path))
    assert (journal.first_index, journal.last_index, journal.term_at(14)) == (14, 14, 3)
    assert (journal.term, journal.vote) == (4, None)
    journal.close()


def test_the_new_cluster_has_one_member_that_votes_and_forbids_no_name() -> None:
    record = sole_member(Member("a", "a:1", "z", "u", "uid-a", True), stamp_ms=700)
    membership, stamp_ms = unpack_members(record)
    assert (member_names(record), membership.voters, membership.removed) == (["a"], ("a",), ())
    assert stamp_ms == 700
