"""Triggers that wait for files: their folders are looked into from when an era begins until it ends, and the
end of a run says what becomes of its files.

An edit that keeps the trigger's key keeps what is known of its files: none fires a second time.
"""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.model.watching import read_file
from scheduler.store.tables import files, folders
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.files import DONE, LEFT
from scheduler.store.tables.folders import Folder
from scheduler.store.tables.runs import Run
from scheduler.store.tables.triggers import Trigger
from scheduler.words import events as e

FILES_A_RUN_MAX = 500  #: of a batch


def begin(ctx: Context, trigger: int, job: int, key: str, spec: bytes) -> None:
    asked, known = read_file(spec), folders.get(ctx.store, job, key)
    shared = int(asked.shared)
    folder = Folder(job, key, trigger, asked.pool, shared, 0, 0, "[]", None, 0)
    if known is not None:
        agent = known.agent if (known.shared, known.pool) == (shared, asked.pool) else 0
        waits = files.count_waiting(ctx.store, job, key, 1) > 0
        folder = folder._replace(
            agent=agent, last=known.last, recent=known.recent, at_ms=ctx.stamp_ms if waits else None
        )
    folders.put(ctx.store, folder)
    ctx.emit(e.FoldersChanged(asked.pool))


def end(ctx: Context, trigger: Trigger) -> None:
    folder = folders.of_trigger(ctx.store, trigger.id)
    if folder is not None:
        folders.put(ctx.store, folder._replace(trigger=0, at_ms=None, is_full=0))
        ctx.emit(e.FoldersChanged(folder.pool))


def run_ended(ctx: Context, run: Run, state: str) -> None:
    """After success an agent does with its files what the trigger says; else they are left where they are."""
    for file in files.of_run(ctx.store, run.id, FILES_A_RUN_MAX):
        folder = folders.get(ctx.store, file.job, file.key)
        era = None if folder is None or not folder.trigger else trigger_rows.get(ctx.store, folder.trigger)
        if state != "succeeded":
            files.set_state(ctx.store, file, LEFT, run=run.id, why=f"its run ended as {state}")
        elif folder is not None and era is not None and read_file(era.spec).then:
            files.set_state(ctx.store, file, DONE, run=run.id)
            agent = file.agent or folder.agent
            ctx.emit(e.FileToMove(run.namespace, run.name, file.key, file.serial, agent))
