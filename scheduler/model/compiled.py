"""A job as the machine and the planner read it: plain values, no pydantic, durations in milliseconds.

Made from the canonical bytes that the state stores (`scheduler.model.canonical`), the same on every node.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from scheduler.model.checks import check_tasks, is_check
from scheduler.model.compiled_group import CompiledGroup, compiled_group, held_by
from scheduler.model.date_expressions import KINDS
from scheduler.model.exit_codes import Exits, codes_of, compiled_exits
from scheduler.model.expected import Expected, compiled_expected
from scheduler.model.locks import GROUP, RUN, TASK, Lock, compiled_locks
from scheduler.model.members import OUTPUT, CompiledFanout, compiled_fanout
from scheduler.model.named import resolved
from scheduler.model.notify import compiled_targets
from scheduler.model.openings import Openings, compiled_openings
from scheduler.model.ordering import compiled_zone
from scheduler.model.outputs import share_of
from scheduler.model.overlap_key import parts_of
from scheduler.model.quantities import parse_duration_ms, parse_size_bytes
from scheduler.model.required import Requires, compiled_requires
from scheduler.model.schedule_names import KIND, words_key
from scheduler.model.scopes import OUTER, Scope, Scopes
from scheduler.model.secret_uses import SecretUse, compiled_uses
from scheduler.model.unsaid import filled
from scheduler.model.when import asked_beside
from scheduler.model.work import compiled_work
from scheduler.words.json_text import json_text, json_value

WEIGHT_MAX = 100_000
"""Of the compiled jobs that anything keeps (`CompiledJob.weight`): some 100 MB if all of them are large."""


class CompiledTask(NamedTuple):
    """A tuple, since a job may have thousands: made in a quarter of the time of a frozen dataclass."""

    name: str
    work: dict[str, Any]  #: as scheduler.protocol.Assign.work
    happens: str  #: agent | state | node | group: in the tasks that it consists of
    executor: str  #: the kind of work that its agent must offer; empty: it happens on none
    features: tuple[str, ...]  #: of that kind, that its agent must know, sorted
    lasts_ms: int  #: of work in the state
    user: str | None  #: of its agent's host, that it runs as; empty: the agent's own; None: it starts nothing
    needs: tuple[str, ...]
    rule: str  #: all_success | none_failed | all_done | any_failed | any_success | n_of
    wanted: int  #: so many of its needs are to end as the rule asks
    when: str  #: its condition; empty: none
    asks: tuple[str, ...]  #: tasks beside its needs that the condition asks, and so waits for
    allow_failure: bool
    pool: str
    labels: tuple[tuple[str, str], ...]
    zone: str | None  #: model.placement.compiled_zone
    retry_max: int  #: retries after the first attempt
    retry_backoff: str  #: constant | exponential
    retry_first_ms: int
    retry_cap_ms: int
    timeout_ms: int | None
    grace_ms: int
    output_bytes_max: int
    retry_delays_ms: tuple[int, ...] = ()  #: instead of backoff, first and cap
    retry_on: frozenset[int | str] | None = None  #: exit codes and failed | timed_out | lost; None: all
    exits: Exits | None = None
    match: tuple[tuple[str, str], ...] = ()  #: labels and the patterns that they fit
    unlike: tuple[tuple[str, str], ...] = ()  #: or do not
    same_as: str = ""  #: it goes where this task had its last attempt
    locks: tuple[Lock, ...] = ()  #: what it takes before it starts, and its run if that has not
    scope: Scope = OUTER  #: the graph that it is in
    fanout: CompiledFanout | None = None  #: over what it is divided
    async_ms: int | None = None  #: within which somebody outside completes it; None: its process ends it

    @property
    def waits_for_run(self) -> bool:
        """Its work in the state is to wait for a run of another job."""
        return self.happens == "state" and self.work.get("wait") is True


class CompiledNotice(NamedTuple):
    on: tuple[str, ...]  #: what it tells of
    kind: str  #: of node/effects
    target: str


class OfTrigger(NamedTuple):
    """What a trigger says of its runs."""

    overlap: str  #: empty: as the job does
    params: str  #: of its runs, as canonical JSON


class CompiledJob(msgspec.Struct, frozen=True):
    """A struct: each put and each first run makes one, in a fifth of the time of a frozen dataclass."""

    namespace: str
    name: str
    enabled: bool
    tasks: tuple[CompiledTask, ...]  #: and groups, in topological order; those of `finally` last
    by_name: dict[str, CompiledTask]  #: the same
    kept_last: int  #: how many those are
    checks: int  #: how many of the first ask agents for what its runs require (checks)
    overlap: str  #: skip | queue_one | queue_all | cancel_running | terminate_running | allow
    overlap_max: int  #: runs that may be active before that is asked
    overlap_key: tuple[str, ...]  #: of runs that count for each other: parts (overlap_key); empty: all do
    catchup_mode: str  #: none | latest | all
    catchup_grace_ms: int
    catchup_window_ms: int
    catchup_max: int
    start_deadline_ms: int | None
    timeout_ms: int | None
    on_lost: str  #: wait | fail | retry
    holds_failures: bool  #: a task whose last try failed waits for a person (on_failure: hold)
    idempotent: bool
    priority: int
    pause_after_failures: int | None
    retention_runs: int
    retention_age_ms: int
    params: str  #: of a run that nobody gives any: the defaults, as canonical JSON
    times: tuple[tuple[str, str], ...]  #: parameters that are a date, datetime or duration, with that type
    calendar: tuple[str, str] | None  #: namespace and name of that by which dates among them are counted
    of_triggers: dict[str, OfTrigger]  #: by key, of those alone that have words of their own
    labels: str  #: of the job, as canonical JSON
    owner: str
    criticality: str
    notify: tuple[CompiledNotice, ...]
    vars: tuple[tuple[str, str], ...]  #: namespace and name of each, in its order
    not_restartable: bool  #: none of its runs goes on in the middle
    secrets: dict[str, tuple[SecretUse, ...]]  #: of those tasks alone that are given any
    outputs: dict[str, tuple[str, ...]]  #: names, of those tasks alone that have any
    outputs_bytes_max: int  #: of each of them
    requires: Requires | None  #: of other jobs and of boards; None: nothing
    openings: Openings | None  #: when its runs may start; None: at any time
    expected: Expected | None  #: what is told where it does not hold; None: nothing
    failure_delays: tuple[tuple[int, int], ...]  #: failed runs in a row, and how long the next waits, in ms
    locks: tuple[Lock, ...]  #: that a run takes as its first task is placed
    groups: tuple[CompiledGroup, ...]
    autonomy_ms: int | None  #: so long ahead an agent has its ticks, and may start them alone; None: never
    spec_bytes: int  #: length of what it was made from

    @property
    def weight(self) -> int:
        """What it costs to keep, in tasks of about a KiB: few tasks may have long texts."""
        edges = sum([len(task.needs) + len(task.asks) for task in self.tasks])
        graph = len(self.tasks) + edges // 16
        return max(graph, self.spec_bytes >> 10)

    def givers(self, name: str) -> list[str]:
        """The tasks whose outputs this one is given: of what it needs, and of what its group needs; of a
        group those of all that is inside. What catches a failure gets those of what may have failed."""
        boxes = {self.tasks[group.place].name: group for group in self.groups}
        task = self.by_name.get(name)
        named = list(task.needs) if task is not None else []
        if task is not None and task.scope.group:
            group = boxes[task.scope.group]
            named += self.tasks[group.place].needs
            tried = self.tasks[group.place + 1 : group.place + 1 + group.tasks]
            named += [each.name for each in tried] if task.scope.is_catch else []
        found: dict[str, None] = {}
        for each in named:
            box = boxes.get(each)
            inside = () if box is None else self.tasks[box.place + 1 : box.place + 1 + box.tasks + box.catch]
            found |= dict.fromkeys([each, *(one.name for one in inside)])
        return [each for each in found if each in self.outputs]

    def on_lost_of(self, task: str) -> str:
        """What is only looked at may be looked at twice."""
        return "retry" if is_check(task) else self.on_lost

    def overlap_of(self, trigger: str) -> str:
        """Of the runs of the trigger with this key."""
        if not self.of_triggers:
            return self.overlap
        own = self.of_triggers.get(trigger) or self.of_triggers.get(words_key(trigger))
        return own.overlap or self.overlap if own else self.overlap

    def params_of(self, trigger: str) -> str:
        """Of the runs of the trigger with this key, where nothing else gives any: canonical JSON."""
        if not self.of_triggers:
            return self.params
        own = self.of_triggers.get(trigger) or self.of_triggers.get(words_key(trigger))
        return own.params if own else self.params

    @property
    def dated(self) -> tuple[tuple[str, str], ...]:
        """Those parameters that dates may be counted for, with their type."""
        return tuple([each for each in self.times if each[1] in KINDS]) if self.times else ()

    @property
    def roots(self) -> list[CompiledTask]:
        """The tasks before which nothing of their run has to end, or begin."""
        most = len(self.tasks) - self.kept_last
        return [task for task in self.tasks[:most] if not task.needs and task.scope is OUTER]

    @property
    def placed_early(self) -> CompiledTask | None:
        """The only first task, of which an attempt can be placed with its run: what takes locks takes them in
        the order of those that wait, and what is divided has no attempt itself."""
        roots = self.roots
        if len(roots) != 1 or roots[0].happens != "agent" or roots[0].locks or roots[0].fanout is not None:
            return None
        return roots[0]

    def outline(self) -> CompiledJob:
        """What decides about ticks and upkeep, small however large the job is: no parameters, and of its
        tasks the only first one, where there is just one, and where it may run."""
        roots = self.roots
        first = tuple(task._replace(work={}) for task in roots) if len(roots) == 1 else ()
        of_triggers = {key: own._replace(params="{}") for key, own in self.of_triggers.items()}
        return msgspec.structs.replace(
            self, tasks=first, by_name={task.name: task for task in first}, kept_last=0, checks=0,
            params="{}", of_triggers=of_triggers, outputs={}, groups=(), spec_bytes=0,
        )


def compile_job(spec: bytes) -> CompiledJob:
    """The job of these canonical bytes. Raises ValueError for bytes that `canonical` did not make."""
    try:
        return _job(filled(json_value(spec)), len(spec))
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"not a canonical job: {error!r}") from error


def _job(shape: dict[str, Any], spec_bytes: int) -> CompiledJob:
    policies, tasks = shape["policies"], shape["tasks"]
    beyond, most, key = policies["overlap"], 1, ""
    if isinstance(beyond, dict):
        beyond, most, key = beyond["then"], beyond["max"], beyond.get("key", "")
    params = shape.get("params") or {}
    defaults = _defaults(params) if params else {}
    catchup, retention = policies["catchup"], policies["retention"]
    last = frozenset(shape.get("finally", ()))
    groups = shape.get("groups", {})
    boxes = {**tasks, **groups} if groups else tasks
    scopes = Scopes(groups) if groups else _NO_SCOPES
    order = scopes.ordered({name: box["needs"] for name, box in boxes.items()})
    if len(order) != len(boxes):
        raise ValueError("not a canonical job: its tasks need each other in a cycle")
    if last:
        order.sort(key=last.__contains__)  # stable: those that are kept for last come behind all others
    checks = check_tasks(shape["requires"]) if shape.get("requires") else {}
    order = [*checks, *order]
    outputs = {name: tuple(task["outputs"]) for name, task in tasks.items() if "outputs" in task}
    share = share_of(len(outputs))
    namespace = shape["namespace"]
    locks = compiled_locks(policies["locks"], namespace, RUN) if "locks" in policies else ()
    held = _held(groups, namespace, locks) if groups else {}
    compiled = [
        _task(name, checks[name], share, scopes, last, (), namespace) if name in checks
        else _box(name, groups[name], held.get(name, ())) if name in groups
        else _task(
            name, tasks[name], share, scopes, last,
            held_by(scopes, name, locks, held) if held else locks, namespace,
        )
        for name in order
    ]  # fmt: skip
    return CompiledJob(
        namespace=namespace,
        name=shape["job"],
        enabled=shape["enabled"],
        tasks=tuple(compiled),
        by_name=dict(zip(order, compiled, strict=True)),
        kept_last=len(last),
        checks=len(checks),
        overlap=beyond,
        overlap_max=most,
        overlap_key=parts_of(key) if key else (),
        catchup_mode=catchup["mode"],
        catchup_grace_ms=parse_duration_ms(catchup["grace"]),
        catchup_window_ms=parse_duration_ms(catchup["window"]),
        catchup_max=catchup["max"],
        start_deadline_ms=_optional_ms(policies.get("start_deadline")),
        timeout_ms=_optional_ms(policies.get("timeout")),
        on_lost=policies["on_lost"],
        holds_failures=policies["on_failure"] == "hold",
        idempotent=policies["idempotent"],
        priority=policies["priority"],
        pause_after_failures=policies.get("pause_after_failures") or _pauses_after(policies),
        retention_runs=retention["runs"],
        retention_age_ms=parse_duration_ms(retention["age"]),
        params=_text(defaults),
        times=tuple([(name, each["type"]) for name, each in params.items() if each["type"] in _TIMES]),
        calendar=resolved(policies["calendar"], namespace) if "calendar" in policies else None,
        of_triggers=_of_triggers(shape["triggers"], defaults) if shape.get("triggers") else {},
        labels=_text(shape.get("labels") or {}),
        owner=shape["owner"],
        criticality=shape["criticality"],
        notify=_notices(shape) if shape.get("notify") else (),
        vars=tuple([resolved(text, namespace) for text in shape["vars"]]) if shape.get("vars") else (),
        not_restartable=policies.get("not_restartable", False),
        secrets={
            name: compiled_uses(task, shape["namespace"]) for name, task in tasks.items() if "secrets" in task
        },
        outputs=outputs,
        outputs_bytes_max=share,
        requires=compiled_requires(shape),
        openings=compiled_openings(policies),
        expected=compiled_expected(shape) if "expect" in shape else None,
        failure_delays=tuple(
            [
                (int(number), parse_duration_ms(wait))
                for number, wait in policies["failures"].items()
                if wait != "pause"
            ]
        )
        if "failures" in policies
        else (),
        locks=locks,
        groups=tuple(
            [
                compiled_group(place, groups[name], scopes, name, held.get(name, ()))
                for place, name in enumerate(order)
                if name in groups
            ]
        )
        if groups
        else (),
        autonomy_ms=parse_duration_ms(policies["autonomy"]["window"]) if "autonomy" in policies else None,
        spec_bytes=spec_bytes,
    )


_NO_SCOPES = Scopes(None)
_TIMES = ("date", "datetime", "duration")


def _defaults(params: dict[str, Any]) -> dict[str, Any]:
    return {name: each["default"] for name, each in params.items() if each.get("default") is not None}


def _held(groups: dict[str, Any], namespace: str, locks: tuple[Lock, ...]) -> dict[str, tuple[Lock, ...]]:
    return {
        name: compiled_locks(group["locks"], namespace, GROUP, locks)
        for name, group in groups.items()
        if "locks" in group
    }


def _of_triggers(triggers: list[dict[str, Any]], defaults: dict[str, Any]) -> dict[str, OfTrigger]:
    return {
        trigger.get("id") or trigger[KIND]: OfTrigger(
            trigger.get("overlap", ""), _text({**defaults, **trigger.get("params", {})})
        )
        for trigger in triggers
        if "params" in trigger or "overlap" in trigger
    }


_NO_RETRY: dict[str, Any] = {"max": 0, "backoff": "constant", "first": "10s", "cap": "10m"}


def _task(
    name: str, task: dict[str, Any], share: int, scopes: Scopes, last: frozenset[str], held: tuple[Lock, ...],
    namespace: str,
) -> CompiledTask:
    place, retry = task["on"], task.get("retry")
    timeout_ms = parse_duration_ms(task["timeout"]) if "timeout" in task else None
    async_ms = parse_duration_ms(task["async"]["timeout"]) if "async" in task else None
    if async_ms is not None:  # which is for all of it, its process too
        timeout_ms = async_ms if timeout_ms is None else min(timeout_ms, async_ms)
    again, delays_ms = _again(retry) if retry else _NEVER_AGAIN
    pool = place["pool"]
    zone = compiled_zone(place) if "zone" in place or "strategy" in place else None  # of most: neither
    needs, rule, when = tuple(task["needs"]), task["rule"], task.get("when", "")
    wanted = len(needs)
    if rule != "all_success":
        rule, wanted = _rule(rule, wanted)
    labels = tuple(sorted(place["labels"].items())) if place["labels"] else ()
    # Raises TypeError for what is no key: the machine keeps selectors by it.
    hash((pool, labels, zone, task.get("run_as")))
    work = compiled_work(task)
    scope, is_last = scopes.of.get(name, OUTER), name in last
    asks = asked_beside(when, needs) if when else ()
    fanout = compiled_fanout(task) if "fanout" in task else None
    if fanout is not None and fanout.over == OUTPUT and fanout.task not in (*needs, *asks):
        asks = (*asks, fanout.task)
    if asks and (scopes.tasks or last):  # what is in another graph, or of the rest, has ended by then
        asks = tuple(
            [each for each in asks if scopes.of_task(each) == scope and (each in last) == is_last]
        )
    if "outputs" in task:
        work[0]["outputs"] = [list(task["outputs"]), share]
    return CompiledTask(
        name,
        *work,
        needs,
        rule,
        wanted,
        when,
        asks,
        task["allow_failure"],
        pool,
        labels,
        zone,
        *again,
        timeout_ms,
        parse_duration_ms(task["grace"]),
        parse_size_bytes(task["output_limit"]),
        delays_ms,
        _ends(retry["on"]) if retry and "on" in retry else None,
        compiled_exits(task) if "exit" in task or "stderr" in task else None,
        tuple(sorted(place["match"].items())) if "match" in place else (),
        tuple(sorted(place["not"].items())) if "not" in place else (),
        place.get("same_as", ""),
        (*held, *compiled_locks(task["locks"], namespace, TASK, held)) if "locks" in task else held,
        scope,
        fanout,
        async_ms,
    )


def _box(name: str, group: dict[str, Any], locks: tuple[Lock, ...]) -> CompiledTask:
    """A group begins and ends as a task does, and its work is that of its tasks."""
    needs, when, retry = tuple(group["needs"]), group.get("when", ""), group.get("retry") or _NO_RETRY
    rule, wanted = _rule(group["rule"], len(needs))
    (most, backoff, first_ms, cap_ms), delays_ms = _again(retry)
    return CompiledTask(
        name=name, work={}, happens="group", executor="", features=(), lasts_ms=0, user=None,
        needs=needs, rule=rule, wanted=wanted, when=when, asks=asked_beside(when, needs) if when else (),
        allow_failure=False, pool="", labels=(), zone=None, retry_max=most, retry_backoff=backoff,
        retry_first_ms=first_ms, retry_cap_ms=cap_ms, timeout_ms=None, grace_ms=0, output_bytes_max=0,
        retry_delays_ms=delays_ms, locks=locks,
    )  # fmt: skip


def _again(retry: dict[str, Any]) -> tuple[tuple[int, str, int, int], tuple[int, ...]]:
    """How often, with which backoff, its first wait and its longest; and the waits one by one, where it says
    them."""
    first_ms = parse_duration_ms(retry.get("first", "10s"))
    cap_ms = parse_duration_ms(retry.get("cap", "10m"))
    delays_ms = tuple([parse_duration_ms(each) for each in retry.get("delays", ())])
    return (retry["max"], retry.get("backoff", "constant"), first_ms, cap_ms), delays_ms


_NEVER_AGAIN = _again(_NO_RETRY)


def _rule(rule: str | dict[str, int], needs: int) -> tuple[str, int]:
    """Its word, and how many of so many needs are to end as it asks."""
    if isinstance(rule, dict):
        ((word, wanted),) = rule.items()
        return word, wanted
    return rule, 1 if rule.startswith("any_") and needs else needs


def _ends(entries: list[int | str]) -> frozenset[int | str]:
    """Of `retry.on`: each exit code by itself, and the words."""
    words = [entry for entry in entries if isinstance(entry, str) and entry[:1].isalpha()]
    return frozenset([*words, *codes_of(entry for entry in entries if entry not in words)])


def _notices(shape: dict[str, Any]) -> tuple[CompiledNotice, ...]:
    criticality = shape["criticality"]
    return tuple(
        [
            CompiledNotice(tuple(each["on"]), kind, target)
            for each in shape["notify"]
            if criticality in each.get("criticality", (criticality,))
            for kind, target in compiled_targets(each)
        ]
    )


def _pauses_after(policies: dict[str, Any]) -> int | None:
    """Failed runs in a row, by its steps; None: it is never paused for that."""
    steps = policies.get("failures", {}).items()
    return next((int(number) for number, wait in steps if wait == "pause"), None)


def _optional_ms(text: str | None) -> int | None:
    return None if text is None else parse_duration_ms(text)


def _text(value: object) -> str:
    return json_text(value).decode() if value else "{}"

