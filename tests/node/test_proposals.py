"""The front's numbered frames: batched, answered once, forgotten when nobody waits."""

from __future__ import annotations

import asyncio

import pytest

from api.ports import NoLeaderError, OverloadedError
from cluster.settings import PROPOSAL_BYTES_MAX
from node import proposals as module
from node.grid import Grid
from node.proposals import IN_FLIGHT_MAX, Proposals
from scheduler.words import codec, sizes
from scheduler.words.commands import CancelRun, Finish, Fire, Grant, RunJob
from scheduler.words.outcomes import Code, Outcome


class Wire:
    """What left the front."""

    def __init__(self) -> None:
        self.frames: list[codec.Frame] = []
        self.abandoned: list[int] = []
        self.can_wait: list[bool] = []

    def send(self, sequence: int, frame: bytes, can_wait: bool) -> None:
        self.frames.append(codec.decode_frame(frame))
        self.can_wait.append(can_wait)

    async def sent(self, count: int) -> None:
        """Until so many frames have left."""
        while len(self.frames) < count:
            await asyncio.sleep(0)

    def answer(self, proposals: Proposals, frame: codec.Frame) -> None:
        """Commit the frame: each CancelRun's outcome names its run."""
        outcomes = []
        for encoded in frame.commands:
            command = codec.decode_command(encoded)
            outcomes.append(
                Outcome(Code.OK, value={"run": command.run} if isinstance(command, CancelRun) else None)
            )
        proposals.resolve(frame.seq, codec.encode_outcomes(outcomes))


async def test_commands_of_one_turn_share_a_frame_and_get_their_own_outcomes() -> None:
    wire = Wire()
    proposals = Proposals(wire.send, wire.abandoned.append)
    waiting = [asyncio.ensure_future(proposals.propose(CancelRun(n), 5)) for n in range(10)]
    await wire.sent(1)
    assert [len(f.commands) for f in wire.frames] == [10]
    wire.answer(proposals, wire.frames[0])
    outcomes = await asyncio.gather(*waiting)
    assert [o.value for o in outcomes] == [{"run": n} for n in range(10)]


async def test_frames_grow_when_enough_are_in_flight() -> None:
    wire = Wire()
    proposals = Proposals(wire.send, wire.abandoned.append)
    waiting = []
    for n in range(IN_FLIGHT_MAX + 5):
        waiting.append(asyncio.ensure_future(proposals.propose(CancelRun(n), 5)))
        for _ in range(3):
            await asyncio.sleep(0)
    assert len(wire.frames) == IN_FLIGHT_MAX
    wire.answer(proposals, wire.frames[0])
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(wire.frames) == IN_FLIGHT_MAX + 1
    assert len(wire.frames[-1].commands) == 5
    assert wire.frames[-1].lowest == 2  # the first is answered, the state may forget it
    for frame in wire.frames[1:]:
        wire.answer(proposals, frame)
    await asyncio.gather(*waiting)


async def test_a_waiter_that_gives_up_frees_the_lowest_number() -> None:
    wire = Wire()
    proposals = Proposals(wire.send, wire.abandoned.append)
    with pytest.raises(NoLeaderError):
        await proposals.propose(CancelRun(1), 0.01)
    assert wire.abandoned == [1]
    later = asyncio.ensure_future(proposals.propose(CancelRun(2), 5))
    await wire.sent(2)
    assert wire.frames[1].lowest == 2
    wire.answer(proposals, wire.frames[1])
    assert (await later).ok


def loaded(step_ms: int) -> Grid:
    """A grid of this step whatever comes, by a clock that stands still."""
    grid = Grid(lambda: 0.993, (step_ms,))
    grid.commit_s = 3_600.0
    grid.heard(1 << 40)
    return grid


async def test_what_can_wait_leaves_with_what_cannot() -> None:
    wire = Wire()
    proposals = Proposals(wire.send, wire.abandoned.append, loaded(60_000))
    plan = asyncio.ensure_future(proposals.propose_all([Fire(1, 7, 1, None)], 5, can_wait=True))
    waiting = []
    for n in range(3):
        waiting.append(asyncio.ensure_future(proposals.propose(Grant(n, 1, "s", "c"), 5, can_wait=True)))
        for _ in range(5):
            await asyncio.sleep(0)
    assert wire.frames == []

    waiting.append(asyncio.ensure_future(proposals.propose(CancelRun(1), 5)))
    await wire.sent(1)
    commands = [codec.decode_command(command) for command in wire.frames[0].commands]
    assert [type(command) for command in commands] == [Grant, Grant, Grant, CancelRun, Fire]

    waiting.append(asyncio.ensure_future(proposals.propose(Grant(9, 1, "s", "c"), 5, can_wait=True)))
    await asyncio.sleep(0)
    wire.answer(proposals, wire.frames[0])
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(wire.frames) == 1, "a commit hurries nothing"
    waiting.append(asyncio.ensure_future(proposals.propose(CancelRun(2), 5)))
    await wire.sent(2)
    assert wire.can_wait == [False, False]
    wire.answer(proposals, wire.frames[1])
    await asyncio.gather(plan, *waiting)


async def test_what_can_wait_leaves_at_the_next_instant_of_the_grid() -> None:
    wire = Wire()
    proposals = Proposals(wire.send, wire.abandoned.append, loaded(10))
    waiting = asyncio.ensure_future(proposals.propose(Grant(1, 1, "s", "c"), 60, can_wait=True))
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        while not wire.frames:
            await asyncio.sleep(0.001)
    assert wire.can_wait == [True]
    wire.answer(proposals, wire.frames[0])
    assert (await waiting).ok


async def test_who_could_ask_again_is_refused_while_too_much_waits_and_told_for_how_long() -> None:
    wire = Wire()
    proposals = Proposals(wire.send, wire.abandoned.append)
    proposals._throughput.per_s = 1_000.0  # of bytes and weights: as a starved machine does
    waiting = [asyncio.ensure_future(proposals.propose(CancelRun(n), 60)) for n in range(5)]
    await wire.sent(1)

    with pytest.raises(OverloadedError, match="takes some 9 s") as refusal:
        await proposals.propose(RunJob("default", "job", b"{}", 0), 60)
    assert refusal.value.retry_after_s is not None
    assert 9 <= refusal.value.retry_after_s < 10
    stops = asyncio.ensure_future(proposals.propose(CancelRun(9), 60))  # what ends work is taken always
    await wire.sent(2)
    for frame in wire.frames:
        wire.answer(proposals, frame)
    assert (await stops).ok
    await asyncio.gather(*waiting)

    taken = asyncio.ensure_future(proposals.propose(RunJob("default", "job", b"{}", 0), 60))
    await wire.sent(3)
    wire.answer(proposals, wire.frames[2])
    assert (await taken).ok


async def test_barriers_share_a_commit_but_never_an_earlier_one() -> None:
    wire = Wire()
    proposals = Proposals(wire.send, wire.abandoned.append)
    first = [asyncio.ensure_future(proposals.barrier(5)) for _ in range(5)]
    await wire.sent(1)
    assert len(wire.frames[0].commands) == 1
    late = asyncio.ensure_future(proposals.barrier(5))  # the frame left already: it needs its own
    await wire.sent(2)
    wire.answer(proposals, wire.frames[0])
    await asyncio.gather(*first)
    assert not late.done()
    wire.answer(proposals, wire.frames[1])
    await late


async def test_a_new_core_gets_every_frame_that_waits() -> None:
    wire = Wire()
    proposals = Proposals(wire.send, wire.abandoned.append)
    waiting = asyncio.ensure_future(proposals.propose(CancelRun(3), 5))
    await wire.sent(1)
    proposals.resend()
    assert wire.frames[0] == wire.frames[1]
    wire.answer(proposals, wire.frames[0])
    wire.answer(proposals, wire.frames[1])  # the same outcome again changes nothing
    assert (await waiting).value == {"run": 3}


async def test_wait_for_an_election_is_no_commit_time() -> None:
    wire = Wire()
    proposals = Proposals(wire.send, wire.abandoned.append)
    waiting = asyncio.ensure_future(proposals.propose(CancelRun(1), 5))
    await wire.sent(1)
    before_s = proposals.commit_s

    proposals.leader_changed()
    wire.answer(proposals, wire.frames[0])

    assert (await waiting).ok
    assert proposals.commit_s == before_s

    again = asyncio.ensure_future(proposals.propose(CancelRun(2), 5))
    await wire.sent(2)
    wire.answer(proposals, wire.frames[1])
    assert (await again).ok
    assert proposals.commit_s != before_s


def finish(tail: int) -> Finish:
    return Finish(1, 1, 1, 2, 0, "exit", tail=b"t" * tail)


LARGEST = sizes.COMMAND_BYTES_MAX - len(codec.encode_command(finish(1 << 17))) + (1 << 17)
"""Of output in one command."""


async def test_the_largest_command_fits_in_a_proposal_and_one_byte_more_is_refused_unsent() -> None:
    sent: list[bytes] = []
    proposals = Proposals(lambda _, frame, can_wait: sent.append(frame), lambda _: None)
    proposals._sequence = 1 << 40
    refused = await proposals.propose(finish(LARGEST + 1), 5)
    assert (refused.code, refused.value) == (
        "too_large",
        {"bytes": sizes.COMMAND_BYTES_MAX + 1, "bytes_max": sizes.COMMAND_BYTES_MAX},
    )
    waiting = asyncio.ensure_future(proposals.propose(finish(LARGEST), 5))
    while not sent:
        await asyncio.sleep(0)
    assert len(sent[0]) <= PROPOSAL_BYTES_MAX
    proposals.resolve((1 << 40) + 1, codec.encode_outcomes([Outcome(Code.OK)]))
    assert (await waiting).ok


async def test_a_plan_keeps_its_order_around_what_cannot_be_proposed() -> None:
    wire = Wire()
    proposals = Proposals(wire.send, wire.abandoned.append)
    plan = [CancelRun(1), finish(2 << 20), CancelRun(1 << 70), CancelRun(2)]
    waiting = asyncio.ensure_future(proposals.propose_all(plan, 5))
    await wire.sent(1)
    wire.answer(proposals, wire.frames[0])
    outcomes = await waiting
    assert [o.code for o in outcomes] == ["ok", "too_large", "invalid", "ok"]
    assert [o.value for o in outcomes if o.ok] == [{"run": 1}, {"run": 2}]
    assert await proposals.propose_all([], 5) == []


async def test_a_frame_that_the_core_refuses_ends_its_commands_and_frees_its_number() -> None:
    wire = Wire()
    proposals = Proposals(wire.send, wire.abandoned.append)
    waiting = [asyncio.ensure_future(proposals.propose(CancelRun(n), 5)) for n in range(2)]
    await wire.sent(1)
    proposals.refuse(1, "too many bytes")
    assert {(o.code, o.detail) for o in await asyncio.gather(*waiting)} == {("too_large", "too many bytes")}
    later = asyncio.ensure_future(proposals.propose(CancelRun(7), 5))
    await wire.sent(2)
    assert wire.frames[1].lowest == 2
    wire.answer(proposals, wire.frames[1])
    assert (await later).ok
    proposals.resend()
    assert len(wire.frames) == 2


async def test_what_waits_is_bounded_in_bytes_and_is_taken_again_once_some_has_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "QUEUED_BYTES_MAX", 100_000)
    wire = Wire()
    proposals = Proposals(wire.send, wire.abandoned.append)
    waiting = []
    for number in range(IN_FLIGHT_MAX):
        waiting.append(asyncio.ensure_future(proposals.propose(CancelRun(number), 5)))
        await wire.sent(number + 1)
    waiting += [asyncio.ensure_future(proposals.propose(finish(50_000), 5)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError, match="2 commands of 100"):
        await proposals.propose(CancelRun(9), 5)

    wire.answer(proposals, wire.frames[0])
    await wire.sent(IN_FLIGHT_MAX + 1)
    waiting.append(asyncio.ensure_future(proposals.propose(CancelRun(9), 5)))
    for frame in wire.frames[1:]:
        wire.answer(proposals, frame)
    await wire.sent(IN_FLIGHT_MAX + 2)
    wire.answer(proposals, wire.frames[-1])
    assert all(outcome.ok for outcome in await asyncio.gather(*waiting))
    assert proposals._lanes.bytes == 0


async def test_each_hears_at_its_own_time_that_nobody_answers() -> None:
    """By one timer for all of them, those that have not left as well; who was answered is left alone."""
    wire = Wire()
    proposals = Proposals(wire.send, wire.abandoned.append)
    patient, answered = [asyncio.ensure_future(proposals.propose(CancelRun(n), 3_600)) for n in (0, 1)]
    await wire.sent(1)
    under_way = [asyncio.ensure_future(proposals.propose(CancelRun(2), 0.02))]
    for n in range(3, IN_FLIGHT_MAX + 3):
        await wire.sent(min(n - 1, IN_FLIGHT_MAX))  # the last finds no room, and does not leave
        under_way.append(asyncio.ensure_future(proposals.propose(CancelRun(n), 0.01)))
        await asyncio.sleep(0)
    results = await asyncio.gather(*under_way, return_exceptions=True)

    assert [type(result) for result in results] == [NoLeaderError] * len(under_way)
    assert wire.abandoned
    assert not patient.done()
    wire.answer(proposals, wire.frames[0])
    assert [(await each).value for each in (patient, answered)] == [{"run": 0}, {"run": 1}]
