"""A run ended, waits or is held, or ticks were skipped or missed: who is told of it.

Rules of this file:

1. A job says whom it tells of what (`notify`), and routes do so of many (`rules.routing`). An effect is
   written with the end itself: whoever sees the run ended sees the effect, on every node, and a run whose end
   was never committed told nobody.
2. `failed`: it failed, timed out or was lost. `recovered`: it succeeded, and the job's last one that ended
   had not. `warned`: it succeeded with a warning. `output`: it wrote something, whatever became of it: the
   end of that is told. A run tells whom its own revision names.
3. `missed`, `skipped`: once for each entry of the ledger, however many ticks that is of. A tick is of no
   revision: it tells whom the job names then, and nobody where the job is no more.
4. What does not hold of what is expected (`steps.unmet`) is told by the revision of its run, of a job by the
   newest.
5. `waiting`: a run was made that waits, told once. `held`: a person keeps back a run, or a task of it, or it
   was kept back for one as it failed.
6. What is told is fixed here, so each try says the same."""

from __future__ import annotations

from typing import Any

from scheduler.machine.context import Context
from scheduler.machine.rules import routing, verdicts
from scheduler.machine.rules.routing import ROUTED, Receiver
from scheduler.machine.steps import outbox
from scheduler.model.compiled import CompiledJob
from scheduler.model.expected import LATE_END, LATE_START
from scheduler.model.notify import (
    ABOUT,
    FAILED,
    HELD,
    LATE,
    MISSED,
    OUTPUT,
    RECOVERED,
    SKIPPED,
    WAITING,
    WARNED,
)
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import BEHIND, FOR_NAMESPACE, FOR_REQUIRES, FOR_TIME, Run
from scheduler.store.tables.unmet import Unmet

REASON_LETTERS_MAX = 500
OUTPUT_BYTES_MAX = 8_192  #: of what is told of a run's output, in all
WRITTEN_MAX = 20  #: attempts of whose output something is told
WAITS_FOR = {
    BEHIND: "runs of the job are before it", FOR_REQUIRES: "what it requires is not there yet",
    FOR_TIME: "its job lets runs start at other times", FOR_NAMESPACE: "its namespace has as many as it may",
}  # fmt: skip

Told = list[tuple[str, list[Receiver]]]
"""What happened, and whom that is told."""


def of_end(ctx: Context, run: Run, state: str, *, warned: bool) -> Told:
    """Whom the end of this run is told: to be asked before it is counted for its job."""
    outline = ctx.graphs.outline(run.job, run.namespace, run.name, run.revision)
    if not outline.notify and ctx.store.kept.are_empty(ROUTED):  # of each run that ends: no call more
        return []

    def receivers(about: str) -> list[Receiver]:
        return routing.receivers(ctx.store, outline, run.namespace, run.name, about)

    told: Told = []
    if state in verdicts.RUN_FAILURES:
        told.append((FAILED, receivers(FAILED)))
    elif state == "succeeded":
        found = receivers(RECOVERED)
        if found and job_rows.is_failing(ctx.store, run.job, verdicts.RUN_FAILURES):
            told.append((RECOVERED, found))
        if warned:
            told.append((WARNED, receivers(WARNED)))
    found = receivers(OUTPUT)
    if found and attempt_rows.written_of_run(ctx.store, run.id, 1):
        told.append((OUTPUT, found))
    return told


def tells_nobody(ctx: Context, job: CompiledJob) -> bool:
    return not job.notify and ctx.store.kept.are_empty(ROUTED)


def tell(ctx: Context, run: Run, told: Told, *, state: str, exit_code: int | None, reason: str) -> None:
    for about, receivers in told:
        facts = {
            "revision": run.revision, "cause": run.cause, "tick_ms": run.tick_ms, "due_ms": run.due_ms,
            "state": state, "exit_code": exit_code, "reason": reason[:REASON_LETTERS_MAX],
            "created_ms": run.created_ms, "started_ms": run.started_ms, "finished_ms": ctx.stamp_ms,
        }  # fmt: skip
        if about == OUTPUT:
            facts["output"] = _output(ctx, run)
        outline = ctx.graphs.outline(run.job, run.namespace, run.name, run.revision)
        _put(ctx, receivers, about, outline, run.namespace, run.name, run.id, facts)


def _output(ctx: Context, run: Run) -> list[dict[str, Any]]:
    """The end of what it wrote, the newest above all."""
    found, left = [], OUTPUT_BYTES_MAX
    for written in reversed(attempt_rows.written_of_run(ctx.store, run.id, WRITTEN_MAX)):
        task = task_rows.get(ctx.store, written.task)
        end = written.tail[-left:] if left else b""
        left -= len(end)
        name, member = ("", "") if task is None else (task.name, task.member)
        said = end.decode(errors="replace")
        found.append({"task": name, "member": member, "bytes": written.output_bytes, "end": said})
    return found[::-1]


def tell_waiting(ctx: Context, run: Run) -> None:
    """It was just made, and waits."""
    _tell_of_run(ctx, run, WAITING, {"reason": WAITS_FOR[run.waiting]})


def tell_held(ctx: Context, run: Run, *, task: str, actor: str, reason: str) -> None:
    """`task`: empty: the whole run is. `actor`: empty: nobody, its job wants it so."""
    _tell_of_run(ctx, run, HELD, {"task": task or None, "actor": actor or None, "reason": reason})


def _tell_of_run(ctx: Context, run: Run, about: str, more: dict[str, Any]) -> None:
    outline = ctx.graphs.outline(run.job, run.namespace, run.name, run.revision)
    if tells_nobody(ctx, outline):
        return
    facts = {
        "revision": run.revision, "cause": run.cause, "tick_ms": run.tick_ms, "due_ms": run.due_ms,
        "created_ms": run.created_ms, "at_ms": ctx.stamp_ms, **more,
    }  # fmt: skip
    facts["reason"] = facts["reason"][:REASON_LETTERS_MAX]
    receivers = routing.receivers(ctx.store, outline, run.namespace, run.name, about)
    _put(ctx, receivers, about, outline, run.namespace, run.name, run.id, facts)


def tell_of_ticks(
    ctx: Context, *, job: int, namespace: str, name: str, outcome: str, reason: str, run: int, cause: str,
    first_ms: int, last_ms: int, count: int,
) -> None:  # fmt: skip
    """Of one entry of the ledger. `run`: the one in the way, or that was to be; 0: none."""
    revision = job_rows.revision_of(ctx.store, job) if outcome in (MISSED, SKIPPED) else None
    if revision is None:
        return
    outline = ctx.graphs.outline(job, namespace, name, revision)
    if tells_nobody(ctx, outline):
        return
    facts = {
        "revision": revision, "cause": cause, "tick_ms": first_ms, "last_ms": last_ms,
        "count": count, "reason": reason, "decided_ms": ctx.stamp_ms,
    }  # fmt: skip
    receivers = routing.receivers(ctx.store, outline, namespace, name, outcome)
    _put(ctx, receivers, outcome, outline, namespace, name, run, facts)


def tell_unmet(ctx: Context, row: Unmet, revision: int) -> None:
    about = LATE if row.what in (LATE_START, LATE_END) else row.what
    outline = ctx.graphs.outline(row.job, row.namespace, row.name, revision)
    facts = {
        "revision": revision, "unmet": row.id, "what": row.what, "limit_ms": row.limit_ms,
        "at_ms": row.at_ms, "found": row.found, "wanted": row.wanted, "part": row.part,
    }  # fmt: skip
    receivers = routing.receivers(ctx.store, outline, row.namespace, row.name, about)
    _put(ctx, receivers, about, outline, row.namespace, row.name, row.run, facts)


def _put(
    ctx: Context, receivers: list[Receiver], about: str, job: CompiledJob, namespace: str, name: str,
    run: int, facts: dict[str, Any],
) -> None:  # fmt: skip
    whose = {
        "about": about, "of": ABOUT[about], "namespace": namespace, "job": name,
        "owner": job.owner or None, "criticality": job.criticality, "run": run or None,
    }  # fmt: skip
    for receiver in receivers:
        outbox.put(
            ctx, receiver, about=about, namespace=namespace, name=name, run=run, facts={**whose, **facts}
        )
