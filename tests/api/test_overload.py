"""That more is due than can be started, as the API tells it; and who is asked to come again."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from api.ports import OverloadedError
from api.schemas import replies
from scheduler.words.commands import Account, Command, PutJobs, TellOverload
from scheduler.words.outcomes import Outcome
from tests.api.single_node import SingleNode


def must(node: SingleNode, command: Command) -> None:
    outcome = node.apply(command)[0]
    assert outcome.ok, outcome


async def test_an_overload_is_told_by_the_cluster_the_metrics_and_the_ticks(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    assert (await client.get("/v1/cluster")).json()["overload"] is None
    assert "cronclave_overloaded 0.0" in (await client.get("/metrics")).text
    epoch = node.machine.state.epoch
    await client.put("/v1/jobs/j", json={"job": "j", "noop": True, "triggers": [{"every": "1s"}]})
    with node.read() as store:
        trigger, first_ms = store.rows("SELECT id, next_due_ms FROM triggers")[0]

    must(node, TellOverload(epoch, begins=True, late_ms=4_500, due=7))
    into_ms = first_ms + 3_000
    words = ("coalesced", "overload", into_ms)
    must(node, Account(epoch, trigger, first_ms, into_ms - 1_000, 3, into_ms, *words))

    cluster = (await client.get("/v1/cluster")).json()
    replies.Cluster.model_validate(cluster)
    assert (cluster["overload"]["late_seconds"], cluster["overload"]["due"]) == (4.5, 7)
    text = (await client.get("/metrics")).text
    assert "cronclave_overloaded 1.0" in text
    assert 'cronclave_ticks_shed_total{outcome="coalesced"} 3.0' in text
    node.skew_ms = 60_000
    ticks = (await client.get("/v1/jobs/j/ticks")).json()["items"]
    assert {(tick["outcome"], tick["reason"]) for tick in ticks} >= {("coalesced", "overload")}

    must(node, TellOverload(epoch, begins=False))
    assert (await client.get("/v1/cluster")).json()["overload"] is None


async def test_the_metrics_tell_how_late_the_first_undecided_tick_is(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    assert "cronclave_tick_lateness_seconds 0.0" in (await client.get("/metrics")).text
    await client.put("/v1/jobs/j", json={"job": "j", "noop": True, "triggers": [{"every": "1s"}]})
    node.skew_ms = 3_600_000
    text = (await client.get("/metrics")).text
    (line,) = (each for each in text.splitlines() if each.startswith("cronclave_tick_lateness_seconds "))
    assert float(line.split()[1]) >= 3_000


async def test_who_asks_for_new_work_beyond_what_is_done_soon_is_told_when_to_come_again(
    client: httpx2.AsyncClient, node: SingleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(command: Any, *, timeout_s: float = 10.0) -> Outcome:
        assert isinstance(command, PutJobs)
        raise OverloadedError("what waits already takes some 7 s", 6.2)

    monkeypatch.setattr(node, "propose", full)
    reply = await client.put("/v1/jobs/j", json={"job": "j", "noop": True})
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "7")
    assert reply.json()["type"].endswith("too-many-requests")
    assert "7 s" in reply.json()["detail"]
