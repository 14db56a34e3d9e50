"""Whether a person may answer what a task asks.

Rules of this file:

1. Who is named may, or where nobody is named whoever has the role in the job's namespace. That role is judged
   before the command is proposed, as every other is (`api.access`).
2. Four eyes: who asked for the run may not, whether it was run or repeated; of a run within others who asked
   for the outermost. Of one that no person asked for (a tick, an event) who wrote its revision may not, and
   of a tick as little who gave it parameters of its own.
3. An answer counts once. The same one again, of the same person, changes nothing and is no mistake; any
   other hears who answered. One that comes at the end of its time, or later, is none."""

from __future__ import annotations

import json

from scheduler.machine.rules.nesting import DEPTH_MAX
from scheduler.store.connection import Store
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.approvals import ANSWERS, Approval
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words.causes import Kind
from scheduler.words.outcomes import Code, Outcome

ROLE = "the role approver"
AND = ", "  #: between names, which have none of it
TICKS = (Kind.TICK, Kind.CATCHUP)  #: causes of which the actor is who gave parameters
NAMES_TOLD = 5  #: of those who may answer, in a sentence


def barred(store: Store, run: Run) -> str:
    """Who may not answer in this run under four eyes, with AND between; empty: nobody is known."""
    above: Run | None = run
    for _ in range(DEPTH_MAX + 1):
        if above is None or above.actor:
            break
        # By its cause, which it is made with: what asks at once does so before the nesting is noted.
        parent = int(above.cause_key.partition("/")[0]) if above.cause == Kind.NESTED else 0
        above = run_rows.get(store, parent) if parent else None
    asked = above.actor if above is not None else ""
    if above is not None and asked and above.cause not in TICKS:
        return asked
    names = (asked, job_rows.author(store, run.namespace, run.name, run.revision))
    return AND.join(dict.fromkeys(filter(None, names)))


def _kept_out(asked: Approval) -> list[str]:
    return asked.barred.split(AND)


def may(asked: Approval, name: str) -> bool:
    """Whether the holder of this token may, if it has the role."""
    approvers = json.loads(asked.approvers)
    return name != "" and name not in _kept_out(asked) and (not approvers or name in approvers)


def who(asked: Approval) -> str:
    """Who may answer, in words."""
    approvers = json.loads(asked.approvers)
    more = len(approvers) - NAMES_TOLD
    names = [*approvers[:NAMES_TOLD], f"{more} more"] if more > 0 else approvers
    named = " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    role = f"{ROLE} in {asked.namespace}"
    told = f"{named}, with {role}" if named else f"whoever has {role}"
    return f"{told}, but not {' or '.join(_kept_out(asked))} (four eyes)" if asked.barred else told


def is_same(asked: Approval, name: str, answer: str) -> bool:
    """Whether it is the answer that was given."""
    return (asked.answer, asked.actor) == (answer, name)


def judge(task: Task, asked: Approval | None, name: str, answer: str, now_ms: int) -> Outcome | None:
    """The refusal of an answer; None: it counts, or has."""
    if answer not in ANSWERS:
        return Outcome(Code.INVALID, f"an answer is {' or '.join(ANSWERS)}")
    if asked is None:
        said = f"task {task.name} of run {task.run} asks nobody: it is {task.state.replace('_', ' ')}"
        return Outcome(Code.CONFLICT, said)
    if asked.answer:
        if is_same(asked, name, answer):
            return None
        said = f"task {task.name} of run {task.run} was {asked.answer} by {asked.actor or 'nobody known'}"
        value: dict[str, object] = {"by": asked.actor, "at_ms": asked.answered_ms}
        return Outcome(Code.CONFLICT, said, value)
    if not asked.open:
        said = f"task {task.name} of run {task.run} ended: {task.state}"
        return Outcome(Code.ENDED, said, {"state": task.state})
    if name and name in _kept_out(asked):
        said = "who asked for the run, gave its tick parameters or wrote the job does not answer (four eyes)"
        return Outcome(Code.NOT_ALLOWED, f"{name} may not: {said}")
    if not may(asked, name):
        return Outcome(Code.NOT_ALLOWED, f"{name or 'nobody'} is not asked: {who(asked)} may answer")
    if now_ms >= asked.expires_ms:
        return Outcome(Code.ENDED, f"the time to answer task {task.name} of run {task.run} is over")
    return None
