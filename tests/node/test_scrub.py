"""The comparison of rows between nodes: a single flipped bit in any value or index is found, judged by the
majority, and nothing is guessed where there is none."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cluster.machine import Applied, Entry, Position
from cluster.peers import PeerInfo
from node import majority
from node.damage import DivergedError
from node.scrub import PERIOD_S, STRAINED_S, Scrub
from node.seeding import Seeder
from node.state import SLICES_KEPT, ReplicatedState
from scheduler.store import soundness
from scheduler.store.row_digests import BEGIN, BYTES_MAX, ROWS_MAX, slices_of
from scheduler.words import codec
from scheduler.words.commands import Compare
from tests.node.damaged import (
    INDEX_LEAF,
    PAGE_BYTES,
    file_of,
    flip,
    live,
    open_state,
    pages_of,
    place_of,
)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("lived") / "data"
    live(data)
    return data


@pytest.fixture
def data(lived: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lived, tmp_path / "data"))


def compare(state: ReplicatedState, place: bytes | None = None) -> int:
    """Apply one Compare; gives its log index."""
    before = state.stored()
    assert before is not None
    position = Position(before.position.index + 1, 1)
    frame = codec.Frame(
        "core-1",
        position.index,
        position.index,
        (codec.encode_command(Compare(state.next_slice if place is None else place)),),
    )
    applied = Applied(position, before.position, before.members)
    state.apply(Entry(applied, state.machine.state.stamp_ms, [codec.encode_frame(frame)]))
    return position.index


def whole_round(state: ReplicatedState) -> list[bytes]:
    digests = []
    while True:
        digests.append(state.slices[compare(state)])
        if state.next_slice == BEGIN:
            return digests


def peer(slices: object, *, reachable: bool = True) -> PeerInfo:
    status = {majority.SLICES: slices}
    return PeerInfo("p", "u", "h:1", "z", "", True, reachable, 0, 0, 0, 0, None, 1, 1, status)


def test_slices_hold_every_row_and_every_entry_of_every_index_once(lived: Path) -> None:
    found = slices_of(file_of(lived))

    with closing(sqlite3.connect(file_of(lived))) as connection:
        rows = 0
        schema = connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name <> 'state'"
        ).fetchall()
        without = {name for _, name, _, sql in schema if sql and "WITHOUT ROWID" in sql}
        for kind, name, table, sql in schema:
            if kind == "table":
                rows += connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            elif table not in without or sql:
                where = (sql or "").partition(" WHERE ")[2] or "1"
                rows += connection.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0]
    assert sum(each.rows for each in found) == rows
    assert max(each.rows for each in found) <= ROWS_MAX
    assert len(found) > 5


def test_slice_with_large_rows_ends_early(tmp_path: Path) -> None:
    state = open_state(tmp_path / "data")
    for _ in Seeder(state, b"").fill(jobs=500, runs_a_job=1, tail=b"x" * 2_000):
        pass

    within = [each.rows for each in slices_of(state.path) if each.first == each.last == "attempts"]
    assert within
    assert max(within) <= 1 + BYTES_MAX / 2_000
    state.close()


def test_nodes_that_applied_the_same_have_the_same_slices_whatever_their_pages(tmp_path: Path) -> None:
    """One of them wrote all of it, the other took a copy that lies on other pages."""
    first = open_state(tmp_path / "first")
    for _ in Seeder(first, b"").fill(jobs=500, runs_a_job=1, tail=b"tail"):
        pass
    second = open_state(tmp_path / "second")
    applied = first.copy_to(tmp_path / "copy")
    with closing(sqlite3.connect(tmp_path / "copy", isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size=8192")
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("VACUUM")
    second.install(tmp_path / "copy", applied)

    assert whole_round(first) == whole_round(second)
    first.close()
    second.close()


@pytest.mark.parametrize(
    "text",
    [b"--customer 123", b"some output of a job", b"seeded-77", b"team-17", b"claim-31"],
)
def test_single_flipped_bit_in_a_value_is_found_by_the_rows_alone(
    data: Path, lived: Path, text: bytes
) -> None:
    flip(file_of(data), place_of(file_of(data), text) + 3)

    assert not soundness.problems(file_of(data)), "its shape is right"
    assert [s.digest for s in slices_of(file_of(data))] != [s.digest for s in slices_of(file_of(lived))]


def test_single_flipped_bit_in_the_entry_of_an_index_is_found(data: Path, lived: Path) -> None:
    """Of the name of a job, in the index by name and not in its row."""
    sound = [s.digest for s in slices_of(file_of(lived))]
    raw = file_of(data).read_bytes()
    places = [m.start() + len(b"default") for m in re.finditer(b"defaultseeded-123", raw)]
    pages = {page for page in pages_of(file_of(data), INDEX_LEAF)}
    places = [place for place in places if place // PAGE_BYTES in pages]
    assert places, "namespace and name lie side by side in the index"
    for place in places:
        flip(file_of(data), place)
        assert [s.digest for s in slices_of(file_of(data))] != sound
        flip(file_of(data), place)


def test_value_that_became_another_type_or_no_text_is_found(data: Path, lived: Path) -> None:
    sound = [s.digest for s in slices_of(file_of(lived))]
    with closing(sqlite3.connect(file_of(data))) as connection:
        connection.execute("UPDATE jobs SET actor = CAST(actor AS BLOB) WHERE id = 7")
        connection.commit()
    assert [s.digest for s in slices_of(file_of(data))] != sound

    flip(file_of(data), place_of(file_of(data), b"seeded-77") + 3, 7)
    assert [s.digest for s in slices_of(file_of(data))] != sound


def test_damage_that_comes_while_the_node_runs_is_seen_through_the_writers_memory(
    data: Path, lived: Path
) -> None:
    state, other = open_state(data), open_state(Path(shutil.copytree(lived, data / "other")))
    state.machine.store.rows("SELECT * FROM jobs")  # the writer remembers these pages

    flip(file_of(data), place_of(file_of(data), b"--customer 123"))

    assert whole_round(state) != whole_round(other)
    state.close()
    other.close()


def test_place_that_means_nothing_gives_the_same_everywhere_and_ends(data: Path) -> None:
    state = open_state(data)
    for place in (
        b"\xc1",
        b"nothing",
        codec.encode_command(Compare(b"")),
        b"\x92\xa4jobs\x91\xcf" + b"\xff" * 8,
    ):
        index = compare(state, place)
        assert state.next_slice == BEGIN
        assert state.slices[index]
    state.close()


def test_only_the_latest_slices_are_kept(data: Path) -> None:
    state = open_state(data)
    for _ in range(SLICES_KEPT + 5):
        compare(state)

    assert len(state.slices) == SLICES_KEPT
    state.close()


def test_leader_proposes_at_its_pace_and_goes_on_where_the_last_slice_ended(data: Path) -> None:
    state = open_state(data)
    proposed: list[Compare] = []
    scrub = Scrub(state, proposed.append)
    peers = [peer({}), peer({})]

    scrub.look(100.0, lambda: peers, leads=False)
    scrub.look(101.0, list, leads=True)  # nobody to compare with
    assert not proposed
    scrub.look(102.0, lambda: peers, leads=True)
    compare(state, proposed[0].place)
    scrub.look(102.0 + PERIOD_S - 1, lambda: peers, leads=True)
    scrub.look(102.0 + PERIOD_S, lambda: peers, leads=True)

    assert [each.place for each in proposed] == [BEGIN, state.next_slice]
    assert state.next_slice != BEGIN
    state.close()


def test_new_leader_waits_for_its_turn_and_a_strained_one_for_longer(data: Path) -> None:
    state = open_state(data)
    proposed: list[Compare] = []
    scrub = Scrub(state, proposed.append)
    peers = [peer({}), peer({})]
    compare(state)  # another leads
    scrub.look(100.0, lambda: peers, leads=False)

    scrub.look(100.0 + PERIOD_S - 1, lambda: peers, leads=True)
    scrub.look(100.0 + STRAINED_S - 1, lambda: peers, leads=True, is_strained=True)
    assert not proposed
    scrub.look(100.0 + STRAINED_S, lambda: peers, leads=True, is_strained=True)
    assert len(proposed) == 1
    state.close()


def test_node_that_differs_from_the_majority_ends_and_names_the_rows(data: Path) -> None:
    state = open_state(data)
    scrub = Scrub(state, lambda command: None)
    index = compare(state)
    own, other = {str(index): state.slices[index].hex()}, {str(index): "00" * 32}

    scrub.judge([peer(own), peer(other)])  # the other one is wrong
    assert not scrub.is_disputed
    with pytest.raises(DivergedError, match=f"log index {index}.*agents"):
        scrub.judge([peer(other), peer(other)])
    state.close()


@pytest.mark.parametrize(
    ("told", "disputed"),
    [
        (["11"], True),  # of two
        (["11", "22"], True),  # three that all differ
        (["own", "11", "11"], True),  # two against two
        (["own"], False),
        (["11", None], False),  # one that is there has not said anything yet
        (["own", "11"], False),
        (["own", "own", "11", "22"], False),  # two minorities, and a majority
    ],
)
def test_without_a_majority_it_is_said_and_nobody_is_wrong(
    data: Path, caplog: pytest.LogCaptureFixture, told: list[str | None], disputed: bool
) -> None:
    state = open_state(data)
    scrub = Scrub(state, lambda command: None)
    index = compare(state)
    own = state.slices[index].hex()
    peers = [peer({} if each is None else {str(index): own if each == "own" else each}) for each in told]

    for _ in range(3):
        scrub.judge(peers)

    assert scrub.is_disputed == disputed
    assert caplog.text.count("no majority agrees") == disputed
    state.inspection.settle()  # its own file is sound
    state.close()


def test_peer_that_does_not_answer_is_not_waited_for() -> None:
    peers = [peer({"7": "11"}), peer({}, reachable=False)]

    assert majority.disputed_at({7: b"own"}, peers, majority.SLICES) == 7
