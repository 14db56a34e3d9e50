"""One member of the cluster: proposals in, the same entries in the same order out on every member.

Rules:
1. `propose` promises nothing. What was proposed is committed when its entry is applied here, and only then;
   whoever proposed sends again after a leader change or a time-out. The state drops duplicates.
2. Order of a turn: (frames were delivered) → append → send → sync the journal → acknowledge → tick: commit,
   apply a slice, heartbeat. What is applied is in the journal of a majority, and in this one.
3. The first regular entry of a leadership is what `on_lead` returns. Nothing that was queued or forwarded
   before comes in front of it.
4. An exception out of `turn` is fatal (disk, state): the owner ends the process. So is `on_fatal`.
5. All methods belong to the thread of the reactor.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import msgpack

from cluster import raft as _raft
from cluster.batcher import Batcher, pack_entry, unpack_entry
from cluster.copies import CopySource, CopyTarget, Spawn, on_thread
from cluster.disk import Disk, FileDisk
from cluster.hardening import ALL_ON, Hardening
from cluster.journal import Journal, LogEntry
from cluster.links import Links
from cluster.machine import Applied, Entry, Position, StateMachine
from cluster.membership import MEMBERS_MAX, WOULD_STOP, Membership, addresses, apply_change, vet, well_formed
from cluster.peers import STATUS_PERIOD_S, PeerInfo, Peers
from cluster.raft import Raft, Role
from cluster.restore import fit, pack_members, unpack_members
from cluster.settings import PROPOSAL_BYTES_MAX, ClusterSettings, Timings
from cluster.wire import Hello, Message, Refusal

CATCH_UP_ENTRIES = 500  #: a learner this close to the log's end becomes a voter
PEER_QUEUE_BYTES = 16 << 20  #: no more entries for a peer that has this much unsent
HANDOVER_S = 1.5  #: proposals wait this long for a transfer of leadership
TRIM_PERIOD_S = 5.0
FORWARD_BYTES_MAX = 4 << 20  #: of proposals in one frame to the leader

_log = logging.getLogger(__name__)


class Consensus:
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
        disk: Disk | None = None,
        spawn: Spawn = on_thread,
        hardening: Hardening = ALL_ON,
    ) -> None:
        """Raises JournalError when the journal or the state cannot be trusted."""
        self.settings = settings
        self.fatal: str | None = None
        self._machine, self._links = machine, links
        self._clock, self._wall_ms = clock, wall_ms
        self._rng = rng or random.Random()
        self._on_role, self._on_lead, self._on_fatal = on_role, on_lead, on_fatal
        self._local_status = local_status
        self._hardening = hardening
        self._timings = Timings.derive(settings.election_timeout_s)
        self._journal = Journal(disk or FileDisk(settings.journal_dir), segment_bytes=settings.segment_bytes)
        self._peers = Peers(clock, wall_ms)
        self._batcher = Batcher(settings.queue_bytes_max)
        self._forward: list[bytes] = []
        self._forward_bytes = 0
        self._lead_due = self._refresh_due = False
        self._strangers: dict[str, str] = {}  #: names that this log does not know yet, with their addresses
        self._handover: tuple[str | None, float] | None = None
        self._leave_after_handover = False
        self._next_status = self._next_trim = clock()

        applied, needs_copy = fit(
            self._journal, machine.stored(), settings, checked=hardening.check_restored_state
        )
        self._take_over(applied)
        self._stamp_ms = self._applied_stamp_ms
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
        self._membership = Membership()
        self._seen_membership: LogEntry | None = None
        settings.copy_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        for leftover in settings.copy_dir.glob("copy*"):
            leftover.unlink()
        self._source: CopySource = CopySource(
            machine, settings.copy_dir, self.send, clock, spawn, self._unique
        )
        self._target: CopyTarget = CopyTarget(
            settings.copy_dir, self.send, clock, self._copy_peers, self._install, self._copy_needed
        )
        if needs_copy:
            self._raft.elections.may_campaign = False
            self._raft.pulls_copy = True
        links.attach(self)
        self._refresh(force=True)
        if needs_copy:
            self._target.start()

    # ---- what the owner reads

    @property
    def role(self) -> Role:
        return self._raft.role()

    @property
    def is_joining(self) -> bool:
        """No vote yet, or no state yet."""
        return self._target.is_active or self.settings.name not in self._membership.voters

    @property
    def leader(self) -> str | None:
        return self._raft.leader()

    @property
    def term(self) -> int:
        return self._raft.term()

    @property
    def commit(self) -> int:
        return self._raft.commit()

    @property
    def applied(self) -> Position:
        return self._position

    @property
    def log_bytes(self) -> int:
        return self._journal.size_bytes

    @property
    def log_entries(self) -> int:
        return len(self._journal.entries)

    @property
    def last_index(self) -> int:
        return self._raft.last_index()

    @property
    def log(self) -> list[LogEntry]:
        """The log in memory, to look at."""
        return self._journal.entries

    @property
    def membership(self) -> Membership:
        return self._membership

    @property
    def committed_membership(self) -> Membership:
        return self._applied_membership

    @property
    def has_quorum(self) -> bool:
        """Leads with answers of a majority within the fallback time, or follows a leader that was heard
        of late."""
        if self.role is Role.LEADER:
            return self._would_go_on(self._membership)
        return self.leader is not None and self.leader_silent_ms <= self._timings.election_max_s * 1000

    @property
    def leader_silent_ms(self) -> int:
        """Age of the newest word of a leader: as old may be what this node knows of the commit index."""
        if self.role is Role.LEADER:
            return 0
        return int(min(max(self._clock() - self._raft.elections.contact, 0.0) * 1000, 1e12))

    def peers(self) -> list[PeerInfo]:
        """All other members by name."""
        return self._peers.infos(
            self._membership, lambda name: self._raft.match(name) if self.role is Role.LEADER else 0
        )

    # ---- what the owner does

    def propose(self, proposal: bytes) -> bool:
        """Bring a proposal on its way. False: no leader is known, or too much waits; nothing was queued.
        Raises ValueError for one over 1 MiB."""
        if len(proposal) > PROPOSAL_BYTES_MAX:
            raise ValueError(f"a proposal of {len(proposal)} bytes; {PROPOSAL_BYTES_MAX} at most")
        if self.fatal is not None:
            return False
        if self.role is Role.LEADER:
            return self._batcher.add(proposal, self._clock())
        if self.leader is None or self._forward_bytes + len(proposal) > FORWARD_BYTES_MAX:
            return False
        self._forward.append(proposal)
        self._forward_bytes += len(proposal)
        return True

    def transfer(self, target: str | None = None) -> str | None:
        """Hand leadership to `target`, or to whoever is most caught up. None when it is under way (look at
        `leader`), else why it cannot be."""
        if target is not None and target not in self._membership.voters:
            return f"{target} is no voting member"
        if self.role is not Role.LEADER:
            return self._tell_leader({"type": "transfer", "target": target or ""})
        if target == self.settings.name:
            return None
        if not self._connected_voters():
            return "no other voting member is reachable"
        self._handover = (target, self._clock() + HANDOVER_S)
        return None

    def add_member(
        self, name: str, address: str, zone: str = "", url: str = "", uid: str | None = None
    ) -> str | None:
        """Admit a new name. It copies the state first and votes once it has caught up: look at `membership`.
        None when it is under way, else why it cannot be."""
        return self._request(["add", name, address, zone, url, uid])

    def remove_member(self, name: str) -> str | None:
        """Remove a member for good; a leader hands over before it removes itself. Results as `add_member`."""
        return self._request(["remove", name])

    def turn(self) -> float:
        """One turn; returns the seconds until the next is due, if no frame comes before."""
        if self.fatal is not None:
            return 1.0
        now = self._clock()
        self._lead()
        self._send_forward()
        self._append_batches(now)
        if self._hardening.acknowledge_after_sync:
            self._links.flush()  # the followers' disks work while ours does
            self._journal.sync()
        self._raft.release()
        self._raft.tick()
        self._refresh()
        self._housekeep(now)
        self._links.flush()
        return self._wait_s()

    def close(self) -> None:
        """End in order: the next start continues here."""
        self._links.close()
        self._source.close()
        self._target.close()
        self._journal.close()

    def abandon(self) -> None:
        """Close files and sockets and write nothing: after an exception, and where a test means kill -9."""
        self._links.close()
        self._source.close()
        self._target.close()
        self._journal.abandon()

    # ---- the leader's entries

    def _lead(self) -> None:
        if not self._lead_due or self.role is not Role.LEADER:
            return
        self._lead_due = False
        self._stamp_ms = max(self._stamp_ms, self._applied_stamp_ms)
        regular = (data for data, _, _ in reversed(self._journal.entries) if data[0] == _raft.REGULAR)
        for data in islice(regular, 1):
            self._stamp_ms = max(self._stamp_ms, unpack_entry(data[1:])[0])
        proposal = self._on_lead()
        if proposal is not None:
            self._append([proposal])
            self._raft.replicate()

    def _append(self, proposals: list[bytes]) -> None:
        self._stamp_ms = max(self._stamp_ms, self._wall_ms())
        self._raft.append(bytes([_raft.REGULAR]) + pack_entry(self._stamp_ms, proposals))

    def _append_batches(self, now: float) -> None:
        if self.role is not Role.LEADER or self._handover is not None:
            return
        idle = self._raft.commit() >= self._raft.last_index()
        appended = False
        while self._batcher.due_in_s(now, idle=idle and not appended) == 0.0:
            self._append(self._batcher.take())
            appended = True
        if appended:
            self._raft.replicate()

    def _send_forward(self) -> None:
        if not self._forward:
            return
        proposals, self._forward = self._forward, []
        self._forward_bytes = 0
        leader = self.leader
        if leader is not None and leader != self.settings.name:
            self.send(leader, {"type": "propose", "proposals": proposals})

    # ---- membership

    def _request(self, change: list[Any]) -> str | None:
        changed = apply_change(self._membership, change)
        if isinstance(changed, str):
            return changed
        if self.role is Role.LEADER:
            return self._change(change)
        return self._tell_leader({"type": "change", "change": msgpack.packb(change)})

    def _tell_leader(self, message: Message) -> str | None:
        leader = self.leader
        if leader is None or not self.send(leader, message):
            return "no leader is known"
        return None

    def _change(self, change: list[Any]) -> str | None:
        """A change asked for by a person, at the leader."""
        changed = apply_change(self._membership, change)
        if isinstance(changed, str):
            return changed
        if change[0] == "remove" and not self._would_go_on(changed):
            return WOULD_STOP.format(name=change[1], left=len(changed.voters))
        if change == ["remove", self.settings.name]:
            self._leave_after_handover = True
            return self.transfer(None)
        return self._commit_membership(changed)

    def _would_go_on(self, membership: Membership) -> bool:
        """Leader: a majority of these voters answers now."""
        return 2 * self._raft.answered(membership.voters, self._timings.fallback_s) > len(membership.voters)

    def _commit_membership(self, membership: Membership) -> str | None:
        latest = self._raft.latest_membership()
        if not self._raft.settled() or (latest is not None and latest[1] > self._raft.applied()):
            return "another change of the membership is under way; try again"
        self._raft.append(bytes([_raft.MEMBERSHIP]) + membership.encode())
        self._refresh()
        self._raft.replicate()
        return None

    def _bind_and_promote(self) -> None:
        """Leader: bind members that were met to their uids; give learners that have caught up a vote."""
        changed = self._membership
        for name, uid in {**self._peers.met(), self.settings.name: self.settings.uid}.items():
            member = changed.get(name)
            if member is not None and member.uid is None:
                changed = changed.bound(name, uid)
        if changed == self._membership:
            for name in self._membership.learners:
                match = self._raft.match(name)
                is_close = match > 0 and match + CATCH_UP_ENTRIES >= self._raft.last_index()
                answers = self._raft.answered([name], self._timings.election_max_s) > 0
                if is_close and answers and self._would_go_on(self._membership.promoted(name)):
                    changed = changed.promoted(name)
                    break
        if changed != self._membership:
            self._commit_membership(changed)

    def _refresh(self, *, force: bool = False) -> None:
        """Take over the membership that counts: the latest of the log, else that of the state."""
        latest = self._raft.latest_membership()
        if latest is self._seen_membership and not force and not self._refresh_due:
            return
        self._refresh_due = False
        self._seen_membership = latest
        membership = self._applied_membership
        if latest is not None and latest[1] > self._position.index:
            membership = Membership.decode(latest[0][1:])
        self._membership = membership
        me = membership.get(self.settings.name)
        self._raft.configure(membership.voters, membership.learners)
        if me is not None and me.voter and not self._raft.elections.may_campaign and not self._raft.pulls_copy:
            self._raft.elections.campaign_again()
        peers = addresses(self.settings, self._applied_membership, membership, self._strangers)
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
        if self._source.is_busy:
            self._source.poll()
        if self._target.is_active:
            self._target.poll()
        if self.role is Role.LEADER:
            self._bind_and_promote()
            self._continue_handover(now)
        if now >= self._next_status:
            self._next_status = now + STATUS_PERIOD_S
            self._journal.sync()  # done already, unless a test switched it off
            self._send_status()
            if self._leave_after_handover and self.role is not Role.LEADER:
                self.remove_member(self.settings.name)  # until the new leader has done it
        if now >= self._next_trim:
            self._trim(now)

    def _continue_handover(self, now: float) -> None:
        if self._handover is None:
            return
        target, deadline = self._handover
        if now > deadline:
            self._handover = None
            self._leave_after_handover = False
            return
        candidates = [target] if target else self._connected_voters()
        if any(self._raft.hand_over(candidate) for candidate in candidates):
            self._handover = (target, min(deadline, now + 4 * self._timings.election_max_s))

    def _connected_voters(self) -> list[str]:
        reachable = self._peers.reachable()
        names = [n for n in self._membership.voters if n in reachable]
        return sorted(names, key=lambda n: (-self._raft.match(n), n))[:1]

    def _send_status(self) -> None:
        status = {"applied": self._position.index, "owner": self._local_status()}
        for name, message in self._peers.status_messages(status):
            self.send(name, message)

    def _trim(self, now: float) -> None:
        settings, journal = self.settings, self._journal
        size = journal.size_bytes
        if size <= settings.log_bytes_max and len(journal.entries) <= settings.log_entries_max:
            return
        tail_bytes = min(settings.log_tail_bytes, size // 2)
        if not self._target.is_active and journal.trimmable(self._position.index, tail_bytes):
            self._next_trim = now + TRIM_PERIOD_S
            self._machine.checkpoint()
            journal.trim(self._position.index, tail_bytes)

    def _wait_s(self) -> float:
        wait_s = self._raft.wait_s()
        now = self._clock()
        if (
            self._lead_due
            or self._forward
            or (self._journal.is_dirty and self._hardening.acknowledge_after_sync)
        ):
            return 0.0
        if self.role is Role.LEADER and self._handover is None:
            idle = self._raft.commit() >= self._raft.last_index()
            batch_s = self._batcher.due_in_s(now, idle=idle)
            if batch_s is not None:
                wait_s = min(wait_s, batch_s)
        if self._source.is_busy or self._target.is_active:
            wait_s = min(wait_s, 0.05)
        return max(0.0, min(wait_s, self._next_status - now))

    # ---- state at start, copies

    def _take_over(self, applied: Applied) -> None:
        """The state is what this says."""
        self._position = applied.position
        self._applied_membership, self._applied_stamp_ms = unpack_members(applied.members)
        self._applied_encoded = self._applied_membership.encode()

    def _copy_peers(self) -> list[str]:
        """Followers first: the leader has enough to do."""
        return sorted(self._peers.reachable(), key=lambda n: (n == self.leader, n))

    def _copy_needed(self) -> int:
        """A copy below this log index is of no use."""
        return max(self._position.index + 1, self._journal.first_index)

    def needs_copy(self, leader: str) -> None:
        if not self._target.is_active:
            self._raft.pulls_copy = True
            self._raft.elections.may_campaign = False
            self._target.start()

    def _install(self, path: Path, applied: Applied) -> bool:
        """A whole and right copy becomes the state; none from before this log's first entry, as what lies
        behind may have been acknowledged. Entries that contradict it never committed; they go first: a crash
        in between leaves a state and a log that fit."""
        journal, index, term = self._journal, applied.position.index, applied.position.term
        if index < self._copy_needed():
            return False
        if journal.term_at(index) not in (None, term):
            journal.truncate(index)
            journal.sync()
        self._machine.install(path, applied)
        if journal.term_at(index) != term:
            journal.reset(index, term)
        self._take_over(applied)
        self._raft.restored(index)
        self._refresh(force=True)
        return True

    # ---- RaftHost

    def send(self, peer: str, message: Message) -> bool:
        return self._links.send(peer, message)

    def has_room(self, peer: str) -> bool:
        return self._links.queued_bytes(peer) < PEER_QUEUE_BYTES

    def became(self, role: Role) -> None:
        self._lead_due = role is Role.LEADER
        self._batcher.clear()
        self._handover = None
        self._next_status = min(self._next_status, self._clock() + 2 * self._timings.heartbeat_s)
        self._on_role(role)

    def apply(self, entry: LogEntry) -> int:
        data, index, term = entry
        proposals = self._unpack_applied(data)
        applied = Applied(
            position=Position(index, term),
            previous=self._position,
            members=pack_members(self._applied_encoded, self._applied_stamp_ms),
        )
        self._machine.apply(Entry(applied, self._applied_stamp_ms, proposals))
        self._position = applied.position
        return len(proposals)

    def _unpack_applied(self, data: bytes) -> list[bytes]:
        """The proposals of an entry; its stamp or membership is taken over."""
        if data[0] == _raft.REGULAR:
            self._applied_stamp_ms, proposals = unpack_entry(data[1:])
            return proposals
        if data[0] == _raft.MEMBERSHIP:
            self._applied_encoded = data[1:]
            self._applied_membership = Membership.decode(self._applied_encoded)
            self._refresh_due = True
        elif data[0] != _raft.NO_OP:
            raise ValueError(f"a log entry of kind {data[0]}: written by a newer version?")
        return []

    # ---- LinkHost

    def hello(self) -> Hello:
        s = self.settings
        return Hello(
            s.cluster, s.name, s.uid, s.format_min, s.format_max, s.zone, s.address, s.url, self._wall_ms(),
            self.is_joining,
        )  # fmt: skip

    def vet(self, hello: Hello) -> Refusal | None:
        refusal = vet(
            hello,
            cluster=self.settings.cluster,
            name=self.settings.name,
            membership=self._membership,
            committed=self._applied_membership,
            known=[f.name for f in self.settings.members],
        )
        member = self._membership.get(hello.name)
        is_bound = member is not None and member.uid is not None
        met_uid = self._peers.met().get(hello.name, hello.uid)
        if refusal is None and not is_bound and met_uid != hello.uid:
            refusal = Refusal("unknown", f"another node is connected as {hello.name}")
        if refusal is not None:
            self._peers.refused(hello.name, refusal.reason)
        elif self._membership.get(hello.name) is None and hello.name not in self._strangers:
            kept = list(self._strangers.items())[1 - MEMBERS_MAX :]
            self._strangers = {**dict(kept), hello.name: hello.address}
            self._refresh(force=True)
        return refusal

    def connected(self, hello: Hello) -> None:
        self._peers.connected(hello)
        self._next_status = self._clock()
        self._raft.connected(hello.name)
        if self._target.is_active:
            self._target.poll()

    def disconnected(self, peer: str) -> None:
        self._peers.disconnected(peer)
        self._raft.disconnected(peer)

    def inbound_lost(self, peer: str) -> None:
        self._raft.elections.link_lost(peer)

    def refused(self, peer: str, refusal: Refusal) -> None:
        self._peers.refused(peer, refusal.reason)
        if refusal.final:
            self._end(f"{peer} refuses this node: {refusal.reason}")

    def received(self, peer: str, message: Message) -> None:
        if self.fatal is not None:
            return
        self._peers.heard(peer)
        handler = self._HANDLERS.get(message["type"])
        if handler is None:
            self._raft.deliver(peer, message)
            self._refresh()
        else:
            handler(self, peer, message)

    def _on_propose(self, peer: str, message: Message) -> None:
        now = self._clock()
        if self.role is Role.LEADER:
            for proposal in message["proposals"]:
                if len(proposal) <= PROPOSAL_BYTES_MAX:
                    self._batcher.add(proposal, now)

    def _on_change(self, peer: str, message: Message) -> None:
        if self.role is not Role.LEADER:
            return
        try:
            change = msgpack.unpackb(message["change"])
        except Exception:  # msgpack raises many types for malformed bytes
            return
        reason = self._change(change) if well_formed(change) else "malformed"
        if reason is not None:
            _log.warning("a change of the membership asked for by %s: %s", peer, reason)

    def _on_transfer(self, peer: str, message: Message) -> None:
        if self.role is Role.LEADER:
            self.transfer(message["target"] or None)

    def _on_copy_ask(self, peer: str, message: Message) -> None:
        if not self._target.is_active:
            needed = max(self._journal.first_index, message["needed"])
            self._source.ask(peer, message["copy"], needed, self._position.index)

    _HANDLERS: ClassVar[dict[str, Callable[[Consensus, str, Message], None]]] = {
        "propose": _on_propose,
        "change": _on_change,
        "transfer": _on_transfer,
        "status": lambda self, peer, m: self._peers.take_status(peer, m),
        "copy_ask": _on_copy_ask,
        "copy_offer": lambda self, peer, m: self._target.offer(peer, m),
        "copy_pull": lambda self, peer, m: self._source.pull(peer, m["copy"], m["offset"]),
        "copy_chunk": lambda self, peer, m: self._target.chunk(peer, m),
        "copy_done": lambda self, peer, m: self._source.done(peer, m["copy"]),
        "copy_gone": lambda self, peer, m: self._target.gone(peer, m),
    }

    def _unique(self) -> str:
        return f"{self._rng.getrandbits(64):016x}"
