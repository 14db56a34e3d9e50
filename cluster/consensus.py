"""One member of the cluster: proposals in, the same entries in the same order out on every member.

Rules:
1. `propose` promises nothing. What was proposed is committed when its entry is applied here, and only then;
   whoever proposed sends again after a leader change or a time-out. The state drops duplicates.
2. Order of a turn: (frames were delivered) → append → send → sync the journal → acknowledge → tick: commit,
   apply a slice, heartbeat. What is applied is in the journal of a majority, and in this one.
3. The first regular entry of a leadership is what `on_lead` returns. Nothing that was queued or forwarded
   before comes in front of it.
   A turn that nothing calls for is none: heartbeats alone do not make the node look at everything.
4. An exception out of `turn` is fatal (disk, state): the owner ends the process. So is `on_fatal`.
5. All methods belong to the thread of the reactor.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from cluster.asking import Answered
from cluster.changes import Changes
from cluster.compaction import Compaction
from cluster.copies import Spawn, on_thread
from cluster.disk import Disk
from cluster.exchange import Exchange
from cluster.hardening import ALL_ON, Hardening
from cluster.intake import Intake
from cluster.journal import LogEntry
from cluster.links import Links
from cluster.machine import StateMachine
from cluster.peers import Peers
from cluster.progress import Progress
from cluster.questions import Denial, Told, unheard
from cluster.raft import Raft, Role
from cluster.read_index import ReadIndex
from cluster.restore import open_journal
from cluster.roster import Roster
from cluster.settings import ClusterSettings, Timings
from cluster.standing import Standing
from cluster.status import Statuses
from cluster.wire import Hello, Message, Refusal

PEER_QUEUE_BYTES = 16 << 20  #: no more entries for a peer that has this much unsent
LOOK_S = 0.2  #: everything is looked at so often, whether anything calls for it or not


class Consensus(Standing):
    def __init__(
        self,
        settings: ClusterSettings,
        machine: StateMachine,
        links: Links,
        *,
        wall_ms: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        on_role: Callable[[Role], None] = lambda role: None,
        on_lead: Callable[[], bytes | None] = lambda: None,
        on_fatal: Callable[[str], None] = lambda reason: None,
        local_status: Callable[[], dict[str, Any]] = dict,
        may_lead: Callable[[Mapping[str, Any]], bool] = lambda status: True,
        disk: Disk | None = None,
        seen: Disk | None = None,
        spawn: Spawn = on_thread,
        hardening: Hardening = ALL_ON,
    ) -> None:
        """Raises JournalError when the journal or the state cannot be trusted."""
        self.settings = settings
        self.fatal: str | None = None
        self._machine, self._links = machine, links
        self._clock, self._wall_ms, self._rng = clock, wall_ms, rng or random.SystemRandom()
        self._on_role, self._on_fatal = on_role, on_fatal
        self._hardening = hardening
        self._timings = Timings.derive(settings.election_timeout_s)
        self._journal, applied, needs_copy = open_journal(
            settings, machine.stored(), hardening, self._rng, disk, seen
        )
        self._peers = Peers(clock, wall_ms)
        self._roster = Roster(settings, self._peers, self._journal.seen, hardening)
        self._stirred, self._due_s = True, clock()
        self._progress = Progress(applied, self._roster)
        self._raft = Raft(
            name=settings.name,
            journal=self._journal,
            applied_index=applied.position.index,
            timings=self._timings,
            hardening=hardening,
            clock=clock,
            rng=self._rng,
            host=self,
        )
        self._intake = Intake(
            self._raft,
            name=settings.name,
            queue_bytes_max=settings.queue_bytes_max,
            stamp_ms=self._progress.stamp_ms,
            wall_ms=lambda: self._peers.right_wall_ms(self._roster.current.voters),
            on_lead=on_lead,
            send=self.send,
        )
        self._changes = Changes(
            settings,
            self._timings,
            raft=self._raft,
            peers=self._peers,
            roster=self._roster,
            clock=clock,
            send=self.send,
            refresh=self._refresh,
            may_lead=may_lead,
        )
        self.reads = ReadIndex(settings.name, self._raft, self._roster, clock, self.send)
        self._exchange = Exchange(
            settings.copy_dir,
            machine,
            raft=self._raft,
            peers=self._peers,
            progress=self._progress,
            journal=self._journal,
            clock=clock,
            spawn=spawn,
            unique=lambda: f"{self._rng.getrandbits(64):016x}",
            send=self.send,
            refresh=self._refresh,
        )
        self._statuses = Statuses(
            peers=self._peers,
            roster=self._roster,
            progress=self._progress,
            exchange=self._exchange,
            owner=local_status,
            clock=clock,
            send=self.send,
            refresh=self._refresh,
        )
        self._compaction = Compaction(
            settings,
            self._journal,
            machine,
            spawn=spawn,
            applied_index=lambda: self._progress.position.index,
            held_index=self._peers.pulled_index,
        )
        if needs_copy:
            self._exchange.hold()
        links.attach(self)
        self._refresh()
        if needs_copy:
            self._exchange.start()

    # ---- what the owner does

    def retire(self) -> None:
        """This node ends soon: it takes no office any more, and the others learn that at once by its status.
        A leader goes on until it has handed over."""
        self._raft.elections.retires = True
        self._statuses.hurry()
        self._stirred = True

    def hold(self, on: bool) -> None:
        """Whether the owner doubts its state: then it takes no office; a leader keeps its own."""
        self._stirred = self._stirred or on != self._raft.elections.is_held
        self._raft.elections.hold(on)

    def hand_over(self, heir: str) -> str | None:
        """The owner's own wish, as leader: None when it is under way, else why it cannot be."""
        if self.role is not Role.LEADER:
            return "this node does not lead"
        self._stirred = True
        return self._changes.hand_over(heir)

    def may_take_over(self, name: str) -> bool:
        """Leader: whether leadership can be handed to this member now."""
        return self._changes.why_no_heir(name) is None

    def propose(self, proposal: bytes, *, can_wait: bool = False) -> bool:
        """Bring a proposal on its way; `can_wait`: some ms, for those of other members to share an entry.
        False: no leader is known, or too much waits; nothing was queued. Raises ValueError for one over
        1 MiB."""
        self._stirred = True
        return self.fatal is None and self._intake.propose(proposal, self._clock(), can_wait=can_wait)

    def transfer(self, target: str | None = None, told: Told = unheard) -> Denial | None:
        """Hand leadership to `target`, or to whoever has most of the log. None when under way (see `leader`)
        or was passed on to the leader, else why it cannot be; `told` hears the leader's word, once."""
        self._stirred = True
        return self._changes.transfer(target, told)

    def add_member(
        self,
        name: str,
        address: str,
        zone: str = "",
        url: str = "",
        uid: str | None = None,
        told: Told = unheard,
    ) -> Denial | None:
        """Admit a new name. It copies the state first and votes once it has caught up: look at `membership`.
        Results as `transfer`."""
        self._stirred = True
        return self._changes.request(["add", name, address, zone, url, uid], told)

    def ask(self, name: str, address: str, answered: Answered) -> None:
        """Who answers at the address of a node that is to be admitted; `answered` hears its uid, or why it
        cannot be, once."""
        self._links.ask(name, address, answered)

    def why_not(self, name: str) -> str | None:
        """Why this name cannot be admitted, by what this member knows; None: it can."""
        return self._changes.why_not(name)

    def remove_member(self, name: str, told: Told = unheard) -> Denial | None:
        """Remove a member for good; a leader hands over before it removes itself. Results as `transfer`."""
        self._stirred = True
        return self._changes.request(["remove", name], told)

    @property
    def is_stirred(self) -> bool:
        """Whether the next `turn` looks at everything; else it sends a heartbeat that is due."""
        return self.fatal is None and (self._stirred or self._clock() >= self._due_s)

    def turn(self) -> float:
        """One turn; returns the seconds until the next is due, if no frame comes before."""
        if self.fatal is not None:
            return 1.0
        now = self._clock()
        if not self.is_stirred:
            if self._raft.heartbeat_in_s() == 0.0:
                self._raft.replicate()
                self._links.flush()
            return self._soon(self._due_s - now)
        self._stirred = False
        self._intake.lead(self._progress.stamp_ms)
        self._intake.forward()
        if not self._changes.hands_over:
            self._intake.append(now)
        if self._hardening.acknowledge_after_sync:
            self._links.flush()  # the followers' disks work while ours does
            self._journal.sync()
        self._raft.release()
        self._raft.tick()
        self._refresh()
        self._housekeep(now)
        self._links.flush()
        wait_s = min(self._wait_s(), LOOK_S)
        self._due_s = self._clock() + wait_s
        return self._soon(wait_s)

    def _soon(self, wait_s: float) -> float:
        heartbeat_s = self._raft.heartbeat_in_s()
        return wait_s if heartbeat_s is None else min(wait_s, heartbeat_s + 0.0005)

    def close(self) -> None:
        """End in order: the next start continues here."""
        self._links.close()
        self._exchange.close()
        self._journal.close()

    def abandon(self) -> None:
        """Close files and sockets and write nothing: after an exception, and where a test means kill -9."""
        self._links.close()
        self._exchange.close()
        self._journal.abandon()

    def _refresh(self) -> None:
        """Take over the membership that counts: the latest of the log, else that of the state."""
        if not self._roster.refresh(self._raft.latest_membership(), self._progress.position.index):
            return
        membership = self._roster.current
        me = membership.get(self.settings.name)
        self._raft.configure(membership.voters, membership.learners)
        elections = self._raft.elections
        if me is not None and me.voter and not elections.may_campaign and not self._raft.pulls_copy:
            elections.campaign_again()
        peers = self._roster.addresses()
        self._peers.keep(peers)
        self._links.set_peers(peers)
        if me is not None and me.uid is not None and me.uid != self.settings.uid:
            self._end(
                f"{self.settings.name} is bound to another node uid: its data directory is not the one it had"
            )

    def _end(self, reason: str) -> None:
        if self.fatal is None:
            self.fatal = reason
            self._raft.elections.may_campaign = False
            self._links.set_peers({})
            self._on_fatal(reason)

    # ---- turn by turn

    def _housekeep(self, now: float) -> None:
        self._exchange.poll()
        self._changes.expire(now)
        self.reads.poll(now)
        if self.role is Role.LEADER:
            self._changes.step(now)
        if now >= self._statuses.due_s:
            self._journal.sync()  # done already, unless a test switched it off
            self._statuses.tell_all(now)
            self._changes.leave()
        if not self._exchange.pulls:
            self._compaction.poll(now)

    def _wait_s(self) -> float:
        wait_s = self._raft.wait_s()
        now = self._clock()
        if self._journal.is_dirty and self._hardening.acknowledge_after_sync:
            return 0.0
        waits = (self._intake.due_in_s(now, paused=self._changes.hands_over), self._exchange.due_in_s())
        return max(0.0, min(wait_s, self._statuses.due_s - now, *(w for w in waits if w is not None)))

    # ---- RaftHost

    def send(self, peer: str, message: Message) -> bool:
        return self._links.send(peer, message)

    def drop(self, peer: str) -> None:
        self._links.drop(peer)

    def has_room(self, peer: str) -> bool:
        return self._links.queued_bytes(peer) < PEER_QUEUE_BYTES

    def committed(self) -> None:
        if self._changes.hands_over or not self._intake.append(self._clock()):
            self._raft.replicate()
        self._links.flush()

    def became(self, role: Role) -> None:
        self._stirred = True
        self._intake.became(role)
        self._changes.became(role)
        self._statuses.hurry(2 * self._timings.heartbeat_s)
        self._on_role(role)

    def apply(self, entry: LogEntry) -> int:
        following = self._progress.next(entry)
        self._machine.apply(following)
        self._progress.position = following.applied.position
        return len(following.proposals)

    def needs_copy(self, leader: str) -> None:
        self._exchange.start()

    # ---- LinkHost

    def hello(self) -> Hello:
        s = self.settings
        return Hello(
            s.cluster, s.name, s.uid, s.format_min, s.format_max, s.zone, s.address, s.url, self._wall_ms(),
            self.is_joining, self._machine.restores, "", self._journal.life, self._journal.spark,
        )  # fmt: skip

    def vet(self, hello: Hello) -> Refusal | None:
        restores = None if self.is_joining else self._machine.restores
        refusal = self._roster.vet(hello, self._machine.format, restores)
        if refusal is not None:
            self._peers.refused(hello.name, refusal.reason)
        else:
            self._refresh()
        return refusal

    def connected(self, hello: Hello) -> None:
        self._journal.meet(hello.uid, hello.life, hello.spark)
        self._peers.connected(hello)
        self._roster.met(hello.name)
        self._statuses.hurry()
        self._stirred = True
        self._raft.connected(hello.name)
        self._exchange.peer_came(hello.name)

    def disconnected(self, peer: str) -> None:
        self._stirred = True
        self._exchange.link_lost(peer)
        self._peers.disconnected(peer)
        self._raft.disconnected(peer)

    def inbound_lost(self, peer: str) -> None:
        self._stirred = True
        self._exchange.link_lost(peer)
        self._raft.elections.link_lost(peer)

    def refused(self, peer: str, refusal: Refusal) -> None:
        self._stirred = True
        self._peers.refused(peer, refusal.reason)
        if self._roster.refused(peer, refusal):
            self._end(f"{peer} refuses this node: {refusal.reason}")

    def received(self, peer: str, message: Message) -> None:
        if self.fatal is not None:
            return
        self._peers.heard(peer)
        kind = message["type"]
        is_calm = False
        if kind == "propose":
            self._intake.take(message["proposals"], self._clock(), can_wait=message["can_wait"])
        elif kind == "status":
            self._statuses.received(peer, message)
        elif kind in ("change", "transfer", "verdict"):
            self._changes.asked(peer, message)
        elif kind.startswith("index_"):
            self.reads.received(peer, message)
        elif kind.startswith("copy_"):
            self._exchange.received(peer, message)
        else:
            self._raft.deliver(peer, message)
            is_calm = self._raft.is_calm
            if is_calm:
                self._raft.release()
                self._links.flush()
                is_calm = self._clock() < self._due_s - self._timings.heartbeat_s  # else: while it is awake
            else:
                self._refresh()
        self._stirred = self._stirred or not is_calm
