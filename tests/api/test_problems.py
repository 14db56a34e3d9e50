"""Every bad input gets its own clear problem: status, type, the field, and a way out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.ports import ApiSettings
from api.problems import KINDS
from scheduler.words.commands import PutToken
from tests.api.single_node import ADMIN_TOKEN, SingleNode

NOOP: dict[str, Any] = {"noop": True}


def cron(expression: str, **fields: Any) -> dict[str, Any]:
    return {**NOOP, "triggers": {"cron": expression, **fields}}


BAD_JOBS: list[tuple[str, Any, str, str]] = [
    ("a cron field out of range", cron("61 * * * *"), "/triggers/cron", "minute"),
    ("a word in a cron field", cron("0 2 * * funday"), "/triggers/cron", "funday"),
    ("too few cron fields", cron("* * *"), "/triggers/cron", "field"),
    ("February 30", cron("0 0 30 2 *"), "/triggers/cron", "never"),
    ("an instant in the past", {**NOOP, "triggers": {"at": "2001-01-01T00:00:00Z"}}, "/triggers/at", "past"),
    ("an unknown zone", cron("0 2 * * *", tz="Europe/Berlim"), "/triggers/tz", "Berlim"),
    ("an unknown field", {**NOOP, "polices": {}}, "/polices", "polices"),
    ("a wrong type", {**NOOP, "labels": []}, "/labels", "object"),
    ("a number for text", {"run": 5}, "/run", "text"),
    ("a cycle", {"tasks": {"a": {**NOOP, "needs": ["b"]}, "b": {**NOOP, "needs": ["a"]}}}, "/tasks", "cycle"),
    ("an unknown need", {"tasks": {"a": {**NOOP, "needs": ["zzz"]}}}, "/tasks/a/needs", "zzz"),
    ("a negative duration", {**NOOP, "timeout": "-5s"}, "/timeout", ""),
    ("a zero duration", {**NOOP, "timeout": "0s"}, "/timeout", ""),
    ("no work", {"labels": {"a": "b"}}, "", "no work"),
    ("no tasks", {"tasks": {}}, "/tasks", "no work"),
    (
        "what is not there yet", {"run": "true", "limits": {"cpu": 2}},
        "/limits/cpu", "not available in this version",
    ),
    ("an array", [], "", "object"),
    ("a text", "job", "", "object"),
]


@pytest.mark.parametrize(
    ("body", "pointer", "word"), [row[1:] for row in BAD_JOBS], ids=[r[0] for r in BAD_JOBS]
)
async def test_a_bad_job_names_its_field(
    client: httpx2.AsyncClient, body: Any, pointer: str, word: str
) -> None:
    reply = await client.put("/v1/jobs/job", json=body)
    assert reply.status_code == 422, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert problem["type"] == "/problems/validation"
    assert problem["status"] == 422
    assert word in problem["detail"] + json.dumps(problem["errors"], ensure_ascii=False)
    assert any(error["pointer"].startswith(pointer) for error in problem["errors"]), problem


async def test_malformed_cron_tells_field_reason_and_position(client: httpx2.AsyncClient) -> None:
    problem = (await client.put("/v1/jobs/job", json=cron("0 25 * * *"))).json()
    text = problem["detail"] + problem.get("hint", "")
    assert "hour" in text
    assert "25" in text
    assert "position" in text or "character" in text or "column" in text, text


async def test_near_misses_are_named(client: httpx2.AsyncClient) -> None:
    field = (await client.put("/v1/jobs/job", json={**NOOP, "polices": {}})).json()
    assert "policies" in field["hint"]
    zone = (await client.put("/v1/jobs/job", json=cron("0 2 * * *", tz="Europe/Berlim"))).json()
    assert "Europe/Berlin" in json.dumps(zone)


@pytest.mark.parametrize(
    "name", ["a job", "j" * 5_000, "-", "näh", "a/b"], ids=["space", "5000", "dash", "ä", "/"]
)
async def test_bad_names_are_refused(client: httpx2.AsyncClient, name: str) -> None:
    reply = await client.post("/v1/jobs", json={"job": name, **NOOP})
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/validation")
    assert any(error["pointer"] == "/job" for error in reply.json()["errors"])
    assert len(reply.text) < 2_000


async def test_bodies_that_are_no_json(client: httpx2.AsyncClient) -> None:
    async def kind(content: bytes, media: str = "application/json") -> str:
        reply = await client.put("/v1/jobs/job", content=content, headers={"Content-Type": media})
        assert reply.headers["content-type"] == "application/problem+json"
        told: str = reply.json()["type"]
        return told

    assert await kind(b"") == "/problems/empty-body"
    assert await kind(b"  ") == "/problems/empty-body"
    assert await kind(b"{") == "/problems/not-json"
    assert await kind(b'{"noop": NaN}') == "/problems/not-json"
    assert await kind(b'{"noop": true, "noop": true}') == "/problems/not-json"
    assert await kind(b"\xff\xfe") == "/problems/not-json"
    assert await kind(b"[" * 100_000) == "/problems/not-json"
    assert await kind(b"{}", "text/html") == "/problems/unsupported-media-type"


async def test_a_large_body_is_refused_also_when_chunked(client: httpx2.AsyncClient) -> None:
    two_mib = json.dumps({"run": "x" * (2 << 20)}).encode()
    plain = await client.put("/v1/jobs/job", content=two_mib)
    assert (plain.status_code, plain.json()["type"]) == (413, "/problems/too-large")

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(two_mib), 65_536):
            yield two_mib[start : start + 65_536]

    chunked = await client.put("/v1/jobs/job", content=chunks())
    assert (chunked.status_code, chunked.json()["type"]) == (413, "/problems/too-large")
    assert (await client.get("/v1/jobs/job")).status_code == 404


async def test_paths_and_methods_that_do_not_exist(client: httpx2.AsyncClient) -> None:
    nothing = await client.get("/v1/nothing")
    assert (nothing.status_code, nothing.json()["type"]) == (404, "/problems/not-found")
    method = await client.patch("/v1/jobs/job")
    assert (method.status_code, method.json()["type"]) == (405, "/problems/method-not-allowed")
    assert method.headers["allow"]
    assert (await client.get("/v1/runs/abc")).json()["type"] == "/problems/not-found"
    assert (await client.get("/v1/runs/99999999999999999999999")).json()["type"] == "/problems/not-found"
    assert (await client.post("/v1/jobs/none/runs", json={})).json()["type"] == "/problems/not-found"


@pytest.mark.parametrize(
    "query",
    [
        "/v1/jobs?limit=0",
        "/v1/jobs?limit=many",
        "/v1/jobs?state=wrong",
        "/v1/jobs?cursor=wrong",
        "/v1/jobs?labels==x",
        "/v1/jobs?consistency=sometimes",
        "/v1/jobs?min_index=-1",
        "/v1/jobs?index=1&wait=forever",
        "/v1/jobs?index=1&wait=2h",
        "/v1/runs?state=wrong",
        "/v1/runs?since=yesterday",
        "/v1/runs?since=2026-01-01T00:00:00",
        "/v1/jobs/job/next?count=0",
        "/v1/jobs/job/ticks?outcome=lucky",
        "/v1/events?types=wrong",
        "/v1/events?after=wrong",
    ],
)
async def test_bad_query_parameters_are_named(client: httpx2.AsyncClient, query: str) -> None:
    await client.put("/v1/jobs/job", json=NOOP)
    reply = await client.get(query)
    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/validation"), reply.text
    assert reply.json()["errors"][0]["pointer"].startswith("?")


async def test_no_token_and_wrong_tokens(api: Api) -> None:
    transport = httpx2.ASGITransport(app=api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://node-1") as stranger:
        for path in ("/v1/jobs", "/v1/cluster", "/v1/events", "/metrics", "/v1/nothing"):
            reply = await stranger.get(path)
            assert (reply.status_code, reply.json()["type"]) == (401, "/problems/unauthorized"), path
            assert reply.headers["www-authenticate"].startswith("Bearer")
        wrong = await stranger.put("/v1/jobs/j", json=NOOP, headers={"Authorization": "Bearer wrong"})
        assert wrong.status_code == 401
        for path in ("/healthz", "/healthy.html", "/readyz", "/", "/docs", "/openapi.json"):
            assert (await stranger.get(path)).status_code == 200, path


async def test_a_token_of_another_node_is_good_here_at_once(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    token = {"Authorization": "Bearer fresh"}
    node.unheard.append(PutToken("fresh", hashlib.sha256(b"fresh").digest(), "viewer"))
    assert (await client.get("/v1/jobs?consistency=stale", headers=token)).status_code == 200
    node.quorum = False
    assert (await client.get("/v1/jobs?consistency=stale", headers=token)).status_code == 200
    reply = await client.get("/v1/jobs?consistency=stale", headers={"Authorization": "Bearer wrong"})
    assert (reply.status_code, reply.json()["type"]) == (503, "/problems/no-leader"), reply.text


async def test_no_token_is_refused_while_there_is_none(tmp_path: Path) -> None:
    node = SingleNode(tmp_path, founded=False)
    settings = ApiSettings(insecure=False, urls={})
    api = create_app(node, settings, Gateway(node, settings))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=api), base_url="http://node-1"
    ) as client:
        token = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        reply = await client.get("/v1/jobs", headers=token)
        assert (reply.status_code, reply.json()["type"]) == (503, "/problems/founding"), reply.text
        node.apply(PutToken("bootstrap", hashlib.sha256(ADMIN_TOKEN.encode()).digest(), "admin"))
        assert (await client.get("/v1/jobs", headers=token)).status_code == 200
    await api.close()
    node.close()


async def test_roles_limit_what_a_token_may_do(client: httpx2.AsyncClient, node: SingleNode) -> None:
    for role in ("viewer", "operator", "submitter"):
        node.apply(PutToken(role, hashlib.sha256(role.encode()).digest(), role))
    await client.put("/v1/jobs/job", json=NOOP)

    async def status(role: str, method: str, path: str, body: Any = None) -> int:
        reply = await client.request(method, path, json=body, headers={"Authorization": f"Bearer {role}"})
        if reply.status_code == 403:
            assert reply.json()["type"] == "/problems/forbidden"
            assert "role" in reply.json()["hint"]
        return reply.status_code

    assert await status("viewer", "GET", "/v1/jobs/job") == 200
    assert await status("viewer", "PUT", "/v1/jobs/job", NOOP) == 403
    assert await status("viewer", "POST", "/v1/jobs/job/runs", {}) == 403
    assert await status("operator", "PUT", "/v1/jobs/job", NOOP) == 403
    assert await status("operator", "POST", "/v1/jobs/job/pause") == 200
    assert await status("operator", "POST", "/v1/jobs/job/runs", {}) == 201
    assert await status("submitter", "PUT", "/v1/jobs/job", NOOP) == 200
    assert await status("submitter", "POST", "/v1/jobs/job/pause") == 403
    assert await status("submitter", "POST", "/v1/cluster/transfer", {}) == 403


async def test_params_are_checked(client: httpx2.AsyncClient) -> None:
    await client.put(
        "/v1/jobs/job", json={**NOOP, "params": {"region": {"type": "string", "required": True}}}
    )
    wrong = await client.post("/v1/jobs/job/runs", json={"params": {"regoin": "eu"}})
    assert wrong.status_code == 422
    assert {"/params/regoin", "/params/region"} <= {error["pointer"] for error in wrong.json()["errors"]}
    assert (await client.post("/v1/jobs/job/runs", json={"parms": {}})).status_code == 422
    assert (await client.post("/v1/jobs/job/runs", json={"params": {"region": "eu"}})).status_code == 201


async def test_an_error_of_ours_is_a_problem_too(
    api: Api, client: httpx2.AsyncClient, node: SingleNode
) -> None:
    await client.put("/v1/jobs/job", json=NOOP)
    node.store.execute("UPDATE revisions SET spec = X'00'")
    transport = httpx2.ASGITransport(app=api, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://n", headers=client.headers) as safe:
        reply = await safe.get("/v1/jobs/job/revisions")
    assert (reply.status_code, reply.json()["type"]) == (500, "/problems/internal")


async def test_every_problem_has_its_page(client: httpx2.AsyncClient) -> None:
    for kind, told in KINDS.items():
        page = await client.get(f"/problems/{kind}")
        assert page.status_code == 200
        assert told.title in page.text


async def test_an_unknown_query_parameter_is_refused_and_does_nothing(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/jobs/job", json=NOOP)
    requests = [
        ("DELETE", "/v1/jobs/job?dryrun=true", "dry_run"),
        ("PUT", "/v1/jobs/job?dryrun=true", "dry_run"),
        ("POST", "/v1/jobs/job/runs?dry-run=true", "dry_run"),
        ("GET", "/v1/jobs?lables=a=b", "labels"),
        ("GET", "/v1/runs?jobs=job", "job"),
        ("DELETE", "/v1/cluster/members/node-2?dryrun=1", "dry_run"),
    ]
    for method, path, meant in requests:
        reply = await client.request(method, path, json=NOOP if method == "PUT" else None)
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/validation"), path
        assert meant in reply.json()["hint"], reply.text
        assert reply.json()["errors"][0]["pointer"].startswith("?")
    assert (await client.get("/v1/jobs/job")).json()["revision"] == 1
    assert (await client.get("/v1/runs")).json()["items"] == []
    assert (await client.get("/healthz?from=balancer")).status_code == 200


async def test_a_query_parameter_that_is_given_twice_is_refused(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/jobs/job", json=NOOP)
    for method, path in [
        ("DELETE", "/v1/jobs/job?dry_run=true&dry_run=false"),
        ("GET", "/v1/jobs?limit=1&q=j&limit=1"),
        ("GET", "/v1/jobs/job?namespace=a&namespace=default"),
    ]:
        reply = await client.request(method, path)
        assert (reply.status_code, reply.json()["type"]) == (422, "/problems/validation"), path
        assert "given more than once" in reply.json()["detail"]
    assert (await client.get("/v1/jobs/job")).json()["revision"] == 1
    assert (await client.get("/healthz?a=1&a=2")).status_code == 200


async def test_a_body_that_nobody_reads_is_refused_and_nothing_is_done(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/jobs/job", json=NOOP)
    for method, path in [
        ("POST", "/v1/jobs/job/resume"),
        ("DELETE", "/v1/jobs/job"),
        ("POST", "/v1/resume"),
        ("POST", "/v1/namespaces/default/resume"),
    ]:
        reply = await client.request(method, path, json={"reason": "maintenance"})
        assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/reason"), path
        assert "takes no body" in reply.json()["detail"]
        assert (await client.request(method, path, content=b"{")).json()["type"] == "/problems/not-json"
        assert (await client.get("/v1/jobs/job")).json()["state"] != "paused"
        assert (await client.request(method, path, json={})).status_code < 300
        await client.put("/v1/jobs/job", json=NOOP)
        await client.post("/v1/jobs/job/resume")


async def test_every_method_of_a_path_is_named_where_one_is_refused(client: httpx2.AsyncClient) -> None:
    reply = await client.put("/v1/jobs", json={})
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, POST")


async def test_numbers_out_of_range_are_told_in_plain_words(client: httpx2.AsyncClient) -> None:
    details = [
        (await client.get(f"/v1/jobs?limit={text}")).json()["detail"] for text in ("0", "x", "9999999")
    ]
    assert details[0] == "?limit: '0' is less than 1"
    assert details[1] == "?limit: 'x' is not a whole number"
    assert details[2].startswith("?limit: '9999999' is more than ")


async def test_a_node_needs_a_name_like_any_other(client: httpx2.AsyncClient, node: SingleNode) -> None:
    member = {"name": "node 4", "address": "127.0.0.1:1", "zone": "zone-a", "url": "http://127.0.0.1:2"}
    assert (await client.post("/v1/cluster/members", json=member)).json()["errors"][0]["pointer"] == "/name"
    assert node.calls == []
