"""Triggers of a job take the place of others: by an edit of the job, or of a schedule that it names.

Rules of this file:

1. A trigger that did not change keeps its era and watermark. All that goes is closed at one instant, that of
   the edit or a decided one beyond it, and all that comes begins there: none is due twice, none is lost in
   between. What was due by then is decided as if nothing had been edited.
2. What is counted from when it is first applied keeps that instant, as long as the job is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.machine.context import Context
from scheduler.machine.steps import eras, listening, setting_aside
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.triggers import Trigger
from scheduler.ticks import anchored, as_written, is_anchored
from scheduler.words.commands import PreparedTrigger


class Instants(NamedTuple):
    begin_ms: int  #: from which on what comes counts
    at_ms: int  #: of the edit
    after_ms: int  #: after which whoever prepared it looked for its first instant


def replace(
    ctx: Context,
    job: int,
    live: Sequence[Trigger],
    new: Sequence[PreparedTrigger],
    asks: eras.Asks,
    instants: Instants,
    *,
    stays: bool,
) -> None:
    """`live` gives way to `new`, whatever of it is not in that. `asks`: of whom, and whose turn it is; each
    has its own ticks a day. `stays`: the job was there before."""
    if not (live or stays):  # as of most that are put: nothing is there that could be kept or end
        for each in new:
            _begin(ctx, job, each, each.spec, asks, instants)
        return
    begin_ms, at_ms, after_ms = instants
    specs = {each.key: _known(ctx, job, each) if stays else each.spec for each in new}
    offsets = {each.key: each.jitter_ms for each in new}
    kept = {t.key: None for t in live if (specs.get(t.key), offsets.get(t.key)) == (t.spec, t.jitter_ms)}
    ended = [trigger for trigger in live if trigger.key not in kept]
    for trigger in ended:
        begin_ms = max(begin_ms, trigger.from_ms, trigger_rows.last_decided(ctx.store, trigger.id) or 0)
    for trigger in ended:
        eras.end(ctx, trigger, begin_ms, trigger_rows.EDITED)
    for trigger in live:
        if trigger.key in kept and trigger.share != asks.share:
            trigger_rows.set_share(ctx.store, trigger.id, asks.share)
    for each in new:
        if each.key not in kept:
            former = next((trigger.id for trigger in ended if trigger.key == each.key), 0)
            begins = Instants(begin_ms, at_ms, after_ms)
            _begin(ctx, job, each, specs[each.key], asks, begins, former=former)
    for trigger in ended:
        listening.forget(ctx, trigger)
        if trigger.key not in specs:
            setting_aside.end_of_trigger(ctx, job, trigger.key, begin_ms)


def _begin(
    ctx: Context, job: int, each: PreparedTrigger, spec: bytes, asks: eras.Asks, instants: Instants,
    *, former: int = 0,
) -> None:  # fmt: skip
    """`spec`: its own, or that with the instant from which it counts already."""
    from_ms, at_ms, after_ms = instants
    if not is_anchored(spec):  # its first instant is this very one
        first_ms = max(from_ms, at_ms)
        spec, from_ms = anchored(spec, first_ms), first_ms - 1
    # By a clock that is ahead, the first instant may be before the one that the proposer found, who
    # does not know what is counted from when it was first applied: the planner goes on from here.
    is_known = after_ms <= from_ms and spec == each.spec
    due_ms = each.first_due_ms if is_known else from_ms
    asked = eras.Asks(asks.namespace, each.per_day, asks.share)
    eras.begin(
        ctx, job, each.key, spec, each.jitter_ms, asked, from_ms=from_ms, due_ms=due_ms, former=former
    )


def _known(ctx: Context, job: int, each: PreparedTrigger) -> bytes:
    """Its spec, with when the job first had a trigger of this key, where it asks and that is known."""
    if is_anchored(each.spec):
        return each.spec
    for era in trigger_rows.of_job(ctx.store, job):
        at_ms = as_written(era.spec)[1]
        if era.key == each.key and at_ms is not None:
            return anchored(each.spec, at_ms)
    return each.spec
