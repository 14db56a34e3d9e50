"""A schedule is edited, or another takes its place: all jobs that name it change at that one instant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from scheduler.machine import reschedules as machine_reschedules
from scheduler.model import parse_job, prepare
from scheduler.plan import rescheduling
from scheduler.store.tables import job_schedules, pins
from scheduler.store.tables import triggers as trigger_rows
from scheduler.ticks import cron_spec, schedule
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from tests.scheduler.machine.test_stages import a_slice, until
from tests.scheduler.story import START_MS, Story, job

NINE, TEN = {"cron": "0 9 * * *", "id": "t"}, {"cron": "0 10 * * *", "id": "t"}
NOON = {"cron": "0 12 * * *", "id": "noon"}


def named(*triggers: dict[str, Any], name: str = "s", **fields: Any) -> dict[str, Any]:
    return {"schedule": name, "triggers": list(triggers), **fields}


def user(name: str = "j", **fields: Any) -> dict[str, Any]:
    return job(name, trigger={"schedule": "s", **fields})


def instead(first: int, last: int, *triggers: dict[str, Any], name: str = "x") -> dict[str, Any]:
    """From midnight of that day of January up to that of another."""
    valid = {"from": f"2027-01-{first:02}T00:00:00Z", "until": f"2027-01-{last:02}T00:00:00Z"}
    return named(*triggers, name=name, substitute="s", valid=valid)


def at(day: int, hour: int = 9) -> int:
    return int(datetime(2027, 1, day, hour, tzinfo=UTC).timestamp() * 1000)


def coming(story: Story, *, job: int = 1, count: int = 3) -> list[tuple[str, int, int]]:
    """Key, day and hour of what comes next of its live triggers."""
    found = [
        (ms, trigger.key)
        for trigger in trigger_rows.live(story.store, job)
        for ms in schedule(trigger.spec).upcoming(max(story.now_ms, trigger.from_ms), count)
    ]
    told = [(key, datetime.fromtimestamp(ms / 1000, UTC)) for ms, key in sorted(found)[:count]]
    return [(key, when.day, when.hour) for key, when in told]


def settled(story: Story) -> None:
    for _ in range(100):  # of plans: what nobody takes over is no end of it
        for command in story.plan():
            if isinstance(command, c.Redate | c.Reschedule):
                story.tell_ok(command)
    assert (pins.first(story.store), story.machine.state.redates) == (None, 0)


def agrees(story: Story) -> None:
    verdict = verify(story.store, 0, story.now_ms, now_ms=story.now_ms)
    assert verdict.ok, verdict.problems
    assert verdict.overdue == 0


def ran(story: Story) -> list[int]:
    found = story.store.rows("SELECT first_ms FROM ledger WHERE outcome = 'ran' ORDER BY seq")
    return [ms for (ms,) in found]


def test_a_job_has_the_triggers_of_the_schedule_that_it_names(story: Story) -> None:
    assert story.apply(named(NINE, NOON), user()).ok
    assert coming(story) == [("s:t", 15, 9), ("s:noon", 15, 12), ("s:t", 16, 9)]
    story.connect()
    for each in (at(15), at(15, 12), at(16)):
        story.now_ms = each
        story.settle()
    assert ran(story) == [at(15), at(15, 12), at(16)]
    agrees(story)


def test_an_edit_counts_from_its_stamp_on_and_ends_no_trigger_that_it_does_not_change(story: Story) -> None:
    story.apply(named(NINE, NOON), user("a"), user("b"))
    story.connect()
    story.now_ms = at(15, 11)
    story.settle()

    assert story.apply(named(TEN, NOON, {"cron": "0 13 * * *", "id": "new"})).ok
    assert story.events[-1] == e.ScheduleMoved("default", "s", live=False)
    settled(story)

    assert story.events[-1] == e.ScheduleMoved("default", "s", live=True)
    for number in (1, 2):
        eras = {(t.key, t.until_ms): t for t in trigger_rows.of_job(story.store, number)}
        assert set(eras) == {("s:t", at(15, 11)), ("s:t", None), ("s:noon", None), ("s:new", None)}
        assert eras["s:t", None].from_ms == eras["s:new", None].from_ms == at(15, 11)
        assert eras["s:noon", None].from_ms == START_MS, "it did not change"
        assert coming(story, job=number) == [("s:noon", 15, 12), ("s:new", 15, 13), ("s:t", 16, 10)]
    story.now_ms = at(17, 20)
    story.settle()
    agrees(story)


def test_no_tick_after_the_edit_is_decided_by_what_was_before_and_none_before_is_lost(story: Story) -> None:
    story.apply(named(NINE), user())
    story.connect()
    story.now_ms = at(15) + 10_000  # nobody led when it was due
    story.apply(named(TEN))

    assert story.one(c.Fire(story.epoch, 1, at(15), at(16))).ok
    assert story.one(c.Fire(story.epoch, 1, at(16), at(17))).code == "superseded"
    account = c.Account(story.epoch, 1, at(16), at(17), 2, at(18), "missed", "window")
    assert story.one(account).code == "superseded"
    settled(story)
    story.settle()
    assert ran(story) == [at(15)]
    assert coming(story)[0] == ("s:t", 15, 10), "not at once: at its next instant"
    story.now_ms = at(16, 12)
    story.settle()
    agrees(story)


def test_what_a_planner_prepared_by_the_rules_of_its_own_host_is_not_taken_over(story: Story) -> None:
    berlin = {**TEN, "tz": "Europe/Berlin"}
    story.apply(named({**NINE, "tz": "Europe/Berlin"}), user())
    story.apply(named(berlin))
    turn = pins.first(story.store)
    assert turn is not None
    (command,) = [each for each in story.plan() if isinstance(each, c.Reschedule)]
    (new,) = command.jobs
    bare = cron_spec("0 10 * * *", tz="Europe/Berlin")
    sly = msgspec.structs.replace(new, triggers=(msgspec.structs.replace(new.triggers[0], spec=bare),))

    assert story.value(msgspec.structs.replace(command, jobs=(sly,)), "taken") == 0
    assert story.value(command, "taken") == 1
    assert coming(story)[0] == ("s:t", 15, 9), "ten o'clock in Berlin"


def test_a_substitute_takes_the_place_for_its_time(story: Story) -> None:
    assert story.apply(named(NINE), user()).ok
    assert story.apply(instead(16, 18, NOON)).ok
    settled(story)
    assert coming(story, count=5) == [
        ("s:t", 15, 9), ("s:x:noon", 16, 12), ("s:x:noon", 17, 12), ("s:t", 18, 9), ("s:t", 19, 9),
    ]  # fmt: skip
    story.connect()
    for day in range(15, 20):
        for hour in (9, 12):
            story.now_ms = at(day, hour) + 1_000
            story.settle()
    assert ran(story) == [at(15), at(16, 12), at(17, 12), at(18), at(19)]
    agrees(story)
    count = story.store.value("SELECT count(*) FROM ledger")
    assert count == 5, "what it took away is no tick, and has no entry"


def test_one_without_triggers_keeps_its_time_free(story: Story) -> None:
    story.apply(named(NINE), user(), instead(16, 18))
    assert coming(story) == [("s:t", 15, 9), ("s:t", 18, 9), ("s:t", 19, 9)]


def test_what_becomes_of_a_substitute_is_an_edit_of_what_it_stands_for(story: Story) -> None:
    story.apply(named(NINE), user(), instead(16, 18))
    story.apply(instead(16, 17))
    settled(story)
    assert [day for _, day, _ in coming(story)] == [15, 17, 18]
    story.apply({**instead(16, 17), "enabled": False})
    settled(story)
    assert [day for _, day, _ in coming(story)] == [15, 16, 17]
    story.apply(instead(16, 17))
    settled(story)
    story.apply(gone=[("schedule", "default", "x")])
    settled(story)
    assert [day for _, day, _ in coming(story)] == [15, 16, 17]


def test_a_substitute_may_change_for_which_it_stands(story: Story) -> None:
    story.apply(named(NINE), named(TEN, name="other"), user(), instead(16, 18))
    story.put(job("k", trigger={"schedule": "other"}))
    story.apply({**instead(16, 18), "substitute": "other"})
    settled(story)
    assert [day for _, day, _ in coming(story)] == [15, 16, 17]
    assert [day for _, day, _ in coming(story, job=2)] == [15, 18, 19]


def test_one_that_is_disabled_has_no_ticks_and_begins_again_from_where_it_is_enabled(story: Story) -> None:
    story.apply(named(NINE, enabled=False), user(), instead(16, 18, NOON))
    assert trigger_rows.live(story.store, 1) == []
    story.now_ms = at(17, 13)
    story.apply(named(NINE))
    settled(story)
    assert coming(story)[0] == ("s:t", 18, 9)
    story.apply(named(NINE, enabled=False))
    settled(story)
    assert trigger_rows.live(story.store, 1) == []


def test_words_that_mean_nothing_to_jobs_move_nobody(story: Story) -> None:
    story.apply(named(NINE), user())
    story.apply(named(NINE, description="other words", labels={"a": "b"}))
    assert pins.first(story.store) is None


def test_edits_of_what_is_concerned_wait_and_no_others(story: Story) -> None:
    story.apply(named(NINE), user("a"), user("b"), job("other", trigger=NINE), {"calendar": "c"})
    story.tell_ok(c.PauseJob("default", "a"))
    story.apply(named(TEN))

    assert story.apply(named(NOON)).code == "switching"
    assert story.apply(instead(16, 18)).code == "switching"
    assert story.apply({"calendar": "c", "exclude": ["12-24"]}).code == "switching"
    assert story.apply({"calendar": "c", "description": "the same dates"}).ok
    assert story.apply({**user("a"), "owner": "ann"}).code == "switching"
    assert story.apply(gone=[("job", "default", "a")]).code == "switching"
    assert story.one(c.DeleteJob("default", "a")).code == "switching"
    assert story.one(c.ResumeJob("default", "a")).code == "switching"
    story.put(job("other", trigger=TEN), user("new"))
    assert coming(story, job=4)[0] == ("s:t", 15, 10)
    settled(story)
    assert story.apply(named(NOON)).ok
    settled(story)
    story.tell_ok(c.ResumeJob("default", "a"))
    assert coming(story)[0] == ("s:noon", 15, 12)


def test_a_job_that_was_prepared_by_what_the_schedule_was_follows_at_once(story: Story) -> None:
    story.apply(named(NINE))
    before = story.schedules()("default", "s")
    story.apply(named(TEN))
    made = prepare(parse_job(user()), story.now_ms, schedules=lambda *_: before)
    story.tell_ok(c.PutJobs((made,), story.now_ms))
    settled(story)
    assert coming(story)[0] == ("s:t", 15, 10)


def test_what_is_put_and_deleted_in_one_act_has_one_instant(story: Story) -> None:
    story.apply(named(NINE), user("a"), user("b"), instead(16, 18))
    story.now_ms = at(15, 8) + 1
    assert story.apply(named(TEN), user("a", jitter="1m"), gone=[("schedule", "default", "x")]).ok
    assert story.store.value("SELECT count(*) FROM redates") == 1
    settled(story)
    for number in (1, 2):
        (trigger,) = trigger_rows.live(story.store, number)
        assert trigger.from_ms == at(15, 8) + 1
        assert [day for _, day, _ in coming(story, job=number)] == [15, 16, 17]
    assert trigger_rows.live(story.store, 1)[0].jitter_ms > 0


def test_calendars_of_a_schedule_have_their_turn_too(story: Story) -> None:
    dated = {**NINE, "calendar": {"exclude": ["c"]}}
    story.apply({"calendar": "c", "weekend": [], "exclude": ["2027-01-16"]}, named(dated), user())
    assert [day for _, day, _ in coming(story)] == [15, 17, 18]
    story.now_ms += 1
    story.apply({"calendar": "c", "weekend": [], "exclude": ["2027-01-17"]})
    story.now_ms += 1
    story.apply(named({**dated, "cron": "0 10 * * *"}))
    settled(story)
    assert coming(story) == [("s:t", 15, 10), ("s:t", 16, 10), ("s:t", 18, 10)]
    assert [era.from_ms - START_MS for era in trigger_rows.of_job(story.store, 1)] == [0, 1, 2]
    story.connect()
    story.now_ms = at(20)
    story.settle()
    agrees(story)


def test_what_jobs_name_is_there_and_stays(story: Story) -> None:
    assert story.apply(user()).code == "missing"
    story.apply(named(NINE), user())
    assert story.apply(gone=[("schedule", "default", "s")]).code == "referred"
    story.apply(instead(16, 18))
    settled(story)
    story.tell_ok(c.DeleteJob("default", "j"))
    assert story.apply(gone=[("schedule", "default", "s")]).code == "referred", "x takes its place"
    assert story.apply(gone=[("schedule", "default", "s"), ("schedule", "default", "x")]).ok
    assert job_schedules.of(story.store, 1) == []


REFUSED = {
    "chain": ({**instead(1, 2, name="y"), "substitute": "x"}, "/substitute", "x takes the place of s itself"),
    "cycle": (
        {**named(NINE), "substitute": "x", "valid": instead(1, 2)["valid"]}, "/substitute",
        "x takes the place of s, so s cannot take that of x",
    ),
    "overlap": (instead(17, 19, name="y"), "/valid", "x takes the place of s in a part of this time"),
    "many": (
        instead(20, 21, *({"every": "1h", "id": f"t{n}"} for n in range(100)), name="y"), "/triggers",
        "s and what takes its place have 101 triggers together, 100 at most",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_substitute_that_cannot_be_is_refused(story: Story, name: str) -> None:
    document, pointer, said = REFUSED[name]
    story.apply(named(NINE), instead(16, 18))
    outcome = story.apply(document)
    assert (outcome.code, outcome.value and outcome.value["pointer"]) == ("not_allowed", pointer)
    assert outcome.detail == f"schedule {document['schedule']}: {said}"
    # The same of a stage.
    assert a_slice(story, 0, document).ok
    story.tell_ok(c.CommitStage("s", 1))
    assert said in until(story, "refused").problems


def test_one_may_begin_where_the_other_ends_and_take_the_time_of_one_that_goes(story: Story) -> None:
    story.apply(named(NINE), instead(16, 18), user())
    assert story.apply(instead(18, 19, name="y")).ok
    settled(story)
    assert story.apply(instead(16, 18, name="z"), gone=[("schedule", "default", "x")]).ok
    settled(story)
    assert [day for _, day, _ in coming(story)] == [15, 19, 20]


def test_more_substitutes_than_there_may_be(story: Story) -> None:
    names = [f"x{number:02}" for number in range(20)]
    story.apply(named(NINE), *(instead(n + 1, n + 2, name=name) for n, name in enumerate(names)))
    assert "20 substitutes at most" in story.apply(instead(25, 26, name="y")).detail


def test_many_jobs_are_gone_through_in_bounded_steps(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescheduling, "JOBS_A_PLAN", 7)
    monkeypatch.setattr(rescheduling, "JOBS_A_COMMAND", 3)
    monkeypatch.setattr(machine_reschedules, "JOBS_MAX", 3)
    story.apply(named(NINE), *(user(f"j{n}") for n in range(20)))
    story.now_ms = START_MS + 1_000
    story.apply(named(TEN))
    steps = []
    while pins.first(story.store) is not None:
        commands = [each for each in story.plan() if isinstance(each, c.Reschedule)]
        steps.append([len(each.jobs) for each in commands])
        story.tell_ok(*commands)
        story.reopen()  # another leader goes on
    assert steps == [[3, 3, 1], [3, 3, 1], [3, 3]]
    for number in range(1, 21):
        (trigger,) = trigger_rows.live(story.store, number)
        assert trigger.from_ms == START_MS + 1_000
        assert coming(story, job=number)[0] == ("s:t", 15, 10)


def test_what_the_planner_says_is_judged(story: Story) -> None:
    calendar = {"calendar": "c", "weekend": []}
    story.apply(calendar, named({**NINE, "calendar": {"exclude": ["c"]}}), user(), job("other", trigger=NINE))
    stale = story.calendars()("default", "c")
    story.apply({**calendar, "exclude": ["2027-01-16"]})
    settled(story)
    story.apply(named({**TEN, "calendar": {"exclude": ["c"]}}))
    (told,) = [each for each in story.plan() if isinstance(each, c.Reschedule)]
    (new,) = told.jobs
    meant = story.schedules()("default", "s")
    spec = bytes(story.job().spec)
    old = rescheduling.of_job(spec, meant, story.now_ms, lambda *_: stale)  # type: ignore[arg-type]
    for each in (
        c.Rescheduled(2, new.triggers), c.Rescheduled(77, new.triggers), c.Rescheduled(1, old),
    ):  # fmt: skip
        assert story.one(c.Reschedule(story.epoch, told.redate, (each,))).value == {"taken": 0}
    assert story.one(c.Redate(story.epoch, told.redate, ())).code == "superseded"
    assert story.one(c.Reschedule(story.epoch + 1, told.redate, (new,))).code == "stale_epoch"
    assert story.one(c.Reschedule(story.epoch, told.redate, (new,) * 51)).code == "limit"
    assert story.one(c.Reschedule(story.epoch, told.redate, (new, new))).value == {"taken": 1}
    assert story.one(c.Reschedule(story.epoch, told.redate, (new,))).code == "superseded", "it is done"


def test_a_stage_brings_schedules_and_jobs_live_at_one_instant(story: Story) -> None:
    story.apply(named(NINE), user("a"), user("b"))
    story.connect()
    story.now_ms = at(15, 8) + 1
    assert a_slice(story, 0, user("a", jitter="1m"), instead(16, 18), named(TEN)).ok
    story.tell_ok(c.CommitStage("s", 1))
    story.room = 1
    story.reopen()
    refused = 0
    while story.machine.state.stage:
        if (turn := pins.first(story.store)) is not None:
            assert story.one(c.Reschedule(story.epoch, turn.id, ())).code == "switching"
            refused += 1
        assert not [each for each in story.plan() if isinstance(each, c.Reschedule)]
        story.tell_ok(*[each for each in story.plan() if isinstance(each, c.AdvanceStage)])
        story.now_ms += 1
    assert refused
    settled(story)
    for number in (1, 2):
        (trigger,) = trigger_rows.live(story.store, number)
        assert at(15, 8) + 1 < trigger.from_ms == trigger_rows.live(story.store, 1)[0].from_ms
        assert coming(story, job=number)[:2] == [("s:t", 15, 10), ("s:t", 18, 10)]
    story.now_ms = at(20)
    story.settle()
    agrees(story)


def test_while_a_stage_goes_live_no_tick_after_its_instant_is_decided_of_a_schedule(story: Story) -> None:
    """What takes its place has not had its turn, and nothing of the job says that it comes."""
    story.apply(named(NINE), user())
    story.now_ms = at(15) - 50
    assert a_slice(story, 0, instead(15, 18), *({"vars": f"v{n}", "values": {"n": n}} for n in range(3))).ok
    story.tell_ok(c.CommitStage("s", 1))
    story.room = 1
    story.reopen()
    while story.store.value("SELECT state FROM stages") != "switching":
        story.tell_ok(*[each for each in story.plan() if isinstance(each, c.AdvanceStage)][:1])
    assert story.one(c.Fire(story.epoch, 1, at(15), at(16))).code == "superseded"


def test_jobs_that_follow_the_defaults_of_their_namespace_keep_their_schedules(story: Story) -> None:
    story.apply(named(NINE), user(), instead(16, 18))
    story.tell_ok(c.PutNamespace("default", b"{}", defaults=b'{"owner":"ann"}'))
    while commands := [each for each in story.plan() if isinstance(each, c.ReviseJobs)]:
        story.tell_ok(*commands)
    assert b'"owner":"ann"' in story.job().spec
    assert [day for _, day, _ in coming(story)] == [15, 18, 19]
    assert pins.first(story.store) is None
    assert len(trigger_rows.of_job(story.store, 1)) == 1


def test_what_counts_from_when_it_was_first_applied_keeps_that(story: Story) -> None:
    daily = {"iso8601": "R//P1D", "id": "r"}
    story.apply(named(daily), user())
    first = coming(story)
    story.now_ms += 3_600_000
    story.apply(named(daily, NINE), user("later"))
    settled(story)
    story.apply(named({**daily, "valid": {"until": "2028-01-01T00:00:00Z"}}))
    settled(story)
    assert coming(story) == first
    assert coming(story, job=2)[0] == ("s:r", 16, 9)


def test_a_trigger_that_is_over_keeps_nobody_from_naming_its_schedule(story: Story) -> None:
    story.apply(named({"at": "2020-01-01T00:00:00Z"}, NINE), user())
    assert coming(story)[0] == ("s:t", 15, 9)
    assert story.apply(job("own", trigger={"at": "2020-01-01T00:00:00Z"})).code == "past"


def test_its_ticks_count_for_whose_turn_it_is_and_how_many_are_asked_for(story: Story) -> None:
    story.apply(named(NINE), job("j", trigger=[{"schedule": "s"}, NOON]))
    asked = "SELECT per_day FROM asked WHERE namespace = 'default'"
    assert story.store.value(asked) == 2
    story.apply(named(NINE, {"every": "1h"}))
    settled(story)
    assert story.store.value(asked) == 26
    assert len({trigger.share for trigger in trigger_rows.live(story.store, 1)}) == 1


def test_runs_are_as_the_job_says_where_it_names_the_schedule(story: Story) -> None:
    params = {"region": {"type": "string", "default": "eu"}}
    trigger = {"schedule": "s", "params": {"region": "us"}, "overlap": "allow"}
    story.apply(named(NINE), instead(16, 18, NOON), job("j", trigger=[trigger, NOON], params=params))
    story.connect()
    for each in (at(15), at(15, 12), at(16, 12)):
        story.now_ms = each
        story.settle()
    told = story.store.rows("SELECT tick_ms, params FROM runs ORDER BY id")
    assert sorted(told) == [
        (at(15), '{"region":"us"}'), (at(15, 12), '{"region":"eu"}'),
        (at(16, 12), '{"region":"eu"}'), (at(16, 12), '{"region":"us"}'),
    ]  # fmt: skip


def test_a_disabled_job_has_nothing_of_it_until_it_is_enabled(story: Story) -> None:
    story.apply(named(NINE), {**user(), "enabled": False})
    assert (trigger_rows.live(story.store, 1), job_schedules.of(story.store, 1)) == ([], [])
    story.apply(named(TEN))
    assert pins.first(story.store) is None
    story.put(user())
    assert coming(story)[0] == ("s:t", 15, 10)
    story.put(job("j", trigger=NINE))
    assert job_schedules.of(story.store, 1) == []


def test_schedules_of_another_namespace_are_named_with_it(story: Story) -> None:
    elsewhere = {**named(NINE), "namespace": "ops"}
    story.apply(elsewhere, job("j", trigger={"schedule": "ops/s"}))
    assert coming(story)[0] == ("ops/s:t", 15, 9)
    story.apply({**named(TEN), "namespace": "ops"})
    settled(story)
    assert coming(story)[0] == ("ops/s:t", 15, 10)


def test_what_was_prepared_for_an_earlier_edit_is_not_taken_for_a_later_one(story: Story) -> None:
    assert story.apply(named(NINE), user()).ok
    assert story.apply(named(TEN)).ok
    (old,) = story.plan()
    settled(story)
    assert story.apply(named(NOON)).ok
    assert story.one(old).code == "superseded"
    settled(story)
    assert coming(story, count=1) == [("s:noon", 15, 12)]
