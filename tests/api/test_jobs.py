"""Jobs over HTTP: put, create, guards, lists, pause, revisions, next ticks."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from api.jobs.reading import LONG
from scheduler.store.reads import bounds
from scheduler.words.commands import Actor, Command, ConnectAgent, DeleteJob
from scheduler.words.outcomes import Outcome
from tests.api.served import DEADLINE_S
from tests.api.single_node import SingleNode
from tests.scheduler.story import KINDS

NOOP: dict[str, Any] = {"noop": True}


async def put(client: httpx2.AsyncClient, name: str, **fields: Any) -> httpx2.Response:
    return await client.put(f"/v1/jobs/{name}", json={**NOOP, **fields})


async def test_put_creates_then_changes_then_leaves_alone(client: httpx2.AsyncClient) -> None:
    created = await put(client, "backup", triggers=[{"cron": "0 2 * * *", "id": "nightly"}])
    assert created.status_code == 201, created.text
    assert created.headers["etag"] == '"1"'
    job = created.json()
    assert (job["name"], job["job"], job["namespace"], job["revision"]) == ("backup", "backup", "default", 1)
    assert job["next_tick"].endswith("T02:00:00Z")
    assert set(job["tasks"]) == {"main"}

    changed = await put(client, "backup", triggers=[{"cron": "0 3 * * *", "id": "nightly"}])
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    same = await put(client, "backup", triggers=[{"cron": "0 3 * * *", "id": "nightly"}])
    assert (same.status_code, same.headers["etag"]) == (200, '"2"')


async def test_what_get_gives_can_be_put_back(client: httpx2.AsyncClient) -> None:
    await put(client, "backup", triggers=[{"every": "15m"}], labels={"team": "data"})
    read = await client.get("/v1/jobs/backup")
    again = await client.put("/v1/jobs/backup", json=read.json(), headers={"If-Match": read.headers["etag"]})
    assert (again.status_code, again.json()["revision"]) == (200, 1), again.text


async def test_the_etag_guards_changes(client: httpx2.AsyncClient) -> None:
    await put(client, "backup")
    stale = await client.put("/v1/jobs/backup", json={"run": "true"}, headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "/problems/revision-mismatch")
    taken = await client.put("/v1/jobs/backup", json=NOOP, headers={"If-None-Match": "*"})
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/exists")
    gone = await client.delete("/v1/jobs/backup", headers={"If-Match": '"7"'})
    assert gone.status_code == 412
    assert (await client.delete("/v1/jobs/backup", headers={"If-Match": '"1"'})).status_code == 204
    assert (await client.get("/v1/jobs/backup")).status_code == 404


async def test_a_put_that_was_made_is_told_so_though_the_job_is_deleted_before_the_answer(
    client: httpx2.AsyncClient, node: SingleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(client, "backup")
    propose = node.propose

    async def overtaken(command: Command, *, timeout_s: float = 10.0) -> Outcome:
        outcome = await propose(command, timeout_s=timeout_s)
        node.apply(DeleteJob("default", "backup", None, Actor("somebody"), "", b""))
        return outcome

    monkeypatch.setattr(node, "propose", overtaken)
    changed = await put(client, "backup", labels={"by": "me"})

    assert changed.status_code == 200
    assert changed.headers["etag"] == '"2"'
    assert (changed.json()["revision"], changed.json()["labels"]) == (2, {"by": "me"})
    monkeypatch.undo()
    assert (await client.get("/v1/jobs/backup")).status_code == 404


async def test_create_refuses_a_taken_name_with_a_hint(client: httpx2.AsyncClient) -> None:
    first = await client.post("/v1/jobs", json={"job": "backup", **NOOP})
    assert first.status_code == 201
    assert first.headers["location"].startswith("/v1/jobs/backup")
    second = await client.post("/v1/jobs", json={"job": "backup", **NOOP})
    assert (second.status_code, second.json()["type"]) == (409, "/problems/exists")
    assert "PUT" in second.json()["hint"]


async def test_dry_run_changes_nothing(client: httpx2.AsyncClient) -> None:
    told = await client.put("/v1/jobs/backup?dry_run=true", json=NOOP)
    assert (told.status_code, told.json()["change"]) == (200, "created")
    assert (await client.get("/v1/jobs/backup")).status_code == 404
    bad = await client.put("/v1/jobs/backup?dry_run=true", json={"triggers": {"cron": "bad"}, **NOOP})
    assert bad.status_code == 422


async def test_an_idempotency_key_is_done_once_and_for_one_request(client: httpx2.AsyncClient) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await client.post("/v1/jobs", json={"job": "backup", **NOOP}, headers=key)
    again = await client.post("/v1/jobs", json={"job": "backup", **NOOP}, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    other = await client.post("/v1/jobs", json={"job": "other", **NOOP}, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_yaml_is_taken_too(client: httpx2.AsyncClient) -> None:
    text = "job: backup\ntriggers:\n  - every: 15m\nrun: echo hi\n"
    made = await client.post("/v1/jobs", content=text, headers={"Content-Type": "application/yaml"})
    assert made.status_code == 201, made.text
    assert made.json()["tasks"]["main"]["run"] == "echo hi"
    bad = await client.post("/v1/jobs", content="job: [", headers={"Content-Type": "application/yaml"})
    assert (bad.status_code, bad.json()["type"]) == (400, "/problems/not-yaml")


async def test_lists_are_right_while_jobs_come_in(client: httpx2.AsyncClient) -> None:
    for number in range(0, 20, 2):
        await put(client, f"job-{number:02d}")
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await client.get(f"/v1/jobs?limit=3{cursor}")).json()
        seen += [job["name"] for job in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
        await put(
            client, f"job-{len(seen) * 2 - 3:02d}"
        )  # comes in after the cursor: not shown, nothing doubled
    assert seen == sorted(set(seen))
    assert {f"job-{number:02d}" for number in range(0, 20, 2)} <= set(seen)


async def test_a_pool_that_no_agent_is_of_brings_the_near_miss(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    node.apply(ConnectAgent("db-1", "i", "s", "b", "zone-a", "database", b"{}", 8, "1", "node-2", KINDS))
    for pool, said in (("datbase", ": did you mean database?"), ("gpu", "")):
        await client.put("/v1/jobs/a", json={"run": "true", "on": {"pool": pool}})
        told = (await client.get("/v1/jobs/a")).json()
        assert told["unplaceable_reason"] == f"no agent is connected for pool {pool}{said}"


async def test_a_brief_list_carries_no_graphs(client: httpx2.AsyncClient) -> None:
    tasks = {f"t{n}": {"run": "true " * 100} for n in range(200)}
    await client.put("/v1/jobs/wide", json={"tasks": tasks, "params": {"day": {"type": "string"}}})
    (whole,) = (await client.get("/v1/jobs")).json()["items"]
    reply = await client.get("/v1/jobs", params={"brief": "true"})
    (short,) = reply.json()["items"]
    assert short == {key: value for key, value in whole.items() if key not in LONG}
    assert set(LONG) - {"defaults"} <= set(whole)  # of those that a namespace gives
    assert short["params"]["day"]["type"] == "string"
    assert len(reply.content) < 2_000 < 100_000 < len((await client.get("/v1/jobs")).content)


async def test_lists_filter_by_label_state_and_text(client: httpx2.AsyncClient) -> None:
    await put(client, "a-one", labels={"team": "data"})
    await put(client, "a-two", labels={"team": "web"})
    await put(client, "b-one", labels={"team": "data", "tier": "1"})
    await client.post("/v1/jobs/a-two/pause")

    async def names(query: str) -> list[str]:
        reply = await client.get(f"/v1/jobs?{query}")
        assert reply.status_code == 200, reply.text
        return [job["name"] for job in reply.json()["items"]]

    assert await names("labels=team=data") == ["a-one", "b-one"]
    assert await names("labels=team=data,tier") == ["b-one"]
    assert await names("q=ONE") == ["a-one", "b-one"]
    assert await names("state=paused") == ["a-two"]
    assert await names("state=unplaceable") == ["a-one", "b-one"]
    assert await names("state=active") == []
    assert await names("namespace=other") == []


async def test_lists_and_notices_choose_by_criticality(client: httpx2.AsyncClient) -> None:
    for name, word in (("a", "critical"), ("b", "major"), ("c", "minor")):
        await put(client, name, criticality=word)
    await put(client, "d")

    async def names(query: str) -> list[tuple[str, str]]:
        items = (await client.get(f"/v1/jobs?brief=true&{query}")).json()["items"]
        return [(job["name"], job["criticality"]) for job in items]

    assert await names("criticality=critical,major") == [("a", "critical"), ("b", "major")]
    assert await names("criticality=normal") == [("d", "normal")]
    await put(client, "a", criticality="minor")
    assert [name for name, _ in await names("criticality=minor")] == ["a", "c"]
    wrong = await client.get("/v1/jobs?criticality=urgent")
    assert (wrong.status_code, "one of minor, normal, major, critical" in wrong.text) == (422, True)
    bad = await client.put("/v1/jobs/e", json={"noop": True, "criticality": "majr"})
    assert "did you mean major?" in bad.text
    bulk = await client.post("/v1/bulk?dry_run=true", json={"action": "pause", "criticality": "minor"})
    assert [item["job"] for item in bulk.json()["items"]] == ["a", "c"]


async def test_pause_and_resume(client: httpx2.AsyncClient) -> None:
    await put(client, "backup")
    paused = await client.post("/v1/jobs/backup/pause")
    assert (paused.status_code, paused.json()["state"]) == (200, "paused")
    resumed = await client.post("/v1/jobs/backup/resume")
    assert resumed.json()["state"] == "unplaceable"
    assert (await client.post("/v1/jobs/none/pause")).status_code == 404


async def test_revisions_stay_readable(client: httpx2.AsyncClient) -> None:
    await put(client, "backup", description="one")
    await put(client, "backup", description="two")
    await client.delete("/v1/jobs/backup")
    listed = (await client.get("/v1/jobs/backup/revisions")).json()["items"]
    assert [(row["revision"], row["deleted"]) for row in listed] == [(3, True), (2, False), (1, False)]
    old = await client.get("/v1/jobs/backup?revision=1")
    assert old.json()["definition"]["description"] == "one"


async def test_next_ticks(client: httpx2.AsyncClient) -> None:
    await put(client, "backup", triggers=[{"every": "1h", "id": "h"}, {"cron": "30 * * * *", "id": "half"}])
    items = (await client.get("/v1/jobs/backup/next?count=4")).json()["items"]
    assert len(items) == 4
    assert [item["trigger"] for item in items] in (["h", "half", "h", "half"], ["half", "h", "half", "h"])
    assert [item["at"] for item in items] == sorted(item["at"] for item in items)


async def test_apply_is_atomic_and_tells_the_diff(client: httpx2.AsyncClient) -> None:
    await put(client, "same")
    await put(client, "other")
    jobs = [{"job": "same", **NOOP}, {"job": "other", "run": "true"}, {"job": "new", **NOOP}]
    dry = (await client.post("/v1/apply?dry_run=true", json={"jobs": jobs})).json()
    done = (await client.post("/v1/apply", json={"jobs": jobs})).json()
    for diff in (dry, done):
        told = {kind: [job["name"] for job in diff[kind]] for kind in ("created", "changed", "unchanged")}
        assert told == {"created": ["new"], "changed": ["other"], "unchanged": ["same"]}
    bad = await client.post("/v1/apply", json={"jobs": [{"job": "fine", **NOOP}, {"job": "bad", "tuns": 1}]})
    assert bad.status_code == 422
    assert {error["pointer"] for error in bad.json()["errors"]} >= {"/jobs/1/tuns"}
    assert (await client.get("/v1/jobs/fine")).status_code == 404


async def test_reads_are_as_fresh_as_asked(client: httpx2.AsyncClient, node: SingleNode) -> None:
    made = await put(client, "backup")
    index = int(made.headers["x-cronclave-index"])
    assert index == node.index
    own = await client.get(f"/v1/jobs/backup?min_index={index}")
    assert own.status_code == 200
    ahead = await client.get(f"/v1/jobs/backup?min_index={index + 5}&wait=50ms")
    assert (ahead.status_code, ahead.json()["type"]) == (503, "/problems/behind")

    waiting = asyncio.create_task(client.get(f"/v1/jobs?index={index}&wait=30s"))
    await asyncio.sleep(0)
    await put(client, "second")
    async with asyncio.timeout(DEADLINE_S):
        woken = await waiting
    assert [job["name"] for job in woken.json()["items"]] == ["backup", "second"]

    node.quorum, node.lag_ms = False, 1234
    refused = await client.get("/v1/jobs/backup")
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/no-leader")
    assert refused.headers["retry-after"]
    assert "consistency=stale" in refused.json()["hint"]
    stale = await client.get("/v1/jobs/backup?consistency=stale")
    assert (stale.status_code, stale.headers["x-cronclave-lag-ms"]) == (200, "1234")
    write = await put(client, "third")
    assert write.json()["type"] == "/problems/no-leader"

    node.lag_ms = None
    stale = await client.get("/v1/jobs/backup?consistency=stale")
    assert (stale.status_code, stale.headers["x-cronclave-lag-ms"]) == (200, "unknown")
    told = await client.get("/v1/cluster")
    assert (told.json()["commit_lag_ms"], told.headers["x-cronclave-lag-ms"]) == (None, "unknown")
    assert "cronclave_commit_lag_seconds" not in (await client.get("/metrics")).text


async def test_pages_of_large_definitions_are_short_and_miss_nothing(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand of a megabyte were one reply, put together in the loop: 270 MB kept the leader 6 s."""
    monkeypatch.setattr(bounds, "PAGE_BYTES", 40_000)
    for number in range(5):
        await put(client, f"job-{number}", env={"A": "x" * 15_000})
        await put(client, "changed", env={"A": "x" * 15_000, "B": str(number)})

    async def walk(path: str, field: str) -> list[list[Any]]:
        found, cursor = [], ""
        while cursor is not None:
            page = (await client.get(f"{path}?limit=1000{cursor and '&cursor='}{cursor}")).json()
            found.append([item[field] for item in page["items"]])
            cursor = page["next_cursor"]
        return found

    assert await walk("/v1/jobs/changed/revisions", "revision") == [[5, 4], [3, 2], [1]]
    names = await walk("/v1/jobs", "name")
    assert names == [["changed", "job-0"], ["job-1", "job-2"], ["job-3", "job-4"]]
    monkeypatch.setattr(bounds, "PAGE_BYTES", 1)
    assert await walk("/v1/jobs/changed/revisions", "revision") == [[5], [4], [3], [2], [1]]
    unplaceable = (await client.get("/v1/jobs?state=unplaceable&limit=2")).json()
    assert [job["name"] for job in unplaceable["items"]] == ["changed"]
    assert unplaceable["next_cursor"]


async def test_a_jitter_behind_the_end_of_time_is_written_as_the_end(client: httpx2.AsyncClient) -> None:
    made = await put(client, "late", triggers=[{"at": "9998-12-30T00:00:00Z", "jitter": "36525d"}])
    assert made.status_code == 201
    coming = await client.get("/v1/jobs/late/next")
    assert coming.status_code == 200
    assert coming.json()["items"][0]["at"] == "9998-12-30T00:00:00Z"
    assert coming.json()["items"][0]["due"] <= "9999-12-31T23:59:59.999Z"


async def test_a_disabled_job_is_listed_as_such_and_comes_by_itself_no_more(
    client: httpx2.AsyncClient,
) -> None:
    hourly: dict[str, Any] = {"triggers": {"every": "1h"}}
    made = (await put(client, "off", enabled=False, **hourly)).json()
    assert (made["state"], made["next_tick"]) == ("disabled", None)
    await put(client, "on", owner="data-oncall", **hourly)
    read = (await client.get("/v1/jobs/on")).json()
    assert (read["state"], read["owner"], read["enabled"]) == ("unplaceable", "data-oncall", True)

    listed = (await client.get("/v1/jobs?state=disabled")).json()["items"]
    assert [job["name"] for job in listed] == ["off"]
    assert (await client.get("/v1/jobs/off/next")).json()["items"] == []
    dry = await client.put("/v1/jobs/on?dry_run=true", json={**NOOP, "enabled": False, **hourly})
    assert dry.json()["next_ticks"] == []
    explained = (await client.get("/v1/jobs/off/explain")).json()
    assert "disabled (enabled: false) by revision 1, put by admin" in explained["said"]
    assert (await client.post("/v1/jobs/off/runs", json={})).status_code == 201
    assert (await client.post("/v1/jobs/off/pause")).json()["state"] == "paused"


@pytest.mark.parametrize("field", [{"owner": "x" * 201}, {"owner": 7}, {"enabled": "no"}, {"enabeld": False}])
async def test_an_owner_is_a_short_text_and_enabled_is_yes_or_no(
    client: httpx2.AsyncClient, field: dict[str, Any]
) -> None:
    refused = await put(client, "odd", **field)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, f"/{next(iter(field))}")
