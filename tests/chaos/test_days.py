"""The checker of closed dates, single ticks and backfills: a clean story passes, each bug is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaos.case import Mark
from chaos.checkers import days
from chaos.days import BLOCK_H, BROUGHT_MS, FILLED, HOUR_MS, MOVED_MS, NAMESPACE, SHUT, TURNED, Days, text_of
from chaos.workload import payload
from scheduler.model import parse_job
from scheduler.ticks import plan_days
from scheduler.ticks.zones import zone
from tests.chaos.stories import ZERO_MS, Story, clean, instant

BACKFILL = 77
FROM_MS = (ZERO_MS // HOUR_MS - 100) * HOUR_MS
HELD, SKIPPED, MOVED, GIVEN, BROUGHT = 110, 112, 114, 116, 128
SHUT_S, OPENED_S = 103.0, 107.0
REFUSED = 409


def a_run(
    story: Story, number: int, job: str, cause: str, at_ms: int, made_s: float, *,
    started_s: float | None = None, word: str = "-", cause_key: str | None = None,
) -> None:  # fmt: skip
    """With what its payload wrote."""
    started_s = made_s + 0.1 if started_s is None else started_s
    ended_s = started_s + 0.1
    story.final["runs"].append(
        {"id": number, "job": job, "cause": cause, "cause_key": cause_key, "tick": text_of(at_ms),
         "state": "succeeded", "created": instant(made_s), "finished": instant(ended_s), "tasks": {}}
    )  # fmt: skip
    for what, at_s in (("S", started_s), ("E", ended_s)):
        story.marks.append(Mark(what, job, number, "1", number, at_ms, "agent-1", at_s, word))


def an_entry(at_ms: int, decided_s: float, outcome: str = "ran", reason: str | None = None) -> dict[str, Any]:
    said = {"outcome": outcome, "reason": reason, "cause": "tick"}
    return {"at": text_of(at_ms), **said, "decided_at": instant(decided_s)}


def of(second: int) -> int:
    return ZERO_MS + (second - 100) * 1_000


def told() -> Story:
    story = clean()
    story.final["days"] = {SHUT: [], TURNED: [], FILLED: []}
    _of_date(story)
    _of_ticks(story)
    _of_backfills(story)
    return story


def _of_date(story: Story) -> None:
    date = {"of": "date", "name": NAMESPACE}
    story.operation(SHUT_S, "pause", "ok", date)
    story.operation(OPENED_S, "resume", "ok", date)
    for second in (100, 102, 108):
        a_run(story, 8_000 + second, SHUT, "tick", of(second), second)
    closed = ("skipped", "plan_closed")
    story.final["days"][SHUT] = [an_entry(of(second), second, *closed) for second in (104, 105)]
    story.operation(102, "dated", "ok", {"job": SHUT, "closed": False}, run=8_200)
    story.operation(104, "dated", "fail", {"job": SHUT, "closed": False}, status=REFUSED)
    story.operation(105, "dated", "ok", {"job": SHUT, "closed": True}, run=8_201)
    story.operation(106, "rerun", "ok", {"job": SHUT, "run": 8_201}, made=8_202)


def _of_ticks(story: Story) -> None:
    seconds = (HELD, SKIPPED, MOVED, GIVEN, BROUGHT)
    for second, act in zip(seconds, ("hold", "skip", "move", "give", "bring"), strict=True):
        story.operation(second - 4, "turn", "ok", {"act": act, "at_ms": of(second), "word": "w"})
    story.operation(HELD + 2, "turn", "ok", {"act": "release", "at_ms": of(HELD)})
    moved_s = MOVED + MOVED_MS / 1_000
    brought_s = BROUGHT + BROUGHT_MS / 1_000 + 0.1
    began = (
        (HELD, HELD + 2.1, "-"), (MOVED, moved_s, "-"), (GIVEN, GIVEN + 0.1, "w"), (BROUGHT, brought_s, "-"),
    )  # fmt: skip
    for second, started_s, word in began:
        a_run(story, 8_000 + second, TURNED, "tick", of(second), second, started_s=started_s, word=word)
        story.final["days"][TURNED].append(an_entry(of(second), started_s))
    story.final["days"][TURNED].append(an_entry(of(SKIPPED), SKIPPED, "skipped", "by_person"))


def _of_backfills(story: Story) -> None:
    asked = {"from_ms": FROM_MS, "to_ms": FROM_MS + BLOCK_H * HOUR_MS}
    for at_s, number in ((101, BACKFILL), (106, BACKFILL + 1)):
        story.operation(at_s, "fill", "ok", asked, backfill=number)
    for number in range(BLOCK_H):
        at_ms, key = FROM_MS + (number + 1) * HOUR_MS, f"hourly/x/{BACKFILL}"
        a_run(story, 8_500 + number, FILLED, "backfill", at_ms, 101 + number, cause_key=key)
    story.final["fillings"] = [
        {"id": BACKFILL + n, "state": "done", "max_active": 1, "from": text_of(FROM_MS)} for n in (1, 0)
    ]


def kinds(story: Story) -> set[str]:
    return {offence.kind for offence in days.check(story.case()).offences}


def test_a_story_without_a_bug_passes() -> None:
    found = days.check(told().case())
    assert (found.verdict, found.offences) == ("pass", ())
    assert found.counts == {"closings": 1, "turned": 6, "filled": BLOCK_H}
    assert days.check(clean().case()).verdict == "pass"


@pytest.mark.parametrize("name", ["days", "fillings"])
def test_what_was_not_read_is_no_pass(name: str) -> None:
    story = told()
    del story.final[name]
    assert days.check(story.case()).verdict == "invalid"


def _run(story: Story, number: int) -> dict[str, Any]:
    return next(run for run in story.final["runs"] if run["id"] == number)


def _starts(story: Story, second: int, at_s: float, word: str = "-") -> None:
    story.marks.append(Mark("S", TURNED, 8_000 + second, "1", 1, of(second), "agent-1", at_s, word))


def _entry(story: Story, second: int) -> dict[str, Any]:
    return next(e for e in story.final["days"][TURNED] if e["at"] == text_of(of(second)))


def _comes(story: Story, *, second: int, at_s: float) -> None:
    story.marks[:] = [mark for mark in story.marks if (mark.job, mark.run) != (TURNED, 8_000 + second)]
    _starts(story, second, at_s)


def _again(story: Story, number: int, made_s: float) -> None:
    at_ms, key = FROM_MS + number * HOUR_MS, f"hourly/x/{BACKFILL + 1}"
    a_run(story, 8_600, FILLED, "backfill", at_ms, made_s, cause_key=key)


def _beside_a_bad_one(story: Story, *, made_s: float) -> None:
    _run(story, 8_500).update(state="failed")
    _again(story, 1, made_s)


BUGS: dict[str, tuple[Callable[[Story], Any], str]] = {
    "a tick fires": (lambda s: a_run(s, 9_000, SHUT, "tick", of(106), 105), "fired-while-closed"),
    "a missed one fires": (lambda s: a_run(s, 9_000, SHUT, "catchup", of(98), 105), "fired-while-closed"),
    "an open date skips": (
        lambda s: s.final["days"][SHUT].append(an_entry(of(109), 109, "skipped", "plan_closed")),
        "skipped-while-open",
    ),
    "a run is taken": (
        lambda s: s.operation(105.5, "dated", "ok", {"job": SHUT, "closed": False}, run=1),
        "ran-though-closed",
    ),
    "what is meant is refused": (
        lambda s: s.operation(105.5, "dated", "fail", {"job": SHUT, "closed": True}, status=REFUSED),
        "refused-though-meant",
    ),
    "a repeat is refused": (
        lambda s: s.operation(105.5, "rerun", "fail", {"job": SHUT, "run": 1}, status=REFUSED),
        "refused-though-meant",
    ),
    "an open date refuses": (
        lambda s: s.operation(109, "dated", "fail", {"job": SHUT, "closed": False}, status=REFUSED),
        "refused-while-open",
    ),
    "between two ticks": (lambda s: a_run(s, 9_000, SHUT, "tick", of(102) + 500, 102.5), "never-due"),
    "a held one starts": (lambda s: _starts(s, HELD, HELD + 0.1), "started-while-held"),
    "a moved one starts": (lambda s: _starts(s, MOVED, MOVED + 0.1), "not-moved"),
    "one that is brought forward starts before that": (
        lambda s: _starts(s, BROUGHT, BROUGHT + BROUGHT_MS / 1_000 - 1), "not-brought",
    ),
    "one that is brought forward comes as ever": (
        partial(_comes, second=BROUGHT, at_s=BROUGHT), "not-brought",
    ),
    "one that is brought forward comes again": (
        lambda s: a_run(s, 9_000, TURNED, "tick", of(BROUGHT), BROUGHT), "two-outcomes",
    ),
    "a skipped one starts": (
        lambda s: a_run(s, 8_000 + SKIPPED, TURNED, "tick", of(SKIPPED), SKIPPED), "not-skipped",
    ),
    "a skipped one is told to have run": (lambda s: _entry(s, SKIPPED).update(outcome="ran"), "not-skipped"),
    "another parameter": (lambda s: _starts(s, GIVEN, GIVEN + 0.2, "v"), "other-parameter"),
    "a given one is skipped": (
        lambda s: _entry(s, GIVEN).update(outcome="skipped", reason="by_person"), "not-given",
    ),
    "paused, and nobody did": (
        lambda s: _entry(s, GIVEN).update(outcome="skipped", reason="paused"), "not-given",
    ),
    "two entries": (lambda s: s.final["days"][TURNED].append(_entry(s, GIVEN)), "two-outcomes"),
    "two runs": (lambda s: a_run(s, 9_000, TURNED, "tick", of(HELD), HELD), "two-outcomes"),
    "no entry": (lambda s: s.final["days"][TURNED].remove(_entry(s, MOVED)), "undecided"),
    "no run": (lambda s: s.final["runs"].remove(_run(s, 8_502)), "unfilled"),
    "a second one": (lambda s: _again(s, 1, 109), "filled-twice"),
    "a second one beside a bad one": (partial(_beside_a_bad_one, made_s=101.05), "filled-twice"),
    "of an instant that nobody named": (lambda s: _again(s, 0, 109), "never-asked"),
    "a backfill is gone": (lambda s: s.final["fillings"].pop(), "vanished"),
    "a backfill hangs": (lambda s: s.final["fillings"][0].update(state="going"), "unfinished"),
    "more at once": (
        lambda s: a_run(
            s, 8_600, FILLED, "backfill", FROM_MS + HOUR_MS, 102.05, cause_key=f"hourly/x/{BACKFILL}"
        ),
        "over-filled",
    ),
    "a tick of it": (
        lambda s: s.final["days"][FILLED].append(an_entry(FROM_MS + HOUR_MS, 109)), "tick-written",
    ),
}  # fmt: skip


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_a_bug_is_found(bug: str) -> None:
    plant, kind = BUGS[bug]
    story = told()
    plant(story)
    assert kind in kinds(story)


def _unheard(story: Story) -> None:
    story.operation(HELD - 4, "turn", "info", {"act": "hold", "at_ms": of(HELD)})
    _starts(story, HELD, HELD + 0.1)


def _paused(story: Story) -> None:
    story.operation(SKIPPED - 1, "pause", "ok", {"of": "all", "name": ""})
    _entry(story, SKIPPED).update(outcome="skipped", reason="paused")


def _closed_unheard(story: Story) -> None:
    story.operation(109, "pause", "info", {"of": "date", "name": NAMESPACE})
    story.final["days"][SHUT].append(an_entry(of(110), 110, "skipped", "plan_closed"))
    for events in story.events.values():
        events.append({"t": 109.1, "id": "900.0", "event": "plan_closed", "namespace": NAMESPACE})


def _to_come(story: Story) -> None:
    story.operation(132, "turn", "ok", {"act": "skip", "at_ms": of(136)})


EXCUSED: dict[str, Callable[[Story], Any]] = {
    "a second run behind a bad one": partial(_beside_a_bad_one, made_s=109),
    "nobody heard whether it was held": _unheard,
    "a skipped one in a pause": _paused,
    "a closing that nobody heard of": _closed_unheard,
    "a tick that is to come": _to_come,
}


@pytest.mark.parametrize("what", EXCUSED, ids=str)
def test_what_may_be_is_no_bug(what: str) -> None:
    story = told()
    EXCUSED[what](story)
    assert kinds(story) == set()


@pytest.mark.parametrize("hour", range(24))
def test_the_date_lasts_for_hours_on_either_side_of_the_load(hour: int) -> None:
    now_s = ZERO_MS / 1_000 + hour * 3_600 + 1_234
    load = Days(now_s)
    declared = dict(load.declared(partial(payload, Path("/evidence"))))
    plan = declared[f"/v1/namespaces/{NAMESPACE}"]["plan"]
    given = plan_days.pieces(zone(plan["tz"]), plan["begin"], int(now_s * 1_000))
    for apart_s in (-6 * 3_600, 0, 6 * 3_600):
        day = plan_days.day_of(given, int((now_s + apart_s) * 1_000))
        assert plan_days.text_of(day) == load.date


def test_the_jobs_of_the_load_are_jobs() -> None:
    declared = dict(Days(time.time()).declared(partial(payload, Path("/evidence"))))
    bodies = [body for path, body in declared.items() if path.startswith("/v1/jobs/")]
    assert [parse_job(body).name for body in bodies] == [SHUT, TURNED, FILLED]
