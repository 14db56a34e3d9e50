"""TLS, tokens, large frames and executors of others, on real sockets."""

from __future__ import annotations

import asyncio
import datetime
import os
import ssl
from collections.abc import Collection, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path

import msgpack
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent import executors as executors_module
from agent.clock import NodeClock
from agent.connection import Connection, _frames
from agent.executors import executors
from agent.executors.command import CONTROL_GROUP
from agent.executors.contract import Capabilities, Launch
from agent.executors.contract import Host as ExecutorHost
from agent.exits import Exit
from agent.spool import groups
from agent.spool.wire import Command
from agent.trust import Trust
from scheduler.protocol import (
    FRAME_BYTES_MAX,
    LEASE_MS,
    RESERVES,
    Claim,
    Finished,
    Hello,
    Message,
    Ping,
    Pong,
    Ran,
    Recount,
    Welcome,
    encode,
)
from tests.agent.fake_node import FakeNode, assign, shell
from tests.agent.host import Host, until
from tests.scheduler.story import KINDS


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "cert.pem", folder / "key.pem"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file


async def test_a_node_behind_tls_is_checked(tmp_path: Path) -> None:
    certificate_file, key_file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    async with FakeNode(tls=context) as node:
        host = Host(tmp_path, [f"https://localhost:{node.port}"])
        try:
            host.start()
            await until(lambda: "CERTIFICATE_VERIFY_FAILED" in host.log())
            assert not node.hellos
            host.kill()
            host.settings["ca"] = f'"{certificate_file}"'
            host.start()
            await node.connected()
            await node.send(shell(1, "exit 3"))
            assert (await node.finished(1)).exit_code == 3
        finally:
            host.close()


async def test_a_wrong_token_is_said_and_a_renewed_one_taken(host: Host, node: FakeNode) -> None:
    token = host.folder / "token"
    token.write_text("wrong")
    host.settings.update(token='""', token_file=f'"{token}"')
    host.start()
    await until(lambda: "HTTP 401" in host.log())
    assert not node.hellos
    token.write_text("secret")
    await node.connected()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([[28]], "not a frame of agent messages"),
        ([], "a frame without a message"),
        ([[99, 1]], "not a frame of agent messages"),
        ([[20, "1", "cluster-a", 0, 1, "fake", [], ""]], "Welcome with another agent"),
        ([[20, 1, "cluster-a", 0, 1, "fake", [1], ""]], "Welcome with another addresses"),
        ([[5, 1, 1]], "Ping is no word of a node"),
        ([[20, 1, "cluster-a", 0, 1, "fake", [], ""], [26, "now", 1, 1, True]], "Pong with another sent_ms"),
    ],
)
async def test_a_node_that_speaks_otherwise_is_left_for_another(
    tmp_path: Path, node: FakeNode, answer: list[object], said: str
) -> None:
    """An older or a newer one, in the middle of an upgrade: it is named in the log, and the agent goes on."""
    async with FakeNode() as other:
        other.says = {Hello: msgpack.packb(answer)}
        node.addresses = (other.url, node.url)
        host = Host(tmp_path, [other.url, node.url])
        try:
            host.start()
            await node.connected()
            line = f"left {other.url}: it speaks otherwise than this agent"
            await until(lambda: line in host.log() and said in host.log())
            await node.send(assign(1, {"kind": "noop"}))
            assert (await node.finished(1)).exit_code == 0

            other.says = {}
            await node.close_sockets()
            await other.until(lambda: any(isinstance(each, Ping) for each in other.heard))
        finally:
            host.close()


@pytest.mark.parametrize("fixed", [False, True])
async def test_an_agent_behind_proxies_takes_no_other_address(
    host: Host, node: FakeNode, fixed: bool
) -> None:
    async with FakeNode() as told, FakeNode() as configured:
        node.addresses = (told.url,)
        host.nodes = [node.url, configured.url] if fixed else [node.url]
        host.settings["fixed_nodes"] = str(fixed).lower()
        host.start()
        await node.connected()
        await node.__aexit__()  # gone for good

        chosen, other = (configured, told) if fixed else (told, configured)
        await chosen.connected()
        assert not other.hellos


async def test_many_large_ends_fit_into_frames(host: Host, node: FakeNode) -> None:
    node.acknowledges = False
    host.settings["slots"] = "400"
    host.start()
    await node.connected()
    count = 300  # 16 KiB each: more than one frame holds
    await node.send(*[shell(a, "head -c 20000 /dev/zero; exit 1") for a in range(1, count + 1)])
    await node.until(lambda: len({end.attempt for end in node.all(Finished)}) == count)
    node.acknowledges = True
    await node.close_sockets()
    second = len(node.heard)
    await node.until(
        lambda: len({m.attempt for m in node.heard[second:] if isinstance(m, Finished)}) == count
    )
    assert len(node.hellos[1].held) == count


def test_frames_keep_the_order_and_the_limit() -> None:
    messages = [
        Finished(n, n, 1, 2, 1, "exit", None, "", os.urandom(16 << 10)) if n % 3 else Claim(n, "c")
        for n in range(1, 900)
    ]
    frames = _frames(list(messages))
    assert [m for frame in frames for m in frame] == messages
    assert max(len(encode(frame)) for frame in frames) < FRAME_BYTES_MAX
    assert _frames([Ping(1, 1)]) == [[Ping(1, 1)]]


async def test_it_says_which_kinds_of_work_it_can_run(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    said = node.hellos[0].kinds
    known = tuple(sorted((*KINDS, RESERVES)))
    assert tuple(kind for kind in said if not kind.endswith(f".{CONTROL_GROUP}")) == known
    assert ("shell.cgroup" in said) is groups.are_possible()


class Recorder:
    """What an executor tells its host."""

    def __init__(self) -> None:
        self.ends: list[Exit] = []
        self.commands: list[Command] = []

    def spool(self, commands: Sequence[Command]) -> None:
        self.commands += commands

    def cancel_spooled(self, attempt: int) -> None:
        raise AssertionError("nothing was spooled")

    def started(self, attempt: int, started_ms: int) -> None:
        raise AssertionError("nothing was started")

    def finished(self, end: Exit) -> None:
        self.ends.append(end)


class Echo:
    def __init__(self, host: ExecutorHost) -> None:
        self._host = host

    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({"echo"}), outlives=False)

    def recover(self, attempts: Collection[int]) -> frozenset[int]:
        return frozenset()

    def launch(self, launches: Sequence[Launch]) -> None:
        for launch in launches:
            tail = str(launch.assign.work["text"]).encode()
            self._host.finished(Exit(launch.assign.attempt, 1, 2, 0, None, "exit", "", tail, len(tail)))

    def cancel(self, attempt: int) -> None:
        """It has ended already."""


def test_an_entry_point_adds_a_kind_and_a_broken_one_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    points = [
        EntryPoint("echo", f"{__name__}:Echo", executors_module.GROUP),
        EntryPoint("broken", "no_such_module_here:Thing", executors_module.GROUP),
        EntryPoint("shell", f"{__name__}:Echo", executors_module.GROUP),
        EntryPoint("parrot", f"{__name__}:Echo", executors_module.GROUP),
        EntryPoint("echo.loud", f"{__name__}:Echo", executors_module.GROUP),
    ]
    monkeypatch.setattr(executors_module, "entry_points", lambda group: points)
    host = Recorder()
    found = executors(host)
    assert set(found) == {"shell", "exec", "script", "http", "ssh", "noop", "echo"}
    assert not isinstance(found["shell"], Echo)
    assert "broken" in caplog.text
    assert "does not say that it can run parrot" in caplog.text
    assert "echo.loud stands for what is known of echo" in caplog.text
    found["echo"].launch([Launch(assign(5, {"kind": "echo", "text": "hi"}), {}, 0.0, 1)])
    assert [(end.attempt, end.tail) for end in host.ends] == [(5, b"hi")]


class Ears:
    """What a connection tells its listener of leases; the rest of it does not matter here."""

    def __init__(self) -> None:
        self.leases: list[float] = []
        self.heard: list[Message] = []

    def lease(self, until_boot_ms: float) -> None:
        self.leases.append(until_boot_ms)

    def receive(self, messages: list[Message]) -> None:
        self.heard += messages

    def hello(self, nonce: bytes) -> Hello:
        raise NotImplementedError

    async def recount(self, asked: Recount) -> Ran | str:
        raise NotImplementedError

    def accept(self, welcome: Welcome) -> str:
        raise NotImplementedError

    def beat(self) -> int:
        return 0

    def slots(self) -> int:
        return 1

    def waiting(self) -> bool:
        return False


async def test_only_a_pong_that_renews_renews_leases_and_from_the_sending_of_its_ping() -> None:
    ears = Ears()
    connection = Connection(("http://127.0.0.1:1",), lambda: "", Trust(None), NodeClock(), ears)
    connection._hear([Pong(1_000, 5, 1, False)])
    assert ears.leases == []
    connection._hear([Pong(2_000, 6, 1, True)])
    assert ears.leases == [2_000 + LEASE_MS]
    assert len(ears.heard) == 2


@pytest.mark.parametrize(("status", "serves"), [(b"200 OK", True), (b"503 Service Unavailable", False)])
async def test_to_see_whether_its_first_node_serves_no_certificates_are_loaded_without_tls(
    monkeypatch: pytest.MonkeyPatch, status: bytes, serves: bool
) -> None:
    """It looks every few seconds, and to load what all the world trusts takes 20 ms of its loop."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET /readyz ")
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
        writer.close()

    loaded: list[object] = []
    for name in ("load_verify_locations", "load_default_certs"):
        monkeypatch.setattr(ssl.SSLContext, name, lambda *given, **named: loaded.append(given))
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        connection = Connection((url,), lambda: "", Trust(None), NodeClock(), Ears())
        assert await connection._home_serves() is serves
    assert loaded == []
