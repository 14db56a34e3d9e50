"""Staged applies: laid down in slices, committed, dropped, gone on with.

Rules of this file:

1. Until it is committed a stage is rows that nobody decides by. What goes on with it is the planner's
   AdvanceStage, a bounded step each; what an item's turn means is `steps.staging`.
2. Slices come in their order. One that is sent again counts once, and is known by the hash of its request.
3. One stage at a time goes live; dry runs are checked beside it. So many are open, of so many bytes
   together; who opened one goes on with it.
"""

from __future__ import annotations

import json

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.rules.pruning import PRUNED_MAX
from scheduler.machine.steps import checking, pruning, redating, staging
from scheduler.store.tables import staged, stages
from scheduler.store.tables.staged import Item
from scheduler.store.tables.stages import STAGES_MAX, Stage
from scheduler.words import events as e
from scheduler.words.commands import (
    AdvanceStage,
    CommitStage,
    DropStage,
    StageSlice,
)
from scheduler.words.lifecycle import StageEvent
from scheduler.words.outcomes import Code, Outcome

SLICE_ITEMS_MAX = 500  #: some 20 ms of a core, where 1,000 take up to 30: slow machines need twice as much
ITEMS_MAX = 100_000
OPEN_MAX = 8
OPEN_OF_ONE_MAX = 4  #: by one person or token: nobody keeps all others out
BYTES_MAX = 512 << 20  #: of all stages
OPEN_MS = 3_600_000
NAME_LETTERS_MAX = 100


def stage_slice(ctx: Context, command: StageSlice) -> Outcome:
    stage = stages.named(ctx.store, command.stage)
    if refusal := _judge_slice(ctx, command, stage):
        return refusal
    if stage is not None and command.number < stage.slices:
        if stages.slice_body(ctx.store, stage.id, command.number) != command.body:
            return refused(Code.CONFLICT, f"slice {command.number} of {stage.name} was another")
        return _told(stage)
    items = [
        *map(staging.object_item, command.objects), *map(staging.job_item, command.jobs),
        *map(staging.deletion_item, command.deletions),
    ]  # fmt: skip
    if twice := _twice(ctx, stage, items):
        return refused(
            Code.INVALID, f"{twice.namespace}/{twice.name} twice in one apply",
            kind=twice.kind, namespace=twice.namespace, name=twice.name,
        )  # fmt: skip
    if stage is None:
        stage = _open(ctx, command)
    stages.add_slice(ctx.store, stage.id, command.number, command.body)
    ctx.changed("stage", "", stage.name, None, f"slice {command.number}")
    stage = stages.change(
        ctx.store, stage, slices=stage.slices + 1, after_ms=max(stage.after_ms, command.after_ms)
    )
    return _told(staging.lay(ctx, stage, items))


def _judge_slice(ctx: Context, command: StageSlice, stage: Stage | None) -> Outcome | None:
    items = len(command.objects) + len(command.jobs) + len(command.deletions)
    if not 1 <= len(command.stage) <= NAME_LETTERS_MAX:
        return refused(Code.INVALID, f"a stage's name has 1 to {NAME_LETTERS_MAX} letters")
    if not 1 <= items <= SLICE_ITEMS_MAX:
        return refused(Code.LIMIT, f"{items} items in one slice: 1 to {SLICE_ITEMS_MAX}")
    if stage is not None and (refusal := _judge_open(stage, command.actor.name)):
        return refusal
    if stage is not None and command.source not in ("", stage.source):
        of = f"source {stage.source!r}" if stage.source else "no source"
        return refused(Code.INVALID, f"{stage.name} was opened for {of}, not for {command.source!r}")
    come = 0 if stage is None else stage.slices
    if command.number > come:
        return refused(Code.CONFLICT, f"slice {come} of {command.stage} comes next", slices=come)
    if stage is None:
        return _judge_room(ctx, command.actor.name)
    if command.number == come and stage.items + items > ITEMS_MAX:
        return refused(Code.LIMIT, f"{stage.items + items} items in one apply, at most {ITEMS_MAX}")
    return None


def _judge_open(stage: Stage, actor: str) -> Outcome | None:
    if stage.actor != actor:
        return refused(Code.CONFLICT, f"{stage.name} was opened by {stage.actor or 'nobody'}")
    if stage.state != "open":
        return refused(Code.ENDED, f"{stage.name} is {stage.state}", state=stage.state)
    return None


def _judge_room(ctx: Context, actor: str) -> Outcome | None:
    known = stages.all_of(ctx.store)
    open_ones = [stage for stage in known if not stage.has_ended]
    if sum(1 for stage in open_ones if stage.actor == actor) >= OPEN_OF_ONE_MAX:
        of = actor or "nobody"
        return refused(Code.LIMIT, f"{OPEN_OF_ONE_MAX} staged applies of {of} are open, the most of one")
    if len(open_ones) >= OPEN_MAX:
        return refused(Code.LIMIT, f"{OPEN_MAX} staged applies are open, the most at a time")
    if sum(stage.bytes for stage in known if stage.left_items) >= BYTES_MAX:
        return refused(Code.LIMIT, f"staged applies hold {BYTES_MAX >> 20} MiB, the most together")
    if len(known) == STAGES_MAX and not any(stage.has_ended and not stage.left_items for stage in known):
        return refused(Code.LIMIT, f"{STAGES_MAX} staged applies are not cleared away yet")
    return None


def _open(ctx: Context, command: StageSlice) -> Stage:
    known = stages.all_of(ctx.store)
    if len(known) == STAGES_MAX:
        stages.forget(ctx.store, next(s.id for s in known if s.has_ended and not s.left_items))
    stage = stages.open_one(
        ctx.store, name=command.stage, actor=command.actor, source=command.source, now_ms=ctx.stamp_ms,
        until_ms=ctx.stamp_ms + OPEN_MS, after_ms=command.after_ms,
    )  # fmt: skip
    ctx.emit(e.StageMoved(stage.name, stage.state))
    return stage


def _twice(ctx: Context, stage: Stage | None, items: list[Item]) -> Item | None:
    names: dict[tuple[str, str, str], None] = {}
    for item in items:
        name = (item.kind, item.namespace, item.name)
        if name in names:
            return item
        names[name] = None
    place = None if stage is None else staged.first_of(ctx.store, stage.id, list(names))
    return None if place is None else items[place]


def commit_stage(ctx: Context, command: CommitStage) -> Outcome:
    stage = stages.named(ctx.store, command.stage)
    if stage is None:
        return refused(Code.NOT_FOUND, f"no stage {command.stage}")
    if stage.actor == command.actor.name and stage.state in ("checking", "switching", "done", "judged"):
        if bool(stage.dry_run) != command.dry_run:
            word = "a dry run" if stage.dry_run else "to go live"
            return refused(Code.CONFLICT, f"{stage.name} was committed already: {word}", state=stage.state)
        return _told(stage)  # it is sent again
    if refusal := _judge_open(stage, command.actor.name) or _judge_prune(stage, command):
        return refusal
    if command.slices != stage.slices:
        detail = f"{stage.slices} slices of {stage.name} have come, not {command.slices}"
        return refused(Code.CONFLICT, detail, slices=stage.slices)
    if not command.dry_run:
        if ctx.state.stage:
            return refused(Code.SWITCHING, "another staged apply goes live")
        if ctx.state.redates:
            return refused(Code.SWITCHING, redating.WAITS)
        ctx.state.stage = stage.id
    ctx.changed("stage", "", stage.name, stage.state, "dry run" if command.dry_run else "checking")
    stage = stages.change(
        ctx.store, stage, dry_run=int(command.dry_run), prune_max=command.prune_max,
        prune_in=None if command.prune_in is None else json.dumps(command.prune_in),
        walked=pruning.BEGIN if command.prune else None,
    )  # fmt: skip
    return _told(staging.move(ctx, checking.begin(ctx, stage), StageEvent.COMMITTED))


def _judge_prune(stage: Stage, command: CommitStage) -> Outcome | None:
    if command.prune and not stage.source:
        return refused(Code.INVALID, f"prune deletes what a source owns: {stage.name} has none")
    if command.prune_max is not None and not 0 <= command.prune_max <= PRUNED_MAX:
        return refused(Code.INVALID, f"prune_max is from 0 to {PRUNED_MAX}")
    return None


def drop_stage(ctx: Context, command: DropStage) -> Outcome:
    stage = stages.named(ctx.store, command.stage)
    if stage is None:
        return refused(Code.NOT_FOUND, f"no stage {command.stage}")
    if stage.state not in ("open", "checking"):
        return refused(Code.ENDED, f"{stage.name} is {stage.state}", state=stage.state)
    by = f"dropped by {command.actor.name}" if command.actor.name else "dropped"
    ctx.changed("stage", "", stage.name, stage.state, "dropped")
    return _told(staging.move(ctx, stage, StageEvent.DROPPED, by))


def advance_stage(ctx: Context, command: AdvanceStage) -> Outcome:
    stage = stages.get(ctx.store, command.stage)
    if stage is None or stage.state != command.state:
        return refused(Code.SUPERSEDED, f"stage {command.stage} is in another state")
    if stage.state == "checking":
        return _told(checking.check(ctx, stage))
    if stage.state == "switching":
        return _told(staging.switch(ctx, stage))
    if stage.has_ended and stage.left_items:
        return _told(staging.clear(ctx, stage))
    if stage.until_ms > ctx.stamp_ms:
        return refused(Code.SUPERSEDED, f"the time of stage {command.stage} is not over")
    if stage.has_ended:
        stages.forget(ctx.store, stage.id)
        return OK
    return _told(staging.move(ctx, stage, StageEvent.EXPIRED, "nobody committed it in its time"))


def _told(stage: Stage) -> Outcome:
    return done(
        stage=stage.name, state=stage.state, slices=stage.slices, items=stage.items, left=stage.left_items,
        until_ms=stage.until_ms,
    )  # fmt: skip
