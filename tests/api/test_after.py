"""Jobs that wait for ends of others, by the API: what is refused says where and what to do; what they wait
for is told part by part."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from api.explained import condition_json
from api.schemas import explained
from scheduler.explain import Condition
from scheduler.explain.conditions import Heard


def after(condition: str, **fields: Any) -> dict[str, Any]:
    return {"noop": True, "triggers": [{"after": condition, "id": "t", **fields}]}


async def put(client: httpx2.AsyncClient, name: str, job: dict[str, Any], **params: str) -> httpx2.Response:
    return await client.put(f"/v1/jobs/{name}", json=job, params=params)


@pytest.fixture
async def jobs(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    for name in ("extract", "load"):
        assert (await put(client, name, {"noop": True})).status_code == 201
    return client


@pytest.mark.parametrize(
    ("condition", "detail", "hint"),
    [
        ("extract", "at 1: extract says nothing of a job", "such as extract.succeeded"),
        ("extract.suceeded",
         "at 1: 'suceeded' is nothing that a job has", "did you mean extract.succeeded?"),
        ("extract.succeeded and load.exit_code",
         "at 23: what `and` joins must be true or false, not a number", "compare it with something"),
        ("load.exit_code == '0'",
         "at 19: what == compares with a number must be a number, not a text", ""),
        ("load.skipped", "at 1: a run is never skipped, so load.skipped would never be true", "there are "),
        ("params.region == 'eu'", "at 1: params.region is not available in `after`", ""),
        ("1 == 1", "it names no job, so nothing would ever make it true", "such as JOB.succeeded"),
        ("load/.failed", "at 1: the name is empty", ""),
    ],
)  # fmt: skip
async def test_a_condition_that_means_nothing_is_refused_with_its_place(
    jobs: httpx2.AsyncClient, condition: str, detail: str, hint: str
) -> None:
    reply = await put(jobs, "report", after(condition))
    (error,) = reply.json()["errors"]
    assert (reply.status_code, error["pointer"]) == (422, "/triggers/0/after")
    assert error["detail"] == detail
    assert error.get("hint", "").startswith(hint)


async def test_what_means_nothing_beside_it_is_refused(jobs: httpx2.AsyncClient) -> None:
    for field in ({"jitter": "1m"}, {"valid": {"until": "2030-01-01T00:00:00Z"}}, {"tz": "UTC"}):
        assert (await put(jobs, "report", after("load.ended", **field))).status_code == 422, field


@pytest.mark.parametrize("dry", ["true", "false"])
async def test_a_job_that_is_not_there_and_a_circle_are_refused(jobs: httpx2.AsyncClient, dry: str) -> None:
    reply = await put(jobs, "report", after("extrct.succeeded"), dry_run=dry)
    (error,) = reply.json()["errors"]
    assert (reply.status_code, error) == (
        422, {
            "pointer": "/triggers/0/after", "detail": "there is no job 'extrct' in namespace 'default'",
            "hint": "did you mean extract?",
        },
    )  # fmt: skip
    assert (await put(jobs, "report", after("load.ended"))).status_code == 201
    reply = await put(jobs, "load", after("report.ended"), dry_run=dry)
    told = reply.json()
    assert (reply.status_code, told["code"], told["errors"][0]["pointer"]) == (422, "cycle", "/triggers")
    assert told["detail"].endswith("default/load → default/report → default/load")
    assert "allow_cycle" in told["hint"]
    assert (await put(jobs, "load", after("report.ended", allow_cycle=True), dry_run=dry)).status_code == 200
    gone = await jobs.delete("/v1/jobs/load")
    assert (gone.status_code, [each["name"] for each in gone.json()["referrers"]]) == (409, ["report"])


async def test_what_it_waits_for_is_told_part_by_part(jobs: httpx2.AsyncClient) -> None:
    assert (await put(jobs, "report", after("load.ended and not extract.failed"))).status_code == 201
    told = (await jobs.get("/v1/jobs/report/explain")).json()
    explained.InstantExplained.model_validate(told)
    (condition,) = told["conditions"]
    assert (condition["after"], condition["value"]) == ("load.ended and not extract.failed", None)
    assert [part["text"] for part in condition["parts"]] == [
        "load.ended and not extract.failed", "load.ended", "not extract.failed", "extract.failed",
    ]  # fmt: skip
    assert condition["lacks"] == ["default/load", "default/extract"]


def test_which_runs_it_heard_of_is_told_to_who_may_read_there() -> None:
    heard = (Heard("blue/j", 7, "failed", 0, 1), Heard("red/j", 8, "failed", 0, 1))
    condition = Condition("t", "j.failed and red/j.failed", True, False, (), heard, ())
    told = condition_json(condition, lambda namespace: namespace == "blue")
    assert [each["job"] for each in told["heard"]] == ["blue/j"]


async def test_the_text_of_the_job_says_its_overlap(jobs: httpx2.AsyncClient) -> None:
    async def overlap(job: dict[str, Any]) -> str:
        assert (await put(jobs, "report", job)).status_code in (200, 201)
        (trigger,) = (await jobs.get("/v1/jobs/report")).json()["triggers"]
        return str(trigger["overlap"])

    job = after("load.ended")
    assert await overlap(job) == "queue_one"
    assert await overlap({**job, "policies": {"overlap": "skip"}}) == "skip"
    assert await overlap({**after("load.ended", overlap="allow"), "policies": {"overlap": "skip"}}) == "allow"
