"""Jobs with an instant that is over: what is stored is not judged again, what is new is, dry or not."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from scheduler.model import parse_job, prepare
from scheduler.ticks import at_spec
from scheduler.words.commands import PutJobs
from tests.api.single_node import SingleNode

OVER = "2020-01-01T00:00:00Z"
LATER = "2020-01-01T00:00:01Z"
BEFORE_MS = 1_570_000_000_000
ONCE: dict[str, Any] = {"job": "once", "noop": True, "triggers": [{"at": OVER, "id": "then"}]}
OTHER: dict[str, Any] = {"job": "other", "noop": True}


@pytest.fixture
async def once(node: SingleNode) -> None:
    """The job, as it was put before its instant."""
    made = prepare(parse_job(ONCE), BEFORE_MS)
    assert made.triggers[0].spec == at_spec(1_577_836_800_000)
    assert (await node.propose(PutJobs((made,), BEFORE_MS))).ok


@pytest.mark.usefixtures("once")
async def test_what_was_read_may_be_put_back(client: httpx2.AsyncClient) -> None:
    read = await client.get("/v1/jobs/once")
    for query in ("?dry_run=true", ""):
        same = await client.put(
            f"/v1/jobs/once{query}", json=read.json(), headers={"if-match": read.headers["etag"]}
        )
        assert same.status_code == 200, same.text
    assert same.headers["etag"] == '"1"'
    edited = await client.put("/v1/jobs/once", json={**ONCE, "description": "over"})
    assert (edited.status_code, edited.headers["etag"]) == (200, '"2"')


@pytest.mark.usefixtures("once")
async def test_an_apply_of_an_unchanged_file_says_unchanged(client: httpx2.AsyncClient) -> None:
    for dry in (True, False):
        reply = await client.post("/v1/apply", json={"jobs": [ONCE, OTHER], "dry_run": dry})
        assert reply.status_code == 200, reply.text
        diff = reply.json()
        assert [job["name"] for job in diff["unchanged"]] == ["once"]
        assert [job["name"] for job in diff["created"]] == ["other"]


NEW: list[tuple[str, dict[str, Any], str]] = [
    ("another instant", {**ONCE, "triggers": [{"at": LATER, "id": "then"}]}, "/triggers/0/at"),
    ("another id", {**ONCE, "triggers": {"at": OVER, "id": "again"}}, "/triggers/at"),
    ("another job", {**ONCE, "job": "twice"}, "/triggers/0/at"),
    (
        "a cron that never comes",
        {**ONCE, "triggers": [{"cron": "30 2 * 3 0L", "tz": "Europe/Berlin", "dst": "skip"}]},
        "/triggers/0",
    ),
]


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize(("job", "pointer"), [row[1:] for row in NEW], ids=[row[0] for row in NEW])
@pytest.mark.parametrize("query", ["?dry_run=true", ""])
async def test_a_new_instant_in_the_past_is_refused(
    client: httpx2.AsyncClient, job: dict[str, Any], pointer: str, query: str
) -> None:
    alone = await client.put(f"/v1/jobs/{job['job']}{query}", json=job)
    many = await client.post(f"/v1/apply{query}", json=[OTHER, job])
    for reply, where in ((alone, pointer), (many, f"/jobs/1{pointer}")):
        problem = reply.json()
        assert (reply.status_code, problem["type"]) == (422, "/problems/validation")
        assert [error["pointer"] for error in problem["errors"]] == [where]
        assert "in the past" in problem["detail"] or "never fires" in problem["detail"]
    assert (await client.get("/v1/jobs/other")).status_code == 404


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("query", ["?dry_run=true", ""])
async def test_of_a_deleted_job_nothing_is_held(client: httpx2.AsyncClient, query: str) -> None:
    assert (await client.delete("/v1/jobs/once")).status_code == 204
    assert (await client.put(f"/v1/jobs/once{query}", json=ONCE)).status_code == 422


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("query", ["?dry_run=true", ""])
async def test_a_wrong_revision_is_told_before_an_instant(client: httpx2.AsyncClient, query: str) -> None:
    past = {**ONCE, "triggers": [{"at": LATER}]}
    reply = await client.put(f"/v1/jobs/once{query}", json=past, headers={"if-match": '"7"'})
    assert reply.json()["type"] == "/problems/revision-mismatch"


async def test_a_key_gets_its_first_answer_when_the_instant_is_over(
    node: SingleNode, client: httpx2.AsyncClient
) -> None:
    before, now_ms = prepare(parse_job(ONCE), BEFORE_MS), node.now_ms()
    first = await node.propose(PutJobs((before,), BEFORE_MS, key="k", body=b"1"))
    late = prepare(parse_job(ONCE), now_ms)
    assert await node.propose(PutJobs((late,), now_ms, key="k", body=b"1")) == first
