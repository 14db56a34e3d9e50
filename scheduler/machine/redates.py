"""Triggers take over the dates that their calendar has since an edit, or the rules that their zone has since
the zone data is another: some at a time, all at its instant.

Rules of this file:

1. The planner says the new spec and its first instant; here eras by the former dates end at the stamp of the
   edit, or behind what is decided already, and eras by the new ones begin there, as by an edit of the job.
2. Calendars have their turns in the order of their edits: a trigger that holds dates of two takes those over
   that came first, first.
3. A trigger that has ended since, or holds them already, is passed over. Where none is left, it is done.
"""

from __future__ import annotations

from scheduler.machine.context import ROW, Context, done, refused
from scheduler.machine.steps import eras, redating
from scheduler.model.known_dates import KIND, ZONE
from scheduler.store.tables import pins
from scheduler.store.tables import triggers as trigger_rows
from scheduler.ticks import pins_of
from scheduler.words.commands import Redate
from scheduler.words.outcomes import Code, Outcome

TRIGGERS_MAX = 50  #: of one command


def redate(ctx: Context, command: Redate) -> Outcome:
    turn = pins.first(ctx.store)
    if turn is None or turn.id != command.redate or turn.kind not in (KIND, ZONE):
        return refused(Code.SUPERSEDED, f"calendar edit {command.redate} is not the one whose turn it is")
    if len(command.triggers) > TRIGGERS_MAX:
        return refused(Code.LIMIT, f"{len(command.triggers)} triggers in one command, at most {TRIGGERS_MAX}")
    whose = f"{turn.namespace}/{turn.name}"
    taken = 0
    for new in command.triggers:
        trigger = trigger_rows.get(ctx.store, new.trigger)
        if trigger is None or trigger.until_ms is not None:
            continue
        held, wanted = pins_of(trigger.spec), pins_of(new.spec)
        moved = tuple((of, turn.pin if of == whose else pin) for of, pin in held)
        if (whose, turn.pin) in held or moved != wanted:
            continue  # it has them, or the planner saw other dates of another calendar
        ctx.room -= 4 * ROW
        from_ms = eras.end(ctx, trigger, turn.at_ms, trigger_rows.EDITED)
        eras.begin(
            ctx, trigger.job, trigger.key, new.spec, trigger.jitter_ms, eras.asks_of(trigger),
            from_ms=from_ms, due_ms=new.first_due_ms, former=trigger.id,
        )  # fmt: skip
        taken += 1
    if not pins.holders(ctx.store, turn.namespace, turn.name, turn.pin, 1):
        pins.end(ctx.store, turn.id)
        ctx.state.redates -= 1
        redating.tell(ctx, turn.namespace, turn.name, live=True)
    return done(taken=taken)
