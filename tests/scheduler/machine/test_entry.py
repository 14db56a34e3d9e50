"""Entries, frames and what comes over the wire broken."""

from __future__ import annotations

import msgpack
import pytest

from scheduler.machine import NewerFormatError
from scheduler.store import state as state_rows
from scheduler.store.connection import Store
from scheduler.words import codec
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job


def frame(seq: int, *commands: bytes, lowest: int = 1, front: str = "f") -> bytes:
    return codec.encode_frame(codec.Frame(front, seq, lowest, commands))


BARRIER = codec.encode_command(c.Barrier())


def test_a_frame_sent_again_does_nothing_and_gets_the_same_answer(story: Story) -> None:
    story.put(job())
    run = frame(1, codec.encode_command(c.RunJob("default", "j", b"{}", START_MS)))
    first = story.enter(run).frames
    again = story.enter(run)
    assert again.frames == first
    assert again.events == []
    assert len(story.runs()) == 1
    story.reopen()
    assert story.enter(run).frames == first


def test_outcomes_are_forgotten_once_nobody_waits_for_them(story: Story) -> None:
    story.enter(frame(1, BARRIER), frame(2, BARRIER), frame(3, BARRIER, lowest=3))
    assert story.store.rows("SELECT seq FROM frames WHERE front = 'f'") == [(3,)]
    index = story.machine.state.idx
    assert story.enter(frame(1, BARRIER)).frames == [("f", 1, [])]
    assert story.machine.state.idx == index


def test_the_index_counts_commands_and_the_stamp_never_goes_back(story: Story) -> None:
    index = story.machine.state.idx
    story.now_ms = START_MS + 500
    story.enter(frame(1, BARRIER, BARRIER))
    story.now_ms = START_MS
    assert story.enter(frame(2, BARRIER)).stamp_ms == START_MS + 500
    assert story.machine.state.idx == index + 3


def test_the_position_is_stored_with_the_transaction(story: Story) -> None:
    story.machine.apply_entry(applied=(7, 3, 6, 2, b"members"), stamp_ms=START_MS, frames=[])
    reader = Store.open_reader(story.path)
    stored = state_rows.load(reader)
    assert (
        stored.raft_index,
        stored.raft_term,
        stored.previous_index,
        stored.previous_term,
        stored.members,
    ) == (
        7,
        3,
        6,
        2,
        b"members",
    )
    reader.close()


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xc1",
        b"\x00",
        msgpack.packb([]),
        msgpack.packb(["f", "x", 1, []]),
        msgpack.packb([1, 1, 1, []]),
    ],
)
def test_a_frame_that_is_none_is_counted_and_does_nothing(story: Story, garbage: bytes) -> None:
    index = story.machine.state.idx
    entry = story.enter(garbage, frame(1, BARRIER))
    assert story.machine.state.refused == 1
    assert story.machine.state.idx == index + 1
    assert len(entry.frames) == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xc1",
        msgpack.packb([]),
        msgpack.packb([61.5]),
        msgpack.packb(["Fire"]),
        msgpack.packb([22]),
        msgpack.packb([22, "1", 1, "s", "c"]),
        msgpack.packb([22, 1 << 63, 1, "s", "c"]),
        msgpack.packb([1, 5, 5]),
        msgpack.packb([1, [[1, 2]], 5]),
        msgpack.packb([1, [["n", "j", b"{}", [["k"]], None]], 5]),
        msgpack.packb([9, "2", []]),
        msgpack.packb([9, 2, 7]),
        msgpack.packb([9, 2, [["n", 1]]]),
        msgpack.packb([9, 2, [["n", 1, 1 << 63]]]),
        msgpack.packb([52, 1, 2, 3]),
        msgpack.packb([20, "a", "i", "s", "b", "z", "p", b"{}", 1, "1", "n", [["x", 1]]]),
    ],
)
def test_a_command_that_is_none_is_refused_and_the_next_one_applies(story: Story, garbage: bytes) -> None:
    outcomes = story.enter(frame(1, garbage, BARRIER)).frames[0][2]
    assert [outcome.code for outcome in outcomes] == ["invalid", "ok"]


@pytest.mark.parametrize("newer", [[199, 1, 2], [61, "a field of the future"]])
def test_a_command_of_a_newer_format_stops_the_node(story: Story, newer: list[object]) -> None:
    with pytest.raises(NewerFormatError):
        story.enter(frame(1, msgpack.packb(newer)))
    with pytest.raises(RuntimeError, match="failed before"):
        story.enter(frame(2, BARRIER))


def test_a_leader_of_an_older_term_comes_too_late(story: Story) -> None:
    assert story.value(c.Lead("node-b", "zone-b", 5), "epoch") == 2
    assert story.one(c.Lead("node-c", "zone-c", 4)).code == "stale_epoch"
    assert story.value(c.Lead("node-b", "zone-b", 5), "epoch") == 2
    assert story.machine.state.tzdata == "2026a"


def test_tokens(story: Story) -> None:
    first = c.PutToken("bootstrap", bytes(32), "admin")
    assert story.one(first).ok
    assert story.one(first).ok
    assert story.one(c.PutToken("bootstrap", b"x" * 32, "admin")).code == "exists"
    assert story.one(c.PutToken("ci", b"y" * 32, "submitter")).ok
    assert story.one(c.PutToken("ci", b"y" * 32, "king")).code == "invalid"


def test_no_bootstrap_token_once_there_is_another(story: Story) -> None:
    assert story.one(c.PutToken("ci", b"y" * 32, "submitter")).ok
    assert story.one(c.PutToken("bootstrap", bytes(32), "admin")).code == "exists"


def test_purge_drops_finished_runs_in_slices_and_the_ledger_stays(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"cron": "* * * * * *"}, policies={"overlap": "allow"}))
    for second in range(1, 6):
        story.now_ms = START_MS + second * 1_000
        story.settle()
    assert story.value(c.Purge(story.epoch, 1, 4, 3), "runs") == 3
    assert story.value(c.Purge(story.epoch, 1, 4, 3), "runs") == 1
    assert story.store.rows("SELECT id FROM runs") == [(5,)]
    assert story.store.value("SELECT count(*) FROM attempts") == 1
    assert story.job().runs_stored == 1
    assert len(story.ledger()) == 5


def test_sweep_drops_old_keys_and_fronts(story: Story) -> None:
    story.put(job(), key="k", body=b"1")
    story.enter(frame(1, BARRIER))
    story.now_ms += 1_000
    story.enter(frame(1, BARRIER, front="g"))
    swept = story.value(c.Sweep(story.epoch, story.now_ms, 10), "keys")
    assert swept == 1
    assert story.store.rows("SELECT uid FROM fronts ORDER BY uid") == [("g",)]
    assert story.store.rows("SELECT DISTINCT front FROM frames ORDER BY front") == [("g",), ("story",)]
