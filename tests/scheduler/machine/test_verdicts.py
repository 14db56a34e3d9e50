"""What an end means, judged without a state."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.machine.rules import verdicts
from scheduler.machine.rules.verdicts import NOT_AGAIN, Retry, RunEnds, TaskEnds, Tried
from scheduler.machine.rules.walks import LET_END
from scheduler.model import parse_job, prepare
from scheduler.model.compiled import compile_job
from tests.scheduler.story import START_MS, job

TASK = compile_job(
    prepare(parse_job(job(retry={"max": 2, "first": "10s", "backoff": "exponential"})), START_MS).spec
).tasks[0]


def tried(state: str = "failed", **fields: Any) -> Tried:
    usual: dict[str, Any] = {
        "reason": "exit", "task": TASK, "attempts": 1, "on_lost": "wait", "stopping": "", "job_exists": True
    }  # fmt: skip
    return Tried(state=state, **{**usual, **fields})


@pytest.mark.parametrize(
    ("ended", "verdict"),
    [
        (tried("succeeded"), TaskEnds("exit")),
        (tried("cancelled"), TaskEnds("exit")),
        (tried("failed"), Retry(10_000)),
        (tried("timed_out", attempts=2), Retry(20_000)),
        (tried("failed", attempts=3), TaskEnds("exit")),
        (tried("lost"), TaskEnds("exit")),
        (tried("lost", on_lost="retry", attempts=2), Retry(20_000)),
        (tried("lost", on_lost="retry", attempts=3), TaskEnds("exit")),
        (tried("lost", on_lost="retry", task=TASK._replace(retry_max=0)), Retry(10_000)),
        (tried("failed", stopping="cancelled"), TaskEnds("exit")),
        (tried("failed", job_exists=False), TaskEnds(f"exit; {NOT_AGAIN}", let_end=True)),
        (tried("failed", job_exists=False, reason=""), TaskEnds(NOT_AGAIN, let_end=True)),
        (tried("failed", job_exists=False, stopping=LET_END), TaskEnds(f"exit; {NOT_AGAIN}")),
        (tried("succeeded", job_exists=False), TaskEnds("exit")),
        (tried("lost", on_lost="retry", task=TASK._replace(retry_on=frozenset({1}))), Retry(10_000)),
        (
            tried("lost", on_lost="retry", attempts=2, task=TASK._replace(retry_on=frozenset({1}))),
            TaskEnds("exit"),
        ),
        (
            tried("lost", on_lost="retry", attempts=2, task=TASK._replace(retry_on=frozenset({"lost"}))),
            Retry(20_000),
        ),
        (tried("failed", attempts=2, task=TASK._replace(retry_delays_ms=(1, 5))), Retry(5)),
        (tried("failed", attempts=2, task=TASK._replace(retry_delays_ms=(7,))), Retry(7)),
        (tried("failed", job_exists=False, attempts=3), TaskEnds("exit")),
    ],
)
def test_what_the_end_of_an_attempt_means_for_its_task(ended: Tried, verdict: Retry | TaskEnds) -> None:
    assert verdicts.of_attempt(ended) == verdict


FAILED = RunEnds("failed", 3, "exit")


@pytest.mark.parametrize(
    ("worst", "stopping", "reason", "ends"),
    [
        (None, "", "", RunEnds("succeeded", 0, "")),
        (None, "cancelled", "by ada", RunEnds("succeeded", 0, "too late: by ada")),
        (None, "failed", "finished by t", RunEnds("failed", None, "finished by t")),
        (FAILED, "succeeded", "finished by t", RunEnds("succeeded", None, "finished by t")),
        (FAILED, "", "", FAILED),
        (FAILED, "cancelled", "by ada", RunEnds("cancelled", 3, "by ada")),
        (FAILED, "timed_out", "", RunEnds("timed_out", 3, "exit")),
        (FAILED, LET_END, "job deleted", RunEnds("failed", 3, "job deleted; exit")),
        (FAILED._replace(reason="job deleted"), LET_END, "job deleted", RunEnds("failed", 3, "job deleted")),
    ],
)
def test_how_a_run_ends_by_the_gravest_of_its_tasks(
    worst: RunEnds | None, stopping: str, reason: str, ends: RunEnds
) -> None:
    assert verdicts.of_tasks(worst, last_exit_code=0, stopping=stopping, reason=reason) == ends
