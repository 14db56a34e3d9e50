"""The limits of ticks through the API: 422 with the figure, in a dry run too; an administrator sets them."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

PATH = "/v1/cluster/tick-limits"


def fan(name: str, triggers: int) -> dict[str, Any]:
    each = [{"id": f"t{i}", "every": "100ms"} for i in range(triggers)]
    return {"job": name, "triggers": each, "noop": True}


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
async def test_a_flood_is_refused_at_the_door(client: httpx2.AsyncClient, query: str) -> None:
    refused = [
        await client.put(f"/v1/jobs/flood{query}", json=fan("flood", 100)),
        await client.post(f"/v1/jobs{query}", json=fan("flood", 100)),
        await client.post(f"/v1/apply{query}", json={"jobs": [fan("small", 1), fan("flood", 100)]}),
    ]
    for reply, above in zip(refused, ("", "", "/jobs/1"), strict=True):
        assert reply.status_code == 422, reply.text
        said = reply.json()
        assert [error["pointer"] for error in said["errors"]] == [f"{above}/triggers"]
        assert "default/flood asks for 1,000 ticks a second; 100 a second are the most" in said["detail"]
        assert "longer periods" in said["hint"]
        assert said["value"]["limit"] == 100
    assert (await client.get("/v1/jobs")).json()["items"] == []


async def test_what_all_ask_for_together_is_told_of_none_of_them(client: httpx2.AsyncClient) -> None:
    assert (await client.put(PATH, json={"namespace": 20})).status_code == 200
    for jobs, pointer in ((["a"], "/jobs/0/triggers"), (["a", "b"], "")):
        body = {"jobs": [fan(name, 3 // len(jobs) + 1) for name in jobs]}
        refused = await client.post("/v1/apply", json=body)
        assert [each["pointer"] for each in refused.json()["errors"]] == [pointer], refused.text


async def test_an_edit_of_a_schedule_is_judged_for_the_jobs_that_name_it(client: httpx2.AsyncClient) -> None:
    def shared(count: int) -> dict[str, Any]:
        return {"schedule": "s", "triggers": fan("x", count)["triggers"]}

    job = {"job": "j", "triggers": {"schedule": "s"}, "noop": True}
    made = await client.post("/v1/apply", json={"objects": [job, shared(1)]})
    assert made.status_code == 200, made.text
    for query in ("", "?dry_run=true"):
        for above, reply in (
            ("", await client.put(f"/v1/schedules/s{query}", json=shared(11))),
            ("/objects/0", await client.post(f"/v1/apply{query}", json={"objects": [shared(11)]})),
        ):
            assert reply.status_code == 422, reply.text
            said = reply.json()
            assert [error["pointer"] for error in said["errors"]] == [f"{above}/triggers"]
            assert "job default/j asks for 110 ticks a second; 100 a second are the most" in said["detail"]
            assert "longer periods" in said["hint"]
    assert (await client.get("/v1/schedules/s")).json()["revision"] == 1
    assert (await client.put("/v1/schedules/s", json=shared(10))).status_code == 200


async def test_an_administrator_sets_the_limits(client: httpx2.AsyncClient) -> None:
    assert (await client.get(PATH)).json() == {"job": 100, "namespace": 2000, "cluster": 5000, "asked": 0}
    dry = (await client.put(f"{PATH}?dry_run=true", json={"job": 7})).json()
    assert dry == {"job": 7, "namespace": 2000, "cluster": 5000, "dry_run": True}
    assert (await client.put(PATH, json={"job": 1000})).json()["job"] == 1000
    assert (await client.put("/v1/jobs/flood", json=fan("flood", 100))).status_code == 201
    assert (await client.get(PATH)).json()["asked"] == 1000


@pytest.mark.parametrize(
    "body", [{"job": 0}, {"job": "many"}, {"job": True}, {"jobs": 5}, {"cluster": 1 << 40}]
)
async def test_what_is_no_limit_is_refused(client: httpx2.AsyncClient, body: dict[str, Any]) -> None:
    refused = await client.put(PATH, json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == f"/{next(iter(body))}"
