"""An in-memory network: one connection for each direction, in order, with latency, cuts, stalls and late
arrivals."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from cluster.asking import Answered
from cluster.links import LinkHost
from cluster.wire import Message, decode, encode

REDIAL_S = 0.2


class Schedule(Protocol):
    def now(self) -> float: ...
    def at(self, delay_s: float, call: Callable[[], None]) -> None: ...


class _Connection:
    """What `source` dialled to `target`."""

    def __init__(self) -> None:
        self.queue: deque[tuple[float, bytes]] = deque()
        self.is_told = False  #: the source knows that it is up


class Network:
    def __init__(self, schedule: Schedule, rng: random.Random, *, late: bool, latency_s: float) -> None:
        self._schedule, self._rng, self._late, self._latency_s = schedule, rng, late, latency_s
        self.ends: dict[str, SimulatedLinks] = {}
        self._connections: dict[tuple[str, str], _Connection] = {}
        self._stalled: dict[tuple[str, str], float] = {}
        self._cut: dict[tuple[str, str], float] = {}
        self.messages = 0

    def stall(self, source: str, target: str, for_s: float) -> None:
        """What source sends arrives later, in order."""
        self._stalled[source, target] = self._schedule.now() + for_s

    def cut(self, source: str, target: str, for_s: float) -> None:
        """No connection between the two, in this direction, for a while."""
        self._cut[source, target] = self._schedule.now() + for_s
        self.break_connection(source, target)

    def heal(self) -> None:
        self._stalled.clear()
        self._cut.clear()

    def break_connection(self, source: str, target: str, *, notice_s: float | None = None) -> None:
        """A prefix of what is on its way arrives, perhaps late; both ends hear of it, perhaps late."""
        connection = self._connections.pop((source, target), None)
        if connection is None:
            return
        rng = self._rng
        for _ in range(rng.randrange(0, len(connection.queue) + 1)):
            connection.queue.pop()
        hold_s = rng.uniform(0, 4) if self._late and rng.random() < 0.5 else 0.0
        frames = [frame for _, frame in connection.queue]
        connection.queue.clear()  # the loop that hands them in may be what led here

        def arrive() -> None:
            for frame in frames:
                self._hand_in(source, target, frame)

        self._schedule.at(hold_s, arrive)
        for at_source in (True, False):
            delay_s = rng.choice((0.001, 0.01, 0.3)) if notice_s is None else notice_s
            if rng.random() < 0.15:
                delay_s = rng.uniform(0, 3)
            self._schedule.at(delay_s, partial(self._tell_end, source, target, connection, at_source))

    def _tell_end(self, source: str, target: str, old: _Connection, at_source: bool) -> None:
        links = self.ends.get(source if at_source else target)
        if links is None or not old.is_told:
            return
        if at_source and links.up.get(target) is old:
            del links.up[target]
            links.wake(lambda host: host.disconnected(target))
        elif not at_source:
            links.wake(lambda host: host.inbound_lost(source))

    def dial(self, source: str, target: str) -> None:
        """One attempt, with the handshake of both ends in one instant."""
        a, b = self.ends.get(source), self.ends.get(target)
        if a is None or b is None or target in a.up or target not in a.peers:
            return
        now = self._schedule.now()
        if max(self._cut.get((source, target), 0), self._cut.get((target, source), 0)) > now:
            return
        if max(self._stalled.get((source, target), 0), self._stalled.get((target, source), 0)) > now:
            return
        mine, theirs = a.host.hello(), b.host.hello()
        refusal = b.host.vet(mine)
        if refusal is not None:
            a.host.refused(target, refusal)
            return
        if a.host.vet(theirs) is not None:
            return
        self.break_connection(source, target)
        connection = _Connection()
        self._connections[source, target] = connection
        a.up[target] = connection
        connection.is_told = True
        a.wake(lambda host: host.connected(theirs))

    def send(self, source: str, target: str, connection: _Connection, message: Message) -> None:
        self.messages += 1
        frame = encode(message)
        if self._connections.get((source, target)) is not connection:
            return
        arrives = self._schedule.now() + self._rng.expovariate(1 / self._latency_s)
        if connection.queue:
            arrives = max(arrives, connection.queue[-1][0])
        connection.queue.append((arrives, frame))
        self._schedule.at(arrives - self._schedule.now(), lambda: self._pump(source, target, connection))

    def _pump(self, source: str, target: str, connection: _Connection) -> None:
        if self._connections.get((source, target)) is not connection:
            return
        now = self._schedule.now()
        stalled = self._stalled.get((source, target), 0)
        if stalled > now:
            self._schedule.at(stalled - now + 1e-6, lambda: self._pump(source, target, connection))
            return
        while connection.queue and connection.queue[0][0] <= now:
            self._hand_in(source, target, connection.queue.popleft()[1])

    def _hand_in(self, source: str, target: str, frame: bytes) -> None:
        links = self.ends.get(target)
        if links is not None:
            message = decode(frame[4:])
            links.wake(lambda host: host.received(source, message))


class SimulatedLinks:
    """The `Links` of one process life of a node."""

    def __init__(
        self, network: Network, name: str, wake: Callable[[Callable[[LinkHost], None]], None]
    ) -> None:
        self._network, self._name = network, name
        self.wake = wake  #: runs a call in the node's process, when that is not stopped
        self.peers: dict[str, str] = {}
        self.up: dict[str, _Connection] = {}
        self.host: LinkHost

    def attach(self, host: LinkHost) -> None:
        self.host = host

    def set_peers(self, addresses: Mapping[str, str]) -> None:
        gone = [name for name in self.peers if name not in addresses]
        self.peers = dict(addresses)
        for name in gone:
            self.drop(name)

    def send(self, peer: str, message: Message) -> bool:
        connection = self.up.get(peer)
        if connection is None:
            return False
        self._network.send(self._name, peer, connection, message)
        return True

    def ask(self, name: str, address: str, answered: Answered) -> None:
        answered("", "nobody is asked here")

    def queued_bytes(self, peer: str) -> int:
        connection = self.up.get(peer)
        return 0 if connection is None else sum(len(frame) for _, frame in connection.queue)

    def drop(self, peer: str) -> None:
        self._network.break_connection(self._name, peer, notice_s=0.0)
        self._network.break_connection(peer, self._name, notice_s=0.0)

    def flush(self) -> None: ...
    def close(self) -> None: ...
