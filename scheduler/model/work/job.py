"""job: a run of another job, which the task waits for or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.model.work.in_state import UNREAD
from scheduler.model.work.kind import RUNS, Kind, Refers


def _value() -> Any:
    from scheduler.model.nested import Nested

    return Nested


def _compiled(task: Mapping[str, Any]) -> dict[str, Any]:
    nested = task["job"]
    return {"does": RUNS, "job": nested["name"], "wait": nested["wait"], "params": nested.get("params", {})}


def _refers(nested: Any) -> list[Refers]:
    return [Refers("job", nested.name, "name", "run")]


def _drawn(nested: Mapping[str, Any]) -> str:
    return f"run of {nested['name']}" + ("" if nested["wait"] else ", not waited for")


JOB = Kind(
    name="job",
    description="a run of another job",
    example={"name": "page-on-call", "wait": False},
    value=_value,
    compiled=_compiled,
    happens="state",
    shape="double",
    drawn=_drawn,
    executor=None,
    lasts_ms=lambda task: 0,
    refers=_refers,
    in_tasks_only=True,
    instead={"fanout": "divide the task in that job, and give it the list as a parameter"},
    unread=tuple(field for field in UNREAD if field != "timeout"),
    other_words=("run_job", "trigger_job", "subworkflow", "child", "call"),
)
