"""What a person may do to a live run as it stands: the refusal, or None where nothing is in the way.

Asking for what is so already is no mistake: whoever repeats a request that got no answer is told that it is
done."""

from __future__ import annotations

from scheduler.machine.rules.walks import GIVE_UP
from scheduler.model.compiled import CompiledJob
from scheduler.model.work.kind import ASKS
from scheduler.store.tables.runs import FOR_NAMESPACE, Run
from scheduler.store.tables.tasks import Task
from scheduler.words.causes import Kind
from scheduler.words.lifecycle import KEPT_BACK, RUN_ENDS, TASK_ENDS
from scheduler.words.outcomes import Code, Outcome

REASON_LETTERS_MAX = 500


def of_reason(reason: str) -> Outcome | None:
    if len(reason) <= REASON_LETTERS_MAX:
        return None
    return Outcome(Code.INVALID, f"a reason has at most {REASON_LETTERS_MAX} letters")


def suspending(run: Run) -> Outcome | None:
    if (refusal := _live(run)) is not None:
        return refusal
    if run.state == "held":
        return _conflict(f"run {run.id} is held: nothing of it starts until it is released")
    if run.stopping:
        return _conflict(f"run {run.id} stops already: {run.reason or run.stopping}")
    if run.cause == Kind.ORPHAN:
        return _conflict(f"run {run.id} is of the cluster before the restore: it starts nothing more")
    return _given_up(run)


def resuming(run: Run) -> Outcome | None:
    if (refusal := _live(run)) is not None:
        return refusal
    if run.state == "held":
        return _conflict(f"run {run.id} is held, not suspended: release it")
    return _given_up(run)


def restarting(run: Run, job: CompiledJob) -> Outcome | None:
    """Whether a run may be stopped and go on in the middle, by the word of its own revision."""
    if not job.not_restartable or run.started_ms is None:
        return None
    return _conflict(
        f"{run.namespace}/{run.name} is not_restartable: what has begun does not go on in the middle;"
        " cancel the run, and run the job anew"
    )


def releasing(run: Run) -> Outcome | None:
    if (refusal := _live(run)) is not None:
        return refusal
    if run.state == "suspended":
        return _conflict(f"run {run.id} is suspended, not held: resume it")
    if run.state != "held" and run.waiting == FOR_NAMESPACE:
        return _conflict(
            f"run {run.id} waits until namespace {run.namespace} may have one more: no release lifts a quota"
        )
    return _given_up(run)


# -- tasks: `attempt` is the state of the one that an agent has, `failed` how a held one had failed ----------


def holding_task(run: Run, task: Task, attempt: str, failed: str) -> Outcome | None:
    if (refusal := _open(run, task)) is not None:
        return refusal
    return _started(task, attempt) if task.state != "held" else None


def releasing_task(run: Run, task: Task, attempt: str, failed: str) -> Outcome | None:
    return _open(run, task)


def skipping_task(run: Run, task: Task, attempt: str, failed: str) -> Outcome | None:
    return _open(run, task) or _started(task, attempt)


def passing_task(job: CompiledJob, task: str) -> Outcome | None:
    """Whether it may count as one that succeeded, skipped: not where a person is to say yes, in it or in the
    group that it is. Whoever operates runs would say that instead of who may."""
    for each in job.tasks:
        if each.work.get("does") == ASKS and task in (each.name, each.scope.group):
            return _conflict(
                f"task {each.name} asks a person: only the answer lets pass what waits for it; without pass"
                " it can be skipped"
            )
    return None


def retrying_task(run: Run, task: Task, attempt: str, failed: str) -> Outcome | None:
    if (refusal := _open(run, task)) is not None:
        return refusal
    if run.state in KEPT_BACK:
        return _conflict(f"run {run.id} is {run.state}: nothing of it starts")
    if task.state == "held" and not failed:
        return _conflict(f"task {task.name} is held before its start: release it")
    if task.state not in ("held", "retry_wait", "queued"):
        return _conflict(f"task {task.name} is {task.state}: it waits for no other try")
    return None


def stopping_task(run: Run, task: Task, attempt: str, failed: str) -> Outcome | None:
    if (refusal := _open(run, task)) is not None:
        return refusal
    if task.state in ("active", "retry_wait"):
        return None
    return _conflict(f"task {task.name} is {task.state}: there is nothing to stop, it can be held or skipped")


def answering(run: Run, task: Task) -> Outcome | None:
    """Of a task that asks a person; who may answer is `rules.approving`."""
    return _open(run, task)


def _open(run: Run, task: Task) -> Outcome | None:
    if (refusal := _live(run)) is not None:
        return refusal
    if task.state in TASK_ENDS:
        said = f"task {task.name} of run {run.id} ended: {task.state}"
        return Outcome(Code.ENDED, said, {"state": task.state})
    if run.stopping:
        return _conflict(f"run {run.id} stops already: {run.reason or run.stopping}")
    if run.cause == Kind.ORPHAN:
        return _conflict(f"run {run.id} is of the cluster before the restore: its tasks are what agents tell")
    return _given_up(run)


def _started(task: Task, attempt: str) -> Outcome | None:
    if task.state != "active" or attempt == "assigned":
        return None
    return _conflict(f"task {task.name} has started: it can be stopped")


VERDICTS = ("succeeded", "failed")


def overriding(run: Run, verdict: str, reason: str) -> Outcome | None:
    if verdict not in VERDICTS:
        return Outcome(Code.INVALID, f"a verdict is {' or '.join(VERDICTS)}")
    if not reason.strip():
        return Outcome(Code.INVALID, "a verdict has a reason")
    if run.state in RUN_ENDS:
        return None
    return _conflict(f"run {run.id} is {run.state}: a verdict is laid over a run that has ended")


def _live(run: Run) -> Outcome | None:
    if run.state not in RUN_ENDS:
        return None
    return Outcome(Code.ENDED, f"run {run.id} ended: {run.state}", {"state": run.state})


def _given_up(run: Run) -> Outcome | None:
    """Its tasks are gone through because of a restore: another walk would take the place of that one."""
    if run.walk != GIVE_UP:
        return None
    return _conflict(f"what run {run.id} waited for is being given up after a restore: ask again in a moment")


def _conflict(detail: str) -> Outcome:
    return Outcome(Code.CONFLICT, detail)
