"""Eras of triggers: begun, ended, cut in two.

Rules of this file:

1. An instant belongs to one era of its trigger: a new one begins where the one before it ends.
2. What `catchup: all` runs of a gap is an era of its own (`behind`), one row however long the gap was. It has
   an instant for the planner only while nothing of the job is active: a run's end wakes the oldest of them.
   A gap that is split from the present is one as an edit leaves it behind: it only has its turn later.
3. A live era holds the dates of its calendars and the rules of its zone (`store.tables.pins`); one that has
   ended keeps the dates in its spec, and the pin of the rules, whose zone file stays (`store.tables.zones`).
4. A tick that is due before its instant is an era of its own, which is over as it begins (`ahead`): the one
   that it was of may be edited before it comes there.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.machine.context import Context
from scheduler.machine.steps import delaying, listening, setting_aside, watching
from scheduler.store.tables import boots, pins, zones
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.triggers import AHEAD, BEHIND, EDITED, OVER, Trigger
from scheduler.ticks import DELAY, event_of, pins_of
from scheduler.words import causes

PRIORITY_MAX = 100
BITS_MAX = 63  #: of the ticks a day of a job


class Asks(NamedTuple):
    """What decides whose turn it is when more is due than a plan holds (`plan.shares`)."""

    namespace: str
    per_day: int
    share: int


def share_of(priority: int, per_day: int) -> int:
    """The least comes first: of what matters more, then of who asks for less."""
    return (PRIORITY_MAX - priority) * (BITS_MAX + 1) + min(per_day.bit_length(), BITS_MAX)


def asks_of(trigger: Trigger) -> Asks:
    return Asks(trigger.namespace, trigger.per_day, trigger.share)


def begin(
    ctx: Context,
    job: int,
    key: str,
    spec: bytes,
    jitter_ms: int,
    asks: Asks,
    *,
    from_ms: int,
    due_ms: int | None,
    until_ms: int | None = None,
    closed: str = "",
    former: int = 0,
) -> None:
    """Of the era's instants from `due_ms` on, those up to `from_ms` belong to the one before it: the planner
    passes them (Account with count 0). `former`: the trigger that it takes the place of; 0: of none.
    """
    ctx.state.last_trigger += 1
    event = event_of(spec)
    if event:  # what comes is stamped by the log: a proposer's clock that is ahead must not miss it
        from_ms = min(from_ms, ctx.stamp_ms)
    trigger_rows.insert(
        ctx.store,
        Trigger(
            id=ctx.state.last_trigger, job=job, key=key, spec=spec, jitter_ms=jitter_ms, from_ms=from_ms,
            until_ms=until_ms, next_due_ms=due_ms, fire_ms=None if due_ms is None else due_ms + jitter_ms,
            namespace=asks.namespace, per_day=asks.per_day, share=asks.share, closed=closed,
            event=event,
        ),
    )  # fmt: skip
    if until_ms is None:
        setting_aside.check(ctx, job, key, spec, from_ms)
    if until_ms is None and (held := pins_of(spec)):
        pins.hold(ctx.store, ctx.state.last_trigger, held)
        if held[0][0].startswith("/") and (found := zones.of_digest(ctx.store, ctx.state.zones)) is not None:
            zones.use(ctx.store, found, held[0][1])
    if event.startswith(causes.booted("")):
        boots.look_again(ctx.store, event.removeprefix(causes.booted("")))
    elif event == DELAY:
        delaying.begin(ctx, ctx.state.last_trigger, job, spec, from_ms)
    elif causes.is_filed(event):
        watching.begin(ctx, ctx.state.last_trigger, job, key, spec)
    elif event:
        listening.begin(ctx, ctx.state.last_trigger, job, event, spec, former)


def end(ctx: Context, trigger: Trigger, at_ms: int, closed: str) -> int:
    """End an era at this instant, or behind what of it is decided; returns its last instant."""
    decided_ms = trigger_rows.last_decided(ctx.store, trigger.id)
    until_ms = max(at_ms, trigger.from_ms, decided_ms or 0)
    due_ms = trigger.next_due_ms
    if due_ms is not None and due_ms > until_ms:
        due_ms = None
    fire_ms = trigger.fire_ms if due_ms is not None and closed not in OVER else due_ms
    _let_go(ctx, trigger)
    trigger_rows.close(
        ctx.store, trigger.id, until_ms=until_ms, next_due_ms=due_ms, fire_ms=fire_ms, closed=closed
    )
    if trigger.event == DELAY:
        delaying.end(ctx, trigger.id, until_ms)
    elif causes.is_filed(trigger.event):
        watching.end(ctx, trigger)
    elif trigger.event:
        listening.end(ctx, trigger.id)
    return until_ms


def cut(ctx: Context, trigger: Trigger, until_ms: int, next_due_ms: int | None) -> None:
    """What is left of it up to this instant waits to be caught up; behind that it goes on as it was."""
    _cut(ctx, trigger, until_ms, next_due_ms, BEHIND, None)


def split(ctx: Context, trigger: Trigger, until_ms: int, next_due_ms: int | None, turn_ms: int) -> None:
    """What is due of it up to this instant is decided as if it went on, behind what is due since."""
    _cut(ctx, trigger, until_ms, next_due_ms, EDITED, turn_ms)


def ahead(ctx: Context, trigger: Trigger, at_ms: int) -> int:
    """This one instant is decided before the others are; returns its era."""
    begin(
        ctx, trigger.job, trigger.key, trigger.spec, trigger.jitter_ms, asks_of(trigger),
        from_ms=at_ms - 1, due_ms=None, until_ms=at_ms, closed=AHEAD,
    )  # fmt: skip
    return ctx.state.last_trigger


def _cut(
    ctx: Context, trigger: Trigger, until_ms: int, next_due_ms: int | None, closed: str, fire_ms: int | None
) -> None:
    _let_go(ctx, trigger)
    due_ms = trigger.next_due_ms
    trigger_rows.close(
        ctx.store, trigger.id, until_ms=until_ms, next_due_ms=due_ms, fire_ms=fire_ms, closed=closed
    )
    if trigger.until_ms is not None and (next_due_ms is None or next_due_ms > trigger.until_ms):
        return
    begin(
        ctx, trigger.job, trigger.key, trigger.spec, trigger.jitter_ms, asks_of(trigger),
        from_ms=until_ms, due_ms=next_due_ms, until_ms=trigger.until_ms, closed=trigger.closed,
    )  # fmt: skip


def _let_go(ctx: Context, trigger: Trigger) -> None:
    if trigger.until_ms is None and pins_of(trigger.spec):
        pins.let_go(ctx.store, trigger.id)


def wake(ctx: Context, job: int) -> None:
    """Let the planner look at the oldest gap of the job that waits."""
    oldest = trigger_rows.oldest_behind(ctx.store, job)
    if oldest is not None:
        trigger_rows.move(ctx.store, oldest.id, next_due_ms=oldest.next_due_ms, fire_ms=oldest.next_due_ms)
