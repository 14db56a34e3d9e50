"""The switch: a process through which every packet between the hosts passes.

    python -m chaos.nemesis.switch --control FD --seed N HOST=ADDRESS …      (started by switched.py)

Rules:
1. Each host is a network namespace with one TUN interface, whose other end is read here. A fault is an
   entry in a table; it holds from the next packet on.
2. A process of its own, so that neither the harness's load nor its garbage collection delays packets.
3. The last host is the client's. This process stays in it and relays what the harness sends to a loopback
   port: so the client has links that can break, and the machine's own network is never touched.
4. Control is a socket of whole messages (SOCK_SEQPACKET), one JSON answer for each question; its end ends
   the switch.

The canaries are datagrams between sockets that this process has on every host: what a policy does to them
it does to everything else.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import heapq
import json
import os
import socket
import struct
import time
from typing import Any

from chaos.nemesis.namespaces import Namespace, become_able, make_host
from chaos.nemesis.policy import Lane, Policy

MESSAGE_BYTES_MAX = 1 << 17
CANARY_PORT = 7077
USER = b"/user"  #: what the user namespace's descriptor comes with; hosts come with their names
RELAY_DIAL_S = 20.0
_READS_MAX = 64  #: of one interface in one turn, so that a busy host does not starve the others
_PACKET_BYTES_MAX = 2048
_IPV4 = 4
_CANARY = struct.Struct("!QI")
_RELAY_BYTES = 64 << 10


class Switch:
    """Forwards packets by the table of lanes."""

    def __init__(self, hosts: dict[str, Namespace], seed: int) -> None:
        self._hosts = hosts
        self._by_address = {socket.inet_aton(host.address): name for name, host in hosts.items()}
        self.lanes = {(a, b): Lane(seed, a, b) for a in hosts for b in hosts if a != b}
        self._late: list[tuple[float, int, tuple[str, str], bytes]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        for name, host in hosts.items():
            self._loop.add_reader(host.tun, self._readable, name, host.tun)

    def _readable(self, sender: str, tun: int) -> None:
        for _ in range(_READS_MAX):
            try:
                packet = os.read(tun, _PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            if packet[0] >> 4 != _IPV4:
                continue
            receiver = self._by_address.get(packet[16:20])
            lane = self.lanes.get((sender, receiver)) if receiver is not None else None
            if lane is None or receiver is None:
                continue
            if lane.policy is None:  # nearly always
                lane.seen += 1
                self._deliver(receiver, packet)
                continue
            now_s = self._loop.time()
            for delay_s in lane.deliveries(len(packet), now_s):
                if delay_s <= 0:
                    self._deliver(receiver, packet)
                else:
                    self._count += 1
                    heapq.heappush(self._late, (now_s + delay_s, self._count, (sender, receiver), packet))
                    self._arm()

    def _deliver(self, receiver: str, packet: bytes) -> None:
        with contextlib.suppress(OSError):  # its queue is full: lost, as on any wire
            os.write(self._hosts[receiver].tun, packet)

    def _arm(self) -> None:
        due_s = self._late[0][0]
        if self._timer is not None:
            if self._timer.when() <= due_s:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due_s, self._deliver_late)

    def _deliver_late(self) -> None:
        self._timer = None
        now_s = self._loop.time()
        while self._late and self._late[0][0] <= now_s:
            _, _, pair, packet = heapq.heappop(self._late)
            policy = self.lanes[pair].policy
            if policy is None or not policy.cut:
                self._deliver(pair[1], packet)
        if self._late:
            self._arm()


class Canaries:
    """Datagrams from host to host."""

    def __init__(self, sockets: dict[str, socket.socket], addresses: dict[str, str]) -> None:
        self._sockets, self._addresses = sockets, addresses
        self._next = 0
        self._arrived: dict[int, list[float]] = {}
        loop = asyncio.get_running_loop()
        for canary in sockets.values():
            loop.add_reader(canary, self._readable, canary)

    def _readable(self, canary: socket.socket) -> None:
        for _ in range(_READS_MAX):
            try:
                data = canary.recv(_PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError:
                continue
            if len(data) >= _CANARY.size:
                number, _ = _CANARY.unpack_from(data)
                if number in self._arrived:
                    self._arrived[number].append(time.monotonic())

    async def fly(
        self, sender: str, receiver: str, count: int, size_bytes: int, wait_s: float
    ) -> dict[str, Any]:
        """Send so many and wait until all are back, at most wait_s."""
        sent: dict[int, float] = {}
        began_s = time.monotonic()
        for position in range(count):
            self._next += 1
            self._arrived[self._next] = []
            sent[self._next] = time.monotonic()
            data = _CANARY.pack(self._next, position).ljust(size_bytes, b"-")
            with contextlib.suppress(OSError):
                self._sockets[sender].sendto(data, (self._addresses[receiver], CANARY_PORT))
            if position % 16 == 15:
                await asyncio.sleep(0.001)
        while time.monotonic() - began_s < wait_s and not all(self._arrived[number] for number in sent):
            await asyncio.sleep(0.005)
        arrivals = {number: self._arrived.pop(number) for number in sent}
        there = [times for times in arrivals.values() if times]
        flights = [times[0] - sent[number] for number, times in arrivals.items() if times]
        return {
            "sent": count,
            "arrived": len(there),
            "doubled": sum(len(times) > 1 for times in there),
            "fastest_s": min(flights, default=None),
            "last_s": max((times[0] for times in there), default=began_s) - began_s,
        }


class Relay:
    """Connections to a loopback port of the machine go on to an address behind the switch."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    async def serve(self, listening: socket.socket) -> None:
        await asyncio.start_server(self._talk, sock=listening)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(RELAY_DIAL_S):
                onward, back = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_pump(reader, back), _pump(onward, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_RELAY_BYTES):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


class Control:
    """Answers the harness."""

    def __init__(self, control: socket.socket, switch: Switch, canaries: Canaries) -> None:
        self._control, self._switch, self._canaries = control, switch, canaries
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(control, self._readable)
        self._tasks: set[asyncio.Task[None]] = set()

    def _readable(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES_MAX, 1)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            if not self.over.done():
                self.over.set_result(None)
            return
        task = asyncio.create_task(self._answer(json.loads(data), descriptors))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, asked: dict[str, Any], descriptors: list[int]) -> None:
        answer: Any = None
        match asked["do"]:
            case "policies":
                wanted = {(a, b): Policy(**values) for a, b, values in asked["policies"]}
                for pair, lane in self._switch.lanes.items():
                    lane.policy = wanted.get(pair)
            case "canary":
                flights = (
                    self._canaries.fly(a, b, asked["count"], asked["size_bytes"], asked["wait_s"])
                    for a, b in asked["pairs"]
                )
                answer = await asyncio.gather(*flights)
            case "relay":
                await Relay(asked["host"], asked["port"]).serve(socket.socket(fileno=descriptors[0]))
            case "counts":
                answer = [[*pair, lane.seen, lane.dropped] for pair, lane in self._switch.lanes.items()]
        self._control.sendall(json.dumps({"answer": answer}).encode())


async def serve(
    control: socket.socket, hosts: dict[str, Namespace], canaries: dict[str, socket.socket], seed: int
) -> None:
    switch = Switch(hosts, seed)
    flying = Canaries(canaries, {name: host.address for name, host in hosts.items()})
    answering = Control(control, switch, flying)
    control.sendall(b'{"answer": "ready"}')
    await answering.over


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chaos.nemesis.switch")
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("hosts", nargs="+", metavar="HOST=ADDRESS")
    given = parser.parse_args()
    control = socket.socket(fileno=given.control)
    hosts: dict[str, Namespace] = {}
    canaries: dict[str, socket.socket] = {}
    try:
        user = become_able()
        for text in given.hosts:
            name, _, address = text.partition("=")
            hosts[name] = make_host(address)
            canary = canaries[name] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            canary.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            canary.bind((address, CANARY_PORT))
            canary.setblocking(False)
    except OSError as error:
        control.sendall(json.dumps({"error": str(error)}).encode())
        raise SystemExit(1) from None
    for name, host in hosts.items():  # one at a time: the kernel limits descriptors in one message
        socket.send_fds(control, [name.encode()], [host.descriptor])
    if user is not None:
        socket.send_fds(control, [USER], [user])
    control.setblocking(False)
    asyncio.run(serve(control, hosts, canaries, given.seed))


if __name__ == "__main__":
    main()
