"""One suite for the real toxiproxy-server and for the stand-in: what the harness counts on, of either."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import wait
from typing import Any
from urllib.parse import quote

import pytest

from chaos.nemesis import NemesisError
from chaos.nemesis.toxi import Toxic, ToxiControl, ToxiError
from chaos.nemesis.toxi_server import STANDIN, build, start_server
from chaos.ports import LOOPBACK, Ports
from tests.chaos.conftest import PORTS

ANSWER_S = 60.0  #: far more than anything here takes
SILENCE_S = 0.3
FREE = Ports(*PORTS)


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(65536):
                self.request.sendall(data)


class _EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    """The address of a server that says everything back."""
    with _EchoServer((LOOPBACK, 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"{LOOPBACK}:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module", params=["toxiproxy", STANDIN])
def server(request: pytest.FixtureRequest) -> Iterator[ToxiControl]:
    if request.param != STANDIN:
        try:
            build()
        except NemesisError as error:
            pytest.skip(str(error))
    running = start_server(FREE, seed=1, kind=request.param)
    assert running.kind == request.param
    yield running.control
    running.end()


@pytest.fixture
def control(server: ToxiControl) -> Iterator[ToxiControl]:
    yield server
    for name in list(call(server, "GET", "/proxies")[1]):
        assert call(server, "DELETE", f"/proxies/{quote(name)}")[0] == 204


@pytest.fixture
def listen(control: ToxiControl, upstream: str) -> str:
    """The address of a proxy called px."""
    return control.create("px", upstream, f"{LOOPBACK}:{FREE.take()}")


def test_a_proxy_of_a_links_own_name_is_made_again_with_its_toxics(
    control: ToxiControl, upstream: str
) -> None:
    """`>` is written as %3E in a path: what the harness calls its links must be found again."""
    control.create("node-1>node-2", upstream, f"{LOOPBACK}:{FREE.take()}")
    cut = Toxic("cut-upstream", "timeout", "upstream", {"timeout": 0})

    control.renew("node-1>node-2", [cut])

    assert control.enabled("node-1>node-2")
    assert control.toxics("node-1>node-2") == {cut.name: cut}


def call(
    control: ToxiControl, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """The HTTP API itself, where the library has no call for it."""
    connection = http.client.HTTPConnection(LOOPBACK, control.port, timeout=ANSWER_S)
    data = body if isinstance(body, str) or body is None else json.dumps(body)
    connection.request(method, path, data, headers or {})
    reply = connection.getresponse()
    text = reply.read()
    connection.close()
    return reply.status, json.loads(text) if text.startswith((b"{", b"[")) else text


def dial(address: str, timeout_s: float = ANSWER_S) -> socket.socket:
    host, _, port = address.rpartition(":")
    peer = socket.create_connection((host, int(port)), timeout_s)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def echoed(peer: socket.socket, data: bytes = b"x" * 10) -> float:
    """Seconds until all of this came back; raises EOFError at an end, OSError at a reset or a silence."""
    began_s = time.monotonic()
    peer.sendall(data)
    got = 0
    while got < len(data):
        more = peer.recv(65536)
        if not more:
            raise EOFError(f"after {got} bytes")
        got += len(more)
    return time.monotonic() - began_s


def ended(peer: socket.socket) -> bool:
    """Whether the other end ends this connection, whatever way, instead of answering."""
    try:
        echoed(peer)
    except TimeoutError:
        return False
    except (EOFError, OSError):
        return True
    return False


def silent(address: str) -> bool:
    with dial(address) as peer:
        peer.settimeout(SILENCE_S)
        try:
            echoed(peer)
        except TimeoutError:
            return True
        except (EOFError, OSError):
            return False
    return False


# -- proxies


def test_it_says_its_version(control: ToxiControl) -> None:
    assert control.running()
    assert json.loads(control.version())["version"]


def test_a_proxy_forwards(control: ToxiControl, listen: str, upstream: str) -> None:
    with dial(listen) as peer:
        echoed(peer, b"y" * 300_000)
    assert control.enabled("px")
    status, told = call(control, "GET", "/proxies/px")
    assert status == 200
    expected = {"name": "px", "listen": listen, "upstream": upstream, "enabled": True, "toxics": []}
    assert {key: told[key] for key in expected} == expected


def test_names_are_unique(control: ToxiControl, listen: str, upstream: str) -> None:
    with pytest.raises(ToxiError, match="ProxyExists"):
        control.create("px", upstream, f"{LOOPBACK}:{FREE.take()}")
    status, told = call(control, "POST", "/proxies", {"name": "px", "upstream": upstream})
    assert (status, told) == (409, {"error": "proxy already exists", "status": 409})


def test_a_port_that_is_taken_is_told_in_the_servers_words(
    control: ToxiControl, listen: str, upstream: str
) -> None:
    with pytest.raises(ToxiError, match="address already in use"):
        control.create("other", upstream, listen)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/proxies", {"name": "a"}, 400),
        ("/proxies", {"upstream": "a:1"}, 400),
        ("/proxies", "{", 400),
        ("/proxies/px/toxics", {"type": "nope"}, 400),
        ("/proxies/px/toxics", {"type": "latency", "stream": "sideways"}, 400),
        ("/proxies/none/toxics", {"type": "latency"}, 404),
        ("/proxies/none", {"enabled": False}, 404),
        ("/populate", [{"name": "a"}], 400),
    ],
)
def test_what_is_wrong_is_refused(
    control: ToxiControl, listen: str, path: str, body: Any, status: int
) -> None:
    assert call(control, "POST", path, body)[0] == status


def test_browsers_are_refused(control: ToxiControl) -> None:
    assert call(control, "GET", "/proxies", headers={"User-Agent": "Mozilla/5.0"})[0] == 403


def test_a_disabled_proxy_closes_and_refuses(control: ToxiControl, listen: str) -> None:
    with dial(listen) as peer:
        echoed(peer)
        control.disable("px")
        assert ended(peer)
    assert not control.enabled("px")
    with pytest.raises(ConnectionRefusedError):
        dial(listen)
    control.enable("px")
    with dial(listen) as peer:
        echoed(peer)


def test_a_destroyed_proxy_is_gone(control: ToxiControl, listen: str) -> None:
    with dial(listen) as peer:
        echoed(peer)
        control.destroy("px")
        assert ended(peer)
    with pytest.raises(ConnectionRefusedError):
        dial(listen)
    assert call(control, "GET", "/proxies/px")[0] == 404


def test_an_upstream_that_is_down_ends_the_connection(control: ToxiControl) -> None:
    listen = control.create("dead", f"{LOOPBACK}:{FREE.take()}", f"{LOOPBACK}:{FREE.take()}")
    with dial(listen) as peer:
        assert ended(peer)


def test_many_proxies_at_once(control: ToxiControl, upstream: str) -> None:
    wanted = [{"name": n, "upstream": upstream, "listen": f"{LOOPBACK}:{FREE.take()}"} for n in ("a", "b")]
    status, told = call(control, "POST", "/populate", wanted)
    assert status == 201
    assert [proxy["name"] for proxy in told["proxies"]] == ["a", "b"]
    assert set(call(control, "GET", "/proxies")[1]) == {"a", "b"}


def test_a_reset_enables_and_cures_everything(control: ToxiControl, listen: str) -> None:
    control.add("px", Toxic("mute", "timeout", "upstream", {"timeout": 0}))
    control.disable("px")
    assert call(control, "POST", "/reset")[0] == 204
    assert control.enabled("px")
    assert not control.toxics("px")
    with dial(listen) as peer:
        echoed(peer)


# -- toxics


def test_toxics_are_told_as_they_are(control: ToxiControl, listen: str) -> None:
    control.add("px", Toxic("late", "latency", "downstream", {"latency": 5}))
    control.add("px", Toxic("thin", "slicer", "upstream", {"average_size": 2}, 0.5))
    told = control.toxics("px")
    assert told["late"].attributes == {"latency": 5, "jitter": 0}
    assert told["thin"].attributes == {"average_size": 2, "size_variation": 0, "delay": 0}
    assert (told["thin"].stream, told["thin"].toxicity) == ("upstream", 0.5)
    assert [t["name"] for t in call(control, "GET", "/proxies/px")[1]["toxics"]] == ["thin", "late"]


def test_a_misspelt_attribute_is_noticed(control: ToxiControl, listen: str) -> None:
    with pytest.raises(ToxiError, match="latncy"):
        control.add("px", Toxic("late", "latency", "upstream", {"latncy": 5}))


def test_a_toxics_name_is_unique(control: ToxiControl, listen: str) -> None:
    control.add("px", Toxic("late", "latency", "upstream", {"latency": 5}))
    assert call(control, "POST", "/proxies/px/toxics", {"name": "late", "type": "latency"})[0] == 409


def test_a_toxic_is_changed_and_removed(control: ToxiControl, listen: str) -> None:
    """By the API itself; the harness renews the proxy instead."""
    control.add("px", Toxic("mute", "timeout", "upstream", {"timeout": 0}))
    at = "/proxies/px/toxics/mute"
    for method in ("POST", "PATCH"):
        status, told = call(control, method, at, {"attributes": {"timeout": 60_000}})
        assert (status, told["attributes"]) == (200, {"timeout": 60_000})
    assert call(control, "GET", at)[1]["attributes"] == {"timeout": 60_000}
    with dial(listen) as touched:
        touched.settimeout(SILENCE_S)
        with pytest.raises(TimeoutError):
            echoed(touched)
        assert call(control, "DELETE", at)[0] == 204
        touched.settimeout(ANSWER_S)
        assert ended(touched), "bytes are missing in it"
    assert call(control, "DELETE", at)[0] == 404
    with dial(listen) as peer:
        echoed(peer)


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_latency(control: ToxiControl, listen: str, stream: str) -> None:
    with dial(listen) as peer:
        control.add("px", Toxic("late", "latency", stream, {"latency": 200}))
        assert echoed(peer) > 0.19


def test_latency_does_not_add_up(control: ToxiControl, listen: str) -> None:
    """Forty chunks, each half a second late: together they are, not one after the other, which takes 20 s."""
    control.add("px", Toxic("late", "latency", "upstream", {"latency": 500}))
    with dial(listen) as peer:
        began_s = time.monotonic()
        for _ in range(40):
            peer.sendall(b"x")
            time.sleep(0.01)  # so that they are chunks of their own
        got = b""
        while len(got) < 40:
            got += peer.recv(100)
    assert 0.5 <= time.monotonic() - began_s < 10


def test_toxicity_is_a_share_of_connections(control: ToxiControl, listen: str) -> None:
    control.add("px", Toxic("half", "reset_peer", "upstream", {"timeout": 0}, 0.5))
    with contextlib.ExitStack() as stack:
        struck = sum(ended(stack.enter_context(dial(listen))) for _ in range(40))
    assert 5 < struck < 35
    control.renew("px", [Toxic("none", "reset_peer", "upstream", {"timeout": 0}, 0.0)])
    with dial(listen) as peer:
        assert not ended(peer)


def test_bandwidth(control: ToxiControl, listen: str) -> None:
    control.add("px", Toxic("narrow", "bandwidth", "upstream", {"rate": 100}))
    with dial(listen) as peer:
        assert echoed(peer, b"z" * 40_000) > 0.3


def test_a_bandwidth_of_zero_is_silence(control: ToxiControl, listen: str) -> None:
    control.add("px", Toxic("none", "bandwidth", "downstream", {"rate": 0}))
    with dial(listen) as peer:
        peer.settimeout(SILENCE_S)
        for act in (lambda: peer.sendall(b"x"), lambda: peer.shutdown(socket.SHUT_WR)):
            act()
            with pytest.raises(TimeoutError):
                peer.recv(1)
    assert call(control, "GET", "/proxies")[0] == 200


def _answering(peers: list[socket.socket]) -> list[bool]:
    """Who of them gets an echo."""
    for peer in peers:
        peer.sendall(b"x")
    heard: set[socket.socket] = set()
    until_s = time.monotonic() + 10 * SILENCE_S
    while (left_s := until_s - time.monotonic()) > 0:
        told = wait([p for p in peers if p not in heard], left_s)
        for peer in [p for p in peers if p in told]:
            assert peer.recv(1) == b"x"
            heard.add(peer)
    return [peer in heard for peer in peers]


def test_a_toxic_added_behind_another_has_that_one_decide_anew(control: ToxiControl, listen: str) -> None:
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(dial(listen)) for _ in range(30)]
        for peer in peers:
            echoed(peer)
        control.add("px", Toxic("half", "timeout", "downstream", {"timeout": 0}, 0.5))
        before = _answering(peers)
        again = _answering(peers)
        control.add("px", Toxic("behind", "noop", "downstream", {}))
        after = _answering(peers)
    assert before == again
    assert 0 < sum(before) < 30
    assert after != before


def test_a_stream_is_named_in_any_case_and_told_as_written(control: ToxiControl, listen: str) -> None:
    given = {"type": "timeout", "stream": "DownStream", "attributes": {"timeout": 0}}
    status, told = call(control, "POST", "/proxies/px/toxics", given)

    assert (status, told["name"], told["stream"]) == (200, "timeout_DownStream", "DownStream")
    assert silent(listen)
    assert call(control, "POST", "/proxies/px/toxics", {**given, "stream": "sideways"})[0] == 400


def test_a_timeout_of_zero_swallows_for_good(control: ToxiControl, listen: str) -> None:
    with dial(listen) as peer:
        echoed(peer)
        control.add("px", Toxic("mute", "timeout", "upstream", {"timeout": 0}))
        peer.settimeout(SILENCE_S)
        with pytest.raises(TimeoutError):
            echoed(peer)
        assert silent(listen), "new connections are taken, and hear nothing"
        control.renew("px", [])
        peer.settimeout(ANSWER_S)
        assert ended(peer), "bytes are missing in it"
    with dial(listen) as peer:
        echoed(peer)


def test_a_timeout_closes_when_its_time_is_over(control: ToxiControl, listen: str) -> None:
    control.add("px", Toxic("mute", "timeout", "upstream", {"timeout": 200}))
    with dial(listen) as peer:
        assert ended(peer)


def test_one_direction_alone(control: ToxiControl, listen: str, upstream: str) -> None:
    """What is swallowed on its way back was heard."""
    with socket.create_server((LOOPBACK, 0)) as sink:
        at = f"{LOOPBACK}:{sink.getsockname()[1]}"
        through = control.create("one-way", at, f"{LOOPBACK}:{FREE.take()}")
        control.add("one-way", Toxic("mute", "timeout", "downstream", {"timeout": 0}))
        with dial(through) as peer:
            peer.sendall(b"there")
            other, _ = sink.accept()
            with other:
                assert other.recv(10) == b"there"
                other.sendall(b"and back")
                peer.settimeout(SILENCE_S)
                with pytest.raises(TimeoutError):
                    peer.recv(10)


def test_the_end_of_a_connection_is_hushed(control: ToxiControl) -> None:
    """Timeout and slow_close together: the other end vanishes without a word, again and again."""
    with socket.create_server((LOOPBACK, 0)) as sink:
        at = f"{LOOPBACK}:{sink.getsockname()[1]}"
        through = control.create("px", at, f"{LOOPBACK}:{FREE.take()}")
        vanish = [
            Toxic("cut", "timeout", "upstream", {"timeout": 0}),
            Toxic("hush", "slow_close", "upstream", {"delay": 3_600_000}),
        ]
        for _ in range(4):
            with dial(through) as peer:
                peer.sendall(b"here")
                other, _ = sink.accept()
                assert other.recv(10) == b"here"
                for toxic in vanish:
                    control.add("px", toxic)
            with other:
                other.settimeout(SILENCE_S)
                with pytest.raises(TimeoutError):
                    other.recv(10)
                control.renew("px", [])
                other.settimeout(ANSWER_S)
                with contextlib.suppress(ConnectionResetError):
                    assert other.recv(10) == b""
        assert control.running()


def test_slow_close(control: ToxiControl, listen: str) -> None:
    control.add("px", Toxic("slow", "slow_close", "downstream", {"delay": 300}))
    with dial(listen) as peer:
        echoed(peer)
        began_s = time.monotonic()
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(1) == b""
        assert time.monotonic() - began_s > 0.28


def test_slicer(control: ToxiControl, listen: str) -> None:
    control.add("px", Toxic("slices", "slicer", "downstream", {"average_size": 10, "delay": 30_000}))
    with dial(listen) as peer:
        peer.sendall(b"q" * 200)
        pieces: list[int] = []
        while sum(pieces) < 200:
            pieces.append(len(peer.recv(4096)))
    assert len(pieces) > 1  # of twenty: a reader that was kept away finds several together


def test_limit_data(control: ToxiControl, listen: str) -> None:
    control.add("px", Toxic("limit", "limit_data", "downstream", {"bytes": 25}))
    with dial(listen) as peer:
        echoed(peer)
        echoed(peer)
        peer.sendall(b"x" * 10)
        got = b""
        while data := peer.recv(100):
            got += data
    assert len(got) == 5


def test_reset_peer(control: ToxiControl, listen: str) -> None:
    with dial(listen) as live:
        echoed(live)
        control.add("px", Toxic("reset", "reset_peer", "upstream", {"timeout": 0}))
        with pytest.raises(EOFError):  # no reset: its sockets were made before
            echoed(live)
    with dial(listen) as new, pytest.raises(ConnectionResetError):
        echoed(new)


def test_toxics_go_by_making_the_proxy_anew(control: ToxiControl, listen: str) -> None:
    """Never by taking them off a link that lives (chaos/nemesis/toxi.py, rule 5)."""
    control.add("px", Toxic("late", "latency", "downstream", {"latency": 20}))
    with dial(listen) as live:
        echoed(live)
        control.renew("px", [])
        assert ended(live)
    assert not control.toxics("px")
    with dial(listen) as peer:
        echoed(peer)


def test_a_proxy_setting_of_the_user_is_not_obeyed(
    control: ToxiControl, listen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "http_proxy", f"http://{LOOPBACK}:1")
    assert control.enabled("px")


def test_two_servers_in_one_process(control: ToxiControl, listen: str, upstream: str) -> None:
    other = start_server(FREE, seed=2, kind=STANDIN)
    try:
        other.control.create("theirs", upstream, f"{LOOPBACK}:{FREE.take()}")
        assert control.enabled("px")
        assert other.control.enabled("theirs")
        assert not other.control.enabled("px")
    finally:
        other.end()


def test_a_server_that_is_gone_is_an_error_with_words(upstream: str) -> None:
    running = start_server(FREE, seed=3, kind=STANDIN)
    running.end()
    with pytest.raises(ToxiError, match="does not answer"):
        running.control.create("px", upstream, f"{LOOPBACK}:{FREE.take()}")
