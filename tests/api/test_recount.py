"""An agent comes to a cluster that was restored from a backup of its own: asked first, welcomed then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api.agents.gateway import Gateway
from api.app import create_app
from api.ports import ApiSettings
from scheduler import protocol as p
from scheduler.machine.renewal import Renewal, renew
from scheduler.store.connection import Store
from tests.api.served import HandAgent, served
from tests.api.single_node import CLUSTER, SingleNode

OLD = "old"


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    """A node of a cluster that was restored from a backup of cluster `old`."""
    store = Store.create_or_open(tmp_path / "state.db", cluster=OLD)
    store.close()
    store = Store.open_alone(tmp_path / "state.db")
    renew(store, Renewal("restore", CLUSTER, 1, 60_000, False, b""))
    store.close()
    node = SingleNode(tmp_path)
    settings = ApiSettings(insecure=False, urls={})
    app = create_app(node, settings, Gateway(node, settings))
    app.start()
    try:
        async with served(app) as address:
            yield address
    finally:
        await app.close()
        node.close()


def ran(attempt: int, **fields: Any) -> tuple[Any, ...]:
    row = {
        "attempt": attempt, "run": attempt, "namespace": "default", "job": "j", "task": "main", "member": "",
        "round": 0, "number": 1, "tick_ms": None, "due_ms": 1, "ended": True, "started_ms": 1,
        "finished_ms": 2, "exit_code": 0, "reason": "exit", "signal": None, "detail": "", **fields,
    }  # fmt: skip
    return tuple(row.values())


async def test_it_is_asked_page_by_page_before_it_is_welcomed(url: str) -> None:
    async with HandAgent(url) as agent:
        asked = await agent.hello(cluster=OLD)
        assert isinstance(asked, p.Recount)
        assert (asked.cluster, asked.restores, asked.lineage, asked.page) == (CLUSTER, 1, OLD, 0)
        await agent.send(p.Ran(0, tuple(ran(n) for n in range(1, 251)), True))
        asked = await agent.expect(p.Recount, p.Welcome, p.Leave)
        assert isinstance(asked, p.Recount)
        assert asked.page == 1
        await agent.send(p.Ran(1, (ran(251, ended=False, finished_ms=0, reason=""),), False, (251,)))
        welcome = await agent.expect(p.Recount, p.Welcome, p.Leave)
        assert isinstance(welcome, p.Welcome)
        assert (welcome.cluster, welcome.restores, welcome.lineage) == (CLUSTER, 1, OLD)
        await agent.send(p.Finished(1, 251, 1, 2, 0, "exit", None, "", b"kept"))
        assert isinstance(await agent.expect(p.Ack), p.Ack)


async def test_who_has_told_is_not_asked_again(url: str) -> None:
    for known in ({"cluster": CLUSTER, "restores": 1, "told": 1}, {"cluster": ""}):
        async with HandAgent(url) as agent:
            assert isinstance(await agent.hello(**known), p.Welcome)
    async with HandAgent(url) as agent:  # pinned, but it ended before it had told all
        assert isinstance(await agent.hello(cluster=CLUSTER, restores=1), p.Recount)


@pytest.mark.parametrize(
    ("known", "says"),
    [
        ({"cluster": "stranger"}, "belongs to cluster stranger"),
        ({"cluster": OLD, "lineage": "stranger"}, "belongs to cluster old"),
        ({"cluster": "rival", "lineage": OLD, "restores": 1}, "--number 2"),
        ({"cluster": "later", "lineage": OLD, "restores": 2}, "is the older"),
    ],
)
async def test_agents_of_others_rivals_and_successors_are_refused(
    url: str, known: dict[str, Any], says: str
) -> None:
    async with HandAgent(url) as agent:
        left = await agent.hello(**known)
        assert isinstance(left, p.Leave)
        assert left.reason == "wrong_cluster"
        assert says in left.detail


@pytest.mark.parametrize(
    "row",
    [
        (1, 2, 3), ran(1, job=7), ran(1, detail="x" * 300), ran(1, due_ms=1 << 63), ran(1, round=-1),
        ran(1, member=None), ran("one"),  # type: ignore[arg-type]  # what came over a wire
    ],
)
async def test_a_malformed_history_ends_the_talk(url: str, row: tuple[Any, ...]) -> None:
    async with HandAgent(url) as agent:
        assert isinstance(await agent.hello(cluster=OLD), p.Recount)
        await agent.send(p.Ran(0, (row,), False))
        left = await agent.expect(p.Recount, p.Welcome, p.Leave)
        assert isinstance(left, p.Leave)
        assert left.reason == "refused"
