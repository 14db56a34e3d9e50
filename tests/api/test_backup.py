"""GET /v1/cluster/backup: whole, checked, for admins, never stale without a word."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from api import backups
from api.agents.gateway import Gateway
from api.app import create_app
from api.ports import ApiSettings
from scheduler.backup import check
from tests.api.single_node import SingleNode
from tests.api.within import client_of
from tests.node.damaged import PAGE_BYTES, flip

PATH = "/v1/cluster/backup"


@pytest.fixture
async def admin(node: SingleNode, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    settings = ApiSettings(insecure=False, urls={}, scratch=tmp_path / "scratch")
    app = create_app(node, settings, Gateway(node, settings))
    app.start()
    async with client_of(app) as found:
        yield found
    await app.close()


async def test_a_backup_is_the_state_at_the_index_that_the_reply_names(
    admin: httpx2.AsyncClient, node: SingleNode, tmp_path: Path
) -> None:
    await admin.put("/v1/jobs/kept", json={"noop": True})
    reply = await admin.get(PATH)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/vnd.sqlite3"
    assert reply.headers["x-cronclave-sha256"] == hashlib.sha256(reply.content).hexdigest()
    file = tmp_path / "backup.db"
    file.write_bytes(reply.content)
    manifest = check(file)
    assert str(manifest.index) == reply.headers["x-cronclave-index"]
    assert manifest.state_hash == node.machine.state.hash.hex()
    assert "x-cronclave-lag-ms" not in reply.headers
    (noted,) = (await admin.get("/v1/audit?action=backup")).json()["items"]
    assert (noted["kind"], noted["actor"], noted["after"]) == ("cluster", "admin", "node-1")
    assert noted["index"] <= manifest.index, "its own entry is in it"
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_only_an_admin_gets_one(admin: httpx2.AsyncClient) -> None:
    for role in ("viewer", "operator", "submitter", "agent"):
        made = (await admin.post("/v1/tokens", json={"name": role, "role": role})).json()["token"]
        reply = await admin.get(PATH, headers={"Authorization": f"Bearer {made}"})
        assert reply.status_code == 403, role


async def test_without_a_quorum_it_says_how_old_it_may_be(
    admin: httpx2.AsyncClient, node: SingleNode
) -> None:
    node.quorum = False
    node.lag_ms = 4_000
    assert (await admin.get(PATH)).status_code == 503
    reply = await admin.get(f"{PATH}?consistency=stale")
    assert (reply.status_code, reply.headers["x-cronclave-lag-ms"]) == (200, "4000")


async def test_one_at_a_time_and_only_where_there_is_room(
    admin: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = await asyncio.gather(*[admin.get(PATH) for _ in range(3)])
    assert sorted(reply.status_code for reply in replies) == [200, 429, 429]
    assert (await admin.get(PATH)).status_code == 200
    monkeypatch.setattr(backups, "ROOM_BYTES", 1 << 60)
    reply = await admin.get(PATH)
    assert reply.status_code == 507
    assert "are free" in reply.json()["detail"]


def harm(node: SingleNode, table_or_index: str) -> None:
    """Its first page, on the disk."""
    store = node.machine.store
    root = store.value("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table_or_index,))
    store.checkpoint()
    flip(store.path, (root - 1) * PAGE_BYTES, 7)


async def test_backup_of_a_damaged_state_is_given_to_nobody_and_the_node_looks_at_it(
    admin: httpx2.AsyncClient, node: SingleNode, tmp_path: Path
) -> None:
    await admin.put("/v1/jobs/kept", json={"noop": True})
    harm(node, "runs_waiting")

    reply = await admin.get(PATH)

    assert (reply.status_code, reply.json()["type"]) == (503, "/problems/damaged"), reply.text
    assert "Ask another node" in reply.json()["hint"]
    assert node.suspected
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_reader_that_meets_damage_answers_with_its_name(
    admin: httpx2.AsyncClient, node: SingleNode
) -> None:
    await admin.put("/v1/jobs/kept", json={"noop": True})
    harm(node, "revisions")

    reply = await admin.get("/v1/jobs/kept/revisions")

    assert (reply.status_code, reply.json()["type"]) == (503, "/problems/damaged"), reply.text
