"""Breaking things on purpose is for `cronclave dev` and its administrator: other nodes have no such path."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx2
import pytest

from api.agents.gateway import Gateway
from api.app import create_app
from api.ports import ApiSettings, DemonstrationError
from scheduler.words.commands import PutToken
from tests.api.single_node import ADMIN_TOKEN, SingleNode

PATH = "/v1/demonstration"
WISH = {"kind": "kill-node", "target": "node-1", "stands": True}


class Dev:
    """As `cronclave dev` answers (tests/cli/test_dev_demonstration.py)."""

    def __init__(self) -> None:
        self.wishes: list[Mapping[str, object]] = []

    async def ask(self, wish: Mapping[str, object] | None) -> Sequence[Mapping[str, Any]]:
        if wish is not None and wish["target"] != "node-1":
            raise DemonstrationError("there is no such node")
        self.wishes += [wish] if wish is not None else []
        return [{"kind": "kill-node", "target": "node-1", "parts": ["node-1"], "stands": bool(self.wishes)}]


@pytest.fixture
def dev() -> Dev:
    return Dev()


@pytest.fixture
async def there(node: SingleNode, dev: Dev) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a node that `dev` started."""
    settings = ApiSettings(insecure=False, demonstration=dev)
    app = create_app(node, settings, Gateway(node, settings))
    app.start()
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="http://node-1"
    ) as found:
        yield found
    await app.close()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_plain_node_has_no_such_path(client: httpx2.AsyncClient, method: str) -> None:
    reply = await client.request(method, PATH, json=WISH if method == "POST" else None)
    assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")
    assert PATH not in (await client.get("/openapi.json")).json()["paths"]


async def test_an_administrator_breaks_and_sees_it(there: httpx2.AsyncClient, dev: Dev) -> None:
    admin = bearer(ADMIN_TOKEN)
    before = (await there.get(PATH, headers=admin)).json()["items"]
    assert [(fault["target"], fault["stands"], fault["leads"]) for fault in before] == [
        ("node-1", False, True)
    ]
    assert (await there.post(f"{PATH}?dry_run=true", json=WISH, headers=admin)).status_code == 200
    assert dev.wishes == []
    after = (await there.post(PATH, json=WISH, headers=admin)).json()["items"]
    assert dev.wishes == [WISH]
    assert after[0]["stands"]
    refused = await there.post(PATH, json={**WISH, "target": "node-9"}, headers=admin)
    assert (refused.status_code, refused.json()["detail"]) == (409, "there is no such node")


@pytest.mark.parametrize(
    "body", [{}, [], {**WISH, "more": 1}, {**WISH, "stands": 1}, {**WISH, "target": None}], ids=str
)
async def test_a_wish_that_is_none_is_refused(there: httpx2.AsyncClient, dev: Dev, body: object) -> None:
    assert (await there.post(PATH, json=body, headers=bearer(ADMIN_TOKEN))).status_code in (400, 422)
    assert dev.wishes == []


async def test_nobody_else_breaks_anything(
    there: httpx2.AsyncClient, node: SingleNode, dev: Dev
) -> None:
    for role in ("viewer", "operator", "submitter"):
        node.apply(PutToken(role, hashlib.sha256(role.encode()).digest(), role))
        assert (await there.get(PATH, headers=bearer(role))).status_code == 200
        assert (await there.post(PATH, json=WISH, headers=bearer(role))).status_code == 403
    assert (await there.post(PATH, json=WISH)).status_code == 401
    # A page of another site sends the cookie, and cannot know the CSRF token.
    assert (await there.post("/v1/session", json={"token": ADMIN_TOKEN})).status_code in (200, 201)
    assert (await there.post(PATH, json=WISH)).json()["type"] == "/problems/csrf"
    assert dev.wishes == []
