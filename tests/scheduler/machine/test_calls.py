"""What applying may cost, and judging a job, in calls of Python's functions: the same on every machine.

A manual run, a tick and a put are applied on each node, so what a gate, a note or a step adds there is paid
three times. A feature that a job does not use may cost it a comparison, hardly a call: where a bound here is
passed, look at what the failure names, and which of it is new. A bound is the figure of the day on which it
was set and a few %; who makes it less lowers it.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from scheduler.machine import AppliedEntry
from scheduler.model import parse_job, prepare
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job

TOGETHER = 8  #: of the same in an entry, as under some load: the entry's own part is shared
TRIGGER = {"cron": "0 3 * * *"}


@contextlib.contextmanager
def counting(calls: Counter[str]) -> Iterator[None]:
    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            calls[f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"] += 1

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


class Counted(Story):
    """Its machine's calls are counted, while nobody else's are."""

    calls: Counter[str]

    def applied(self, *frames: bytes) -> AppliedEntry:
        with counting(self.calls):
            return super().applied(*frames)


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    """A led cluster's state with an agent."""
    told = Counted(tmp_path / "state.db")
    told.calls = Counter()
    told.lead()
    told.connect()
    yield told
    told.close()


def manual_runs(story: Counted) -> None:
    agent = next(iter(story.sessions))
    run = c.RunJob("default", "j", b"{}", story.now_ms, agent=agent)
    story.tell_ok(*[run] * TOGETHER)
    assert story.work()


def ticks(story: Counted) -> None:
    story.now_ms += 1_000
    fired = [command for command in story.plan_and_apply() if isinstance(command, c.Fire)]
    assert len(fired) == TOGETHER
    assert story.work()


def puts(story: Counted) -> None:
    number = story.seq
    made = [prepare(parse_job(job(f"n{number}-{i}", trigger=TRIGGER)), story.now_ms) for i in range(TOGETHER)]
    story.tell_ok(*(c.PutJobs((each,), story.now_ms) for each in made))


@pytest.mark.parametrize(
    ("act", "most"),
    [(manual_runs, 223), (ticks, 245), (puts, 142)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_done_most_costs_a_core_few_calls(
    counted: Counted, act: Callable[[Counted], None], most: int
) -> None:
    """Each from its first command to its last."""
    counted.put(job())
    if act is ticks:
        counted.put(*(job(f"t{i}", trigger={"every": "1s"}) for i in range(TOGETHER)))
    act(counted)  # what is known from then on
    counted.calls.clear()
    act(counted)
    each = counted.calls.total() / TOGETHER
    assert each <= most, (each, counted.calls.most_common(20))


def test_judging_a_job_costs_a_front_few_calls() -> None:
    """From its data to what the log holds, of a job with a trigger and nothing special."""
    calls: Counter[str] = Counter()
    for number in range(2):  # the first loads and remembers
        calls.clear()
        with counting(calls):
            prepare(parse_job(job(f"j{number}", trigger=TRIGGER)), START_MS)
    assert calls.total() <= 184, (calls.total(), calls.most_common(20))
