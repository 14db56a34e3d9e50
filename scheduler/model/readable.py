"""A definition in the order in which a person reads it: what the editor opens with.

The cluster keeps what a job is and not the file that it came in (decision 80): comments, the order of fields
and the style of a list are not there any more. What is given instead reads from front to end: tasks as the
run comes to them, of a trigger first what it is, and nothing that the product filled in.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from scheduler.model.brief import brief
from scheduler.model.defaults import FIELD, INHERITED
from scheduler.model.finally_ import TIMEOUT
from scheduler.model.job import canonical
from scheduler.model.parse import parse_job
from scheduler.model.problems import JobError
from scheduler.model.scopes import Scopes
from scheduler.model.trigger import Trigger
from scheduler.model.triggers import NAMES


def readable(spec: bytes, format: int) -> dict[str, Any]:
    """The job of these canonical bytes, as `brief` has it, of which less is said where that is the same."""
    words = brief(spec, format)
    if json.loads(spec).keys().isdisjoint((FIELD, INHERITED)):  # else each of its words holds
        for lesser in (_lean, _single):
            lean = lesser(words)
            if lean != words and _is(lean, spec, format):
                words = lean
    return _ordered(words)


def _is(words: dict[str, Any], spec: bytes, format: int) -> bool:
    try:
        return canonical(parse_job(words, format=format), format=format) == spec
    except JobError:
        return False


def _lean(words: dict[str, Any]) -> dict[str, Any]:
    """Without what triggers and tasks of `finally` are given where they say nothing."""
    lean = dict(words)
    if "triggers" in words:
        lean["triggers"] = [_lean_trigger(trigger) for trigger in words["triggers"]]
    last = words.get("finally", ())
    if last:
        lean["tasks"] = {
            name: {key: value for key, value in task.items() if key != "timeout" or value != TIMEOUT}
            if name in last else task
            for name, task in words["tasks"].items()
        }  # fmt: skip
    return lean


def _single(words: dict[str, Any]) -> dict[str, Any]:
    """A job of one task has that task's fields itself."""
    tasks = words.get("tasks", {})
    task = tasks.get("main") if len(tasks) == 1 else None
    if task is None or not task.keys().isdisjoint(words):
        return words
    return {**{name: words[name] for name in words if name != "tasks"}, **task}


def _lean_trigger(trigger: dict[str, Any]) -> dict[str, Any]:
    lean = dict(trigger)
    for name in trigger.keys() - {"id", *NAMES}:
        less = {key: value for key, value in lean.items() if key != name}
        if _schedule_of(less) == _schedule_of(lean) is not None:
            lean = less
    return lean


def _schedule_of(trigger: dict[str, Any]) -> tuple[Any, ...] | None:
    """What it comes to; None: it is no trigger."""
    try:
        found = Trigger.model_validate(trigger)
    except ValidationError:
        return None
    return found.schedule_fields(), found.jitter_ms, found.params, found.overlap


def _ordered(words: dict[str, Any]) -> dict[str, Any]:
    ordered = dict(words)
    if "triggers" in words:
        ordered["triggers"] = [
            dict(sorted(trigger.items(), key=lambda field: field[0] not in NAMES))
            for trigger in words["triggers"]
        ]
    tasks = words.get("tasks", {})
    boxes = {**tasks, **words.get("groups", {})}
    last = frozenset(words.get("finally", ()))
    order = Scopes(words.get("groups", {})).ordered(
        {name: box.get("needs", ()) for name, box in boxes.items()}
    )
    order.sort(key=last.__contains__)  # stable
    if tasks:
        ordered["tasks"] = {name: tasks[name] for name in order if name in tasks}
    return ordered
