"""The checker of hands on live runs: a clean story passes, each way to go wrong is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaos.case import Mark
from chaos.checkers import hands, results, ticks
from chaos.hands import JOB, ONE, THREE, TWO, body_of
from chaos.pace import REFERENCE_S
from chaos.workload import payload
from scheduler.model import parse_job
from tests.chaos.stories import Story, clean, instant

HELD, SUSPENDED, MADE_HELD, SKIPPED, PASSED, STOPPED, CANCELLED, RETRIED, OVERRIDDEN, SOURCE = range(900, 910)
AGAIN = 920
WELL = {ONE: "succeeded", TWO: "succeeded", THREE: "succeeded"}


def a_run(story: Story, number: int, state: str = "succeeded", **fields: Any) -> dict[str, Any]:
    """A run of three tasks that start one second after the other."""
    states = {**WELL, **fields.pop("tasks", {})}
    run = {
        "id": number, "job": JOB, "state": state, "cause": "manual", "finished": instant(115), "tick": None,
        "tasks": {name: {"state": each, "attempts": []} for name, each in states.items()}, **fields,
    }  # fmt: skip
    story.final["runs"] = [each for each in story.final["runs"] if each["id"] != number] + [run]
    return run


def start(story: Story, number: int, task: str, at_s: float, attempt: str = "1", what: str = "S") -> None:
    given = "-" if task == ONE else str(10 * number)
    fence = 10 * number if task == ONE else 10 * number + int(attempt)
    story.marks.append(Mark(what, JOB, number, attempt, fence, None, "agent-1", at_s, "well", given, task))


def hand(
    story: Story, at_s: float, what: str, run: int, task: str = "", outcome: str = "ok", **more: Any
) -> None:
    reason = f"{what} {len(story.history)}"
    told = {"hand": what, "run": run, "task": task, "reason": reason, **more.pop("asked", {})}
    story.operation(at_s, "hand", outcome, told, **{"state": "running", **more})
    if outcome == "ok":
        story.final["audit"].insert(0, {
            "number": len(story.final["audit"]) + 1, "index": len(story.final["audit"]), "kind": "run",
            "action": what, "run": run, "reason": None if what == "cancel" else reason, "name": JOB,
        })  # fmt: skip


def told() -> Story:
    story = clean()
    story.final["audit"] = []
    for each in story.final["runs"]:
        each["cause"] = "tick"
    for number in range(HELD, SOURCE + 1):
        a_run(story, number)
        asked = {"job": JOB, "held": number == MADE_HELD}
        story.operation(110, "hand-run", "ok", asked, run=number)
        start(story, number, ONE, 112.5 if number == MADE_HELD else 110.5)
        start(story, number, ONE, 112.6 if number == MADE_HELD else 111.5, what="E")
    hand(story, 110.2, "hold", HELD, TWO)
    hand(story, 112, "release", HELD, TWO)
    start(story, HELD, TWO, 112.2)
    hand(story, 124, "suspend", SUSPENDED)
    hand(story, 126, "resume", SUSPENDED)
    start(story, SUSPENDED, TWO, 124.9)
    start(story, SUSPENDED, THREE, 126.1)
    hand(story, 112, "release", MADE_HELD)
    a_run(story, SKIPPED, tasks={THREE: "skipped"})
    hand(story, 110.6, "skip", SKIPPED, THREE)
    a_run(story, PASSED, tasks={TWO: "skipped"})
    hand(story, 110.6, "skip", PASSED, TWO, asked={"pass": True})
    start(story, PASSED, THREE, 112)
    a_run(story, STOPPED, "cancelled", tasks={ONE: "cancelled", TWO: "skipped", THREE: "skipped"})
    hand(story, 110.7, "stop", STOPPED, ONE)
    a_run(story, CANCELLED, "cancelled", tasks={TWO: "cancelled", THREE: "cancelled"})
    hand(story, 124, "cancel", CANCELLED)
    start(story, RETRIED, TWO, 112)
    start(story, RETRIED, TWO, 112.1, what="E")
    hand(story, 113, "retry", RETRIED, TWO)
    start(story, RETRIED, TWO, 113.5, attempt="2")
    a_run(story, OVERRIDDEN, override={"as": "failed"})
    hand(story, 116, "override", OVERRIDDEN, asked={"as": "failed"}, state="succeeded")
    rerun = {"job": JOB, "run": SOURCE, "reason": "rerun 1", "from": TWO}
    story.operation(117, "rerun", "ok", rerun, made=AGAIN)
    a_run(story, AGAIN, cause="rerun", rerun={"of": SOURCE})
    for at_s, task in ((118.0, TWO), (118.5, THREE)):
        start(story, AGAIN, task, at_s)
        change(story, AGAIN, task, given=str(10 * SOURCE))
    return story


def change(story: Story, run: int, task: str, **fields: Any) -> None:
    for mark in [each for each in story.marks if (each.run, each.task) == (run, task)]:
        story.marks.remove(mark)
        story.again(mark, **fields)


def forget(story: Story, run: int, task: str, attempt: str = "1") -> None:
    kept = (run, task, attempt)
    story.marks = [mark for mark in story.marks if (mark.run, mark.task, mark.attempt) != kept]


def test_hands_that_hold_pass_and_are_counted() -> None:
    found = hands.check(told().case())
    assert (found.verdict, found.offences) == ("pass", ())
    assert found.counts == {"hands": 11, "reruns": 1}
    assert hands.check(clean().case()).verdict == "pass"


def of(story: Story, number: int) -> dict[str, Any]:
    found: dict[str, Any] = next(run for run in story.final["runs"] if run["id"] == number)
    return found


def noted(story: Story, what: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry for entry in story.final["audit"] if entry["action"] == what)
    return found


Bug = Callable[[Story], Any]
BUGS: list[tuple[str, Bug]] = [
    ("started-while-held", lambda s: start(s, HELD, TWO, 111.8)),
    ("started-while-held", lambda s: change(s, MADE_HELD, ONE, at_s=111.5)),
    ("started-while-suspended", lambda s: change(s, SUSPENDED, THREE, at_s=125.6)),
    ("ran-though-skipped", lambda s: start(s, SKIPPED, THREE, 112)),
    ("not-skipped", lambda s: of(s, SKIPPED)["tasks"][THREE].update(state="cancelled")),
    ("not-passed", lambda s: of(s, PASSED)["tasks"][THREE].update(state="skipped")),
    ("not-stopped", lambda s: never_stopped(s)),
    ("went-on", lambda s: start(s, CANCELLED, TWO, 128)),
    ("not-retried", lambda s: forget(s, RETRIED, TWO, "2")),
    ("not-retried", lambda s: change_again(s, 152.2)),
    ("tried-too-soon", lambda s: start(s, RETRIED, TWO, 112.5, attempt="2")),
    ("verdict-lost", lambda s: of(s, OVERRIDDEN).update(override=None)),
    ("truth-changed", lambda s: of(s, OVERRIDDEN).update(state="failed")),
    ("unnoted", lambda s: s.final["audit"].remove(noted(s, "hold"))),
    ("noted-twice", lambda s: s.final["audit"].append(noted(s, "skip"))),
    ("noted-though-refused", lambda s: refused(s)),
    ("never-asked", lambda s: a_run(s, 930, cause="rerun", rerun={"of": SOURCE})),
    ("done-again", lambda s: start(s, AGAIN, ONE, 117.5)),
    ("not-done-again", lambda s: forget(s, AGAIN, THREE)),
    ("other-output", lambda s: change(s, AGAIN, TWO, given="7")),
    ("rerun-lost", lambda s: s.final["runs"].remove(of(s, AGAIN))),
    ("vanished", lambda s: s.final["runs"].remove(of(s, HELD))),
]


def never_stopped(story: Story) -> None:
    of(story, STOPPED)["tasks"][ONE].update(state="succeeded")
    forget(story, STOPPED, ONE)


def change_again(story: Story, at_s: float) -> None:
    """It was tried again when its pause was over, on a machine that is so slow that nothing is late."""
    story.history = [entry for entry in story.history if entry["kind"] != "fault"]
    story.history += [{"t": 100.0 + n, "kind": "pace", "took_s": 60 * REFERENCE_S} for n in range(60)]
    for mark in [m for m in story.marks if (m.run, m.task, m.attempt) == (RETRIED, TWO, "2")]:
        story.marks.remove(mark)
        story.again(mark, at_s=at_s)


def refused(story: Story) -> None:
    hand(story, 119, "hold", HELD, ONE)
    story.history[-1].update(kind="fail", status=409)


@pytest.mark.parametrize(("kind", "bug"), BUGS, ids=[f"{n}-{kind}" for n, (kind, _) in enumerate(BUGS)])
def test_what_goes_wrong_is_told(kind: str, bug: Bug) -> None:
    story = told()
    bug(story)
    assert kind in {each.kind for each in hands.check(story.case()).offences}


def test_an_answer_that_was_lost_may_be_a_yes() -> None:
    story = told()
    hand(story, 119, "hold", HELD, THREE, outcome="info")
    start(story, HELD, THREE, 120)
    hand(story, 121, "override", OVERRIDDEN, outcome="info", asked={"as": "succeeded"})
    of(story, OVERRIDDEN).update(override={"as": "succeeded"})
    assert hands.check(story.case()).offences == ()


def test_a_run_that_repeats_another_as_asked_is_no_outcome_of_its_tick() -> None:
    story = clean()
    again = {**story.run(5), "id": 950, "cause": "rerun", "rerun": {"of": 5}}
    story.final["runs"].append(again)
    story.again(story.start(5), run=950, at_s=107.0)
    assert "two-runs" in {each.kind for each in ticks.check(story.case()).offences}
    assert "two-runs" in {each.kind for each in results.check(story.case()).offences}
    story.operation(106.9, "rerun", "info", {"run": 5, "job": "pulse"})
    assert ticks.check(story.case()).offences == ()
    assert "two-runs" not in {each.kind for each in results.check(story.case()).offences}


def test_the_job_of_the_load_is_one() -> None:
    job = parse_job(body_of({"job": JOB, "policies": {}}, partial(payload, Path("/tmp/x"))))
    assert set(job.tasks) == set(WELL)
