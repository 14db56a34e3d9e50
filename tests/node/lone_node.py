"""A cluster of one member, without processes: the real consensus, journal and state on real files.

`python -m tests.node.lone_node DIRECTORY COUNT REFERENCE` proposes COUNT commands one by one. Each that is
committed is told in DIRECTORY/acknowledged, and the hash of the state behind each entry in REFERENCE.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from cluster.asking import Answered
from cluster.consensus import Consensus
from cluster.links import LinkHost
from cluster.raft import Role
from cluster.settings import ClusterSettings, Founder
from cluster.wire import Message
from node.state import ReplicatedState
from scheduler.machine import AppliedEntry
from scheduler.words import codec
from scheduler.words.commands import Command, Lead, PutToken

CLUSTER = "c0ffee"
ACKNOWLEDGED = "acknowledged"
TURNS_MAX = 5_000
TRIM_EVERY = 15  #: commands between two chances to trim the log


class NobodyElse:
    """The links of a member that has no peers."""

    def attach(self, host: LinkHost) -> None: ...
    def set_peers(self, addresses: Mapping[str, str]) -> None: ...
    def send(self, peer: str, message: Message) -> bool:
        return False

    def ask(self, name: str, address: str, answered: Answered) -> None:
        answered("", f"nobody answers at {address}")

    def queued_bytes(self, peer: str) -> int:
        return 0

    def drop(self, peer: str) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


class LoneNode:
    """Raises what a node raises that cannot trust its files. Time passes as the owner says."""

    def __init__(self, data: Path, *, life: int = 1, name: str = "a") -> None:
        self.now_s = life * 1_000_000.0
        self._life, self._sequence = life, 0
        self.hashes: dict[int, str] = {}  #: of the state behind each log index that was applied here
        self.state = ReplicatedState(data, CLUSTER, self._applied, lambda path: None, spawn=lambda job: job())
        try:
            self.consensus = Consensus(
                ClusterSettings(
                    cluster=CLUSTER,
                    name=name,
                    uid=f"uid-{name}",
                    address="127.0.0.1:1",
                    members=[Founder(name, "127.0.0.1:1")],
                    journal_dir=data / "log",
                    copy_dir=data / "copies",
                    log_entries_max=20,
                    log_tail_bytes=600,
                    segment_bytes=1200,
                ),
                self.state,
                NobodyElse(),
                wall_ms=lambda: 1_700_000_000_000 + int(self.now_s),
                clock=lambda: self.now_s,
                rng=random.Random(life),
                on_lead=lambda: self._frame(Lead(name, "", self.consensus.term, "2025b")),
                spawn=lambda job: job(),
            )
        except BaseException:
            self.state.close()
            raise

    def run_until(self, condition: Callable[[], object]) -> None:
        for _ in range(TURNS_MAX):
            if condition():
                return
            self.consensus.turn()
            self.now_s += 0.02
        raise AssertionError("a lone member does not get on")

    def lead(self) -> None:
        """Until everything that its log holds is applied, its own first entry as the last."""
        self.run_until(
            lambda: (
                self.consensus.role is Role.LEADER
                and self.state.machine.state.leader_term == self.consensus.term
            )
        )

    def commit(self, name: str) -> None:
        before = self.state.machine.state.idx
        assert self.consensus.propose(self._frame(PutToken(name, name.encode().ljust(32), "viewer")))
        self.run_until(lambda: self.state.machine.state.idx > before)

    def _applied(self, entry: AppliedEntry) -> None:
        state = self.state.machine.state
        self.hashes[state.raft_index] = state.hash.hex()

    def tokens(self) -> set[str]:
        with self.state.machine.store.snapshot() as store:
            return {row[0] for row in store.rows("SELECT name FROM tokens ORDER BY name")}

    def close(self) -> None:
        self.consensus.close()
        self.state.close()

    def abandon(self) -> None:
        self.consensus.abandon()
        self.state.close()

    def _frame(self, command: Command) -> bytes:
        self._sequence += 1
        packed = (codec.encode_command(command),)
        return codec.encode_frame(codec.Frame(f"front-{self._life}", self._sequence, self._sequence, packed))


def main(directory: Path, count: int, reference: Path) -> None:
    node = LoneNode(directory)
    node.lead()
    told = os.open(directory / ACKNOWLEDGED, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for number in range(count):
        node.commit(f"token-{number}")
        os.write(told, b"token-%d\n" % number)
        if number % TRIM_EVERY == TRIM_EVERY - 1:
            node.now_s += 10
    reference.write_text(json.dumps(node.hashes))
    os._exit(0)  # as it dies: nothing is closed in order


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
