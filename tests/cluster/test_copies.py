"""Copies of the state: resumed where they stopped, refused when damaged, asked of another peer in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.copies import CHUNK_BYTES, KEEP_S, STALL_S, CopySource, CopyTarget, pack_applied, unpack_applied
from cluster.machine import Applied, Entry, Position
from cluster.wire import Message, decode, encode

APPLIED = Applied(Position(50, 3), Position(49, 3), b"members")
CONTENT = bytes(range(256)) * (CHUNK_BYTES * 7 // 256) + b"end"


class Machine:
    """A state that is one file."""

    def __init__(self) -> None:
        self.copies = 0
        self.error: Exception | None = None

    def stored(self) -> Applied | None:
        return APPLIED

    def apply(self, entry: Entry) -> None: ...
    def checkpoint(self) -> None: ...
    def install(self, path: Path, applied: Applied) -> None: ...

    def copy_to(self, path: Path) -> Applied:
        self.copies += 1
        if self.error is not None:
            raise self.error
        path.write_bytes(CONTENT)
        return APPLIED


class Exchange:
    """Two sources, s and t, and one target; messages pass `filter` on their way."""

    def __init__(self, directory: Path) -> None:
        self.time = 0.0
        self.machines = {"s": Machine(), "t": Machine()}
        self.queue: list[tuple[str, str, Message]] = []
        self.filter: Callable[[Message], Message | None] = lambda m: m
        self.installed: list[bytes] = []
        self.jobs: list[Callable[[], None]] = []
        self.sources = {}
        for name, machine in self.machines.items():
            (directory / name).mkdir()
            self.sources[name] = CopySource(
                machine,
                directory / name,
                lambda peer, m, name=name: self._send(name, peer, m),  # type: ignore[misc]  # its name bound
                lambda: self.time,
                self.jobs.append,
                lambda name=name: f"copy-of-{name}-{self.machines[name].copies}",  # type: ignore[misc]  # as above
            )
        self.target = CopyTarget(
            directory,
            lambda peer, m: self._send("target", peer, m),
            lambda: self.time,
            lambda: ["s", "t"],
            self._install,
        )

    def _send(self, source: str, target: str, message: Message) -> bool:
        passed = self.filter(decode(encode(message)[4:]))
        if passed is not None:
            self.queue.append((source, target, passed))
        return True

    def _install(self, path: Path, applied: Applied) -> bool:
        assert applied == APPLIED
        self.installed.append(path.read_bytes())
        return True

    def steps(self) -> Iterator[Message]:
        """Deliver what is on its way, one message a step; jobs and polls in between."""
        while self.queue or self.jobs:
            while self.jobs:
                self.jobs.pop(0)()
            for source in self.sources.values():
                source.poll()
            if self.queue:
                source_name, target_name, message = self.queue.pop(0)
                self._deliver(source_name, target_name, message)
                yield message

    def run(self) -> None:
        for _ in self.steps():
            pass

    def wait(self, seconds: float) -> None:
        self.time += seconds
        self.target.poll()
        self.run()

    def _deliver(self, source: str, target: str, m: Message) -> None:
        if target == "target":
            {"copy_offer": self.target.offer, "copy_chunk": self.target.chunk, "copy_gone": self.target.gone}[
                m["type"]
            ](source, m)
            return
        serving = self.sources[target]
        if m["type"] == "copy_ask":
            serving.ask(source, m["copy"], max(10, m["needed"]), APPLIED.position.index)
        elif m["type"] == "copy_pull":
            serving.pull(source, m["copy"], m["offset"])
        else:
            serving.done(source, m["copy"])

    def close(self) -> None:
        self.target.close()
        for source in self.sources.values():
            source.close()


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    exchange = Exchange(tmp_path)
    yield exchange
    exchange.close()


def test_copy_arrives_whole_and_is_deleted_afterwards(exchange: Exchange, tmp_path: Path) -> None:
    exchange.target.start()
    exchange.run()
    assert exchange.installed == [CONTENT]
    assert not exchange.target.is_active
    assert list((tmp_path / "s").iterdir())
    exchange.time += KEEP_S
    exchange.sources["s"].poll()
    assert not list((tmp_path / "s").iterdir())
    assert not exchange.sources["s"].is_busy


def test_broken_connection_is_resumed_where_it_stopped(exchange: Exchange) -> None:
    offsets: list[int] = []
    exchange.target.start()
    for message in exchange.steps():
        if message["type"] == "copy_chunk":
            offsets.append(message["offset"])
        if len(offsets) == 3:
            exchange.queue.clear()
            break
    assert exchange.target.is_active

    def note(m: Message) -> Message:
        if m["type"] == "copy_chunk":
            offsets.append(m["offset"])
        return m

    exchange.filter = note
    exchange.wait(STALL_S + 0.1)
    assert exchange.installed == [CONTENT]
    assert offsets == sorted(set(offsets))
    assert exchange.machines["s"].copies == 1


def test_damaged_chunk_is_never_installed(exchange: Exchange) -> None:
    def damage(m: Message) -> Message:
        if m["type"] == "copy_chunk" and m["copy"].startswith("copy-of-s") and m["offset"]:
            return {**m, "data": m["data"][:-1] + b"?"}
        return m

    exchange.filter = damage
    exchange.target.start()
    exchange.run()
    assert exchange.installed == []
    for _ in range(6):
        exchange.wait(STALL_S + 0.1)
    assert exchange.installed == [CONTENT]
    assert exchange.machines["t"].copies == 1


def test_whole_that_does_not_fit_its_checksum_is_refused(exchange: Exchange) -> None:
    exchange.filter = lambda m: {**m, "sha256": b"x" * 32} if m["type"] == "copy_offer" else m
    exchange.target.start()
    exchange.run()
    for _ in range(4):
        exchange.wait(STALL_S + 0.1)
    assert exchange.installed == []
    assert exchange.target.is_active


def test_peer_that_cannot_copy_is_replaced_by_another(exchange: Exchange) -> None:
    exchange.machines["s"].error = OSError("No space left on device")
    exchange.target.start()
    exchange.run()
    for _ in range(4):
        exchange.wait(STALL_S + 0.1)
    assert exchange.installed == [CONTENT]


def test_silent_peer_is_given_up(exchange: Exchange) -> None:
    exchange.filter = lambda m: None if m.get("copy", "").startswith("copy-of-s") else m
    exchange.target.start()
    exchange.run()
    for _ in range(8):
        exchange.wait(STALL_S + 0.1)
    assert exchange.installed == [CONTENT]
    assert exchange.machines["t"].copies == 1


def test_position_comes_back_from_its_bytes() -> None:
    assert unpack_applied(pack_applied(APPLIED)) == APPLIED
    for data in (b"", b"\x90", b"\xc1", b"\x95\x01\x01\x01\x01\x01", b"\x95\xff\x01\x01\x01\xc4\x00"):
        with pytest.raises(ValueError, match="malformed position"):
            unpack_applied(data)
