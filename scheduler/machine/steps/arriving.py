"""An event has come for a trigger that waits for it: what it meets on its way to a run.

Rules of this file:

1. In this order: a pause of everything or of its namespace, and the gates of a tick; what a restore makes
   missed; the gates of a run (`steps.firing`). The first that is closed says how the event ends.
2. Of a kind that stays while its job is paused (`causes.STAYS`), or in a blackout, nothing is decided then
   (`paused`): whoever has the event keeps it. So the pause is asked as of now, and of all others as of when
   they were due.
3. What was due of a job that is no more ends as that, under the name that it had.
"""

from __future__ import annotations

from scheduler.machine.context import Context, done
from scheduler.machine.rules import gates
from scheduler.machine.rules.gates import Never, TickView, Verdict
from scheduler.machine.steps import firing, pausing
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables.changed_ticks import ChangedTick
from scheduler.store.tables.triggers import FiringTrigger
from scheduler.words.causes import STAYS, Cause
from scheduler.words.outcomes import Outcome


def stopped(
    ctx: Context, trigger: FiringTrigger, due_ms: int, changed: ChangedTick | None = None
) -> Verdict:
    """What the gates say of a tick, or an event, that was due then. `changed`: what a person said of it."""
    paused = pausing.skips(ctx, trigger.namespace or "", due_ms)
    return gates.judge(gates.TICK, TickView(trigger, paused, changed))


def never(ctx: Context, trigger: FiringTrigger, due_ms: int, missed: str) -> Never | None:
    """Why it makes no run, whatever the job's other runs do; None: nothing says so. `missed`: why it is,
    where no gate speaks first; empty: it is not."""
    verdict = stopped(ctx, trigger, due_ms)
    if isinstance(verdict, Never):
        return verdict
    return Never("missed", missed) if missed else None


def fire(
    ctx: Context,
    cause: Cause,
    trigger: FiringTrigger,
    *,
    due_ms: int,
    missed: str,
    params: str | None = None,
    agent: int = 0,
    bound: int = 0,
    plan_day: int | None = None,
) -> Outcome:
    """It makes its run, ends without one, or is not decided yet (`full`, `paused`). See `firing.fire`."""
    stays = cause.kind in STAYS
    verdict = never(ctx, trigger, ctx.stamp_ms if stays else due_ms, missed)
    if verdict is None:
        return firing.fire(
            ctx, cause, trigger, due_ms=due_ms, params=params, agent=agent, bound=bound, plan_day=plan_day
        )
    if stays and verdict.outcome == "skipped":
        return done(paused=True)
    if trigger.namespace is None:
        namespace, name = job_rows.name_of_deleted(ctx.store, trigger.job)
        trigger = trigger._replace(namespace=namespace, name=name)
    return firing.end(ctx, cause, trigger, due_ms, verdict)
