"""What is of another namespace is named by whoever may read there alone; who refers is told to them alone."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from scheduler.store.tables import tasks as task_rows
from scheduler.words.commands import Wake
from tests.api.single_node import SingleNode
from tests.api.test_namespaces import OURS, THEIRS, token

THERE = {"vars": "there", "namespace": THEIRS, "values": {"a": "theirs"}}


def named(kind: str, name: str) -> tuple[str, dict[str, Any]]:
    """A document of our namespace that names something of theirs, and the pointer to the name."""
    target = f"{THEIRS}/{name}"
    at = {"namespace": OURS}
    documents: dict[str, tuple[str, dict[str, Any]]] = {
        "job": ("/vars/0", {"job": "j", **at, "noop": True, "vars": [target]}),
        "after": ("/triggers/0/after", {"job": "j", **at, "noop": True,
                                        "triggers": [{"after": f"{target}.succeeded"}]}),
        "schedule": ("/triggers/0/schedule", {"job": "j", **at, "noop": True,
                                              "triggers": [{"schedule": target}]}),
    }  # fmt: skip
    return documents[kind]


@pytest.mark.parametrize("name", ["there", "not-there"])
@pytest.mark.parametrize("kind", ["job", "after", "schedule"])
async def test_who_may_not_read_there_is_told_the_same_whether_it_is_there(
    client: httpx2.AsyncClient, node: SingleNode, kind: str, name: str
) -> None:
    assert (await client.put("/v1/vars/there", json=THERE)).status_code == 201
    theirs = {"job": "there", "namespace": THEIRS, "noop": True}
    assert (await client.put("/v1/jobs/there", json=theirs)).status_code == 201
    pointer, document = named(kind, name)
    ours = token(node, "ours", **{OURS: "submitter"})
    what, own = next(iter(document.items()))
    ways = [
        ("PUT", f"/v1/{what}s/{own}", "", document),
        ("POST", "/v1/apply", "/objects/0", {"objects": [document]}),
        ("POST", "/v1/apply?stage=s&slice=0", "/objects/0", {"objects": [document]}),
    ]  # fmt: skip
    if "job" in document:
        ways.append(("POST", "/v1/jobs", "", document))
    for method, path, above, body in ways:
        for dry_run in ("true", "false"):
            params = {"dry_run": dry_run} if "stage" not in path else {}
            reply = await client.request(method, path, json=body, headers=ours, params=params or None)
            assert reply.status_code == 403, reply.text
            (error,) = reply.json()["errors"]
            assert error["pointer"] == above + pointer
            assert f"it needs 'read' in namespace '{THEIRS}'" in error["detail"]


async def test_who_may_read_there_names_it(client: httpx2.AsyncClient, node: SingleNode) -> None:
    assert (await client.put("/v1/vars/there", json=THERE)).status_code == 201
    _, document = named("job", "there")
    both = token(node, "both", **{OURS: "submitter", THEIRS: "viewer"})
    assert (await client.put("/v1/jobs/j", json=document, headers=both)).status_code == 201


@pytest.mark.parametrize("kind", ["vars", "job"])
async def test_referrers_of_another_namespace_are_a_number(
    client: httpx2.AsyncClient, node: SingleNode, kind: str
) -> None:
    target = THERE if kind == "vars" else {"job": "there", "namespace": THEIRS, "noop": True}
    _, document = named("job" if kind == "vars" else "after", "there")
    own = {key: value for key, value in document.items() if key in ("noop", "vars", "triggers")}
    own |= {"job": "own", "namespace": THEIRS}
    done = await client.post("/v1/apply", json={"objects": [target, document, own]})
    assert done.status_code == 200, done.text
    theirs = token(node, "theirs", **{THEIRS: "admin"})
    path = f"/v1/{'vars' if kind == 'vars' else 'jobs'}/there"
    for dry_run in ("true", "false"):
        params = {"namespace": THEIRS, "dry_run": dry_run}
        refused = await client.delete(path, headers=theirs, params=params)
        assert (refused.status_code, OURS in refused.text) == (409, False), refused.text
        told = refused.json()
        assert (told["referrers"], told["more"]) == ([{"kind": "job", "namespace": THEIRS, "name": "own"}], 1)
        assert "job kitchen/own, 1 that this token may not read" in told["detail"]


THERE_TOO = f"{THEIRS}/there"
ACTS: dict[str, dict[str, Any]] = {
    "/tasks/tell/post/board": {"tasks": {"tell": {"post": {"board": THERE_TOO, "key": "k"}}}},
    "/tasks/tell/job/name": {"tasks": {"tell": {"job": {"name": THERE_TOO, "wait": False}}}},
    "/tasks/tell/locks/0": {"tasks": {"tell": {"noop": True, "locks": [THERE_TOO]}}},
    "/policies/locks/0": {"noop": True, "policies": {"locks": [THERE_TOO]}},
    "/requires/0/notice": {"noop": True, "requires": [{"notice": THERE_TOO, "consume": True}]},
}
"""What a job does to something of theirs, by the place that says so."""


@pytest.mark.parametrize("pointer", ACTS)
@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("approver", 403), ("operator", 201)])
async def test_who_lets_a_job_act_there_may_do_so_himself(
    client: httpx2.AsyncClient, node: SingleNode, role: str, status: int, pointer: str
) -> None:
    theirs = {"job": "there", "namespace": THEIRS, "noop": True}
    assert (await client.put("/v1/jobs/there", json=theirs)).status_code == 201
    board = {"board": "there", "namespace": THEIRS}
    assert (await client.put("/v1/boards/there", json=board)).status_code == 201
    lock = {"resource": "there", "namespace": THEIRS}
    assert (await client.put("/v1/resources/there", json=lock)).status_code == 201
    document = {"job": "j", "namespace": OURS, **ACTS[pointer]}
    who = token(node, "who", **{OURS: "submitter", THEIRS: role})
    reply = await client.put("/v1/jobs/j", json=document, headers=who)
    assert reply.status_code == status, reply.text
    if status == 403:
        (error,) = reply.json()["errors"]
        assert error["pointer"] == pointer
        assert f"it needs 'run' in namespace '{THEIRS}'" in error["detail"]


async def test_a_board_that_is_not_there_is_told_with_its_place_and_the_near_miss(
    client: httpx2.AsyncClient,
) -> None:
    assert (await client.put("/v1/boards/stock", json={"board": "stock"})).status_code == 201
    document = {"job": "j", "tasks": {"t": {"post": {"board": "stok", "key": "k"}}}}
    reply = await client.put("/v1/jobs/j", json=document)
    assert reply.status_code == 422, reply.text
    (error,) = reply.json()["errors"]
    assert (error["pointer"], error["hint"]) == ("/tasks/t/post/board", "did you mean stock?")


async def test_jobs_that_would_wait_for_themselves_are_refused_with_the_way_out(
    client: httpx2.AsyncClient,
) -> None:
    document = {"job": "j", "tasks": {"t": {"job": {"name": "j"}}}}
    for dry_run in ("true", "false"):
        objects = {"objects": [document]}
        reply = await client.post("/v1/apply", json=objects, params={"dry_run": dry_run})
        assert reply.status_code == 422, reply.text
        (error,) = reply.json()["errors"]
        assert error["pointer"] == "/objects/0/tasks"
        assert error["detail"] == "a run of default/j would wait for itself: default/j → default/j"
        assert "wait: false" in error["hint"]


@pytest.mark.parametrize("namespace", ["default", THEIRS])
async def test_each_of_two_runs_shows_the_other(
    client: httpx2.AsyncClient, node: SingleNode, namespace: str
) -> None:
    child = {"job": "child", "namespace": namespace, "tasks": {"nap": {"sleep": "1h"}}}
    parent = {"job": "j", "tasks": {"t": {"job": {"name": f"{namespace}/child"}}}}
    assert (await client.post("/v1/apply", json={"objects": [child, parent]})).status_code == 200
    made = (await client.post("/v1/jobs/j/runs")).json()
    with node.read() as store:
        (due,) = task_rows.past_wake(store, node.now_ms(), 10)
    (outcome,) = node.apply(Wake(node.machine.state.epoch, *due))
    assert outcome.ok, outcome
    above = (await client.get(f"/v1/runs/{made['id']}")).json()
    below = (await client.get(f"/v1/runs/{above['tasks']['t']['run']}")).json()
    assert (above["parent"], above["tasks"]["t"]["until"]) == (None, None)
    task = "t" if namespace == "default" else ""  # its name may be read in its own namespace alone
    key = f"{made['id']}/t//0" if task else str(made["id"])
    listed = (await client.get("/v1/runs", params={"cause": "nested"})).json()["items"]
    brief = (await client.get("/v1/runs", params={"cause": "nested", "brief": "true"})).json()["items"]
    for told in (below, *listed, *brief):
        assert told["parent"] == {"run": made["id"], "task": task, "member": None}
        assert (told["cause"], told["cause_key"]) == ("nested", key)


async def test_who_may_read_there_may_require_a_notice_that_stays(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    board = {"board": "there", "namespace": THEIRS}
    assert (await client.put("/v1/boards/there", json=board)).status_code == 201
    document = {"job": "j", "namespace": OURS, "noop": True, "requires": [{"notice": THERE_TOO}]}
    who = token(node, "who", **{OURS: "submitter", THEIRS: "viewer"})
    assert (await client.put("/v1/jobs/j", json=document, headers=who)).status_code == 201
