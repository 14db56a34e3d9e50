"""POST /v1/apply?stage=…: slices, the commit, what is in its way, and edits meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from api import edits, staging
from tests.api.planning import planning
from tests.api.single_node import SingleNode

NOOP = {"noop": True}


async def lay(client: httpx2.AsyncClient, number: int, *names: str, stage: str = "s", **more: Any) -> Any:
    jobs = [{"job": name, **NOOP, **more} for name in names]
    return await client.post(f"/v1/apply?stage={stage}&slice={number}", json={"jobs": jobs})


async def test_slices_go_live_together(client: httpx2.AsyncClient, node: SingleNode) -> None:
    first = (await lay(client, 0, "a", "b")).json()
    assert (first["state"], first["slices"], first["items"]) == ("open", 1, 2)
    again = (await lay(client, 0, "a", "b")).json()
    assert (again["slices"], again["items"]) == (1, 2)
    assert (await lay(client, 1, "c")).status_code == 200
    assert (await client.get("/v1/jobs/a")).status_code == 404
    async with planning(node):
        done = await client.post("/v1/apply?stage=s&commit=true&slices=2")
        repeated = await client.post("/v1/apply?stage=s&commit=true&slices=2")
    assert done.status_code == repeated.status_code == 200, done.text
    assert (done.json()["state"], done.json()["created"]) == ("done", 3)
    assert (await client.get("/v1/jobs/c")).status_code == 200
    assert (await client.get("/v1/apply?stage=s")).json() == done.json() == repeated.json()


async def test_what_is_in_the_way_is_told_by_name(client: httpx2.AsyncClient, node: SingleNode) -> None:
    await lay(client, 0, "good")
    await lay(client, 1, "past", triggers=[{"at": "2001-01-01T00:00:00Z"}])
    async with planning(node):
        refused = await client.post("/v1/apply?stage=s&commit=true&slices=2")
    assert refused.status_code == 409
    (problem,) = refused.json()["stage"]["problems"]
    assert (problem["name"], problem["code"]) == ("past", "past")
    assert (await client.get("/v1/jobs/good")).status_code == 404


async def test_a_slice_keeps_no_core_for_long(client: httpx2.AsyncClient) -> None:
    jobs = [{"job": f"j-{number}", "noop": True} for number in range(501)]
    refused = await client.post("/v1/apply?stage=wide&slice=0", json={"jobs": jobs})
    assert (refused.status_code, refused.json()["hint"]) == (422, "Lay them down in more slices.")
    assert (await client.get("/v1/apply?stage=wide")).status_code == 404
    laid = await client.post("/v1/apply?stage=wide&slice=0", json={"jobs": jobs[:500]})
    assert (laid.status_code, laid.json()["items"]) == (200, 500)


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("stage=s&slice=2", 409, "slice 1 of s comes next"),
        ("stage=s&slice=0", 409, "slice 0 of s was another"),
        ("stage=s&slice=x", 422, "'x' is not a whole number from 0 to 100000"),
        ("stage=&slice=0", 422, "a name of 1 to 100 letters"),
        ("stage=s&commit=true&slices=3", 409, "1 slices of s have come, not 3"),
        ("stage=s&commit=true&slices=0", 422, "'0' is not a whole number"),
        ("stage=s&commit=true", 422, "slices"),
        ("stage=t&commit=true&slices=1", 404, "no stage t"),
        ("stage=s&commit=true&slices=1&prune=true", 422, "prune deletes what a source owns: s has none"),
        ("stage=s&commit=true&slices=1&prune=true&prune_max=x", 422, "not a whole number from 0 to 100000"),
        ("stage=s&commit=true&slices=1&dry_run=perhaps", 422, "'perhaps' is not true or false"),
    ],
)
async def test_what_does_not_fit_is_refused(
    client: httpx2.AsyncClient, query: str, status: int, told: str
) -> None:
    assert (await lay(client, 0, "a")).status_code == 200
    body = None if "commit" in query else {"jobs": [{"job": "b", **NOOP}]}
    reply = await client.post(f"/v1/apply?{query}", json=body)
    assert (reply.status_code, told in reply.text) == (status, True), reply.text
    assert (await client.get("/v1/apply?stage=s")).json()["items"] == 1


@pytest.mark.parametrize(
    ("query", "name"),
    [("slice=1", "slice"), ("slices=1", "slices"), ("commit=true", "commit"),
     ("stage=s&commit=true&slices=1&slice=1", "slice"), ("stage=s&slices=1", "slices"),
     ("stage=s&commit=true&slices=1&source=git", "source"), ("stage=s&prune=true", "prune"),
     ("stage=s&commit=true&slices=1&prune_max=7", "prune_max"), ("stage=s&prune_max=7", "prune_max")],
)  # fmt: skip
async def test_a_parameter_that_means_nothing_is_refused(
    client: httpx2.AsyncClient, query: str, name: str
) -> None:
    refused = await client.post(f"/v1/apply?{query}", json={"jobs": [{"job": "a", **NOOP}]})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == f"?{name}"
    assert (await client.get("/v1/jobs/a")).status_code == 404


async def test_a_commit_takes_no_last_slice_with_it(client: httpx2.AsyncClient) -> None:
    assert (await lay(client, 0, "a")).status_code == 200
    last = {"jobs": [{"job": "b", **NOOP}]}
    refused = await client.post("/v1/apply?stage=s&commit=true&slices=1", json=last)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/jobs")
    assert (await client.get("/v1/apply?stage=s")).json()["state"] == "open"


async def test_a_stage_is_of_one_source(client: httpx2.AsyncClient) -> None:
    one, other = ({"jobs": [{"job": name, **NOOP}]} for name in "ab")
    assert (await client.post("/v1/apply?stage=s&source=x", json=one)).status_code == 200
    refused = await client.post("/v1/apply?stage=s&slice=1&source=y", json=other)
    assert (refused.status_code, "opened for source 'x'" in refused.text) == (422, True), refused.text
    assert (await client.post("/v1/apply?stage=s&slice=1", json=other)).status_code == 200


async def test_what_a_source_has_in_foreign_namespaces_is_not_counted_to_others(
    client: httpx2.AsyncClient,
) -> None:
    theirs = [{"job": f"theirs-{n}", "namespace": "other", **NOOP} for n in range(9)]
    await client.post("/v1/apply?source=git", json={"jobs": theirs})
    token = (await client.post("/v1/tokens", json={"name": "ours", "roles": {"default": "submitter"}})).json()
    mine = {"Authorization": f"Bearer {token['token']}"}
    body = {"jobs": [{"job": "a", **NOOP}]}
    refused = await client.post("/v1/apply?source=git&prune=true", json=body, headers=mine)
    assert (refused.status_code, "9" in refused.json()["detail"]) == (403, False), refused.text


async def test_a_stage_is_dropped(client: httpx2.AsyncClient) -> None:
    await lay(client, 0, "a")
    assert (await client.delete("/v1/apply?stage=s")).status_code == 204
    assert (await client.get("/v1/apply?stage=s")).json()["state"] == "dropped"
    assert (await client.delete("/v1/apply?stage=s")).status_code == 409
    assert (await client.delete("/v1/apply?stage=t")).status_code == 404
    assert (await client.get("/v1/apply?stage=t")).status_code == 404


async def test_edits_wait_for_it(client: httpx2.AsyncClient, node: SingleNode) -> None:
    await lay(client, 0, "a")
    commit = asyncio.create_task(client.post("/v1/apply?stage=s&commit=true&slices=1"))
    while not node.machine.state.stage:
        await asyncio.sleep(0)
    edit = asyncio.create_task(client.put("/v1/jobs/b", json={"job": "b", **NOOP}))
    async with planning(node):
        assert [(await each).status_code for each in (commit, edit)] == [200, 201]


async def test_what_takes_longer_is_told(
    client: httpx2.AsyncClient, node: SingleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the commit how far it is; of an edit when to come again."""
    monkeypatch.setattr(staging, "COMMIT_WAIT_S", 0.0)
    monkeypatch.setattr(edits, "WAIT_S", 0.0)
    await lay(client, 0, "a")
    commit = await client.post("/v1/apply?stage=s&commit=true&slices=1")
    assert (commit.status_code, commit.json()["state"]) == (202, "checking")
    for edit in (
        client.put("/v1/jobs/b", json={"job": "b", **NOOP}), client.delete("/v1/jobs/b"),
        client.put("/v1/namespaces/n", json={"owner": "ops"}), client.delete("/v1/namespaces/n"),
    ):  # fmt: skip
        reply = await edit
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
        assert reply.json()["type"] == "/problems/unavailable"


async def test_a_dry_run_is_of_all_slices_and_of_what_goes(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    of_git = "/v1/apply?source=git"
    await client.post(of_git, json={"jobs": [{"job": name, **NOOP} for name in ("a", "b")]})
    for number, name in enumerate(("a", "c")):
        await client.post(f"{of_git}&stage=s&slice={number}", json={"jobs": [{"job": name, **NOOP}]})
    async with planning(node):
        judged = await client.post("/v1/apply?stage=s&commit=true&slices=2&prune=true&dry_run=true")
        again = await client.post("/v1/apply?stage=s&commit=true&slices=2&prune=true&dry_run=true")
        late = await client.post("/v1/apply?stage=s&commit=true&slices=2&prune=true")
    assert judged.status_code == again.status_code == 200, judged.text
    told = judged.json()
    assert (told["state"], told["dry_run"], told["live_at"]) == ("judged", True, None)
    assert told["kinds"] == {"job": {"created": 1, "changed": 0, "unchanged": 1, "deleted": 1}}
    assert told["names"] == {
        "created": [{"kind": "job", "namespace": "default", "name": "c"}], "changed": [],
        "deleted": [{"kind": "job", "namespace": "default", "name": "b"}],
    }  # fmt: skip
    assert (told["owned"], told["pruned"], late.status_code) == (2, 1, 409)
    assert [job["name"] for job in (await client.get("/v1/jobs")).json()["items"]] == ["a", "b"]


async def test_prune_in_the_body_of_a_slice_is_refused_at_its_place(client: httpx2.AsyncClient) -> None:
    body = {"jobs": [{"job": "a", **NOOP}], "source": "git", "prune": True}
    refused = await client.post("/v1/apply?stage=s", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/prune")


async def test_what_is_pruned_is_what_its_token_may_edit(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    job = {"job": "theirs", "namespace": "other", **NOOP}
    await client.post("/v1/apply?source=git", json={"jobs": [job]})
    token = (await client.post("/v1/tokens", json={"name": "ours", "roles": {"default": "submitter"}})).json()
    mine = {"Authorization": f"Bearer {token['token']}"}
    body = {"jobs": [{"job": "a", **NOOP}]}
    laid = await client.post("/v1/apply?source=git&stage=s", json=body, headers=mine)
    assert laid.status_code == 200, laid.text
    async with planning(node):
        refused = await client.post("/v1/apply?stage=s&commit=true&slices=1&prune=true", headers=mine)
    assert refused.status_code == 409
    assert "namespace other, where ours may not edit" in refused.json()["detail"]
