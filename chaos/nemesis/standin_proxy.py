"""Proxies of the stand-in: listeners, connections and their two directions.

Rules, as of toxiproxy 2.12: a proxy that is disabled closes its connections and refuses new ones; when one
direction of a connection ends, the socket that it writes to is closed as a whole. A reset_peer ends a
connection by a reset where it was there before it, else by an end: sockets are told to reset when they are
made.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import time
from typing import Any

from chaos.nemesis.standin_toxics import Chunk, ClosedByToxic, ResetByToxic, Toxic, apply

READ_BYTES = 32 << 10
CHUNKS_MAX = 1024  #: read ahead of what the toxics let pass, for each direction
DIAL_S = 5.0


class Passage:
    """One direction of one connection."""

    def __init__(
        self, connection: Connection, stream: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._connection = connection
        self.stream = stream
        self._reader = reader
        self._writer = writer
        self._chunks: asyncio.Queue[Chunk | None] = asyncio.Queue(CHUNKS_MAX)
        self._changed = asyncio.Event()
        self._touched: dict[Toxic, bool] = {}
        self.sent: dict[Toxic, int] = {}
        self.owed_s: dict[Toxic, float] = {}
        self.tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._pass())]

    def toxics(self) -> list[Toxic]:
        """Those that touch this connection, in order."""
        proxy = self._connection.proxy
        for toxic in proxy.toxics:
            if toxic.direction == self.stream and toxic not in self._touched:
                self._touched[toxic] = proxy.dice.random() < toxic.toxicity
        return [t for t in proxy.toxics if t.direction == self.stream and self._touched[t]]

    def touched_by(self, toxic: Toxic) -> bool:
        return self._touched.get(toxic, False)

    def toxics_changed(self, drawn_again: Toxic | None = None) -> None:
        if drawn_again is not None:
            self._touched.pop(drawn_again, None)
        self._changed.set()

    def dice(self) -> random.Random:
        return self._connection.proxy.dice

    async def nap(self, seconds: float) -> bool:
        if seconds <= 0:
            return True
        self._changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return True
        return False

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := await self._reader.read(READ_BYTES):
                await self._chunks.put(Chunk(time.monotonic(), data))
        await self._chunks.put(None)

    async def _next(self) -> Chunk | None:
        """The next chunk; None: the end. Raises ClosedByToxic when a timeout toxic's time is over."""
        waiting = asyncio.ensure_future(self._chunks.get())
        try:
            while True:
                self._changed.clear()
                timeouts = [t.attributes["timeout"] for t in self.toxics() if t.kind == "timeout"]
                limit_s = min((ms / 1000 for ms in timeouts if ms > 0), default=None)
                changed = asyncio.ensure_future(self._changed.wait())
                done, _ = await asyncio.wait(
                    {waiting, changed}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
                )
                changed.cancel()
                if waiting in done:
                    return waiting.result()
                if not done:
                    raise ClosedByToxic
        finally:
            waiting.cancel()

    async def _pass(self) -> None:
        try:
            while (chunk := await self._next()) is not None:
                await self._through(self.toxics(), chunk)
            for toxic in self.toxics():
                if toxic.kind == "slow_close":
                    await self.nap(toxic.attributes["delay"] / 1000)
                elif toxic.kind == "reset_peer":
                    raise ResetByToxic
        except ResetByToxic:
            if self._connection.resets:
                self._connection.reset()
                return
        except (ClosedByToxic, OSError):
            pass
        self._connection.ended(self)

    async def _through(self, toxics: list[Toxic], chunk: Chunk) -> None:
        if not toxics:
            await self.write(chunk.data)
            return

        async def onward(passed: Chunk) -> None:
            await self._through(toxics[1:], passed)

        await apply(self, toxics[0], chunk, onward)

    def close(self) -> None:
        self._writer.close()

    @property
    def closing(self) -> bool:
        return self._writer.is_closing()

    def abort(self) -> None:
        raw = self._writer.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


class Connection:
    """One client's connection with its connection to the upstream."""

    def __init__(
        self,
        proxy: Proxy,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.proxy = proxy
        self.resets = any(toxic.kind == "reset_peer" for toxic in proxy.toxics)
        self.passages = (
            Passage(self, "upstream", client[0], upstream[1]),
            Passage(self, "downstream", upstream[0], client[1]),
        )

    def ended(self, passage: Passage) -> None:
        passage.close()
        if all(other.closing for other in self.passages):
            self._forget()

    def close(self) -> None:
        for passage in self.passages:
            passage.close()
        self._forget()

    def reset(self) -> None:
        for passage in self.passages:
            passage.abort()
        self._forget()

    def _forget(self) -> None:
        self.proxy.connections.discard(self)
        for passage in self.passages:
            for task in passage.tasks:
                if task is not asyncio.current_task():
                    task.cancel()


def split_address(address: str) -> tuple[str, int]:
    """Host and port; raises ValueError."""
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdigit()):
        raise ValueError(f"address {address}: missing port in address")
    return host.strip("[]") or "0.0.0.0", int(port)


class Proxy:
    """One listener with its toxics."""

    def __init__(self, name: str, upstream: str, listen: str, dice: random.Random) -> None:
        self.name, self.upstream, self.listen, self.dice = name, upstream, listen or ":0", dice
        self.toxics: list[Toxic] = []
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    @property
    def enabled(self) -> bool:
        return self._server is not None

    async def start(self) -> None:
        """Raises OSError when the address is taken, ValueError when it is none."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, *split_address(self.listen))
            host, port = self._server.sockets[0].getsockname()[:2]
            self.listen = f"{host}:{port}"

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            for connection in list(self.connections):
                connection.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(DIAL_S):
                upstream = await asyncio.open_connection(*split_address(self.upstream))
        except (OSError, ValueError):
            writer.close()
            return
        if self._server is None:  # disabled meanwhile
            writer.close()
            upstream[1].close()
            return
        self.connections.add(Connection(self, (reader, writer), upstream))

    def add(self, toxic: Toxic) -> None:
        before = self._last_before(toxic, len(self.toxics))
        self.toxics.append(toxic)
        self.toxics_changed(before)

    def remove(self, toxic: Toxic) -> None:
        before = self._last_before(toxic, self.toxics.index(toxic))
        self.toxics.remove(toxic)
        if toxic.kind == "timeout":  # bytes are missing in what it touched
            for connection in list(self.connections):
                if any(p.stream == toxic.direction and p.touched_by(toxic) for p in connection.passages):
                    connection.close()
        self.toxics_changed(before)

    def _last_before(self, toxic: Toxic, place: int) -> Toxic | None:
        """Of the same direction, the one that this toxic comes after, or came."""
        return next((t for t in reversed(self.toxics[:place]) if t.direction == toxic.direction), None)

    def toxics_changed(self, drawn_again: Toxic | None = None) -> None:
        for connection in self.connections:
            for passage in connection.passages:
                passage.toxics_changed(drawn_again)

    def json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "listen": self.listen,
            "upstream": self.upstream,
            "enabled": self.enabled,
            "toxics": [t.json() for t in sorted(self.toxics, key=lambda t: t.direction != "upstream")],
        }
