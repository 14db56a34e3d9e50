"""Whose reports may wait for others, and whose not."""

from __future__ import annotations

import pytest

from api.ports import Committed
from node import haste as module
from node.haste import PEOPLE_MAX, PEOPLE_PER_S, Haste
from scheduler.words.causes import Kind
from scheduler.words.commands import CancelRun, Finish, Grant, PauseJob, ReportRunning
from scheduler.words.events import (
    AttemptAssigned,
    AttemptCancelling,
    AttemptEnded,
    Event,
    RunCreated,
    RunEnded,
)


def reports(attempt: int) -> list[Grant | ReportRunning | Finish]:
    return [
        Grant(attempt, 1, "session", "claim"),
        ReportRunning(attempt, 1, 0),
        Finish(attempt, 1, 0, 1, 0, "exit"),
    ]


def hear(haste: Haste, *events: Event, at_ms: int = 0) -> None:
    haste.heard(Committed(1, at_ms, [(1, n, event) for n, event in enumerate(events)]))


def begun(haste: Haste, number: int, cause: str, at_ms: int = 0) -> None:
    """A run and its attempt of that number."""
    hear(haste, RunCreated(number, 1, "default", "job", cause, "", 0, None, 0), at_ms=at_ms)
    hear(haste, AttemptAssigned(number, number, number, 1, 0))


def test_the_reports_of_ticks_can_wait_and_those_that_a_person_waits_for_cannot() -> None:
    haste = Haste()
    begun(haste, 1, Kind.TICK)
    begun(haste, 2, Kind.MANUAL)
    assert all(haste.can_wait(report) for report in reports(1))
    assert not any(haste.can_wait(report) for report in reports(2))
    assert not haste.can_wait(CancelRun(1))
    assert not haste.can_wait(PauseJob("default", "job"))


def test_what_is_being_stopped_tells_its_end_at_once() -> None:
    haste = Haste()
    begun(haste, 1, Kind.TICK)
    hear(haste, AttemptCancelling(1, 1, 1))
    assert not any(haste.can_wait(report) for report in reports(1))


def test_every_attempt_of_a_persons_run_hurries_and_nothing_is_kept_of_what_ended() -> None:
    haste = Haste()
    begun(haste, 2, Kind.MANUAL)
    hear(haste, AttemptEnded(2, 2, 2, 1, "failed", 1), AttemptAssigned(3, 2, 2, 1, 0))
    assert not haste.can_wait(reports(3)[0])
    hear(haste, AttemptEnded(3, 2, 2, 1, "succeeded", 0), RunEnded(2, 1, "default", "job", "succeeded", 0))
    assert (haste._runs, haste._attempts) == ({}, {})


def hurried(haste: Haste, first: int, runs: int, *, from_ms: int, every_ms: int) -> int:
    """How many of so many runs, one after the other, are a person's."""
    for number in range(runs):
        begun(haste, first + number, Kind.MANUAL, from_ms + number * every_ms)
    return sum(not haste.can_wait(reports(first + number)[0]) for number in range(runs))


def test_runs_beyond_what_people_start_are_a_load_and_people_are_served_again_after_it() -> None:
    haste = Haste()
    assert hurried(haste, 0, 200, from_ms=1_000, every_ms=100) == 200, "as fast as ten people are, for ever"
    assert hurried(haste, 1_000, 5_000, from_ms=30_000, every_ms=1) == PEOPLE_MAX + 5 * PEOPLE_PER_S - 1
    assert hurried(haste, 10_000, 10, from_ms=36_000, every_ms=100) == 10


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_MAX", 10)
    haste = Haste()
    for number in range(100):
        begun(haste, number, Kind.MANUAL, 1_000 * number)
    assert len(haste._runs) == len(haste._attempts) == 10
    assert not haste.can_wait(reports(99)[0])
