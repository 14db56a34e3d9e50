"""Reading jobs and runs for the routes: rows to JSON, with what belongs to them fetched once for a whole
page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

from api.access import READ, Reach
from api.call import Call
from api.expectations import of_run_json
from api.instants import rfc3339
from api.near import near_miss
from api.problems import Problem
from api.services import Services
from api.threads import READS, beside, encode
from api.views import job_bytes, job_facts, run_facts, run_json, runs_json
from scheduler.machine.rules.selectors import Selector, asked_of
from scheduler.model import Job
from scheduler.model.unsaid import whole_text
from scheduler.store.connection import Store
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import fanouts as fanout_reads
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import near
from scheduler.store.reads import outputs as output_reads
from scheduler.store.reads import runs as run_reads
from scheduler.store.reads import tasks as task_reads
from scheduler.store.reads import triggers as trigger_reads
from scheduler.store.reads.attempts import ListedAttempt
from scheduler.store.tables import approvals, holds, left_behind, nested, overrides, pauses, reruns, rests
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.fanouts import Fanout
from scheduler.store.tables.holds import Hold
from scheduler.store.tables.jobs import Job as JobRow
from scheduler.store.tables.left_behind import LeftBehind
from scheduler.store.tables.overrides import Override
from scheduler.store.tables.pauses import ALL, Pause
from scheduler.store.tables.reruns import Rerun
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words import reasons
from scheduler.words.causes import Kind
from scheduler.words.commands import PreparedJob
from scheduler.words.lifecycle import KEPT_BACK, RUN_ENDS
from scheduler.words.outcomes import Code, Outcome

LISTED = "cronclave job list, or GET /v1/jobs, shows them; -n, or ?namespace=, names another namespace."
LONG = frozenset({"tasks", "policies", "notify", "defaults"})
"""Fields of a job that a list can do without: a graph may have a megabyte."""
EXTENDS = b'"extends":'  #: in the text of a job that may have a template
RERUNS_SHOWN = 20  #: of a run, the newest
RUN_INLINE = 50  #: tasks or tries of a run that is put together in the loop
CHILDREN_MAX = 10_000  #: runs that the tasks of a run began: as many tasks as a job may have


def find_job(store: Store, namespace: str, name: str) -> JobRow:
    row = job_rows.find(store, namespace, name)
    if row is None:
        raise Problem(
            "not-found", f"there is no job {name[:200]!r} in namespace {namespace[:200]!r}",
            hint=near_miss(name, near.jobs(store, namespace, name), LISTED),
        )  # fmt: skip
    return row


def never_was(store: Store, namespace: str, name: str) -> Problem:
    """Of a job that is not there, and was not."""
    return Problem(
        "not-found", f"there is no job {name[:200]!r} in namespace {namespace[:200]!r}, nor was one",
        hint=near_miss(name, near.jobs(store, namespace, name), LISTED),
    )  # fmt: skip


def need_job(services: Services, outcome: Outcome, namespace: str, name: str) -> None:
    """Raises the Problem of a command that found no such job, with the near miss."""
    if outcome.code == Code.NOT_FOUND:
        with services.scheduler.read() as store:
            find_job(store, namespace, name)


def job_documents(
    store: Store, services: Services, rows: Sequence[JobRow], *, brief: bool = False
) -> list[bytes]:
    """The JSON of each job; `brief`: without what a list does not show."""
    ids = [row.id for row in rows]
    paused = standing(store, services)
    next_ticks = job_reads.next_ticks(store, ids)
    last_ticks = job_reads.last_ticks(store, ids)
    last_runs = run_reads.newest_of(store, ids)
    extending = [row.id for row in rows if EXTENDS in row.spec]
    left = left_behind.of_jobs(store, extending) if extending else {}
    return [
        job_bytes(
            job_facts(
                row,
                states=states_of(store, services, row),
                next_tick_ms=next_ticks.get(row.id),
                last_tick=last_ticks.get(row.id),
                last_run=last_runs.get(row.id),
                pauses=[pause for pause in paused if pause.namespace in (ALL, row.namespace)],
                left=left_json(left.get((row.id, row.revision))),
            ),
            whole_text(row.spec, LONG if brief else frozenset()),
        )
        for row in rows
    ]


def left_json(row: LeftBehind | None) -> dict[str, Any] | None:
    return None if row is None else {"template": row.template, "why": row.why, "since": rfc3339(row.at_ms)}


async def job_answer(
    services: Services, namespace: str, name: str, *, paused: bool | None = None, actor: str = ""
) -> tuple[JobRow, bytes]:
    """A job and its JSON, put together beside the loop where it is large. `paused`: as it would be then."""
    with services.scheduler.read() as store:
        row = find_job(store, namespace, name)
    if paused is not None and paused != (row.state == "paused"):
        row = row._replace(
            state="paused" if paused else "active", pause_reason=reasons.paused_by(actor) if paused else ""
        )

    def read() -> bytes:
        with services.scheduler.read() as store:
            return job_documents(store, services, [row])[0]

    return row, await beside(len(row.spec), read)


def new_job_document(
    services: Services, job: Job, made: PreparedJob, revision: int, actor: str, at_ms: int, *, paused: bool
) -> bytes:
    """The JSON of a job that was just created, from what was sent and what came of it: it has no tick and no
    run yet. `paused`: a pause stands, perhaps its namespace's."""
    places, standing_now = services.known_places(), []
    if places is None or paused:
        with services.scheduler.read() as store:
            places, standing_now = services.places(store), standing(store, services)
    wanted = (
        Selector(
            task.on.pool, frozenset(task.on.labels.items()), task.on.zone,
            *asked_of(task.executor, *task.features),
            match=tuple(sorted((task.on.match or {}).items())),
            unlike=tuple(sorted((task.on.unlike or {}).items())),
        )
        for task in job.tasks.values()
        if task.kind.happens == "agent"
    )
    states = places.state_of(wanted) if job.enabled else ("disabled", "")
    due = [trigger.first_due_ms for trigger in made.triggers if trigger.first_due_ms is not None]
    row = JobRow(
        id=0, namespace=job.namespace, name=job.name, revision=revision, spec=made.spec, labels="",
        state="active", pause_reason="", source="", created_ms=at_ms, changed_ms=at_ms, actor=actor,
        active_runs=0, failures=0, last_run=0, last_state="", runs_stored=0, retention_runs=0,
        criticality=job.criticality,
    )  # fmt: skip
    facts = job_facts(
        row,
        states=states,
        next_tick_ms=min(due, default=None),
        last_tick=None,
        last_run=None,
        pauses=[pause for pause in standing_now if pause.namespace in (ALL, job.namespace)],
    )
    return job_bytes(facts, whole_text(made.spec))


def gone_job_document(job: Job, spec: bytes, revision: int, actor: str, at_ms: int) -> bytes:
    """The JSON of a job that was written and is deleted again by now: what was written, and nothing else that
    could be known about it."""
    facts: dict[str, Any] = {
        "name": job.name, "revision": revision, "state": "active" if job.enabled else "disabled",
        "pause_reason": None, "paused_by": [],
        "unplaceable_reason": None, "left_behind": None,
        "created": rfc3339(at_ms), "changed": rfc3339(at_ms), "actor": actor, "source": None,
        "active_runs": 0, "failures": 0, "next_tick": None, "last_tick": None, "last_run": None,
    }  # fmt: skip
    return job_bytes(facts, whole_text(spec))


def standing(store: Store, services: Services) -> list[Pause]:
    """The pauses that stand: of everything first, then of namespaces."""
    found = pauses.standing(store)
    now_ms = services.scheduler.now_ms() if found else 0
    return [pause for pause in found if pause.stands(now_ms)]


def states_of(store: Store, services: Services, row: JobRow) -> tuple[str, str]:
    """As `Places.job_state`."""
    compiled = services.compiled.get(row.id, row.revision, lambda: row.spec)
    return services.places(store).job_state(row, compiled)


class Owned(Protocol):
    """What is loaded by its id, and has a namespace."""

    @property
    def namespace(self) -> str: ...


O = TypeVar("O", bound=Owned)  # noqa: E741 as the class is called


def need_seen(call: Call, capability: str, row: O | None) -> O | None:
    """The row, if the caller may do that in its namespace. Who may not even read there learns nothing: for
    them it is not there."""
    if row is None or not call.principal.may(READ, row.namespace):
        call.need(capability, namespace=Reach.ANY)
        return None
    call.need(capability, namespace=row.namespace)
    return row


def need_run(store: Store, call: Call, capability: str, run_id: int) -> Run:
    """As `need_seen`. Raises Problem where there is none."""
    row = need_seen(call, capability, run_rows.get(store, run_id))
    if row is None:
        raise _no_run(run_id)
    return row


def find_run(store: Store, run_id: int) -> Run:
    row = run_rows.get(store, run_id)
    if row is None:
        raise _no_run(run_id)
    return row


def _no_run(run_id: int) -> Problem:
    return Problem("not-found", f"there is no run {run_id}", hint="Finished runs are purged by retention.")


def run_document(store: Store, run_id: int) -> dict[str, Any]:
    return _run_document(store, find_run(store, run_id))


def _veiled(store: Store, row: Run) -> Run:
    """Where a task in another namespace began it, that has no name here: it may be read there alone."""
    if row.cause != Kind.NESTED:
        return row
    parent, _, _ = row.cause_key.partition("/")
    above = run_rows.get(store, int(parent))
    is_near = above is not None and above.namespace == row.namespace
    return row if is_near else row._replace(cause_key=parent)


def _run_document(store: Store, row: Run) -> dict[str, Any]:
    key = trigger_reads.keys(store, [row.trigger]).get(row.trigger) if row.trigger else None
    spread = fanout_reads.of_runs(store, [row.id])
    tasks, tries = _tasks_and_tries(store, [row.id], spread)
    outputs = output_reads.between(store, row.first_task, row.last_task)
    later = {task.name: task.id for task in tasks if task.id > row.last_task > 0}  # of a group: the newest
    if later:
        outputs |= output_reads.of_ids(store, later.values())
    kept_back, verdict = holds_of(store, [row], tasks).get(row.id, {}), overrides_of(store, [row]).get(row.id)
    again = reruns.of_source(store, row.id, RERUNS_SHOWN) if row.finished_ms is not None else ()
    rerun, taken = reruns_of(store, [row]), taken_of(store, [row])
    rest = rests.get(store, row.id) if row.state not in RUN_ENDS else None
    children = {each.task: each.run for each in nested.of_parent(store, row.id, CHILDREN_MAX)}
    return run_json(
        _veiled(store, row), key, tasks, tries, kept_back, outputs, verdict, rest, rerun.get(row.id), taken,
        again, children, spread, {each.task: each for each in approvals.of_runs(store, [row.id])},
        of_run_json(store, row.id),
    )  # fmt: skip


def _tasks_and_tries(
    store: Store, runs: Sequence[int], spread: Mapping[int, Fanout]
) -> tuple[list[Task], list[ListedAttempt]]:
    """Of a run with divided tasks the wholes alone: their members have pages of their own."""
    divided = {each.run for each in spread.values()}
    plain = [run for run in runs if run not in divided]
    tasks, tries = task_reads.of_runs(store, plain), attempt_reads.of_runs(store, plain)
    if divided:
        wholes = task_reads.wholes_of_runs(store, sorted(divided))
        tasks += wholes
        tries += attempt_reads.of_tasks(store, [task.id for task in wholes])
    return tasks, tries


def overrides_of(store: Store, rows: Sequence[Run]) -> dict[int, Override]:
    """By run, of those that have ended."""
    ended = [row.id for row in rows if row.finished_ms is not None]
    return {each.run: each for each in (overrides.of_runs(store, ended) if ended else ())}


def reruns_of(store: Store, rows: Sequence[Run]) -> dict[int, Rerun]:
    """By run, of those that repeat another."""
    runs = [row.id for row in rows if row.cause == Kind.RERUN]
    return {each.run: each for each in (reruns.of_runs(store, runs) if runs else ())}


def taken_of(store: Store, rows: Sequence[Run]) -> dict[int, int]:
    """By task, the run that it was taken over from."""
    found: dict[int, int] = {}
    for row in rows:
        if row.cause == Kind.RERUN:
            found.update(reruns.taken_between(store, row.first_task, row.last_task))
    return found


def holds_of(store: Store, rows: Sequence[Run], tasks: Sequence[Task] = ()) -> dict[int, dict[int, Hold]]:
    """By run and task (0: the run itself), of those that are kept back: hardly ever any."""
    kept_back = {row.id for row in rows if row.state in KEPT_BACK}
    kept_back.update(task.run for task in tasks if task.state == "held")
    found: dict[int, dict[int, Hold]] = {}
    for hold in holds.of_runs(store, sorted(kept_back)) if kept_back else ():
        if hold.since_ms is not None:
            found.setdefault(hold.run, {})[hold.task] = hold
    return found


async def run_answer(services: Services, run_id: int) -> bytes:
    """The JSON of a run, put together beside the loop where it has many tasks or tries."""
    with services.scheduler.read() as store:
        row = find_run(store, run_id)
        if is_short(store, run_id):
            return encode(_run_document(store, row))

    def read() -> bytes:
        with services.scheduler.read() as store:
            return encode(run_document(store, run_id))

    return await READS.run(read)


def is_short(store: Store, run: int) -> bool:
    """Whether it is put together in the loop: by all rounds of its tasks."""
    return all(read.count(store, run, RUN_INLINE + 1) <= RUN_INLINE for read in (task_reads, attempt_reads))


def run_documents(store: Store, rows: Sequence[Run]) -> list[dict[str, Any]]:
    ids = [row.id for row in rows]
    keys = trigger_reads.keys(store, [row.trigger for row in rows if row.trigger])
    spread = fanout_reads.of_runs(store, ids)
    tasks, tries = _tasks_and_tries(store, ids, spread)
    return runs_json(
        [_veiled(store, row) for row in rows], keys, tasks, tries, holds_of(store, rows, tasks),
        overrides_of(store, rows), reruns_of(store, rows), taken_of(store, rows), spread,
    )  # fmt: skip


def run_outlines(store: Store, rows: Sequence[Run]) -> list[dict[str, Any]]:
    """Without tasks and attempts."""
    keys = trigger_reads.keys(store, [row.trigger for row in rows if row.trigger])
    kept_back = holds_of(store, rows)
    verdicts, repeated = overrides_of(store, rows), reruns_of(store, rows)
    return [
        run_facts(
            _veiled(store, row), keys.get(row.trigger), kept_back.get(row.id, {}).get(holds.WHOLE),
            verdicts.get(row.id), repeated.get(row.id),
        )
        for row in rows
    ]
