"""The items of a staged apply: checked, then switched live one by one, as if it had been at one entry.

Rules of this file:

1. From the commit to the last turn nobody else edits (`machine.switching`), so what was checked stays true.
   The one thing that moves on is time: a trigger with one instant may be over by the entry at which the stage
   goes live. Then all of it is checked again.
2. An item counts from the entry at which its stage went live, by that entry's stamp and index, whenever its
   turn is. What would decide by an item that has not had its turn gives it its turn first (`settle`), so
   nothing is ever decided by what stood before.
3. An item is there until it has had its turn, so what is left is the rows that there are. What is due soonest
   comes first.
4. Bounded: a step takes what there is room for, one item at least.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from scheduler.machine.context import ROW, Context, refused
from scheduler.machine.rules import allowances, references, secret_uses, spent, tick_limits
from scheduler.machine.steps import editing, editing_objects
from scheduler.machine.steps.editing import Edit, Judged
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import refs, staged, stages
from scheduler.store.tables.asked import WHOLE, of_job
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.objects import Object
from scheduler.store.tables.refs import Named
from scheduler.store.tables.staged import Item, Place
from scheduler.store.tables.stages import Stage
from scheduler.words import events as e
from scheduler.words.codec import reader_of
from scheduler.words.commands import Deletion, PreparedJob, PreparedObject
from scheduler.words.lifecycle import StageEvent
from scheduler.words.outcomes import Code, Outcome

JOB = "job"
KEPT_MS = 3_600_000  #: a stage that has ended is told of so long
PROBLEMS_MAX = 20
DETAIL_LETTERS_MAX = 300
NAMESPACES_MAX = 1_000
ITEMS_A_STEP = 500
BYTES_A_STEP = 256 << 10
CHECKED, SWITCHED = 2 * ROW, 4 * ROW
"""What an item takes of the room, beside its bytes."""
BYTES_A_UNIT = 25

_read_job = reader_of(PreparedJob)
_read_object = reader_of(PreparedObject)
_read_deletion = reader_of(Deletion)

New = PreparedJob | PreparedObject | Deletion
Stored = Job | Object | None


def prepared(item: Item) -> New:
    if item.is_deletion:
        return _read_deletion(item.body)
    return _read_job(item.body) if item.kind == JOB else _read_object(item.body)


def move(ctx: Context, stage: Stage, event: StageEvent, reason: str = "", **changes: object) -> Stage:
    """What happened to the stage; of one that ends, what is left is rows to clear away."""
    stage = stages.move(ctx.store, stage, event, reason=reason, **changes)
    if stage.has_ended:
        rows = 0 if event == StageEvent.SWITCHED else stage.items
        stage = stages.change(ctx.store, stage, left_items=rows, until_ms=ctx.stamp_ms + KEPT_MS)
        if ctx.state.stage == stage.id:
            ctx.state.stage = 0
            staged.forget_asks(ctx.store)
    ctx.emit(e.StageMoved(stage.name, stage.state, stage.reason))
    return stage


def _stored(ctx: Context, items: list[Item]) -> Callable[[Item], Stored]:
    """What there is of each: jobs are found together."""
    names = [(item.namespace, item.name) for item in items if item.kind == JOB]
    jobs = job_rows.find_all(ctx.store, names)

    def of(item: Item) -> Stored:
        if item.kind == JOB:
            return jobs.get((item.namespace, item.name))
        return object_rows.find(ctx.store, item.kind, item.namespace, item.name)

    return of


def _next(ctx: Context, stage: Stage, after: Place) -> list[Item]:
    last = staged.reach(ctx.store, stage.id, after, limit=ITEMS_A_STEP, bytes_max=BYTES_A_STEP)
    return [] if last is None else staged.between(ctx.store, stage.id, after, last)


# -- checked --------------------------------------------------------------------------------------


class _Found:
    """What one step of checking finds."""

    def __init__(self) -> None:
        self.problems: list[dict[str, object]] = []
        self.counts = {"created": 0, "changed": 0, "unchanged": 0, "deleted": 0}
        self.asks: dict[str, tuple[int, int]] = {}
        self.once_ms: list[int] = []  #: of new triggers with one instant

    def ask(self, namespace: str, per_day: int, jobs: int) -> None:
        """So many instants a day more than before, and jobs."""
        for scope in (WHOLE, namespace):
            known = self.asks.get(scope, (0, 0))
            self.asks[scope] = known[0] + per_day, known[1] + jobs


def check(ctx: Context, stage: Stage) -> Stage:
    """Look at the next items. The last step has the stage go live, or end."""
    items = _next(ctx, stage, (stage.turn, stage.place))
    stored = _stored(ctx, items)
    found, looked = _Found(), 0
    for item in items:
        if looked and (ctx.room <= 0 or len(found.problems) == PROBLEMS_MAX):
            break
        ctx.room -= CHECKED + item.size // BYTES_A_UNIT
        looked += 1
        if refusal := _judge(ctx, stage, prepared(item), stored(item), found):
            found.problems.append(_problem(refusal, item.kind, item.namespace, item.name))
    stage = _note(ctx, stage, found, items[:looked])
    if not stage.left_items or len(json.loads(stage.problems)) == PROBLEMS_MAX:
        return _conclude(ctx, stage)
    return stage


def _judge(ctx: Context, stage: Stage, new: New, stored: Stored, found: _Found) -> Outcome | None:
    """The refusal of this item."""
    if isinstance(new, Deletion):
        return _judge_deletion(ctx, stage, new, stored, found)
    verdict: Judged | editing_objects.Judged | Outcome
    if isinstance(new, PreparedObject):
        verdict = editing_objects.judge(ctx, new)
    else:
        verdict = editing.judge(new, _job(stored))
    if isinstance(verdict, Outcome):
        return verdict
    if verdict.is_same:
        found.counts["unchanged"] += 1
        return _judge_targets(ctx, stage, new)
    found.counts["created" if stored is None else "changed"] += 1
    refusal = _judge_ticks(ctx, verdict, found) if isinstance(verdict, Judged) else None
    return refusal or _judge_targets(ctx, stage, new)


def _judge_ticks(ctx: Context, verdict: Judged, found: _Found) -> Outcome | None:
    new, known = verdict.new, None if verdict.job is None else verdict.job.id
    if over := editing.find_spent(ctx, verdict, ctx.stamp_ms):
        detail = f"{len(over)} new triggers fire only in the past, or never"
        return refused(Code.PAST, detail, triggers=over)
    refusal = allowances.judge_pools(ctx.store, new) or secret_uses.judge(ctx.store, [new])
    if refusal is not None:
        return refusal
    more = tick_limits.judge_job(ctx.store, new, known)
    if isinstance(more, Outcome):
        return more
    found.ask(new.namespace, more, jobs=known is None)
    once_ms = spent.soonest_ms(ctx.store, new, known)
    found.once_ms += [] if once_ms is None else [once_ms]
    return None


def _judge_targets(ctx: Context, stage: Stage, new: PreparedJob | PreparedObject) -> Outcome | None:
    """What it refers to is there, or comes with the stage, and does not go with it."""
    if not new.refers:
        return None
    who = Named(JOB if isinstance(new, PreparedJob) else new.kind, new.namespace, new.name)
    staged_ones = _staged_of(ctx, stage, list(map(Named._make, new.refers)))
    puts = {target: () for target, is_deletion in staged_ones.items() if not is_deletion}
    gone = {target: None for target, is_deletion in staged_ones.items() if is_deletion}
    return references.missing(ctx.store, {who: new.refers, **puts}, gone)


def _judge_deletion(
    ctx: Context, stage: Stage, new: Deletion, stored: Stored, found: _Found
) -> Outcome | None:
    what = Named(new.kind, new.namespace, new.name)
    if stored is None:
        return refused(Code.NOT_FOUND, f"no {what}", **what._asdict())
    if isinstance(stored, Job):
        found.ask(new.namespace, -of_job(ctx.store, stored.id), jobs=-1)
    found.counts["deleted"] += 1
    if wrong := editing_objects.judge_revision(what, stored.revision, new.if_revision):
        return wrong
    # Who is staged itself is judged by what it refers to from then on.
    referrers = refs.to(ctx.store, what, references.COUNTED_MAX)
    beside = _staged_of(ctx, stage, referrers)
    return references.referred(ctx.store, dict.fromkeys(beside, ()), {what: None})


def _staged_of(ctx: Context, stage: Stage, names: list[Named]) -> dict[Named, bool]:
    """Those of these names that are staged, and whether as a deletion."""
    items = {name: staged.find(ctx.store, stage.id, *name) for name in names}
    return {name: bool(item.is_deletion) for name, item in items.items() if item is not None}


def _job(stored: Stored) -> Job | None:
    assert stored is None or isinstance(stored, Job)
    return stored


def _problem(refusal: Outcome, kind: str, namespace: str, name: str) -> dict[str, object]:
    told = {"kind": kind, "namespace": namespace, "name": name}
    more = {"value": refusal.value} if refusal.value else {}
    return {**told, "code": refusal.code, "detail": refusal.detail[:DETAIL_LETTERS_MAX], **more}


def _note(ctx: Context, stage: Stage, found: _Found, looked: list[Item]) -> Stage:
    """What was found stands in the stage's row from now on."""
    for scope, asked in found.asks.items():
        if any(asked):
            staged.ask(ctx.store, staged.Asked(scope, *asked))
    if staged.asks_of_more_than(ctx.store, NAMESPACES_MAX):
        refusal = refused(Code.LIMIT, f"it changes more than {NAMESPACES_MAX} namespaces")
        found.problems.append(_problem(refusal, "", "", ""))
    once_ms = [ms for ms in (*found.once_ms, stage.soonest_ms) if ms is not None]
    problems = [*json.loads(stage.problems), *found.problems][:PROBLEMS_MAX]
    return stages.change(
        ctx.store, stage, turn=looked[-1].turn, place=looked[-1].place,
        left_items=stage.left_items - len(looked), soonest_ms=min(once_ms, default=None),
        problems=json.dumps(problems),
        **{name: getattr(stage, name) + count for name, count in found.counts.items()},
    )  # fmt: skip


def _conclude(ctx: Context, stage: Stage) -> Stage:
    problems = json.loads(stage.problems)
    if not problems and (too_many := _judge_together(ctx)):
        problems = [_problem(too_many, "", str((too_many.value or {})["namespace"]), "")]
    if problems:
        return move(ctx, stage, StageEvent.REFUSED, "something is in its way", problems=json.dumps(problems))
    if stage.soonest_ms is not None and stage.soonest_ms <= ctx.stamp_ms:
        return begin_check(ctx, stage)
    return move(
        ctx, stage, StageEvent.PASSED,
        at_ms=ctx.stamp_ms, at_idx=ctx.state.idx, left_items=stage.items,
    )  # fmt: skip


def _judge_together(ctx: Context) -> Outcome | None:
    """What no item is refused for by itself."""
    asks = staged.asks(ctx.store)
    ticks = tick_limits.judge_scopes(ctx.store, [(asked.namespace, asked.per_day) for asked in asks])
    counts = (allowances.judge_count(ctx.store, asked.namespace, asked.jobs) for asked in asks)
    return ticks or next(filter(None, counts), None)


def begin_check(ctx: Context, stage: Stage) -> Stage:
    """From the first item on."""
    staged.forget_asks(ctx.store)
    turn, place = staged.FIRST
    return stages.change(
        ctx.store, stage, turn=turn, place=place, left_items=stage.items, soonest_ms=None, problems="[]",
        created=0, changed=0, unchanged=0, deleted=0,
    )  # fmt: skip


# -- switched live --------------------------------------------------------------------------------


def switch(ctx: Context, stage: Stage) -> Stage:
    """Give the next items their turns."""
    items = _next(ctx, stage, staged.FIRST)
    stored = _stored(ctx, items)
    new_jobs = [(item.namespace, item.name) for item in items if item.kind == JOB and stored(item) is None]
    last = job_rows.last_revisions(ctx.store, new_jobs)
    turns = 0
    for item in items:
        if turns and ctx.room <= 0:
            break
        turns += 1
        _take_turn(ctx, stage, item, stored(item), last.get((item.namespace, item.name), 0))
    staged.drop_through(ctx.store, stage.id, (items[turns - 1].turn, items[turns - 1].place))
    return _count(ctx, stage, turns)


def settle(ctx: Context, namespace: str, name: str) -> None:
    """What is staged of this job and of what it refers to, and goes live, is live from here on."""
    stage = stages.get(ctx.store, ctx.state.stage)
    if stage is None or stage.at_ms is None:
        return
    job = Named(JOB, namespace, name)
    stage = _settle_one(ctx, stage, job)
    for target in refs.of(ctx.store, job):
        stage = _settle_one(ctx, stage, target)


def _settle_one(ctx: Context, stage: Stage, what: Named) -> Stage:
    item = staged.find(ctx.store, stage.id, *what)
    if item is None:
        return stage
    last = job_rows.last_revision(ctx.store, what.namespace, what.name) if what.kind == JOB else 0
    _take_turn(ctx, stage, item, _stored(ctx, [item])(item), last)
    staged.drop(ctx.store, item)
    return _count(ctx, stage, 1)


def _take_turn(ctx: Context, stage: Stage, item: Item, stored: Stored, last_revision: int) -> None:
    """`last_revision`: that the name of a new job ever had."""
    ctx.room -= SWITCHED + item.size // BYTES_A_UNIT
    assert stage.at_ms is not None
    assert stage.at_idx is not None
    who = stage.opened_by
    edit = Edit(who.name, stage.source, max(stage.at_ms, stage.after_ms), stage.at_ms, stage.at_idx)
    new = prepared(item)
    if isinstance(new, Deletion):
        assert stored is not None, "it was checked, and nobody edits"
        if isinstance(stored, Job):
            editing.delete(ctx, edit, stored)
        else:
            editing_objects.delete(ctx, edit, stored)
    elif isinstance(new, PreparedJob):
        verdict = editing.judge(new, _job(stored))
        assert isinstance(verdict, Judged), "it was checked, and nobody edits"
        editing.put(ctx, edit, verdict, last_revision)
    else:
        assert not isinstance(stored, Job)
        editing_objects.put(ctx, edit, editing_objects.Judged(new, stored))
    ctx.note(who, "apply")


def _count(ctx: Context, stage: Stage, turns: int) -> Stage:
    stage = stages.change(ctx.store, stage, left_items=stage.left_items - turns)
    return stage if stage.left_items else move(ctx, stage, StageEvent.SWITCHED)


# -- cleared away ---------------------------------------------------------------------------------


def clear(ctx: Context, stage: Stage) -> Stage:
    """Drop the next rows that will never have a turn."""
    limit = ctx.take_rows(ITEMS_A_STEP, least=1)
    last = staged.reach(ctx.store, stage.id, staged.FIRST, limit=limit, bytes_max=4 * BYTES_A_STEP)
    dropped = 0 if last is None else staged.drop_through(ctx.store, stage.id, last)
    return stages.change(ctx.store, stage, left_items=stage.left_items - dropped if dropped else 0)
