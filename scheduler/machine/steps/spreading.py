"""A task that is divided begins: its members are fixed, made, and let go.

Rules of this file:

1. The row that was made with the run stays as the whole: it is active from here on until its join has decided
   (`steps.joining`). Members are rows of the same name and round, with ids in a row.
2. Who the members are is read once, when nothing holds the task up any more, and never again. Their rows are
   made in slices: what is left is a tell of the whole, so that a Continue goes on with it.
3. A member has its turn once (`gates.share`): it is queued, and goes until it has ended, through its retries
   and whoever keeps it back meanwhile. `queued_ms` of its row says that it had it.
4. The instant at which the next one may be let go is `wake_ms` of the whole."""

from __future__ import annotations

import json
from collections.abc import Sequence

from scheduler.machine.context import Context
from scheduler.machine.rules import gates, priority, selectors, task_views
from scheduler.machine.rules import reruns as repeated
from scheduler.machine.rules.gates import READY, TaskView, share
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.steps import clock, making, queue
from scheduler.model.members import (
    AGENTS,
    LIST,
    MEMBERS_MAX,
    NUMBER,
    OUTPUT,
    PARAM,
    CompiledFanout,
    items_of,
)
from scheduler.model.outputs import outputs_of
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import fanouts, outputs, reruns, returns
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.fanouts import Fanout
from scheduler.store.tables.reruns import Rerun, Taken
from scheduler.store.tables.returns import Return
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.store.tables.tells import Tell
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.lifecycle import TaskEvent

SPREAD, CUT, AWAY = "spread", "cut", "away"
"""What is to be done to the members of a task: to make them, to end those that go on, to give up those whose
agents are away. The place of such a tell is that of no task in the graph (`place_of`)."""
AGENTS_MAX = 20_000  #: that are looked at for those that it means
WAITING_MAX = 100  #: divided tasks that an agent lets go on as it comes, and with each command after that
LOOK = 2  #: what an agent, or an item, that is looked at takes of the room
LOOK_MS, SOON_MS = 60_000, 1_000
"""Until those that are away are looked for again."""


GOES_ON = ("active", "succeeded")
"""States of the whole in which its members go on."""


def place_of(whole: int) -> int:
    """Of a tell to the members of this task, which may be of any round."""
    return -whole


def begin(ctx: Context, run: Run, graph: Graph, task: Task) -> Tell:
    """Of a task that nothing holds up: who its members are is fixed, or will be by who is told to make them,
    where others took the room for that: many at once may be divided over thousands."""
    task_rows.move(
        ctx.store, task, TaskEvent.BEGUN, open_needs=0, queued_ms=ctx.stamp_ms, started_ms=ctx.stamp_ms,
        reason="",
    )  # fmt: skip
    if ctx.room > 0:
        fix(ctx, run, graph, task)
    return Tell(place_of(task.id), SPREAD, 0)


def fix(ctx: Context, run: Run, graph: Graph, task: Task) -> Fanout:
    """Who its members are."""
    fanout = graph.of(run, task).fanout
    assert fanout is not None
    old, wrong = _repeated(ctx, run, graph, task)
    items: Sequence[str] = ()
    if wrong:
        pass
    elif old is not None:
        items = _items_again(ctx, fanout, old)
    elif fanout.over == AGENTS:
        items, wrong = _agents(ctx, task, fanout)
    else:
        items, wrong = _items(ctx, run, fanout)
    members = fanout.number if fanout.over == NUMBER and not wrong else len(items)
    ctx.room -= LOOK * len(items)
    look_ms = ctx.stamp_ms + fanout.ttl_ms if fanout.ttl_ms else 0
    now = Fanout(
        task.id, run.id, ctx.state.last_task + 1, members, unmade=members, look_ms=look_ms,
        repeats=0 if old is None else old.first_task,
    )  # fmt: skip
    ctx.state.last_task += members
    fanouts.insert(ctx.store, now, items)
    if wrong:
        task_rows.set_reason(ctx.store, task.id, wrong)
    ctx.emit(e.MembersFixed(task.id, run.id, task.name, task.round, members))
    return now


def has_members(ctx: Context, run: Run, graph: Graph, rerun: Rerun, task: Task) -> bool:
    """Whether this task has the same members in the run of which this one repeats what failed. Else who they
    are is read anew."""
    source = run_rows.get(ctx.store, rerun.source) if rerun.from_failed else None
    if source is None or (source.revision, source.params) != (run.revision, run.params):
        return False
    fanout = graph.of(run, task).fanout
    assert fanout is not None
    is_other = fanout.over == OUTPUT and rerun.plan[graph.places[fanout.task]] not in repeated.STATES
    return not is_other and _before(ctx, rerun, task) is not None


def _before(ctx: Context, rerun: Rerun, task: Task) -> Fanout | None:
    """Its members in the run that is repeated, where not all was well."""
    old = task_rows.newest(ctx.store, rerun.source, task.name)
    found = None if old is None or old.state == "succeeded" else fanouts.get(ctx.store, old.id)
    return found if found is not None and not found.unmade and found.members else None


def _repeated(ctx: Context, run: Run, graph: Graph, task: Task) -> tuple[Fanout | None, str]:
    """The members of which it repeats those that failed, None: who they are is read anew; and why that cannot
    be."""
    rerun = reruns.get(ctx.store, run.id) if run.cause == Kind.RERUN and not task.round else None
    if rerun is None or rerun.plan[graph.places[task.name]] != repeated.PARTLY[0]:
        return None, ""
    found = _before(ctx, rerun, task)
    gone = f"run {rerun.source}, of whose members it was to repeat those that failed, is purged"
    return found, "" if found is not None else f"{gone}: rerun this one from {task.name}"


def _items_again(ctx: Context, fanout: CompiledFanout, old: Fanout) -> list[str]:
    """As `_agents` and `_items` gave them then."""
    if fanout.over == NUMBER:
        return []
    if fanout.over != AGENTS:
        return fanouts.given(ctx.store, old.ids)
    rows = task_rows.of_ids(ctx.store, list(old.ids))
    return [f"{selectors.parse(row.selector).agent} {row.member}" for row in rows]


def _agents(ctx: Context, task: Task, fanout: CompiledFanout) -> tuple[Sequence[str], str]:
    """Id and name of each that it means; and why there is none."""
    wanted = selectors.parse(task.selector)
    same: dict[tuple[str, str, str], bool] = {}  # agents with the same words are compared once
    found = []
    known = agent_rows.known(ctx.store, wanted.pool, AGENTS_MAX, connected=fanout.connected)
    ctx.room -= LOOK * len(known)
    for each in known:
        words = each.pool, each.labels, each.zone
        fits = None if wanted.asks_name else same.get(words)
        if fits is None:
            fits = same[words] = selectors.matches(
                wanted, agent=None, pool=each.pool, labels=each.labels, zone=each.zone, name=each.name
            )
        if fits:
            found.append(f"{each.id} {each.name}")
    how = "connected" if fanout.connected else "registered"
    if not found:
        return (), f"no agent that it means is {how}: {selectors.words(wanted)}"
    if len(found) > MEMBERS_MAX:
        return (), f"it means {len(found)} agents, {MEMBERS_MAX} at most"
    return found, ""


def _items(ctx: Context, run: Run, fanout: CompiledFanout) -> tuple[Sequence[str], str]:
    """Of a list; and why there is none."""
    if fanout.over in (LIST, NUMBER):
        return fanout.items, ""
    values, said = {}, f"{fanout.task}.outputs.{fanout.name}"
    if fanout.over == PARAM:
        values, said = json.loads(run.params), f"params.{fanout.name}"
    else:
        giver = task_rows.newest(ctx.store, run.id, fanout.task)
        text = None if giver is None else outputs.of_task(ctx.store, giver.id)
        values = {} if text is None else dict(outputs_of(text))
    value = values.get(fanout.name)
    if value is None:
        return (), f"{said} has no value"
    items, wrong = items_of(value)
    return items, f"{said} {wrong}" if wrong else ""


def make_more(ctx: Context, run: Run, graph: Graph, task: Task, now: Fanout) -> Fanout:
    """Rows of members, as many as there is room for, and those let go whose turn it is."""
    fanout, place = graph.of(run, task).fanout, graph.place(run, task)
    assert fanout is not None
    rank_ms = priority.rank(ctx.stamp_ms, run.priority, run.cause)
    selector = making.selector_of(ctx, run, graph, place, is_later=True)
    if fanout.agent_max:
        selector = selectors.shared(selector, task.id, fanout.agent_max)
    items = fanouts.items_of(ctx.store, task.id) if fanout.over != NUMBER else []
    made, ended = ctx.take_rows(now.unmade, least=1), 0
    for at in range(now.made, now.made + made):
        member, goes_to = str(at), selector
        if fanout.over == AGENTS:
            agent, _, member = items[at].partition(" ")
            goes_to = selectors.bound(selector, int(agent))
        taken = _taken(ctx, now, at)
        making.make(
            ctx, run, graph, place, TaskEvent.HELD_UP if taken is None else TaskEvent.SUCCEEDED,
            task=now.first_task + at, selector=goes_to, rank_ms=rank_ms, round=task.round, member=member,
            of=task.id, exit_code=None if taken is None else taken.exit_code,
        )  # fmt: skip
        ended += taken is not None
        if items and fanout.over != AGENTS:
            fanouts.put_item(ctx.store, now.first_task + at, items[at])
    now = fanouts.change(
        ctx.store, now, unmade=now.unmade - made, ended=now.ended + ended, succeeded=now.succeeded + ended
    )
    if items and not now.unmade:
        fanouts.drop_items(ctx.store, task.id)
    return let_go(ctx, run, graph, task, now)


def _taken(ctx: Context, now: Fanout, at: int) -> Task | None:
    """The member of the run before that did this one's work, with what it gave."""
    old = task_rows.get(ctx.store, now.repeats + at) if now.repeats else None
    if old is None or old.state != "succeeded":
        return None
    before, member = reruns.taken(ctx.store, old.id), now.first_task + at
    reruns.take(ctx.store, before._replace(task=member) if before else Taken(member, old.run, old.id))
    text = outputs.of_task(ctx.store, old.id)
    if text is not None:
        outputs.put(ctx.store, member, text)
    return old


def let_go(ctx: Context, run: Run, graph: Graph, whole: Task, before: Fanout) -> Fanout:
    """Those whose turn it is. `whole`: as it is now."""
    if whole.state not in GOES_ON:
        return before
    fanout = graph.of(run, whole).fanout
    assert fanout is not None
    now, view = _turns(ctx, run, graph, fanout, before)
    if view is None and fanout.is_picky and not now.going and now.ended < now.made:
        # Of an agent that came back not all heard for which very many had waited.
        now, view = _turns(ctx, run, graph, fanout, now._replace(next=0))
    wake_ms = now.open_ms if view is not None and share.waits_for_time(view) else None
    if now.look_ms and now.ended < now.members:
        wake_ms = now.look_ms if wake_ms is None else min(wake_ms, now.look_ms)
    if wake_ms != whole.wake_ms:
        task_rows.set_wake(ctx.store, whole.id, wake_ms)
    return _keep(ctx, run, graph, before, now)


def _turns(
    ctx: Context, run: Run, graph: Graph, fanout: CompiledFanout, now: Fanout
) -> tuple[Fanout, TaskView | None]:
    """Of one after the other, up to the first that has to wait for it; None: nobody is left. Those are passed
    by whose agents are away: they are told when these come back (`connected`)."""
    while now.next < now.made:
        member = _next(ctx, fanout, now)
        if member is None:
            return now._replace(next=now.made), None
        now = now._replace(next=member.id - now.first_task)
        view = task_views.of_member(ctx.store, run, graph, member, now, ctx.stamp_ms)
        if view.share is not None and view.share.away:  # another agent has come under its name
            now = now._replace(next=now.next + 1)
        elif gates.judge(gates.TASK, view) is READY:
            now = _turn(ctx, run, fanout, member, now)
        else:
            return now, view
    return now, None


def _turn(ctx: Context, run: Run, fanout: CompiledFanout, member: Task, now: Fanout) -> Fanout:
    """This member's."""
    queue.enqueue(ctx, run, member, TaskEvent.READY, attempts=member.attempts)
    open_ms = ctx.stamp_ms + fanout.stagger_ms if fanout.stagger_ms else 0
    passed = max(now.next, member.id - now.first_task + 1)
    return now._replace(going=now.going + 1, open_ms=open_ms, next=passed)


def _keep(ctx: Context, run: Run, graph: Graph, before: Fanout, now: Fanout) -> Fanout:
    if now != before:
        clock.count(ctx, run, graph, now.going - before.going)
        fanouts.change(ctx.store, before, next=now.next, going=now.going, open_ms=now.open_ms)
    return now


def _next(ctx: Context, fanout: CompiledFanout, now: Fanout) -> Task | None:
    """The first member that waits for its turn, and may have it."""
    first = now.first_task + now.next
    task = None if fanout.is_picky else task_rows.get(ctx.store, first)
    if task is not None and task.state == "blocked" and task.queued_ms is None:
        return task
    return task_rows.first_in_turn(ctx.store, now.task, first, connected=fanout.is_picky)


def connected(ctx: Context, agent: Agent, after: int = 0) -> None:
    """Members that had no turn, as this agent was away, may have it: the first of those behind `after`."""
    if not fanouts.are_any(ctx.store):
        return
    waiting = task_rows.wait_for_agent(ctx.store, agent.name, after, WAITING_MAX + 1)
    if len(waiting) > WAITING_MAX:
        returns.put(ctx.store, Return(agent.id, waiting[WAITING_MAX - 1].id))
    elif returns.get(ctx.store, agent.id) is not None:
        returns.drop(ctx.store, agent.id)
    for member in waiting[:WAITING_MAX]:
        run = run_rows.get(ctx.store, member.run)
        assert run is not None
        go_on(ctx, run, ctx.graph(run.job, run.namespace, run.name, run.revision), member)


def look(ctx: Context, whole: Task) -> Tell | None:
    """Those are given up whose agents are away, if it is time for that: what is to be done to the members.
    Who leaves later is looked for again."""
    now = fanouts.get(ctx.store, whole.id)
    if now is None or not now.look_ms or now.look_ms > ctx.stamp_ms or whole.state not in GOES_ON:
        return None
    fanouts.change(ctx.store, now, look_ms=ctx.stamp_ms + (SOON_MS if now.unmade else LOOK_MS))
    return None if now.unmade else Tell(place_of(whole.id), AWAY, 0)


def go_on(ctx: Context, run: Run, graph: Graph, member: Task) -> None:
    """A member that is blocked or held is to go on, as far as its gates let it: its run does, or a person
    releases it."""
    whole, now = task_rows.get(ctx.store, member.of_group), fanouts.get(ctx.store, member.of_group)
    assert whole is not None
    assert now is not None
    fanout = graph.of(run, member).fanout
    assert fanout is not None
    if whole.state not in GOES_ON:
        return
    view = task_views.of_member(ctx.store, run, graph, member, now, ctx.stamp_ms)
    if gates.judge(gates.TASK, view) is READY:
        if member.queued_ms is None:
            _keep(ctx, run, graph, now, _turn(ctx, run, fanout, member, now))
        else:
            clock.count(ctx, run, graph, 1)
            queue.enqueue(ctx, run, member, TaskEvent.READY, attempts=member.attempts)
        return
    if member.state == "held":
        task_rows.move(ctx.store, member, TaskEvent.HELD_UP)
    if member.queued_ms is None:
        now = fanouts.change(ctx.store, now, next=min(now.next, member.id - now.first_task))
        let_go(ctx, run, graph, whole, now)  # which notes when its turn may come


def wake(ctx: Context, run: Run, graph: Graph, whole: Task) -> None:
    """The next one may be let go."""
    task_rows.set_wake(ctx.store, whole.id, None)
    now = fanouts.get(ctx.store, whole.id)
    if now is not None:
        let_go(ctx, run, graph, whole._replace(wake_ms=None), now)


def adopt(ctx: Context, run: Run, graph: Graph, member: Task) -> None:
    """An agent tells after a restore that it had its turn before: that of one that was only queued, where no
    more may go at a time."""
    now = fanouts.get(ctx.store, member.of_group)
    fanout = graph.of(run, member).fanout
    assert now is not None
    assert fanout is not None
    is_full = fanout.parallel_max and now.going >= fanout.parallel_max
    later = task_rows.last_queued(ctx.store, now.first_task, now.first_task + now.next) if is_full else None
    if later is not None:
        task_rows.move(ctx.store, later, TaskEvent.KEPT_BACK)
        task_rows.note_turn(ctx.store, later.id, None)
        clock.count(ctx, run, graph, -1)
        now = fanouts.change(ctx.store, now, going=now.going - 1, next=later.id - now.first_task)
    fanouts.change(ctx.store, now, going=now.going + 1)
    task_rows.note_turn(ctx.store, member.id, ctx.stamp_ms)
