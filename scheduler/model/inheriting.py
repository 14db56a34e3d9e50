"""A job takes what its template gives (`model.templates`)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from scheduler.model.defaults import Place, copied, fill_place, fill_task, noted


def inherit(
    shape: dict[str, Any], gives: dict[str, Any], said: Collection[str], kinds_of_work: Collection[str],
    task_fields: Collection[str],
) -> dict[str, list[str]]:
    """Give a job in its long form what it does not say; which places took it, and which have a word of their
    own. Changes `shape`, and no part of it that the caller may hold. `gives`: in its long form."""
    taken: list[Place] = []
    own: list[Place] = []
    for_tasks = {name: value for name, value in gives.items() if name in task_fields}
    for name, value in gives.items():
        if name in for_tasks:
            continue
        if name == "tasks" and isinstance(value, dict):
            tasks = shape.get("tasks")
            shape["tasks"] = dict(tasks) if isinstance(tasks, dict) else {}
            for task, fields in value.items():
                mine = shape["tasks"].get(task)
                if isinstance(mine, dict) and not mine.keys().isdisjoint(kinds_of_work):
                    fields = {each: value for each, value in fields.items() if each not in kinds_of_work}
                fill_place(shape["tasks"], task, copied(fields), ("tasks",), taken, own)
        else:
            fill_place(shape, name, copied(value), (), taken, own)
    tasks = shape.get("tasks")
    if for_tasks and isinstance(tasks, dict):
        shape["tasks"] = {
            name: fill_task(str(name), task, copied(for_tasks), taken, own) for name, task in tasks.items()
        }
    return noted(shape, taken, own, said)
