"""What fires by what comes: each bug beside a story without it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from chaos import clocks
from chaos.arrivals import DELAY_MS, FOLLOWS, HEARD, PACED, TOGETHER
from chaos.checkers import arrivals, durable
from tests.chaos.stories import Story, clean, instant

DAYS = ("2030-01-02", "2030-01-03", "2030-01-04")
S = DELAY_MS / 1000


def made(story: Story, number: int, job: str, cause: str, key: str, at_s: float, day: str = DAYS[0]) -> None:
    story.final["runs"].append(
        {"id": 950 + number, "job": job, "state": "succeeded", "reason": None, "plan_date": day,
         "cause": cause, "cause_key": key, "created": instant(at_s), "due": instant(at_s),
         "started": instant(at_s), "finished": instant(at_s + 0.5)}
    )  # fmt: skip
    entry = {"at": instant(at_s), "outcome": "ran", "reason": None, "run": 950 + number, "cause_key": key}
    story.final["arrivals"].setdefault(job, []).append(entry)


def at(at_s: float) -> int:
    return int(datetime.fromisoformat(instant(at_s)).timestamp() * 1000)


def told() -> Story:
    """Two notices that were acknowledged, one that may be there; and a job that is paced."""
    story = clean()
    story.final["arrivals"] = {}
    for number, (day, outcome) in enumerate(zip(DAYS, ("ok", "ok", "info"), strict=True)):
        story.operation(110 + number, "tell", outcome, {"day": day})
        if outcome == "ok":
            made(story, number, HEARD, "notice", f"n/arrivals/{number}", 110 + number, day)
            made(story, 30 + number, FOLLOWS, "after", f"a/{950 + number}", 110.6 + number, day)
            made(story, 10 + number, TOGETHER, "all_of", f"g/{day}", 110.6 + number, day)
    made(story, 20, PACED, "delay", f"d/0/{at(100 - S)}", 100)
    made(story, 21, PACED, "delay", f"d/970/{at(100.5)}", 100.5 + S)
    made(story, 22, PACED, "delay", f"d/971/{at(101 + S)}", 101 + 2 * S)
    return story


def run(story: Story, number: int) -> dict[str, Any]:
    return next(each for each in story.final["runs"] if each["id"] == 950 + number)


def test_a_story_without_a_bug_passes() -> None:
    found = arrivals.check(told().case())
    assert (found.verdict, found.offences) == ("pass", ())
    assert found.counts == {"notices": 2, "heard": 2, "follows": 2, "together": 2, "paced": 3}


def test_what_is_yet_to_be_heard_may_be() -> None:
    story = told()
    for number in (1, 31, 11):
        story.final["runs"].remove(run(story, number))
    story.final["arrivals"].update(left=2)  # it, and the one that may be there
    assert arrivals.check(story.case()).offences == ()


def test_what_was_not_read_is_no_pass() -> None:
    story = told()
    del story.final["arrivals"]
    assert arrivals.check(story.case()).verdict == "invalid"


def skip(story: Story, reason: str) -> None:
    story.final["runs"].remove(run(story, 10))
    story.final["arrivals"][TOGETHER][0].update(outcome="skipped", reason=reason, run=None)


BUGS: dict[str, tuple[Callable[[Story], Any], str]] = {
    "a notice makes two runs": (
        lambda s: made(s, 5, HEARD, "notice", "n/arrivals/9", 112, DAYS[0]), "heard-twice"
    ),
    "a notice is not heard": (lambda s: s.final["runs"].remove(run(s, 1)), "unheard"),
    "one that is yet to be heard is not the last": (
        lambda s: (s.final["runs"].remove(run(s, 0)), s.final["arrivals"].update(left=1)), "unheard"
    ),
    "a notice of nobody": (
        lambda s: made(s, 5, HEARD, "notice", "n/arrivals/9", 112, "2031-01-01"), "never-told"
    ),
    "an end makes two runs": (lambda s: made(s, 35, FOLLOWS, "after", "a/950", 113), "followed-twice"),
    "an end is not heard": (
        lambda s: (s.final["runs"].remove(run(s, 30)), s.final["arrivals"][FOLLOWS].pop(0)), "not-followed"
    ),
    "an end of nobody": (lambda s: made(s, 35, FOLLOWS, "after", "a/1", 113), "bad-cause"),
    "a date makes two runs": (
        lambda s: made(s, 15, TOGETHER, "all_of", f"g/{DAYS[1]}", 113, DAYS[1]), "gathered-twice"
    ),
    "a date is forgotten": (
        lambda s: (s.final["runs"].remove(run(s, 10)), s.final["arrivals"][TOGETHER].pop(0)), "not-gathered"
    ),
    "a part is enough": (lambda s: run(s, 10).update(created=instant(110.1)), "incomplete"),
    "a skip without a pause": (lambda s: skip(s, "paused"), "bad-end"),
    "a skip for no reason": (lambda s: skip(s, "overlap"), "bad-end"),
    "the distance is another": (lambda s: run(s, 22).update(due=instant(101 + 3 * S)), "wrong-distance"),
    "it counts from something else": (lambda s: run(s, 21).update(finished=instant(103)), "wrong-anchor"),
    "it fires beside a run": (lambda s: run(s, 21).update(finished=instant(105)), "too-soon"),
    "it fires no more": (lambda s: s.final["runs"].remove(run(s, 22)), "silent"),
}  # fmt: skip


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_a_bug_is_found(bug: str) -> None:
    story = told()
    plant, kind = BUGS[bug]
    plant(story)
    assert kind in {offence.kind for offence in arrivals.check(story.case()).offences}


def test_a_node_that_disproves_what_was_decided_is_told() -> None:
    story = clean()
    story.final["proofs"] = {"node-3": {"ok": False, "problems": [{"kind": "missing"}]}}
    assert "disproved" in {offence.kind for offence in durable.check(story.case()).offences}


@pytest.mark.parametrize("month", [1, 7])
def test_the_job_of_a_zone_is_due_by_no_other_clock(month: int) -> None:
    """Whatever the hour, those of the other data are none of its own."""
    for hour in range(24):
        now = datetime(2027, month, 15, hour, 59, tzinfo=UTC)
        mine = clocks.trigger(now)["cron"].split()[2].split(",")
        for later_h in (0, 1):
            there = (now.timestamp() + later_h * 3_600 + 5.5 * 3_600) % 86_400 // 3_600
            assert str(int(there)) not in mine
