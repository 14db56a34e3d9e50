"""The core process: consensus, journal and machine on one loop, and the bridge to the front.

Rules:

1. Nothing else runs here: no HTTP, no planner, no user's code, no logging on a hot path.
2. What the front proposes is kept until it is applied here, and sent again after a leader change or
   RESEND_S: the state drops what it has seen. The front learns outcomes only from what was applied here.
3. A leader whose front is silent for FRONT_SILENCE_S hands leadership to a peer whose front lives.
4. Any error of the journal or of SQLite ends the process: a node that met one cannot know its own state.
5. Nodes compare the hashes of their states. One that differs from a majority sets its state aside and ends;
   its next start makes a new one.
6. A node that is told to end hands leadership over first, while its front still plans; then its front sends
   the agents to other nodes, while proposals are still taken; then it ends. Each step has a limit.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.consensus import Consensus
from cluster.journal import JournalError
from cluster.raft import Role
from cluster.reactor import Reactor
from cluster.settings import ClusterSettings, Founder
from cluster.tcp import LinkSettings, TcpLinks
from cluster.tls import TlsError, TlsFiles, identity
from cluster.turns import BOUNDS_S
from node import bridge, majority
from node.__main__ import configure_logging
from node.clock import wall_base_ms
from node.config import ConfigError, NodeConfig, load_config
from node.ending import Ending
from node.front_socket import FrontSocket
from node.identity import (
    JOURNAL,
    PRIVATE,
    Identity,
    load_identity,
    note_started,
    refuse_forgotten_votes,
    software_version,
)
from node.recent import RecentEvents
from node.state import ReplicatedState
from node.storage import Storage
from node.supervisor import EXIT_REFUSED, die_with_parent
from scheduler import codec, formats
from scheduler.commands import Lead
from scheduler.machine import AppliedEntry
from scheduler.store.connection import StoreError
from scheduler.ticks import tzdata_version

log = logging.getLogger("cronclave.core")

COPIES = "copies"  #: directory of copies of the state, for peers and from them
RESEND_S = 1.0
TRANSFER_PAUSE_S = 1.0
STORAGE_PAUSE_S = 5.0
MARKS_TOLD = 8
COMPARE_S = 1.0


class DivergedError(Exception):
    """This node applied the same entries to another result: it must not serve."""


class Core:
    """Composition and glue of one core."""

    def __init__(self, config: NodeConfig, identity: Identity) -> None:
        self._config = config
        self._identity = identity
        self._reactor = Reactor()
        self._storage = Storage(config.data)
        self._pending: dict[tuple[str, int], tuple[bytes, float]] = {}  # (front, seq) -> frame, last sent
        self._own_front = f"core-{identity.uid}-{secrets.token_hex(4)}"
        self._own_sequence = 0
        self._started_s = time.monotonic()
        self._version = software_version()
        self._transferred_s = 0.0
        self._sent_to: tuple[str | None, int] = (None, 0)
        self._told_role: tuple[Any, ...] = ()
        self._told_s = 0.0
        self._compared_s = 0.0
        self.refusal: str | None = None
        self._state = ReplicatedState(config.data, config.cluster, self._applied, self._reopened)
        self._recent = RecentEvents(self._state.machine.state.idx)
        self._links = self._build_links()
        self._consensus = self._build_consensus()
        self._front = FrontSocket(self._reactor, config.data, on_message=self._take, on_lost=self._forget)
        self._ending = Ending(
            self._consensus,
            hand_over=self._hand_over,
            dismiss=lambda: self._front.tell(["stop"]),
        )

    # -- composition -----------------------------------------------------------------------------

    def _build_links(self) -> TcpLinks:
        tls = self._config.tls
        return TcpLinks(
            self._reactor,
            LinkSettings(
                listen=str(self._config.raft),
                tls=TlsFiles(certificate=tls.cert, key=tls.key, trust=tls.ca) if tls else None,
                identity=identity(self._config.cluster, self._config.name),
                insecure=self._config.insecure,
                dial={peer: str(address) for peer, address in self._config.dial.items()},
            ),
        )

    def _build_consensus(self) -> Consensus:
        config = self._config
        return Consensus(
            ClusterSettings(
                cluster=config.cluster,
                name=config.name,
                uid=self._identity.uid,
                address=str(config.raft_address),
                members=[Founder(m.name, str(m.raft), m.zone, m.url) for m in config.members.values()],
                journal_dir=config.data / JOURNAL,
                copy_dir=config.data / COPIES,
                zone=config.zone,
                url=config.url,
                joining=config.join,
                format_min=formats.oldest(),
                format_max=formats.newest(),
                election_timeout_s=config.election_timeout_ms / 1000,
                log_bytes_max=config.log_bytes_max,
            ),
            self._state,
            self._links,
            wall_ms=lambda: int(time.time() * 1000),
            rng=random.Random(secrets.randbits(64)),
            on_lead=self._lead_frame,
            on_role=self._role_changed,
            on_fatal=self._refused,
            local_status=self._local_status,
            may_lead=_may_lead,
        )

    def run(self) -> None:
        """Until a SIGTERM; raises what consensus or the state raise."""
        self._reactor.run(self._turn)
        self.close()

    def close(self) -> None:
        self._consensus.close()
        self._state.close()
        self._front.close()

    def _refused(self, reason: str) -> None:
        """The cluster will never take this node back under this identity."""
        self.refusal = reason
        log.critical("%s", reason)
        self._reactor.stop()

    def reload(self) -> None:
        """Have the loop read the certificates again."""
        self._reactor.call_from_thread(self._links.reload)

    def stop(self) -> None:
        """The end in good order begins (rule 6); `run` returns when it is done."""
        self._ending.begin()

    # -- the loop --------------------------------------------------------------------------------

    def _turn(self) -> float:
        wait_s = self._consensus.turn()
        now_s = time.monotonic()
        self._resend(now_s)
        self._watch_front(now_s)
        self._watch_storage(now_s)
        self._compare_states(now_s)
        if self._ending.step(now_s, front_is_there=bool(self._front.uid)):
            self._reactor.stop()
        self._tell_status(now_s)
        self._front.flush()
        return min(wait_s, bridge.STATUS_S)

    def _lead_frame(self) -> bytes:
        self._own_sequence += 1
        lead = Lead(self._config.name, self._config.zone, self._consensus.term, tzdata_version())
        return codec.encode_frame(
            codec.Frame(
                self._own_front, self._own_sequence, self._own_sequence, (codec.encode_command(lead),)
            )
        )

    def _role_changed(self, role: Role) -> None:
        self._told_s = 0.0

    def _resend(self, now_s: float) -> None:
        """Frames that nobody answered: at once to another leader, since the last may be gone with them."""
        leadership = (self._consensus.leader, self._consensus.term)
        if leadership != self._sent_to and leadership[0] is not None:
            self._sent_to = leadership
            for key, (frame, _) in self._pending.items():
                self._pending[key] = (frame, 0.0)
        for key, (frame, sent_s) in self._pending.items():
            if now_s - sent_s >= RESEND_S and self._consensus.propose(frame):
                self._pending[key] = (frame, now_s)

    def _applied(self, entry: AppliedEntry) -> None:
        if entry.events:
            self._recent.add(entry.index, entry.stamp_ms, entry.encoded)
        outcomes = []
        for uid, sequence, results in entry.frames:
            self._pending.pop((uid, sequence), None)
            if uid == self._front.uid:
                outcomes.append([sequence, codec.encode_outcomes(results)])
        if outcomes or entry.events or entry.frames:
            self._front.tell(["commit", entry.index, entry.stamp_ms, outcomes, entry.encoded])

    def _reopened(self, path: Path) -> None:
        self._recent.begin(self._state.machine.state.idx)
        self._front.tell(["reopen", str(path), self._state.machine.state.idx])

    # -- the front -------------------------------------------------------------------------------

    def _take(self, message: list[Any]) -> None:
        kind = message[0]
        if kind == "propose":
            sequence, frame = message[1], message[2]
            sent = self._consensus.propose(frame)
            self._pending[(self._front.uid, sequence)] = (frame, time.monotonic() if sent else 0.0)
        elif kind == "abandon":
            self._pending.pop((self._front.uid, message[1]), None)
        elif kind == "beat":
            pass
        elif kind == "ask":
            self._answer(message[1], message[2], message[3])
        elif kind == "hello":
            self._front.welcome(message[1])
            index = self._state.machine.state.idx
            self._front.tell(
                [
                    "welcome",
                    {"path": str(self._state.path), "index": index, "since": self._recent.since},
                    self._recent.commits(),
                ]
            )
            self._told_s = 0.0
        else:
            raise ValueError(f"unknown bridge message {kind!r}")

    def _answer(self, number: int, what: str, arguments: list[Any]) -> None:
        """Asks about membership: the answer says that it began, or why not; its end shows in the status."""

        def told(reason: str | None) -> None:
            if number:
                self._front.tell(["answer", number, reason is None, reason or "under way"])

        if what == "transfer":
            self._transferred_s = time.monotonic()
            self._consensus.transfer(arguments[0], told)
        elif what == "add_member":
            name, address, zone, url = arguments
            self._consensus.add_member(name, address, zone, url, told=told)
        elif what == "check_member":
            told(self._consensus.why_not(arguments[0]))
        elif what == "remove_member":
            self._consensus.remove_member(arguments[0], told)
        else:
            raise ValueError(f"unknown question {what!r}")

    def _hand_over(self, target: str | None = None) -> str:
        """The leader's own wish. Raises ValueError with the reason why nobody can take over."""
        self._transferred_s = time.monotonic()
        heir = target or self._consensus.heir
        if heir is None:
            raise ValueError("no peer that can lead is reachable")
        reason = self._consensus.hand_over(heir)
        if reason is not None:
            raise ValueError(reason)
        return heir

    def _watch_front(self, now_s: float) -> None:
        if self._front.lives(now_s) or self._consensus.role is not Role.LEADER:
            return
        if now_s - self._transferred_s > TRANSFER_PAUSE_S and not self._ending.has_begun:
            try:
                target = self._hand_over()
                log.warning("the front is silent: handing leadership to %s", target)
            except ValueError:
                pass  # nobody else has a living front either: leading without one is no worse

    def _watch_storage(self, now_s: float) -> None:
        """A leader that is short of disk hands over to a peer that is not."""
        if not self._storage.look(now_s).low or self._consensus.role is not Role.LEADER:
            return
        if now_s - self._transferred_s <= STORAGE_PAUSE_S or self._ending.has_begun:
            return
        roomy = [
            p.name
            for p in self._consensus.peers()
            if p.reachable and p.voter and p.status.get("low") is False
        ]
        self._transferred_s = now_s
        for target in roomy[:1]:
            with contextlib.suppress(ValueError):  # not caught up: again after the pause
                self._hand_over(target)
                log.warning("the disk is low: handing leadership to %s", target)

    def _compare_states(self, now_s: float) -> None:
        """Raises DivergedError when a majority has another state than this node at one place of the log."""
        if now_s - self._compared_s < COMPARE_S:
            return
        self._compared_s = now_s
        index = majority.differs_at(self._state.marks, self._consensus.peers())
        if index is not None:
            kept = self._state.set_aside()
            shutil.rmtree(self._config.data / COPIES, ignore_errors=True)  # of that state
            raise DivergedError(
                f"the state of this node differs from the majority's at log index {index}; it is kept"
                f" in {kept} for you to look at; the next start makes a new one from log or peer"
            )

    def _forget(self, front: str) -> None:
        """Nobody waits any more for what this front proposed."""
        for key in [key for key in self._pending if key[0] == front]:
            del self._pending[key]

    # -- status ----------------------------------------------------------------------------------

    def _local_status(self) -> dict[str, Any]:
        """What the peers learn of this node every second."""
        state = self._state.machine.state
        space = self._storage.look(time.monotonic())
        return {
            majority.MARKS: {
                str(index): mark.hex() for index, mark in sorted(self._state.marks.items())[-MARKS_TOLD:]
            },
            "free_bytes": space.free_bytes,
            majority.LOW: space.low,
            "tzdata": state.tzdata,
            "front": self._front.lives(time.monotonic()),
            "stopping": self._ending.has_begun,
        }

    def _tell_status(self, now_s: float) -> None:
        if not self._front.uid:
            return
        consensus = self._consensus
        state = self._state.machine.state
        space = self._storage.look(now_s)
        turns = self._reactor.turns
        lag_ms = consensus.leader_silent_ms
        ready = (
            consensus.has_quorum
            and not consensus.is_joining
            and consensus.commit - consensus.applied.index < 1_000
        )
        role = (
            consensus.role, consensus.leader, consensus.term, consensus.has_quorum, ready, state.epoch,
            state.format, state.target_format, self._ending.is_leaving,
            consensus.clocks_known,
        )  # fmt: skip
        if role == self._told_role and now_s - self._told_s < bridge.STATUS_S:
            return
        self._told_role, self._told_s = role, now_s
        peers = [
            {
                "node": p.name,
                "zone": p.zone,
                "address": p.address,
                "url": p.url,
                "reachable": p.reachable,
                "voter": p.voter,
                "match": p.match,
                "silent_ms": int(now_s * 1000 - self._started_s * 1000)
                if p.silent_ms is None
                else p.silent_ms,
                "clock_offset_ms": p.offset_ms,
                "free_bytes": p.status.get("free_bytes"),
                "tzdata": p.status.get("tzdata"),
                "format_min": p.format_min,
                "format_max": p.format_max,
            }
            for p in consensus.peers()
        ]
        ends_s = self._links.certificate_ends_s
        urls = {p["node"]: p["url"] for p in peers} | {self._config.name: self._config.url}
        status = {
            "cluster": self._config.cluster,
            "node": self._config.name,
            "uid": self._identity.uid,
            "restores": state.restores,
            "zone": self._config.zone,
            "state": self._state_word(),
            "leader": consensus.leader,
            "leader_url": urls.get(consensus.leader) if consensus.leader else None,
            "term": consensus.term,
            "epoch": state.epoch,
            "index": state.idx,
            "commit_lag_ms": lag_ms,
            "quorum": consensus.has_quorum,
            "ready": ready and not self._ending.is_leaving,
            "state_hash": state.hash.hex(),
            "ledger_head": state.ledger_head.hex(),
            "format": state.format,
            "format_target": state.target_format,
            "format_min": formats.oldest(),
            "format_max": formats.newest(),
            "version": self._version,
            "tzdata": state.tzdata,
            "free_bytes": space.free_bytes,
            "storage_low": majority.is_storage_low(space.low, consensus.peers()),
            "wal_bytes": self._state.wal_bytes(),
            "log_bytes": consensus.log_bytes,
            "log_entries": consensus.log_entries,
            "wall_base_ms": wall_base_ms(),
            "turns": turns.counts,
            "turn_bounds_s": BOUNDS_S,
            "turns_s": turns.total_s,
            "work": self._reactor.work.counts,
            "work_s": self._reactor.work.total_s,
            "longest_turn_ms": int(turns.longest_s(now_s) * 1000),
            "address": str(self._config.raft_address),
            "url": self._config.url,
            "certificates": {} if ends_s is None else {"raft": int(ends_s * 1000)},
            "peers": peers,
        }
        self._front.tell(["status", status])

    def _state_word(self) -> str:
        if self._ending.is_leaving:
            return "stopping"
        return "joining" if self._consensus.is_joining else self._consensus.role.value


def _may_lead(status: Mapping[str, Any]) -> bool:
    """Whether a peer that tells this of itself can do a leader's work."""
    return bool(status.get("front")) and not status.get("stopping")


def main() -> int:
    parser = argparse.ArgumentParser(prog="node.core")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    configure_logging("core")
    os.umask(PRIVATE)
    try:
        config = load_config(arguments.config)
        own = load_identity(config)
        refuse_forgotten_votes(config.data, own.uid)
        core = Core(config, own)
        note_started(config.data, own.uid)
    except (ConfigError, JournalError, StoreError, TlsError) as error:
        print(f"cronclave node: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except OSError as error:
        print(f"cronclave node: raft.listen {config.raft}: {error}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda number, frame: core.stop())
    signal.signal(signal.SIGHUP, lambda number, frame: core.reload())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C reaches all; the supervisor decides
    try:
        core.run()
    except DivergedError as error:
        log.critical("%s", error)
        return 1
    except (formats.NewerFormatError, StoreError) as error:  # by the log, or by a copy of a peer's state
        core.refusal = str(error)
    if core.refusal is not None:
        print(f"cronclave node: {core.refusal}", file=sys.stderr)
        return EXIT_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
