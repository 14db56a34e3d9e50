"""What runs require of other jobs and of boards: they wait for it, visible, without a slot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler.explain.findings import Cluster
from scheduler.explain.runs import explain_run
from scheduler.machine.rules import day_ticks
from scheduler.store.tables import required, run_waits
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words.outcomes import Code
from tests.scheduler.story import START_MS, Story, job

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HOURLY = {"every": "1h", "id": "t"}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    story.connect()
    story.apply({"board": "stock"}, job("load"), job("other"))
    return story


def put(story: Story, *requires: dict[str, Any], policy: Any = None, **fields: Any) -> None:
    said = {"requires_policy": policy} if policy else {}
    assert story.apply(job(requires=list(requires), **said, **fields)).ok


def run(story: Story, name: str = "j", **fields: Any) -> int:
    made: int = story.value(c.RunJob("default", name, b"{}", story.now_ms, **fields), "run")
    return made


def load(story: Story, *, exit_code: int = 0, name: str = "load", **fields: Any) -> int:
    made = run(story, name, **fields)
    story.settle(exit_code=exit_code)
    return made


def post(story: Story, key: str = "k", lasts_ms: int = HOUR_MS) -> int:
    return int(story.value(c.PostNotice("default", "stock", key, lasts_ms), "serial"))


def lacks(story: Story, number: int) -> list[tuple[str, int | None]]:
    told = explain_run(story.store, story.run(number), Cluster(story.now_ms, "a", True), story.compiled)
    return [(each.reason, each.opens_ms) for each in told.gates if each.gate == "requires" and each.reason]


def state(story: Story, number: int) -> tuple[str, int]:
    row = story.run(number)
    return row.state, row.waiting


def nothing_left(story: Story) -> None:
    assert story.store.value("SELECT count(*) FROM run_requires") == 0
    assert run_waits.next_ms(story.store) is None
    assert verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms).problems == []


def test_a_run_waits_for_an_end_and_says_for_which(story: Story) -> None:
    put(story, {"job": "load"})
    made = run(story)
    story.settle()
    assert state(story, made) == ("pending", 4)
    assert lacks(story, made) == [("it requires a run of load succeeded since the last run", None)]
    load(story, exit_code=1)
    assert state(story, made) == ("pending", 4), "that failed"
    load(story)
    assert state(story, made) == ("succeeded", 0)
    nothing_left(story)


def test_what_ended_before_counts_though_nobody_waited_for_it_then(story: Story) -> None:
    put(story, {"job": "load"})
    load(story)
    made = run(story)
    story.settle()
    assert state(story, made)[0] == "succeeded"


def test_each_run_wants_an_end_after_the_run_before_it(story: Story) -> None:
    put(story, {"job": "load"})
    load(story)
    story.now_ms += 1_000
    first = run(story)
    story.settle()
    story.now_ms += 1_000
    second = run(story)
    story.settle()
    assert (state(story, first)[0], state(story, second)) == ("succeeded", ("pending", 4))
    story.now_ms += 1_000
    load(story)
    assert state(story, second)[0] == "succeeded"


def test_ends_of_the_same_plan_date_are_counted_and_outlive_the_runs(story: Story) -> None:
    put(story, {"job": "load", "since": "plan_date", "count": 3})
    story.apply(job("load", policies={"retention": {"runs": 1}}))
    made = run(story)
    story.settle()
    day = story.run(made).plan_day
    load(story, plan_day=day - 1)
    for _ in range(2):
        load(story)
    story.tell_ok(c.Purge(story.epoch, story.job("load").id, 1 << 40, 100))
    assert story.store.value("SELECT count(*) FROM runs WHERE name = 'load'") == 0
    assert lacks(story, made) == [("it requires 3 runs of load succeeded of the same plan date", None)]
    load(story)
    assert state(story, made)[0] == "succeeded"


@pytest.mark.parametrize(("age_h", "is_met"), [(5, True), (7, False)])
def test_ends_within_a_time_before_it_is_due(story: Story, age_h: int, is_met: bool) -> None:
    put(story, {"job": "load", "since": "6h"})
    load(story)
    story.now_ms += age_h * HOUR_MS
    made = run(story)
    story.settle()
    assert (state(story, made)[0] == "succeeded") == is_met


@pytest.mark.parametrize(
    ("asked", "exit_code", "is_met"),
    [
        ("failed", 1, True),
        ("failed", 0, False),
        ("ended", 1, True),
        ("ended", 0, True),
        ("succeeded", 1, False),
    ],
)
def test_how_they_ended(story: Story, asked: str, exit_code: int, is_met: bool) -> None:
    put(story, {"job": "load", "state": asked})
    load(story, exit_code=exit_code)
    made = run(story)
    story.settle()
    assert (state(story, made)[0] == "succeeded") == is_met


def test_a_verdict_of_a_person_counts(story: Story) -> None:
    put(story, {"job": "load"})
    made = run(story)
    failed = load(story, exit_code=1)
    story.tell_ok(c.OverrideRun(failed, "succeeded", "by hand"))
    story.settle()
    assert state(story, made)[0] == "succeeded"


def test_a_notice_that_is_used_up_meets_one_run_the_older(story: Story) -> None:
    put(story, {"notice": "stock", "consume": True}, policies={"overlap": "allow"})
    first, second = run(story), run(story)
    story.settle()
    assert lacks(story, second) == [("it requires a notice on board stock", None)]
    post(story)
    story.settle()
    assert [state(story, each)[0] for each in (first, second)] == ["succeeded", "pending"]
    post(story)
    story.settle()
    assert state(story, second)[0] == "succeeded"
    assert story.store.rows("SELECT run FROM consumed ORDER BY serial") == [(first,), (second,)]
    nothing_left(story)


def test_two_of_one_board_use_up_two(story: Story) -> None:
    put(story, {"notice": "stock", "consume": True}, {"notice": "stock", "consume": True})
    made = run(story)
    post(story)
    story.settle()
    assert state(story, made) == ("pending", 4)
    post(story)
    story.settle()
    assert state(story, made)[0] == "succeeded"


def test_of_any_only_what_met_it_is_used_up(story: Story) -> None:
    put(story, {"job": "load"}, {"notice": "stock", "consume": True}, policy={"need": "any"})
    post(story)
    load(story)
    made = run(story)
    story.settle()
    assert state(story, made)[0] == "succeeded"
    assert story.store.value("SELECT count(*) FROM consumed") == 0


def test_a_key_and_the_plan_date(story: Story) -> None:
    put(story, {"notice": "stock", "key": "plan_date"})
    made = run(story)
    post(story, "2027-01-14")
    story.settle()
    assert state(story, made) == ("pending", 4)
    post(story, "plan_date")
    story.settle()
    assert state(story, made)[0] == "succeeded"


def test_an_expired_notice_meets_nothing(story: Story) -> None:
    put(story, {"notice": "stock"})
    post(story, lasts_ms=1_000)
    story.now_ms += 1_000
    made = run(story)
    story.settle()
    assert state(story, made) == ("pending", 4)


def test_so_many_of_them(story: Story) -> None:
    requires = ({"job": "load"}, {"job": "other"}, {"notice": "stock"})
    put(story, *requires, policy={"need": 2})
    made = run(story)
    load(story)
    assert state(story, made) == ("pending", 4)
    load(story, name="other")
    assert state(story, made)[0] == "succeeded"


@pytest.mark.parametrize(
    ("then", "ended", "entry"),
    [
        ("fail", "expired", ("missed", "requires")),
        ("skip", "cancelled", ("skipped", "requires")),
        ("go", "succeeded", ("ran", "")),
    ],
)
def test_the_patience_ends(story: Story, then: str, ended: str, entry: tuple[str, str]) -> None:
    put(story, {"job": "load"}, policy={"timeout": "10m", "on_timeout": then}, trigger=HOURLY)
    story.now_ms += HOUR_MS
    story.settle()
    assert lacks(story, 1)[0][1] == story.now_ms + 600_000
    story.now_ms += 600_000 - 1
    story.settle()
    assert state(story, 1) == ("pending", 4)
    story.now_ms += 1
    story.settle()
    assert story.run(1).state == ended
    assert story.ledger()[0][2:] == entry
    nothing_left(story)


ALL = {"job": "load", "since": "plan_date", "count": "all"}
SPAN = {"from": "2027-01-15T09:00:00Z", "until": "2027-01-15T12:00:00Z"}
"""Three ticks of the day on which a story begins, at 08:00."""


def hourly(story: Story, **fields: Any) -> None:
    trigger = {"cron": "0 * * * *", "id": "t", "valid": SPAN}
    assert story.apply(job("load", trigger=trigger, policies={"overlap": "allow"}, **fields)).ok


def pass_hours(story: Story, *exit_codes: int) -> None:
    for exit_code in exit_codes:
        story.now_ms += HOUR_MS
        story.settle(exit_code=exit_code)


def test_each_tick_of_the_plan_date(story: Story) -> None:
    hourly(story)
    put(story, ALL)
    made = run(story)
    pass_hours(story, 0, 0)
    text = "it requires each tick of load that succeeded of the same plan date: the tick of"
    assert lacks(story, made)[0][0] == f"{text} 2027-01-15T11:00:00Z has not come to its end"
    assert run_waits.next_ms(story.store) == story.now_ms + 60_000, "an edit may take it away"
    story.reopen()
    story.lead()  # another leader
    pass_hours(story, 0)
    assert state(story, made)[0] == "succeeded"
    nothing_left(story)


def test_a_tick_that_failed_counts_once_a_run_that_repeats_it_succeeded(story: Story) -> None:
    hourly(story)
    put(story, ALL)
    made = run(story)
    pass_hours(story, 0, 1, 0)
    failed = story.store.value("SELECT id FROM runs WHERE name = 'load' AND state = 'failed'")
    text = f"the tick of 2027-01-15T10:00:00Z has not succeeded (run {failed})"
    assert lacks(story, made)[0][0].endswith(text)
    run(story, "load")  # of the same date, and of no tick
    story.settle()
    assert state(story, made) == ("pending", 4)
    again = story.value(c.RerunRun(failed, b"{}", story.now_ms), "run")
    story.settle(exit_code=1)
    assert state(story, made) == ("pending", 4)
    story.tell_ok(c.RerunRun(int(again), b"{}", story.now_ms))
    story.settle()
    assert state(story, made)[0] == "succeeded"


def test_what_was_skipped_is_left_out_and_what_was_missed_never_comes(story: Story) -> None:
    hourly(story)
    put(story, ALL, policies={"overlap": "allow"})
    made = run(story)
    pass_hours(story, 0, 0)
    story.tell_ok(c.PauseJob("default", "load"))
    pass_hours(story, 0)  # the last one is skipped, and that lets the run go on
    assert state(story, made)[0] == "succeeded"
    story.apply(job("load", trigger={"every": "1h", "id": "t"}, policies={"catchup": {"mode": "none"}}))
    story.tell_ok(c.ResumeJob("default", "load"))
    story.now_ms += 24 * HOUR_MS
    story.settle()
    late = run(story, plan_day=story.run(made).plan_day + 1)
    story.settle()
    assert "was missed" in lacks(story, late)[0][0] or "has not come" in lacks(story, late)[0][0]


def test_each_tick_of_before_anybody_waited_counts(story: Story) -> None:
    hourly(story)
    pass_hours(story, 0, 0, 0)
    put(story, ALL, {**ALL, "state": "ended"})
    made = run(story)
    story.settle()
    assert state(story, made)[0] == "succeeded"


@pytest.mark.parametrize(("exit_code", "repeated"), [(0, False), (1, False), (1, True)])
def test_each_tick_of_which_the_run_is_gone_counts_as_the_ledger_tells(
    story: Story, exit_code: int, repeated: bool
) -> None:
    hourly(story)
    pass_hours(story, 0, exit_code, 0)
    if repeated:
        failed = story.store.value("SELECT id FROM runs WHERE name = 'load' AND state = 'failed'")
        story.tell_ok(c.RerunRun(failed, b"{}", story.now_ms))
        story.settle()
    for (each,) in story.store.rows("SELECT id FROM runs WHERE name = 'load' ORDER BY id"):
        story.tell_ok(c.Purge(story.epoch, story.job("load").id, each, 100))
    put(story, ALL)
    made = run(story)
    story.settle()
    is_met = repeated or not exit_code
    assert state(story, made)[0] == ("succeeded" if is_met else "pending")


def test_a_tick_that_a_person_holds_is_waited_for(story: Story) -> None:
    hourly(story)
    put(story, ALL)
    made = run(story)
    held = START_MS + 2 * HOUR_MS
    story.tell_ok(c.ChangeTick("default", "load", "t", held, "hold", reason="figures are late"))
    pass_hours(story, 0, 0, 0)
    assert "2027-01-15T10:00:00Z has not come to its end" in lacks(story, made)[0][0]
    story.tell_ok(c.ChangeTick("default", "load", "t", held, "release"))
    story.settle()
    assert state(story, made)[0] == "succeeded"


def test_a_tick_that_a_person_brought_forward_is_not_waited_for_any_more(story: Story) -> None:
    hourly(story)
    put(story, ALL)
    made = run(story)
    story.tell_ok(
        c.ChangeTick("default", "load", "t", START_MS + 3 * HOUR_MS, "move", to_ms=START_MS + HOUR_MS + 1)
    )
    pass_hours(story, 0)
    assert "2027-01-15T10:00:00Z has not come to its end" in lacks(story, made)[0][0]
    pass_hours(story, 0)
    assert state(story, made)[0] == "succeeded"  # an hour before the last of its instants


def test_results_of_its_runs_are_no_ticks_of_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_ticks, "TICKS_MAX", 3)
    hourly(story)
    put(story, {**ALL, "state": "ended"})
    made = run(story)
    pass_hours(story, 1, 1)
    assert story.store.value("SELECT count(*) FROM ledger WHERE kind = 'result'") == 2
    pass_hours(story, 0)
    assert state(story, made)[0] == "succeeded"


@pytest.mark.parametrize("waits_from", ["first", "last"])
def test_a_tick_that_a_calendar_moved_is_of_the_date_that_it_was_for(story: Story, waits_from: str) -> None:
    trigger = {"cron": "0 9 * * 6", "id": "t", "calendar": {"exclude": ["free"], "nonworking": "after"}}
    assert story.apply({"calendar": "free"}, job("load", trigger=trigger)).ok
    put(story, ALL, policy={"if_not_planned": "skip"}, policies={"overlap": "allow"})
    saturday = START_MS // DAY_MS + 1
    made = [run(story, plan_day=saturday)] if waits_from == "first" else []
    story.now_ms += 3 * DAY_MS  # monday 08:00
    story.settle()
    if not made:
        made = [run(story, plan_day=saturday)]
        story.settle()
    assert state(story, made[0]) == ("pending", 4)
    assert lacks(story, made[0])[0][0].endswith("the tick of 2027-01-18T09:00:00Z has not come to its end")
    story.now_ms += HOUR_MS
    story.settle()
    assert [
        story.run(each).plan_day for (each,) in story.store.rows("SELECT id FROM runs WHERE name = 'load'")
    ] == [saturday]
    assert state(story, made[0])[0] == "succeeded"
    monday = run(story, plan_day=saturday + 2)
    story.settle()
    assert state(story, monday)[0] == "cancelled", "nothing is planned for it"
    nothing_left(story)


@pytest.mark.parametrize(("then", "ended"), [("wait", "pending"), ("skip", "cancelled"), ("go", "succeeded")])
def test_each_tick_of_a_job_that_has_none_on_that_date(story: Story, then: str, ended: str) -> None:
    put(story, ALL, policy={"if_not_planned": then})
    made = run(story)
    story.settle()
    assert state(story, made)[0] == ended


@pytest.mark.parametrize(
    ("then", "first"), [("wait", ("pending", 4)), ("skip", ("cancelled", 0)), ("go", ("succeeded", 0))]
)
def test_what_is_not_planned_on_that_date(story: Story, then: str, first: tuple[str, int]) -> None:
    story.apply(job("load", trigger={"cron": "0 3 * * *", "id": "t"}))
    story.apply(job("other", trigger={"at": "2027-02-01T00:00:00Z", "id": "t"}))
    put(story, {"job": "other", "since": "plan_date"}, policy={"if_not_planned": then})
    made = run(story)
    story.settle()
    assert state(story, made) == first
    put(story, {"job": "load", "since": "plan_date"}, policy={"if_not_planned": then})
    planned = run(story, plan_day=story.run(made).plan_day + 1)
    story.settle()
    assert story.run(planned).waiting in (1, 4), "a tick of it comes on that date"


def test_a_release_and_a_cancel_end_the_wait(story: Story) -> None:
    put(story, {"job": "load"}, policies={"overlap": "allow"})
    released, cancelled = run(story), run(story)
    story.settle()
    story.tell_ok(c.ReleaseRun(released), c.CancelRun(cancelled))
    story.settle()
    assert [state(story, each)[0] for each in (released, cancelled)] == ["succeeded", "cancelled"]
    nothing_left(story)


def test_then_it_waits_for_its_window_unless_a_person_said_otherwise(story: Story) -> None:
    night = {"admission": {"windows": ["20:00-06:00"]}, "overlap": "allow", "start_deadline": "5m"}
    put(story, {"job": "load"}, policies=night)
    made, ignoring = run(story), run(story, ignore_admission=True)
    story.settle()
    story.now_ms += HOUR_MS
    load(story)
    assert (state(story, made), state(story, ignoring)[0]) == (("pending", 3), "succeeded")
    story.now_ms = START_MS + 12 * HOUR_MS
    story.settle()
    assert state(story, made)[0] == "succeeded", "its start deadline stood still"
    nothing_left(story)


def test_behind_another_run_it_is_asked_when_its_turn_comes(story: Story) -> None:
    put(story, {"job": "load"}, policies={"overlap": "queue_one"}, trigger=HOURLY)
    story.now_ms += HOUR_MS
    story.settle()
    story.now_ms += HOUR_MS
    story.settle()
    assert [state(story, each) for each in (1, 2)] == [("pending", 4), ("pending", 1)]
    load(story)
    assert [state(story, each)[0] for each in (1, 2)] == ["succeeded", "succeeded"], "load ended after run 1"


def test_what_came_of_it_is_looked_at_in_steps(story: Story) -> None:
    put(story, {"job": "load"}, policies={"overlap": "allow"})
    runs = [run(story) for _ in range(120)]
    story.settle()
    load(story)
    assert {state(story, each)[0] for each in runs} == {"succeeded"}
    assert required.changed(story.store, 10) == []
    assert story.one(c.RejudgeRequired(story.epoch, "job/default/nowhere")).ok
    assert story.one(c.RejudgeRequired(story.epoch - 1, "job/default/load")).code != Code.OK


def test_ends_are_forgotten_after_their_time(story: Story) -> None:
    put(story, {"job": "load", "since": "plan_date"})
    run(story)
    story.settle()
    for _ in range(3):
        load(story)
    story.now_ms += 36 * DAY_MS
    for _ in range(2):
        load(story)
    assert story.store.value("SELECT count(*) FROM required_ends") == 2


def test_what_is_required_exists_and_stays(story: Story) -> None:
    outcome = story.apply(job(requires=[{"job": "lod"}]))
    assert outcome.code == Code.MISSING
    put(story, {"job": "load"}, {"notice": "stock"})
    assert story.one(c.DeleteJob("default", "load")).code != Code.OK
    assert story.apply(gone=[("board", "default", "stock")]).code != Code.OK
