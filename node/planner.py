"""The planner loop: on the leader's front, and only while this node leads in the stored epoch.

Rules:

1. One batch in flight: the next plan is made from a state that contains the last one. Plans keep a pace, so
   that what falls due within it shares a commit: fewer, bigger rounds. Under load they leave with all else
   that waits for the next instant of the grid (grid.py).
2. Ticks are proposed `lead` ahead and started on time by the agents; the lead follows the commit time and the
   grid.
3. The clock is that of node.clock: taken when the peers show it to be right, slewed, never stepped. A leader
   that differs by more than 1 s from the median stops planning and hands over.
4. A plan is only as large as what the last ones show to be done within ROUND_S; shares.py of scheduler/plan
   says what of the due comes first.
5. Leases run on the monotonic clock; a new leader starts them all anew, at full length.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from api.ports import NodeStatus, NoLeaderError
from api.supported import activation, in_the_way, newest_common
from node.clock import UNKNOWN_S, OfficeClock, is_refuted, truer_clock, unknown_clocks, wall_base_ms
from node.grid import Grid
from node.overload import LATE_TICKS_MAX, OverloadWatch
from scheduler.model.by_revision import CompiledJobs
from scheduler.plan import RECENT_MS, UNREADABLE_MAX, Limits, PlanCache, cut_off, plan, wake_ms
from scheduler.protocol import KILL_GRACE_MS, LEASE_MARGIN_MS, LEASE_MS
from scheduler.store.connection import Store
from scheduler.store.state import overload
from scheduler.store.tables import triggers
from scheduler.words.commands import Command, PutToken, TellOverload
from scheduler.words.counted import counted
from scheduler.words.outcomes import Outcome

log = logging.getLogger("cronclave.planner")

LEAD_MS_MIN = 50
LEAD_MS_MAX = 400
LEAD_COMMITS = 3
LEAD_STEPS = 2.5  #: of the grid
IDLE_S_MAX = 1.0
PACE_S = 0.02  #: between two plans without a grid: what falls due meanwhile shares a commit
URGENT_PACE_S = 0.004  #: the same when a task waits for a place now
REFUSED_S = 0.1
FULL_PLAN = 0.4  #: of a plan's commands: more may be due
ROUND_S = 0.25  #: a plan is so large that its outcomes are known by then: what is due next waits no longer
COMMANDS_MIN = 100
COMMANDS_FIRST = 32  #: of an office, half of them ticks: what is due first does not wait for all the rest
GROWTH_FIRST = 4  #: from each of its first plans to the next
DUE_COUNTED_MAX = 100_000  #: of what shows an overload
NODE_SILENCE_MS = 2_000  #: its agents count as disconnected
NODE_QUIET_MS = 250  #: two answers to heartbeats did not come: its agents get nothing new
_LEASE_S = (LEASE_MS + KILL_GRACE_MS + LEASE_MARGIN_MS) / 1000


class Budget:
    """How much one plan may hold: it follows what completed, up by a tenth of the whole, down by half."""

    def __init__(self) -> None:
        """Of an office that begins: with a failover's backlog, of which it first does a little soon."""
        self._begins = True
        self._allow(COMMANDS_FIRST)

    def took(self, commands: int, round_s: float) -> None:
        """The outcomes of a plan of so many commands are known after this time."""
        now, full = self.limits.commands, Limits().commands
        if self._begins and round_s <= ROUND_S:
            now = min(full, GROWTH_FIRST * now)
        elif commands < FULL_PLAN * now:
            return  # its size is not what it waited for
        elif round_s > ROUND_S:
            now = max(min(COMMANDS_MIN, now), now // 2)
        else:
            now = min(full, now + full // 10)
        self._begins = self._begins and now < (full if round_s <= ROUND_S else COMMANDS_MIN)
        self._allow(now)

    def _allow(self, commands: int) -> None:
        full = Limits()
        self.limits = replace(
            full,
            commands=commands,
            catchup_fires=full.catchup_fires * commands // full.commands,
            each_kind=full.each_kind * commands // full.commands,
        )


class Leases:
    """Which attempts of disconnected agents have outlived their lease in this office."""

    def __init__(self) -> None:
        self._since_s: dict[tuple[int, int], float] = {}

    def refresh(self, leases: Iterable[tuple[int, int]]) -> frozenset[tuple[int, int]]:
        """`leases`: every attempt with a grant whose agent is disconnected now, with that disconnection: an
        agent that came back between two plans has a new lease. Returns those that are over."""
        now_s = time.monotonic()
        self._since_s = {lease: self._since_s.get(lease, now_s) for lease in leases}
        return frozenset(a for a, since_s in self._since_s.items() if now_s - since_s >= _LEASE_S)


@dataclass(slots=True)
class _Office:
    """What the planner knows while it holds one."""

    epoch: int
    cache: PlanCache
    clock: OfficeClock | None = None
    leases: Leases = field(default_factory=Leases)
    overload: OverloadWatch = field(default_factory=OverloadWatch)
    budget: Budget = field(default_factory=Budget)
    told: int = 0  #: schedules that cannot be read
    since_s: float = field(default_factory=lambda: asyncio.get_running_loop().time())


class Planner:
    """Plans while it holds the office."""

    def __init__(
        self,
        *,
        node: str,
        open_store: Callable[[], Store],
        compiled: CompiledJobs,
        status: Callable[[], NodeStatus],
        propose: Callable[[Sequence[Command], bool], Awaitable[list[Outcome]]],
        hand_over: Callable[[str, str], None],
        grid: Grid,
        bootstrap_token: bytes | None,
    ) -> None:
        self._node = node
        self._open_store = open_store
        self._compiled = compiled
        self._status = status
        self._propose = propose
        self._hand_over = hand_over
        self._grid = grid
        self._bootstrap_token = bootstrap_token
        self._poked = asyncio.Event()
        self._poke_timer: asyncio.TimerHandle | None = None
        self._poke_at_s = 0.0
        self._planned_s = 0.0
        self._plan_s = 0.005  #: moving average of what making one takes
        self._hurries = False  #: somebody waits for what the next plan says
        self.is_planning = False  #: it holds the office

    def poke(self, *, urgent: bool) -> None:
        """The state changed so that a decision may be due: at the planner's pace, or as soon as may be."""
        loop = asyncio.get_running_loop()
        self._hurries = self._hurries or urgent
        at_s = self._planned_s + URGENT_PACE_S if urgent else loop.time() + self._unhurried_s(0.0)
        if self._poke_timer is not None:
            if self._poke_at_s <= at_s:
                return
            self._poke_timer.cancel()
        self._poke_at_s = at_s
        self._poke_timer = loop.call_at(at_s, self._wake)

    def _wake(self) -> None:
        self._poke_timer = None
        self._poked.set()

    async def run(self) -> None:
        """For the life of the front."""
        while True:
            epoch = self.epoch_held()
            if epoch is None:
                await self._wait(IDLE_S_MAX)
                continue
            log.info("planning in epoch %d", epoch)
            self.is_planning = True
            try:
                await self._hold_office(epoch)
            except NoLeaderError:
                log.info("no outcome for the plan of epoch %d; looking again", epoch)
            self.is_planning = False
            log.info("stopped planning in epoch %d", epoch)

    def epoch_held(self) -> int | None:
        """The epoch that this node may plan in: it leads, and the stored Lead is its own."""
        status = self._status()
        if status.state != "leader" or not status.ready:
            return None
        row = self._open_store().row("SELECT epoch, leader, leader_term FROM state WHERE id = 1")
        if row is None or row[1] != self._node or row[2] != status.term:
            return None
        return int(row[0])

    async def _hold_office(self, epoch: int) -> None:
        office = _Office(epoch, PlanCache(self._compiled))
        if (
            self._bootstrap_token is not None
            and self._open_store().value("SELECT 1 FROM tokens LIMIT 1") is None
        ):
            await self._propose([PutToken("bootstrap", self._bootstrap_token, "admin")], False)
        while self.epoch_held() == epoch:
            self._poked.clear()
            self._planned_s = asyncio.get_running_loop().time()
            status = self._status()
            wait_s = self._clock_missing_s(office, status)
            if wait_s is None:
                await self._begin_at_newest(self._open_store(), status)
                wait_s = await self._plan(office, status)
            await self._wait(wait_s)

    def _clock_missing_s(self, office: _Office, status: NodeStatus) -> float | None:
        """How long to wait for one that can be trusted; None: the office has one."""
        base_ms = wall_base_ms()
        truer = truer_clock(status, base_ms)
        if truer is not None:
            office.clock = None
            self._hand_over("its clock differs by more than 1 s from the median of its peers", truer)
            return IDLE_S_MAX
        if office.clock is not None and is_refuted(status, base_ms, behind_ms := office.clock.behind_ms()):
            log.warning("planned %.1f s behind what most clocks say now; going by these", behind_ms / 1000)
            office.clock = None
        if office.clock is None:
            if unknown_clocks(status) and self._planned_s < office.since_s + UNKNOWN_S:
                return office.since_s + UNKNOWN_S - self._planned_s
            office.clock = OfficeClock(base_ms)
        return None

    async def _plan(self, office: _Office, status: NodeStatus) -> float:
        """One plan, and its outcomes. Returns how long to wait for the next."""
        assert office.clock is not None
        budget, cache, store = office.budget, office.cache, self._open_store()
        hurries, self._hurries = self._hurries, False
        lead_ms = self._lead_ms()
        with store.snapshot():
            granted = [(each.id, each.since_ms) for each in cut_off(store) if each.state != "assigned"]
            commands = plan(
                store,
                office.clock.now_ms(),
                epoch=office.epoch,
                lead_ms=lead_ms,
                leases=office.leases.refresh(granted),
                silent_nodes=_silent_for(status, NODE_SILENCE_MS),
                quiet_nodes=quiet_nodes(status),
                limits=budget.limits,
                cache=cache,
            )
            # Where nothing is proposed the next look is by the same state: what comes meanwhile pokes.
            wake = None if commands else wake_ms(store, lead_ms=lead_ms, cache=cache)
        office.told = _tell_unreadable(cache, office.told)
        full = len(commands) >= FULL_PLAN * budget.limits.commands
        commands += _told_overload(office, store, self._planned_s, is_full=full)
        if commands:
            proposed_s = asyncio.get_running_loop().time()
            self._plan_s += (proposed_s - self._planned_s - self._plan_s) * 0.1
            # Where the instant that it was made for has passed already, the next is too far away.
            can_wait = not hurries and self._grid.wait_s() <= self._grid.step_s / 2
            outcomes = await self._propose(commands, can_wait)
            budget.took(len(commands), asyncio.get_running_loop().time() - proposed_s)
            refused = [(c, o) for c, o in zip(commands, outcomes, strict=True) if not o.ok]
            for command, outcome in refused[:3]:
                log.info("refused %s: %s %s", type(command).__name__, outcome.code, outcome.detail)
            if len(refused) == len(commands):
                return REFUSED_S  # the state moved on, or a defect: never spin
            if full:
                self._hurries = True
                return 0.0  # more is due than one plan holds
            wake = wake_ms(store, lead_ms=lead_ms, cache=cache)
        wait_s = IDLE_S_MAX if wake is None else (wake - office.clock.now_ms()) / 1000
        if office.told >= UNREADABLE_MAX:
            wait_s = max(wait_s, REFUSED_S)  # more than are known as such, which stay due
        return self._unhurried_s(min(IDLE_S_MAX, wait_s))

    def _lead_ms(self) -> int:
        """So long before it is due a tick is decided: a decision, and the claim after it, each wait for an
        instant of the grid and for their commit."""
        needed_s = self._grid.commit_s * LEAD_COMMITS + self._grid.step_s * LEAD_STEPS
        return max(LEAD_MS_MIN, min(LEAD_MS_MAX, int(needed_s * 1000)))

    def _unhurried_s(self, after_s: float) -> float:
        """From now to the next plan that nothing hurries, in `after_s` at the earliest: at the pace, or so
        long before an instant of the grid as making it takes."""
        step_s = self._grid.step_s
        pace_s = self._planned_s + (step_s / 2 or PACE_S) - asyncio.get_running_loop().time()
        after_s = max(0.0, pace_s, after_s)
        early_s = min(step_s / 2, self._plan_s * 1.5 + 0.002)
        return self._grid.wait_s(after_s + early_s) - early_s

    async def _begin_at_newest(self, store: Store, status: NodeStatus) -> None:
        """A cluster that never had a job has nothing to go back to an older version for: it begins at the
        newest format that all its members support. Later ones are activated by a person."""
        if status.format_max <= status.format_target:
            return
        newest = newest_common(status)
        if newest <= status.format_target or in_the_way(status, newest):
            return
        if store.value("SELECT last_job FROM state WHERE id = 1") == 0:
            await self._propose([activation(status, newest)], False)

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._poked.wait()
        self._poked.clear()


def _told_overload(office: _Office, store: Store, now_s: float, *, is_full: bool) -> list[Command]:
    assert office.clock is not None
    now_ms = office.clock.now_ms()
    late_ms, declared = office.cache.late_ms, overload(store) is not None
    begins = office.overload.look(
        now_s, declared=declared, is_full=is_full, late_ms=late_ms,
        late_ticks=lambda: triggers.count_late(store, now_ms - RECENT_MS, now_ms, LATE_TICKS_MAX + 1),
    )  # fmt: skip
    if begins is None:
        return []
    due = triggers.count_due(store, now_ms, DUE_COUNTED_MAX)
    what = f"{counted(due, 'trigger is', 'triggers are')} due, the first for {late_ms / 1000:.1f} s"
    log.warning("overload %s: %s", "begins" if begins else "is over", what)
    return [TellOverload(office.epoch, begins, late_ms, due)]


def _tell_unreadable(cache: PlanCache, told: int) -> int:
    for spec, why in list(cache.unreadable.items())[told:]:
        log.error("triggers with the schedule %.200r do not fire while this node leads: %s", spec, why)
    return len(cache.unreadable)


def quiet_nodes(status: NodeStatus) -> list[str]:
    """Their agents get nothing new for now: no heartbeat was answered of late, or the link to them is down,
    which the heir of a leader that died knows at once."""
    return sorted(p.node for p in status.peers if p.silent_ms >= NODE_QUIET_MS or not p.reachable)


def _silent_for(status: NodeStatus, silence_ms: int) -> list[str]:
    return sorted(p.node for p in status.peers if p.silent_ms >= silence_ms)
