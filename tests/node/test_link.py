"""The front's end of the bridge against a core that says what the test wants."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from api.commits import Commits
from api.ports import Committed, NodeStatus, NoLeaderError, StorageLowError
from node import bridge
from node.link import CoreLink
from node.proposals import IN_FLIGHT_MAX
from scheduler.words import codec
from scheduler.words.commands import CancelRun, RunJob
from scheduler.words.outcomes import Code, Outcome

DEADLINE_S = 60.0
REQUIRED: dict[str, Any] = {
    f.name: ""
    for f in dataclasses.fields(NodeStatus)
    if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
}


def told(term: int, leader: str | None = "node-1") -> dict[str, Any]:
    return {**REQUIRED, "format": 1, "leader": leader, "term": term, "certificates": {}, "peers": []}


@pytest.mark.parametrize(("statuses", "counts"), [([told(3)], True), ([told(3, None), told(4)], False)])
async def test_only_a_commit_under_one_leader_tells_the_time_of_commits(
    tmp_path: Path, statuses: list[dict[str, Any]], counts: bool
) -> None:
    """What waited through an election would make the planner decide far ahead."""

    async def core(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = bridge.Decoder()
        writer.write(bridge.encode(["status", told(3)]))
        proposed: list[Any] = []
        while not proposed:
            proposed = [m for m in decoder.feed(await reader.read(1 << 16)) if m[0] == "propose"]
        for status in statuses:
            writer.write(bridge.encode(["status", status]))
        outcomes = codec.encode_outcomes([Outcome(Code.OK)])
        writer.write(bridge.encode(["commit", 1, 0, [[proposed[0][1], outcomes]], []]))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(core, bridge.socket_path(tmp_path))
    status = told(0, None)
    link = CoreLink(tmp_path, NodeStatus(**{**status, "peers": ()}))
    await link.connect()
    reading = asyncio.create_task(link.run())
    async with asyncio.timeout(DEADLINE_S):
        while link.status().term != 3:
            await asyncio.sleep(0)
        before_s = link.proposals.commit_s

        assert (await link.propose(CancelRun(1))).ok

    assert (link.proposals.commit_s != before_s) is counts
    await reading
    assert link._writer is not None
    link._writer.close()
    await link._writer.wait_closed()
    server.close()


async def test_who_asks_for_the_leaders_word_shares_the_next_question_that_has_not_left(
    tmp_path: Path,
) -> None:
    asked: list[int] = []
    writers: list[asyncio.StreamWriter] = []

    async def core(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        decoder = bridge.Decoder()
        while data := await reader.read(1 << 16):
            asked.extend(m[1] for m in decoder.feed(data) if m[:1] == ["ask"] and m[2] == "catch_up")
        writer.close()

    server = await asyncio.start_unix_server(core, bridge.socket_path(tmp_path))
    link = CoreLink(tmp_path, NodeStatus(**{**told(0, None), "peers": ()}))
    await link.connect()
    reading = asyncio.create_task(link.run())

    async def questions(count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while len(asked) < count:
                await asyncio.sleep(0.005)

    first = [asyncio.ensure_future(link.catch_up()) for _ in range(50)]
    await questions(1)
    late = [asyncio.ensure_future(link.catch_up()) for _ in range(50)]
    await asyncio.sleep(0)
    assert not any(each.done() for each in first + late)
    writers[0].write(bridge.encode(["answer", asked[0], "done", "under way"]))
    await asyncio.gather(*first)
    assert not any(each.done() for each in late)  # theirs left after they asked
    await questions(2)
    writers[0].write(bridge.encode(["answer", asked[1], "no_leader", "nobody vouched"]))
    for each in late:
        with pytest.raises(NoLeaderError):
            await each

    assert len(asked) == 2
    assert link._writer is not None
    link._writer.close()
    await reading
    server.close()


async def test_who_listens_hears_at_once_that_the_state_was_replaced(tmp_path: Path) -> None:
    """Not with the next commit, which an idle cluster may never have."""

    class Listener:
        gaps = 0

        def on_commit(self, commit: Committed) -> None:
            raise AssertionError(commit)

        def on_gap(self) -> None:
            self.gaps += 1

    async def core(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(bridge.encode(["reopen", str(tmp_path / "state.db"), 7]))
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(core, bridge.socket_path(tmp_path))
    link = CoreLink(tmp_path, NodeStatus(**{**told(0, None), "peers": ()}))
    commits, listener = Commits(link), Listener()
    commits.add(listener)
    await link.connect()
    reading = asyncio.create_task(link.run())
    async with asyncio.timeout(DEADLINE_S):
        while not listener.gaps:
            await asyncio.sleep(0)
    assert link._writer is not None
    link._writer.close()
    await reading
    await commits.close()
    server.close()

    assert listener.gaps == 1


def unconnected(folder: Path) -> CoreLink:
    """The link of a node that is short of disk, whose frames go nowhere."""
    return CoreLink(folder, NodeStatus(**{**told(1), "peers": (), "storage_low": True}))


async def until_under_way(link: CoreLink, frames: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while len(link.proposals._frames) < frames:
            await asyncio.sleep(0)


async def test_several_that_are_proposed_at_once_have_an_outcome_or_an_error_each_and_no_task(
    tmp_path: Path,
) -> None:
    link = unconnected(tmp_path)
    commands = [CancelRun(1), RunJob("default", "grows", b"{}", 0), CancelRun(2)]
    asked = asyncio.create_task(link.propose_each(commands, timeout_s=DEADLINE_S))
    await until_under_way(link, 1)
    assert asyncio.all_tasks() == {asked, asyncio.current_task()}
    outcomes = [Outcome(Code.OK), Outcome(Code.NOT_FOUND, "no run 2")]
    link.proposals.resolve(1, codec.encode_outcomes(outcomes))
    first, refused, last = await asked
    assert [first, last] == outcomes
    assert isinstance(refused, StorageLowError)


async def test_of_several_that_nobody_answers_each_says_so(tmp_path: Path) -> None:
    found = await unconnected(tmp_path).propose_each([CancelRun(1), CancelRun(2)], timeout_s=0.01)
    assert [type(each) for each in found] == [NoLeaderError, NoLeaderError]
    assert await unconnected(tmp_path).propose_each([]) == []


async def test_of_several_that_nobody_waits_for_any_more_none_leaves(tmp_path: Path) -> None:
    link = unconnected(tmp_path)
    others = []
    for number in range(IN_FLIGHT_MAX):
        others.append(asyncio.create_task(link.propose(CancelRun(number))))
        await until_under_way(link, number + 1)
    asked = asyncio.create_task(link.propose_each([CancelRun(100), CancelRun(101)]))
    while len(link.proposals._lanes) < 2:
        await asyncio.sleep(0)
    asked.cancel()
    await asyncio.wait([asked])
    for number in range(IN_FLIGHT_MAX):
        link.proposals.resolve(number + 1, codec.encode_outcomes([Outcome(Code.OK)]))
    await asyncio.gather(*others)
    await link.propose_each([])
    assert not link.proposals._frames
    assert not link.proposals._lanes
