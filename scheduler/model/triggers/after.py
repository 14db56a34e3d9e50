"""after: when runs of other jobs have ended as a condition says. It has no instants."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from pydantic import Field, field_validator

from scheduler.model.after import ASKED, JOBS_MAX, after_spec, parents_of
from scheduler.model.expressions import LETTERS_MAX, ExpressionError, Type, checked, parse
from scheduler.model.fields import Model, check_reference
from scheduler.model.problems import Refused
from scheduler.model.triggers.kind import Kind

SKIPPED = "skipped"
"""What a tick or a task can be, and a run cannot."""
ELSEWHERE = ("params", "vars", "plan_date", "tick")
"""What a condition of the job semantics may ask for, and this version cannot say."""


class _Jobs:
    """What may be asked of jobs."""

    def type_of(self, name: str) -> Type:
        job, _, asked = name.rpartition(".")
        if name.split(".")[0] in ELSEWHERE or ".outputs." in name:
            raise Refused(f"{name} is not available in `after`", f"ask how a job ended: {_known('JOB')}")
        if not job:
            raise Refused(f"{name} says nothing of a job", f"such as {name}.succeeded")
        check_reference(job)
        if asked == SKIPPED:
            detail = f"a run is never skipped, so {name} would never be true"
            raise Refused(detail, f"there are {_known(job)}")
        if asked not in ASKED:
            near = difflib.get_close_matches(asked[:40], ASKED, 1)
            hint = f"did you mean {job}.{near[0]}?" if near else f"there are {_known(job)}"
            raise Refused(f"{asked!r} is nothing that a job has", hint)
        return ASKED[asked]


def _known(job: str) -> str:
    return ", ".join(f"{job}.{asked}" for asked in ASKED)


class CycleFields(Model):
    allow_cycle: Annotated[
        bool | None, Field(description="the job may, over others, wait for its own end; default false")
    ] = None


def check_condition(value: str) -> str:
    """A condition over ends of other jobs. Raises Refused."""
    try:
        tree = checked(value, _Jobs())
    except ExpressionError as error:
        raise Refused(str(error), error.hint) from error
    parents = parents_of(tree, "")
    if not parents:
        raise Refused("it names no job, so nothing would ever make it true", "such as JOB.succeeded")
    if len(parents) > JOBS_MAX:
        raise Refused(
            f"it names {len(parents)} jobs, at most {JOBS_MAX}", "have one job wait for some of them"
        )
    return value


class AfterFields(CycleFields):
    after: Annotated[
        str | None,
        Field(
            description="a condition over ends of other jobs: JOB.succeeded, .failed, .timed_out, .lost,"
            " .cancelled, .expired, .ended, .warned, .exit_code; and, or, not, comparisons, in, parentheses",
            json_schema_extra={"maxLength": LETTERS_MAX},
        ),
    ] = None

    @field_validator("after")
    @classmethod
    def _means_something(cls, value: str | None) -> str | None:
        return None if value is None else check_condition(value)


def _schedule(trigger: AfterFields) -> dict[str, Any]:
    return {"after": trigger.after}


def _spec(trigger: AfterFields, job: str) -> bytes:
    namespace = job.partition("/")[0]
    allow_cycle = bool(trigger.allow_cycle)
    return after_spec(trigger.after or "", namespace, allow_cycle=allow_cycle)


def _refers(trigger: AfterFields, namespace: str) -> list[tuple[str, str, str, str]]:
    return [("job", *parent, "after") for parent in parents_of(parse(trigger.after or ""), namespace)]


def _spent(trigger: AfterFields, now_ms: int, reason: str) -> tuple[str, str, str]:
    return "after", reason, "remove the trigger"


AFTER = Kind(
    name="after",
    example={
        "after": "extract.succeeded and (load-eu.ended or load-us.exit_code in [0, 4])",
        "allow_cycle": True,
    },
    fields=AfterFields,
    schedule=_schedule,
    spec=_spec,
    spent=_spent,
    refers=_refers,
    has_instants=False,
    has_offset=False,
    overlap="queue_one",
    other_words=("depends_on", "dependencies", "parents", "upstream", "condition"),
)
