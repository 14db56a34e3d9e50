"""What a namespace gives to its jobs where they say nothing themselves.

Rules of this file:

1. A job's own word counts, also where it says what would hold anyway: `timeout: null` is a word too. What is
   an object (`on`, `retry`, `env`, `labels`, `catchup`, `retention`) is filled key by key, a list is taken as
   it is. A task gets what its kind of work reads.
2. A job is stored with what it came to, and with which of it came from where (its field `defaults`): so its
   own words can be told again (`own_words`), and resolved anew when the namespace says something else.
3. Where a namespace had no defaults yet, a value that holds anyway counts as not said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from scheduler.model import work
from scheduler.model.bounds import NOTICES_MAX
from scheduler.model.criticality import Criticality
from scheduler.model.ends import ExitClasses, Retry, Stderr
from scheduler.model.fields import (
    DurationMs,
    Environment,
    Labels,
    Model,
    SizeBytes,
    Umask,
    User,
    as_tuple,
)
from scheduler.model.notice import Notice
from scheduler.model.placement import Placement
from scheduler.model.policies import Policies
from scheduler.model.problems import pointer_of

Place = tuple[str, ...]
JOB_FIELDS = ("policies", "labels", "notify", "owner", "criticality")
FIELD = "defaults"
INHERITED = "inherited"  #: the same of a template (`model.templates`)
TOLD_MAX = 200_000


class Defaults(Model):
    """Under the words of a job in its short form: what holds for jobs and for each of their tasks."""

    policies: Policies | None = None
    labels: Labels | None = None
    owner: Annotated[str | None, Field(max_length=200)] = None
    criticality: Annotated[
        Criticality | None, Field(description="how bad it is where a job fails: lists, notices choose by it")
    ] = None  # fmt: skip
    notify: Annotated[
        tuple[Notice, ...] | None, BeforeValidator(as_tuple), Field(max_length=NOTICES_MAX)
    ] = None  # fmt: skip
    on: Placement | None = None
    retry: Retry | None = None
    exit: ExitClasses | None = None
    stderr: Stderr = None
    timeout_ms: Annotated[DurationMs | None, Field(alias="timeout", description="of one attempt")] = None
    env: Environment | None = None
    run_as: User | None = None
    umask: Umask | None = None
    nice: Annotated[int | None, Field(ge=-20, le=19)] = None
    cwd: Annotated[str | None, Field(min_length=1, max_length=4_096)] = None
    grace_ms: Annotated[DurationMs | None, Field(alias="grace", description="SIGTERM to SIGKILL")] = None
    output_bytes_max: Annotated[SizeBytes | None, Field(alias="output_limit")] = None

    def given(self) -> dict[str, Any]:
        """What was said, and nothing else."""
        shape: dict[str, Any] = self.model_dump(
            mode="json", by_alias=True, exclude_unset=True, exclude_none=True
        )
        return shape


class Origins(Model):
    """Where the values of a job come from, of those that its namespace gives, or gave: taken from it, said by
    the job itself, or said by it to be nothing (null)."""

    taken: Annotated[tuple[str, ...], BeforeValidator(as_tuple), Field(max_length=TOLD_MAX)] = ()
    own: Annotated[tuple[str, ...], BeforeValidator(as_tuple), Field(max_length=TOLD_MAX)] = ()
    off: Annotated[tuple[str, ...], BeforeValidator(as_tuple), Field(max_length=TOLD_MAX)] = ()


def fill(shape: dict[str, Any], given: dict[str, Any], said: Sequence[str] = ()) -> dict[str, list[str]]:
    """Give a job in its long form what it does not say; which places took it, and which have a word of their
    own. Changes `shape`, and no part of it that the caller may hold. `said`: words of its own that were
    remembered, and are as long as they are there."""
    taken: list[Place] = []
    own: list[Place] = []
    for name in JOB_FIELDS:
        if name in given:
            fill_place(shape, name, given[name], (), taken, own)
    for_tasks = {name: value for name, value in given.items() if name not in JOB_FIELDS}
    tasks = shape.get("tasks")
    if for_tasks and isinstance(tasks, dict):
        shape["tasks"] = {
            name: fill_task(str(name), task, for_tasks, taken, own) for name, task in tasks.items()
        }
    return noted(shape, taken, own, said)


def noted(
    shape: dict[str, Any], taken: Sequence[Place], own: Sequence[Place], said: Collection[str]
) -> dict[str, list[str]]:
    """What a job took, and which places have a word of their own, as `Origins` has it."""
    met = {pointer_of(*place) for place in own} | set(said)
    words = {pointer: _at(shape, _place(pointer)) for pointer in sorted(met)}
    return {
        "taken": sorted(pointer_of(*place) for place in taken),
        "own": [pointer for pointer, value in words.items() if value is not None and value is not _NOTHING],
        "off": [pointer for pointer, value in words.items() if value is None],
    }


def fill_task(name: str, task: Any, given: dict[str, Any], taken: list[Place], own: list[Place]) -> Any:
    if not isinstance(task, dict):
        return task
    task = dict(task)
    kind = next((kind for kind in work.KINDS if task.get(kind.name) is not None), None)
    unread = () if kind is None else kind.unread
    for field, value in given.items():
        if field in unread:
            continue
        if field == "env":
            secret = set(_secret_variables(task.get("secrets")))
            value = {key: text for key, text in value.items() if key not in secret}
        fill_place(task, field, value, ("tasks", name), taken, own)
    return task


def _secret_variables(secrets: Any) -> Iterator[str]:
    for each in secrets if isinstance(secrets, list | tuple) else ():
        name = each.get("as") or each.get("name") if isinstance(each, dict) else each
        if isinstance(name, str):
            yield name.rpartition("/")[2]


def fill_place(
    into: dict[str, Any], key: str, value: Any, above: Place, taken: list[Place], own: list[Place]
) -> None:
    place = (*above, key)
    if isinstance(value, dict) and (key not in into or isinstance(into[key], dict)):
        inner = into[key] = dict(into.get(key, {}))
        for name, each in value.items():
            fill_place(inner, name, each, place, taken, own)
    elif key not in into:
        into[key] = value
        taken.append(place)
    else:
        own.append(place)


def sent_back(
    shape: dict[str, Any], given: dict[str, Any], field: str = FIELD
) -> tuple[dict[str, Any], list[str]]:
    """A job in its long form without what it took of these defaults when it was read, where it still says
    that, and which words were its own. One that says nothing of defaults is as it is. `field`: that says it;
    what a template gives is in its long form too."""
    told = shape.get(field)
    if not isinstance(told, dict):
        return shape, []
    shape = {key: copied(value) for key, value in shape.items() if key != field}
    taken, own, off = (_pointers(told.get(name)) for name in ("taken", "own", "off"))
    for pointer in off:
        *above, last = _place(pointer)
        holder = _at(shape, above)
        if isinstance(holder, dict):
            holder.setdefault(last, None)
    for pointer in taken:
        place = _place(pointer)
        task = place[:1] == ["tasks"]
        now = _at(given, place) if field != FIELD or not task else _NOTHING
        if now is _NOTHING and task:
            now = _at(given, place[2:])
        if now is not _NOTHING and now == _at(shape, place):
            _drop(shape, place)
    return shape, [*own, *off]


def _pointers(told: object) -> list[str]:
    """Of what anybody may have sent."""
    given = told if isinstance(told, list | tuple) else ()
    return [each for each in given[:TOLD_MAX] if isinstance(each, str) and each.startswith("/")]


def own_words(whole: dict[str, Any], short: dict[str, Any]) -> dict[str, Any]:
    """What a job says itself: `short` is the job (`whole`, as it is stored) without what holds anyway."""
    of_template, of_namespace = whole.get(INHERITED) or {}, whole.get(FIELD) or {}
    words = {key: copied(value) for key, value in short.items() if key not in (FIELD, INHERITED)}
    inherited = set(of_template.get("taken", ()))
    for pointer in (*of_namespace.get("taken", ()), *inherited):
        _drop(words, _place(pointer))
    met = [(*told.get("own", ()), *told.get("off", ())) for told in (of_template, of_namespace)]
    for pointer in (*met[0], *met[1]):
        place = _place(pointer)
        if pointer in inherited:  # of the template, which said it over the namespace's
            continue
        value = _at(whole, place)
        holder = words
        for part in place[:-1]:
            holder = holder.setdefault(part, {})
        holder[place[-1]] = None if value is _NOTHING else value
    if of_template and isinstance(words.get("tasks"), dict):
        words["tasks"] = {name: task for name, task in words["tasks"].items() if task}
        if not words["tasks"]:
            del words["tasks"]
    return words


_NOTHING = object()


def copied(value: Any) -> Any:
    return {key: copied(each) for key, each in value.items()} if isinstance(value, dict) else value


def _place(pointer: Any) -> list[str]:
    parts = str(pointer).split("/")[1:]
    return [part.replace("~1", "/").replace("~0", "~") for part in parts]


def _at(shape: Any, place: Sequence[str]) -> Any:
    for part in place:
        if not isinstance(shape, dict) or part not in shape:
            return _NOTHING
        shape = shape[part]
    return shape


def _drop(shape: dict[str, Any], place: Sequence[str]) -> None:
    """And what holds nothing any more because of that, but no task."""
    holders = [shape]
    for part in place[:-1]:
        found = holders[-1].get(part)
        if not isinstance(found, dict):
            return
        holders.append(found)
    for depth in range(len(place) - 1, -1, -1):
        holders[depth].pop(place[depth], None)
        if holders[depth] or (place[0] == "tasks" and depth <= 2):
            return
