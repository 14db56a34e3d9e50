"""Half-sent, oversized, slow and ambiguous requests: each costs its connection, and nobody else a thing."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvloop

from api import bodies, crowd, handshakes, server
from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.crowd import Connections, origin
from api.ports import ApiSettings
from api.server import PIPELINED_MAX
from scheduler.words.commands import PutToken
from tests.api.served import served
from tests.api.single_node import SingleNode
from tests.api.strangers import HALF_A_LOGIN, Raw, asked, request, strangers, until
from tests.cluster.certificates import Certificates

HEALTH = request("GET /healthz", token=None)
KNOWN = request("GET /v1/jobs?consistency=stale")


def kind(body: bytes) -> str:
    told: str = json.loads(body)["type"].removeprefix("/problems/")
    return told


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience that a test can wait for, and that a right client on a busy machine keeps well within."""
    for name in ("HEAD_S", "WRITE_S", "DRAIN_S"):
        monkeypatch.setattr(server, name, 1.5)
    monkeypatch.setattr(handshakes, "HANDSHAKE_S", 2.5)
    monkeypatch.setattr(bodies, "BODY_S", 1.5)
    monkeypatch.setattr(crowd, "LOOK_S", 0.05)


async def test_half_sent_logins_keep_nobody_out(api: Api) -> None:
    async with served(api) as url, strangers(url, 600) as many:
        for each in many:
            each.send(HALF_A_LOGIN)
        assert (await asked(url, HEALTH))[0] == 200
        assert (await asked(url, KNOWN))[0] == 200
        assert (await asked(url, request("PUT /v1/jobs/job", body=b'{"noop": true}')))[0] == 201


async def test_health_is_answered_however_much_is_at_work(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.door.REQUESTS_MAX", 0)
    async with served(api) as url:
        for path in ("/healthz", "/healthy.html", "/readyz"):
            assert (await asked(url, request(f"GET {path}", token=None)))[0] == 200
        assert (await asked(url, KNOWN))[0] == 503


@pytest.mark.parametrize("query", ["index=BIG", "index=BIG&w%61it=60s", "min_index=BIG"])
async def test_who_waits_is_not_at_work_however_it_is_written(
    api: Api, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setattr("api.door.REQUESTS_MAX", 2)
    waits = request(f"GET /v1/jobs?{query.replace('BIG', str(1 << 61))}")
    async with served(api) as url, strangers(url, 5) as many:
        for each in many:
            each.send(waits)
        await until(lambda: api._door._waiting == 5, "they wait")
        assert (await asked(url, KNOWN))[0] == 200
        assert (await asked(url, request("GET /v1/jobs?min_index=1")))[0] == 200


async def test_those_of_one_token_who_wait_leave_room_for_others(
    api: Api, node: SingleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.door.WAITING_OF_TOKEN_MAX", 3)
    node.apply(PutToken("other", hashlib.sha256(b"another").digest(), "viewer"))
    path = f"GET /v1/jobs?index={1 << 61}&wait="
    async with served(api) as url, strangers(url, 3) as many:
        for each in many:
            each.send(request(path + "60s"))
        await until(lambda: api._door._waiting == 3, "they wait")
        assert (await asked(url, request(path + "10ms")))[0] == 429
        assert (await asked(url, request(path + "10ms", token="another")))[0] == 200


async def test_a_token_is_judged_before_the_body_is_read(api: Api) -> None:
    async with served(api) as url:
        for token in (None, "wrong"):
            head = request("PUT /v1/jobs/job", token=token, length=1 << 20)
            status, _, body = await asked(url, head)
            assert (status, kind(body)) == (401, "unauthorized")
        status, headers, _ = await asked(
            url, request("PUT /v1/jobs/job", "Expect: 100-continue", token=None, length=1 << 20)
        )
        assert (status, headers["connection"]) == (401, "close")


async def test_who_expects_a_100_gets_it_with_a_right_token(api: Api) -> None:
    async with served(api) as url, strangers(url) as (one,):
        one.send(request("PUT /v1/jobs/job", "Expect: 100-continue", length=14))
        assert (await one.reply())[0] == 100
        one.send(b'{"noop": true}')
        status, headers, _ = await one.reply()
        assert (status, headers.get("connection")) == (201, None)


async def test_the_body_of_a_login_is_small(api: Api) -> None:
    async with served(api) as url:
        for length in (5_000, 20 << 20):
            login = request("POST /v1/session", token=None, length=length, body=b"x" * 5_000)
            status, _, body = await asked(url, login)
            assert (status, kind(body)) == (413, "too-large")


@pytest.mark.usefixtures("short")
async def test_what_does_not_come_in_time_is_answered_with_408(api: Api) -> None:
    async with served(api) as url, strangers(url, 4) as (head, login, job, silent):
        head.send(b"GET /healthz HTTP/1.1\r\nHost: ")
        login.send(HALF_A_LOGIN)
        job.send(request("PUT /v1/jobs/job", length=14, body=b'{"noop"'))
        for each in (head, login, job):
            status, headers, body = await each.reply()
            assert (status, kind(body), headers["connection"]) == (408, "too-slow", "close")
            assert await each.rest() == b""
        assert await silent.rest() == b""


@pytest.mark.usefixtures("short")
async def test_drops_of_a_head_buy_no_time(api: Api) -> None:
    async with served(api) as url, strangers(url) as (one,):
        one.send(b"GET /healthz HTTP/1.1\r\n")

        async def drip() -> None:
            while not one.writer.is_closing():
                one.send(b"X-A: b\r\n")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert (await one.reply())[0] == 408
        dripping.cancel()


@pytest.mark.usefixtures("short")
async def test_a_body_nobody_asked_for_buys_no_time_either(api: Api) -> None:
    async with served(api) as url, strangers(url) as (one,):
        one.send(request("GET /healthz", token=None, length=100))
        assert (await one.reply())[0] == 200
        assert await one.rest() == b""


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\nHost: n\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: n\r\nX-Long: " + b"x" * 40_000,
        b"GET /healthz HTTP/1.1\r\nHost: n\r\n" + b"".join(b"X-%d: 1\r\n" % i for i in range(200)) + b"\r\n",
        b"GET /healthz?" + b"q" * 40_000 + b" HTTP/1.1\r\nHost: n\r\n\r\n",
        b"GET /" + b"p" * 40_000,
    ],
    ids=["header", "half a header", "many headers", "target", "half a target"],
)
async def test_a_large_head_is_refused_with_431(api: Api, head: bytes) -> None:
    async with served(api) as url, strangers(url) as (one,):
        for start in range(0, len(head), 10_000):
            one.send(head[start : start + 10_000])
        status, headers, body = await one.reply()
        assert (status, kind(body), headers["connection"]) == (431, "head-too-large", "close")


async def test_a_long_body_is_no_large_head(api: Api) -> None:
    body = json.dumps({"noop": True, "description": "x" * 3_000}).encode()
    async with served(api) as url, strangers(url) as (one,):
        one.send(request("PUT /v1/jobs/a", body=body) + request("PUT /v1/jobs/b", body=body) + HEALTH[:20])
        assert [(await one.reply())[0], (await one.reply())[0]] == [201, 201]
        one.send(HEALTH[20:])
        assert (await one.reply())[0] == 200


@pytest.mark.parametrize(
    "data",
    [
        b"POST /v1/session HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        b"POST /v1/session HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/session HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n",
        b"POST /v1/session HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"POST /v1/session HTTP/1.1\r\nContent-Length : 4\r\n\r\nabcd",
        b"POST /v1/session HTTP/1.1\r\nContent-Length: +4\r\n\r\nabcd",
        b"GET /healthz HTTP/1.1\r\nX: a\r\n folded\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"CONNECT n:80 HTTP/1.1\r\nHost: n\r\n\r\n",
    ],
)
async def test_what_could_be_read_in_two_ways_is_refused_as_a_problem(api: Api, data: bytes) -> None:
    async with served(api) as url, strangers(url) as (one,):
        one.send(data)
        status, headers, body = await one.reply()
        assert status in (400, 404, 405)
        assert headers["content-type"] == "application/problem+json"
        assert json.loads(body)["status"] == status
        assert (await asked(url, HEALTH))[0] == 200


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET http://n/healthz", 200),
        ("HEAD /healthz", 405),
        ("OPTIONS *", 401),
        ("OPTIONS /healthz", 405),
        ("POST /healthz", 405),
    ],
)
async def test_unusual_requests_get_usual_answers(api: Api, line: str, status: int) -> None:
    async with served(api) as url, strangers(url) as (one,):
        one.send(request(line, token=None))
        found = (await one.reader.readline()).split()
        assert int(found[1]) == status


async def test_requests_that_are_sent_ahead_are_few(api: Api) -> None:
    async with served(api) as url, strangers(url) as (one,):
        one.send(HEALTH * 500)  # less than a large head
        answered = (await one.rest()).count(b"HTTP/1.1 200")
        assert answered <= PIPELINED_MAX + 1
        assert (await asked(url, HEALTH))[0] == 200


async def test_the_stranger_that_waited_longest_makes_room(api: Api) -> None:
    counted = Connections(80)
    async with served(api, counted) as url, strangers(url, 1) as (known,):
        known.send(KNOWN)
        assert (await known.reply())[0] == 200
        async with strangers(url, 100) as many:
            for each in many:
                each.send(HALF_A_LOGIN)
            assert (await asked(url, HEALTH))[0] == 200
            assert (await asked(url, KNOWN))[0] == 200
            await until(lambda: sum(each.is_over for each in many) >= 90, "the first have gone")
            assert not many[-1].is_over
            assert len(counted) <= 80
            known.send(KNOWN)
            assert (await known.reply())[0] == 200
        await until(lambda: len(counted) == 1, "all that ended is forgotten")


async def test_clients_with_a_token_share_an_address_without_a_limit(api: Api) -> None:
    counted = Connections(80)
    async with served(api, counted) as url, contextlib.AsyncExitStack() as held:
        for _ in range(40):
            (one,) = await held.enter_async_context(strangers(url))
            one.send(KNOWN)
            assert (await one.reply())[0] == 200
        assert len(counted) == 40
        assert counted.pushed_out == 0


async def test_beyond_the_most_a_client_with_a_token_is_served_and_not_kept(api: Api) -> None:
    counted = Connections(16)
    closed = []
    async with served(api, counted) as url, contextlib.AsyncExitStack() as held:
        for _ in range(15):
            (one,) = await held.enter_async_context(strangers(url))
            one.send(KNOWN)
            status, headers, _ = await one.reply()
            assert status == 200
            closed.append(headers.get("connection") == "close")
    assert closed == [False] * 14 + [True]


@pytest.mark.usefixtures("short")
async def test_who_does_not_read_its_replies_is_cut_off(api: Api) -> None:
    counted = Connections()
    async with served(api, counted) as url, strangers(url) as (one,):
        one.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's has it
        for _ in range(400):  # each gets some 100 KB
            one.send(request("GET /openapi.json", token=None))
            await asyncio.sleep(0)
        await until(lambda: len(counted) == 0, "the slow reader is gone")
        assert (await asked(url, HEALTH))[0] == 200


async def test_bodies_share_a_budget_and_small_ones_need_none(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.bodies.BYTES_ALL_MAX", 1 << 20)
    half = request("PUT /v1/jobs/job", length=1 << 20, body=b"x" * (500 << 10))
    async with served(api) as url, strangers(url, 3) as (first, *others):
        first.send(half)
        await until(lambda: api.reading.bytes_held > 400 << 10, "the first is on its way")
        for each in others:
            each.send(half)
            status, _, body = await each.reply()
            assert (status, kind(body)) == (503, "overloaded")
        assert (await asked(url, request("PUT /v1/jobs/job", body=b'{"noop": true}')))[0] == 201
        first.writer.transport.abort()
        await until(lambda: api.reading.bytes_held == 0, "what it held is given back")


async def test_unsigned_bodies_of_one_address_keep_no_other_out(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.bodies.BYTES_ALL_MAX", 1 << 20)  # an address has 128 KiB
    large = request("POST /v1/hooks/deploys", length=120 << 10, body=b"x" * (100 << 10), token=None)
    async with served(api) as url, strangers(url, 2) as (first, second):
        first.send(large)
        await until(lambda: api.reading.bytes_held > 90 << 10, "the first is on its way")
        second.send(large)
        status, _, body = await second.reply()
        assert (status, kind(body)) == (503, "overloaded")
        async with strangers(url, own="127.0.0.2") as (other,):
            other.send(large)
            await until(lambda: api.reading.bytes_held > 190 << 10, "another address is heard")
        first.writer.transport.abort()
        await until(lambda: api.reading.bytes_held == 0, "what they held is given back")


async def test_an_upgrade_without_a_token_is_refused_and_gone(api: Api) -> None:
    counted = Connections()
    upgrade = request(
        "GET /v1/agent", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", token=None,
    )  # fmt: skip
    async with served(api, counted) as url, strangers(url) as (one,):
        one.send(upgrade)
        assert (await one.reply())[0] == 401
        await until(lambda: len(counted) == 0, "its socket is gone")


@pytest.mark.usefixtures("short")
async def test_a_handshake_of_tls_is_counted_and_ends_in_time(api: Api, tmp_path: Path) -> None:
    await shaking_hands(api, tmp_path)


@pytest.mark.usefixtures("short")
def test_so_it_does_on_the_loop_of_production(tmp_path: Path) -> None:
    async def story() -> None:
        node = SingleNode(tmp_path)
        settings = ApiSettings(insecure=False, urls={})
        await shaking_hands(create_app(node, settings, Gateway(node, settings)), tmp_path)
        node.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())


async def shaking_hands(api: Api, tmp_path: Path) -> None:
    files = Certificates(tmp_path / "ca", "c").issue("node-1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=str(files.trust))
    counted = Connections(80)
    async with served(api, counted, context) as url:
        address = urlsplit(url)
        for _ in range(3):
            reader, writer = await asyncio.open_connection(address.hostname, address.port, ssl=client)
            one = Raw(reader, writer)
            one.send(HEALTH)
            assert (await one.reply())[0] == 200
            one.send(request("PUT /v1/jobs/job", body=json.dumps({"run": "x" * 60_000}).encode()))
            assert (await one.reply())[0] in (200, 201)
            writer.close()
        one = Raw(*await asyncio.open_connection(address.hostname, address.port, ssl=client))
        one.send(b"GET /healthz HTTP/1.1\r\n")
        assert (await one.reply())[0] == 408
        one.writer.close()
        async with strangers(url, 30) as many:
            assert len(counted) <= 12
            many[-1].send(b"\x16\x03\x01")
            many[-2].send(b"GET / HTTP/1.1\r\n\r\n")
            for each in many:
                await each.rest()
        await until(lambda: len(counted) == 0, "none is left")
        one = Raw(*await asyncio.open_connection(address.hostname, address.port, ssl=client))
        one.send(HEALTH)
        assert (await one.reply())[0] == 200
        one.writer.transport.abort()


def test_a_host_is_one_address_however_many_it_has() -> None:
    assert origin("2001:db8::1") == origin("2001:db8::ffff:1") != origin("2001:db8:0:1::1")
    assert origin("::ffff:10.0.0.1") == origin("10.0.0.1") == "10.0.0.1"
    assert origin("") == ""
