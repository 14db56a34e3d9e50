"""What jobs mean and perhaps should not is told with each answer, and is in the way of nothing."""

from __future__ import annotations

from typing import Any

import httpx2

PAYS: dict[str, Any] = {
    "job": "pays",
    "policies": {"locks": ["till"]},
    "tasks": {"load": {"run": "x"}, "ask": {"approval": {}, "needs": ["load"]}},
}
DETAIL = "a run of it holds them while ask waits for a person"


async def test_each_way_to_apply_tells_it(client: httpx2.AsyncClient) -> None:
    till = {"resource": "till"}
    body = {"jobs": [till, PAYS, {"job": "other", "noop": True}]}
    for query in ({"dry_run": "true"}, {}):
        reply = await client.post("/v1/apply", json=body, params=query)
        assert reply.status_code == 200, reply.text
        (told,) = reply.json()["warnings"]
        assert (told["name"], told["pointer"], told["detail"]) == ("pays", "/policies/locks", DETAIL)
        assert told["hint"].startswith("Let those tasks take them")
    for query in ({"dry_run": "true"}, {}):
        reply = await client.put("/v1/jobs/pays", json=PAYS, params=query)
        assert (reply.status_code, reply.json()["warnings"]) == (200, [told]), reply.text
    assert "warnings" not in (await client.get("/v1/jobs/pays")).json()
    staged = await client.post("/v1/apply?stage=s&slice=0", json={"jobs": [PAYS]})
    assert (staged.status_code, staged.json()["warnings"]) == (200, [told]), staged.text


async def test_a_job_without_any_says_none(client: httpx2.AsyncClient) -> None:
    reply = await client.put("/v1/jobs/other", json={"noop": True}, params={"dry_run": "true"})
    assert reply.json()["warnings"] == []
