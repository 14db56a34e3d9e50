"""template: what jobs have in common that extend it. What could be in no job is refused here, and not in each
of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from scheduler.model.fields import Name
from scheduler.model.objects.kind import Described, Kind
from scheduler.model.problems import JobError, Problem, pointer_of
from scheduler.model.templates import KIND, NOT_GIVEN, pin_of

if TYPE_CHECKING:
    from scheduler.model.job import Job


class Template(Described):
    name: Annotated[Name, Field(alias="template")]
    gives: Annotated[
        dict[str, Any],
        Field(min_length=1, description="fields of a job, in its long or short form, that jobs need not say"),
    ]

    def zones(self) -> list[str]:
        """Of the jobs that follow, which nobody sends: they could not be prepared without zone data."""
        job = self._as_job()
        admissions = [job.policies.admission, *(each.admission for each in (job.groups or {}).values())]
        named = [trigger.zone for trigger in job.triggers] + [each.tz for each in admissions if each]
        if job.expect is not None and job.expect.has_clock:
            named.append(job.expect.tz or "UTC")
        return list(dict.fromkeys(zone for zone in named if zone))

    def _as_job(self) -> Job:
        from scheduler.model import work
        from scheduler.model.parse import parse_job

        whole = dict(self.gives)
        if "tasks" not in whole and not any(name in work.NAMES for name in whole):
            whole["run"] = "true"  # a stand-in: each job says its own
        return parse_job({**whole, "job": "any"})

    def faults(self) -> list[Problem]:
        found = [
            Problem(pointer_of("gives", name), f"{name} is a job's own: no template gives it", "remove it")
            for name in NOT_GIVEN
            if name in self.gives
        ]
        try:
            found or self._as_job()
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
