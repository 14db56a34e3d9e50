"""A sticky group goes where the first of its tasks was placed, until its round is over; where that was taken
back before anything began, to any agent again. Those that wait look it up (`rules.holdings`)."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import selectors
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import fanouts, nested, rounds
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.rounds import Round


def stick(ctx: Context, selector: str, agent: int) -> None:
    """A task of this selector was placed."""
    wanted = selectors.parse(selector)
    now = rounds.get(ctx.store, wanted.group) if wanted.sticky else None
    if now is not None and not now.agent:
        rounds.change(ctx.store, now, agent=agent)


def loosen(ctx: Context, selector: str) -> None:
    """An attempt of one is live no longer."""
    wanted = selectors.parse(selector)
    now = rounds.get(ctx.store, wanted.group) if wanted.sticky else None
    if now is not None and now.agent and not has_begun(ctx, now):
        rounds.change(ctx.store, now, agent=0)


def has_begun(ctx: Context, now: Round) -> bool:
    """Whether an attempt in this round of a group is live or may have run, or a run goes on that it waits
    for."""
    run = run_rows.get(ctx.store, now.run)
    assert run is not None
    box = ctx.graph(run.job, run.namespace, run.name, run.revision).boxes[now.task - run.first_task]
    inside = range(now.first_task, now.first_task + box.end - box.first)
    if attempt_rows.any_begun_of(ctx.store, inside) or nested.any_of(ctx.store, inside):
        return True
    return fanouts.are_any(ctx.store) and any(
        attempt_rows.any_begun_of(ctx.store, each.ids)
        for each in fanouts.of_run(ctx.store, now.run)
        if each.task in inside
    )
