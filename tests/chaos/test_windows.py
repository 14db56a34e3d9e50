"""The checker of admission windows: a clean story passes, each way to go wrong is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaos.case import Mark
from chaos.checkers import windows
from chaos.windows import EACH, EVEN, FIRST, FREE, GROUPS, JOB, ODD, TASKS, WINDOWS, body_of
from chaos.workload import payload
from scheduler.model import parse_job
from scheduler.ticks.windows import opening, parse
from scheduler.ticks.zones import zone
from tests.chaos.stories import WALL_S, Story, clean, instant

RUN = 9_500
CREATED_S = 101.0  #: the load begins with an even minute, and goes on for half of it
ALONE = "alone"


def start(story: Story, task: str, at_s: float, *, granted_s: float | None = None) -> None:
    """By the lines of its payload, and by the word of the product."""
    run = next(each for each in story.final["runs"] if each["id"] == RUN)
    story.marks.append(Mark("S", JOB, RUN, "1", 1, None, "agent-1", at_s, "", "-", task))
    attempt = {"number": 1, "round": 0, "state": "succeeded", "fence": 1, "agent": "agent-1"}
    attempt["granted"] = instant(at_s - 0.02 if granted_s is None else granted_s)
    run["tasks"][task] = {"state": "succeeded", "attempts": [attempt]}


def told() -> Story:
    """One run, of which the even group began, and the odd one was left."""
    story = clean()
    run = {"id": RUN, "job": JOB, "state": "cancelled", "created": instant(CREATED_S), "tasks": {}}
    story.final["runs"].append({**run, "finished": instant(131)})
    for task, at_s in ((FREE, 101.1), (FIRST, 101.2), (f"{EACH}/0", 101.6), (f"{EACH}/1", 102.0)):
        start(story, task, at_s)
    return story


def test_the_load_begins_with_an_even_minute() -> None:
    assert (WALL_S + 100) % 120 == 0


def test_a_clean_story_passes() -> None:
    found = windows.check(told().case())
    assert (found.verdict, found.counts["windowed"], found.counts["within"]) == ("pass", 1, 3)
    assert windows.check(clean().case()).verdict == "pass"


def test_what_was_granted_in_the_window_may_begin_behind_its_end() -> None:
    story = told()
    start(story, ALONE, 104.0, granted_s=99.9)
    assert windows.check(story.case()).verdict == "pass"
    start(story, ALONE, 111.0, granted_s=99.9)
    assert {each.kind for each in windows.check(story.case()).offences} == {"started-outside"}


Bug = Callable[[Story], Any]
BUGS: list[tuple[str, Bug]] = [
    ("started-outside", lambda s: start(s, ALONE, 101.3)),
    ("started-outside", lambda s: start(s, ALONE, 104.0, granted_s=103.0)),
    ("started-outside", lambda s: start(s, ALONE, 159.5)),
    ("not-let-in", lambda s: s.marks.remove(next(m for m in s.marks if m.task == FIRST))),
    ("vanished", lambda s: s.operation(105, "window", "ok", {"job": JOB}, run=RUN + 1)),
]


@pytest.mark.parametrize(("kind", "bug"), BUGS, ids=[f"{n}-{kind}" for n, (kind, _) in enumerate(BUGS)])
def test_what_goes_wrong_is_told(kind: str, bug: Bug) -> None:
    story = told()
    bug(story)
    assert kind in {each.kind for each in windows.check(story.case()).offences}


def test_who_waits_while_everything_is_paused_does_not_wait_in_vain() -> None:
    story = told()
    story.marks = [mark for mark in story.marks if mark.task != FIRST]
    story.operation(100.5, "pause", "ok", {"of": "all", "name": ""})
    assert windows.check(story.case()).verdict == "pass"


@pytest.mark.parametrize("now_s", [WALL_S + 100, WALL_S + 100 + 61, WALL_S + 86_400 - (WALL_S % 86_400) - 90])
def test_of_both_groups_one_is_open_at_any_time(now_s: float) -> None:
    body = body_of({"job": JOB, "policies": {}}, partial(payload, Path("/tmp/x")), now_s)
    job = parse_job(body)
    assert set(job.tasks) == {FREE, *TASKS[EVEN], *TASKS[ODD]}
    said = {name: tuple(map(parse, body["groups"][name]["admission"]["windows"])) for name in GROUPS}
    for second in range(0, 2 * 60 * (WINDOWS - 1), 30):
        at_ms = int(now_s + second) * 1000
        is_open = {name: opening(each, zone("UTC"), at_ms).is_open for name, each in said.items()}
        assert is_open == {EVEN: at_ms // 60_000 % 2 == 0, ODD: at_ms // 60_000 % 2 == 1}


def another(story: Story, number: int, created_s: float, began_s: float | None) -> None:
    """One more run, of which the even group began then, or waits to the end."""
    run = {"id": number, "job": JOB, "state": "cancelled", "created": instant(created_s), "tasks": {}}
    story.final["runs"].append({**run, "finished": instant(131)})
    if began_s is not None:
        story.marks.append(Mark("S", JOB, number, "1", 1, None, "agent-1", began_s, "", "-", FIRST))


def test_who_waited_before_is_not_passed_over_however_slow_the_machine_is() -> None:
    story = told()
    story.history += [{"t": float(at_s), "kind": "pace", "took_s": 1.0} for at_s in range(95, 136)]
    another(story, RUN + 1, 98.0, None)
    assert windows.check(story.case()).verdict == "pass", "nobody says that it could have begun"
    another(story, RUN + 2, 121.0, 122.0)
    assert windows.check(story.case()).verdict == "pass", "one may come out of turn"
    another(story, RUN + 3, 124.0, 125.0)
    assert {each.kind for each in windows.check(story.case()).offences} == {"passed-over"}
