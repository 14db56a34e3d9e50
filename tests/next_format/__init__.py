"""The version after this one, as far as tests need it: it knows one format more than the product.

`learn()` makes this process that version. Real nodes of it are started by `python -m tests.next_format.node`
(see there); nothing of it is in the product.

What its format changes: ticks of a job with the label `hold: "true"` are skipped(held) instead of run. For
that each job's row gets a column `held`, which a migration fills in slices, and which SQL triggers keep true
from the activation on.
"""

from __future__ import annotations

import json

from scheduler import formats
from scheduler.machine import dispatch, ticks
from scheduler.machine.context import Context
from scheduler.store.tables import triggers as trigger_rows
from scheduler.words import commands as c
from scheduler.words.causes import Cause, Kind
from scheduler.words.outcomes import Outcome

NUMBER = formats.newest() + 1

_HELD = "coalesce(json_extract({labels}, '$.hold') = 'true', 0)"


def _move(store: formats.Rows, cursor: str, rows_max: int) -> str | None:
    after = int(cursor or 0)
    rows = store.rows("SELECT id, labels FROM jobs WHERE id > ? ORDER BY id LIMIT ?", (after, rows_max))
    for job, labels in rows:
        held = int(json.loads(labels).get("hold") == "true")
        store.write("UPDATE jobs SET held = ? WHERE id = ?", (held, job))
    return str(rows[-1][0]) if len(rows) == rows_max else None


FORMAT = formats.Format(
    NUMBER,
    'Ticks of jobs with the label hold: "true" are skipped.',
    migration=formats.Migration(
        begin=(
            "ALTER TABLE jobs ADD COLUMN held INTEGER NOT NULL DEFAULT 0",
            "CREATE TRIGGER jobs_held_put AFTER INSERT ON jobs BEGIN"
            f" UPDATE jobs SET held = {_HELD.format(labels='new.labels')} WHERE id = new.id; END",
            "CREATE TRIGGER jobs_held_changed AFTER UPDATE OF labels ON jobs BEGIN"
            f" UPDATE jobs SET held = {_HELD.format(labels='new.labels')} WHERE id = new.id; END",
        ),
        move=_move,
        finish=("CREATE TABLE holds (job INTEGER PRIMARY KEY, since_ms INTEGER NOT NULL)",),
    ),
)


def fire(ctx: Context, command: c.Fire) -> Outcome:
    """What this version does with a tick: the branch on the format that every change of apply needs."""
    if ctx.state.format < NUMBER or command.epoch != ctx.state.epoch:
        return ticks.fire(ctx, command)
    trigger = trigger_rows.firing(ctx.store, command.trigger)
    if trigger is None or trigger.next_due_ms != command.expected_due_ms or trigger.until_ms is not None:
        return ticks.fire(ctx, command)
    if not ctx.store.value("SELECT held FROM jobs WHERE id = ?", (trigger.job,)):
        return ticks.fire(ctx, command)
    ticks._move(ctx, trigger, command.next_due_ms)
    cause = Cause(Kind.TICK, "", trigger.id, command.expected_due_ms)
    return ticks._decide(ctx, trigger, cause, "skipped", "held")


def learn(*, slice_rows: int | None = None) -> None:
    """Make this process the next version, for good. `slice_rows`: its migrations go in smaller slices, so
    that a test can be in the middle of one."""
    if slice_rows is not None:
        formats.SLICE_ROWS_MAX = slice_rows
    formats.FORMATS.append(FORMAT)
    dispatch.APPLY[c.Fire] = fire
