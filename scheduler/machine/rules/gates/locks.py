"""What a task takes of resources before it starts, its job's part with the first task. Who gives back opens
it, or time where it refills (the planner's pass `queue`).

The machine looks at what is free alone. That nobody passes those who waited before him is the order of the
planner's queue (`plan.locks`), as it is with slots."""

from __future__ import annotations

from scheduler.machine.rules import amounts, lock_queues, priority, selectors
from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, PlaceView
from scheduler.machine.rules.holdings import asked
from scheduler.model.locks import ROOM, room_of
from scheduler.model.quantities import format_duration
from scheduler.store.connection import Store
from scheduler.store.tables import lock_holds
from scheduler.store.tables import runs as run_rows
from scheduler.words.counted import counted

NAME = "locks"
WAITS = Waits("a resource that it needs is taken")
HOLDERS_TOLD, AHEAD_MAX = 3, 1_000
RESTORE = "restore"  #: what is lacking while one holds up what was before it


def judge(view: PlaceView) -> Verdict:
    return WAITS if view.lacks else READY


def lacks(store: Store, selector: str, now_ms: int, place: lock_queues.Place | None = None) -> str:
    """The first resource that keeps a task from starting, by what is free or by who waits before this place
    in the queues; empty: none."""
    wanted = asked(store, selectors.parse(selector)).wants
    for lock in wanted:
        amount, use = amounts.amount_of(store, lock.resource), lock_holds.use_of(store, lock.resource)
        if amounts.free(amount, use, now_ms) < lock.amount:
            return lock.resource
    if place is not None:
        for lock in wanted:
            if lock_queues.before(store, lock.resource, place, 1):
                return lock.resource
    return ""


def is_resource(lacking: str) -> bool:
    """Whether it is one that people know by this name."""
    return lacking not in ("", RESTORE) and not lacking.startswith(ROOM)


def brief(lacking: str) -> str:
    """Of what `lacks` says, in a few words; empty: nothing."""
    if lacking.startswith(ROOM):
        return f"its group lets {room_of(lacking)} of its tasks go on at once"
    return f"what it asks for of resource {lacking} is taken" if lacking else ""


def words(verdict: Verdict, view: PlaceView, facts: Facts) -> Words:
    since_ms = facts.task.queued_ms if facts.task is not None else None
    if view.lacks == RESTORE:
        said = "the state was restored, and agents may yet tell of who holds its resources"
        return Words(said, "the end of the restore's hold", since_ms)
    store, name = facts.store, view.lacks
    if name.startswith(ROOM):
        return _full(facts, name, since_ms)
    wanted = max(lock.amount for lock in selectors.parse(facts.selector).locks if lock.resource == name)
    amount, use = amounts.amount_of(store, name), lock_holds.use_of(store, name)
    if amount is amounts.GONE:
        return Words(f"resource {name} does not exist any more", f"a resource {name}", since_ms)
    if wanted > amount.total:
        said = f"it asks for {wanted} of resource {name}, of which there are {amount.total}"
        return Words(said, f"a larger amount of {name}, or a run of a job that asks for less", since_ms)
    said = f"it asks for {wanted} of resource {name}: {_used(facts, name, amount, use)}"
    task = facts.task
    ahead = 0 if task is None else lock_queues.before(store, name, (task.rank_ms, task.id), AHEAD_MAX)
    if ahead:
        said += f", and {counted(ahead, 'task waits', 'tasks wait')} before it"
        if task is not None and facts.run is not None:
            said += f"; it has {priority.words(task.rank_ms, facts.run.priority, facts.now_ms)}"
    if amount.period_ms:
        at_ms = None if ahead else amounts.opens_ms(amount, use, wanted)
        return Words(said, "time, as it refills", since_ms, at_ms)
    return Words(said, "its turn, when enough of it is given back", since_ms)


def _full(facts: Facts, room: str, since_ms: int | None) -> Words:
    group = "" if facts.compiled is None else f" {facts.compiled.scope.group}"
    held = counted(lock_holds.use_of(facts.store, room).held, "task")
    said = f"agents have {held} of its group{group}, which lets {room_of(room)} go on at once"
    return Words(said, "the end of one of them", since_ms)


def _used(facts: Facts, name: str, amount: amounts.Amount, use: lock_holds.Use) -> str:
    free = max(0, amounts.free(amount, use, facts.now_ms))
    if amount.period_ms:
        return f"{free} are left of {amount.total} in {format_duration(amount.period_ms)}"
    holders = lock_holds.on(facts.store, name, HOLDERS_TOLD + 1)
    told = ", ".join(_holder(facts, hold) for hold in holders[:HOLDERS_TOLD])
    more = " and others" if len(holders) > HOLDERS_TOLD else ""
    held = f", held by {told}{more}" if told else ""
    return f"{free} of {amount.total} free{held}"


def _holder(facts: Facts, hold: lock_holds.Hold) -> str:
    """Which job of another namespace that is, is told to whoever may read there, by its run."""
    run = run_rows.get(facts.store, hold.run)
    of = "another namespace"
    if run is not None and run.namespace == facts.namespace:
        of = f"{run.namespace}/{run.name}"
    long_ms = max(1_000, (facts.now_ms - hold.since_ms) // 1_000 * 1_000)
    much = f"{hold.amount} " if hold.amount > 1 else ""
    return f"run {hold.run} of {of} ({much}for {format_duration(long_ms)})"
