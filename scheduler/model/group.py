"""Groups: some tasks of a job that are one box for all others. What is wrong with one beside its shape is in
group_check.py."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from scheduler.model.admission import GroupAdmission
from scheduler.model.bounds import CATCH_MAX
from scheduler.model.ends import Again
from scheduler.model.expressions import LETTERS_MAX
from scheduler.model.fields import DurationMs, Model, Name, Names, as_tuple
from scheduler.model.graph import NEEDS_MAX
from scheduler.model.lock import Locks
from scheduler.model.problems import Refused
from scheduler.model.rule import Rule, why_not

ROUNDS_MAX = 1_000
PARALLEL_MAX = 10_000
TASK_RUNS_MAX = 100_000  #: of a group in one run, over all of its rounds
PAUSE_MS = 1_000
Members = Annotated[tuple[Name, ...], BeforeValidator(as_tuple), Field(min_length=1)]


class Repeat(Model):
    """A group is begun anew until something holds."""

    until: Annotated[
        str,
        Field(
            description="a condition, judged after each round that ended well; unknown is not true",
            json_schema_extra={"maxLength": LETTERS_MAX},
        ),
    ]
    max: Annotated[int, Field(ge=1, le=ROUNDS_MAX, description="rounds; after the last one it fails")]
    pause_ms: Annotated[DurationMs, Field(alias="pause", description="between two rounds")] = PAUSE_MS


class Group(Model):
    """A box of the graph that holds a graph of its own."""

    tasks: Annotated[
        Members, Field(description="that it consists of: inside, needs name tasks of the group alone")
    ]
    needs: Annotated[Names, Field(max_length=NEEDS_MAX, description="as those of a task")] = ()
    rule: Rule = "all_success"
    when: Annotated[
        str | None,
        Field(description="a condition, as that of a task", json_schema_extra={"maxLength": LETTERS_MAX}),
    ] = None

    retry: Annotated[
        Again | None, Field(description="all its tasks again when it failed; what a round lost: on_lost says")
    ] = None
    catch: Annotated[
        Annotated[tuple[Name, ...], Field(max_length=CATCH_MAX)] | None,
        BeforeValidator(lambda value: as_tuple(value) or None),
        Field(description="tasks that begin when it failed for good; where they succeed, so does the group"),
    ] = None
    repeat: Annotated[Repeat | None, Field(description="all its tasks again until a condition holds")] = None
    sticky: Annotated[
        bool | None,
        AfterValidator(lambda value: value or None),
        Field(description="all its tasks of one round go to one agent, which the first of them finds"),
    ] = None
    max_parallel: Annotated[
        int | None,
        Field(ge=1, le=PARALLEL_MAX, description="tasks of it that agents have at once, those of catch too"),
    ] = None
    locks: Locks = None  #: held from its first placement to its end
    admission: Annotated[
        GroupAdmission | None,
        Field(description="when its tasks may start: windows of the week; outside of them they wait"),
    ] = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        tries = (self.retry.max if self.retry else 0) + 1
        rounds = self.repeat.max if self.repeat else 1
        inside = len(self.tasks) + len(self.catch or ())
        if tries * rounds > 1 and tries * rounds * inside > TASK_RUNS_MAX:
            said = f"{inside} tasks in up to {tries * rounds} rounds are {tries * rounds * inside} of a run"
            raise Refused(f"{said}, {TASK_RUNS_MAX} at most", "lower retry.max or repeat.max")
        return self

    @model_validator(mode="after")
    def _rule_fits(self) -> Self:
        if refused := why_not(self.rule, len(self.needs)):
            raise refused
        return self
