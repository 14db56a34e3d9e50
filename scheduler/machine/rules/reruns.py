"""Which tasks of a run that repeats another are made anew, which are taken over as they ended, which are left
out: judged once, when it is asked for.

Rules of this file:

1. What ended well is taken over: it succeeded, may fail and did, or was skipped by its rule, its condition or
   its exit code. What a person skipped did not happen, and is made anew; so is a task that ended its run,
   since it is to end this one.
2. What comes after a task that is made anew is made anew: its input may be another. So what is taken over
   needed nothing but what is taken over, and its dependents know it when they are made.
3. With `from_task` that one is made anew, whatever it had come to; all that comes before it is to have ended
   well, or nobody could say what it begins with.
4. With `until_task` what does not come before that one is left out: it is skipped.
5. What a person approved was approved in that run: it is asked anew as soon as something that waited for the
   answer is made anew.
6. What the run does finally is done in each run; where it alone ended badly, nothing else is.
   A group is taken over, made anew or left out as a whole, with what is inside.
7. What the run requires of agents (`model.checks`) is asked again unless it was met, whatever is repeated.
8. A condition is judged again where it might come to something else: with other parameters, or another
   revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scheduler.machine.rules.gates import needs, when
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.rules.verdicts import RUN_FAILURES
from scheduler.model.checks import is_check
from scheduler.model.compiled import CompiledTask
from scheduler.model.work.kind import ASKS, ENDS_RUN
from scheduler.store.tables.reruns import Rerun
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import End
from scheduler.words.causes import Kind
from scheduler.words.commands import RerunRun
from scheduler.words.outcomes import Code, Outcome

ANEW, PARTLY, LEFT_OUT = b".", b"m", b"x"
_LETTERS = {"succeeded": b"s", "failed": b"f", "timed_out": b"t", "lost": b"l", "skipped": b"k"}
STATES = {letter[0]: state for state, letter in _LETTERS.items()}
"""By the letter in a plan: how a task ended that is taken over. `PARTLY`: made anew, but for those of its
members that succeeded; it is known as the task is made (`steps.repeating`)."""
BEYOND = "not before the last task that is repeated"


class Wanted(NamedTuple):
    """What of a run is repeated."""

    from_failed: bool = False
    from_task: str = ""
    until_task: str = ""
    is_same: bool = True  #: with the same parameters, vars and revision

    @property
    def takes(self) -> bool:
        return self.from_failed or bool(self.from_task)


def wanted_of(command: RerunRun, run: Run) -> Wanted:
    """What it asks for of this run."""
    is_same = not command.revision and command.params.decode("utf-8", "replace") == run.params
    return Wanted(command.from_failed, command.from_task, command.until_task, is_same)


def judge(graph: Graph, run: Run, ended: Mapping[str, End], wanted: Wanted) -> bytes | Outcome:
    """The plan of a run that repeats this one with this graph: a letter a task, by its place; or why it
    cannot be. `ended`: by name, how the tasks of this one had."""
    return _may(run, wanted, not_restartable=graph.job.not_restartable) or _plan(graph, ended, wanted, run.id)


def _may(run: Run, wanted: Wanted, *, not_restartable: bool) -> Outcome | None:
    if run.finished_ms is None:
        return Outcome(Code.CONFLICT, f"run {run.id} is {run.state}: what is repeated has ended")
    if wanted.from_failed and wanted.from_task:
        return Outcome(Code.INVALID, "from what failed, or from a task: not both")
    if not wanted.takes:
        return None
    if run.cause == Kind.ORPHAN:
        said = "was taken up from its agent after a restore: what its tasks came to is not known"
        return Outcome(Code.CONFLICT, f"run {run.id} {said}")
    if not_restartable and run.started_ms is not None:
        said = f"{run.namespace}/{run.name} is not_restartable: none of its runs goes on in the middle"
        return Outcome(Code.CONFLICT, said)
    return None


def _plan(graph: Graph, ended: Mapping[str, End], wanted: Wanted, run: int) -> bytes | Outcome:
    for name in (wanted.from_task, wanted.until_task):
        if name and name not in graph.by_name:
            said = f"{graph.job.namespace}/{graph.job.name} has no task {name[:100]!r} in this revision"
            return Outcome(Code.MISSING, said, {"task": name[:100]})
        if name and (group := graph.by_name[name].scope.group):
            said = f"{name} is inside of group {group}, which is repeated as a whole: name {group}"
            return Outcome(Code.INVALID, said, {"task": name})
    last = graph.job.tasks[len(graph.job.tasks) - graph.job.kept_last :]
    for task in last:
        if task.name in (wanted.from_task, wanted.until_task):
            said = f"{task.name} is done finally, whatever of a run is repeated"
            return Outcome(Code.INVALID, said, {"task": task.name})
    asked = _before(graph, wanted.until_task) if wanted.until_task else None
    if asked is not None and wanted.from_task and wanted.from_task not in asked:
        said = f"{wanted.from_task} does not come before {wanted.until_task}"
        return Outcome(Code.INVALID, said)
    known = _before(graph, wanted.from_task) if wanted.from_task else {}
    tasks = graph.job.tasks[: len(graph.job.tasks) - len(last)]  # in topological order
    letters = _letters(tasks, ended, wanted, asked, frozenset())
    if wanted.takes and any(task.work.get("does") == ASKS for task in tasks):
        letters = _asked_anew(tasks, ended, wanted, asked, letters)
    for task in tasks:
        is_known = task.name in known and task.name != wanted.from_task and not task.scope.group
        if is_known and letters[task.name] == ANEW and task.work.get("does") != ASKS:
            return _unknown(task, ended.get(task.name), wanted, run)
    found = b"".join(letters.values())
    if ANEW not in found[graph.job.checks :] and not any(_has_failed(ended.get(task.name)) for task in last):
        return Outcome(Code.CONFLICT, f"nothing of run {run} ended badly: say from which task it is repeated")
    return found + ANEW * len(last)


def _letters(
    tasks: Sequence[CompiledTask], ended: Mapping[str, End], wanted: Wanted,
    asked: Mapping[str, None] | None, again: frozenset[str],
) -> dict[str, bytes]:  # fmt: skip
    """`again`: are made anew, whatever they had come to."""
    letters: dict[str, bytes] = {}
    for task in tasks:
        if task.scope.group:
            letters[task.name] = _inside(letters[task.scope.group], ended.get(task.name))
            continue
        is_asked = asked is None or task.name in asked or is_check(task.name)
        letter = ANEW if is_asked else LEFT_OUT
        if letter == ANEW and wanted.takes and task.name != wanted.from_task and task.name not in again:
            letter = _taken(task, ended.get(task.name), letters, wanted)
        letters[task.name] = letter
    return letters


def _asked_anew(
    tasks: Sequence[CompiledTask], ended: Mapping[str, End], wanted: Wanted,
    asked: Mapping[str, None] | None, letters: dict[str, bytes],
) -> dict[str, bytes]:  # fmt: skip
    """The same with the approvals made anew on which something waits that is. Each turn finds one more at
    least, and goes against the graph's order: an approval before another is found in the same turn."""
    again: set[str] = set()
    while True:
        waited: set[str] = set()
        before = len(again)
        for task in reversed(tasks):
            if task.work.get("does") == ASKS and letters[task.name] != LEFT_OUT and task.name in waited:
                again.add(task.name)
            if letters[task.name] == ANEW or task.name in again:
                waited.update(task.needs, task.asks)
        if len(again) == before:
            return letters
        letters = _letters(tasks, ended, wanted, asked, frozenset(again))


def _has_failed(old: End | None) -> bool:
    return old is not None and not old.may_fail and old.state in RUN_FAILURES


def _inside(letter: bytes, old: End | None) -> bytes:
    """The letter of what is in a group with this one."""
    if letter in (ANEW, LEFT_OUT):
        return letter
    return LEFT_OUT if old is None else _LETTERS.get(old.state, LEFT_OUT)


def _taken(
    task: CompiledTask, old: End | None, letters: Mapping[str, bytes], wanted: Wanted
) -> bytes:
    """The letter of its end, if that is taken over."""
    if old is None or task.work.get("does") == ENDS_RUN:
        return ANEW
    if any(letters[name] == ANEW for name in (*task.needs, *task.asks)):
        return ANEW
    if is_check(task.name) and old.state != "succeeded":
        return ANEW
    is_good = old.state == "succeeded" or (old.may_fail and old.state in RUN_FAILURES)
    if old.state == "skipped":
        by_when = old.reason == when.NEVER.reason and wanted.is_same
        is_good = by_when or old.reason == needs.NEVER.reason or old.exit_code is not None
    return _LETTERS[old.state] if is_good else ANEW


def _unknown(task: CompiledTask, old: End | None, wanted: Wanted, run: int) -> Outcome:
    had = "is not one of its tasks" if old is None else f"was {old.state} in it"
    if old is not None and old.state == "skipped" and old.reason == when.NEVER.reason:
        had = "was skipped by its condition, which may come to something else now"
    said = f"{task.name} comes before {wanted.from_task}, and {had}: run {run} is not taken over up to there"
    return Outcome(Code.CONFLICT, said, {"task": task.name})


def _before(graph: Graph, name: str) -> dict[str, None]:
    """This task, and all that come before it."""
    found, left = {name: None}, [name]
    while left:
        task = graph.by_name[left.pop()]
        for need in (*task.needs, *task.asks):
            if need not in found:
                found[need] = None
                left.append(need)
    return found


def met_before(graph: Graph, rerun: Rerun, task: CompiledTask) -> tuple[int, int]:
    """Of a task that is made anew: how many of what it needs, or asks, were taken over, and how many of its
    needs so as its rule asks."""
    done = met = 0
    places = graph.places
    for name in task.needs:
        state = STATES.get(rerun.plan[places[name]])
        if state is not None:
            done += 1
            met += needs.met_by_rule(state, may_fail=graph.by_name[name].allow_failure)[task.rule]
    done += sum(rerun.plan[places[name]] in STATES for name in task.asks)
    return done, met
