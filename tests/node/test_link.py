"""The front's end of the bridge against a core that says what the test wants."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from api.ports import NodeStatus
from node import bridge
from node.link import CoreLink
from scheduler import codec
from scheduler.commands import CancelRun, Outcome

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
        outcomes = codec.encode_outcomes([Outcome("ok")])
        writer.write(bridge.encode(["commit", 1, 0, [[proposed[0][1], outcomes]], []]))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_unix_server(core, bridge.socket_path(tmp_path))
    status = told(0, None)
    link = CoreLink(tmp_path, NodeStatus(**{**status, "peers": ()}))
    await link.connect()
    reading = asyncio.create_task(link.run())
    async with asyncio.timeout(20):
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
