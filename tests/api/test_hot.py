"""What goes round FastAPI is what FastAPI would have given to the same functions, and nothing else."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import httpx2
import pytest
from starlette.routing import Match

from api.app import NOUNS, Api
from api.call import Call
from api.jobs.hot import HotJobs
from scheduler.words.commands import Actor, Command, ConnectAgent, RunJob
from scheduler.words.outcomes import Outcome
from tests.api.single_node import SingleNode
from tests.scheduler.story import KINDS

PAUSE_OF_ANOTHER = "/v1/namespaces/x/pause"
HOT = {"putJob", "runJob"}
PATHS = [
    "/v1/jobs", "/v1/jobs/", "/v1/jobs/a", "/v1/jobs/a/", "/v1/jobs/a/runs", "/v1/jobs/a/runs/",
    "/v1/jobs/runs", "/v1/jobs/a/runs/7", "/v1/jobs/a/pause", "/v1/jobs/a/b/runs", "/v1/jobs/a.b/runs",
    "/v1/runs", "/v1/jobsa/runs", "/v1/job/a", "/",
]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "put"])
@pytest.mark.parametrize("path", PATHS)
async def test_the_same_requests_by_both_ways(api: Api, method: str, path: str) -> None:
    services = api.services
    call = Call(services.scheduler, services.settings, method, path, {}, {})
    scope = {"type": "http", "method": method, "path": path}
    routes = [each for noun in NOUNS for each in noun.router.routes]
    full = [each for each in routes if each.matches(scope)[0] is Match.FULL]
    documented = {getattr(each, "operation_id", None) for each in full[:1]}

    hot = HotJobs(services).of(call)

    assert (hot is not None) == bool(documented & HOT)
    if isinstance(hot, Coroutine):
        hot.close()


JOBS: list[dict[str, Any]] = [
    {"noop": True},
    {"run": "true", "on": {"pool": "none"}, "policies": {"start_deadline": "1h", "priority": 70}},
    {"noop": True, "params": {"size": {"type": "integer", "default": 7}}, "triggers": {"every": "1h"}},
    {"sleep": "1h"},
    {"tasks": {"a": {"noop": True}, "b": {"noop": True, "needs": ["a"]}}, "labels": {"team": "data"}},
    {"tasks": {"a": {"noop": True}, "b": {"noop": True}}, "triggers": [{"at": "2199-01-01T00:00:00Z"}]},
]


@pytest.mark.parametrize("agents", [0, 1])
@pytest.mark.parametrize("paused", ["", "/v1/pause", "/v1/namespaces/default/pause", PAUSE_OF_ANOTHER])
async def test_what_a_write_answers_is_what_a_read_says(
    client: httpx2.AsyncClient, node: SingleNode, agents: int, paused: str
) -> None:
    """A new job and its run are told from the outcome of their commands, without a read."""
    if agents:
        node.apply(ConnectAgent("web-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "1", "node-2", KINDS))
    for namespace in ("default", "x"):
        await client.put("/v1/jobs/other", json={"noop": True, "namespace": namespace})
    if paused:
        assert (await client.post(paused, json={"reason": "why"})).status_code == 200
    for number, job in enumerate(JOBS):
        path = f"/v1/jobs/job-{number}"
        made = await client.put(path, json=job)
        assert (made.status_code, made.json()) == (201, (await client.get(path)).json())
        run = await client.post(f"{path}/runs", json={})
        told = (await client.get(run.headers["location"])).json()
        assert (run.status_code, run.json()) == (201, told)
        tries = [attempt for task in told["tasks"].values() for attempt in task["attempts"]]
        assert bool(tries) == (bool(agents) and number in (0, 2, 4) and paused in ("", PAUSE_OF_ANOTHER))


async def test_a_request_that_is_sent_again_is_answered_as_things_are_by_then(
    client: httpx2.AsyncClient,
) -> None:
    key = {"Idempotency-Key": "once"}
    await client.put("/v1/jobs/job", json={"noop": True}, headers=key)
    first = await client.post("/v1/jobs/job/runs", headers={"Idempotency-Key": "run"})
    await client.post(f"/v1/runs/{first.json()['id']}/cancel")
    await client.put("/v1/jobs/job", json={"noop": True, "labels": {"a": "b"}})

    again = await client.post("/v1/jobs/job/runs", headers={"Idempotency-Key": "run"})
    put = await client.put("/v1/jobs/job", json={"noop": True}, headers=key)

    assert (again.json()["id"], again.json()["state"]) == (first.json()["id"], "cancelled")
    assert put.json()["labels"] == {"a": "b"}


async def test_a_run_of_a_job_that_changes_meanwhile_is_told_as_it_is(
    client: httpx2.AsyncClient, node: SingleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.put("/v1/jobs/job", json={"noop": True})
    propose = node.propose

    async def late(command: Command, *, timeout_s: float = 10.0) -> Outcome:
        if isinstance(command, RunJob):
            monkeypatch.setattr(node, "propose", propose)
            await client.put("/v1/jobs/job", json={"tasks": {"other": {"noop": True}}})
        return await propose(command, timeout_s=timeout_s)

    monkeypatch.setattr(node, "propose", late)
    run = await client.post("/v1/jobs/job/runs")

    assert (run.json()["revision"], list(run.json()["tasks"])) == (2, ["other"])
    assert run.json() == (await client.get(run.headers["location"])).json()


async def test_a_run_is_judged_by_its_job_as_it_is_now(client: httpx2.AsyncClient) -> None:
    """What is known of a job is forgotten with the commit that changes it."""
    path, param = "/v1/jobs/job", {"size": {"type": "integer"}}
    revisions = []
    for _ in range(2):
        await client.put(path, json={"noop": True})
        refused = [await client.post(f"{path}/runs", json={"params": {"size": 1}}) for _ in range(2)]
        await client.put(path, json={"noop": True, "params": param})
        taken = [await client.post(f"{path}/runs", json={"params": {"size": 1}}) for _ in range(2)]
        assert (await client.delete(path)).status_code == 204
        gone = await client.post(f"{path}/runs", json={})

        assert [each.status_code for each in refused] == [422, 422]
        assert [each.status_code for each in taken] == [201, 201]
        revisions += [each.json()["revision"] for each in taken]
        assert gone.status_code == 404
    assert revisions == sorted(revisions)
    assert len(set(revisions)) == 2


async def test_a_run_does_not_jump_a_queue_that_has_formed(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    node.apply(ConnectAgent("web-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "1", "node-2", KINDS))
    await client.put("/v1/jobs/job", json={"noop": True})

    async def tries() -> int:
        run = (await client.post("/v1/jobs/job/runs", json={})).json()
        return sum(len(task["attempts"]) for task in run["tasks"].values())

    before = [await tries(), await tries()]
    node.apply(RunJob("default", "job", b"{}", node.now_ms(), Actor("somebody")))  # no agent was named for it
    await client.get("/v1/runs")  # a turn of the loop: the commit is heard of

    assert (before, [await tries(), await tries()]) == ([1, 1], [0, 0])
