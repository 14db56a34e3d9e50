"""Wrong tokens commit nothing, are limited by address, and keep no right one out."""

from __future__ import annotations

import hashlib

import httpx2
import pytest

from api.app import Api
from api.failures import ADDRESSES_MAX, BURST, EVERY_S, Failures
from api.problems import Problem
from scheduler.words.commands import PutToken
from tests.api.served import DEADLINE_S, served
from tests.api.single_node import ADMIN_TOKEN, SingleNode
from tests.api.within import client_of

PATH = "/v1/jobs?consistency=stale"


@pytest.fixture
def unforgiving(monkeypatch: pytest.MonkeyPatch) -> None:
    """No guess is forgiven while the next ones are on their way, however slow the machine is."""
    monkeypatch.setattr("api.failures.EVERY_S", 3_600.0)


@pytest.mark.usefixtures("unforgiving")
async def test_an_address_with_many_wrong_tokens_waits_and_others_do_not(api: Api, node: SingleNode) -> None:
    before = node.index
    async with client_of(api, "wrong", address="10.0.0.1") as guesser:
        replies = [await guesser.get(PATH) for _ in range(BURST + 5)]
        assert [reply.status_code for reply in replies[:BURST]] == [401] * BURST
        last = replies[-1]
        assert (last.status_code, last.json()["type"]) == (429, "/problems/too-many-failures")
        assert int(last.headers["retry-after"]) >= 1
        session = await guesser.post("/v1/session")
        assert session.status_code == 429
    async with client_of(api, "wrong", address="10.0.0.2") as other:
        assert (await other.get(PATH)).status_code == 401
    async with client_of(api, ADMIN_TOKEN, address="10.0.0.1") as neighbour:
        assert (await neighbour.get(PATH)).status_code == 200
        text = (await neighbour.get("/metrics")).text
    assert f'cronclave_wrong_tokens_total{{judged="unknown"}} {BURST + 1}.0' in text
    assert 'cronclave_wrong_tokens_total{judged="limited"}' in text
    assert node.index == before


async def test_a_token_made_elsewhere_is_asked_for_by_a_patient_address(api: Api, node: SingleNode) -> None:
    async with client_of(api, "fresh", address="10.0.0.1") as client:
        for _ in range(BURST - 1):
            assert (await client.get(PATH)).status_code == 401
        node.unheard.append(PutToken("fresh", hashlib.sha256(b"fresh").digest(), "viewer"))
        assert (await client.get(PATH)).status_code == 200


@pytest.mark.usefixtures("unforgiving")
async def test_an_agent_with_a_wrong_token_is_limited_too(api: Api) -> None:
    sent = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: object) -> None:
        sent.append(message)

    scope = {
        "type": "websocket", "path": "/v1/agent", "client": ("10.0.0.9", 1), "subprotocols": [],
        "headers": [(b"authorization", b"Bearer wrong")], "extensions": {"websocket.http.response": {}},
    }  # fmt: skip
    for _ in range(BURST + 1):
        await api(scope, receive, send)
    statuses = [message["status"] for message in sent if "status" in message]  # type: ignore[index,operator]
    assert statuses == [401] * BURST + [429]


def test_patience_is_rewarded() -> None:
    failures = Failures("wait")
    for _ in range(BURST):
        failures.look("a", 100.0)
        failures.note("a", 100.0)
    with pytest.raises(Problem):
        failures.look("a", 100.0)
    failures.look("a", 100.0 + EVERY_S)
    failures.note("a", 100.0 + EVERY_S)
    with pytest.raises(Problem):
        failures.look("a", 100.0 + EVERY_S)


def test_the_table_of_addresses_is_bounded() -> None:
    failures = Failures("wait")
    for number in range(ADDRESSES_MAX + 100):
        failures.note(str(number), 100.0)
    assert len(failures) == ADDRESSES_MAX


@pytest.mark.usefixtures("unforgiving")
async def test_nobody_names_the_address_that_a_request_came_from(api: Api) -> None:
    """On loopback each guess could be another's, and a session of plain http pass for one of https."""
    async with served(api) as url, httpx2.AsyncClient(base_url=url, timeout=DEADLINE_S) as client:
        for number in range(BURST + 1):
            forwarded = {"X-Forwarded-For": f"10.0.{number}.1", "Authorization": "Bearer wrong"}
            last = await client.get(PATH, headers=forwarded)
        assert last.status_code == 429
        headers = {"X-Forwarded-Proto": "https", "Authorization": f"Bearer {ADMIN_TOKEN}"}
        begun = await client.post("/v1/session", headers=headers)
        assert "Secure" not in begun.headers["set-cookie"]
