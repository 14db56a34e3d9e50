"""A calendar is edited: its triggers change at that one instant, however long getting round to them takes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from scheduler.machine import redates as machine_redates
from scheduler.model import parse_job, prepare
from scheduler.plan.passes import redates
from scheduler.store.tables import pins
from scheduler.store.tables import triggers as trigger_rows
from scheduler.ticks import pins_of, schedule
from scheduler.ticks.dates import day_of
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from tests.scheduler.machine.test_stages import a_slice, until
from tests.scheduler.story import START_MS, Story, job

DAY_MS = 86_400_000


def calendar(*off: str, name: str = "c", **fields: Any) -> dict[str, Any]:
    return {"calendar": name, "weekend": [], "exclude": list(off), **fields}


def daily(name: str = "j", **fields: Any) -> dict[str, Any]:
    """Each day at nine by UTC: from the 15th on."""
    rule = {"exclude": ["c"], **fields}
    return job(name, trigger={"cron": "0 9 * * *", "id": "t", "calendar": rule})


def at(day: int, hour: int = 9) -> int:
    return int(datetime(2027, 1, day, hour, tzinfo=UTC).timestamp() * 1000)


def days(story: Story, *, job: int = 1, count: int = 3) -> list[int]:
    """Of January, on which its live trigger is due next."""
    (trigger,) = trigger_rows.live(story.store, job)
    found = schedule(trigger.spec).upcoming(max(story.now_ms, trigger.from_ms), count)
    return [datetime.fromtimestamp(ms / 1000, UTC).day for ms in found]


def settled(story: Story) -> None:
    while pins.first(story.store) is not None:
        for command in story.plan():
            if isinstance(command, c.Redate):
                story.tell_ok(command)


def agrees(story: Story) -> None:
    verdict = verify(story.store, 0, story.now_ms, now_ms=story.now_ms)
    assert verdict.ok, verdict.problems
    assert verdict.overdue == 0


def test_a_trigger_is_due_by_the_dates_of_its_calendar(story: Story) -> None:
    assert story.apply(calendar("2027-01-16", "2027-01-18"), daily()).ok

    assert days(story) == [15, 17, 19]
    story.connect()
    for day in range(15, 21):
        story.now_ms = at(day) + 1_000
        story.settle()
    ran = story.store.rows("SELECT first_ms FROM ledger WHERE outcome = 'ran' ORDER BY seq")
    assert [ms for (ms,) in ran] == [at(day) for day in (15, 17, 19, 20)]
    agrees(story)


def test_another_calendar_counts_from_the_stamp_of_its_edit_on(story: Story) -> None:
    story.apply(calendar("2027-01-16"), daily("a"), daily("b"))
    story.connect()
    story.now_ms = at(17, 12)
    story.settle()

    assert story.apply(calendar("2027-01-18")).ok
    assert story.events[-1] == e.CalendarMoved("default", "c", live=False)
    settled(story)

    assert story.events[-1] == e.CalendarMoved("default", "c", live=True)
    assert days(story) == days(story, job=2) == [19, 20, 21]
    for number in (1, 2):
        old, new = trigger_rows.of_job(story.store, number)
        assert (old.until_ms, new.from_ms, old.closed) == (at(17, 12), at(17, 12), trigger_rows.EDITED)
        assert pins_of(old.spec) != pins_of(new.spec), "an era keeps the dates that it was decided by"
    story.now_ms = at(20)
    story.settle()
    agrees(story)
    assert story.machine.state.redates == 0


def test_no_tick_after_the_edit_is_decided_by_the_former_dates(story: Story) -> None:
    story.apply(calendar(), daily())
    story.connect()
    story.now_ms = at(16) - 50
    story.apply(calendar("2027-01-16"))

    late = c.Fire(story.epoch, 1, at(15), at(16))
    assert story.one(late).ok, "what was due before is decided as if nothing had been edited"
    assert story.one(c.Fire(story.epoch, 1, at(16), at(17))).code == "superseded"
    account = c.Account(story.epoch, 1, at(16), at(17), 2, at(18), "missed", "window")
    assert story.one(account).code == "superseded"
    assert story.one(c.SetAside(story.epoch, 1, at(16), at(17), at(18))).code == "superseded"
    settled(story)
    assert days(story) == [17, 18, 19]
    story.now_ms = at(17)
    story.settle()
    agrees(story)


def test_a_tick_that_was_due_before_the_edit_is_not_lost(story: Story) -> None:
    """Nobody led when it was due, and the new dates have it off."""
    story.apply(calendar(), daily())
    story.connect()
    story.now_ms = at(15) + 10_000
    story.apply(calendar("2027-01-15"))
    settled(story)
    story.settle()
    assert story.store.value("SELECT first_ms FROM ledger WHERE outcome = 'ran'") == at(15)
    agrees(story)


def test_edits_of_what_is_concerned_wait_and_no_others(story: Story) -> None:
    story.apply(calendar(), daily("a"), job("other", trigger={"cron": "0 9 * * *"}))
    story.tell_ok(c.PauseJob("default", "a"))
    story.apply(calendar("2027-01-16"))

    assert story.apply(calendar("2027-01-17")).code == "switching"
    assert story.apply(calendar("2027-01-16", description="the same dates")).ok
    assert story.apply(daily("a", nonworking="suppress")).code == "switching"
    assert story.apply(gone=[("job", "default", "a")]).code == "switching"
    assert story.one(c.DeleteJob("default", "a")).code == "switching"
    assert story.one(c.ResumeJob("default", "a")).code == "switching"
    story.put(job("other", trigger={"cron": "0 10 * * *"}))
    story.tell_ok(c.DeleteJob("default", "other"))
    settled(story)
    assert story.apply(calendar("2027-01-17")).ok
    settled(story)
    story.tell_ok(c.ResumeJob("default", "a"))
    assert days(story) == [15, 16, 18]


def test_dates_that_are_the_calendar_s_no_more_are_refused(story: Story) -> None:
    story.apply(calendar("2027-01-16"))
    known = story.calendars()
    before = known("default", "c")
    story.apply(calendar("2027-01-17"))
    made = prepare(parse_job(daily()), story.now_ms, calendars=lambda *_: before)
    assert story.one(c.PutJobs((made,), story.now_ms)).code == "superseded"
    assert story.one(c.Apply((), (made,), (), story.now_ms)).code == "superseded"
    story.put(daily())
    assert days(story) == [15, 16, 18]


def test_a_calendar_of_the_same_dates_moves_nobody(story: Story) -> None:
    story.apply(calendar("2027-01-16"), daily())
    story.apply(calendar("2027-01-16", description="other words"))
    assert pins.first(story.store) is None
    assert len(trigger_rows.of_job(story.store, 1)) == 1


def test_jobs_and_their_calendar_are_edited_together(story: Story) -> None:
    story.apply(calendar("2027-01-16"), daily("a"), daily("b"))
    assert story.apply(calendar("2027-01-17"), daily("a", nonworking="suppress")).ok
    settled(story)
    assert days(story) == days(story, job=2) == [15, 16, 18]
    agrees(story)


def test_a_trigger_of_two_calendars_takes_them_over_in_their_order(story: Story) -> None:
    story.apply(calendar(name="c"), calendar(name="d"), daily(exclude=["c", "d"]))
    story.connect()
    story.now_ms = at(15, 12)
    story.apply(calendar("2027-01-17", name="d"))
    story.now_ms = at(16, 12)
    story.apply(calendar("2027-01-18", name="c"))
    turn = pins.first(story.store)
    assert turn is not None
    assert turn.at_ms == at(15, 12)
    (new,) = redate_of(story, 1)
    assert story.one(c.Redate(story.epoch, 2, (new,))).code == "superseded", "it is not its turn"
    settled(story)
    assert [(t.from_ms, t.until_ms) for t in trigger_rows.of_job(story.store, 1)] == [
        (START_MS, at(15, 12)), (at(15, 12), at(16, 12)), (at(16, 12), None),
    ]  # fmt: skip
    story.now_ms = at(20)
    story.settle()
    agrees(story)


def redate_of(story: Story, trigger: int) -> tuple[c.Redated, ...]:
    found = [each for each in story.plan() if isinstance(each, c.Redate)]
    return tuple(new for each in found for new in each.triggers if new.trigger == trigger)


def test_what_the_planner_says_is_judged(story: Story) -> None:
    story.apply(calendar(), calendar(name="d"), daily(), daily("other", exclude=["d"]))
    story.apply(calendar("2027-01-16"))
    (new,) = redate_of(story, 1)
    turn = pins.first(story.store)
    assert turn is not None
    (old,) = trigger_rows.live(story.store, 1)
    foreign = c.Redated(2, new.spec, new.first_due_ms)
    stale = c.Redated(1, old.spec, new.first_due_ms)
    for each in (foreign, stale, c.Redated(77, new.spec, None)):
        assert story.one(c.Redate(story.epoch, turn.id, (each,))).value == {"taken": 0}
    assert story.one(c.Redate(story.epoch + 1, turn.id, (new,))).code == "stale_epoch"
    assert story.one(c.Redate(story.epoch, turn.id, (new,) * 51)).code == "limit"
    assert story.one(c.Redate(story.epoch, turn.id, (new, new))).value == {"taken": 1}
    assert story.one(c.Redate(story.epoch, turn.id, (new,))).code == "superseded", "it is done"


def test_many_triggers_are_gone_through_in_bounded_steps(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redates, "TRIGGERS_A_PLAN", 7)
    monkeypatch.setattr(redates, "TRIGGERS_A_COMMAND", 3)
    monkeypatch.setattr(machine_redates, "TRIGGERS_MAX", 3)
    story.apply(calendar(), *(daily(f"j{n}") for n in range(20)))
    story.now_ms = START_MS + 1_000
    story.apply(calendar("2027-01-16"))
    steps = []
    while pins.first(story.store) is not None:
        commands = [each for each in story.plan() if isinstance(each, c.Redate)]
        steps.append([len(each.triggers) for each in commands])
        story.tell_ok(*commands)
        story.reopen()  # another leader goes on
    assert steps == [[3, 3, 1], [3, 3, 1], [3, 3]]
    for number in range(1, 21):
        (trigger,) = trigger_rows.live(story.store, number)
        assert trigger.from_ms == START_MS + 1_000
        assert days(story, job=number) == [15, 17, 18]


def test_one_that_cannot_be_read_here_keeps_nobody_waiting(story: Story) -> None:
    story.apply(calendar(), daily())
    (trigger,) = trigger_rows.live(story.store, 1)
    spec = trigger.spec.replace(b'"tz":"UTC"', b'"tz":"Mars/Olympus"')
    story.store.execute("UPDATE triggers SET spec = ? WHERE id = 1", (spec,))
    story.apply(calendar("2027-01-16"))
    settled(story)
    (trigger,) = trigger_rows.live(story.store, 1)
    assert trigger.next_due_ms == START_MS, "a leader that can read it passes this, and finds the next"


@pytest.mark.parametrize("late_ms", [1_000, 3_600_000])
def test_a_tick_that_a_calendar_moved_has_the_plan_date_of_the_day_it_stood_for(
    story: Story, late_ms: int
) -> None:
    """Fired in time, and made up for after an outage."""
    trigger = {"cron": "0 9 16 1 *", "calendar": {"exclude": ["c"], "nonworking": "after"}}
    catchup = {"mode": "all", "window": "24h", "grace": "1m"}
    story.connect()
    story.apply(calendar("2027-01-16"), job("a", trigger=trigger, policies={"catchup": catchup}))
    story.now_ms = at(17) + late_ms
    for _ in range(5):
        story.settle()
        story.now_ms += 1_000
    found = story.store.rows("SELECT tick_ms, plan_day FROM runs ORDER BY id")
    assert found == [(at(17), day_of(date(2027, 1, 16)))]


def test_a_stage_brings_calendars_and_jobs_live_at_one_instant(story: Story) -> None:
    story.apply(calendar("2027-01-16"), daily("a"), daily("b"))
    story.now_ms = at(15, 12)
    assert a_slice(story, 0, calendar("2027-01-17")).ok
    assert a_slice(story, 1, daily("a", nonworking="suppress")).ok  # prepared by dates that nobody has
    story.tell_ok(c.CommitStage("s", 2))
    found = until(story, "refused")
    assert "other dates than calendar default/c has" in found.problems

    assert a_slice(story, 0, calendar("2027-01-17"), stage="t").ok
    story.tell_ok(c.CommitStage("t", 1))
    while story.machine.state.stage:
        story.tell_ok(*[each for each in story.plan() if isinstance(each, c.AdvanceStage)])
    assert story.apply(calendar("2027-01-18")).code == "switching"
    assert story.one(c.CommitStage("u", 1)).code == "not_found"
    settled(story)
    for number in (1, 2):
        (trigger,) = trigger_rows.live(story.store, number)
        assert trigger.from_ms == at(15, 12)
        assert days(story, job=number) == [16, 18, 19]
    story.connect()
    story.settle()
    agrees(story)


def test_a_gap_that_is_caught_up_keeps_its_dates(story: Story) -> None:
    document = {**daily(), "policies": {"catchup": {"mode": "all", "window": "30d"}}}
    story.apply(calendar("2027-01-17"), document)
    story.connect()
    story.now_ms = at(19, 12)
    story.settle()  # the first of the gap runs, the others wait
    story.apply(calendar("2027-01-16", "2027-01-20"))
    settled(story)
    for _ in range(10):
        story.settle()
    assert days(story) == [21, 22, 23]
    ran = story.store.rows("SELECT first_ms FROM ledger WHERE outcome = 'ran' ORDER BY first_ms")
    assert [ms for (ms,) in ran] == [at(day) for day in (15, 16, 18, 19)]
    agrees(story)


def test_jobs_that_follow_the_defaults_of_their_namespace_keep_their_dates(story: Story) -> None:
    story.apply(calendar("2027-01-16"), daily())
    story.tell_ok(c.PutNamespace("default", b"{}", defaults=b'{"owner":"ann"}'))
    while commands := [each for each in story.plan() if isinstance(each, c.ReviseJobs)]:
        story.tell_ok(*commands)
    assert b'"owner":"ann"' in story.job().spec
    assert days(story) == [15, 17, 18]


def test_jobs_that_were_read_before_an_edit_of_their_calendar_follow_later(story: Story) -> None:
    story.apply(calendar("2027-01-16"), daily())
    story.tell_ok(c.PutNamespace("default", b"{}", defaults=b'{"owner":"ann"}'))
    (stale,) = [each for each in story.plan() if isinstance(each, c.ReviseJobs)]
    story.apply(calendar("2027-01-17"))
    assert story.one(stale).code == "superseded"
    settled(story)
    assert story.one(stale).code == "superseded"
    assert days(story) == [15, 16, 18]
