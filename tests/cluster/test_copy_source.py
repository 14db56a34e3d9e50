"""What a member gives whose state others ask for: one copy for all, for as long as somebody uses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.copies import KEEP_S, KEEP_TAKEN_S, CopySource
from cluster.machine import Applied, Position
from cluster.wire import Message
from tests.cluster.test_copies import APPLIED, CONTENT, Machine

INDEX = APPLIED.position.index


class Source:
    """One member, the peers' questions to it and what it answers."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.time = directory, 1_000.0
        self.machine = Machine()
        self.jobs: list[Callable[[], None]] = []
        self.sent: list[tuple[str, Message]] = []
        self.start()

    def start(self) -> None:
        self.source = CopySource(
            self.machine,
            self.directory,
            self._send,
            lambda: self.time,
            self.jobs.append,
            lambda: f"number-{self.machine.copies}",
        )

    def _send(self, peer: str, message: Message) -> bool:
        self.sent.append((peer, message))
        return True

    def ask(self, *peers: str, oldest: int = INDEX, applied: int = INDEX) -> None:
        for peer in peers:
            self.source.ask(peer, oldest, applied)

    def make(self) -> None:
        """The helper thread gets on, and the loop looks."""
        while self.jobs:
            self.jobs.pop(0)()
        self.source.poll()

    def told(self, kind: str) -> list[str]:
        """Who was told this since the last call."""
        peers = [peer for peer, message in self.sent if message["type"] == kind]
        self.sent = [(peer, m) for peer, m in self.sent if m["type"] != kind]
        return peers

    def offered(self) -> str:
        return str(next(m["copy"] for _, m in reversed(self.sent) if m["type"] == "copy_offer"))

    def files(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())

    def has_it_after(self, seconds: float) -> bool:
        self.time += seconds
        self.source.poll()
        return self.source.is_busy


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


@pytest.fixture
def ready(source: Source) -> Source:
    source.ask("p")
    source.make()
    return source


def close(source: Source) -> None:
    source.source.close()


def test_one_copy_serves_all_who_ask_before_it_is_made_and_afterwards(source: Source) -> None:
    source.ask("p", "q", "p")
    assert source.machine.copies == 0, "made on the loop"
    assert len(source.jobs) == 1
    source.make()
    assert source.told("copy_offer") == ["p", "q"]
    source.ask("r")
    assert (source.told("copy_offer"), source.machine.copies) == (["r"], 1)
    close(source)


def test_what_is_not_applied_here_yet_is_not_copied(source: Source) -> None:
    source.ask("p", oldest=INDEX + 1)
    assert source.told("copy_gone") == ["p"]
    assert not source.jobs


def test_copy_that_is_too_old_for_who_asks_makes_room_for_a_new_one(ready: Source) -> None:
    old = ready.files()
    position = Position(INDEX + 20, 3)
    ready.machine.applied = Applied(position, APPLIED.position, b"members")
    ready.told("copy_offer")

    ready.ask("q", oldest=INDEX + 10, applied=position.index)

    assert ready.told("copy_offer") == []
    ready.make()
    assert (ready.told("copy_offer"), ready.machine.copies) == (["q"], 2)
    assert not set(old) & set(ready.files())
    close(ready)


def test_chunks_are_given_of_the_copy_that_was_named_alone(ready: Source) -> None:
    ready.source.pull("p", ready.offered(), 0)
    ready.source.pull("q", "another", 0)
    assert (ready.told("copy_chunk"), ready.told("copy_gone")) == (["p"], ["q"])
    close(ready)


def test_copy_is_kept_while_somebody_pulls_it_or_asks_for_it(ready: Source) -> None:
    name = ready.offered()
    assert ready.has_it_after(KEEP_S - 1)
    ready.source.pull("p", name, 0)
    assert ready.has_it_after(KEEP_S - 1)
    ready.ask("q")
    assert ready.has_it_after(KEEP_S - 1)
    assert not ready.has_it_after(2)


def test_copy_that_one_has_taken_is_kept_for_another_that_still_pulls(ready: Source) -> None:
    name = ready.offered()
    ready.source.done("p", name)
    assert ready.has_it_after(KEEP_TAKEN_S - 1)
    ready.source.pull("q", name, 0)
    assert ready.has_it_after(KEEP_S - 1)
    ready.source.done("q", name)
    assert not ready.has_it_after(KEEP_TAKEN_S + 1)


def test_large_file_is_freed_beside_the_loop(ready: Source) -> None:
    assert not ready.has_it_after(KEEP_S + 1)
    assert [Path(name).suffix for name in ready.files()] == [".out"]  # a crash now leaves it without its note
    ready.make()
    assert ready.files() == []


def test_copy_that_cannot_be_read_back_is_refused_to_all(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = source.machine.copy_to

    def vanishes(path: Path) -> Applied:
        applied = made(path)
        path.unlink()
        return applied

    monkeypatch.setattr(source.machine, "copy_to", vanishes)
    source.ask("p", "q")
    source.make()
    assert (source.told("copy_gone"), source.told("copy_offer")) == (["p", "q"], [])
    assert not source.source.is_busy


@pytest.mark.parametrize("harm", ["shorter", "half-a-note", "no-note", "note-alone"])
def test_what_a_crash_left_of_a_copy_is_removed_and_never_offered(ready: Source, harm: str) -> None:
    close(ready)
    out, note = (next(ready.directory.glob(f"*{suffix}")) for suffix in (".out", ".note"))
    if harm == "shorter":
        out.write_bytes(CONTENT[:-1])
    elif harm == "half-a-note":
        note.write_bytes(note.read_bytes()[:-3])
    else:
        (note if harm == "no-note" else out).unlink()

    ready.start()

    assert (ready.files(), ready.source.is_busy) == ([], False)
