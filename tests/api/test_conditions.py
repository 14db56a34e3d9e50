"""What conditions ask of vars is there when the job is put, or told with its place."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

SITE = {"vars": "site", "values": {"port": 80, "host": "a"}}
OTHER = {"vars": "other", "values": {"region": "eu"}}


ALL = "they have: host, port, region"


def asking(when: str, **fields: Any) -> dict[str, Any]:
    tasks = {"a": {"noop": True}, "b": {"noop": True, "needs": ["a"], "when": when}}
    return {"job": "j", "vars": ["site", "other"], "tasks": tasks, **fields}


@pytest.mark.parametrize(
    ("when", "detail", "hint"),
    [
        ("vars.port > 1 and vars.region == 'eu'", "", ""),
        ("vars.prot > 1", "at 1: no vars of the job have 'prot'", "did you mean vars.port?"),
        ("a.succeeded and vars.x == 1", "at 17: no vars of the job have 'x'", ALL),
    ],
)
async def test_each_value_is_there(
    client: httpx2.AsyncClient, when: str, detail: str, hint: str
) -> None:
    assert (await client.post("/v1/apply", json={"objects": [SITE, OTHER]})).status_code == 200
    for method, path, above, body in (
        ("PUT", "/v1/jobs/j", "", asking(when)),
        ("PUT", "/v1/jobs/j?dry_run=true", "", asking(when)),
        ("POST", "/v1/apply", "/objects/0", {"objects": [asking(when)]}),
    ):
        reply = await client.request(method, path, json=body)
        if not detail:
            assert reply.status_code in (200, 201), reply.text
            continue
        assert reply.status_code == 422, reply.text
        (error,) = reply.json()["errors"]
        assert error == {"pointer": f"{above}/tasks/b/when", "detail": detail, "hint": hint}


async def test_of_a_job_of_one_task_it_stands_at_the_top(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/v1/apply", json={"objects": [SITE]})).status_code == 200
    short = {"job": "j", "vars": ["site"], "noop": True, "when": "vars.prot == 1"}
    (error,) = (await client.put("/v1/jobs/j", json=short)).json()["errors"]
    assert error["pointer"] == "/when"
    (error,) = (await client.post("/v1/apply", json={"objects": [short]})).json()["errors"]
    assert error["pointer"] == "/objects/0/when"


async def test_vars_that_are_put_beside_the_job_count_and_those_that_are_not_there_are_told_as_that(
    client: httpx2.AsyncClient,
) -> None:
    assert (await client.post("/v1/apply", json={"objects": [SITE, OTHER]})).status_code == 200
    newer = {"vars": "site", "values": {"prot": 1}}
    apply = {"objects": [asking("vars.prot == 1"), newer]}
    assert (await client.post("/v1/apply", json=apply)).status_code == 200
    unknown = asking("vars.x == 1", job="k", vars=["sit"])
    (error,) = (await client.put("/v1/jobs/k", json=unknown)).json()["errors"]
    assert (error["pointer"], error["hint"]) == ("/vars/0", "did you mean site?")


async def test_what_becomes_of_the_vars_later_refuses_nothing(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/v1/apply", json={"objects": [SITE, OTHER]})).status_code == 200
    assert (await client.put("/v1/jobs/j", json=asking("vars.port == 80"))).status_code == 201
    less = {"vars": "site", "values": {"host": "b"}}
    assert (await client.put("/v1/vars/site", json=less)).status_code == 200
