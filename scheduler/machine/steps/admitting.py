"""A run that waited goes on: behind others of its job (overlap: queue_one, queue_all, cancel_running), then
for what it requires (`steps.requiring`), for a time at which its job lets it (`steps.windows`), and until its
namespace may have one more. Its roots go on. In the same way its tasks hear that it took locks."""

from __future__ import annotations

from scheduler.machine.context import CONDITION, Context
from scheduler.machine.rules import gates, selectors, task_views, walks
from scheduler.machine.rules.gates import READY, Never, RunView
from scheduler.machine.steps import beginning, locking, quotas, requiring, spreading, walking, windows
from scheduler.model.compiled import CompiledJob
from scheduler.store.tables import overlap_keys
from scheduler.store.tables import quotas as quota_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import BEHIND, FOR_NAMESPACE, FOR_TIME, Run
from scheduler.store.tables.tasks import Task
from scheduler.store.tables.tells import Tell
from scheduler.words.lifecycle import TASK_END

ADMITTED_MAX = 100  #: runs of a namespace, in one step


def admit_next(ctx: Context, job: int, same: str | None = None) -> None:
    """The oldest waiting run of the job goes on, if its gates are open, and so does the oldest with this key:
    that of a run that ended."""
    waiting = run_rows.first_waiting(ctx.store, job)
    if waiting is None:
        return
    alike = [] if same is None else run_rows.waiting(ctx.store, job, same, limit=1)
    for each in dict.fromkeys([*alike, waiting]):
        run = run_rows.get(ctx.store, each)
        assert run is not None
        if run.waiting != BEHIND:
            continue  # what went on before it has ended, and let this one go on
        most = ctx.graphs.outline(run.job, run.namespace, run.name, run.revision).overlap_max
        view = RunView(ctx.store, job, each, most=most, key=overlap_keys.of(ctx.store, each))
        if gates.judge(gates.RUN, view) is READY:
            release(ctx, run)


def release(ctx: Context, run: Run) -> None:
    """It waits behind other runs of its job no longer."""
    compiled = ctx.graph(run.job, run.namespace, run.name, run.revision).job
    if compiled.requires is not None:
        run = requiring.begin(ctx, run, compiled.requires)
        if compiled.checks:
            let_begin(ctx, run)
    else:
        go_on_in_time(ctx, run, compiled)


def go_on_in_time(ctx: Context, run: Run, compiled: CompiledJob, *, any_time: bool = False) -> None:
    """What it requires is there: it goes on, or when its job lets it. `any_time`: that is now."""
    opening = None if any_time else windows.standing(ctx, run.job, compiled, run.cause, run.due_ms)
    if opening is not None:
        run = windows.note(ctx, run, opening)
        if run.waiting == FOR_TIME and not opening.is_open:
            return
    let_pass(ctx, run)


def let_pass(ctx: Context, run: Run) -> None:
    """Nothing of its job keeps it back any more."""
    if quotas.keeps_back(ctx, run.namespace):
        run_rows.keep_back(ctx.store, run.id)
        quotas.wait(ctx, run)
    else:
        _admit(ctx, run)


def admit_kept_back(ctx: Context, namespace: str) -> int:
    """The runs of the namespace whose turn it is go on, as long as it may have one more. How many did."""
    admitted = 0
    for _ in range(ADMITTED_MAX):
        first = quota_rows.first(ctx.store, namespace)
        if first is None or ctx.room <= 0:
            break
        run = run_rows.get(ctx.store, first)
        if run is None or run.waiting != FOR_NAMESPACE:  # it was stopped meanwhile
            quota_rows.drop(ctx.store, first)
            continue
        if quotas.keeps_back(ctx, namespace, in_turn=True):
            break
        _admit(ctx, run)
        admitted += 1
    return admitted


def count_in(ctx: Context, run: Run) -> int:
    """It waits for nothing any more, and is one of its namespace's active runs: 1 where these count."""
    if run.waiting == FOR_NAMESPACE:
        quota_rows.drop(ctx.store, run.id)
    counts = quotas.count(ctx, run.id, run.namespace)
    run_rows.admit(ctx.store, run.id, counts=counts)
    return counts


def _admit(ctx: Context, run: Run) -> None:
    counts = count_in(ctx, run)
    let_begin(ctx, run._replace(waiting=0, counts=counts))


def let_begin(ctx: Context, run: Run) -> None:
    """What of it needs nothing more goes on."""
    walking.begin_anew(ctx, run, walks.ADMIT, go_on)


def let_inside(ctx: Context, run: Run) -> None:
    """The run took its locks, with the placement of one of its tasks: those that wait beside it need them no
    longer."""
    if run.tasks > 1:
        let_begin(ctx, run)


def go_on(ctx: Context, run: Run, *, begun: bool = False) -> None:
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)

    groups: list[Tell] = []

    def act(task: Task) -> str:
        if task.state == "queued" and selectors.has_locks(task.selector):
            locking.set_right(ctx, run.id, task)
        if task.state != "blocked":
            return ""
        if task.member:
            spreading.go_on(ctx, run, graph, task)
            return ""
        place = graph.place(run, task)
        view = task_views.of_place(ctx.store, run, graph, place, task.open_needs, task.met_needs)
        if view.when is not None:
            ctx.room -= CONDITION
        verdict = gates.judge(gates.TASK, view)
        if verdict is READY:
            tell = beginning.go_on(ctx, run, graph, task, graph.job.tasks[place])
            groups.extend([tell] if tell else [])
        elif isinstance(verdict, Never):  # what it needs may have been skipped while the run waited
            return task_rows.move(
                ctx.store, task, TASK_END[verdict.outcome], finished_ms=ctx.stamp_ms, reason=verdict.reason
            )
        return ""

    page = walking.page(ctx, run, act)
    walking.note_page(ctx, run, page, begun=begun)
    walking.leave(ctx, run, page.ended + groups)
