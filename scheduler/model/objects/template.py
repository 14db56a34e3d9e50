"""template: what jobs have in common that extend it. What could be in no job is refused here, and not in each
of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from scheduler.model.fields import Name
from scheduler.model.objects.kind import Described, Kind
from scheduler.model.problems import JobError, Problem, pointer_of
from scheduler.model.templates import KIND, NOT_GIVEN, pin_of


class Template(Described):
    name: Annotated[Name, Field(alias="template")]
    gives: Annotated[
        dict[str, Any],
        Field(min_length=1, description="fields of a job, in its long or short form, that jobs need not say"),
    ]

    def faults(self) -> list[Problem]:
        from scheduler.model import work
        from scheduler.model.parse import parse_job

        found = [
            Problem(pointer_of("gives", name), f"{name} is a job's own: no template gives it", "remove it")
            for name in NOT_GIVEN
            if name in self.gives
        ]
        whole = dict(self.gives)
        if "tasks" not in whole and not any(name in work.NAMES for name in whole):
            whole["run"] = "true"  # a stand-in: each job says its own
        try:
            found or parse_job({**whole, "job": "any"})
        except JobError as error:
            found += [
                problem.below(pointer_of("gives")) for problem in error.problems
            ]
        return found


TEMPLATE = Kind(
    name=KIND,
    description="What jobs have in common that extend it: an edit revises all of them.",
    example={"template": "reports", "gives": {"policies": {"timeout": "1h"}, "retry": {"max": 3}}},
    model=Template,
    pin=lambda shape: pin_of(shape["gives"]),
    other_words=("templates", "job_template", "base"),
)
