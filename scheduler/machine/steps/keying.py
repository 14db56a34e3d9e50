"""By which key a run is in the way of others of its job (overlap: {key: …}).

Rules of this file:

1. The key is rendered from the run's parameters as it is made, whoever asks for it, and stays.
2. Where an edit brings a key in, the active runs of the job get theirs by it: else one of before the edit
   would be in nobody's way. The oldest of them, a bounded number.
3. Of a run of before a restore nobody knows the parameters: it is in the way of every key."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.model.overlap_key import ANY, rendered
from scheduler.store.tables import overlap_keys
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.runs import Run
from scheduler.words.causes import Kind

ACTIVE_MAX = 200


def note(ctx: Context, run: int, job: int, parts: tuple[str, ...], params: str) -> None:
    overlap_keys.insert(ctx.store, run, job, rendered(parts, params))


def adopt(ctx: Context, run: Run) -> None:
    """It is of the cluster before the restore."""
    if run.job and ctx.graphs.outline(run.job, run.namespace, run.name, run.revision).overlap_key:
        overlap_keys.insert(ctx.store, run.id, run.job, ANY)


def bring_in(ctx: Context, job: int, parts: tuple[str, ...]) -> None:
    """The job has this key by an edit."""
    for run in run_rows.active(ctx.store, job, limit=ACTIVE_MAX):
        if overlap_keys.of(ctx.store, run.id) is not None:
            continue
        if run.cause == Kind.ORPHAN:
            overlap_keys.insert(ctx.store, run.id, job, ANY)
        else:
            note(ctx, run.id, job, parts, run.params)
