"""What a run and each of its tasks that has not ended waits for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from scheduler.explain import chains, conditions, expectations
from scheduler.explain.chains import NO_CHAIN, Chain, Subject
from scheduler.explain.conditions import Condition as After
from scheduler.explain.conditions import TaskCondition
from scheduler.explain.findings import (
    NEVER_WORD,
    READY_WORD,
    WAITS_WORD,
    Cluster,
    Finding,
    ask,
    of_cluster,
    verdict_of,
)
from scheduler.machine.rules import approving, gates, joins, requirements, selectors, task_views, users
from scheduler.machine.rules.gates import (
    AdmitView,
    Facts,
    Fits,
    PlaceView,
    RunView,
    TaskView,
    agents,
    hold,
    locks,
    retry,
    suspended,
)
from scheduler.machine.rules.graphs import build
from scheduler.model.checks import is_check
from scheduler.model.compiled import CompiledJob, CompiledTask
from scheduler.model.members import CompiledFanout
from scheduler.store.connection import Store
from scheduler.store.reads import tasks as task_reads
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import (
    approvals,
    completions,
    fanouts,
    nested,
    overlap_keys,
    pauses,
    quotas,
    restores,
    rounds,
    run_waits,
)
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.approvals import Approval
from scheduler.store.tables.attempts import Attempt
from scheduler.store.tables.nested import Nested
from scheduler.store.tables.runs import FOR_NAMESPACE, FOR_REQUIRES, FOR_TIME, Run
from scheduler.store.tables.tasks import NO_INSTANT, Task
from scheduler.store.tables.zones import in_force
from scheduler.words.causes import Kind
from scheduler.words.counted import counted
from scheduler.words.lifecycle import RUN_ENDS, in_words

TASKS_MAX = 500  #: of those that have not ended, the first

Compiled = Callable[[int, int, str, str], CompiledJob]
"""The job of (job, revision, namespace, name)."""


@dataclass(frozen=True, slots=True)
class TaskExplained:
    name: str
    member: str  #: of one that is divided; empty: the whole
    state: str
    verdict: str  #: ready | waits | never
    gates: tuple[Finding, ...]
    help: str = ""  #: the command that helps


@dataclass(frozen=True, slots=True)
class RunExplained:
    run: Run
    verdict: str
    gates: tuple[Finding, ...]
    tasks: tuple[TaskExplained, ...]  #: that have not ended, the first TASKS_MAX
    more: bool  #: there are more
    condition: After | None = None  #: that made it
    whens: tuple[TaskCondition, ...] = ()  #: of its tasks, the first CONDITIONS_MAX that have one
    chain: Chain = NO_CHAIN
    expected: tuple[str, ...] = ()  #: what is still expected of it, and what did not hold


class _Asked:
    """One explanation: what it reads once."""

    def __init__(self, store: Store, run: Run, cluster: Cluster, job: CompiledJob | None) -> None:
        self._store = store
        self._run = run
        self._cluster = cluster
        self._graph = None if job is None or not run.first_task else build(job)
        self._restore = restores.current(store)
        self._fits: dict[str, Fits] = {}

    def task(self, task: Task) -> TaskExplained:
        run, graph = self._run, self._graph
        compiled = None if graph is None else graph.of(run, task)
        facts = self._facts(task, compiled)
        found = ask(gates.TASK, self._view(task), facts)
        if compiled is not None and compiled.happens == "group":
            found += self._of_group(task, facts)
        elif compiled is not None and compiled.fanout is not None and not task.member:
            found += self._of_members(task, compiled.fanout)
        elif task.is_awaited:
            found += [Finding(gate.NAME) for gate in gates.PLACE]
            found.append(_of_completion(self._store, task))
        elif task.state == "active" and task.wake_ms is not None:
            found += ask((hold,), place_view(facts, run.id), facts)
            child = nested.of_task(self._store, task.id)
            asked = None if child else approvals.get(self._store, task.id)
            if asked is not None:
                found.append(_of_approval(asked))
            else:
                found.append(_of_child(self._store, task, child) if child else _in_state(task, task.wake_ms))
        elif task.state == "active":
            found += [Finding(gate.NAME) for gate in gates.PLACE]
            found.append(_attempt(self._store, task, self._cluster.now_ms))
        elif task.state not in ("blocked", "held"):
            found += ask(gates.PLACE, place_view(facts, run.id), facts)
        return TaskExplained(
            task.name, task.member, task.state, verdict_of(found), tuple(found), self._help(task, found)
        )

    def _help(self, task: Task, found: list[Finding]) -> str:
        closed = next((each for each in found if each.state != READY_WORD), None)
        about = Subject(self._run.namespace, self._run.name, run=self._run.id, task=task.name)
        return "" if closed is None else chains.helping(self._store, about, closed)

    def _view(self, task: Task) -> TaskView:
        # One that was queued once needs nothing any more.
        run, graph = self._run, self._graph
        if task.state not in ("blocked", "held") or graph is None:
            return TaskView(run, "", 0, 0, 0, 0, is_check=is_check(task.name))
        if task.member:
            now = fanouts.get(self._store, task.of_group)
            assert now is not None
            is_held = task.state == "held"
            return task_views.of_member(
                self._store, run, graph, task, now, self._cluster.now_ms, held=is_held
            )
        counts = graph.place(run, task), task.open_needs, task.met_needs
        return task_views.of_place(self._store, run, graph, *counts, held=task.state == "held")

    def _of_group(self, task: Task, facts: Facts) -> list[Finding]:
        """A group has no way to an agent: what is inside has."""
        if task.state == "retry_wait":
            (paused,) = ask((retry,), place_view(facts, self._run.id), facts)
            now = rounds.get(self._store, task.id)
            over = "" if now is None else f"round {now.round + 1} of it is over: "
            return [replace(paused, reason=f"{over}{paused.reason}")]
        now = rounds.get(self._store, task.id) if task.state == "active" else None
        if now is None:
            return []
        left, what = now.open_tasks, "its tasks"
        if now.catching:
            left, what = now.open_catch, "tasks that catch its failure"
        have = "has" if left == 1 else "have"
        said = f"{left} of {what} {have} not ended, in round {now.round + 1}"  # people count from one
        return [Finding("tasks", WAITS_WORD, said, task.started_ms, "the end of what is inside")]

    def _of_members(self, task: Task, fanout: CompiledFanout) -> list[Finding]:
        """The whole of a task that is divided."""
        now = fanouts.get(self._store, task.id) if task.state == "active" else None
        if now is None:
            return []
        open_ = now.members - now.ended
        have = "has" if open_ == 1 else "have"
        said = f"{open_} of its {counted(now.members, 'member')} {have} not ended"
        if now.unmade:
            said += f", {now.unmade} are not made yet"
        ends = (("succeeded", now.succeeded), ("failed", now.failed), ("were skipped", now.skipped))
        if now.ended:
            said += f"; of the others {', '.join(f'{count} {how}' for how, count in ends if count)}"
        asked = joins.asked(fanout, now)
        opens = f"the success of {asked - now.succeeded} more, by its join"
        return [Finding("members", WAITS_WORD, said, task.started_ms, opens)]

    def _facts(self, task: Task, compiled: CompiledTask | None) -> Facts:
        is_group = compiled is not None and compiled.happens == "group"
        selector = "" if is_group else task.selector
        fits = self._fits.get(selector)
        if fits is None and selector and task.state in ("queued", "retry_wait"):
            fits = self._fits[selector] = agents.fits(self._store, selector)
        run, now_ms = self._run, self._cluster.now_ms
        return Facts(self._store, now_ms, run.namespace, run, task, compiled, selector, fits, self._restore)


def explain_run(
    store: Store, run: Run, cluster: Cluster, compiled: Compiled, one: Task | None = None
) -> RunExplained:
    """`one`: of its tasks this alone, ended or not."""
    if run.state in RUN_ENDS:
        said = f"it ended: {in_words(run.state)}" + (f" ({run.reason})" if run.reason else "")
        ended = Finding("end", NEVER_WORD, said, run.finished_ms)
        whens = conditions.of_tasks(store, run, _job_of(run, compiled))
        alone = () if one is None else (_of_ended(one),)
        expected = tuple(expectations.of_run(store, run))
        made, chain = conditions.of_run(store, run), chains.of_run(store, run, (ended,))
        return RunExplained(run, NEVER_WORD, (ended,), alone, False, made, whens, chain, expected)
    found = (of_cluster(cluster), *of_run(store, run, cluster.now_ms, compiled))
    rows = task_reads.unended(store, run.id, TASKS_MAX + 1) if one is None else [one]
    job = _job_of(run, compiled)
    asked = _Asked(store, run, cluster, job)
    tasks = tuple(
        _of_ended(row) if row.finished_ms is not None else asked.task(row) for row in rows[:TASKS_MAX]
    )
    more = one is None and (len(rows) > TASKS_MAX or run.unmade > 0)
    made, whens = conditions.of_run(store, run), conditions.of_tasks(store, run, job)
    chain = chains.of_run(store, run, found, tasks)
    expected = tuple(expectations.of_run(store, run))
    return RunExplained(run, verdict_of(found), found, tasks, more, made, whens, chain, expected)


def _of_ended(task: Task) -> TaskExplained:
    said = f"it ended: {in_words(task.state)}" + (f" ({task.reason})" if task.reason else "")
    ended = Finding("end", NEVER_WORD, said, task.finished_ms)
    return TaskExplained(task.name, task.member, task.state, NEVER_WORD, (ended,))


def _job_of(run: Run, compiled: Compiled) -> CompiledJob | None:
    """With its graph; None: it was adopted, and has none."""
    is_adopted = run.cause == Kind.ORPHAN
    return None if is_adopted else compiled(run.job, run.revision, run.namespace, run.name)


def of_run(store: Store, run: Run, now_ms: int, compiled: Compiled) -> list[Finding]:
    """Its own gates: whether a person keeps it back, then what it waits for. One that does not wait has
    passed those."""
    facts = Facts(store, now_ms, run.namespace, run)
    kept_back = ask((suspended,), TaskView(run, "", 0, 0, 0, 0), facts)
    return kept_back + _of_waiting(store, run, facts, compiled)


def _of_waiting(store: Store, run: Run, facts: Facts, compiled: Compiled) -> list[Finding]:
    passed = [Finding(gate.NAME) for gate in gates.RUN]
    if not run.waiting:
        return [*passed, *(Finding(gate.NAME) for gate in gates.ADMIT)]
    view = AdmitView(store, run.namespace, facts.now_ms, quotas.first(store, run.namespace) == run.id)
    if run.waiting == FOR_TIME:
        view = with_times(view, run.job, _job_of(run, compiled), run.due_ms)
    if run.waiting == FOR_REQUIRES:
        view = _with_lacks(view, run, _job_of(run, compiled))
    if run.waiting in (FOR_NAMESPACE, FOR_TIME, FOR_REQUIRES):
        return [*passed, *ask(gates.ADMIT, view, facts)]
    job = _job_of(run, compiled)
    most = 1 if job is None else job.overlap_max
    beside = RunView(store, run.job, run.id, most=most, key=overlap_keys.of(store, run.id))
    return ask(gates.RUN, beside, facts)


def _with_lacks(view: AdmitView, run: Run, job: CompiledJob | None) -> AdmitView:
    """The same of a run that waits for what it requires."""
    wait = run_waits.get(view.store, run.id)
    if job is None or job.requires is None or wait is None:
        return view
    lacks = requirements.judge(view.store, run, job.requires, view.now_ms).lacks
    return view._replace(lacks=lacks, gives_up_ms=requirements.gives_up_ms(job.requires, wait))


def with_times(view: AdmitView, job_id: int, job: CompiledJob | None, due_ms: int) -> AdmitView:
    """The same of a run that is due then, fires by itself, and is concerned by its job's windows."""
    if job is not None and job.failure_delays:
        failures, delayed_ms = job_rows.delayed_ms(view.store, job_id, job.failure_delays)
        view = view._replace(failures=failures, delayed_ms=delayed_ms)
    admission = None if job is None or job.openings is None else job.openings.admission
    if admission is None:
        return view
    opening = admission.at(in_force(view.store, admission.tz), max(due_ms, view.now_ms))
    return view._replace(admission=admission, opening=opening)


def place_view(facts: Facts, run: int) -> PlaceView:
    """The way of a task to an agent; `run` 0: of one that is not made yet."""
    fits = facts.fits
    free = 0 if fits is None else fits.slots - fits.busy - fits.kept - agents.ahead(facts)
    offered = fits is None or fits.offered
    held_through = hold.held_through(facts.restore) if run else -1
    retry_ms = facts.task.wake_ms if facts.task is not None else None
    paused = pauses.stands(facts.store, facts.namespace, facts.now_ms)
    wanted = selectors.parse(facts.selector) if facts.selector else None
    allowed = wanted is None or users.allows(facts.store, wanted.namespace, wanted.user)
    lacks = "" if wanted is None or not wanted.locks else _lacks(facts)
    return PlaceView(run, retry_ms, held_through, free, offered, paused, allowed, lacks)


def _lacks(facts: Facts) -> str:
    """The first resource that keeps the task from an agent; empty: none."""
    if hold.held_through(facts.restore):
        return locks.RESTORE
    task = facts.task
    place = None if task is None or task.state != "queued" else (task.rank_ms, task.id)
    return locks.lacks(facts.store, facts.selector, facts.now_ms, place)


def _in_state(task: Task, wake_ms: int) -> Finding:
    """Work that happens in the state."""
    said = "it lasts, in the state, without an agent"
    return Finding("work", WAITS_WORD, said, task.started_ms, "the end of its work in the state", wake_ms)


def _of_approval(asked: Approval) -> Finding:
    """It waits for a person."""
    said = f"it asks: {asked.text}" if asked.text else "it asks whether the run goes on"
    opens = f"the answer of {approving.who(asked)}; without one it expires"
    return Finding("approval", WAITS_WORD, said, asked.asked_ms, opens, asked.expires_ms)


def _of_completion(store: Store, task: Task) -> Finding:
    """Its process has ended, and it waits for somebody outside."""
    attempt = attempt_rows.newest_of_task(store, task.id)
    known = None if attempt is None else completions.get(store, attempt.id, task.run)
    said = "its process has ended, and somebody is to complete it"
    if known is not None and known.told_ms is not None:
        far = " ".join(filter(None, (f"{known.percent} %" * (known.percent is not None), known.doing)))
        said += f"; it told how far it is: {far}"
    opens = "the word of who has its token, or a person's (run complete); without one it times out"
    since_ms = None if known is None else known.exited_ms
    return Finding("completion", WAITS_WORD, said, since_ms, opens, task.wake_ms)


def _of_child(store: Store, task: Task, child: Nested) -> Finding:
    """It waits for a run of another job."""
    run = run_rows.get(store, child.run)
    state = child.state or ("gone" if run is None else run.state)
    of = "" if run is None else f" of {run.namespace}/{run.name}"
    said = f"it waits for run {child.run}{of}, which is {in_words(state)}"
    until_ms = None if task.wake_ms == NO_INSTANT else task.wake_ms
    return Finding("work", WAITS_WORD, said, task.started_ms, f"the end of run {child.run}", until_ms)


def _attempt(store: Store, task: Task, now_ms: int) -> Finding:
    """What becomes of a task that an agent has."""
    attempt = attempt_rows.live_of_task(store, task.id)
    if attempt is None:
        return Finding("attempt", WAITS_WORD, "its last attempt has ended just now")
    row = agent_rows.get(store, attempt.agent)
    agent = row.name if row is not None else f"agent {attempt.agent}"
    connected = row is not None and row.node != ""
    return _of_attempt(attempt, agent, connected, now_ms)


def _of_attempt(attempt: Attempt, agent: str, connected: bool, now_ms: int) -> Finding:
    if attempt.fence is None:
        said = f"{agent} has it assigned and has not claimed it yet"
        return Finding("attempt", WAITS_WORD, said, attempt.assigned_ms, f"the claim of {agent}")
    if attempt.unreachable or not connected:
        opens = f"the word of {agent}, on_lost after its lease, or a person's (run resolve)"
        said = f"{agent}, which has it, is not connected"
        return Finding("attempt", WAITS_WORD, said, attempt.granted_ms, opens)
    if attempt.state == "cancelling":
        said = f"{agent} was asked to stop it"
        return Finding("attempt", WAITS_WORD, said, attempt.started_ms, f"the report of {agent}")
    if attempt.due_ms > now_ms:
        said = f"{agent} starts it when it is due"
        return Finding("attempt", WAITS_WORD, said, attempt.granted_ms, "its instant", attempt.due_ms)
    return Finding("attempt")
