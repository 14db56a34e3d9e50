"""The checker of what happens inside runs: a clean story passes, each way to go wrong is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaos.case import Mark
from chaos.checkers import lifecycle, workflows
from chaos.checkers.workflows import FINISHES, ROUNDS
from chaos.workflows import (
    ASIDE,
    BEGIN,
    CAUGHT,
    CHILD,
    CLOSE,
    FINISHED,
    JOB,
    NESTED,
    ONE,
    PLAIN,
    RESCUE,
    RETRIED,
    TRIED,
    TURN,
    TWO,
    WRITE,
    bodies_of,
)
from chaos.workload import payload
from scheduler.model import parse_job
from tests.chaos.stories import Story, clean, instant

FIRST = 9_000  #: a number of a run that is divided by 3
ORDER = [WRITE, ONE, TWO, RESCUE, BEGIN, TURN, CLOSE]


def a_run(story: Story, kind: int, job: str = JOB) -> int:
    """A run of this job that went well, with those that it began."""
    number, steps = FIRST + kind, ROUNDS[kind] if job == JOB else FINISHES
    number += 3 * (job == FINISHED)
    tasks: dict[str, Any] = {}
    at_s = 110.0
    wrote: dict[str, str] = {}
    for count, (name, turn) in enumerate(sorted(steps, key=_order)):
        at_s, fence = at_s + 0.1, number * 100 + count
        given = "succeeded" if name == CLOSE else wrote.get(workflows.READS.get(name, ""), "-")
        start = Mark("S", job, number, "1", fence, None, "agent-1", at_s, "", given, name, turn)
        story.marks += [start, Mark(**{**_fields(start), "what": "E", "at_s": at_s + 0.05})]
        wrote[name] = str(fence)
        task = tasks.setdefault(name, {"state": "succeeded", "run": None, "attempts": []})
        failed = name == TWO and (kind == CAUGHT or (kind == RETRIED and turn == 0))
        attempt = {"number": 1, "round": turn, "state": "failed" if failed else "succeeded", "fence": fence}
        task["attempts"].append({**attempt, "granted": instant(at_s), "agent": "agent-1"})
        task |= {"round": turn, "finished": instant(at_s)}
    if job == JOB:
        for place, name in enumerate((CHILD, ASIDE)):
            child = number * 10 + place
            tasks[name] = {
                "state": "succeeded",
                "round": 0,
                "run": child,
                "finished": instant(112),
                "attempts": [],
            }
            begun = {"id": child, "job": NESTED, "cause": "nested", "cause_key": f"{number}/{name}//0"}
            ended = {"state": "succeeded", "finished": instant(110.5), "tasks": {}}
            story.final["runs"].append(
                {**begun, **ended, "parent": {"run": number, "task": name, "member": None}}
            )
    made = {
        "id": number,
        "job": job,
        "cause": "manual",
        "cause_key": None,
        "state": "succeeded",
        "reason": None,
    }
    story.final["runs"].append({**made, "finished": instant(115), "tasks": tasks})
    return number


def _order(step: tuple[str, int]) -> tuple[int, int, int]:
    name, turn = step
    return ORDER.index(name) // ORDER.index(TURN) + (name == CLOSE), turn, ORDER.index(name)


def _fields(mark: Mark) -> dict[str, Any]:
    return {name: getattr(mark, name) for name in Mark.__slots__}


def told() -> Story:
    story = clean()
    for run in story.final["runs"]:
        run["cause"] = "tick"
    for kind in (PLAIN, RETRIED, CAUGHT):
        a_run(story, kind)
    a_run(story, PLAIN, FINISHED)
    return story


def run_of(story: Story, kind: int, name: str = "") -> dict[str, Any]:
    """That run, or its task of this name."""
    found: dict[str, Any] = next(run for run in story.final["runs"] if run["id"] == FIRST + kind)
    return found["tasks"][name] if name else found


def marks_of(story: Story, kind: int, name: str, turn: int = 0, what: str = "SE") -> list[Mark]:
    at = (FIRST + kind, name, turn)
    return [mark for mark in story.marks if (mark.run, mark.task, mark.round) == at and mark.what in what]


def change(story: Story, marks: list[Mark], **fields: Any) -> None:
    for mark in marks:
        story.marks.remove(mark)
        story.again(mark, **fields)


def forget(story: Story, kind: int, name: str, turn: int) -> None:
    for mark in marks_of(story, kind, name, turn):
        story.marks.remove(mark)


def once_more(story: Story, kind: int, name: str, turn: int, at_s: float) -> None:
    (start,) = marks_of(story, PLAIN, TWO, what="S")
    story.again(start, run=FIRST + kind, task=name, round=turn, at_s=at_s)


def lost_before_its_catch(story: Story) -> None:
    """`one` was lost, and that was caught: neither `two` nor another round began."""
    story.marks = [mark for mark in story.marks if mark.run != FIRST or mark.task not in (ONE, TWO)]
    once_more_lost = {"number": 1, "round": 0, "state": "lost", "fence": 1, "agent": "agent-1"}
    run_of(story, PLAIN, ONE)["attempts"] = [{**once_more_lost, "granted": instant(110.2)}]
    run_of(story, PLAIN, TWO)["attempts"] = []
    change(story, marks_of(story, PLAIN, TURN, 0, "S"), given="")
    change(story, marks_of(story, PLAIN, TURN, 1, "S"), given="")
    start = marks_of(story, PLAIN, WRITE, what="S")[0]
    story.again(start, task=RESCUE, at_s=110.9, given="")


def test_what_happens_inside_runs_passes_and_is_counted() -> None:
    found = workflows.check(told().case())
    assert (found.verdict, found.offences) == ("pass", ())
    assert found.counts == {"workflows": 4, "rounds": 8, "caught": 1, "nested": 6}
    assert workflows.check(clean().case()).verdict == "pass"


def test_what_was_lost_is_caught_where_its_agent_was_hurt() -> None:
    story = told()
    lost_before_its_catch(story)
    assert {each.kind for each in workflows.check(story.case()).offences} == {"lost-without-cause"}
    story.fault(110.0, 110.4, "agent-killed")
    assert workflows.check(story.case()).offences == ()


def children(story: Story, **fields: Any) -> dict[str, Any]:
    child: dict[str, Any] = next(run for run in story.final["runs"] if run["cause"] == "nested")
    return child | fields if fields else child


def looked(story: Story, *seen: tuple[int, str]) -> None:
    for number, (turn, state) in enumerate(seen):
        story.operation(
            116 + number, "look", "ok", {"run": FIRST}, state="running", tasks={ONE: [turn, state]}
        )


Bug = Callable[[Story], Any]
BUGS: list[tuple[str, Bug]] = [
    ("began-twice", lambda s: once_more(s, PLAIN, TURN, 1, 113)),
    ("other-steps", lambda s: once_more(s, PLAIN, TURN, 2, 111)),
    ("other-steps", lambda s: once_more(s, 3, "never", 0, 110.15)),
    ("other-steps", lambda s: forget(s, RETRIED, TWO, 1)),
    ("not-succeeded", lambda s: run_of(s, PLAIN).update(state="failed")),
    ("round-early", lambda s: change(s, marks_of(s, RETRIED, TWO, 0, "E"), at_s=110.55)),
    ("catch-without-failure", lambda s: once_more(s, RETRIED, RESCUE, 1, 110.9)),
    ("catch-early", lambda s: change(s, marks_of(s, CAUGHT, RESCUE, 1, "S"), at_s=110.45)),
    ("other-output", lambda s: change(s, marks_of(s, CAUGHT, TURN, 0, "S"), given="900202")),
    ("other-output", lambda s: change(s, marks_of(s, RETRIED, TWO, 1, "S"), given="")),
    ("finally-early", lambda s: change(s, marks_of(s, PLAIN, CLOSE, 0), at_s=110.42)),
    ("another-rest", lambda s: change(s, marks_of(s, PLAIN, CLOSE, 0, "S"), given="failed")),
    ("two-children", lambda s: s.final["runs"].append(children(s, id=1))),
    ("orphan", lambda s: s.final["runs"].append(children(s, id=1, parent=None, cause_key="x"))),
    ("orphan", lambda s: run_of(s, PLAIN)["tasks"].pop(CHILD)),
    ("another-end", lambda s: run_of(s, PLAIN, CHILD).update(state="failed")),
    ("no-child", lambda s: s.final["runs"].remove(children(s))),
    ("resurrected", lambda s: looked(s, (0, "failed"), (0, "active"))),
    ("resurrected", lambda s: looked(s, (1, "blocked"), (0, "succeeded"))),
    ("resurrected", lambda s: looked(s, (0, "failed"))),
]


@pytest.mark.parametrize(("kind", "bug"), BUGS, ids=[f"{n}-{kind}" for n, (kind, _) in enumerate(BUGS)])
def test_what_goes_wrong_is_told(kind: str, bug: Bug) -> None:
    story = told()
    bug(story)
    assert kind in {each.kind for each in workflows.check(story.case()).offences}


def test_what_is_to_be_done_finally_is_not_forgotten() -> None:
    story = told()
    story.marks = [mark for mark in story.marks if (mark.run, mark.task) != (FIRST, CLOSE)]
    run_of(story, PLAIN, CLOSE)["attempts"] = []
    assert "finally-forgotten" in {each.kind for each in workflows.check(story.case()).offences}


def rounds(*steps: tuple[str, int, str]) -> set[str]:
    """What lifecycle says of these steps of a group: begun or ended, round, what follows."""
    story = clean()
    for events in story.events.values():
        for number, (what, turn, then) in enumerate(steps):
            told = {"event": f"round_{what}", "task": 70, "run": 999, "name": TRIED, "round": turn}
            events.append({"id": f"{400 + number}.0", "t": 120.0, **told, "then": then})
    return {each.kind for each in lifecycle.check(story.case()).offences}


def test_rounds_follow_each_other() -> None:
    first, again = ("begun", 0, ""), ("ended", 0, "retry")
    assert rounds(first, again, ("begun", 1, ""), ("ended", 1, "catch"), ("ended", 1, "")) == set()
    assert rounds(("ended", 3, "held"), ("begun", 4, "")) == set()
    for wrong in (
        (first, ("begun", 1, "")),
        (first, again, ("begun", 2, "")),
        (first, again, again),
        (first, ("ended", 0, ""), ("begun", 1, "")),
        (first, ("ended", 1, "")),
    ):
        assert rounds(*wrong) == {"illegal-step"}, wrong


def test_the_jobs_of_the_load_are_jobs() -> None:
    bodies = bodies_of(lambda name: {"job": name, "policies": {}}, partial(payload, Path("/tmp/x")))
    jobs = {name: parse_job(body) for name, body in bodies.items()}
    assert set(jobs[JOB].tasks) >= {name for name, _ in ROUNDS[CAUGHT]}
    assert set(jobs[FINISHED].tasks) >= {name for name, _ in FINISHES}
