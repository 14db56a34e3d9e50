"""What a template gives to the jobs that extend it, under their own words and over the defaults of their
namespace.

Rules of this file:

1. As of a namespace's defaults (`model.defaults`): a job's own word counts, objects are filled key by key,
   lists are taken whole, and the job is stored with what it came to and which of it came from where (its
   field `inherited`). A task that says its own work takes none of the template's.
2. A template extends nothing: one level, so that whoever reads a job finds all that it takes in two places.
3. Its short form with work is the task `main`, as a job's is. Without work, what it says of a task holds for
   each task of a job.

How it is filled in: inheriting.py. No pydantic here: the core asks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from typing import Any

from scheduler.words.json_text import json_text

KIND = "template"
NOT_GIVEN = ("job", "namespace", "enabled", "extends", "template", "inherited", "defaults")
"""Of a job, what no template says for it."""

Templates = Callable[[str, str], dict[str, Any] | None]
"""What the template of this namespace and name gives, as it is written; None: there is none."""


def pin_of(gives: dict[str, Any]) -> str:
    """The same where a template gives the same, whatever else was edited."""
    return hashlib.sha256(json_text(gives)).hexdigest()[:16]


def long_form(
    gives: dict[str, Any], task_fields: Collection[str], kinds_of_work: Collection[str]
) -> dict[str, Any]:
    gives = {name: value for name, value in gives.items() if value is not None or name in task_fields}
    if isinstance(gives.get("triggers"), dict):  # a single one, as a job may say it
        gives["triggers"] = [gives["triggers"]]
    if "tasks" in gives or gives.keys().isdisjoint(kinds_of_work):
        return gives
    main = {name: value for name, value in gives.items() if name in task_fields}
    rest = {name: value for name, value in gives.items() if name not in task_fields}
    return {**rest, "tasks": {"main": main}} if main else rest
