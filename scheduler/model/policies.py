"""How a job behaves when things do not go as planned. The defaults are those of the job semantics."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from scheduler.model.admission import SPANS_MAX, Admission, Blackout
from scheduler.model.autonomy import Autonomy
from scheduler.model.failures import PAUSE, Failures
from scheduler.model.fields import DurationMs, Model, Reference, as_tuple
from scheduler.model.lock import Locks
from scheduler.model.overlap import OverlapPolicy
from scheduler.model.problems import Refused


class Catchup(Model):
    """What becomes of ticks that are more than `grace` overdue."""

    mode: Literal["none", "latest", "all"] = "latest"
    grace_ms: Annotated[DurationMs, Field(alias="grace")] = 60_000
    window_ms: Annotated[DurationMs, Field(alias="window")] = 86_400_000
    max: Annotated[int, Field(ge=1, le=10_000)] = 100


class Retention(Model):
    """What is kept of ended runs: the newest `runs` of them, none older than `age`."""

    runs: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    age_ms: Annotated[DurationMs, Field(alias="age")] = 90 * 86_400_000


class Policies(Model):
    overlap: OverlapPolicy = "skip"
    catchup: Catchup = Catchup()
    start_deadline_ms: Annotated[DurationMs | None, Field(alias="start_deadline")] = None
    timeout_ms: Annotated[DurationMs | None, Field(alias="timeout", description="of the whole run")] = None
    on_lost: Literal["wait", "fail", "retry"] = "wait"
    on_failure: Annotated[
        Literal["end", "hold"], Field(description="hold: a task whose last try failed waits for a person")
    ] = "end"
    idempotent: bool = False
    priority: Annotated[int, Field(ge=0, le=100)] = 50
    pause_after_failures: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    failures: Failures = None
    retention: Retention = Retention()
    locks: Locks = None  #: held from a run's first placement to its end
    not_restartable: Annotated[
        bool | None,
        AfterValidator(lambda value: value or None),
        Field(description="on_lost is wait, and what has begun is not suspended nor begun in the middle"),
    ] = None
    calendar: Annotated[
        Reference | None, Field(description="of triggers that ask for working days and name no calendar")
    ] = None

    admission: Annotated[
        Admission | None, Field(description="windows of the week in which its runs may start")
    ] = None
    blackout: Annotated[
        Annotated[tuple[Blackout, ...], Field(max_length=SPANS_MAX)] | None,
        BeforeValidator(lambda value: as_tuple(value) or None),
        Field(description="spans in which nothing fires by itself: skipped(blackout)"),
    ] = None
    autonomy: Annotated[
        Autonomy | None,
        Field(description="an agent has its coming ticks, and starts them where it reaches no node"),
    ] = None

    @model_validator(mode="after")
    def _retry_needs_idempotent(self) -> Self:
        if self.on_lost == "retry" and not self.idempotent:
            raise Refused(
                "on_lost: retry may run the same work twice", "add idempotent: true, or use wait or fail"
            )
        if self.pause_after_failures is not None and PAUSE in (self.failures or {}).values():
            detail = "pause_after_failures and failures say both when it is paused"
            raise Refused(detail, "remove one of them")
        if self.not_restartable and self.on_lost != "wait":
            raise Refused(
                f"not_restartable and on_lost: {self.on_lost} exclude each other",
                "remove on_lost, which is wait then, or not_restartable",
            )
        return self
