"""Links over the packet switch: every host a network namespace, and link faults as policies for packets.

Rules:
1. What policies should be follows from the faults that are active; the whole table is sent, in one message.
2. Hosts, not zones, are namespaces: so an agent can be cut from the node of its own zone too. A zone is
   its hosts.
3. After a cut is healed, connections that were open recover when their kernels try again: that may take
   seconds (TCP backs off). New ones work at once, and so do canaries.
"""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from chaos.faults import CLIENT, Cut, Fault, Lossy, Narrow, Pair, Slow
from chaos.nemesis import NemesisError, Sighting, Unavailable, together
from chaos.nemesis.namespaces import enter, why_not
from chaos.nemesis.policy import Policy
from chaos.nemesis.switch import MESSAGE_BYTES_MAX, USER
from chaos.ports import LOOPBACK, Ports
from chaos.programs import start_process

SILENCE_S = 0.3  #: a canary crosses the switch within a millisecond
START_S = 20.0
ANSWER_S = 30.0
CANARIES_MAX = 400
_CANARY_BYTES = 64
_NARROW_S = 0.1
LATE = 0.8


class SwitchedLinks:
    """Links of the profile "switch"."""

    def __init__(self, ports: Ports, *, seed: int, log: Path | None = None) -> None:
        self._ports, self._seed, self._log = ports, seed, log
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._descriptors: dict[str, int] = {}
        self._user: int | None = None
        self.addresses: dict[str, str] = {}
        self._relays: dict[str, str] = {}
        self._lock = threading.Lock()
        self.driver = SwitchDriver(self)

    def begin(self, hosts: Sequence[str]) -> None:
        reason = why_not()
        if reason is not None:
            raise NemesisError(f"switch: {reason}")
        ordered = [host for host in hosts if host != CLIENT] + [CLIENT]
        self.addresses = {host: f"10.77.{i // 250}.{i % 250 + 1}" for i, host in enumerate(ordered)}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "chaos.nemesis.switch", "--control", str(theirs.fileno())]
        command += ["--seed", str(self._seed), *(f"{name}={at}" for name, at in self.addresses.items())]
        self._control = ours
        with theirs:
            self._process = start_process(command, log=self._log, pass_fds=[theirs.fileno()])
        ours.settimeout(START_S)
        try:
            for _ in range(len(ordered) + 2):
                told, descriptors, _, _ = socket.recv_fds(ours, MESSAGE_BYTES_MAX, 1)
                if not descriptors:
                    break
                if told == USER:
                    self._user = descriptors[0]
                else:
                    self._descriptors[told.decode()] = descriptors[0]
        except OSError as error:
            raise NemesisError(f"the switch did not start: {error}") from error
        finally:
            ours.settimeout(ANSWER_S)
        if told != b'{"answer": "ready"}':
            raise NemesisError(f"the switch did not start: {told.decode() or 'see its log'}")

    def ask(self, do: str, *, give: int | None = None, **values: Any) -> Any:
        """One question to the switch, and its answer."""
        message = json.dumps({"do": do, **values}).encode()
        if self._control is None:
            raise NemesisError("the switch is not there")
        with self._lock:
            try:
                if give is None:
                    self._control.sendall(message)
                else:
                    socket.send_fds(self._control, [message], [give])
                data = self._control.recv(MESSAGE_BYTES_MAX)
            except OSError as error:
                raise NemesisError(f"the switch does not answer: {error}") from error
        if not data:
            raise NemesisError("the switch is dead: see its log")
        return json.loads(data)["answer"]

    def listen_host(self, host: str) -> str:
        return self.addresses[host]

    def address(self, source: str, target: str, upstream: str) -> str:
        if source != CLIENT:
            return upstream
        if upstream not in self._relays:
            host, _, port = upstream.rpartition(":")
            at = self._ports.take()
            with socket.create_server((LOOPBACK, at), backlog=128) as listening:
                self.ask("relay", give=listening.fileno(), host=host, port=int(port))
            self._relays[upstream] = f"{LOOPBACK}:{at}"
        return self._relays[upstream]

    def enter(self, host: str) -> Callable[[], None] | None:
        return partial(enter, self._user, self._descriptors[host])

    def end(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        if self._user is not None:
            os.close(self._user)
        self._descriptors, self._user = {}, None


class SwitchDriver:
    """Link faults as policies."""

    name = "switch"
    kinds: frozenset[type[Any]] = frozenset({Cut, Slow, Lossy, Narrow})

    def __init__(self, links: SwitchedLinks) -> None:
        self._links = links
        self._active: list[Fault] = []
        self._lock = threading.RLock()

    def available(self) -> Unavailable | None:
        return why_not()

    def inject(self, fault: Fault) -> None:
        if type(fault) not in self.kinds:
            raise NemesisError(
                f"the switch cannot inject {fault}; closed connections need the profile toxiproxy"
            )
        with self._lock:
            list(self._pairs(fault))  # names are checked before anything is broken
            self._active.append(fault)
            self._apply()

    def heal(self, fault: Fault | None = None) -> None:
        with self._lock:
            self._active = [] if fault is None else [other for other in self._active if other != fault]
            self._apply()

    def verify(self, fault: Fault) -> Sighting:
        pairs = list(self._pairs(fault))
        if not pairs:
            return Sighting(None, "no pair is meant")
        count, size_bytes, wait_s = _flight(fault)
        flights = self._links.ask("canary", pairs=pairs, count=count, size_bytes=size_bytes, wait_s=wait_s)
        return together([_judge(fault, pair, told) for pair, told in zip(pairs, flights, strict=True)])

    def _pairs(self, fault: Fault) -> Iterator[Pair]:
        known = self._links.addresses
        for a, b in dict.fromkeys(getattr(fault, "pairs", ())):
            for name in (a, b):
                if name not in known:
                    raise NemesisError(f"no host {name}; known are {', '.join(sorted(known))}")
            yield a, b

    def _apply(self) -> None:
        table: dict[Pair, Policy] = {}
        for fault in self._active:
            for pair in self._pairs(fault):
                table[pair] = _with(table.get(pair, Policy()), fault)
        self._links.ask("policies", policies=[[a, b, asdict(policy)] for (a, b), policy in table.items()])


def _with(policy: Policy, fault: Fault) -> Policy:
    """This policy with one fault more: of two of a kind the worse counts."""
    match fault:
        case Cut():
            return replace(policy, cut=True)
        case Slow(delay_ms=delay_ms, jitter_ms=jitter_ms) if delay_ms >= policy.delay_ms:
            return replace(policy, delay_ms=float(delay_ms), jitter_ms=float(jitter_ms))
        case Lossy(loss=loss, duplicate=duplicate):
            return replace(policy, loss=max(policy.loss, loss), duplicate=max(policy.duplicate, duplicate))
        case Narrow(kilobytes_per_s=rate):
            return replace(policy, kilobytes_per_s=min(rate, policy.kilobytes_per_s or math.inf))
    return policy


def _flight(fault: Fault) -> tuple[int, int, float]:
    """How many canaries of which size show this fault, and how long to wait for them."""
    match fault:
        case Slow(delay_ms=delay_ms, jitter_ms=jitter_ms):
            return 1, _CANARY_BYTES, (delay_ms + jitter_ms) / 1000 + 1.0
        case Lossy(loss=loss, duplicate=duplicate):
            chance = min(p for p in (loss, duplicate) if p > 0) if loss or duplicate else 1.0
            # So many that one without any struck is about as likely as e^-20.
            return min(CANARIES_MAX, math.ceil(20 / chance)), _CANARY_BYTES, SILENCE_S
        case Narrow(kilobytes_per_s=rate):
            count = min(CANARIES_MAX, max(5, math.ceil(rate * _NARROW_S) + 1))
            return count, 1000, 2 * count / rate + 1.0
    return 3, _CANARY_BYTES, SILENCE_S


def _judge(fault: Fault, pair: Pair, told: dict[str, Any]) -> Sighting:
    sent, arrived, doubled = told["sent"], told["arrived"], told["doubled"]
    evidence = f"{pair[0]}>{pair[1]}: {arrived} of {sent} canaries arrived, {doubled} doubled"
    if told["fastest_s"] is not None:
        evidence += f", the first within {told['fastest_s']:.3f} s, the last after {told['last_s']:.3f} s"
    if isinstance(fault, Cut):
        return Sighting(arrived == 0, evidence)
    if arrived == 0:
        return Sighting(None, evidence)
    match fault:
        case Slow(delay_ms=delay_ms, jitter_ms=jitter_ms):
            return Sighting(told["fastest_s"] * 1000 >= LATE * (delay_ms - jitter_ms), evidence)
        case Lossy(loss=loss, duplicate=duplicate):
            return Sighting((not loss or arrived < sent) and (not duplicate or doubled > 0), evidence)
        case Narrow(kilobytes_per_s=rate):
            return Sighting(told["last_s"] >= LATE * (sent - 1) / rate, evidence)
    raise NemesisError(f"the switch cannot verify {fault}")
