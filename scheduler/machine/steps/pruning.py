"""A staged apply with `prune`: what its source owns and did not name is laid down as deletions, before all of
it is checked.

Bounded: a step looks at what there is room for. Nobody edits meanwhile; beside a dry run they may, and it
tells of each thing as it was when it was looked at.
"""

from __future__ import annotations

import json

from scheduler.machine.context import ROW, Context, refused
from scheduler.machine.rules import pruning
from scheduler.machine.rules.routing import ROUTE, compiled_route
from scheduler.machine.steps import staging
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import staged, stages
from scheduler.store.tables.refs import Named
from scheduler.store.tables.stages import Stage
from scheduler.words.commands import Deletion
from scheduler.words.outcomes import Code, Outcome

BEGIN = json.dumps(["", "", ""])
LOOKED, LAID = ROW, ROW


def gather(ctx: Context, stage: Stage) -> Stage:
    """Look at the next ones. After the last its checks come next, or it ends."""
    after = Named._make(json.loads(stage.walked or BEGIN))
    found = _owned(ctx, stage.source, after, staging.ITEMS_A_STEP)
    may = None if stage.prune_in is None else frozenset(json.loads(stage.prune_in))
    looked, gone = 0, list[staged.Item]()
    for each in found:
        if looked and ctx.room <= 0:
            break
        looked += 1
        ctx.room -= LOOKED
        if staged.deletes(ctx.store, stage.id, *each) is not None:
            continue
        if may is not None and each.namespace not in may:
            detail = f"source {stage.source!r} owns what is in namespace {each.namespace}, where"
            return _end(ctx, stage, refused(Code.NOT_ALLOWED, f"{detail} {stage.actor} may not edit"))
        if may is not None and _is_of_all(ctx, each):
            detail = f"source {stage.source!r} owns {each}, which concerns all namespaces, in some of which"
            return _end(ctx, stage, refused(Code.NOT_ALLOWED, f"{detail} {stage.actor} may not edit"))
        ctx.room -= LAID
        gone.append(staging.deletion_item(Deletion(*each)))
    stage = staging.lay(ctx, stage, gone)
    is_over = looked == len(found) < staging.ITEMS_A_STEP
    stage = stages.change(
        ctx.store, stage, owned=stage.owned + looked, pruned=stage.pruned + len(gone),
        walked=None if is_over else json.dumps(found[looked - 1]),
    )  # fmt: skip
    if stage.pruned > pruning.PRUNED_MAX:
        detail = f"more than {pruning.PRUNED_MAX} would be deleted, the most in one apply"
        return _end(ctx, stage, refused(Code.LIMIT, detail))
    said = pruning.refusal(stage.source, stage.owned, stage.pruned, stage.prune_max) if is_over else ""
    if said:
        return _end(ctx, stage, refused(Code.LIMIT, f"{said}. {pruning.hint(stage.pruned)}"))
    return stage


def _owned(ctx: Context, source: str, after: Named, limit: int) -> list[Named]:
    """Objects first, jobs last."""
    found: list[Named] = []
    if after.kind != staging.JOB:
        found = [Named._make(row) for row in object_rows.owned_after(ctx.store, source, after, limit)]
        after = Named(staging.JOB, "", "")
    jobs = (
        job_rows.owned_after(ctx.store, source, after[1:], limit - len(found)) if len(found) < limit else []
    )
    return [*found, *(Named(staging.JOB, *row) for row in jobs)]


def _is_of_all(ctx: Context, what: Named) -> bool:
    row = object_rows.find(ctx.store, *what) if what.kind == ROUTE else None
    return row is not None and compiled_route(row.spec).everywhere


def _end(ctx: Context, stage: Stage, refusal: Outcome) -> Stage:
    return staging.refuse(ctx, stage, [staging.problem(refusal)])
