"""The items of a staged apply are checked: each by itself, then what they ask for together.

Rules of this file:

1. What is checked stays true until the last turn, since nobody else edits. The one thing that moves on is
   time: a trigger with one instant may be over by the entry at which the stage goes live. Then all of it is
   checked again.
2. A dry run ends where another goes live. Edits go on beside it: it tells of each item as it was when it was
   looked at.
3. What it changes is counted by kind; the first of each word are told by name. What is in the way is too.
4. Bounded: a step takes what there is room for, one item at least. Who refers to what is deleted is looked at
   in as many steps as that takes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from scheduler.machine.context import EDGE, ROW, Context, refused
from scheduler.machine.rules import (
    allowances,
    cycles,
    hooked,
    nesting,
    owning,
    pins,
    references,
    revisions,
    route_counts,
    secret_uses,
    shared_asks,
    spent,
    substitutes,
    tick_limits,
)
from scheduler.machine.rules.shared_asks import Change
from scheduler.machine.rules.substitutes import Beside
from scheduler.machine.steps import editing, editing_objects, pruning, staging
from scheduler.machine.steps.editing import Judged
from scheduler.machine.steps.staging import JOB, New, Stored
from scheduler.model import bounds, known_dates, known_schedules
from scheduler.store.tables import job_schedules, staged, stages
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables.asked import WHOLE, of_job
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.objects import Object
from scheduler.store.tables.refs import Named
from scheduler.store.tables.staged import Item
from scheduler.store.tables.stages import Stage
from scheduler.words.commands import Deletion, PreparedJob, PreparedObject
from scheduler.words.lifecycle import StageEvent
from scheduler.words.outcomes import Code, Outcome

PROBLEMS_MAX = 20
NAMES_MAX = 100  #: of each word
NAMESPACES_MAX = 1_000
REFERRERS_A_LOOK = 2_000
SCHEDULES_MAX = 200  #: of one namespace in a stage with substitutes
CHECKED, TARGET, REFERRER = 4 * ROW, ROW // 2, 3 * EDGE
"""What an item takes of the room, beside its bytes; what it refers to; who refers to it."""


class _Found:
    """What one step finds."""

    def __init__(self, stage: Stage) -> None:
        self.problems: list[dict[str, object]] = []
        self.counts = stage.counts
        self.names: dict[str, list[Named]] = json.loads(stage.names)
        self.has_named = False
        self.asks: dict[str, tuple[int, int]] = {}
        self.routes: dict[str, int] = {}
        self.once_ms: list[int] = []  #: of new triggers with one instant
        self.changes: dict[tuple[str, str], int] = {}  #: what schedules ask for more than before

    def count(self, what: Named, word: str) -> None:
        counts = self.counts.setdefault(what.kind, {})
        counts[word] = counts.get(word, 0) + 1
        if word != "unchanged" and len(names := self.names.setdefault(word, [])) < NAMES_MAX:
            names.append(what)
            self.has_named = True

    def route(self, more: dict[str, int]) -> None:
        """So many routes more than before, by whose they are: of all namespaces those of WHOLE."""
        for scope, change in more.items():
            self.routes[scope] = self.routes.get(scope, 0) + change

    def ask(self, namespace: str, per_day: int, jobs: int) -> None:
        """So many instants a day more than before, and jobs."""
        for scope in (WHOLE, namespace):
            known = self.asks.get(scope, (0, 0))
            self.asks[scope] = known[0] + per_day, known[1] + jobs


def begin(ctx: Context, stage: Stage) -> Stage:
    """From the first item on."""
    staged.forget_asks(ctx.store, stage.id)
    turn, place = staged.FIRST
    return stages.change(
        ctx.store, stage, turn=turn, place=place, referrer=None, left_items=stage.items, soonest_ms=None,
        problems="[]", diff="{}", names="{}",
    )  # fmt: skip


def check(ctx: Context, stage: Stage) -> Stage:
    """Look at the next items. The last step has the stage go live, or end."""
    if stage.walked is not None:
        return pruning.gather(ctx, stage)
    items = staging.coming(ctx, stage, (stage.turn, stage.place))
    stored = staging.stored_of(ctx, items)
    found, looked = _Found(stage), 0
    referrer = None if stage.referrer is None else Named._make(json.loads(stage.referrer))
    for item in items:
        if looked and (ctx.room <= 0 or len(found.problems) == PROBLEMS_MAX):
            break
        ctx.room -= CHECKED + item.size // staging.BYTES_A_UNIT
        refusal: Outcome | None = None
        if item.is_deletion:
            refusal, referrer = _judge_referrers(ctx, stage, item, referrer)
            if referrer is not None:
                break
        looked += 1
        refusal = refusal or _judge(ctx, stage, staging.prepared(item), stored(item), found)
        if refusal is not None:
            found.problems.append(staging.problem(refusal, item.kind, item.namespace, item.name))
    stage = _note(ctx, stage, found, items[:looked], referrer)
    if not stage.left_items or len(json.loads(stage.problems)) == PROBLEMS_MAX:
        return _conclude(ctx, stage)
    return stage


def _judge(ctx: Context, stage: Stage, new: New, stored: Stored, found: _Found) -> Outcome | None:
    """The refusal of this item."""
    if isinstance(new, Deletion):
        return _judge_deletion(ctx, stage, new, stored, found)
    verdict: Judged | editing_objects.Judged | Outcome
    if isinstance(new, PreparedObject):
        what = editing_objects.named(new)
        verdict = editing_objects.judge(ctx, new, stage.source)
    else:
        assert not isinstance(stored, Object)
        what = Named(JOB, new.namespace, new.name)
        verdict = editing.judge(new, stored)
        if stored is not None and stored.source and isinstance(verdict, Judged) and not verdict.is_same:
            verdict = owning.judge(ctx.store, what, stored.source, stage.source) or verdict
    if isinstance(verdict, Outcome):
        return verdict
    if verdict.is_same:
        found.count(what, "unchanged")
        return _judge_targets(ctx, stage, what, new)
    found.count(what, "created" if stored is None else "changed")
    if isinstance(new, PreparedObject):
        found.route(route_counts.change(ctx.store, [new], ()))
    refusal = _judge_ticks(ctx, stage, verdict, found) if isinstance(verdict, Judged) else None
    refusal = refusal or _judge_targets(ctx, stage, what, new)
    if refusal is None and what.kind == known_schedules.KIND and isinstance(new, PreparedObject):
        refusal = _judge_substitutes(ctx, stage, new) or _judge_shared(ctx, stage, new, found)
    if refusal is None and isinstance(new, PreparedJob):
        refusal = pins.judge(ctx.store, [new], lambda *of: _pin_of_staged(ctx, stage, *of), is_staged=True)
    return refusal


def _pin_of_staged(ctx: Context, stage: Stage, namespace: str, name: str) -> str | None:
    item = staged.find(ctx.store, stage.id, known_dates.KIND, namespace, name)
    if item is None or item.is_deletion:
        return None
    calendar = staging.prepared(item)
    return calendar.pin if isinstance(calendar, PreparedObject) else None


def _judge_substitutes(ctx: Context, stage: Stage, new: PreparedObject) -> Outcome | None:
    items = staged.of_kind(ctx.store, stage.id, new.kind, new.namespace, SCHEDULES_MAX + 1)
    ctx.room -= sum(item.size for item in items) // staging.BYTES_A_UNIT
    if len(items) > SCHEDULES_MAX:
        if not substitutes.base_of(new.refers):
            return None
        detail = f"more than {SCHEDULES_MAX} schedules of namespace {new.namespace} are staged"
        said = f"{detail}, and {new.name} is a substitute: apply substitutes by themselves"
        return refused(Code.INVALID, said)
    return substitutes.judge(ctx.store, [new], _put_with(items))


def _judge_shared(ctx: Context, stage: Stage, new: PreparedObject, found: _Found) -> Outcome | None:
    """What those ask for who name it, or the schedule whose place it takes: each judged at the first of the
    items that concern it."""
    beside = _beside(ctx, stage, new.namespace, new.name)
    changes: list[Change] = []
    for of in shared_asks.concerned(ctx.store, {(new.namespace, new.name): new}):
        first = min(
            name for at, put in beside.items() for name in [at[1]]
            if of in shared_asks.concerned(ctx.store, {at: put})
        )  # fmt: skip
        if first == new.name and (change := shared_asks.change_of(ctx.store, *of, beside)):
            changes.append(Change(*of, change))
    if not changes:
        return None
    more = tick_limits.judge_shared(
        ctx.store, changes, lambda job: _is_put(ctx, stage, job),
        beside=lambda where, name: _change_of(ctx, stage, where, name, found),
        beside_most=_most_of_others(ctx, stage, changes, beside),
    )  # fmt: skip
    if isinstance(more, Outcome):
        return more
    ctx.room -= ROW * len(more)
    for whose, change in more.items():
        found.ask(whose, change, jobs=0)
    return None


def _most_of_others(
    ctx: Context, stage: Stage, changes: Sequence[Change], beside: Beside
) -> int:
    """For how much more one job may ask, at the most, by other schedules of the stage: of all namespaces,
    since it names those of any; where there are many, of those of this one alone."""
    if all(each.per_day <= 0 for each in changes):
        return 0
    items = staged.all_of_kind(ctx.store, stage.id, known_schedules.KIND, SCHEDULES_MAX + 1)
    if len(items) <= SCHEDULES_MAX:
        ctx.room -= sum(item.size for item in items) // staging.BYTES_A_UNIT
        beside = _put_with(items)
    given = {(each.namespace, each.name) for each in changes}
    others = [put.per_day for of, put in beside.items() if put is not None and of not in given]
    return sum(sorted(others)[-bounds.SCHEDULES_MAX :])


def _beside(
    ctx: Context, stage: Stage, namespace: str, name: str
) -> dict[tuple[str, str], PreparedObject | None]:
    """The schedules of this namespace in the stage; where there are many, and so no substitutes among them,
    this one alone."""
    items = staged.of_kind(ctx.store, stage.id, known_schedules.KIND, namespace, SCHEDULES_MAX + 1)
    if len(items) > SCHEDULES_MAX:
        one = staged.find(ctx.store, stage.id, known_schedules.KIND, namespace, name)
        items = [] if one is None else [one]
    ctx.room -= sum(item.size for item in items) // staging.BYTES_A_UNIT
    return _put_with(items)


def _put_with(items: Sequence[Item]) -> dict[tuple[str, str], PreparedObject | None]:
    found = [(item, staging.prepared(item)) for item in items]
    return {
        (item.namespace, item.name): put if isinstance(put, PreparedObject) else None for item, put in found
    }


def _is_put(ctx: Context, stage: Stage, job: int) -> bool:
    """Whether this job is judged by itself: it comes otherwise than it is, or goes, with the stage."""
    row = job_rows.get(ctx.store, job)
    item = row and staged.find(ctx.store, stage.id, JOB, row.namespace, row.name)
    if row is None or item is None:
        return False
    ctx.room -= CHECKED + item.size // staging.BYTES_A_UNIT
    new = staging.prepared(item)
    return not isinstance(new, PreparedJob) or new.spec != row.spec


def _without_shared(ctx: Context, stage: Stage, job: Job, found: _Found) -> None:
    """One that comes otherwise or goes asks for what it says: not for what schedules ask for by this stage
    of all that name them."""
    for namespace, name, _ in job_schedules.of(ctx.store, job.id):
        if change := _change_of(ctx, stage, namespace, name, found):
            found.ask(job.namespace, -change, jobs=0)


def _change_of(ctx: Context, stage: Stage, namespace: str, name: str, found: _Found) -> int:
    """What this schedule asks for more by the stage."""
    if (namespace, name) not in found.changes:
        beside = _beside(ctx, stage, namespace, name)
        found.changes[namespace, name] = shared_asks.change_of(ctx.store, namespace, name, beside)
    return found.changes[namespace, name]


def _judge_ticks(ctx: Context, stage: Stage, verdict: Judged, found: _Found) -> Outcome | None:
    new, known = verdict.new, None if verdict.job is None else verdict.job.id
    if over := editing.find_spent(ctx, verdict, ctx.stamp_ms):
        detail = f"{len(over)} new triggers fire only in the past, or never"
        return refused(Code.PAST, detail, triggers=over)
    refusal = allowances.judge_words(ctx.store, new) or secret_uses.judge(ctx.store, [new])
    refusal = refusal or _judge_cycles(ctx, stage, new) or _judge_waiting(ctx, stage, new)
    refusal = refusal or hooked.judge(ctx.store, [new])
    if refusal is not None:
        return refusal
    more = tick_limits.judge_job(ctx.store, new, known)
    if isinstance(more, Outcome):
        return more
    found.ask(new.namespace, more, jobs=known is None)
    if verdict.job is not None:
        _without_shared(ctx, stage, verdict.job, found)
    once_ms = spent.soonest_ms(ctx.store, new, known)
    found.once_ms += [] if once_ms is None else [once_ms]
    return None


def _judge_cycles(ctx: Context, stage: Stage, new: PreparedJob) -> Outcome | None:
    heard = cycles.heard_by(new)
    if not heard:
        return None

    def beside(job: str) -> tuple[int, list[str]] | None:
        namespace, _, name = job.partition("/")
        item = staged.find(ctx.store, stage.id, JOB, namespace, name)
        if item is None or item.is_deletion:
            return None
        ctx.room -= CHECKED + item.size // staging.BYTES_A_UNIT
        put = staging.prepared(item)
        assert isinstance(put, PreparedJob)
        return item.place, cycles.heard_by(put)

    own = f"{new.namespace}/{new.name}"
    known = beside(own)
    return cycles.judge_one(ctx.store, own, 0 if known is None else known[0], heard, beside)


def _judge_waiting(ctx: Context, stage: Stage, new: PreparedJob) -> Outcome | None:
    def beside(namespace: str, name: str) -> bytes | None:
        item = staged.find(ctx.store, stage.id, JOB, namespace, name)
        if item is None or item.is_deletion:
            return None
        ctx.room -= CHECKED + item.size // staging.BYTES_A_UNIT
        put = staging.prepared(item)
        assert isinstance(put, PreparedJob)
        return put.spec

    return nesting.judge_one(ctx.store, new, beside)


def _judge_targets(
    ctx: Context, stage: Stage, what: Named, new: PreparedJob | PreparedObject
) -> Outcome | None:
    """What it refers to is there, or comes with the stage, and does not go with it."""
    if not new.refers:
        return None
    ctx.room -= TARGET * len(new.refers)
    targets = [Named._make(target) for target in new.refers]
    staged_ones = {target: staged.deletes(ctx.store, stage.id, *target) for target in targets}
    puts = {target: () for target, is_deletion in staged_ones.items() if is_deletion is False}
    gone = {target: None for target, is_deletion in staged_ones.items() if is_deletion}
    return references.missing(ctx.store, {what: new.refers, **puts}, gone)


def _judge_deletion(
    ctx: Context, stage: Stage, new: Deletion, stored: Stored, found: _Found
) -> Outcome | None:
    what = Named(new.kind, new.namespace, new.name)
    if stored is None:
        # Somebody was quicker, which nobody is where it goes live.
        return None if stage.dry_run else refused(Code.NOT_FOUND, f"no {what}", **what._asdict())
    if isinstance(stored, Job):
        found.ask(new.namespace, -of_job(ctx.store, stored.id), jobs=-1)
        _without_shared(ctx, stage, stored, found)
    found.count(what, "deleted")
    found.route(route_counts.change(ctx.store, (), [what]))
    wrong = revisions.judge(what, stored.revision, new.if_revision)
    return wrong or owning.judge(ctx.store, what, stored.source, stage.source)


def _judge_referrers(
    ctx: Context, stage: Stage, item: Item, after: Named | None
) -> tuple[Outcome | None, Named | None]:
    """The refusal of what is deleted and still referred to; and the last that was looked at, if there are
    more. Who is staged itself is judged by what it refers to from then on."""
    what = Named(item.kind, item.namespace, item.name)
    begin = after or Named("", "", "")
    found, last = staged.referrers(ctx.store, stage.id, what, begin, REFERRERS_A_LOOK)
    ctx.room -= REFERRER * (len(found) if last is None else REFERRERS_A_LOOK)
    if found:
        return references.in_the_way(what, [Named._make(row) for row in found]), None
    return None, None if last is None else Named._make(last)


def _note(ctx: Context, stage: Stage, found: _Found, looked: list[Item], referrer: Named | None) -> Stage:
    """What was found stands in the stage's row from now on."""
    for scope in dict.fromkeys((*found.asks, *found.routes)):
        asked = (*found.asks.get(scope, (0, 0)), found.routes.get(scope, 0))
        if any(asked):
            staged.ask(ctx.store, staged.Asked(stage.id, scope, *asked))
    if staged.asks_of_more_than(ctx.store, stage.id, NAMESPACES_MAX):
        refusal = refused(Code.LIMIT, f"it changes more than {NAMESPACES_MAX} namespaces")
        found.problems.append(staging.problem(refusal))
    once_ms = [ms for ms in (*found.once_ms, stage.soonest_ms) if ms is not None]
    problems = [*json.loads(stage.problems), *found.problems][:PROBLEMS_MAX]
    turn, place = (looked[-1].turn, looked[-1].place) if looked else (stage.turn, stage.place)
    names = {"names": json.dumps(found.names)} if found.has_named else {}
    return stages.change(
        ctx.store, stage, turn=turn, place=place, left_items=stage.left_items - len(looked),
        referrer=None if referrer is None else json.dumps(referrer), soonest_ms=min(once_ms, default=None),
        problems=json.dumps(problems), diff=json.dumps(found.counts), **names,
    )  # fmt: skip


def _conclude(ctx: Context, stage: Stage) -> Stage:
    problems = json.loads(stage.problems)
    if not problems and (too_many := _judge_together(ctx, stage)):
        problems = [staging.problem(too_many, namespace=str((too_many.value or {})["namespace"]))]
    if problems:
        return staging.refuse(ctx, stage, problems)
    if stage.dry_run:
        return staging.move(ctx, stage, StageEvent.JUDGED)
    if stage.soonest_ms is not None and stage.soonest_ms <= ctx.stamp_ms:
        return begin(ctx, stage)
    return staging.move(
        ctx, stage, StageEvent.PASSED,
        at_ms=ctx.stamp_ms, at_idx=ctx.state.idx, left_items=stage.items,
    )  # fmt: skip


def _judge_together(ctx: Context, stage: Stage) -> Outcome | None:
    """What no item is refused for by itself."""
    asks = staged.asks(ctx.store, stage.id)
    ticks = tick_limits.judge_scopes(ctx.store, [(asked.namespace, asked.per_day) for asked in asks])
    counts = (allowances.judge_count(ctx.store, asked.namespace, asked.jobs) for asked in asks)
    routes = route_counts.judge(ctx.store, {asked.namespace: asked.routes for asked in asks})
    return ticks or next(filter(None, counts), None) or routes
