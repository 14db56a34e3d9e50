"""What tasks, groups and runs hold of resources: taken with a placement, all of it or nothing; given back.

Rules of this file:

1. A run and a group hold their locks from the first placement in them to their end, a task holds its own for
   as long as an attempt of it may run: one that cannot be reached keeps them, one whose end is proven or
   decided by its lease does not. What is revoked without a grant gives back, the run's and the group's too
   where nothing of them was granted, and no run that they wait for goes on.
2. A task that waits has in its selector what it asks for, so the planner finds those alone that can have it.
   Whether its run holds the run's part is said there too (`rules.selectors`): by `as_it_is` when it is
   queued, by the walk ADMIT when the run takes it, by `machine.attempts` where it is found to be wrong. What
   its group holds, and runs above, is looked up (`rules.holdings`).
3. While a restore holds up what was before it, nobody takes any: agents may yet tell of who holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scheduler.machine.context import Context
from scheduler.machine.rules import amounts, holdings, joins, selectors
from scheduler.machine.rules.gates import locks
from scheduler.machine.steps import restoring, sticking
from scheduler.model.locks import GROUP, ROOM, RUN, TASK, Lock, room_on
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import lock_holds, nested, rounds
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.lock_holds import Hold
from scheduler.store.tables.tasks import Task
from scheduler.words import events as e


def as_it_is(ctx: Context, run: int, selector: str) -> str:
    """The selector of a task of the run that may take locks, as it stands with the run's."""
    if not selectors.has_locks(selector):
        return selector
    return selectors.inside(selector, held=lock_holds.holds(ctx.store, RUN, run))


def set_right(ctx: Context, run: int, task: Task) -> None:
    """What the selector of a task that waits says of its run's locks."""
    selector = as_it_is(ctx, run, task.selector)
    if selector != task.selector:
        task_rows.set_selector(ctx.store, task.id, selector)


def lacking(ctx: Context, run: int, selector: str) -> str:
    """The first resource of which there is not enough for a task of this selector; empty: it can have all."""
    if restoring.held_through(ctx):
        return locks.RESTORE
    return locks.lacks(ctx.store, as_it_is(ctx, run, selector), ctx.stamp_ms)


def take(ctx: Context, run: int, task: int, selector: str, agent: int) -> bool:
    """Of one that is placed on this agent. Whether the run took its own with it."""
    wanted = selectors.parse(as_it_is(ctx, run, selector))
    wants = holdings.asked(ctx.store, wanted).wants
    if wanted.agent_max:
        wants = (*wants, room_on(wanted.whole, wanted.agent_max, agent))
    outer = {lock.holder for lock in wants if lock.holder != TASK}
    ctx.state.locks += len(outer)
    _take(ctx, {RUN: run, GROUP: wanted.group, TASK: task}, wants)
    return RUN in outer


def take_over(ctx: Context, run: int, task: int, selector: str, agent: int, *, alone: bool) -> None:
    """Of an attempt that runs and that the state did not know: it has them, whoever else does. `alone`: of a
    run without a graph, whose task holds them all."""
    if not alone:
        take(ctx, run, task, selector, agent)
        return
    if lock_holds.holds(ctx.store, TASK, task):
        return  # by another attempt of it
    wanted = [lock._replace(holder=TASK) for lock in selectors.parse(selector).locks]
    _take(ctx, {RUN: run, TASK: task}, wanted)


def _take(ctx: Context, ids: Mapping[str, int], wanted: Iterable[Lock]) -> None:
    taken = []
    for holder, resource, amount in wanted:
        of = amounts.amount_of(ctx.store, resource)
        use = amounts.taken(of, lock_holds.use_of(ctx.store, resource), amount, ctx.stamp_ms)
        lock_holds.set_use(ctx.store, resource, use)
        if holder != TASK or not of.period_ms:
            # Of a rate nothing is held: the row of a run, or a group, says that it was spent for all of it.
            held = 0 if of.period_ms else amount
            lock_holds.insert(ctx.store, Hold(holder, ids[holder], resource, ids[RUN], held, ctx.stamp_ms))
        taken.append(resource)
    _tell(ctx, e.LocksTaken, ids[RUN], ids[TASK], taken)


def _tell(
    ctx: Context, event: type[e.LocksTaken | e.LocksGivenBack], run: int, task: int, names: list[str]
) -> None:
    """Of what people know by these names."""
    if told := tuple([name for name in names if not name.startswith(ROOM)]):
        ctx.emit(event(run, task, told))


def give_back(ctx: Context, run: int, task: int) -> None:
    """The task's attempt has ended, or was taken back."""
    _give_back(ctx, TASK, task, run)


def give_back_run(ctx: Context, run: int) -> None:
    """The run has ended."""
    ctx.state.locks -= _give_back(ctx, RUN, run, run)


def give_back_group(ctx: Context, run: int, group: int) -> None:
    """The group has ended, and with it, or behind it, the last of its members."""
    if not joins.going_on(ctx.store, run, group):
        ctx.state.locks -= _give_back(ctx, GROUP, group, run)


def give_back_unless_begun(ctx: Context, run: int, selector: str) -> None:
    """An attempt was taken back: the run has its locks no longer where nothing else of it began, nor has its
    group."""
    if lock_holds.holds(ctx.store, RUN, run) and not _has_begun(ctx, run):
        give_back_run(ctx, run)
    group = selectors.parse(selector).group
    if group and lock_holds.holds(ctx.store, GROUP, group):
        now = rounds.get(ctx.store, group)
        if now is not None and not now.round and not sticking.has_begun(ctx, now):
            ctx.state.locks -= _give_back(ctx, GROUP, group, run)


def _has_begun(ctx: Context, run: int) -> bool:
    return attempt_rows.any_begun(ctx.store, run) or nested.any_waited_for(ctx.store, run)


def _give_back(ctx: Context, holder: str, id: int, run: int) -> bool:
    """Whether there was anything."""
    found = lock_holds.of(ctx.store, holder, id)
    for hold in found:
        use = lock_holds.use_of(ctx.store, hold.resource)
        lock_holds.set_use(ctx.store, hold.resource, use._replace(held=use.held - hold.amount))
    if found:
        lock_holds.drop(ctx.store, holder, id)
        given = [hold.resource for hold in found]
        _tell(ctx, e.LocksGivenBack, run, id if holder == TASK else 0, given)
    return bool(found)
