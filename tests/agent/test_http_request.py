"""The process of an `http` task, against a server that answers as it is told."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent import http_request
from agent.executors.command import CommandExecutor
from agent.executors.suite import Sample, hold
from scheduler.model import request as model
from scheduler.protocol import Claim, Grant
from tests.agent.fake_node import DEADLINE_S, FakeNode, assign
from tests.agent.host import Host
from tests.cluster.certificates import Certificates
from tests.node.effects.receiver import receiving

USUAL: dict[str, Any] = {
    "method": "GET", "headers": {}, "expect": ["2xx"], "redirects": 0, "silence_ms": 30_000, "outputs": [],
}  # fmt: skip


@dataclass
class Server:
    """Says one answer after the other, then the last for ever; keeps what it is asked."""

    answers: list[bytes]
    heard: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.heard.append((line, headers, body))
        writer.write(self.answers[0] if len(self.answers) == 1 else self.answers.pop(0))
        await writer.drain()
        writer.close()


@asynccontextmanager
async def serving(*answers: bytes) -> AsyncIterator[Server]:
    told = Server(list(answers))
    server = await asyncio.start_server(told.serve, "127.0.0.1", 0)
    told.port = server.sockets[0].getsockname()[1]
    try:
        yield told
    finally:
        server.close()


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def ask(url: str, environment: dict[str, str] | None = None, **asked: Any) -> tuple[int, bytes, str]:
    """Exit code, what came and what was said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-m", "agent.http_request", env=environment or {},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    given = json.dumps({**USUAL, **asked, "url": url}).encode()
    async with asyncio.timeout(DEADLINE_S):
        out, errors = await process.communicate(given)
    assert process.returncode is not None
    return process.returncode, out, errors.decode()


async def test_the_answer_is_its_output_and_one_line_tells_of_it() -> None:
    async with serving(answer("200 OK", b"a\0\xffb")) as server:
        code, out, said = await ask(server.url("/x?y=1"))
    assert (code, out) == (0, b"a\0\xffb")
    assert said == f"\nGET {server.url('/x?y=1')}: 200 OK, 4 bytes\n", "a line by itself"
    async with serving(answer("200 OK", b"line\n")) as other:
        assert (await ask(other.url()))[2] == f"GET {other.url()}: 200 OK, 5 bytes\n"
    line, headers, _ = server.heard[0]
    assert line == "GET /x?y=1 HTTP/1.1"
    assert headers["user-agent"] == "cronclave"


async def test_variables_are_filled_in_where_they_stand_and_cannot_leave_their_place() -> None:
    values = {"PART": "a/b ?&ü", "TOKEN": "s3cret", "SAID": 'x"y\n', "N": "7"}
    async with serving(answer("204 No Content")) as server:
        code, _, said = await ask(
            "${BASE}/p/${PART}?q=${PART}&plain=$${PART}&$N",
            {**values, "BASE": server.url("/v1")},
            method="POST",
            headers={"Authorization": "Bearer ${TOKEN}"},
            json={"text": ["${SAID}", 1, None], "n": "${N}"},
        )
    assert code == 0, said
    line, headers, body = server.heard[0]
    encoded = "a%2Fb%20%3F%26%C3%BC"
    assert line == f"POST /v1/p/{encoded}?q={encoded}&plain=$%7BPART%7D&$N HTTP/1.1"
    assert headers["authorization"] == "Bearer s3cret"
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {"text": ['x"y\n', 1, None], "n": "7"}
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"url": "http://127.0.0.1:1/${NONE}"}, "url: there is no variable NONE"),
        ({"url": "${PLAIN}"}, "url: 'word' is no address of http or https"),
        ({"headers": {"X-A": "${LINES}"}}, "headers: X-A would hold a line end"),
        ({"method": "POST", "body": "${NONE}"}, "body: there is no variable NONE"),
        ({"method": "POST", "json": {"a": "${NONE}"}}, "json: there is no variable NONE"),
        ({"url": "${BRACKET}/x"}, "url: 'http://[::1/x' is no address of http or https"),
        ({"url": "${PORT}/x"}, "url: 'http://127.0.0.1:word/x' is no address of http or https"),
        ({"url": "${USER}/x"}, "url: a user or password in an address is not sent"),
        ({"url": "http://127.0.0.1:1/apps/${UP}/x?a=.."}, "url: with its variables the path has a step"),
        ({"url": "http://127.0.0.1:1/apps/${DOT}${DOT}"}, "url: with its variables the path has a step"),
    ],
)
async def test_what_cannot_be_filled_in_is_said_and_nothing_is_sent(asked: dict[str, Any], said: str) -> None:
    async with serving(answer("200 OK")) as server:
        values = {
            "PLAIN": "word", "LINES": "a\r\nX-Forged: 1", "BRACKET": "http://[::1", "UP": "..", "DOT": ".",
            "PORT": "http://127.0.0.1:word", "USER": "http://ann:word@127.0.0.1:1",
        }  # fmt: skip
        code, _, told = await ask(**{"url": server.url(), "environment": values, **asked})
    assert code == http_request.WRONG
    assert said in told
    assert server.heard == []


@pytest.mark.parametrize(
    ("status", "expect", "code"),
    [
        ("200 OK", ["2xx"], 0),
        ("404 Not Found", ["2xx"], 22),
        ("404 Not Found", ["2xx", "404"], 0),
        ("206 Partial Content", ["200-203"], 22),
        ("203 Other", ["200-203"], 0),
        ("500 Broken", ["2xx"], 75),
        ("429 Later", ["2xx"], 75),
        ("503 Later", ["5xx"], 0),
        ("501 Never", ["2xx"], 22),
        ("302 Found", ["2xx"], 22),
    ],
)
async def test_the_exit_code_says_what_is_worth_trying_again(
    status: str, expect: list[str], code: int
) -> None:
    async with serving(answer(status, b"why")) as server:
        found, out, said = await ask(server.url(), expect=expect)
    assert (found, out) == (code, b"why")
    assert (f"not {', '.join(expect)}" in said) == (code != 0)


async def test_what_goes_wrong_on_the_way_has_a_code_of_its_own(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    assert (await ask(nobody))[0] == http_request.CONNECT
    assert (await ask("http://no-such-host.invalid/"))[0] == http_request.NAME
    async with receiving("hang") as receiver:
        assert (await ask(receiver.url(), silence_ms=300))[0] == http_request.LATE
    async with receiving("reset") as receiver:
        assert (await ask(receiver.url()))[0] == http_request.BROKEN
    async with receiving("half") as receiver:
        assert (await ask(receiver.url()))[0] == http_request.BROKEN
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf") as server:
        code, out, said = await ask(server.url())
        assert (code, out) == (http_request.BROKEN, b"half")
        assert "broke off" in said


async def test_a_certificate_is_checked_against_what_the_host_trusts(tmp_path: Path) -> None:
    files = Certificates(tmp_path, "c1").web("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    async with receiving("204 No Content", tls=context) as receiver:
        code, _, said = await ask(receiver.url(host="localhost"))
        assert code == http_request.TLS
        assert "certificate" in said
        trusting = {"SSL_CERT_FILE": str(files.trust)}
        assert (await ask(receiver.url(host="localhost"), trusting))[0] == 0
        assert (await ask(receiver.url(), trusting))[0] == http_request.TLS, "it is for another name"


async def test_redirects_are_followed_as_often_as_asked_and_secrets_stay_at_their_origin() -> None:
    headers = {"Authorization": "Bearer s3cret", "Accept": "text/plain"}
    async with serving(answer("200 OK", b"there")) as other:
        elsewhere = other.url("/b", host="localhost")
        async with serving(answer("302 Found", b"", f"Location: {elsewhere}")) as server:
            assert (await ask(server.url(), headers=headers))[0] == 22
            code, out, _ = await ask(server.url(), headers=headers, redirects=1)
    assert (code, out) == (0, b"there")
    _, told, _ = other.heard[0]
    assert "authorization" not in told
    assert told["accept"] == "text/plain"
    async with serving(answer("200 OK")) as other:
        elsewhere = other.url("/b", host="localhost")
        async with serving(answer("307 Again", b"", f"Location: {elsewhere}")) as server:
            code, _, said = await ask(server.url(), redirects=1, method="POST", body="s3cret")
    assert (code, other.heard) == (22, [])
    assert "which the body is not for" in said
    kept, changed = answer("307 Again", b"", "Location: /2"), answer("303 See", b"", "Location: /3")
    async with serving(kept, changed, answer("200 OK")) as server:
        code, _, _ = await ask(server.url("/1"), headers=headers, redirects=5, method="POST", body="b")
    assert code == 0
    assert [(line.split()[:2], body) for line, _, body in server.heard] == [
        (["POST", "/1"], b"b"), (["POST", "/2"], b"b"), (["GET", "/3"], b""),
    ]  # fmt: skip
    assert all(each["authorization"] == "Bearer s3cret" for _, each, _ in server.heard)
    async with serving(kept) as server:
        code, _, said = await ask(server.url("/1"), redirects=3)
    assert (code, len(server.heard)) == (22, 4)
    assert "redirected to /2" in said


async def test_a_redirect_leads_where_the_server_says_letter_for_letter() -> None:
    async with serving(answer("302 Found", b"", "Location: /ä/ö?ü=../x"), answer("200 OK")) as server:
        code, _, said = await ask(server.url("/a/../b"), redirects=1)
    assert code == 0, said
    assert [line for line, *_ in server.heard] == [
        "GET /a/../b HTTP/1.1", "GET /%C3%A4/%C3%B6?%C3%BC=../x HTTP/1.1",
    ]  # fmt: skip
    async with serving(answer("302 Found", b"", "Location: http://127.0.0.1:word/")) as server:
        code, _, said = await ask(server.url(), redirects=1)
    assert code == http_request.WRONG
    assert "no such address" in said


async def test_what_comes_before_the_answer_is_not_the_answer() -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    before = b"HTTP/1.1 102 Processing\r\n\r\n" + hint + b"HTTP/1.1 100 Continue\r\n\r\n"
    async with serving(before + answer("200 OK", b"there")) as server:
        assert (await ask(server.url()))[:2] == (0, b"there")
    async with serving(hint * (http_request._INTERIM_MAX + 1)) as server:
        code, _, said = await ask(server.url())
    assert code == http_request.BROKEN
    assert "before the answer" in said


async def test_what_is_too_long_is_not_told_by_half() -> None:
    """Half of a secret would pass its mask."""
    long = "x" * 490 + "s3cret-value" * 2
    async with serving(answer(f"302 {long}", b"", f"Location: /{long}")) as server:
        code, _, said = await ask(server.url())
    assert code == 22
    assert said == f"GET {server.url()}: 302 ({len(long)} letters), 0 bytes, " \
        f"redirected to ({len(long) + 1} letters): not 2xx\n"  # fmt: skip


async def test_fields_of_an_answer_are_outputs(tmp_path: Path) -> None:
    path = tmp_path / "outputs"
    environment = {"CRONCLAVE_OUTPUT": str(path)}
    body = b'{"id": 17, "state": "queued", "more": {"a": 1}, "other": 1}'
    async with serving(answer("201 Created", body)) as server:
        await ask(server.url(), environment, outputs=["id", "state", "more", "status"])
        assert json.loads(path.read_text()) == {"id": 17, "state": "queued", "status": 201}
    async with serving(answer("200 OK", b"no JSON")) as server:
        assert (await ask(server.url(), environment, outputs=["id", "status"]))[0] == 0
        assert json.loads(path.read_text()) == {"status": 200}
    async with serving(answer("200 OK", b'{"id": NaN, "most": -1e400, "least": 1e-9}')) as server:
        await ask(server.url(), environment, outputs=["id", "most", "least"])
        assert json.loads(path.read_text()) == {"least": 1e-9}


async def test_it_keeps_the_contract_of_executors(tmp_path: Path) -> None:
    async with receiving("204 No Content") as good, receiving("hang") as lasting:
        sample = Sample(
            "http", CommandExecutor, {"request": {**USUAL, "url": good.url()}},
            {"request": {**USUAL, "url": lasting.url()}}, {},
        )  # fmt: skip
        await hold(sample, tmp_path)


async def test_an_attempt_s_secrets_are_sent_and_never_shown(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    async with serving(answer("200 OK", b"you sent s3cret-value")) as server:
        request = {**USUAL, "url": server.url(), "headers": {"X-Key": "${KEY} ${CRONCLAVE_JOB}"}}
        node.grants = False
        await node.send(assign(1, {"kind": "http", "request": request}))
        await node.until(lambda: node.all(Claim, 1))
        claim = node.all(Claim, 1)[0]
        secrets = (("KEY", "s3cret-value", False),)
        await node.send(Grant(1, claim.claim, 1, 1, {"CRONCLAVE_JOB": "job"}, secrets))
        end = await node.finished(1)
    assert end.exit_code == 0
    assert server.heard[0][1]["x-key"] == "s3cret-value job"
    assert b"s3cret" not in end.tail
    assert b"you sent ***" in end.tail
    assert b"200 OK" in end.tail


def test_the_model_and_the_process_know_the_same_variables() -> None:
    assert model.VARIABLE.pattern == http_request._VARIABLE.pattern
