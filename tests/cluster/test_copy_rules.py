"""What the receiver of a copy believes, whom it asks, and what it notes: rule by rule."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgpack
import pytest

from cluster import incoming
from cluster.copies import CHUNK_BYTES, KEEP_TAKEN_S
from cluster.incoming import FILE, NOTE, Incoming, Offer
from cluster.pulls import PATIENCE_S, RECONNECT_STALL_S, STALL_S, STALLS_MAX
from cluster.wire import Message
from tests.cluster.test_copies import APPLIED, CONTENT, Exchange, _note_offsets, _pass_chunks, exchange

__all__ = ["exchange"]  # the fixture


def asked(exchange: Exchange) -> list[str]:
    """Whom the target's questions on their way go to."""
    return [target for _, target, m in exchange.queue if m["type"] == "copy_ask"]


def copies(exchange: Exchange) -> tuple[int, int]:
    return exchange.machines["s"].copies, exchange.machines["t"].copies


def stall(exchange: Exchange, times: int) -> None:
    """Nothing comes for so long; what is asked meanwhile is lost."""
    for _ in range(times):
        exchange.queue.clear()
        exchange.time += STALL_S + 0.01
        exchange.target.poll()


# ---- rule 1 of pulls: asked again where it stopped; a peer that is silent or has none is replaced


def test_peer_that_falls_silent_in_the_middle_is_replaced_and_its_copy_forgotten(exchange: Exchange) -> None:
    exchange.target.start()
    _pass_chunks(exchange, 3)
    exchange.filter = lambda m: None if m.get("copy", "").startswith("copy-of-s") else m
    stall(exchange, round(PATIENCE_S / STALL_S) + 1)
    assert asked(exchange) == ["t"]
    exchange.run()
    assert exchange.installed == [CONTENT]


def test_sender_that_lost_its_copy_gives_another_that_is_begun_anew(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "STRETCH_BYTES", CHUNK_BYTES)
    exchange.target.start()
    _pass_chunks(exchange, 4)
    assert (exchange.directory / NOTE).exists()
    exchange.queue.clear()
    exchange.sources["s"].close()
    for path in (exchange.directory / "s").iterdir():
        path.unlink()
    exchange.start_source("s")
    offsets = _note_offsets(exchange)
    exchange.target.connected("s")
    offered = next(m for m in exchange.steps() if m["type"] == "copy_offer")
    assert offered["copy"] == "copy-of-s-1"
    assert not (exchange.directory / NOTE).exists(), "it is of the former copy"

    exchange.run()

    assert offsets[0] == 0
    assert exchange.installed == [CONTENT]
    assert copies(exchange) == (2, 0)


def test_copy_that_cannot_be_used_is_asked_of_another(exchange: Exchange) -> None:
    exchange.takes = False
    exchange.target.start()
    exchange.run()
    assert exchange.target.is_active
    assert exchange.target.index is None
    exchange.takes = True
    exchange.wait(STALL_S + 0.1)
    assert exchange.installed == [CONTENT]
    assert copies(exchange) == (1, 1)


def test_sender_hears_that_all_of_it_came(exchange: Exchange) -> None:
    exchange.target.start()
    exchange.run()
    exchange.time += KEEP_TAKEN_S + 1
    exchange.sources["s"].poll()
    assert not exchange.sources["s"].is_busy


def test_what_others_say_of_a_copy_on_its_way_is_not_heard(exchange: Exchange) -> None:
    """And neither is what the sender says of another copy, twice, or not at all."""
    exchange.target.start()
    _pass_chunks(exchange, 2)
    name = next(m["copy"] for _, _, m in exchange.queue if m["type"] == "copy_pull")
    offset, crc = 2 * CHUNK_BYTES, zlib.crc32(b"wrong")
    chunk = {"type": "copy_chunk", "copy": name, "offset": offset, "data": b"wrong", "crc": crc}
    target = exchange.target
    target.chunk("t", chunk)
    target.chunk("s", {**chunk, "copy": "another"})
    target.chunk("s", {**chunk, "offset": offset + CHUNK_BYTES})
    target.chunk("s", {**chunk, "offset": 0})
    target.chunk("s", {**chunk, "data": b"", "crc": 0})
    target.gone("t", {"type": "copy_gone", "copy": name, "reason": "not from here"})
    target.offer("t", {"copy": "t", "size": 5, "sha256": b"x" * 32, "applied": b""})
    exchange.run()
    assert exchange.installed == [CONTENT]
    assert copies(exchange) == (1, 0)


def test_chunk_without_data_ends_nothing(exchange: Exchange) -> None:
    """What a sender reads behind the end of its file."""
    exchange.target.start()
    next(m for m in exchange.steps() if m["type"] == "copy_offer")
    requested = len(exchange.queue)
    exchange.target.chunk(
        "s", {"type": "copy_chunk", "copy": "copy-of-s-0", "offset": 0, "data": b"", "crc": 0}
    )
    assert len(exchange.queue) == requested
    exchange.run()
    assert exchange.installed == [CONTENT]


@pytest.mark.parametrize("harm", ["flipped", "longer-than-offered"])
def test_chunk_that_cannot_be_right_ends_this_copy_at_once(exchange: Exchange, harm: str) -> None:
    def change(m: Message) -> Message:
        if m["type"] == "copy_chunk" and harm == "flipped":
            return {**m, "data": m["data"][:-1] + b"?"}
        if m["type"] == "copy_offer" and harm == "longer-than-offered":
            return {**m, "size": 100}
        return m

    exchange.filter = change
    exchange.target.start()
    _pass_chunks(exchange, 1)
    assert exchange.target.index is None
    exchange.filter = lambda m: m
    exchange.queue.clear()
    exchange.wait(STALL_S + 0.1)
    assert exchange.installed == [CONTENT]
    assert copies(exchange) == (1, 1)


def test_offer_with_a_malformed_position_is_refused(exchange: Exchange) -> None:
    exchange.filter = lambda m: {**m, "applied": b"?"} if m["type"] == "copy_offer" else m
    exchange.target.start()
    exchange.run()
    assert exchange.target.is_active
    assert exchange.target.index is None
    assert not (exchange.directory / FILE).exists()


# ---- rule 2 of pulls: a begun copy is worth waiting for its sender


def test_sender_of_a_begun_copy_is_waited_for_while_it_is_away(exchange: Exchange) -> None:
    exchange.target.start()
    _pass_chunks(exchange, 3)
    exchange.candidates = ["t"]
    exchange.target.link_lost("s")
    for _ in range(round(PATIENCE_S / STALL_S) - 1):
        stall(exchange, 1)
        assert asked(exchange) == ["s"]
    stall(exchange, 2)
    assert asked(exchange) == ["t"]
    exchange.run()
    assert exchange.installed == [CONTENT]


def test_patience_begins_anew_with_each_chunk(exchange: Exchange) -> None:
    exchange.target.start()
    _pass_chunks(exchange, 2)
    exchange.time += PATIENCE_S - 0.5
    _pass_chunks(exchange, 1)
    stall(exchange, STALLS_MAX + 1)
    assert asked(exchange) == ["s"]


def test_begun_copy_of_the_last_life_waits_for_its_sender_too(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "STRETCH_BYTES", CHUNK_BYTES)
    exchange.target.start()
    _pass_chunks(exchange, 4)
    exchange.target.close()
    exchange.jobs.clear()
    exchange.queue.clear()
    exchange.candidates = ["t"]
    exchange.start_target()
    exchange.time += PATIENCE_S + 1
    exchange.target.start()
    assert asked(exchange) == ["s"]
    exchange.candidates = ["s", "t"]
    exchange.wait(STALL_S + 0.1)
    assert exchange.installed == [CONTENT]
    assert copies(exchange) == (1, 0)


def test_begun_copy_that_is_too_old_is_forgotten_at_once(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sender is not waited for, and the others need not keep their logs for it."""
    monkeypatch.setattr(incoming, "STRETCH_BYTES", CHUNK_BYTES)
    exchange.target.start()
    _pass_chunks(exchange, 4)
    exchange.target.close()
    exchange.jobs.clear()
    exchange.queue.clear()
    exchange.candidates = ["t"]
    exchange.start_target(needed=APPLIED.position.index + 1)
    exchange.target.start()
    assert (exchange.target.index, asked(exchange)) == (None, ["t"])


def test_begun_copy_that_is_gone_on_with_is_not_tidied_away(exchange: Exchange) -> None:
    exchange.target.start()
    _pass_chunks(exchange, 2)
    exchange.queue.clear()
    exchange.time += 1_000
    exchange.target.is_active = False  # as when it is installed
    exchange.target.poll()
    assert not exchange.jobs


def test_connection_of_another_peer_starts_no_question(exchange: Exchange) -> None:
    exchange.target.start()
    _pass_chunks(exchange, 2)
    exchange.queue.clear()
    exchange.target.connected("t")
    assert asked(exchange) == []
    exchange.target.connected("s")
    assert asked(exchange) == ["s"]


def test_first_connection_of_all_is_asked_at_once(exchange: Exchange) -> None:
    exchange.candidates = []
    exchange.target.start()
    assert asked(exchange) == []
    exchange.candidates = ["t"]
    exchange.target.connected("t")
    assert asked(exchange) == ["t"]


def test_question_is_repeated_soon_while_a_broken_connection_comes_back(exchange: Exchange) -> None:
    """Ours is up at once, and the answer was lost with theirs."""
    exchange.target.start()
    _pass_chunks(exchange, 2)
    exchange.queue.clear()
    exchange.target.connected("s")
    exchange.queue.clear()
    exchange.wait(RECONNECT_STALL_S + 0.1)
    assert exchange.installed == [CONTENT]


def test_nobody_is_asked_while_all_of_it_waits_for_the_disk(exchange: Exchange) -> None:
    exchange.target.start()
    next(m for m in exchange.steps() if m["type"] == "copy_offer")
    exchange.run_without_the_disk()
    exchange.target.connected("s")
    assert not exchange.queue
    stall(exchange, STALLS_MAX + round(PATIENCE_S / STALL_S))
    assert not exchange.queue
    exchange.run()
    assert exchange.installed == [CONTENT]
    assert copies(exchange) == (1, 0)


# ---- incoming: the note never tells of more than is on disk


class Disk:
    """What was written, synced and noted, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced = self.unsynced_max = 0
        self.noted: list[tuple[int, int]] = []  #: (as the note says, as is synced)
        fdatasync, replace = os.fdatasync, os.replace

        def sync(descriptor: int) -> None:
            size = os.fstat(descriptor).st_size
            self.unsynced_max = max(self.unsynced_max, size - self.synced)
            self.synced = size
            fdatasync(descriptor)

        def put(source: Path, target: Path) -> None:
            told = msgpack.unpackb(Path(source).read_bytes())[-1]
            self.noted.append((told, self.synced))
            replace(source, target)

        monkeypatch.setattr(os, "fdatasync", sync)
        monkeypatch.setattr(os, "replace", put)


def test_note_tells_of_what_is_synced_and_syncs_are_small(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "STRETCH_BYTES", 3 * CHUNK_BYTES)
    monkeypatch.setattr(incoming, "SYNCED_BYTES", CHUNK_BYTES)
    exchange.target.start()
    next(m for m in exchange.steps() if m["type"] == "copy_offer")
    disk = Disk(monkeypatch)
    exchange.run_without_the_disk()  # more comes than the first stretch that is written
    exchange.run()
    assert exchange.installed == [CONTENT]
    assert disk.noted
    assert all(told <= synced for told, synced in disk.noted), disk.noted
    assert disk.unsynced_max <= CHUNK_BYTES


def test_last_stretch_is_synced_before_the_copy_is_whole(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange.target.start()
    next(m for m in exchange.steps() if m["type"] == "copy_offer")
    disk = Disk(monkeypatch)
    exchange.run()
    assert exchange.installed == [CONTENT]
    assert disk.synced == len(CONTENT)


def test_what_the_disk_made_of_it_is_judged_and_not_what_came(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def flip(descriptor: int, data: bytes) -> int:
        return write(descriptor, bytes(data)[:-1] + b"?")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", flip)
        exchange.target.start()
        exchange.run()
    assert exchange.installed == []
    exchange.wait(STALL_S + 0.1)
    assert exchange.installed == [CONTENT]


@pytest.mark.parametrize("harm", ["torn-note", "short-file", "no-file", "foreign-note"])
def test_note_that_cannot_be_true_begins_anew(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    monkeypatch.setattr(incoming, "STRETCH_BYTES", CHUNK_BYTES)
    exchange.target.start()
    _pass_chunks(exchange, 4)
    exchange.queue.clear()
    exchange.target.close()
    note, file = exchange.directory / NOTE, exchange.directory / FILE
    if harm == "torn-note":
        note.write_bytes(note.read_bytes()[:-2])
    elif harm == "short-file":
        os.truncate(file, CHUNK_BYTES - 1)
    elif harm == "no-file":
        file.unlink()
    else:
        note.write_bytes(b"\x01")
    exchange.start_target()
    offsets = _note_offsets(exchange)
    exchange.target.start()
    assert exchange.target.index is None
    exchange.run()
    assert exchange.installed == [CONTENT]
    assert offsets[0] == 0


OFFER = Offer("name", 2 * CHUNK_BYTES, b"x" * 32, b"", "s")


def is_open(path: Path) -> bool:
    links = (Path(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd"))
    return any(link.exists() and link.resolve() == path for link in links)


@pytest.mark.parametrize("keep", [True, False])
def test_file_that_is_left_stays_open_until_the_helper_thread_is_done_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    """Its descriptor's number may be another file's a moment later: the journal's, for one."""
    monkeypatch.setattr(incoming, "STRETCH_BYTES", CHUNK_BYTES)
    jobs: list[Callable[[], None]] = []
    begun = Incoming(tmp_path, OFFER, jobs.append)
    begun.append(bytes(CHUNK_BYTES))
    assert len(jobs) == 1
    begun.leave(keep=keep)
    assert is_open(tmp_path / FILE)
    jobs.pop()()
    assert not is_open(tmp_path / FILE)
    assert not (tmp_path / NOTE).exists(), "another may have begun there"


def test_file_that_is_left_in_peace_is_closed_at_once_and_its_note_kept_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "STRETCH_BYTES", CHUNK_BYTES)
    for keep in (True, False):
        begun = Incoming(tmp_path, replace(OFFER, name=str(keep)), lambda job: job())
        begun.append(bytes(CHUNK_BYTES))
        begun.leave(keep=keep)
        assert not is_open(tmp_path / FILE)
        assert (tmp_path / NOTE).exists() == keep
