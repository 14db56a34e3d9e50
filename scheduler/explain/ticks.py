"""Why an instant of a job ran, did not, or will not: one explanation for each of its triggers that has it.

Rules of this file:

1. What is decided is told from the ledger, what has a run from that run. Of what is undecided the gates are
   asked as they are now, and of what was missed the planner: it is what would be decided this moment.
2. Instants are of eras: each is looked for in the schedule of its own, also of jobs that were deleted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from scheduler.explain import chains, conditions, deliveries, pausing
from scheduler.explain.chains import NO_CHAIN, Chain, Subject
from scheduler.explain.conditions import Condition
from scheduler.explain.deliveries import Awaited
from scheduler.explain.endings import ending_of
from scheduler.explain.findings import (
    NEVER_WORD,
    READY_WORD,
    WAITS_WORD,
    Cluster,
    Finding,
    ask,
    of_cluster,
    outcome_text,
    verdict_of,
)
from scheduler.explain.reserved import reserved_for
from scheduler.explain.runs import Compiled, of_run, place_view, with_times
from scheduler.machine.rules import dated, gates, selectors
from scheduler.machine.rules.gates import (
    AdmitView,
    Facts,
    FireView,
    RunView,
    TickView,
    admission,
    agents,
    blackout,
    closed,
    kind,
    locks,
    over,
    requires,
    undated,
    user,
)
from scheduler.model.compiled import CompiledJob
from scheduler.model.overlap_key import rendered
from scheduler.model.quantities import format_duration, format_instant
from scheduler.plan import plan_missed
from scheduler.plan.hold import hold_of
from scheduler.store.connection import Store
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.reads import runs as run_reads
from scheduler.store.reads import triggers as trigger_reads
from scheduler.store.tables import (
    changed_ticks,
    closed_dates,
    delays,
    gatherings,
    namespaces,
    pauses,
    reservations,
    zones,
)
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.changed_ticks import ChangedTick
from scheduler.store.tables.delays import Delay
from scheduler.store.tables.ledger import Entry
from scheduler.store.tables.triggers import AHEAD, FiringTrigger, Trigger
from scheduler.ticks import DELAY, nominal_ms, plan_days, schedule, shared_of, taken_away
from scheduler.words import reasons
from scheduler.words.causes import Kind
from scheduler.words.commands import Account, Fire, SetAside

COMING = "it is yet to come; its gates are as they are now"
FIRINGS_MAX = 20  #: of an event at one instant, such as hosts that boot
ROOTS_MAX = 20  #: tasks that start first, of which is told who may take them
_BACK_MS = (60_000, 3_600_000, 86_400_000, 31 * 86_400_000, 400 * 86_400_000)


@dataclass(frozen=True, slots=True)
class TickExplained:
    trigger: str
    at_ms: int
    due_ms: int
    outcome: str  #: pending | ran | skipped | coalesced | missed
    reason: str  #: the ledger's word
    said: str  #: in words
    run: int | None
    into_ms: int | None
    decided_ms: int | None
    from_ms: int  #: of its era, which ends at `until_ms`
    until_ms: int | None
    verdict: str
    gates: tuple[Finding, ...]  #: of what is undecided
    schedule: str = ""  #: that gave the trigger, `namespace/name`
    substitute: str = ""  #: that took its place then
    chain: Chain = NO_CHAIN  #: from the definition of its time to what became of it


@dataclass(frozen=True, slots=True)
class Explained:
    at_ms: int | None
    ticks: tuple[TickExplained, ...]
    said: str  #: where there is no such tick: why
    before_ms: int | None = None  #: the nearest instants of the job, where there is no such tick
    after_ms: int | None = None
    conditions: tuple[Condition, ...] = ()  #: of its triggers that wait for ends, as they are now
    awaits: tuple[Awaited, ...] = ()  #: of its triggers that wait for deliveries, notices
    none: Chain = NO_CHAIN  #: where there is no such tick: how far it comes

    @property
    def verdict(self) -> str:
        """Of the first of its ticks; where there is none, never."""
        return self.ticks[0].verdict if self.ticks else NEVER_WORD

    @property
    def chain(self) -> Chain:
        return self.ticks[0].chain if self.ticks else self.none


def explain_instant(
    store: Store, jobs: list[int], at_ms: int | None, cluster: Cluster, compiled: Compiled
) -> Explained:
    """`jobs`: that have or had the name, the newest last. `at_ms` None: the next tick that is undecided."""
    told = _explain(store, jobs, at_ms, cluster, compiled)
    awaits = deliveries.of_job(store, jobs[-1], cluster, compiled)
    return replace(told, conditions=conditions.of_job(store, jobs[-1], cluster.now_ms), awaits=awaits)


def _explain(
    store: Store, jobs: list[int], at_ms: int | None, cluster: Cluster, compiled: Compiled
) -> Explained:
    told = _told(store, jobs, at_ms, cluster, compiled)
    if told.ticks:
        return told
    about = _about(store, jobs[-1], told.at_ms)
    return replace(told, none=chains.of_none(store, jobs, about, told.at_ms, told.said))


def _about(
    store: Store, job: int, at_ms: int | None, day: int | None = None, run: int | None = None
) -> Subject:
    """The tick, as commands name it."""
    row = job_reads.revision_at(store, job, None)
    namespace, name = ("", "") if row is None else (row.namespace, row.name)
    date = "" if day is None else plan_days.text_of(day)
    return Subject(namespace, name, "" if at_ms is None else format_instant(at_ms), date, run)


def _told(
    store: Store, jobs: list[int], at_ms: int | None, cluster: Cluster, compiled: Compiled
) -> Explained:
    gone = job_reads.deletion(store, jobs[-1])
    if at_ms is None:
        live = trigger_rows.live(store, jobs[-1])
        waiting = [row for row in delays.of_job(store, jobs[-1])]
        due = [at_ms for row in live if (at_ms := _next_ms(store, row)) is not None]
        due += [row.due_ms for row in waiting if row.due_ms is not None]
        if not due and gone is not None:
            return Explained(None, (), f"the job was deleted{gone.by}: no tick of it comes")
        if not due and (disabled := _disabled(store, jobs[-1], None, compiled)):
            return Explained(None, (), f"{disabled}: it runs when it is asked to")
        if not due and waiting:
            return Explained(None, (), "a run of the job goes on: its triggers count from the end of that")
        if not due:
            waits = ", or what its triggers wait for happens" if any(row.event for row in live) else ""
            return Explained(None, (), f"the job has no coming tick: it runs when it is asked to{waits}")
        at_ms = min(due)
    found: list[TickExplained] = []
    for job in jobs:
        for era in trigger_reads.meeting(store, job, at_ms):
            for instant_ms in dict.fromkeys((at_ms, at_ms - era.jitter_ms)):
                if _is_of(store, era, instant_ms):
                    found.append(_tick(store, era, instant_ms, cluster, compiled))
            row = delays.get(store, era.id) if era.event == DELAY else None
            if row is not None and row.due_ms == at_ms:
                found.append(_delayed(store, era, row, cluster, compiled))
            if era.event:  # it has no instants but those at which it was fired
                entries = ledger_reads.of_trigger(store, era.id, at_ms - 1, at_ms, limit=FIRINGS_MAX)
                found += [_decided(store, era, at_ms, entry) for entry, _ in entries]
    if found:
        return Explained(at_ms, tuple(found), "")
    if gone is not None and at_ms > gone.at_ms:
        return Explained(at_ms, (), f"the job was deleted{gone.by} before this instant")
    before_ms, after_ms = _nearest(store, jobs[-1], at_ms)
    said = _disabled(store, jobs[-1], at_ms, compiled) or _taken_away(store, jobs, at_ms)
    said = said or "no trigger of the job has this instant"
    return Explained(at_ms, (), said, before_ms, after_ms)


def _disabled(store: Store, job: int, at_ms: int | None, compiled: Compiled) -> str:
    """That the job does not run by itself, as it stood at an instant or stands now; empty: it does."""
    row = job_reads.revision_at(store, job, at_ms)
    if row is None or row.deleted or compiled(row.job, row.revision, row.namespace, row.name).enabled:
        return ""
    by = f" by {row.actor}" if row.actor else ""
    return f"the job is disabled (enabled: false) by revision {row.revision}, put{by}: no tick of it comes"


def _taken_away(store: Store, jobs: list[int], at_ms: int) -> str:
    """That calendars of a trigger or a substitute leave this instant out, or move it."""
    for job in jobs:
        for era in trigger_reads.meeting(store, job, at_ms):
            for instant_ms in dict.fromkeys((at_ms, at_ms - era.jitter_ms)):
                if why := taken_away(era.spec, instant_ms):
                    return f"trigger {era.key} has no tick then: {why}"
    return ""


def _is_of(store: Store, era: Trigger, instant_ms: int) -> bool:
    within = era.from_ms < instant_ms and (era.until_ms is None or instant_ms <= era.until_ms)
    if not within or not schedule(era.spec).between(instant_ms - 1, instant_ms, 1):
        return False
    return era.closed == AHEAD or not trigger_rows.ahead(store, era.job, era.key, instant_ms - 1, instant_ms)


def _next_ms(store: Store, era: Trigger) -> int | None:
    """The first instant of the era that is not decided."""
    if era.next_due_ms is None or era.event:
        return era.next_due_ms
    came = trigger_rows.ahead(store, era.job, era.key, era.next_due_ms - 1, 1 << 62)
    if era.next_due_ms not in came:
        return era.next_due_ms
    following = schedule(era.spec).upcoming(era.next_due_ms, len(came))
    return next((at_ms for at_ms in following if at_ms not in came), None)


def _nearest(store: Store, job: int, at_ms: int) -> tuple[int | None, int | None]:
    before: list[int] = []
    after: list[int] = []
    for era in trigger_rows.live(store, job):
        ticks = schedule(era.spec)
        coming = ticks.next(max(at_ms, era.from_ms))
        after += [] if coming is None else [coming]
        for back_ms in _BACK_MS:
            past = ticks.between(max(era.from_ms, at_ms - back_ms), at_ms - 1, 1_000_000)
            if past:
                before.append(past[-1])
                break
    return max(before, default=None), min(after, default=None)


def _tick(store: Store, era: Trigger, at_ms: int, cluster: Cluster, compiled: Compiled) -> TickExplained:
    entries = ledger_reads.of_trigger(store, era.id, at_ms - 1, at_ms, limit=1)
    if entries:
        return _decided(store, era, at_ms, entries[0][0])
    found = run_reads.undecided(store, era.id, at_ms - 1, at_ms, 1)
    run = run_rows.get(store, found[0][1]) if found else None
    if run is not None:
        told = (of_cluster(cluster), *of_run(store, run, cluster.now_ms, compiled))
        return _pending(
            store, cluster, era, at_ms, told, f"run {run.id} was made for it and has not started yet", run.id
        )
    row = trigger_rows.firing(store, era.id)
    assert row is not None
    changed = changed_ticks.get(store, era.job, era.key, at_ms)
    if changed is not None and changed.passed:
        told = _left_behind(store, row, changed, cluster)
        return _pending(store, cluster, era, at_ms, told, "it is due by what a person said of it")
    has = reservations.of_tick(store, era.id, at_ms)
    if has is not None:
        told = (reserved_for(store, has),)
        return _pending(store, cluster, era, at_ms, told, told[0].reason)
    if row.next_due_ms is None or at_ms < row.next_due_ms:
        passed = Finding("era", NEVER_WORD, "it was passed over: another era of the trigger decides it")
        return _pending(store, cluster, era, at_ms, (passed,), "nothing becomes of it")
    told = _undecided(store, row, at_ms, cluster, compiled)
    said = "it is due and not decided yet" if at_ms <= cluster.now_ms else COMING
    return _pending(store, cluster, era, at_ms, told, said)


def _delayed(store: Store, era: Trigger, row: Delay, cluster: Cluster, compiled: Compiled) -> TickExplained:
    """What is due so long after the end of the job's last run."""
    trigger = trigger_rows.firing(store, era.id)
    assert trigger is not None
    assert row.due_ms is not None
    told = _undecided(store, trigger, row.due_ms, cluster, compiled)
    since = f"the end of run {row.run}" if row.run else "the instant before, or when it was first applied"
    return _pending(
        store, cluster, era, row.due_ms, told, f"it counts {format_duration(row.delay_ms)} from {since}"
    )


def _decided(store: Store, era: Trigger, at_ms: int, entry: Entry) -> TickExplained:
    due_ms = at_ms if era.event else at_ms + era.jitter_ms
    said = ending_of(entry.outcome, entry.reason).said
    if entry.reason == reasons.OVERLAP and entry.run:
        said = f"run {entry.run} of the job was in the way"
    if entry.kind == Kind.ALL_OF and entry.outcome == "missed":
        said = _lacked(store, era, entry) or said
    if entry.reason == reasons.PAUSED:
        said = _who_paused(store, era, due_ms, entry.decided_ms) or said
    about = _about(store, era.job, at_ms, _plan_day(store, era.namespace, era.spec, at_ms), entry.run or None)
    chain = chains.of_decided(store, era, entry, about, said, due_ms)
    return TickExplained(
        era.key, at_ms, due_ms, entry.outcome, entry.reason, said, entry.run or None,
        entry.into_ms, entry.decided_ms, era.from_ms, era.until_ms,
        READY_WORD if entry.outcome == "ran" else NEVER_WORD, (), *shared_of(era.spec), chain,
    )  # fmt: skip


def _plan_day(store: Store, namespace: str, spec: bytes, at_ms: int) -> int:
    stood_ms = nominal_ms(spec, at_ms)
    given = namespaces.plan_days_of(store, namespace)
    return plan_days.day_of(given, at_ms if stood_ms is None else stood_ms)


def _lacked(store: Store, era: Trigger, entry: Entry) -> str:
    """What had not come of that for which it waited together."""
    day = plan_days.parse(entry.key.rpartition("/")[2])
    row = gatherings.get(store, era.job, era.key, day)
    return "" if row is None or not row.lacked else f"not all had come for it in time: {row.lacked}"


def _who_paused(store: Store, era: Trigger, due_ms: int, decided_ms: int) -> str:
    """What was paused as a whole, and why; empty: it was the job alone."""
    pause = pausing.of_all(store, era.namespace, due_ms, decided_ms)
    if pause is None:
        return ""
    what = f"namespace {pause.namespace}" if pause.namespace else "everything"
    return f"{what} was paused: {pause.reason}"


def _pending(
    store: Store,
    cluster: Cluster,
    era: Trigger,
    at_ms: int,
    told: tuple[Finding, ...],
    said: str,
    run: int | None = None,
) -> TickExplained:
    about = _about(store, era.job, at_ms, _plan_day(store, era.namespace, era.spec, at_ms), run)
    chain = chains.of_pending(store, era, about, told, cluster.now_ms, said)
    return TickExplained(
        era.key, at_ms, at_ms + era.jitter_ms, "pending", "", said, run, None, None, era.from_ms,
        era.until_ms, verdict_of(told), told, *shared_of(era.spec), chain,
    )  # fmt: skip


def _undecided(
    store: Store, row: FiringTrigger, at_ms: int, cluster: Cluster, compiled: Compiled
) -> tuple[Finding, ...]:
    due_ms = at_ms + row.jitter_ms
    found = [of_cluster(cluster)]
    if due_ms <= cluster.now_ms:
        found.append(Finding("time"))
    else:
        found.append(Finding("time", WAITS_WORD, "it is not due yet", None, "its instant", due_ms))
    namespace = row.namespace or ""
    facts = Facts(store, cluster.now_ms, namespace)
    paused = any(each.covers(due_ms, cluster.now_ms) for each in pauses.of(store, namespace))
    key = trigger_rows.key_of(store, row.id)
    view = TickView(row, paused, changed_ticks.get(store, row.job, key, at_ms))
    found += ask(gates.TICK, view, facts)
    if over.judge(view) is not gates.READY or row.namespace is None:
        return tuple(found)
    found += [_missed(store, row, at_ms, cluster.now_ms), _held(store, row, due_ms)]
    job = compiled(row.job, row.revision, row.namespace, row.name)
    said = _dates(facts, row, job, key, at_ms, view.changed)
    found += _fires(facts, job, due_ms, _closed_day(facts, row, at_ms), said)
    beside = _beside(store, row, job, key, said.params)
    catching_up = due_ms < cluster.now_ms - job.catchup_grace_ms
    found += ask(gates.RUN, beside._replace(catching_up=catching_up), facts)
    admit = with_times(AdmitView(store, namespace, cluster.now_ms), row.job, job, due_ms)
    skips = job.openings is not None and job.openings.skips
    asked = [gate for gate in gates.ADMIT if not skips or gate is not admission]
    found += [_asked_later(each, job) for each in ask(asked, admit, facts)]
    return (*found, *_agents(facts, job))


def _asked_later(found: Finding, job: CompiledJob) -> Finding:
    """Of what its run requires nothing can be said before there is one."""
    if found.gate != requires.NAME or job.requires is None:
        return found
    needs = "; ".join(each.text for each in job.requires.each)
    return replace(found, reason=f"asked when its run is made: it requires {needs}")


def _dates(
    facts: Facts, row: FiringTrigger, job: CompiledJob, key: str, at_ms: int, changed: ChangedTick | None
) -> dated.Dated:
    """The parameters that its run would have, with its dates counted."""
    given = (changed.params if changed is not None else "") or job.params_of(key)
    if not job.times:
        return dated.Dated(given)
    plan_day = _plan_day(facts.store, facts.namespace, trigger_rows.spec_of(facts.store, row.id), at_ms)
    zone_data = facts.store.value("SELECT zones FROM state WHERE id = 1")
    return dated.of_run(facts.store, job, given, plan_day=plan_day, at_ms=at_ms, zone_data=zone_data)


def _beside(store: Store, row: FiringTrigger, job: CompiledJob, key: str, params: str) -> RunView:
    """Its run, beside those of its job that there are now."""
    if not row.active_runs:
        return RunView(store, row.job)
    most, others, same = job.overlap_max, row.active_runs, None
    if job.overlap_key:
        same = rendered(job.overlap_key, params)
        others = run_rows.count_active(store, row.job, most, same)
    return RunView(store, row.job, 0, job.overlap_of(key), others, most=most, key=same)


def _left_behind(
    store: Store, row: FiringTrigger, changed: ChangedTick, cluster: Cluster
) -> tuple[Finding, ...]:
    """What keeps a tick that a person held or moved, and that its trigger has left behind."""
    facts = Facts(store, cluster.now_ms, row.namespace or "")
    found = pauses.of(store, row.namespace or "")
    paused = any(each.covers(changed.fire_ms or 0, cluster.now_ms) for each in found)
    return (of_cluster(cluster), *ask(gates.TICK, TickView(row._replace(closed=""), paused, changed), facts))


def _missed(store: Store, row: FiringTrigger, at_ms: int, now_ms: int) -> Finding:
    """What the planner would propose of a tick that is too late to be live."""
    trigger = trigger_reads.due(store, row.id)
    if trigger is None or row.state == "paused" or at_ms > now_ms:
        return Finding("catchup")
    commands = plan_missed(store, trigger, now_ms)
    for command in commands:
        if isinstance(command, Account) and command.expected_due_ms <= at_ms <= command.last_ms:
            if not command.count:
                return Finding("catchup")
            said = ending_of(command.outcome, command.reason).said
            return Finding("catchup", NEVER_WORD, said, outcome=outcome_text(command.outcome, command.reason))
        if isinstance(command, SetAside) and command.expected_due_ms <= at_ms <= command.until_ms:
            return Finding("catchup", WAITS_WORD, "it is caught up late, one at a time", None, "its turn")
        if isinstance(command, Fire) and command.expected_due_ms == at_ms:
            return Finding("catchup")
    if commands:
        return Finding("catchup", WAITS_WORD, "earlier ticks of its trigger come first", None, "its turn")
    return Finding("catchup")


def _closed_day(facts: Facts, row: FiringTrigger, at_ms: int) -> int | None:
    """The plan date of the tick, where that is closed."""
    day = _plan_day(facts.store, facts.namespace, trigger_rows.spec_of(facts.store, row.id), at_ms)
    return None if closed_dates.get(facts.store, facts.namespace, day) is None else day


def _fires(
    facts: Facts, job: CompiledJob, due_ms: int, closed_day: int | None, said: dated.Dated
) -> list[Finding]:
    """Whether its plan date and its job let it fire then: its blackouts, its windows where these skip, its
    dates."""
    openings = job.openings
    tz = "" if openings is None or openings.admission is None else openings.admission.tz
    zone = zones.in_force(facts.store, tz)
    view = FireView(openings, zone, due_ms, facts.now_ms, closed_day, said.undated)
    skips = openings is not None and openings.skips
    asked = gates.FIRE if skips else (closed, blackout, undated)  # else its windows are asked when it goes on
    found = ask(asked, view, facts)
    if not job.dated or said.undated:
        return found
    values = json.loads(said.params)
    told = ", ".join(f"{name} = {values[name]}" for name, _ in job.dated if name in values)
    return [replace(each, reason=told) if each.gate == undated.NAME else each for each in found]


def _held(store: Store, row: FiringTrigger, due_ms: int) -> Finding:
    """What a restore holds up of before it."""
    hold = hold_of(store)
    if hold.restore is None or not hold.holding or due_ms > hold.taken_ms:
        return Finding("restore")
    return Finding(
        "restore", WAITS_WORD, "the state was restored, and agents may yet tell that it ran",
        hold.restore.taken_ms, "the word of every agent, or the end of the hold", hold.restore.until_ms,
    )  # fmt: skip


def _agents(facts: Facts, job: CompiledJob) -> list[Finding]:
    """Whether its first tasks would find agents: the run is made all the same."""
    roots = [task for task in job.roots if task.happens == "agent"][:ROOTS_MAX]
    told: list[Finding] = []
    asked = [
        replace(facts, selector=selector, fits=agents.fits(facts.store, selector))
        for selector in dict.fromkeys(selectors.of_task(task, job.namespace) for task in roots)
    ]
    for gate in (user, kind, locks, agents):
        found = [each for of_root in asked for each in ask((gate,), place_view(of_root, 0), of_root)]
        closed = [each for each in found if each.state != READY_WORD]
        told += closed[:1] or found[:1]
    return told
