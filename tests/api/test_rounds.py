"""Runs whose groups were begun anew very often: what is told of them is counted by all their rounds."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from api.jobs import reading
from api.routes import runs as run_routes
from scheduler.words.commands import Wake
from tests.api.single_node import SingleNode
from tests.api.working import go_on, must

ROUNDS = 60
JOB: dict[str, Any] = {
    "params": {"go": {"type": "string", "default": "on"}},
    "tasks": {"nap": {"sleep": "1s"}},
    "groups": {"again": {"tasks": ["nap"], "repeat": {"until": "params.go != 'on'", "max": ROUNDS}}},
}


@pytest.fixture
async def repeated(client: httpx2.AsyncClient, node: SingleNode) -> int:
    """A run of which the node has as many rows as there were rounds, and no attempt."""
    assert (await client.put("/v1/jobs/j", json=JOB)).status_code == 201
    run = int((await client.post("/v1/jobs/j/runs")).json()["id"])
    go_on(node)
    waits = "SELECT id, wake_ms FROM tasks WHERE finished_ms IS NULL AND wake_ms IS NOT NULL"
    while waiting := node.store.rows(waits):
        must(node, Wake(node.machine.state.epoch, *waiting[0]))
        go_on(node)
    return run


async def test_a_run_of_many_rounds_is_put_together_beside_the_loop(
    client: httpx2.AsyncClient, node: SingleNode, repeated: int
) -> None:
    with node.read() as store:
        assert not reading.is_short(store, repeated)
    tasks = (await client.get(f"/v1/runs/{repeated}")).json()["tasks"]
    assert (tasks["nap"]["round"], tasks["again"]["state"]) == (ROUNDS - 1, "failed")


async def test_a_page_of_runs_counts_all_rounds(
    client: httpx2.AsyncClient, repeated: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_routes, "TASKS_A_PAGE", ROUNDS + 1)
    second = int((await client.post("/v1/jobs/j/runs")).json()["id"])
    third = int((await client.post("/v1/jobs/j/runs")).json()["id"])
    pages, cursor = [], ""
    while cursor is not None:
        page = (await client.get("/v1/runs", params={"cursor": cursor} if cursor else {})).json()
        pages.append([each["id"] for each in page["items"]])
        cursor = page["next_cursor"]
    assert pages == [[third, second], [repeated]]
