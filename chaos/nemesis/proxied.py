"""Links through a Toxiproxy: a proxy for each, and link faults as toxics on them.

Rules:
1. A proxy belongs to who dials: "node-1>node-2" carries what node-1 sends to node-2, and "node-2>node-1"
   the other way, since a node sends only on what it dialled. An agent's or client's one connection carries
   both directions: what the node sends back is the proxy's downstream.
2. A cut is silent in both senses: bytes are swallowed (timeout), and so is the end of a connection
   (slow_close), as if the other host had vanished. New connections are taken by the proxy and hear nothing.
3. What the toxics should be follows from the faults that are active; only what differs is changed. Taking
   a toxic away closes the connections of that proxy (toxi.py, rule 5).
4. A canary compares: the same message to the same port, once past the proxy and once through it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from chaos.faults import Cut, Fault, LinkFault, Lossy, Narrow, Pair, Refused, Slow
from chaos.nemesis import NemesisError, Sighting, Unavailable, together
from chaos.nemesis.toxi import Toxic
from chaos.nemesis.toxi_server import ToxiServer, start_server, why_not_real
from chaos.ports import LOOPBACK, Ports

HUSH_MS = 3_600_000  #: the end of a connection is not told for so long
SILENCE_S = 0.5  #: nothing came: a canary on loopback is back within milliseconds
ANSWER_S = 5.0
CANARY_THREADS = 16
LATE = 0.8  #: share of a delay that a canary must have seen
_CANARY = b"GET /healthz HTTP/1.1\r\nHost: canary\r\nConnection: close\r\nX-Fill: "
_CANARY_END = b"\r\n\r\n"
_FILL_BYTES_MAX = 48 << 10
_NARROW_S = 0.1  #: how long a narrow link should hold the canary up, at least


@dataclass(frozen=True, slots=True)
class Wire:
    """One proxied link."""

    name: str
    source: str
    target: str
    listen: str
    upstream: str


@dataclass(frozen=True, slots=True)
class Want:
    """How one proxy should be."""

    enabled: bool = True
    toxics: tuple[Toxic, ...] = ()


class ProxiedLinks:
    """Links of the profile "toxiproxy"."""

    def __init__(self, ports: Ports, *, seed: int, log: Path | None = None, kind: str = "") -> None:
        self._ports, self._seed, self._log, self._kind = ports, seed, log, kind
        self._server: ToxiServer | None = None
        self._wires: dict[Pair, Wire] = {}
        self.driver = ProxyDriver(self)

    def begin(self, hosts: Sequence[str]) -> None:
        self._server = start_server(self._ports, seed=self._seed, log=self._log, kind=self._kind)

    @property
    def server(self) -> ToxiServer:
        if self._server is None:
            raise NemesisError("the toxiproxy server was not started")
        return self._server

    @property
    def wires(self) -> dict[Pair, Wire]:
        return self._wires

    def listen_host(self, host: str) -> str:
        return LOOPBACK

    def address(self, source: str, target: str, upstream: str) -> str:
        wire = self._wires.get((source, target))
        if wire is None:
            name = f"{source}>{target}"
            listen = self.server.control.create(name, upstream, f"{LOOPBACK}:{self._ports.take()}")
            wire = self._wires[source, target] = Wire(name, source, target, listen, upstream)
        if wire.upstream != upstream:
            raise NemesisError(
                f"{source} reaches {target} at {wire.upstream} already, not also at {upstream}"
            )
        return wire.listen

    def enter(self, host: str) -> Callable[[], None] | None:
        return None

    def end(self) -> None:
        if self._server is not None:
            self._server.end()
            self._server = None


class ProxyDriver:
    """Link faults as toxics."""

    name = "toxiproxy"
    kinds: frozenset[type[Any]] = frozenset({Cut, Slow, Narrow, Refused})

    def __init__(self, links: ProxiedLinks) -> None:
        self._links = links
        self._active: list[Fault] = []
        self._now: dict[str, Want] = {}
        self._lock = threading.RLock()

    def available(self) -> Unavailable | None:
        """Always: there is a stand-in. `why_not_real` says why the real server is not used."""
        return None

    def why_not_real(self) -> Unavailable | None:
        return why_not_real()

    def inject(self, fault: Fault) -> None:
        if isinstance(fault, Lossy) or not isinstance(fault, get_args(LinkFault)):
            raise NemesisError(f"toxiproxy cannot inject {fault}; lost packets need the profile switch")
        with self._lock:
            self._wires_of(fault)  # names are checked before anything is broken
            self._active.append(fault)
            try:
                self._apply()
            except NemesisError:
                self._active.remove(fault)
                with suppress(NemesisError):
                    self._apply()
                raise

    def heal(self, fault: Fault | None = None) -> None:
        with self._lock:
            self._active = [] if fault is None else [other for other in self._active if other != fault]
            self._apply()

    def verify(self, fault: Fault) -> Sighting:
        with self._lock:
            wires = self._wires_of(fault)
        if not wires:
            return Sighting(None, "no link of this cluster is meant")
        with ThreadPoolExecutor(CANARY_THREADS) as threads:
            seen = list(threads.map(lambda one: self._look(fault, *one), wires))
        return together(seen)

    # -- what should be

    def _wires_of(self, fault: Fault) -> list[tuple[Wire, str]]:
        """The links, with the stream of each, that the pairs mean; pairs without a link are no link
        faults."""
        known = {host for pair in self._links.wires for host in pair}
        found: dict[tuple[Wire, str], None] = {}
        for a, b in getattr(fault, "pairs", ()):
            if unknown := {a, b} - known:
                raise NemesisError(
                    f"no host {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}"
                )
            if (a, b) in self._links.wires:
                found[self._links.wires[a, b], "upstream"] = None
            elif (b, a) in self._links.wires:
                found[self._links.wires[b, a], "downstream"] = None
        return list(found)

    def _apply(self) -> None:
        control = self._links.server.control
        wanted: dict[str, Want] = {}
        for fault in self._active:
            for wire, stream in self._wires_of(fault):
                wanted[wire.name] = _with(wanted.get(wire.name, Want()), fault, stream)
        for name in {*wanted, *self._now}:
            want, now = wanted.get(name, Want()), self._now.get(name, Want())
            gone = any(toxic not in want.toxics for toxic in now.toxics)
            new = [toxic for toxic in want.toxics if toxic not in now.toxics]
            if gone:
                control.renew(name, want.toxics, enabled=want.enabled)
            else:
                for toxic in new:
                    control.add(name, toxic)
                if want.enabled != now.enabled:
                    (control.enable if want.enabled else control.disable)(name)
            self._now[name] = want

    # -- what is

    def _look(self, fault: Fault, wire: Wire, stream: str) -> Sighting:
        control = self._links.server.control
        told = [t for t in control.toxics(wire.name).values() if t.stream == stream]
        there = [t.name for t in told if t.name in _names(fault, stream)]
        enabled = control.enabled(wire.name)
        fill = _fill_bytes(fault) if stream == "upstream" else 0
        path = b"/openapi.json" if isinstance(fault, Narrow) and stream == "downstream" else b"/healthz"
        past = _ask(wire.upstream, 0, ANSWER_S, path)
        said = f"{wire.name} {stream}: proxy has {there or 'no such toxic'}"
        if past.first_s is None:
            return Sighting(None, f"{said}; {wire.target} does not answer past the proxy either: {past.how}")
        if isinstance(fault, Refused):
            through = _ask(wire.listen, 0, SILENCE_S, path)
            return Sighting(
                through.how == "refused" and not enabled, f"{said}; through the proxy: {through.how}"
            )
        if isinstance(fault, Cut):
            through = _ask(wire.listen, 0, SILENCE_S if there else ANSWER_S, path)
            if there:
                return Sighting(through.how == "silent", f"{said}; through the proxy: {through.how}")
            return Sighting(
                False if through.first_s is not None else None, f"{said}; through the proxy: {through.how}"
            )
        expected_s = _expected_s(fault, fill, past.read_bytes)
        through = _ask(wire.listen, fill, expected_s + ANSWER_S, path)
        said += f"; {past.last_s:.3f} s past the proxy, {through.how} after {through.last_s:.3f} s through it"
        if through.first_s is None:
            return Sighting(None, said)
        late = through.last_s >= LATE * expected_s
        return Sighting(late if there else False, said)


def _names(fault: Fault, stream: str) -> tuple[str, ...]:
    return tuple(toxic.name for toxic in _with(Want(), fault, stream).toxics)


def _with(want: Want, fault: Fault, stream: str) -> Want:
    """This proxy with one fault more. Of two delays the longer counts, of two widths the narrower."""
    toxics = {toxic.name: toxic for toxic in want.toxics}

    def put(kind: str, word: str, attributes: dict[str, int], key: str = "", pick: Any = max) -> None:
        name = f"{word}-{stream}"
        other = toxics.get(name)
        if other is not None and key:
            attributes = pick(attributes, dict(other.attributes), key=lambda values: values[key])
        toxics[name] = Toxic(name, kind, stream, attributes)

    match fault:
        case Cut():
            put("timeout", "cut", {"timeout": 0})
            put("slow_close", "hush", {"delay": HUSH_MS})
        case Slow(delay_ms=delay_ms, jitter_ms=jitter_ms):
            put("latency", "slow", {"latency": delay_ms, "jitter": jitter_ms}, "latency")
        case Narrow(kilobytes_per_s=rate):
            put("bandwidth", "narrow", {"rate": rate}, "rate", min)
        case Refused():
            return Want(False, want.toxics)
    return Want(want.enabled, tuple(toxics.values()))


def _fill_bytes(fault: Fault) -> int:
    if not isinstance(fault, Narrow):
        return 0
    return min(_FILL_BYTES_MAX, fault.kilobytes_per_s * 1000)


def _expected_s(fault: Fault, sent_bytes: int, read_bytes: int) -> float:
    """By how much later the canary should be."""
    if isinstance(fault, Slow):
        return max(0, fault.delay_ms - fault.jitter_ms) / 1000
    assert isinstance(fault, Narrow)
    return min(_NARROW_S, (sent_bytes or read_bytes) / fault.kilobytes_per_s / 1000)


@dataclass(frozen=True, slots=True)
class _Answer:
    how: str  #: answered, silent, refused
    first_s: float | None  #: until the first sign of life of the other end; None: there was none
    last_s: float
    read_bytes: int = 0


def _ask(address: str, fill_bytes: int, deadline_s: float, path: bytes) -> _Answer:
    """Say something to this port that a node's HTTP answers and its Raft port hangs up on: either is a
    sign."""
    host, _, port = address.rpartition(":")
    began_s = time.monotonic()
    first_s, count = None, 0
    try:
        with socket.create_connection((host, int(port)), deadline_s) as canary:
            canary.settimeout(deadline_s)
            with suppress(BrokenPipeError, ConnectionResetError):
                canary.sendall(_CANARY.replace(b"/healthz", path) + b"x" * fill_bytes + _CANARY_END)
            while True:
                data = canary.recv(65536)
                first_s = first_s if first_s is not None else time.monotonic() - began_s
                count += len(data)
                if not data:
                    break
                canary.settimeout(max(0.01, deadline_s - (time.monotonic() - began_s)))
        how = "answered"
    except TimeoutError:
        how = "silent" if first_s is None else "answered"
    except ConnectionRefusedError:
        how = "refused"
    except OSError:
        how, first_s = "answered", time.monotonic() - began_s  # a reset is a sign as well
    return _Answer(how, first_s, time.monotonic() - began_s, count)
