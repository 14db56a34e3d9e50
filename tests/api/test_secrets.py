"""Secrets over the API: they come in once, and nothing that goes out has one."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.ports import ApiSettings
from node.secret_keys import KeyRing
from node.vault import NodeVault
from scheduler import protocol as p
from scheduler.store.reads import secrets as secret_reads
from tests.api.served import HandAgent, served
from tests.api.single_node import SingleNode
from tests.api.test_gateway import assign

VALUE = "correct horse"


def write_keys(file: Path, *keys: str) -> None:
    file.write_text("\n".join(keys) + "\n")
    file.chmod(0o600)


def new_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    write_keys(file, new_key())
    return file


@pytest.fixture
async def api(node: SingleNode, keys: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setattr(p, "AGENT_SILENCE_MS", 1_000_000)  # an agent by hand has no heartbeat
    settings = ApiSettings(insecure=False, vault=NodeVault(KeyRing(keys)))
    app = create_app(node, settings, Gateway(node, settings))
    app.start()
    yield app
    await app.close()


async def put(client: httpx2.AsyncClient, name: str = "PASSWORD", value: str = VALUE, **more: Any) -> Any:
    reply = await client.put(f"/v1/secrets/{name}", json={"value": value, **more})
    assert reply.status_code in (200, 201), reply.text
    assert value not in reply.text
    return reply.json()


async def test_a_value_comes_in_and_nobody_is_told(client: httpx2.AsyncClient, node: SingleNode) -> None:
    made = await put(client, grants=["nightly-*"])
    assert (made["version"], made["grants"], made["actor"]) == (1, ["nightly-*"], "admin")
    assert (await put(client, value="another one"))["version"] == 2
    for path in ("/v1/secrets", "/v1/secrets/PASSWORD", "/v1/cluster"):
        reply = await client.get(path)
        assert reply.status_code == 200
        assert "correct" not in reply.text
        assert "another one" not in reply.text
    listed = (await client.get("/v1/secrets")).json()["items"]
    assert [(row["name"], row["version"]) for row in listed] == [("PASSWORD", 2)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"value": 1234567}, "/value: a secret's value is a text, not a number"),
        ({}, "/value: a secret's value is a text, not null"),
        ({"value": "  abc\n"}, "fewer than 4 letters"),
        ({"value": "correct\0horse"}, "NUL"),
        ({"value": "correct " * 3_000}, "bytes, 16384 at most"),
        ({"value": "a correct line\n" * 202}, "more than 200 lines"),
        ({"value": VALUE, "correct": "horse"}, "a field beside those that are known: value, grants"),
        ({"value": VALUE, "grants": ["[a]"]}, "/grants/0: it is no pattern of jobs"),
        ({"value": VALUE, "grants": "a"}, "/grants: it is a list of patterns"),
        ([VALUE], "a JSON object was expected"),
    ],
)
async def test_a_refusal_repeats_nothing_of_the_body(
    client: httpx2.AsyncClient, body: Any, said: str
) -> None:
    reply = await client.put("/v1/secrets/PASSWORD", json=body)
    assert reply.status_code == 422
    assert said in reply.json()["detail"]
    assert "correct" not in reply.text
    assert (await client.get("/v1/secrets")).json()["items"] == []


async def test_bodies_that_are_no_json_are_not_repeated_either(client: httpx2.AsyncClient) -> None:
    for body in (b'{"value": "correct horse', b"correct horse", b'{"value": "correct \xff"}'):
        reply = await client.put("/v1/secrets/PASSWORD", content=body)
        assert reply.status_code == 400
        assert b"correct" not in reply.content


async def test_a_name_that_is_none_is_refused(client: httpx2.AsyncClient) -> None:
    reply = await client.put("/v1/secrets/a%20b", json={"value": VALUE})
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "name")
    reply = await client.get("/v1/secrets/PASSWRD")
    assert reply.status_code == 404
    await put(client)
    assert "did you mean PASSWORD?" in (await client.get("/v1/secrets/PASSWRD")).json()["detail"]


@pytest.mark.parametrize("dry_run", ["true", "false"])
async def test_a_job_that_is_not_granted_a_secret_is_told_where_it_names_it(
    client: httpx2.AsyncClient, dry_run: str
) -> None:
    await put(client)
    body = {"tasks": {"first": {"noop": True}, "load": {"run": "true", "secrets": ["PASSWORD"]}}}
    both = [{"job": "other", "noop": True}, {"job": "j", **body}]
    query = {"dry_run": dry_run}
    for reply, above in (
        (await client.put("/v1/jobs/j", json=body, params=query), ""),
        (await client.post("/v1/apply", json={"objects": both}, params=query), "/objects/1"),
    ):
        (error,) = reply.json()["errors"]
        assert (reply.status_code, error["pointer"]) == (422, f"{above}/tasks/load/secrets")
        assert "cronclave secret grant PASSWORD --namespace default --job j" in error["detail"]


async def test_a_dry_run_changes_nothing(client: httpx2.AsyncClient) -> None:
    reply = await client.put("/v1/secrets/PASSWORD?dry_run", json={"value": VALUE})
    assert reply.json() == {"namespace": "default", "name": "PASSWORD", "version": 1, "dry_run": True}
    await put(client)
    assert (await client.delete("/v1/secrets/PASSWORD?dry_run")).status_code == 204
    await client.post("/v1/secrets/PASSWORD/grants?dry_run", json={"add": ["*"]})
    assert (await client.get("/v1/secrets/PASSWORD")).json()["grants"] == []
    assert (await client.delete("/v1/secrets/PASSWORD")).status_code == 204
    assert (await client.get("/v1/secrets/PASSWORD")).status_code == 404


async def test_pages_go_on_where_they_ended(client: httpx2.AsyncClient) -> None:
    for name in ("C", "A", "B"):
        await put(client, name)
        await client.put(f"/v1/secrets/{name}?namespace=web", json={"value": VALUE})
    first = (await client.get("/v1/secrets?limit=4")).json()
    rest = (await client.get(f"/v1/secrets?limit=4&cursor={first['next_cursor']}")).json()
    found = [(row["namespace"], row["name"]) for row in [*first["items"], *rest["items"]]]
    assert found == [(namespace, name) for namespace in ("default", "web") for name in "ABC"]
    assert rest["next_cursor"] is None
    only = (await client.get("/v1/secrets?namespace=web")).json()["items"]
    assert [row["name"] for row in only] == ["A", "B", "C"]


async def test_a_job_is_refused_a_secret_also_in_a_dry_run(client: httpx2.AsyncClient) -> None:
    await put(client)
    job = {"run": "x", "secrets": ["PASSWORD"]}
    for query in ("?dry_run", ""):
        reply = await client.put(f"/v1/jobs/j{query}", json=job)
        assert reply.status_code == 422
        assert "cronclave secret grant PASSWORD" in reply.json()["detail"]
    await client.post("/v1/secrets/PASSWORD/grants", json={"add": ["j"]})
    assert (await client.put("/v1/jobs/j", json=job)).status_code == 201


# -- keys


async def test_a_rotation_encrypts_all_anew(client: httpx2.AsyncClient, node: SingleNode, keys: Path) -> None:
    old = keys.read_text().strip()
    for i in range(40):
        await put(client, f"S{i}")
    before = (await client.get("/v1/cluster")).json()["secrets"]
    write_keys(keys, new_key(), old)
    refused = await client.put("/v1/secrets/S1", json={"value": VALUE})
    assert (refused.status_code, "rotate-key" in refused.json()["hint"]) == (409, True)
    assert (await client.post("/v1/cluster/secret-key?dry_run")).json()["left"] is True
    done = (await client.post("/v1/cluster/secret-key")).json()
    now = (await client.get("/v1/cluster")).json()["secrets"]
    assert (done["resealed"], done["left"], done["key"]) == (40, False, now["current"])
    assert now["in_use"] == [now["current"]] != before["in_use"]
    assert (await put(client, "S1"))["version"] == 2
    write_keys(keys, keys.read_text().split()[0])
    with node.read() as store:
        assert secret_reads.of_other_keys(store, now["current"], 1) == []


async def test_a_rotation_without_the_old_key_says_which(client: httpx2.AsyncClient, keys: Path) -> None:
    key = (await put(client))["key"]
    write_keys(keys, new_key())
    reply = await client.post("/v1/cluster/secret-key")
    assert reply.status_code == 409
    assert f"node node-1: it does not have the key {key}" in reply.json()["detail"]


async def test_a_node_without_keys_takes_no_secret(node: SingleNode) -> None:
    settings = ApiSettings(insecure=False)
    app = create_app(node, settings, Gateway(node, settings))
    app.start()
    transport = httpx2.ASGITransport(app=app)
    headers = {"Authorization": "Bearer admin-token"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://node-1", headers=headers) as client:
        for call in (
            client.put("/v1/secrets/PASSWORD", json={"value": VALUE}),
            client.post("/v1/cluster/secret-key"),
        ):
            reply = await call
            assert reply.status_code == 409
            assert "secrets.key_file" in reply.json()["hint"]
    await app.close()


# -- the grant


async def assigned(node: SingleNode, client: httpx2.AsyncClient, agent: HandAgent, id: int) -> int:
    """The attempt of a new run of job j; its Assign has come, and has nothing of a secret."""
    run = (await client.post("/v1/jobs/j/runs", json={})).json()["id"]
    attempt = assign(node, run, id)
    while True:
        work = await agent.expect(p.Assign)
        assert isinstance(work, p.Assign)
        assert "PASSWORD" not in repr(work)
        if work.attempt == attempt:
            return attempt


async def test_a_task_is_given_its_secrets_as_they_are_at_the_grant(
    api: Api, client: httpx2.AsyncClient, node: SingleNode, keys: Path
) -> None:
    await put(client, grants=["j"])
    await client.put("/v1/secrets/KEY?namespace=web", json={"value": "of the web", "grants": ["default/j"]})
    secrets = ["PASSWORD", {"name": "web/KEY", "as": "WEB", "file": True}]
    assert (await client.put("/v1/jobs/j", json={"run": "x", "secrets": secrets})).status_code == 201
    async with served(api) as url, HandAgent(url) as agent:
        welcome = await agent.hello(slots=20)
        assert isinstance(welcome, p.Welcome)

        async def granted(*changes: Awaitable[object]) -> p.Grant:
            attempt = await assigned(node, client, agent, welcome.agent)
            for change in changes:
                await change
            await agent.send(p.Claim(attempt, "claim"))
            grant = await agent.expect(p.Grant)
            assert isinstance(grant, p.Grant)
            assert VALUE not in repr(grant)
            return grant

        first = await granted()
        assert first.secrets == (("PASSWORD", VALUE, False), ("WEB", "of the web", True))
        changed = await granted(put(client, value="another one"))
        assert changed.secrets[0] == ("PASSWORD", "another one", False)
        ungranted = client.post("/v1/secrets/PASSWORD/grants", json={"remove": ["j"]})
        refused = await granted(ungranted)
        assert "secret default/PASSWORD is not granted to default/j" in refused.unable
        assert (refused.secrets, refused.environment) == ((), {})
        for dry_run in ("true", "false"):
            told = (await client.delete("/v1/secrets/PASSWORD", params={"dry_run": dry_run})).json()
            assert told["code"] == "referred"
            assert told["referrers"] == [{"kind": "job", "namespace": "default", "name": "j"}]
        edited = client.put("/v1/jobs/j", json={"run": "x"})
        gone = await granted(edited, client.delete("/v1/secrets/PASSWORD"))
        assert "there is no secret default/PASSWORD" in gone.unable
        await put(client, grants=["j"])
        await client.put("/v1/jobs/j", json={"run": "x", "secrets": secrets})
        write_keys(keys, new_key())
        keyless = await granted()
        assert "does not have the key" in keyless.unable
        assert "(node node-1)" in keyless.unable
