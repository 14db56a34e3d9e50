"""Whether the conditions of a job's tasks and groups (`when`, `until`) mean something: each name known, each
part of the type that it needs, each task that is asked one that has ended when the condition is judged."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, NamedTuple

from scheduler.model.expressions import (
    ANY,
    BOOLEAN,
    DATE,
    DURATION,
    INSTANT,
    LIST,
    MAP,
    NUMBER,
    TEXT,
    ExpressionError,
    Type,
    checked,
)
from scheduler.model.graph import EDGES_MAX, Graph, topological_order
from scheduler.model.problems import Problem, Refused, pointer_of
from scheduler.model.scopes import Scopes, begin_of
from scheduler.model.when import ASKED, OUTPUT, PARAMS, PLAN_DATE, TASKS_MAX, TICK, VARS, asked_of, read_when

PROBLEMS_MAX = 100
GUESSED_AMONG_MAX = 1_000
_TYPES = {
    "string": TEXT, "integer": NUMBER, "number": NUMBER, "boolean": BOOLEAN, "date": DATE,
    "datetime": INSTANT, "duration": DURATION, "list": LIST, "map": MAP,
}  # fmt: skip
"""Of a parameter; of another word its own check says what is wrong."""


class _Run:
    """What may be asked in the condition of one task."""

    def __init__(
        self,
        task: str,
        tasks: Mapping[Any, Any],
        graph: Graph,
        scopes: Scopes,
        before: frozenset[str],
        params: Any,
        has_vars: bool,
        extra: bool,
    ) -> None:
        """`task`: or the group that begins, or is over."""
        self._task = task
        self._scopes = scopes
        self._tasks = tasks
        self._graph = graph
        self._before = before
        self._params = params if isinstance(params, dict) else {}
        self._has_vars = has_vars
        self._extra = extra

    def type_of(self, path: str) -> Type:
        asked = asked_of(path)
        if asked.of in (PLAN_DATE, TICK):
            return DATE if asked.of == PLAN_DATE else INSTANT
        if asked.of == PARAMS:
            return self._param(asked.name)
        if asked.of == VARS:
            if not self._has_vars:
                raise Refused(f"{path}: the job names no vars", "such as vars: [NAME], at the top of the job")
            return ANY
        if asked.name in self._scopes.tasks and (asked.of == OUTPUT or asked.what == "exit_code"):
            hint = f"ask how it ended, such as {asked.name}.succeeded"
            raise Refused(f"{asked.name} is a group, and has no {path[len(asked.name) + 1 :][:80]}", hint)
        if asked.of == OUTPUT:
            self._need_before(path, asked.name)
            return self._output(asked.name, asked.what)
        return self._of_task(path, asked.name, asked.what)

    def _output(self, task: str, name: str) -> Type:
        fields = self._tasks.get(task)
        given = fields.get("outputs") if isinstance(fields, dict) else None
        names = [each for each in given if isinstance(each, str)] if isinstance(given, list | tuple) else []
        if name not in names:
            near = difflib.get_close_matches(name[:64], names, 1)
            hint = f"outputs: [{name[:64]}] in {task} declares it"
            if near:
                hint = f"did you mean {task}.outputs.{near[0]}?"
            raise Refused(f"{task} has no output {name[:64]!r}", hint)
        return ANY

    def _param(self, name: str) -> Type:
        param = self._params.get(name)
        if param is None and self._extra:
            return TEXT
        if param is None:
            near = difflib.get_close_matches(name[:64], self._params, 1)
            declared = ", ".join(sorted(self._params))[:400] or "none"
            hint = f"did you mean {PARAMS}.{near[0]}?" if near else f"declared: {declared}"
            raise Refused(f"the job declares no parameter {name[:64]!r}", hint)
        kind = param.get("type") if isinstance(param, dict) else None
        return _TYPES.get(kind, ANY) if isinstance(kind, str) else ANY

    def _of_task(self, path: str, name: str, what: str) -> Type:
        if path in self._params:
            raise Refused(f"{path} says nothing of a task", f"did you mean {PARAMS}.{path}?")
        if not what or (path in self._graph and what not in ASKED):
            hint = f"such as {path}.succeeded" if path in self._graph else self._near(path)
            raise Refused(f"{path} says nothing of a task", hint)
        if name in self._graph and what not in ASKED:
            near = difflib.get_close_matches(what[:40], ASKED, 1)
            hint = f"did you mean {name}.{near[0]}?" if near else f"there are {_known(name)}"
            raise Refused(f"{what!r} is nothing that a task has", hint)
        self._need_before(path, name)
        return ASKED[what]

    def _need_before(self, path: str, name: str) -> None:
        if name not in self._graph:
            raise Refused(f"there is no task {name[:128]!r}", self._near(name, path[len(name) :]))
        if name == self._task:
            raise Refused(f"{path} asks for its own end", "it is judged before the task begins")
        there, own = self._scopes.of_task(name).group, self._scopes.of_task(self._task).group
        if there and there not in (self._task, own):
            hint = f"ask {there}{path[len(name) :]}" if path[len(name) + 1 :] in ASKED else f"ask {there}"
            raise Refused(f"{name} is inside of group {there}, which is one box for what is outside", hint)
        if name not in self._before:
            needs = f"groups.{own}.needs" if own and not there else "its needs"
            hint = (
                f"add {name} to {needs}"
                if there != self._task and name != own
                else "it is judged before that"
            )
            raise Refused(f"it does not wait for {name}", hint)

    def _near(self, name: str, after: str = "") -> str:
        near = difflib.get_close_matches(name[:128], list(self._graph)[:GUESSED_AMONG_MAX], 1)
        if near:
            return f"did you mean {near[0]}{after}?"
        return "ask a task, such as TASK.succeeded, or params.NAME, vars.NAME, plan_date, tick"


def _known(task: str) -> str:
    return ", ".join([*(f"{task}.{asked}" for asked in ASKED), f"{task}.outputs.NAME"])


class _Condition(NamedTuple):
    pointer: str
    of: str  #: the task or the group
    place: str  #: what has ended before this, by the flow of the job, can be asked
    text: str


def when_problems(
    tasks: Mapping[Any, Any], graph: Graph, scopes: Scopes, groups: object, params: object, *, has_vars: bool,
    last: tuple[str, ...] = (), extra: bool = False,
) -> list[Problem]:  # fmt: skip
    """What is wrong with the conditions of these tasks and groups, which are as they were given: the first
    hundred. `graph`: of their names and needs. `last`: those that begin when all others have ended."""
    conditions = _conditions(tasks, groups)
    if not conditions:
        return []
    asks = {each.place: read for each in conditions if (read := _asks(each.text))}
    before = ended_before(scopes.flow(graph), asks, last)
    problems: list[Problem] = []
    edges = sum(len(set(asks.get(each.place, ())).difference(graph[each.of])) for each in conditions)
    if edges + sum(map(len, graph.values())) > EDGES_MAX:
        detail = f"the tasks need and ask more than {EDGES_MAX} others together"
        problems.append(Problem("/tasks", detail, "put a noop task between the layers"))
    for pointer, of, place, text in conditions:
        if len(problems) == PROBLEMS_MAX:
            break
        context = _Run(of, tasks, graph, scopes, before.get(place, frozenset()), params, has_vars, extra)
        try:
            checked(text, context)
        except ExpressionError as error:
            problems.append(Problem(pointer, str(error), error.hint))
            continue
        if len(read_when(text).tasks) > TASKS_MAX:
            detail = f"it asks {len(read_when(text).tasks)} tasks, at most {TASKS_MAX}"
            problems.append(Problem(pointer, detail, "judge some of them in a task between"))
    return problems


def _conditions(tasks: Mapping[Any, Any], groups: object) -> list[_Condition]:
    found: list[_Condition] = []
    for section, parts in (("tasks", tasks), ("groups", groups if isinstance(groups, Mapping) else {})):
        for name, fields in parts.items():
            if not isinstance(name, str) or not isinstance(fields, dict):
                continue
            if isinstance(fields.get("when"), str):
                place = begin_of(name) if section == "groups" else name
                found.append(_Condition(pointer_of(section, name, "when"), name, place, fields["when"]))
            repeat = fields.get("repeat") if section == "groups" else None
            if isinstance(repeat, dict) and isinstance(repeat.get("until"), str):
                pointer = pointer_of(section, name, "repeat", "until")
                found.append(_Condition(pointer, name, name, repeat["until"]))
    return found


def _asks(text: str) -> tuple[str, ...]:
    try:
        return read_when(text).tasks
    except ExpressionError:
        return ()


def ended_before(
    graph: Graph, asks: Mapping[str, tuple[str, ...]], last: tuple[str, ...] = ()
) -> dict[str, frozenset[str]]:
    """Of each task those of the tasks that it asks which have ended when it is judged: what it needs, and
    what that needs; for those of `last` all that are not among them. As bits of a number, since each task may
    need all that are before it."""
    if not asks:
        return {}
    order = topological_order(graph)
    bit = {name: 1 << place for place, name in enumerate(order)}
    above: dict[str, int] = {}
    for name in order:
        bits = 0
        for need in graph[name]:
            bits |= above.get(need, 0) | bit.get(need, 0)
        above[name] = bits
    first = frozenset(graph).difference(last)
    return {
        name: frozenset(
            each
            for each in named
            if bit.get(each, 0) & above.get(name, 0) or (each in first and name in last)
        )
        for name, named in asks.items()
    }
