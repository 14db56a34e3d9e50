"""Tokens: made once, known by a hash, and worth exactly their role."""

from __future__ import annotations

import httpx2
import pytest
import websockets

from api.access import CAPABILITIES
from api.app import Api
from scheduler import protocol as p
from scheduler.machine.tokens import JOINS, ROLES
from tests.api.served import HandAgent, served
from tests.api.single_node import ADMIN_TOKEN, SingleNode


async def make(client: httpx2.AsyncClient, name: str, role: str) -> str:
    reply = await client.post("/v1/tokens", json={"name": name, "role": role})
    assert reply.status_code == 201, reply.text
    assert reply.headers["cache-control"] == "no-store"
    secret = reply.json()["token"]
    assert isinstance(secret, str)
    return secret


def of(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_every_role_has_its_capabilities() -> None:
    assert {*ROLES, *JOINS.values()} == set(CAPABILITIES)


async def test_a_token_works_at_once_and_its_secret_is_not_kept(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    secret = await make(client, "ann", "viewer")
    assert (await client.get("/v1/jobs", headers=of(secret))).status_code == 200
    assert (await client.put("/v1/jobs/j", json={"noop": True}, headers=of(secret))).status_code == 403
    listed = (await client.get("/v1/tokens")).json()
    assert [(item["name"], item["role"]) for item in listed["items"]] == [
        ("admin", "admin"),
        ("ann", "viewer"),
    ]
    assert secret not in str(listed)
    with node.read() as store:
        kept = b"".join(bytes(row[0]) for row in store.rows("SELECT sha256 FROM tokens"))
    assert secret.encode() not in kept


async def test_an_agent_token_opens_the_socket_and_nothing_else(api: Api, client: httpx2.AsyncClient) -> None:
    secret = await make(client, "host-17", "agent")
    for path in ("/v1/jobs", "/v1/tokens", "/v1/runs", "/v1/agents", "/metrics"):
        assert (await client.get(path, headers=of(secret))).status_code == 403, path
    assert (await client.post("/v1/tokens", json={}, headers=of(secret))).status_code == 403
    async with served(api) as url, HandAgent(url, token=secret, name="host-17") as agent:
        assert isinstance(await agent.hello(), p.Welcome)


@pytest.mark.parametrize("role", ["viewer", "operator", "submitter"])
async def test_a_token_of_another_role_does_not_open_the_socket(
    api: Api, client: httpx2.AsyncClient, role: str
) -> None:
    secret = await make(client, "someone", role)
    async with served(api) as url:
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with HandAgent(url, token=secret):
                pass
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("role", [role for role in ROLES if role != "admin"])
async def test_only_administrators_make_or_list_tokens(client: httpx2.AsyncClient, role: str) -> None:
    secret = await make(client, "someone", role)
    body = {"name": "more", "role": "admin"}
    assert (await client.post("/v1/tokens", json=body, headers=of(secret))).status_code == 403
    assert (await client.get("/v1/tokens", headers=of(secret))).status_code == 403


async def test_a_name_is_taken_once(client: httpx2.AsyncClient) -> None:
    await make(client, "ann", "viewer")
    again = await client.post("/v1/tokens", json={"name": "ann", "role": "admin"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/exists")
    assert (await client.get("/v1/tokens")).json()["items"][1]["role"] == "viewer"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"role": "viewer"}, "/name"),
        ({"name": 7, "role": "viewer"}, "/name"),
        ({"name": "two words", "role": "viewer"}, "/name"),
        ({"name": "x" * 100, "role": "viewer"}, "/name"),
        ({"name": "ann"}, "/role"),
        ({"name": "ann", "role": "king"}, "/role"),
        ({"name": "ann", "role": ["admin"]}, "/role"),
        ({"name": "ann", "role": "viewer", "rule": 1}, "/rule"),
        ({"name": "ann", "role": "viewer", "any_name": True}, "/any_name"),
        ({"name": "ann", "role": "agent", "any_name": "yes"}, "/any_name"),
        ({"name": "ann", "role": "agent", "any_name": True, "holder": "web-1"}, "/any_name"),
    ],
)
async def test_bad_fields_are_named(
    client: httpx2.AsyncClient, body: dict[str, object], pointer: str
) -> None:
    reply = await client.post("/v1/tokens", json=body)
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["pointer"] == pointer


async def test_a_dry_run_makes_nothing(client: httpx2.AsyncClient) -> None:
    reply = await client.post("/v1/tokens?dry_run=true", json={"name": "ann", "role": "viewer"})
    assert reply.status_code == 200
    assert "token" not in reply.json()
    assert [item["name"] for item in (await client.get("/v1/tokens")).json()["items"]] == ["admin"]
    assert ADMIN_TOKEN not in (await client.get("/v1/tokens")).text
