"""The items of a staged apply: switched live one by one, as if it had been at one entry.

Rules of this file:

1. From the commit to the last turn nobody else edits (`machine.switching`), so what was checked
   (`steps.checking`) stays true.
2. An item counts from the entry at which its stage went live, by that entry's stamp and index, whenever its
   turn is. What would decide by an item that has not had its turn gives it its turn first (`settle`), so
   nothing is ever decided by what stood before.
3. An item is there until it has had its turn, so what is left is the rows that there are. What is due soonest
   comes first.
4. Bounded: a step takes what there is room for, one item at least.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from scheduler.machine.context import ROW, Context
from scheduler.machine.steps import editing, editing_objects
from scheduler.machine.steps.editing import Edit, Judged
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import refs, staged, stages
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.objects import Object
from scheduler.store.tables.refs import Named
from scheduler.store.tables.staged import Item, Place
from scheduler.store.tables.stages import Stage
from scheduler.words import codec
from scheduler.words import events as e
from scheduler.words.codec import reader_of
from scheduler.words.commands import Deletion, PreparedJob, PreparedObject
from scheduler.words.lifecycle import StageEvent
from scheduler.words.outcomes import Outcome

JOB = "job"
KEPT_MS = 3_600_000  #: a stage that has ended is told of so long
DETAIL_LETTERS_MAX = 300
ITEMS_A_STEP = 500
BYTES_A_STEP = 256 << 10
SWITCHED = 8 * ROW
"""What an item takes of the room, beside its bytes: a step is to take half of what a frame may, since ticks
wait behind it."""
BYTES_A_UNIT = 25
FIRST_TURN, LAST_TURN = 0, 1 << 62

_read_job = reader_of(PreparedJob)
_read_object = reader_of(PreparedObject)
_read_deletion = reader_of(Deletion)

New = PreparedJob | PreparedObject | Deletion
Stored = Job | Object | None


def prepared(item: Item) -> New:
    if item.is_deletion:
        return _read_deletion(item.body)
    return _read_job(item.body) if item.kind == JOB else _read_object(item.body)


def job_item(new: PreparedJob) -> Item:
    firing = (t.first_due_ms + t.jitter_ms for t in new.triggers if t.first_due_ms is not None)
    turn, body = max(0, min(firing, default=LAST_TURN)), codec.encode(new)
    return Item(0, turn, 0, JOB, new.namespace, new.name, 0, len(body), body)


def object_item(new: PreparedObject) -> Item:
    body = codec.encode(new)
    return Item(0, FIRST_TURN, 0, new.kind, new.namespace, new.name, 0, len(body), body)


def deletion_item(deletion: Deletion) -> Item:
    """Of a job soon, since it stops something; of what it referred to when nothing refers to it any more."""
    turn, body = FIRST_TURN if deletion.kind == JOB else LAST_TURN + 1, codec.encode(deletion)
    return Item(0, turn, 0, deletion.kind, deletion.namespace, deletion.name, 1, len(body), body)


def lay(ctx: Context, stage: Stage, items: Sequence[Item]) -> Stage:
    """Behind those that it has."""
    for number, item in enumerate(items):
        staged.insert(ctx.store, item._replace(stage=stage.id, place=stage.items + number))
    return stages.change(
        ctx.store, stage, items=stage.items + len(items), left_items=stage.items + len(items),
        bytes=stage.bytes + sum(item.size for item in items),
    )  # fmt: skip


def refuse(ctx: Context, stage: Stage, problems: Sequence[dict[str, object]]) -> Stage:
    """It ends, and nothing has changed."""
    return move(
        ctx, stage, StageEvent.REFUSED, "something is in its way", problems=json.dumps(list(problems))
    )


def problem(refusal: Outcome, kind: str = "", namespace: str = "", name: str = "") -> dict[str, object]:
    """What is in the way, of this item or of the whole."""
    told = {"kind": kind, "namespace": namespace, "name": name}
    more = {"value": refusal.value} if refusal.value else {}
    return {**told, "code": refusal.code, "detail": refusal.detail[:DETAIL_LETTERS_MAX], **more}


def move(ctx: Context, stage: Stage, event: StageEvent, reason: str = "", **changes: object) -> Stage:
    """What happened to the stage; of one that ends, what is left is rows to clear away."""
    stage = stages.move(ctx.store, stage, event, reason=reason, **changes)
    if stage.has_ended:
        rows = 0 if event == StageEvent.SWITCHED else stage.items
        stage = stages.change(ctx.store, stage, left_items=rows, until_ms=ctx.stamp_ms + KEPT_MS)
        staged.forget_asks(ctx.store, stage.id)
        if ctx.state.stage == stage.id:
            ctx.state.stage = 0
    ctx.emit(e.StageMoved(stage.name, stage.state, stage.reason))
    return stage


def stored_of(ctx: Context, items: list[Item]) -> Callable[[Item], Stored]:
    """What there is of each: jobs are found together."""
    names = [(item.namespace, item.name) for item in items if item.kind == JOB]
    jobs = job_rows.find_all(ctx.store, names)

    def of(item: Item) -> Stored:
        if item.kind == JOB:
            return jobs.get((item.namespace, item.name))
        return object_rows.find(ctx.store, item.kind, item.namespace, item.name)

    return of


def coming(ctx: Context, stage: Stage, after: Place) -> list[Item]:
    """The next items behind a place: as many as a step may look at."""
    last = staged.reach(ctx.store, stage.id, after, limit=ITEMS_A_STEP, bytes_max=BYTES_A_STEP)
    return [] if last is None else staged.between(ctx.store, stage.id, after, last)


# -- switched live --------------------------------------------------------------------------------


def switch(ctx: Context, stage: Stage) -> Stage:
    """Give the next items their turns."""
    items = coming(ctx, stage, staged.FIRST)
    stored = stored_of(ctx, items)
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
    settle_all(ctx, Named(JOB, namespace, name))


def settle_all(ctx: Context, what: Named) -> None:
    """The same of anything."""
    stage = stages.get(ctx.store, ctx.state.stage)
    if stage is None or stage.at_ms is None:
        return
    stage = _settle_one(ctx, stage, what)
    for target in refs.of(ctx.store, what):
        stage = _settle_one(ctx, stage, target)


def _settle_one(ctx: Context, stage: Stage, what: Named) -> Stage:
    item = staged.find(ctx.store, stage.id, *what)
    if item is None:
        return stage
    last = job_rows.last_revision(ctx.store, what.namespace, what.name) if what.kind == JOB else 0
    _take_turn(ctx, stage, item, stored_of(ctx, [item])(item), last)
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
        assert not isinstance(stored, Object)
        verdict = editing.judge(new, stored)
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
