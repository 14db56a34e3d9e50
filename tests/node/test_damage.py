"""Journal and state together, damaged on disk: a node comes back with all that it acknowledged, or is refused
by name with file, place and what to do. It never goes on with a hole."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.journal import JournalError
from cluster.segments import HEADER_BYTES, read_header
from tests.node.lone_node import LoneNode

TOKENS = 48
EVERYTHING = {f"token-{number}" for number in range(TOKENS)}
FLIPS = 60


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a node that was killed: several segments, the oldest trimmed, a write-ahead log; and
    the state and the journal as they were some time before, in `earlier` and `earlier-log`."""
    data = tmp_path_factory.mktemp("lived") / "data"
    node = LoneNode(data)
    node.lead()
    for number in range(TOKENS):
        node.commit(f"token-{number}")
        if number == 20:
            node.now_s += 10
            node.run_until(lambda: node.consensus.log[0][1] > 1)
        if number == TOKENS - 8:
            shutil.copytree(data / "state", data / "earlier")
            shutil.copytree(data / "log", data / "earlier-log")
    shutil.copytree(data, data.with_name("killed"))
    node.abandon()
    killed = data.with_name("killed")
    assert len(segments(killed)) > 2
    return killed


@pytest.fixture
def data(lived: Path, tmp_path: Path) -> Callable[[], Path]:
    """Fresh copies of it."""
    made: list[Path] = []

    def fresh() -> Path:
        if made:
            shutil.rmtree(made.pop())
        made.append(tmp_path / "data")
        shutil.copytree(lived, made[0])
        return made[0]

    return fresh


def segments(data: Path) -> list[Path]:
    return sorted((data / "log").glob("*.seg"))


def record_starts(segment: Path) -> list[int]:
    raw = segment.read_bytes()
    header = read_header(raw)
    assert header is not None
    found, offset = [], HEADER_BYTES
    while record := header.read(raw, offset):
        found.append(offset)
        offset = record.end
    return found


def come_back(data: Path) -> set[str]:
    """What the node knows once it leads again, able to go on. Raises what refuses it."""
    node = LoneNode(data, life=2)
    try:
        node.lead()
        found = node.tokens() - {"goes-on"}
        node.commit("goes-on")
        assert "goes-on" in node.tokens()
    finally:
        node.abandon()
    return found


def attempt(data: Path) -> tuple[set[str], str]:
    """What the node knows once it is back, or the words of its refusal."""
    try:
        return come_back(data), ""
    except JournalError as error:
        return set(), str(error)


def refused_or_whole(data: Path) -> str:
    """The words of a refusal that names a file of the journal and says what to do; none when it came back."""
    found, refusal = attempt(data)
    if refusal:
        if "or its end is lost" not in refusal:  # the state tells, not a file
            assert str(data / "log") in refusal
            assert "offset" in refusal
        assert "emove it from the cluster" in refusal or "remove the node from the cluster" in refusal
    else:
        assert found == EVERYTHING
    return refusal


def use_the_earlier_state(data: Path) -> None:
    shutil.rmtree(data / "state")
    shutil.move(data / "earlier", data / "state")


def test_killed_node_comes_back_whole(data: Callable[[], Path]) -> None:
    assert come_back(data()) == EVERYTHING


def test_state_that_is_behind_catches_up_from_the_journal(data: Callable[[], Path]) -> None:
    place = data()
    use_the_earlier_state(place)

    assert come_back(place) == EVERYTHING


def test_journal_cut_at_every_byte_of_its_last_records(data: Callable[[], Path]) -> None:
    """The state holds what the journal lost."""
    last = segments(data())[-1]
    size, two = last.stat().st_size, record_starts(last)[-2]
    for kept in [*range(0, two, 7), *range(two, size)]:
        place = data()
        with segments(place)[-1].open("r+b") as file:
            file.truncate(kept)
        refused_or_whole(place)


def test_journal_cut_under_a_state_that_is_behind_leaves_no_hole(data: Callable[[], Path]) -> None:
    """More is lost than a power cut can take. What is left is a beginning of the story."""
    size = segments(data())[-1].stat().st_size
    for kept in range(max(0, size - 330), size, 41):
        place = data()
        use_the_earlier_state(place)
        with segments(place)[-1].open("r+b") as file:
            file.truncate(kept)
        found, refusal = attempt(place)
        if refusal:
            assert str(place / "log") in refusal
        else:
            assert found == {f"token-{number}" for number in range(len(found))}
            assert len(found) >= TOKENS - 8


def test_flipped_bit_anywhere_in_the_journal_is_refused_or_harmless(data: Callable[[], Path]) -> None:
    rng = random.Random(1)
    refusals = 0
    for _ in range(FLIPS):
        place = data()
        file = rng.choice([*segments(place), place / "log" / "meta", place / "log" / "votes"])
        content = bytearray(file.read_bytes())
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        file.write_bytes(content)
        refusals += bool(refused_or_whole(place))
    assert refusals > FLIPS // 2


def test_flipped_bit_in_the_write_ahead_log_of_the_state_is_made_good_by_the_journal(
    data: Callable[[], Path],
) -> None:
    rng = random.Random(2)
    for _ in range(FLIPS // 3):
        place = data()
        wal = place / "state" / "1" / "state.db-wal"
        content = bytearray(wal.read_bytes())
        content[rng.randrange(32, len(content))] ^= 1 << rng.randrange(8)
        wal.write_bytes(content)
        assert come_back(place) == EVERYTHING


@pytest.mark.parametrize("copied", [30, 60, 200])
def test_tail_that_is_there_twice(data: Callable[[], Path], copied: int) -> None:
    place = data()
    last = segments(place)[-1]
    last.write_bytes(last.read_bytes() + last.read_bytes()[-copied:])

    refused_or_whole(place)


@pytest.mark.parametrize("records", [1, 2])
def test_whole_records_that_are_there_twice(data: Callable[[], Path], records: int) -> None:
    """Each has a right checksum: only their numbers tell."""
    place = data()
    last = segments(place)[-1]
    raw, begin = last.read_bytes(), record_starts(last)[-records]
    last.write_bytes(raw + raw[begin:])

    assert "does not follow" in refused_or_whole(place)


def test_an_older_journal_put_back_is_refused(data: Callable[[], Path]) -> None:
    """The log alone comes from an earlier snapshot, or from another node that was behind: votes and entries
    that others count on are not in it. (The state that is behind now catches up, above.)"""
    place = data()
    shutil.move(place / "log", place / "right-log")
    shutil.move(place / "earlier-log", place / "log")

    with pytest.raises(JournalError, match="older one that was put back, or its end is lost"):
        come_back(place)

    shutil.rmtree(place / "log")
    shutil.move(place / "right-log", place / "log")
    assert come_back(place) == EVERYTHING


def test_an_older_journal_is_refused_by_the_life_that_it_tells_of(data: Callable[[], Path]) -> None:
    place = data()
    assert come_back(place) == EVERYTHING
    right = place / "right-log"
    shutil.move(place / "log", right)
    shutil.copytree(place.parent / "data" / "earlier-log", place / "log")

    with pytest.raises(JournalError, match="put back: it was last used in life 1 of this node"):
        come_back(place)


@pytest.mark.parametrize("which", [0, 1, -1])
def test_segment_that_is_gone_is_refused_by_its_name(data: Callable[[], Path], which: int) -> None:
    place = data()
    gone = segments(place)[which]
    gone.unlink()

    assert gone.name in refused_or_whole(place)


def test_journal_that_is_gone_is_refused(data: Callable[[], Path]) -> None:
    place = data()
    shutil.rmtree(place / "log")

    with pytest.raises(JournalError, match="no journal: this node forgot its votes"):
        come_back(place)


@pytest.mark.parametrize(
    ("lives", "noted", "why"),
    [
        ([8], True, "put back: it was last used in life 1"),
        ([8], False, "or its end is lost"),
        ([5, TOKENS], False, "disagree about log index"),
    ],
)
def test_journal_of_another_story_is_refused(
    data: Callable[[], Path], tmp_path: Path, lives: list[int], noted: bool, why: str
) -> None:
    """Another node's journal: shorter, or with other terms. (Of one cluster, logs with the same term at one
    place are the same up to there; another cluster's state has another uid; and the node refuses a journal
    that another owns, tests/node/test_identity.py.)"""
    place, other = data(), tmp_path / "other"
    for life, count in enumerate(lives, 3):
        node = LoneNode(other, life=life, name="b")
        node.lead()
        for number in range(count):
            node.commit(f"other-{life}-{number}")
        node.close()
    if noted:
        assert come_back(place) == EVERYTHING  # its second life
    else:  # so that the state alone can tell
        shutil.rmtree(place / "log-seen")
    shutil.rmtree(place / "log")
    shutil.copytree(other / "log", place / "log")

    _, refusal = attempt(place)

    assert why in refusal
    assert "emove the node from the cluster" in refusal or "Remove it from the cluster" in refusal
