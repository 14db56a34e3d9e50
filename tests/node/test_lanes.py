"""What leaves first when more waits than a frame holds, and how long that takes."""

from __future__ import annotations

import asyncio

import pytest

from node import lanes as module
from node.lanes import WINDOW_S, Lane, Lanes, Throughput, Waiting, lane_of
from scheduler.words import commands as c


async def waiting(command: bytes) -> Waiting:
    return Waiting(command, asyncio.get_running_loop().create_future())


def taken(lanes: Lanes) -> list[bytes]:
    return [each.command for each in lanes.take()]


@pytest.mark.parametrize(
    ("command", "lane"),
    [
        (c.Finish(1, 1, 0, 1, 0, "exit"), Lane.REPORTS),
        (c.Grant(1, 1, "session", "claim"), Lane.REPORTS),
        (c.CancelRun(1), Lane.PEOPLE),
        (c.Barrier(), Lane.PEOPLE),
        (c.Fire(1, 1, 1, None), Lane.PLANS),
    ],
)
def test_each_command_has_its_lane(command: c.Command, lane: Lane) -> None:
    assert lane_of(command) is lane


async def test_what_was_begun_leaves_first_then_people_then_plans() -> None:
    lanes = Lanes()
    for lane, command in ((Lane.PLANS, b"p"), (Lane.PEOPLE, b"m"), (Lane.REPORTS, b"r"), (Lane.PEOPLE, b"n")):
        lanes.add(lane, await waiting(command))
    assert taken(lanes) == [b"r", b"m", b"n", b"p"]
    assert (len(lanes), lanes.bytes) == (0, 0)


async def test_no_lane_stands_still_behind_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRAME_COMMANDS_MAX", 16)
    lanes = Lanes()
    for _ in range(100):
        for lane, command in zip(Lane, (b"r", b"m", b"p"), strict=True):
            lanes.add(lane, await waiting(command))
    frame = taken(lanes)
    assert frame == sorted(frame, key=b"rmp".index)
    assert [frame.count(each) for each in (b"r", b"m", b"p")] == [12, 3, 1]


async def test_what_is_too_large_for_the_rest_of_a_frame_begins_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FRAME_BYTES_MAX", 100)
    lanes = Lanes()
    large = b"l" * 99
    lanes.add(Lane.REPORTS, await waiting(b"r"))
    lanes.add(Lane.PEOPLE, await waiting(large))
    lanes.add(Lane.PLANS, await waiting(b"p"))
    assert taken(lanes) == [b"r", b"p"]
    lanes.add(Lane.REPORTS, await waiting(b"s"))
    assert taken(lanes) == [large, b"s"]


async def test_who_gave_up_is_not_proposed() -> None:
    lanes = Lanes()
    gone = await waiting(b"gone")
    gone.future.cancel()
    lanes.add(Lane.PEOPLE, gone)
    lanes.add(Lane.PEOPLE, await waiting(b"here"))
    assert taken(lanes) == [b"here"]


def test_work_is_measured_only_while_more_waits_than_is_under_way() -> None:
    throughput = Throughput()
    throughput.begin(0.0)
    for turn in range(1, 11):
        throughput.done(1_000, turn * WINDOW_S / 5, is_backed_up=True)
    assert throughput.per_s == pytest.approx(5_000 / WINDOW_S)
    assert throughput.wait_s(100_000) == pytest.approx(20 * WINDOW_S)
    throughput.done(1, 9.0, is_backed_up=False)
    assert throughput.wait_s(1 << 40) == 0.0


def test_what_passed_in_an_election_is_not_measured() -> None:
    throughput = Throughput()
    throughput.begin(0.0)
    throughput.begin(60.0)
    throughput.done(1_000, 60.0 + WINDOW_S, is_backed_up=True)
    assert throughput.per_s == pytest.approx(1_000 / WINDOW_S)
