"""A job's past as a picture, its text, and what a dry run shows of a job that is not there yet."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from api.jobs.preview import TICKS_MAX
from scheduler.model.documents import load_yaml
from scheduler.store.reads import jobs as job_reads
from scheduler.store.tables import triggers as trigger_rows
from scheduler.words import commands as c
from tests.api.single_node import SingleNode
from tests.api.working import connect, must, run_it

NOOP: dict[str, Any] = {"noop": True}


def rows(reply: httpx2.Response) -> list[dict[str, Any]]:
    assert reply.status_code == 200, reply.text
    document = reply.json()
    return [dict(zip(document["columns"], row, strict=True)) for row in document["rows"]]


async def with_ticks(client: httpx2.AsyncClient, node: SingleNode) -> tuple[int, list[int]]:
    """The first instant, and runs: of the first tick, which has ended, and of one that is not decided."""
    node.skew_ms = -60_000
    fields = {**NOOP, "triggers": {"every": "1s", "id": "t"}, "policies": {"overlap": "allow"}}
    await client.put("/v1/jobs/job", json=fields)
    node.skew_ms = 0
    agent = connect(node)
    with node.read() as store:
        trigger = trigger_rows.live(store, job_reads.ids(store, "default", "job")[0])[0]
    first, epoch = trigger.next_due_ms, node.machine.state.epoch
    assert first is not None
    ran = must(node, c.Fire(epoch, trigger.id, first, first + 1_000, agent))["run"]
    missed = c.Account(
        epoch, trigger.id, first + 1_000, first + 20_000, 20, first + 21_000, "missed", "window"
    )
    must(node, missed)
    run_it(node, ran, agent)
    pending = must(node, c.Fire(epoch, trigger.id, first + 21_000, first + 22_000, agent))["run"]
    return first, [ran, pending]


async def test_each_tick_is_a_cell_newest_first(client: httpx2.AsyncClient, node: SingleNode) -> None:
    first, (ran, pending) = await with_ticks(client, node)

    cells = rows(await client.get("/v1/jobs/job/cells"))

    told = [(cell["outcome"], cell["first"], cell["last"], cell["ticks"], cell["run"]) for cell in cells]
    assert told == [
        ("pending", first + 21_000, first + 21_000, 1, pending),
        ("missed", first + 1_000, first + 20_000, 20, 0),
        ("ran", first, first, 1, ran),
    ]
    assert (cells[2]["state"], cells[2]["trigger"]) == ("succeeded", "t")
    assert cells[2]["finished"] >= cells[2]["started"] >= 0
    ticks = (await client.get("/v1/jobs/job/ticks?limit=10000")).json()["items"]
    outcomes = [tick["outcome"] for tick in ticks[:22]]
    assert sum(cell["ticks"] for cell in cells) == len(outcomes) == 22


async def test_pages_of_cells_and_of_runs_follow_each_other(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    first, _ = await with_ticks(client, node)
    for path, most in (("cells", 2), ("series", 1)):
        whole = (await client.get(f"/v1/jobs/job/{path}")).json()
        found: list[Any] = []
        cursor, pages = "", 0
        while cursor is not None:
            page = (await client.get(f"/v1/jobs/job/{path}?limit=1&cursor={cursor}")).json()
            assert len(page["rows"]) <= most
            found += page["rows"]
            cursor, pages = page["next_cursor"], pages + 1
            assert pages < 10
        assert found == whole["rows"]
        assert len(found) == len({str(row) for row in found}) >= 2
    wrong = await client.get("/v1/jobs/job/cells?cursor=abc")
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/validation")
    assert first


async def test_the_series_has_manual_runs_too_and_those_of_a_deleted_job(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    _, (ran, pending) = await with_ticks(client, node)
    manual = (await client.post("/v1/jobs/job/runs")).json()["id"]
    assert (await client.delete("/v1/jobs/job")).status_code == 204
    await client.put("/v1/jobs/job", json=NOOP)
    again = (await client.post("/v1/jobs/job/runs")).json()["id"]

    series = rows(await client.get("/v1/jobs/job/series"))

    assert [run["id"] for run in series] == [again, manual, pending, ran]
    assert [run["cause"] for run in series] == ["manual", "manual", "tick", "tick"]
    assert series[-1]["state"] == "succeeded"
    assert series[-1]["started"] - series[-1]["due"] >= 0


@pytest.mark.parametrize("path", ["cells", "series", "definition"])
async def test_of_a_job_that_never_was_there_is_no_past(client: httpx2.AsyncClient, path: str) -> None:
    reply = await client.get(f"/v1/jobs/none/{path}")
    assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")


DEFINITIONS: list[dict[str, Any]] = [
    {"run": "true"},
    {"noop": True, "triggers": [{"cron": "0 2 * * 1-5", "tz": "Europe/Berlin", "id": "n"}]},
    {"noop": True, "triggers": {"every": "15m", "jitter": "1m"}, "policies": {"overlap": "queue_all"}},
    {
        "tasks": {
            "a": {"run": "echo one\necho two"},
            "b": {"exec": ["ls", "-l"], "needs": ["a"], "on": {"pool": "gpu"}, "retry": {"max": 3}},
        },
        "params": {"day": {"type": "string", "default": "on"}},
        "labels": {"team": "data"},
    },
    {"run": "true", "notify": [{"on": ["failed"], "webhook": "https://hooks.example.org"}]},
]


@pytest.mark.parametrize("definition", DEFINITIONS, ids=range(len(DEFINITIONS)))
async def test_the_yaml_of_a_job_is_short_and_the_same_job(
    client: httpx2.AsyncClient, definition: dict[str, Any]
) -> None:
    assert (await client.put("/v1/jobs/job", json=definition)).status_code == 201

    reply = await client.get("/v1/jobs/job/definition")

    assert reply.headers["content-type"] == "application/yaml; charset=utf-8"
    assert reply.headers["etag"] == '"1"'
    (document,) = load_yaml(reply.text, "it")
    assert next(iter(document.data)) == "job"
    assert "policies" not in document.data or "policies" in definition
    back = await client.put(
        "/v1/jobs/job?dry_run=true", content=reply.text, headers={"Content-Type": "application/yaml"}
    )
    assert (back.status_code, back.json()["change"]) == (200, "unchanged"), back.text


async def test_the_yaml_of_an_older_revision(client: httpx2.AsyncClient) -> None:
    for script in ("one", "two"):
        await client.put("/v1/jobs/job", json={"run": script})
    assert "two" in (await client.get("/v1/jobs/job/definition")).text
    older = await client.get("/v1/jobs/job/definition?revision=1")
    assert "one" in older.text
    assert older.headers["etag"] == '"1"'
    assert (await client.get("/v1/jobs/job/definition?revision=3")).status_code == 404
    await client.delete("/v1/jobs/job")
    assert (await client.get("/v1/jobs/job/definition?revision=3")).status_code == 404
    assert "two" in (await client.get("/v1/jobs/job/definition?revision=2")).text


async def test_a_dry_run_shows_the_ticks_and_the_graph(client: httpx2.AsyncClient) -> None:
    job = {
        "triggers": [{"cron": "0 2 * * *", "id": "night"}, {"every": "6h", "id": "often"}],
        "tasks": {
            "a": {"run": "true"}, "b": {"noop": True, "needs": ["a"], "rule": "all_done"},
            "c": {"noop": True}, "d": {"noop": True},
        },
        "groups": {"g": {"tasks": ["a", "b"], "catch": ["c"]}},
        "finally": ["d"],
    }  # fmt: skip

    told = (await client.put("/v1/jobs/job?dry_run=true", json=job)).json()

    assert (told["dry_run"], told["change"]) == (True, "created")
    assert len(told["next_ticks"]) == TICKS_MAX
    assert told["next_ticks"] == sorted(told["next_ticks"], key=lambda tick: tick["at"])
    assert {tick["trigger"] for tick in told["next_ticks"]} == {"night", "often"}
    assert told["graph"] == [
        {"task": name, "kind": kind, "needs": needs, "rule": rule, "group": group, "part": part}
        for name, kind, needs, rule, group, part in (
            ("g", "group", [], "all_success", None, None),
            ("a", "run", [], "all_success", "g", None),
            ("b", "noop", ["a"], "all_done", "g", None),
            ("c", "noop", [], "all_success", "g", "catch"),
            ("d", "noop", [], "all_success", None, "finally"),
        )
    ]
    assert (await client.get("/v1/jobs/job")).status_code == 404
    assert (await client.put("/v1/jobs/job", json=job)).status_code == 201
    coming = (await client.get(f"/v1/jobs/job/next?count={TICKS_MAX}")).json()["items"]
    nightly = [tick for tick in coming if tick["trigger"] == "night"]
    assert nightly == [tick for tick in told["next_ticks"] if tick["trigger"] == "night"]
