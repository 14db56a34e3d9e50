"""Copies of the state between this member and the others, both ways: what it gives and what it pulls.

Rules:
1. A member that pulls a copy gives none, appends and applies nothing, and stands for no election.
2. Followers are asked first: the leader has enough to do. Who that is takes a new member a moment to hear.
3. What is finished or begun outlives the process: the next start goes on with it (copies.py, incoming.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cluster.copies import CopySource, Spawn
from cluster.journal import Journal
from cluster.machine import Applied, StateMachine
from cluster.peers import Peers
from cluster.progress import Progress
from cluster.pulls import CopyTarget
from cluster.raft import Raft
from cluster.wire import Message

POLL_S = 0.05  #: while a copy is on its way
LEADER_WAIT_S = 1.0  #: without a leader, whoever answers is asked after this


class Exchange:
    def __init__(
        self,
        copy_dir: Path,
        machine: StateMachine,
        *,
        raft: Raft,
        peers: Peers,
        progress: Progress,
        journal: Journal,
        clock: Callable[[], float],
        spawn: Spawn,
        unique: Callable[[], str],
        send: Callable[[str, Message], bool],
        refresh: Callable[[], None],
    ) -> None:
        """`refresh`: the membership that counts may be another one."""
        self._machine, self._refresh = machine, refresh
        self._raft, self._peers, self._progress, self._journal = raft, peers, progress, journal
        self._clock = clock
        self._any_s = float("-inf")  #: from then on anybody may be asked
        copy_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._source = CopySource(machine, copy_dir, send, clock, spawn, unique)
        self._target = CopyTarget(
            copy_dir, send, clock, self._askable, self.install, self.needed_index, spawn
        )

    @property
    def pulls(self) -> bool:
        return self._target.is_active

    @property
    def pulled_index(self) -> int | None:
        """Where the log goes on after the copy on its way."""
        return self._target.index

    def needed_index(self) -> int:
        """A copy below this log index is of no use."""
        return max(self._progress.position.index + 1, self._journal.first_index)

    def hold(self) -> None:
        """Nothing is appended, applied or campaigned for until a copy is installed."""
        self._raft.pulls_copy = True
        self._raft.elections.may_campaign = False

    def start(self) -> None:
        if not self._target.is_active:
            self.hold()
            self._any_s = self._clock() + LEADER_WAIT_S
            self._target.start()

    def poll(self) -> None:
        if self._source.is_busy:
            self._source.poll()
        self._target.poll()

    def peer_came(self, peer: str) -> None:
        self._target.connected(peer)

    def link_lost(self, peer: str) -> None:
        self._target.link_lost(peer)

    def due_in_s(self) -> float | None:
        return POLL_S if self._source.is_busy or self._target.is_active else None

    def received(self, peer: str, message: Message) -> None:
        """A message whose type starts with `copy_`."""
        kind = message["type"]
        if kind == "copy_ask":
            if not self._target.is_active:
                needed = max(self._journal.first_index, message["needed"])
                self._source.ask(peer, needed, self._progress.position.index)
        elif kind == "copy_pull":
            self._source.pull(peer, message["copy"], message["offset"])
        elif kind == "copy_done":
            self._source.done(peer, message["copy"])
        elif kind == "copy_wait":
            self._target.wait(peer)
        elif kind == "copy_offer":
            self._target.offer(peer, message)
        elif kind == "copy_chunk":
            self._target.chunk(peer, message)
        else:
            self._target.gone(peer, message)

    def install(self, path: Path, applied: Applied) -> bool:
        """A whole and right copy becomes the state; none from before this log's first entry, as what lies
        behind may have been acknowledged. Entries that contradict it never committed; they go first: a crash
        in between leaves a state and a log that fit."""
        journal, index, term = self._journal, applied.position.index, applied.position.term
        if index < self.needed_index():
            return False
        if journal.term_at(index) not in (None, term):
            journal.truncate(index)
            journal.sync()
        journal.store_install(index, term)
        self._machine.install(path, applied)
        if journal.term_at(index) != term:
            journal.reset(index, term)
        self._progress.take_over(applied)
        self._raft.restored(index)
        self._refresh()
        return True

    def close(self) -> None:
        self._source.close()
        self._target.close()

    def _askable(self) -> list[str]:
        leader = self._raft.leader()
        if leader is None and self._clock() < self._any_s:
            return []
        return sorted(self._peers.reachable(), key=lambda n: (n == leader, n))
