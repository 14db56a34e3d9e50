"""Members of a divided task end one after the other; as soon as these can say it, the task does
(`rules.joins`).

Rules of this file:

1. An end counts in the row of the fan-out. No other member is looked at, but that the next one may have its
   turn; what a member gave to those after it is gathered once, when the whole succeeds.
2. Where the whole succeeded, members that have not ended go on, and what becomes of them does not count.
   Where it failed, they are cancelled, in slices.
3. In a run that stops, nobody fails for what the run did: its wholes end last of all (`steps.closing`)."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.machine.context import ROW, Context
from scheduler.machine.rules import groups, joins, selectors, task_views
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.rules.verdicts import RunEnds
from scheduler.machine.steps import breaking, clock, closing, grouping, holding, locking, spreading
from scheduler.machine.steps.spreading import AWAY, CUT
from scheduler.model.outputs import gathered
from scheduler.store.tables import fanouts, outputs
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.fanouts import Fanout
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.store.tables.tells import Tell
from scheduler.words import events as e
from scheduler.words.lifecycle import TASK_END, TASK_ENDS, TaskEvent

UNTAKEN = ("blocked", "queued", "retry_wait")
"""States of a member that no agent has."""
CUT_REASON = "too many other members failed"
CUTS = {"succeeded": groups.OUTSIDE.reason, "cancelled": ""}
"""Why members are cut, by the state of the whole: behind one that went well it is a window that ends. Empty:
for what that was."""


class Heard(NamedTuple):
    """What a fan-out comes to that heard of something."""

    tells: list[Tell]  #: what is to be told on
    fewer: int  #: tasks of the run that are open no more; made ones count against it


NOTHING = Heard([], 0)


def count(ctx: Context, run: Run, graph: Graph, member: Task, state: str) -> Heard:
    """This member ended. `member`: its row before."""
    whole, now = task_rows.get(ctx.store, member.of_group), fanouts.get(ctx.store, member.of_group)
    assert whole is not None
    assert now is not None
    now = fanouts.change(
        ctx.store, now, ended=now.ended + 1, succeeded=now.succeeded + (state == "succeeded"),
        skipped=now.skipped + (state == "skipped"), going=now.going - (member.queued_ms is not None),
    )  # fmt: skip
    heard = _judge(ctx, run, graph, whole, now)
    _give_back(ctx, whole, now)
    # Its turn is another's; and who has ended notes anew when the next may have theirs.
    if not run.stopping and (member.queued_ms is not None or heard.fewer):
        _let_go(ctx, run, graph, whole)
    return heard


def _give_back(ctx: Context, whole: Task, now: Fanout) -> None:
    """What their group held longer than it went on, as they did."""
    group = task_rows.get(ctx.store, whole.of_group) if whole.of_group and now.ended == now.made else None
    if group is not None and group.state in TASK_ENDS and group.selector == selectors.OF_BOX:
        locking.give_back_group(ctx, whole.run, group.id)


def _judge(ctx: Context, run: Run, graph: Graph, whole: Task, now: Fanout) -> Heard:
    """Whether the whole ends with that."""
    place = graph.place(run, whole)
    compiled = graph.job.tasks[place]
    fanout = compiled.fanout
    assert fanout is not None
    joined = None if whole.state in TASK_ENDS else joins.judge(fanout, now)
    if joined is None:
        return NOTHING
    if joined.state == "failed":
        if run.stopping:
            return NOTHING
        worst = closing.worst_of(ctx, now.ids, ()) or RunEnds("failed", None, "")
        return _end(ctx, run, graph, whole, now, worst._replace(reason=joined.reason))
    if now.unmade:
        return NOTHING  # nobody is left out for having been slow to make
    ends = RunEnds(joined.state, 0 if joined.state == "succeeded" else None, joined.reason)
    if not now.members and whole.reason:  # there is no list
        ends = RunEnds("failed", None, whole.reason)
    elif ends.state == "succeeded" and whole.name in graph.job.outputs:
        ends = _gather(ctx, graph, whole, now)
    return _end(ctx, run, graph, whole, now, ends)


def _end(ctx: Context, run: Run, graph: Graph, whole: Task, now: Fanout, ends: RunEnds) -> Heard:
    """The whole ends, and who needs it hears of it."""
    left = _close(ctx, run, whole, now, ends)
    place = graph.place(run, whole)
    # One that an agent told of after a restore may end while its group is further on.
    if not whole.of_group or whole.id == grouping.newest(ctx, run, graph, place):
        left.insert(0, Tell(place, ends.state, 0))
    return Heard(left, 1)


def _close(ctx: Context, run: Run, whole: Task, now: Fanout, ends: RunEnds) -> list[Tell]:
    """The whole ends. What is left to do: members that go on are cancelled, unless it went well."""
    if task_rows.any_of(ctx.store, now.ids, "warned", 1):
        task_rows.set_warned(ctx.store, whole.id)
    state = closing.end_task(
        ctx, whole, TASK_END[ends.state], reason=ends.reason, exit_code=ends.exit_code,
        started_ms=whole.started_ms,
    )  # fmt: skip
    ctx.emit(
        e.MembersJoined(
            whole.id, run.id, whole.name, whole.round, state, now.succeeded, now.failed, now.skipped
        )
    )
    if state == "succeeded":
        return []
    if now.unmade:
        fanouts.drop_items(ctx.store, whole.id)
    return [note_cut(whole)] if now.ended < now.made else []


def note_cut(whole: Task) -> Tell:
    """What is to be done to cancel the members of this task that have not ended."""
    return Tell(spreading.place_of(whole.id), CUT, 0)


def _gather(ctx: Context, graph: Graph, whole: Task, now: Fanout) -> RunEnds:
    """What its members gave, as lists in their order; how it ends with that."""
    most = graph.job.outputs_bytes_max
    text, wrong = gathered(
        outputs.of_ids(ctx.store, now.ids, most), now.ids, graph.job.outputs[whole.name], most
    )
    if wrong:
        return RunEnds("failed", None, wrong)
    outputs.put(ctx.store, whole.id, text)
    return RunEnds("succeeded", 0, "")


def go_on(ctx: Context, run: Run, graph: Graph, tell: Tell) -> Heard:
    """What is left to do to the members of a task, as far as there is room."""
    whole = task_rows.get(ctx.store, -tell.place)
    now = None if whole is None else fanouts.get(ctx.store, whole.id)
    if whole is not None and now is None and whole.state in spreading.GOES_ON:
        now, whole = spreading.fix(ctx, run, graph, whole), task_rows.get(ctx.store, whole.id)
    if whole is None or now is None:
        return NOTHING
    if tell.state == CUT:
        return _cut(ctx, run, graph, now, tell)
    if tell.state == AWAY:
        return _give_up(ctx, run, graph, now, tell)
    if whole.state not in spreading.GOES_ON:
        return NOTHING  # it ended meanwhile
    made = 0
    if now.unmade:
        before = now
        now = spreading.make_more(ctx, run, graph, whole, now)
        made = (before.unmade - now.unmade) - (now.ended - before.ended)
    if now.unmade:
        return Heard([tell], -made)
    heard = _judge(ctx, run, graph, whole, now)
    if heard.fewer:
        _let_go(ctx, run, graph, whole)
    return heard._replace(fewer=heard.fewer - made)


def _let_go(ctx: Context, run: Run, graph: Graph, whole: Task) -> None:
    """Those whose turn it is, as everything stands now."""
    row, now = task_rows.get(ctx.store, whole.id), fanouts.get(ctx.store, whole.id)
    assert row is not None
    assert now is not None
    spreading.let_go(ctx, run, graph, row, now)


def _cut(ctx: Context, run: Run, graph: Graph, now: Fanout, tell: Tell) -> Heard:
    """End the members that have not, and ask agents to stop theirs."""
    whole = task_rows.get(ctx.store, now.task)
    assert whole is not None
    reason = CUTS.get(whole.state, CUT_REASON) or whole.reason
    at, ended, going, moved = tell.told, 0, 0, 0
    while at < now.made and ctx.room > 0:
        ctx.room -= ROW
        task = task_rows.get(ctx.store, now.first_task + at)
        at += 1
        if task is None or task.state in TASK_ENDS:
            continue
        moves = clock.moves(graph, run, task)
        holding.drop(ctx, task)
        if breaking.break_off(ctx, task, TaskEvent.CANCELLED, reason=reason):
            ended += 1
            going += task.queued_ms is not None
            moved += moves
    if moved:
        clock.count(ctx, run, graph, -moved)
    now = fanouts.change(ctx.store, now, ended=now.ended + ended, going=now.going - going)
    _give_back(ctx, whole, now)
    return Heard([tell._replace(told=at)] if at < now.made else [], ended)


def _give_up(ctx: Context, run: Run, graph: Graph, now: Fanout, tell: Tell) -> Heard:
    """Of the members that no agent has those whose agents are away: as failed, or skipped."""
    at, fewer, moved, tells = tell.told, 0, 0, list[Tell]()
    while at < now.made and ctx.room > 0 and not tells:
        ctx.room -= ROW
        task = task_rows.get(ctx.store, now.first_task + at)
        at += 1
        if task is None or task.state not in UNTAKEN or not task_views.is_away(ctx.store, task):
            continue
        ctx.room -= ROW
        moved += clock.moves(graph, run, task)
        fanout = graph.of(run, task).fanout
        assert fanout is not None
        event = TaskEvent.SKIPPED if fanout.skips_away else TaskEvent.EXPIRED
        state = closing.end_task(ctx, task, event, reason=f"agent {task.member} was away")
        heard = count(ctx, run, graph, task, state)
        fewer, tells = fewer + 1 + heard.fewer, heard.tells
    if moved:
        clock.count(ctx, run, graph, -moved)
    if at < now.made and not any(each.state == CUT for each in tells):
        tells = [*tells, tell._replace(told=at)]
    return Heard(tells, fewer)


def stop(ctx: Context, run: Run, graph: Graph, whole: Task, reason: str) -> Heard:
    """The whole, which goes on, ends as cancelled, and its members are."""
    now = fanouts.get(ctx.store, whole.id) or Fanout(whole.id, run.id, 0, 0, 0)
    return _end(ctx, run, graph, whole, now, RunEnds("cancelled", None, reason))
