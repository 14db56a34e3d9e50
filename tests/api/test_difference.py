"""That the ledger differs, as every node tells it; and how far the leader has looked."""

from __future__ import annotations

import httpx2

from api.app import Api
from api.schemas import overview, replies
from scheduler.words.commands import TellProof
from tests.api.single_node import SingleNode
from tests.api.test_overload import must


async def test_a_difference_is_told_by_cluster_overview_and_metrics_until_it_is_gone(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    await client.put("/v1/jobs/j", json={"job": "j", "noop": True})
    epoch = node.machine.state.epoch
    assert (await client.get("/v1/cluster")).json()["difference"] is None
    assert (await client.get("/v1/overview")).json()["difference"] is None
    assert "cronclave_ledger_differences 0.0" in (await client.get("/metrics")).text

    must(node, TellProof(epoch, 3, "missing", 1, 1_800_000_000_000, "no outcome"))
    told = (await client.get("/v1/cluster")).json()
    replies.Cluster.model_validate(told)
    shown = (await client.get("/v1/overview")).json()
    overview.Overview.model_validate(shown)
    assert shown["difference"] == told["difference"]
    since = told["difference"].pop("since")
    assert since.endswith("Z")
    assert told["difference"] == {
        "problems": 3, "kind": "missing", "job": "j", "namespace": "default",
        "at": "2027-01-15T08:00:00Z", "detail": "no outcome", "command": "cronclave verify",
    }  # fmt: skip
    assert "cronclave_ledger_differences 3.0" in (await client.get("/metrics")).text

    must(node, TellProof(epoch, 0))
    assert (await client.get("/v1/cluster")).json()["difference"] is None


async def test_how_far_the_leader_has_looked(client: httpx2.AsyncClient, api: Api) -> None:
    assert (await client.get("/v1/cluster")).json()["proved"] is None
    proved = api.services.settings.proved
    proved.whole_ms = proved.recent_ms = 1_800_000_000_000
    proved.due, proved.entries, proved.took_s = 5, 4, 0.25
    told = (await client.get("/v1/cluster")).json()["proved"]
    at = "2027-01-15T08:00:00Z"
    assert told == {"whole": at, "recent": at, "took_seconds": 0.25, "due": 5, "entries": 4}
    assert "cronclave_ledger_proved_timestamp_seconds 1.8e+09" in (await client.get("/metrics")).text
