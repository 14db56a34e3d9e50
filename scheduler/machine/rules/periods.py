"""How long a job has from one of its ticks to the next: what is held for longer keeps another one back, or
lets it pass.

Of the run of a tick it is that of its trigger, while the job has that; else the shortest of its triggers.
What fires by events alone has none."""

from __future__ import annotations

from scheduler.model.quantities import format_duration
from scheduler.store.connection import Store
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.triggers import Trigger
from scheduler.ticks import DELAY, delay_of, schedule


def of(store: Store, run: Run, from_ms: int) -> int | None:
    """From this instant on; None: it has none."""
    live = trigger_rows.live(store, run.job)
    own = trigger_rows.key_of(store, run.trigger) if run.trigger and run.tick_ms is not None else ""
    found = [each for each in live if each.key == own] or live
    return min((ms for each in found if (ms := _of_trigger(each, from_ms)) is not None), default=None)


def longer(store: Store, run: Run, since_ms: int | None, now_ms: int) -> str:
    """In words, of what is held since then; empty: not for longer."""
    period_ms = None if since_ms is None else of(store, run, since_ms)
    if since_ms is None or period_ms is None or now_ms - since_ms < period_ms:
        return ""
    return f", for longer than the job's period of {format_duration(period_ms)}"


def _of_trigger(era: Trigger, from_ms: int) -> int | None:
    if era.event:
        return delay_of(era.spec) if era.event == DELAY else None
    coming = schedule(era.spec).upcoming(from_ms, 2)
    return coming[1] - coming[0] if len(coming) == 2 else None
