"""A node, its API, and a client that holds the admin's token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.ports import ApiSettings
from scheduler import protocol
from tests.api.single_node import SingleNode, peer
from tests.api.within import client_of


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[SingleNode]:
    found = SingleNode(tmp_path, peers=[peer("node-2", "zone-b"), peer("node-3", "zone-c")])
    yield found
    found.close()


@pytest.fixture
async def api(node: SingleNode, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setattr(protocol, "AGENT_SILENCE_MS", 1_000_000)  # an agent by hand has no heartbeat
    settings = ApiSettings(insecure=False, urls={"node-1": "http://127.0.0.1:8321"})
    app = create_app(node, settings, Gateway(node, settings))
    app.start()
    yield app
    await app.close()


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(api) as found:
        yield found
