"""The core of a cluster of one node in the test's own process, turn by turn; fronts come and go."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from node import bridge
from node.config import load_config
from node.core import Core
from node.identity import load_identity
from scheduler.model import parse_job, prepare
from scheduler.words import codec
from scheduler.words.commands import PutJobs
from tests.cluster.members import free_port
from tests.node.test_config import GOOD, write
from tests.scheduler.story import START_MS, job

DEADLINE_S = 60.0


class Alone:
    """The core of a cluster of one node, turn by turn; fronts come and go."""

    def __init__(self, directory: Path) -> None:
        text = GOOD.replace("127.0.0.1:8322", f"127.0.0.1:{free_port()}")
        self.config = load_config(write(directory, text), {})
        self.config.data.mkdir()
        self.core = Core(self.config, load_identity(self.config))
        self.proposed = self.sound = 0  #: the last numbers of frames

    @property
    def index(self) -> int:
        return self.core._state.machine.state.idx

    def until(self, condition: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline_s
            self.core._reactor.step(0.01)
            self.core._turn()

    def put_job(self, name: str) -> None:
        before = self.index
        self.proposed += 1
        put = PutJobs((prepare(parse_job(job(name)), START_MS),), START_MS)
        frame = codec.Frame("a-front", self.proposed, self.proposed, (codec.encode_command(put),))
        self.until(lambda: self.core._consensus.propose(codec.encode_frame(frame)))
        self.until(lambda: self.index > before)

    def welcome(self) -> tuple[int, dict[int, list[str]]]:
        """What a new front hears first: since when, and the events' names by the index of their commit."""
        heard: list[list[Any]] = []
        decoder = bridge.Decoder()
        with socket.socket(socket.AF_UNIX) as front:
            front.connect(bridge.socket_path(self.config.data))
            front.setblocking(False)
            front.sendall(bridge.encode(["hello", "front"]))

            def read() -> bool:
                with contextlib.suppress(BlockingIOError):
                    heard.extend(decoder.feed(front.recv(1 << 20)))
                return bool(heard)

            self.until(read)
        assert heard[0][0] == "welcome"
        _, facts, commits = heard[0]
        names = {
            index: [type(e).__name__ for part in packed for _, _, e in codec.decode_events(part)]
            for index, _, packed in commits
        }
        assert facts["index"] == self.index
        return facts["since"], names

    @contextlib.contextmanager
    def front(self, uid: str) -> Iterator[HandFront]:
        """A front that says what the test wants."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(bridge.socket_path(self.config.data))
            sock.setblocking(False)
            front = HandFront(self, sock)
            front.say(["hello", uid])
            front.until(lambda: front.heard("welcome"))
            yield front

    def close(self) -> None:
        self.core.close()
        self.core._reactor.close()


class HandFront:
    """The front's side of the bridge, one step at a time."""

    def __init__(self, alone: Alone, sock: socket.socket) -> None:
        self._alone, self._sock = alone, sock
        self._decoder = bridge.Decoder()
        self._unsent = bytearray()
        self.messages: list[list[Any]] = []
        self.is_dropped = False

    def say(self, message: Any) -> None:
        self.send(bridge.encode(message))

    def send(self, data: bytes) -> None:
        self._unsent += data

    def heard(self, kind: str) -> list[list[Any]]:
        return [message for message in self.messages if message[0] == kind]

    def until(self, condition: Callable[[], object]) -> None:
        def met() -> bool:
            self._exchange()
            return bool(condition())

        self._alone.until(met)

    def _exchange(self) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                while self._unsent:
                    del self._unsent[: self._sock.send(self._unsent[: 1 << 16])]
            except ConnectionError:
                self._unsent.clear()
        with contextlib.suppress(BlockingIOError):
            try:
                data = self._sock.recv(1 << 20)
            except ConnectionError:
                data = b""
            self.is_dropped = self.is_dropped or not data
            self.messages += self._decoder.feed(data)
