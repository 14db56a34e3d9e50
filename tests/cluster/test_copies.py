"""Copies of the state: resumed where they stopped, refused when damaged, asked of another peer in the end."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster import incoming, pulls
from cluster.copies import CHUNK_BYTES, KEEP_S, CopySource, pack_applied, unpack_applied
from cluster.machine import Applied, Entry, Position
from cluster.pulls import RECONNECT_STALL_S, STALL_S, CopyTarget
from cluster.wire import Message, decode, encode

APPLIED = Applied(Position(50, 3), Position(49, 3), b"members")
CONTENT = bytes(range(256)) * (CHUNK_BYTES * 7 // 256) + b"end"


class Machine:
    """A state that is one file."""

    def __init__(self) -> None:
        self.copies = 0
        self.applied = APPLIED
        self.error: Exception | None = None

    def stored(self) -> Applied | None:
        return self.applied

    format = restores = 0

    def apply(self, entry: Entry) -> None: ...
    def checkpoint(self) -> None: ...
    def install(self, path: Path, applied: Applied) -> None: ...

    def copy_to(self, path: Path) -> Applied:
        self.copies += 1
        if self.error is not None:
            raise self.error
        path.write_bytes(CONTENT)
        return self.applied


class Exchange:
    """Two sources, s and t, and one target; messages pass `filter` on their way."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.time = 0.0
        self.candidates = ["s", "t"]
        self.machines = {"s": Machine(), "t": Machine()}
        self.queue: list[tuple[str, str, Message]] = []
        self.filter: Callable[[Message], Message | None] = lambda m: m
        self.installed: list[bytes] = []
        self.takes = True  #: whether a copy can be used
        self.jobs: list[Callable[[], None]] = []
        self.sent_bytes = 0
        self.sources: dict[str, CopySource] = {}
        for name in self.machines:
            (directory / name).mkdir()
            self.start_source(name)
        self.start_target()

    def start_source(self, name: str) -> None:
        """A process of this node begins, with the files of the last one."""
        machine = self.machines[name]
        self.sources[name] = CopySource(
            machine,
            self.directory / name,
            lambda peer, m: self._send(name, peer, m),
            lambda: self.time,
            self.jobs.append,
            lambda: f"copy-of-{name}-{machine.copies}",
        )

    def start_target(self, *, needed: int = 0) -> None:
        self.target = CopyTarget(
            self.directory,
            lambda peer, m: self._send("target", peer, m),
            lambda: self.time,
            lambda: self.candidates,
            self._install,
            lambda: needed,
            spawn=self.jobs.append,
        )

    def _send(self, source: str, target: str, message: Message) -> bool:
        encoded = encode(message)
        self.sent_bytes += len(encoded)
        passed = self.filter(decode(encoded[4:]))
        if passed is not None:
            self.queue.append((source, target, passed))
        return True

    def _install(self, path: Path, applied: Applied) -> bool:
        assert applied == APPLIED
        if self.takes:
            self.installed.append(path.read_bytes())
        return self.takes

    def steps(self) -> Iterator[Message]:
        """Deliver what is on its way, one message a step; jobs and polls in between."""
        while self.queue or self.jobs:
            while self.jobs:
                self.jobs.pop(0)()
            self.target.poll()
            for source in self.sources.values():
                source.poll()
            if self.queue:
                source_name, target_name, message = self.queue.pop(0)
                self._deliver(source_name, target_name, message)
                yield message

    def run(self) -> None:
        for _ in self.steps():
            pass

    def run_without_the_disk(self) -> int:
        """Deliver what is on its way while no helper thread gets on; gives how many chunks came."""
        chunks = 0
        while self.queue:
            message = self.queue[0][2]
            chunks += message["type"] == "copy_chunk"
            self._deliver(*self.queue.pop(0))
        return chunks

    def wait(self, seconds: float) -> None:
        self.time += seconds
        self.target.poll()
        self.run()

    def _deliver(self, source: str, target: str, m: Message) -> None:
        if target == "target":
            if m["type"] == "copy_wait":
                self.target.wait(source)
                return
            {"copy_offer": self.target.offer, "copy_chunk": self.target.chunk, "copy_gone": self.target.gone}[
                m["type"]
            ](source, m)
            return
        serving = self.sources[target]
        if m["type"] == "copy_ask":
            serving.ask(source, max(10, m["needed"]), APPLIED.position.index)
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
    exchange.run()
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


def test_connection_that_comes_back_is_used_at_once(exchange: Exchange) -> None:
    """The receiver hears only that the sender's connection broke, and not when it is back."""
    exchange.target.start()
    _pass_chunks(exchange, 3)
    exchange.queue.clear()
    exchange.target.link_lost("s")
    exchange.wait(RECONNECT_STALL_S + 0.1)
    assert exchange.installed == [CONTENT]


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


def test_killed_receiver_goes_on_with_what_was_on_its_disk(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill -9 in the middle: the next process asks the same sender, from the last stretch that was synced."""
    monkeypatch.setattr(incoming, "STRETCH_BYTES", CHUNK_BYTES)
    monkeypatch.setattr(pulls, "WINDOW_CHUNKS_MAX", pulls.WINDOW_CHUNKS_MIN)
    exchange.target.start()
    _pass_chunks(exchange, 4)
    exchange.queue.clear()
    exchange.jobs.clear()
    # What was written behind the note may be anything after a loss of power.
    with (exchange.directory / incoming.FILE).open("r+b") as file:
        file.seek(3 * CHUNK_BYTES)
        file.write(b"never synced")
    offsets = _note_offsets(exchange)
    exchange.start_target()
    exchange.target.start()
    exchange.run()
    assert exchange.installed == [CONTENT]
    assert offsets
    assert offsets[0] >= CHUNK_BYTES
    assert exchange.machines["s"].copies == 1
    assert exchange.sent_bytes < 1.4 * len(CONTENT)  # seven chunks: two of them twice
    assert not (exchange.directory / incoming.NOTE).exists()


def test_restarted_sender_still_has_its_copy(exchange: Exchange) -> None:
    exchange.target.start()
    _pass_chunks(exchange, 3)
    exchange.queue.clear()
    exchange.sources["s"].close()
    (exchange.directory / "s" / "copy-torn.out").write_bytes(b"half made when its process ended")
    exchange.start_source("s")
    offsets = _note_offsets(exchange)
    exchange.target.connected("s")
    exchange.run()
    assert exchange.installed == [CONTENT]
    assert offsets[0] == 3 * CHUNK_BYTES
    assert exchange.machines["s"].copies == 1
    exchange.time += KEEP_S + 1
    exchange.sources["s"].poll()
    exchange.run()
    assert not list((exchange.directory / "s").iterdir())


def test_slow_copy_is_waited_for(exchange: Exchange) -> None:
    """A large state takes longer to copy than a silent peer is given."""
    exchange.target.start()
    making = []
    for _ in range(10):
        while exchange.queue:
            exchange._deliver(*exchange.queue.pop(0))
        making += exchange.jobs
        exchange.jobs.clear()
        exchange.time += STALL_S + 0.1
        exchange.target.poll()
    exchange.jobs += making
    exchange.run()
    assert exchange.installed == [CONTENT]
    assert exchange.machines["t"].copies == 0


def test_peer_that_was_asked_is_not_changed_without_need(exchange: Exchange) -> None:
    """Whoever is asked makes a copy of its whole state; the best candidate may be another every second."""
    exchange.target.start()
    exchange.queue.pop(0)  # the question is lost
    exchange.candidates = ["t", "s"]
    exchange.wait(STALL_S + 0.1)
    assert exchange.installed == [CONTENT]
    assert exchange.machines["t"].copies == 0


def test_begun_copy_below_what_is_needed_now_is_not_gone_on_with(exchange: Exchange) -> None:
    exchange.target.start()
    _pass_chunks(exchange, 3)
    exchange.queue.clear()
    exchange.target.close()
    exchange.start_target(needed=APPLIED.position.index + 1)
    exchange.target.start()
    exchange.run()
    for _ in range(4):
        exchange.wait(STALL_S + 0.1)
    assert exchange.installed == []


def test_begun_copy_that_nobody_needs_is_removed(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "STRETCH_BYTES", CHUNK_BYTES)
    exchange.target.start()
    _pass_chunks(exchange, 4)
    exchange.queue.clear()
    exchange.target.close()
    exchange.start_target()
    assert (exchange.directory / incoming.NOTE).exists()
    exchange.time += KEEP_S + 1
    exchange.target.poll()
    exchange.run()
    assert not (exchange.directory / incoming.NOTE).exists()
    assert not (exchange.directory / incoming.FILE).exists()


def test_what_is_damaged_on_the_receivers_disk_is_never_installed(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "STRETCH_BYTES", CHUNK_BYTES)
    exchange.target.start()
    _pass_chunks(exchange, 4)
    exchange.queue.clear()
    exchange.target.close()
    with (exchange.directory / incoming.FILE).open("r+b") as file:
        file.write(b"flipped")
    exchange.start_target()
    exchange.target.start()
    exchange.run()
    assert exchange.installed == []
    for _ in range(4):
        exchange.wait(STALL_S + 0.1)
    assert exchange.installed == [CONTENT]


def _pass_chunks(exchange: Exchange, count: int) -> None:
    """Deliver messages until so many chunks have come."""
    for message in exchange.steps():
        count -= message["type"] == "copy_chunk"
        if not count:
            return


def _note_offsets(exchange: Exchange) -> list[int]:
    """Filled with the offset of each chunk that is sent from now on."""
    offsets: list[int] = []

    def note(m: Message) -> Message:
        if m["type"] == "copy_chunk":
            offsets.append(m["offset"])
        return m

    exchange.filter = note
    return offsets


def test_silent_peer_is_given_up(exchange: Exchange) -> None:
    exchange.filter = lambda m: None if m.get("copy", "").startswith("copy-of-s") else m
    exchange.target.start()
    exchange.run()
    for _ in range(8):
        exchange.wait(STALL_S + 0.1)
    assert exchange.installed == [CONTENT]
    assert exchange.machines["t"].copies == 1


def test_the_loop_writes_nothing_and_asks_for_no_more_than_two_stretches_ahead_of_the_disk(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "STRETCH_BYTES", CHUNK_BYTES)
    monkeypatch.setattr(pulls, "WINDOW_CHUNKS_MIN", 1)
    monkeypatch.setattr(pulls, "WINDOW_CHUNKS_MAX", 1)
    exchange.target.start()
    next(m for m in exchange.steps() if m["type"] == "copy_offer")
    assert exchange.run_without_the_disk() == 2
    assert (exchange.directory / incoming.FILE).stat().st_size == 0, "written on the loop"
    exchange.wait(0.05)
    assert exchange.installed == [CONTENT]


def test_a_disk_without_room_ends_the_receiver(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the helper thread cannot write is raised on the loop."""
    monkeypatch.setattr(incoming, "STRETCH_BYTES", CHUNK_BYTES)
    exchange.target.start()
    _pass_chunks(exchange, 1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * CHUNK_BYTES, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            exchange.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert exchange.installed == []


@pytest.mark.parametrize(("turn_s", "ahead"), [(0.001, 7), (0.2, pulls.WINDOW_CHUNKS_MIN + 1)])
def test_more_is_asked_for_ahead_where_chunks_come_soon(
    exchange: Exchange, turn_s: float, ahead: int
) -> None:
    """On a slow link no more than that stands in the way of all else. Counted with the one that just came."""
    on_their_way = [0]

    def look(message: Message) -> Message:
        exchange.time += turn_s
        if message["type"] == "copy_pull":
            on_their_way.append(on_their_way[-1] + 1)
        return message

    exchange.filter = look
    exchange.target.start()
    for message in exchange.steps():
        if message["type"] == "copy_chunk":
            on_their_way.append(on_their_way[-1] - 1)
    assert exchange.installed == [CONTENT]
    assert max(on_their_way) == ahead


def test_position_comes_back_from_its_bytes() -> None:
    assert unpack_applied(pack_applied(APPLIED)) == APPLIED
    for data in (b"", b"\x90", b"\xc1", b"\x95\x01\x01\x01\x01\x01", b"\x95\xff\x01\x01\x01\xc4\x00"):
        with pytest.raises(ValueError, match="malformed position"):
            unpack_applied(data)
