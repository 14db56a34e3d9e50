"""Very many agents in one process, for measurements of a cluster: each has a socket, an installation and a
session of its own and speaks as any agent does, but its work is done at once, and nothing is on disk.

    CRONCLAVE_TOKEN=… python -m agent.crowd --nodes http://127.0.0.1:8321,… --agents 100

Rules of this file:

1. What goes over the wire is what an agent says: claims before starts, ends until they are acknowledged,
   pings as often, all of it again on the next connection. Nothing outlives the process: no work that counts
   may be given to it.
2. It offers no-ops alone, so nothing else comes to it.
3. One loop serves all: how many it holds is what a loop holds. On a machine that is too slow for very many,
   they may be heard less often (`--ping-ms`, below the node's AGENT_SILENCE_MS) and wait longer to hear."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import logging
import os
import secrets
import signal
import sys
from collections.abc import Sequence

from agent import SOFTWARE
from agent.clock import HostClock, NodeClock
from agent.connection import Connection, Pace
from agent.key import KEY_BYTES, InstallationKey
from agent.trust import Trust
from agent.work.claims import CLAIM_AGAIN_MS
from scheduler.protocol import (
    PING_BUSY_MS,
    PING_MS,
    SILENCE_MS,
    VERSION,
    Ack,
    Assign,
    Cancel,
    Claim,
    Finished,
    Grant,
    Hello,
    Message,
    Ran,
    Recount,
    Refuse,
    Welcome,
    installation_of,
    session_name,
    to_sign,
)

KINDS = ("noop",)
AT_ONCE = 50  #: agents that come for the first time at once: nodes take so many new ones a second


@dataclasses.dataclass(slots=True)
class _Claimed:
    assign: Assign
    claim: Claim
    sent_ms: float = 0.0


class Member:
    """One agent of the crowd: what its connection works for."""

    def __init__(
        self, name: str, zone: str, pool: str, slots: int, nodes: Sequence[str], token: str, pace: Pace
    ) -> None:
        self._name, self._zone, self._pool, self._slots = name, zone, pool, slots
        self._key = InstallationKey(secrets.token_bytes(KEY_BYTES))
        self._host = HostClock()
        self._session = session_name(self._host.wall_ms(), secrets.token_hex(8))
        self._boot_id = secrets.token_hex(16)
        self._clock = NodeClock()
        self._index = self._events = self._claims = 0
        self._cluster, self._restores, self._lineage = "", 0, ""
        self._claimed: dict[int, _Claimed] = {}
        self._granted: dict[int, asyncio.TimerHandle] = {}
        self._ended: dict[int, Finished] = {}  #: by event
        self.connected = asyncio.Event()
        self._connection = Connection(
            tuple(nodes), lambda: token, Trust(None), self._clock, self, fixed=True, pace=pace
        )

    async def run(self) -> None:
        await self._connection.run()

    # -- the connection's listener

    def hello(self, nonce: bytes) -> Hello:
        running = [(attempt, "running") for attempt in self._granted]
        hello = Hello(
            version=VERSION, name=self._name, installation=installation_of(self._key.public),
            session=self._session, boot_id=self._boot_id, zone=self._zone, pool=self._pool, labels={},
            slots=self._slots, software=SOFTWARE, index=self._index, cluster=self._cluster,
            restores=self._restores, lineage=self._lineage, told=self._restores, key=self._key.public,
            held=(*running, *((end.attempt, "exited") for end in self._ended.values())), kinds=KINDS,
        )  # fmt: skip
        return dataclasses.replace(hello, proof=self._key.sign(to_sign(hello, nonce)))

    def accept(self, welcome: Welcome) -> str:
        self._cluster, self._restores, self._lineage = welcome.cluster, welcome.restores, welcome.lineage
        self._index = max(self._index, welcome.index)
        self.connected.set()
        for claimed in self._claimed.values():
            self._claim(claimed)
        for end in self._ended.values():
            self._connection.send(end)
        return ""

    async def recount(self, asked: Recount) -> Ran | str:
        """It has nothing to tell of before a restore."""
        self._cluster, self._restores, self._lineage = asked.cluster, asked.restores, asked.lineage
        return Ran(0, (), more=False)

    def receive(self, messages: list[Message]) -> None:
        for message in messages:
            match message:
                case Assign():
                    self._assigned(message)
                case Grant():
                    self._index = max(self._index, message.index)
                    self._start(message)
                case Refuse():
                    self._claimed.pop(message.attempt, None)
                case Cancel():
                    self._cancelled(message.attempt)
                case Ack():
                    self._index = max(self._index, message.index)
                    for event in message.events:
                        self._ended.pop(event, None)
                case _:
                    pass

    def lease(self, until_boot_ms: float) -> None:
        """Nothing here outlives a lease."""

    def beat(self) -> int:
        before_ms = self._host.boot_ms() - CLAIM_AGAIN_MS
        for claimed in self._claimed.values():
            if claimed.sent_ms < before_ms:
                self._claim(claimed)
        return self._index

    def slots(self) -> int:
        return self._slots

    def waiting(self) -> bool:
        return bool(self._claimed or self._ended)

    # -- its work

    def _assigned(self, assign: Assign) -> None:
        if assign.attempt in self._granted:
            return
        known = self._claimed.get(assign.attempt)
        if known is None:
            self._claims += 1
            claim = Claim(assign.attempt, f"{self._session[:16]}-{self._claims}")
            known = self._claimed[assign.attempt] = _Claimed(assign, claim)
        self._claim(known)

    def _claim(self, claimed: _Claimed) -> None:
        claimed.sent_ms = self._host.boot_ms()
        self._connection.send(claimed.claim)

    def _start(self, grant: Grant) -> None:
        """At its instant by the node's clock, and it has ended."""
        claimed = self._claimed.pop(grant.attempt, None)
        if claimed is None:
            return
        if grant.unable:
            self._end(grant.attempt, None, "start_failed", grant.unable)
            return
        early_s = max(0.0, claimed.assign.due_ms - self._clock.now_ms()) / 1_000
        if not early_s:
            self._end(grant.attempt, self._host.wall_ms(), "exit")
            return
        loop = asyncio.get_running_loop()
        self._granted[grant.attempt] = loop.call_later(early_s, self._due, grant.attempt)

    def _due(self, attempt: int) -> None:
        del self._granted[attempt]
        self._end(attempt, self._host.wall_ms(), "exit")

    def _cancelled(self, attempt: int) -> None:
        timer = self._granted.pop(attempt, None)
        if timer is not None:
            timer.cancel()
            self._end(attempt, None, "cancelled")

    def _end(self, attempt: int, started_ms: int | None, reason: str, detail: str = "") -> None:
        self._events += 1
        code = 0 if reason == "exit" else None
        end = Finished(
            self._events, attempt, started_ms, self._host.wall_ms(), code, reason, None, detail, b"",
            output_bytes=0,
        )  # fmt: skip
        self._ended[end.event] = end
        self._connection.send(end)


def members(
    count: int, nodes: Sequence[str], token: str, *, slots: int = 16, pool: str = "default",
    zones: Sequence[str] = ("zone-a", "zone-b", "zone-c"), pace: Pace = Pace(),  # frozen
) -> list[Member]:  # fmt: skip
    """The first of the nodes that each tries is another one, as those of the zones are."""
    made = []
    for number in range(count):
        first = number % len(nodes)
        own = (*nodes[first:], *nodes[:first])
        zone = zones[number % len(zones)]
        made.append(Member(f"crowd-{number + 1:05d}", zone, pool, slots, own, token, pace))
    return made


async def run(crowd: Sequence[Member], stop: asyncio.Event) -> None:
    """Until it is told to stop; an agent that fails ends all of them."""
    room = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_bring(member, room)) for member in crowd]
        await stop.wait()
        for task in tasks:
            task.cancel()


async def _bring(member: Member, room: asyncio.Semaphore) -> None:
    async with room:
        running = asyncio.create_task(member.run())
        welcomed = asyncio.create_task(member.connected.wait())
        try:
            await asyncio.wait({running, welcomed}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            running.cancel()
            raise
        finally:
            welcomed.cancel()
    try:
        await running
    finally:
        running.cancel()


async def _main(arguments: argparse.Namespace, token: str) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if arguments.parent:
        try:
            loop.add_reader(os.pidfd_open(arguments.parent), stop.set)
        except ProcessLookupError:
            return
    nodes = [node.rstrip("/") for node in arguments.nodes.split(",")]
    crowd = members(
        arguments.agents, nodes, token, slots=arguments.slots, pool=arguments.pool,
        zones=arguments.zones.split(","), pace=_pace(arguments.ping_ms, arguments.silence_ms),
    )  # fmt: skip
    await run(crowd, stop)


def _pace(ping_ms: float, silence_ms: float) -> Pace:
    """What is busy pings four times as often, as agents do."""
    return Pace(ping_ms, ping_ms * PING_BUSY_MS / PING_MS, silence_ms)


def main() -> int:
    first = (__doc__ or "").partition("\n\n")[0]
    made = argparse.ArgumentParser(prog="python -m agent.crowd", description=first)
    made.add_argument("--nodes", required=True, help="addresses of nodes, with commas between")
    made.add_argument("--agents", type=int, default=100)
    made.add_argument("--slots", type=int, default=16, help="of each")
    made.add_argument("--pool", default="default")
    made.add_argument("--zones", default="zone-a,zone-b,zone-c", help="that they are in by turns")
    made.add_argument("--ping-ms", type=float, default=PING_MS, help="between pings of one with no work")
    made.add_argument("--silence-ms", type=float, default=SILENCE_MS, help="without a Pong, until one leaves")
    made.add_argument("--parent", type=int, default=0, help="end with this process")
    arguments = made.parse_args()
    token = os.environ.get("CRONCLAVE_TOKEN", "")
    if not token:
        print("agent.crowd: set CRONCLAVE_TOKEN to the token that agents connect with", file=sys.stderr)
        return 1
    logging.basicConfig(level=os.environ.get("CRONCLAVE_LOG", "ERROR").upper())
    asyncio.run(_main(arguments, token))
    return 0


if __name__ == "__main__":
    sys.exit(main())
