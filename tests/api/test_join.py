"""Joining by token: what a machine gets is bound to what it is, and worth no more."""

from __future__ import annotations

import hashlib
import secrets
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import websockets

from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.ports import ApiSettings
from cli.word import shown_at
from cluster.authority import describe, request
from cluster.tls import identity
from node.config import TlsConfig
from node.signing import NodeAuthority
from scheduler import protocol as p
from tests.api.served import HandAgent, served, session
from tests.api.single_node import ADMIN_TOKEN, CLUSTER, SingleNode
from tests.cluster.certificates import Certificates


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "tls", cluster=CLUSTER)


def api_of(node: SingleNode, certificates: Certificates, *, signs: bool = True) -> Api:
    files = certificates.issue("node-1")
    tls = TlsConfig(files.trust, files.certificate, files.key, certificates.key if signs else None)
    settings = ApiSettings(insecure=False, authority=NodeAuthority(CLUSTER, tls))
    app = create_app(node, settings, Gateway(node, settings))
    app.start()
    return app


@pytest.fixture
async def api(node: SingleNode, certificates: Certificates) -> AsyncIterator[Api]:
    app = api_of(node, certificates)
    yield app
    await app.close()


async def invite(client: httpx2.AsyncClient, role: str, **limits: object) -> dict[str, str]:
    """The headers of who holds a join token."""
    name = f"inv-{secrets.token_hex(2)}"
    reply = await client.post("/v1/tokens", json={"name": name, "role": role, **limits})
    assert reply.status_code == 201, reply.text
    return {"Authorization": f"Bearer {reply.json()['token']}"}


def agent(name: str, secret: str, pool: str = "web") -> dict[str, str]:
    return {"name": name, "pool": pool, "sha256": hashlib.sha256(secret.encode()).hexdigest()}


def newcomer(name: str = "node-4", asked: bytes | None = None) -> dict[str, object]:
    asked = request(name)[0] if asked is None else asked
    return {
        "name": name, "zone": "zone-b", "address": "10.0.4.1:8322", "url": "https://10.0.4.1:8321",
        "request": asked.decode(), "hosts": ["10.0.4.1"],
    }  # fmt: skip


async def test_an_agent_that_joined_is_itself_and_nobody_else(
    api: Api, client: httpx2.AsyncClient, certificates: Certificates
) -> None:
    holder = await invite(client, "join-agent", pool="web")
    assert (await client.post("/v1/join", json=agent("web-7", "s", "db"), headers=holder)).status_code == 409
    reply = await client.post("/v1/join", json=agent("web-7", "s"), headers=holder)
    assert reply.status_code == 201, reply.text
    assert reply.json()["ca"] == certificates.trust.read_text()
    assert [member["node"] for member in reply.json()["members"]] == ["node-1", "node-2", "node-3"]
    again = await client.post("/v1/join", json=agent("web-7", "s"), headers=holder)
    assert again.status_code == 201, "its reply was lost"
    used = await client.post("/v1/join", json=agent("web-8", "t"), headers=holder)
    assert (used.status_code, "used up" in used.json()["detail"]) == (409, True)
    for path in ("/v1/jobs", "/v1/tokens", "/v1/cluster"):
        assert (await client.get(path, headers={"Authorization": "Bearer s"})).status_code == 403
    async with served(api) as url:
        async with HandAgent(url, token="s", name="web-7") as good:
            assert isinstance(await good.hello(pool="web"), p.Welcome)
        for name, pool in (("web-8", "web"), ("web-7", "db")):
            async with HandAgent(url, token="s", name=name) as other:
                left = await other.hello(pool=pool)
                assert isinstance(left, p.Leave)
                assert left.reason == "refused"
        async with HandAgent(url, token="s", name="web-7") as good:
            assert isinstance(await good.hello(pool="web", session=session(2)), p.Welcome)
            assert (await client.delete("/v1/tokens/agent:web-7")).status_code == 204
            left = await good.expect(p.Leave)
            assert isinstance(left, p.Leave)
            assert "withdrawn" in left.detail
        with pytest.raises(websockets.InvalidStatus):
            await HandAgent(url, token="s", name="web-7").__aenter__()


@pytest.mark.parametrize("role", ["join-agent", "join-node"])
async def test_a_join_token_opens_nothing_else(api: Api, client: httpx2.AsyncClient, role: str) -> None:
    holder = await invite(client, role)
    for path in ("/v1/jobs", "/v1/tokens", "/v1/runs", "/v1/agents", "/v1/cluster", "/metrics"):
        assert (await client.get(path, headers=holder)).status_code == 403, path
    body = {"name": "more", "role": "admin"}
    assert (await client.post("/v1/tokens", json=body, headers=holder)).status_code == 403
    assert (await client.delete("/v1/tokens/admin", headers=holder)).status_code == 403


@pytest.mark.parametrize("role", ["viewer", "operator", "submitter", "agent", "admin"])
async def test_another_token_does_not_join(client: httpx2.AsyncClient, role: str) -> None:
    holder = await invite(client, role)
    assert (await client.post("/v1/join?unasked=true", json=newcomer(), headers=holder)).status_code == 403


async def test_a_node_gets_a_certificate_of_its_own_name_and_its_membership(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    holder = await invite(client, "join-node", holder="node-4")
    wrong = await client.post("/v1/join?unasked=true", json=newcomer("node-5"), headers=holder)
    assert wrong.status_code == 409
    body = newcomer(asked=request("mallory")[0])
    reply = await client.post("/v1/join?unasked=true", json=body, headers=holder)
    assert reply.status_code == 201, reply.text
    named = describe(reply.json()["certificate"].encode())[0]
    assert (named.identities, named.hosts) == ((identity(CLUSTER, "node-4"),), ("10.0.4.1",))
    assert "node-4" in [peer.node for peer in node.peers]
    again = await client.post("/v1/join?unasked=true", json=body, headers=holder)
    assert again.status_code == 201, "its reply was lost"
    other_key = await client.post("/v1/join?unasked=true", json=newcomer(), headers=holder)
    assert other_key.status_code == 409


async def test_a_node_that_is_not_reached_is_refused_before_the_token_is_used(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    holder = await invite(client, "join-node")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    body = {**newcomer(), "address": address}
    for word, status in (({}, 422), ({"word": "w" * 32}, 409)):
        assert (await client.post("/v1/join", json={**body, **word}, headers=holder)).status_code == status
    assert node.calls == []
    with shown_at(address) as shown:
        reply = await client.post("/v1/join", json={**body, "word": shown}, headers=holder)
    assert reply.status_code == 201, reply.text


async def test_nobody_gets_the_certificate_of_a_member(client: httpx2.AsyncClient) -> None:
    holder = await invite(client, "join-node")
    for name in ("node-1", "node-2"):
        reply = await client.post("/v1/join?unasked=true", json=newcomer(name), headers=holder)
        assert (reply.status_code, "is a member already" in reply.json()["detail"]) == (409, True)
        assert "BEGIN CERTIFICATE" not in reply.text
    assert (await client.post("/v1/join?unasked=true", json=newcomer(), headers=holder)).status_code == 201, (
        "not used up"
    )


async def test_a_removed_name_is_refused_before_the_token_is_used(client: httpx2.AsyncClient) -> None:
    holder = await invite(client, "join-node")
    assert (await client.delete("/v1/cluster/members/node-3")).status_code == 204
    reply = await client.post("/v1/join?unasked=true", json=newcomer("node-3"), headers=holder)
    assert (reply.status_code, "was removed" in reply.json()["detail"]) == (409, True)
    assert "BEGIN CERTIFICATE" not in reply.text
    assert (await client.post("/v1/join?unasked=true", json=newcomer(), headers=holder)).status_code == 201, (
        "not used up"
    )


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"request": "garbage"}, "/request"),
        ({"request": ""}, "/request"),
        ({"hosts": "h"}, "/hosts"),
        ({"hosts": [""]}, "/hosts"),
        ({"name": "../x"}, "/name"),
        ({"address": "nowhere"}, "/address"),
        ({"url": "ftp://x"}, "/url"),
        ({"rule": 1}, "/rule"),
    ],
)
async def test_bad_fields_are_named_and_take_no_use(
    client: httpx2.AsyncClient, change: dict[str, object], pointer: str
) -> None:
    holder = await invite(client, "join-node")
    reply = await client.post("/v1/join", json={**newcomer(), **change}, headers=holder)
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, pointer)
    assert (await client.post("/v1/join?unasked=true", json=newcomer(), headers=holder)).status_code == 201


async def test_a_node_without_the_ca_key_says_so_and_takes_no_use(
    node: SingleNode, client: httpx2.AsyncClient, certificates: Certificates
) -> None:
    holder = await invite(client, "join-node")
    api = api_of(node, certificates, signs=False)
    transport = httpx2.ASGITransport(app=api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://node-2") as other:
        reply = await other.post("/v1/join", json=newcomer(), headers=holder)
        assert (reply.status_code, reply.json()["type"]) == (409, "/problems/no-signer")
    await api.close()
    assert (await client.post("/v1/join?unasked=true", json=newcomer(), headers=holder)).status_code == 201


async def test_the_ca_is_public_and_nothing_secret_is_in_it(
    client: httpx2.AsyncClient, certificates: Certificates
) -> None:
    reply = await client.get("/v1/ca", headers={"Authorization": ""})
    assert (reply.status_code, reply.text) == (200, certificates.trust.read_text())
    assert "PRIVATE" not in reply.text


async def test_a_token_with_an_end_ends(client: httpx2.AsyncClient, node: SingleNode) -> None:
    holder = await invite(client, "viewer", ttl_s=60)
    assert (await client.get("/v1/jobs", headers=holder)).status_code == 200
    node.skew_ms = 61_000
    reply = await client.get("/v1/jobs", headers=holder)
    assert (reply.status_code, reply.json()["detail"]) == (401, "the token has expired")


async def test_the_last_administrator_stays(client: httpx2.AsyncClient) -> None:
    assert (await client.delete("/v1/tokens/admin")).status_code == 409
    assert (await client.delete("/v1/tokens/nobody")).status_code == 404
    assert (
        await client.get("/v1/tokens", headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
    ).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"role": "viewer", "ttl_s": 0}, "/ttl_s"),
        ({"role": "viewer", "ttl_s": True}, "/ttl_s"),
        ({"role": "viewer", "uses": 1}, "/uses"),
        ({"role": "viewer", "pool": "web"}, "/pool"),
        ({"role": "join-agent", "uses": 0}, "/uses"),
        ({"role": "join-agent", "ttl_s": 8 * 86_400}, "/ttl_s"),
        ({"role": "join-node", "pool": "web"}, "/pool"),
        ({"role": "node"}, "/role"),
    ],
)
async def test_limits_that_make_no_sense_are_named(
    client: httpx2.AsyncClient, body: dict[str, object], pointer: str
) -> None:
    reply = await client.post("/v1/tokens", json={"name": "x", **body})
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, pointer)
