"""The core process: consensus, journal and machine on one loop, and the bridge to the front.

Rules:

1. Nothing else runs here: no HTTP, no planner, no user's code, no logging on a hot path.
2. What the front proposes is kept until it is applied here, and sent again meanwhile (pending.py). The front
   learns outcomes only from what was applied here.
3. A leader whose front is silent hands leadership to a peer whose front lives (office.py).
4. Any error of the journal or of SQLite ends the process: a node that met one cannot know its own state.
5. A state that is damaged, or differs from the majority's, is set aside and the process ends; the next makes
   a new one (damage.py). While the state is looked at the node takes no office and is not ready.
6. A turn is a look at everything: where nothing calls for one, as with a heartbeat, there is none.
7. A node that is told to end hands leadership over first, while its front still plans; then its front sends
   the agents to other nodes, while proposals are still taken; then it ends. Each step has a limit.
"""

from __future__ import annotations

import argparse
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
from node import bridge, majority
from node.__main__ import configure_logging, keep_loaded
from node.answers import Answers
from node.config import ConfigError, NodeConfig, load_config
from node.damage import DivergedError, UntrustedError, damage_behind, note_failure, untrusted
from node.ending import Ending
from node.front_socket import FrontSocket
from node.identity import (
    JOURNAL,
    PRIVATE,
    Identity,
    load_identity,
    note_started,
    refuse_forgotten_votes,
)
from node.office import GIVEN_UP, Office
from node.pending import Pending
from node.recent import RecentEvents
from node.scrub import Scrub
from node.state import ApplyError, ReplicatedState
from node.status import CoreStatus
from node.storage import Storage
from node.supervisor import EXIT_ANEW, EXIT_REFUSED, die_with_parent
from scheduler import formats
from scheduler.machine import AppliedEntry
from scheduler.store.connection import StoreError
from scheduler.ticks import tzdata_version
from scheduler.words import codec
from scheduler.words.commands import Compare, Lead

log = logging.getLogger("cronclave.core")

COPIES = "copies"  #: directory of copies of the state, for peers and from them
LOOK_S = 0.02  #: whoever waits for the look at the state to end, waits no longer than this


class Core:
    """Composition and glue of one core."""

    def __init__(self, config: NodeConfig, identity: Identity) -> None:
        self._config = config
        self._identity = identity
        self._reactor = Reactor()
        self._storage = Storage(config.data)
        self._own_front = f"core-{identity.uid}-{secrets.token_hex(4)}"
        self._own_sequence = 0
        self._stirred = True  #: something calls for a turn
        self._due_s = 0.0  #: when the next is due
        self.refusal: str | None = None
        self._state = ReplicatedState(config.data, config.cluster, self._applied, self._reopened)
        self._recent = RecentEvents(self._state.machine.state.idx)
        self._links = self._build_links()
        self._consensus = self._build_consensus()
        self._pending = Pending(self._consensus)
        self._front = FrontSocket(
            self._reactor, config.data, on_message=self._take, on_lost=self._lost_front
        )
        self._scrub = Scrub(self._state, lambda command: self._consensus.propose(self._frame(command)))
        self._office = Office(
            self._consensus, self._front, self._storage, in_doubt=lambda: self._state.inspection.holds_back
        )
        self._answers = Answers(self._consensus, self._office, self._front.tell)
        self._ending = Ending(
            self._consensus,
            hand_over=lambda: self._office.hand_over(time.monotonic()),
            dismiss=lambda: self._front.tell(["stop"]),
        )
        self._status = CoreStatus(
            config,
            uid=identity.uid,
            consensus=self._consensus,
            state=self._state,
            storage=self._storage,
            scrub=self._scrub,
            ending=self._ending,
            front=self._front,
            reactor=self._reactor,
            links=self._links,
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
            rng=random.SystemRandom(),  # the journal draws seeds from it that nobody may foresee
            on_lead=self._lead_frame,
            on_role=self._role_changed,
            on_fatal=self._refused,
            local_status=self._local_status,
            may_lead=_may_lead,
        )

    def run(self) -> None:
        """Until a SIGTERM; raises what consensus or the state raise, and UntrustedError."""
        self._consensus.hold(self._state.inspection.holds_back)
        try:
            self._reactor.run(self._turn)
        except Exception as error:
            self._give_up(error)
            raise
        self.close()

    def _give_up(self, error: Exception) -> None:
        """Raises UntrustedError when the state is behind this error."""
        data = self._config.data
        peers = self._consensus.peers()
        words = str(error) if isinstance(error, DivergedError) else damage_behind(error, data, peers)
        if words is not None:
            self._state.close()
            shutil.rmtree(data / COPIES, ignore_errors=True)  # of that state
            raise untrusted(words, data, has_peers=any(p.voter for p in peers)) from error
        if isinstance(error, ApplyError):
            self.refusal = note_failure(error, data)

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
        self._stirred = True
        self._ending.begin()

    # -- the loop --------------------------------------------------------------------------------

    def _turn(self) -> float:
        now_s = time.monotonic()
        looks = self._stirred or self._consensus.is_stirred or now_s >= self._due_s
        wait_s = self._consensus.turn()
        if not looks:
            self._front.flush()
            return min(wait_s, self._due_s - now_s)
        self._stirred = False
        self._look()
        period_s = LOOK_S if self._state.inspection.is_on else bridge.STATUS_S
        self._due_s = time.monotonic() + period_s
        return 0.0 if self._consensus.is_stirred else min(wait_s, period_s)

    def _look(self) -> None:
        """At everything, behind a turn of consensus."""
        now_s = time.monotonic()
        self._pending.resend(now_s)
        self._state.settle()
        self._consensus.hold(self._state.inspection.holds_back)
        if not self._ending.has_begun:
            self._office.look(now_s)
        self._scrub.look(
            now_s,
            self._consensus.peers,
            leads=self._consensus.role is Role.LEADER,
            is_strained=self._reactor.turns.longest_s(now_s) > self._config.election_timeout_ms / 1000,
        )
        if self._ending.step(now_s, front_is_there=bool(self._front.uid)):
            self._reactor.stop()
        self._status.tell(now_s)
        self._front.flush()

    def _lead_frame(self) -> bytes:
        me, consensus = self._config, self._consensus
        return self._frame(
            Lead(me.name, me.zone, consensus.term, tzdata_version(), consensus.former_silent_ms)
        )

    def _frame(self, command: Lead | Compare) -> bytes:
        """The core's own word."""
        self._own_sequence += 1
        return codec.encode_frame(
            codec.Frame(
                self._own_front, self._own_sequence, self._own_sequence, (codec.encode_command(command),)
            )
        )

    def _role_changed(self, role: Role) -> None:
        self._status.hurry()

    def _lost_front(self, uid: str) -> None:
        self._stirred = True
        self._pending.forget(uid)

    def _applied(self, entry: AppliedEntry) -> None:
        if entry.events:
            self._recent.add(entry.index, entry.stamp_ms, entry.encoded)
        outcomes = []
        for uid, sequence, results in entry.frames:
            self._pending.applied(uid, sequence)
            if uid == self._front.uid:
                outcomes.append([sequence, codec.encode_outcomes(results)])
        fits = sum(map(len, entry.encoded)) <= bridge.EVENTS_BYTES_MAX
        if outcomes or entry.events or entry.frames:
            told = entry.encoded if fits else []
            self._front.tell(["commit", entry.index, entry.stamp_ms, outcomes, told])
        if not fits:
            self._reopened(self._state.path)

    def _reopened(self, path: Path) -> None:
        self._recent.begin(self._state.machine.state.idx)
        self._front.tell(["reopen", str(path), self._state.machine.state.idx])

    # -- the front -------------------------------------------------------------------------------

    def _take(self, message: list[Any]) -> None:
        kind = message[0]
        self._stirred = self._stirred or kind != "beat"
        if kind == "propose":
            number, frame, can_wait = message[1:]
            refusal = self._pending.propose(self._front.uid, number, frame, can_wait=can_wait)
            if refusal is not None:
                self._front.tell(["refused", number, refusal])
        elif kind == "abandon":
            self._pending.abandon(self._front.uid, message[1])
        elif kind == "beat":
            pass
        elif kind == "damaged":
            self._state.inspection.begin(self._state.path, suspected=message[1])
        elif kind == "ask":
            self._answers.give(*message[1:])
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
            self._status.hurry()
        else:
            raise ValueError(f"unknown bridge message {kind!r}")

    # -- status ----------------------------------------------------------------------------------

    def _local_status(self) -> dict[str, Any]:
        """What the peers learn of this node every second."""
        space = self._storage.look(time.monotonic())
        return {
            **self._scrub.status(),
            "free_bytes": space.free_bytes,
            majority.LOW: space.low,
            "tzdata": tzdata_version(),
            "front": self._front.lives(time.monotonic()),
            "stopping": self._ending.has_begun,
            "held": self._state.inspection.holds_back,
            GIVEN_UP: self._office.status(time.monotonic()),
        }

def _may_lead(status: Mapping[str, Any]) -> bool:
    """Whether a peer that tells this of itself can do a leader's work."""
    return bool(status.get("front")) and not status.get("stopping") and not status.get("held")


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
        core = _start(config, own)
        note_started(config.data, own.uid)
    except (ConfigError, JournalError, StoreError, TlsError) as error:
        print(f"cronclave node: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except OSError as error:
        print(f"cronclave node: raft.listen {config.raft}: {error}", file=sys.stderr)
        return 1
    except UntrustedError as error:
        return _ended_by(error)
    signal.signal(signal.SIGTERM, lambda number, frame: core.stop())
    signal.signal(signal.SIGHUP, lambda number, frame: core.reload())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C reaches all; the supervisor decides
    keep_loaded()
    try:
        core.run()
    except UntrustedError as error:
        return _ended_by(error)
    except (formats.NewerFormatError, StoreError) as error:  # by the log, or by a copy of a peer's state
        core.refusal = str(error)
    except ApplyError:
        if core.refusal is None:
            raise
    if core.refusal is not None:
        print(f"cronclave node: {core.refusal}", file=sys.stderr)
        return EXIT_REFUSED
    return 0


def _start(config: NodeConfig, own: Identity) -> Core:
    """Raises UntrustedError when the state is behind what keeps it from starting."""
    try:
        return Core(config, own)
    except Exception as error:
        words = damage_behind(error, config.data)
        if words is None:
            raise
        peers = [name for name in config.members if name != config.name]
        raise untrusted(words, config.data, has_peers=bool(peers or config.join)) from error


def _ended_by(error: UntrustedError) -> int:
    log.critical("%s", error)
    return EXIT_ANEW if error.is_aside else EXIT_REFUSED


if __name__ == "__main__":
    sys.exit(main())
