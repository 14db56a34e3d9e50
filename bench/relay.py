"""A TCP relay in front of one node that counts what passes towards it and cuts its connections.

For copies that must go on where they stopped: the cuts come when so many bytes have passed, so they meet the
copy on its way whatever the machine's speed. It runs on a thread of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

READ_BYTES = 256 << 10


class Relay:
    """Listens on `port` and dials `target`, both on loopback."""

    def __init__(self, port: int, target: int, cut_at: Sequence[int]) -> None:
        self._port, self._target = port, target
        self._loop = asyncio.new_event_loop()
        self._serving: asyncio.Task[None]
        self._listening = threading.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._cut_at = sorted(cut_at)
        self._passed_bytes = 0
        self.cuts = 0

    @property
    def passed_bytes(self) -> int:
        """Bytes that came from the dialling side so far."""
        return self._passed_bytes

    def _abort(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._relay, "127.0.0.1", self._port)
        self._listening.set()
        async with server:
            await server.serve_forever()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(
            self._pass(reader, far_writer, counted=True), self._pass(far_reader, writer, counted=False)
        )
        self._writers -= {writer, far_writer}

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(READ_BYTES):
                if counted:
                    self._passed_bytes += len(data)
                    if self._cut_at and self._passed_bytes >= self._cut_at[0]:
                        self._cut_at.pop(0)
                        self.cuts += 1
                        self._abort()  # new connections are taken at once
                        return
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    def run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._serving = self._loop.create_task(self._serve())
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serving)
        self._abort()
        if left := asyncio.all_tasks(self._loop):
            self._loop.run_until_complete(asyncio.wait(left, timeout=5))
        self._loop.close()

    def wait_listening(self) -> None:
        if not self._listening.wait(10):
            raise OSError(f"the relay does not listen on port {self._port}")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._serving.cancel)


@contextmanager
def relayed(port: int, target: int, cut_at: Sequence[int] = ()) -> Iterator[Relay]:
    """A running relay that is gone at the end; it cuts when so many bytes came from the dialling side."""
    relay = Relay(port, target, cut_at)
    thread = threading.Thread(target=relay.run, name="relay", daemon=True)
    thread.start()
    relay.wait_listening()
    try:
        yield relay
    finally:
        relay.stop()
        thread.join(10)
