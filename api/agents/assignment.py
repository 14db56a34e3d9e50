"""From a job's compiled task to the Assign message, and the environment that goes with the Grant."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from api.instants import rfc3339
from scheduler.model.by_revision import CompiledJobs
from scheduler.model.compiled import CompiledJob, CompiledTask
from scheduler.model.objects.vars import VARIABLE
from scheduler.model.outputs import outputs_of, variable_of
from scheduler.protocol import Assign, Reserved
from scheduler.store.connection import Store
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import namespaces as namespace_reads
from scheduler.store.reads.attempts import DispatchRow
from scheduler.store.reads.reservations import ReservedRow
from scheduler.store.reads.run_vars import Begun
from scheduler.store.tables.rests import Rest
from scheduler.ticks import plan_days


class Told(NamedTuple):
    """What a Grant says beside the grant itself."""

    environment: dict[str, str]
    secrets: tuple[tuple[str, str, bool], ...] = ()  #: as protocol.Grant has them
    unable: str = ""  #: why it cannot start; empty: it can
    before: str = ""  #: for a shell, around the work
    after: str = ""


NOTHING = Told({})
NO_OUTPUTS: Mapping[str, bytes] = {}
_NOT_IN_NAMES = re.compile(r"[^A-Z0-9_]")


def assignment(row: DispatchRow, job: CompiledJob) -> Assign | None:
    """The message for an assigned attempt; None when the job has no such task (it never should)."""
    task = job.by_name.get(row.task)
    if task is None:
        return None
    return Assign(
        attempt=row.attempt,
        run=row.run,
        job=row.name,
        namespace=row.namespace,
        task=row.task,
        member=row.member,
        round=row.round,
        number=row.number,
        tick_ms=row.tick_ms,
        due_ms=row.due_ms,
        work=_work(job, task),
        timeout_ms=task.timeout_ms,
        grace_ms=task.grace_ms,
        kill_on_lease_end=job.on_lost_of(row.task) in ("fail", "retry"),
        output_bytes_max=task.output_bytes_max,
    )


def _work(job: CompiledJob, task: CompiledTask) -> dict[str, Any]:
    """`quiet_ms`: in which it has to write something; what writes nothing by its kind heeds it not."""
    if job.expected is None or job.expected.quiet_ms is None:
        return task.work
    return {**task.work, "quiet_ms": job.expected.quiet_ms}


def reservation(store: Store, compiled: CompiledJobs, row: ReservedRow) -> Reserved | None:
    """The message for a tick that its agent has in advance, with all that its start needs; None: its job is
    not stored (it always should be)."""
    job = _stored(store, compiled, row.job, row.revision)
    if job is None:
        return None
    (task,) = job.tasks
    of = DispatchRow(
        row.attempt, row.agent, "reserved", 1, row.due_ms, task.name, "", "", 0, row.run, row.job,
        row.revision, row.namespace, row.name, row.at_ms, row.plan_day, job.params_of(row.key), 0, "",
    )  # fmt: skip
    assign = assignment(of, job)
    if assign is None:
        return None
    around = namespace_reads.around(store, [row.namespace]).get(row.namespace, ("", ""))
    return Reserved(
        attempt=row.attempt, run=row.run, job=row.name, namespace=row.namespace, task=task.name,
        tick_ms=row.at_ms, due_ms=row.due_ms, work=assign.work, timeout_ms=assign.timeout_ms,
        grace_ms=assign.grace_ms, output_bytes_max=assign.output_bytes_max, fence=row.fence,
        environment=environment(of), before=around[0], after=around[1],
        alone=job.overlap_of(row.key) != "allow", late_ms=job.catchup_grace_ms,
    )  # fmt: skip


def job_of(store: Store, compiled: CompiledJobs, row: DispatchRow) -> CompiledJob | None:
    """The job at the revision that the attempt is of; None: it is not stored (it always should be)."""
    return _stored(store, compiled, row.job, row.revision)


def _stored(store: Store, compiled: CompiledJobs, job: int, revision: int) -> CompiledJob | None:
    found = compiled.peek(job, revision)
    if found is not None:
        return found
    spec = job_reads.spec_of(store, job, revision)
    return None if spec is None else compiled.get(job, revision, lambda: spec)


def environment(
    row: DispatchRow, begun: Sequence[Begun] = (), outputs: Mapping[str, bytes] = NO_OUTPUTS,
    rest: Rest | None = None,
) -> dict[str, str]:  # fmt: skip
    """The CRONCLAVE_* values that the node knows; the agent adds _FENCE, _AGENT and _ZONE. `begun`: the vars
    that the run began with, the later of equal names counts. `outputs`: of the tasks that it needs. `rest`:
    of a run that does what it does finally."""
    values = {
        "CRONCLAVE_JOB": row.name,
        "CRONCLAVE_NAMESPACE": row.namespace,
        "CRONCLAVE_RUN": str(row.run),
        "CRONCLAVE_TASK": row.task,
        "CRONCLAVE_ATTEMPT": str(row.number),
        "CRONCLAVE_TICK": rfc3339(row.tick_ms) or "",
        "CRONCLAVE_PLAN_DATE": plan_days.text_of(row.plan_day),
        "CRONCLAVE_MEMBER": row.member,
        "CRONCLAVE_ITEM": row.item,
        "CRONCLAVE_ROUND": str(row.round),
    }
    if rest is not None:
        values["CRONCLAVE_REST"] = rest.state
    if len(row.params) > 2:
        for name, value in json.loads(row.params).items():
            values["CRONCLAVE_PARAM_" + _NOT_IN_NAMES.sub("_", name.upper())] = parameter_text(value)
    for each in begun:
        for name, value in json.loads(each.spec)["values"].items():
            values[VARIABLE + name.upper()] = parameter_text(value)
    for task, text in outputs.items():
        for name, value in outputs_of(text).items():
            values[variable_of(task, name)] = parameter_text(value)
    return values


def parameter_text(value: object) -> str:
    """A parameter as an environment variable holds it: text as it is, the rest as JSON."""
    if isinstance(value, str):
        return value
    # Letters as they are: written as \\uXXXX a list that may be given would not fit in a variable.
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
