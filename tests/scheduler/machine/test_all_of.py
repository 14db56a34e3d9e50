"""Several things come, in any order: a trigger that waits for all of them fires once a plan date."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

from scheduler.explain import conditions
from scheduler.machine.rules.hooked import HEARERS_MAX
from scheduler.machine.steps import gathering
from scheduler.model import parse_job, prepare
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.tables import gatherings
from scheduler.ticks import plan_days
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_after import begin, run
from tests.scheduler.machine.test_notices import HOUR_MS, post
from tests.scheduler.machine.test_restores import HOLD_MS, restore
from tests.scheduler.machine.test_zones import retime
from tests.scheduler.story import START_MS, Story, job

DATE = "2027-01-15"
DAY = plan_days.parse(DATE)
A, B, GO = {"after": "a.succeeded"}, {"after": "b.ended"}, {"notice": {"board": "stock", "key": "go"}}


def waits(*of: dict[str, Any], name: str = "j", within: str = "2h", **fields: Any) -> dict[str, Any]:
    trigger = {"all_of": {"of": list(of), "within": within}, "id": "t"}
    trigger |= {key: fields.pop(key) for key in ("overlap", "allow_cycle", "tz") if key in fields}
    return job(name, trigger=trigger, **fields)


def entries(story: Story) -> list[tuple[str, str, str]]:
    found = [entry for entry, _ in ledger_reads.after(story.store, 0, limit=1_000)]
    return [(entry.key, entry.outcome, entry.reason) for entry in found if entry.kind == "all_of"]


def proven(story: Story) -> None:
    for since_ms in (START_MS - 1, START_MS, story.now_ms - HOUR_MS):
        check = verify(story.store, since_ms, story.now_ms, now_ms=story.now_ms)
        assert check.ok, check.problems


@pytest.fixture
def told(story: Story) -> Iterator[Story]:
    assert story.apply({"board": "stock"}, {"board": "web"}).ok
    story.put(job("a"), job("b"))
    story.connect()
    yield story
    proven(story)


def come(story: Story, what: str, day: int | None = DAY) -> None:
    """Of a plan date."""
    if what == "go":
        post(story, "go", plan_day=day)
    else:
        made = story.value(c.RunJob("default", what, b"{}", story.now_ms, plan_day=day), "run")
        while story.run(made).state not in ("succeeded", "failed"):
            assert story.plan_and_apply()
            story.work()
    story.settle()


@pytest.mark.parametrize("order", list(permutations(["a", "b", "go"])), ids="".join)
def test_it_fires_once_when_all_have_come_in_whichever_order(told: Story, order: tuple[str, ...]) -> None:
    told.put(waits(A, B, GO))
    for what in order[:2]:
        come(told, what)
        assert entries(told) == []
    told.now_ms += 1_000
    come(told, order[2])
    assert entries(told) == [(f"t/{DATE}", "ran", "")]
    for what in order:
        come(told, what)
    assert len(entries(told)) == 1, "once a date"
    (made,) = told.store.rows("SELECT plan_day, due_ms FROM runs WHERE cause = 'all_of'")
    assert tuple(made) == (DAY, told.now_ms)
    for what in order:
        come(told, what, DAY + 1)
    assert [key for key, _, _ in entries(told)] == [f"t/{DATE}", "t/2027-01-16"]


def test_what_belongs_to_different_dates_does_not_come_together(told: Story) -> None:
    told.put(waits(A, GO))
    come(told, "a", DAY)
    come(told, "go", DAY + 1)
    assert entries(told) == []
    come(told, "a", DAY + 1)
    assert entries(told) == [("t/2027-01-16", "ran", "")]


def test_the_newest_end_of_a_job_counts(told: Story) -> None:
    told.put(waits(A, GO))
    come(told, "a")
    run(told, "a", exit_code=1)
    told.settle()
    come(told, "go")
    assert entries(told) == []
    come(told, "a")
    assert entries(told) == [(f"t/{DATE}", "ran", "")]


@pytest.mark.parametrize(
    ("tz", "late_ms"), [(None, 6 * HOUR_MS), ("America/New_York", 11 * HOUR_MS)], ids=str
)
def test_a_time_of_the_day_is_waited_for(told: Story, tz: str | None, late_ms: int) -> None:
    """14:00 of a Friday whose story begins at 08:00 UTC."""
    zoned = {} if tz is None else {"tz": tz}
    told.put(waits(A, {"at_least": "14:00"}, within="1d", **zoned))
    come(told, "a")
    told.now_ms = START_MS + late_ms - 1
    told.settle()
    assert entries(told) == []
    told.now_ms += 1
    told.settle()
    assert entries(told) == [(f"t/{DATE}", "ran", "")]
    assert told.store.value("SELECT due_ms FROM runs WHERE cause = 'all_of'") == told.now_ms


def test_a_time_of_the_day_lies_within_the_plan_date_of_the_namespace(told: Story) -> None:
    """A date that begins at 18:00: its 06:00 is the next morning's."""
    pieces = ((START_MS - 14 * HOUR_MS, DAY - 1),)  # Thursday 18:00 UTC
    planned = {"plan_days": pieces, "plan_tz": "UTC", "plan_begin": "18:00"}
    told.tell_ok(c.PutNamespace("default", b"{}", **planned))  # type: ignore[arg-type]
    told.put(waits(A, {"at_least": "06:00"}, within="2d"))
    come(told, "a", DAY)  # from Friday 18:00 on
    (row,) = gatherings.open_of(told.store, told.triggers()[0].id, 2)
    assert row.floor_ms == START_MS + 22 * HOUR_MS


def test_what_lacks_when_its_time_is_over_is_missed_and_said(told: Story) -> None:
    told.put(waits(A, GO, {"at_least": "09:00"}))
    come(told, "a")
    (now,) = conditions.of_job(told.store, told.job("j").id, told.now_ms)
    assert (now.value, now.plan_day, now.lacks) == (
        False, DAY, ("notice on default/stock with key go", "09:00"),
    )  # fmt: skip
    assert [(part.depth, part.value) for part in now.parts] == [(0, False), (1, True), (1, False), (1, False)]
    told.now_ms += 2 * HOUR_MS
    told.plan_and_apply()
    assert entries(told) == [(f"t/{DATE}", "missed", "window")]
    (missed,) = [event for event in told.events if isinstance(event, e.GatheringMissed)]
    assert (missed.name, missed.lacked) == ("j", "notice on default/stock with key go")
    come(told, "go")
    assert len(entries(told)) == 1, "it is over"


def test_a_time_of_the_day_that_an_edit_changes_is_that_of_dates_that_wait(told: Story) -> None:
    told.put(waits(A, B))
    come(told, "a")
    told.put(waits(A, B, {"at_least": "09:00"}))
    come(told, "b")
    assert entries(told) == []
    told.put(waits(A, B, {"at_least": "09:30"}))
    told.now_ms = START_MS + HOUR_MS
    told.settle()
    assert entries(told) == [], "the former time"
    told.now_ms += HOUR_MS // 2
    told.settle()
    assert entries(told) == [(f"t/{DATE}", "ran", "")]


def test_a_time_of_the_day_after_its_window_is_missed_however_late_that_is_heard(told: Story) -> None:
    told.put(waits(A, {"at_least": "12:00"}, within="1h"))
    made = begin(told, "a")
    while told.run(made).state != "succeeded":
        told.tell_ok(*[command for command in told.plan() if not isinstance(command, c.FireDependents)])
        told.work()
    told.now_ms += 5 * HOUR_MS
    told.settle()
    assert entries(told) == [(f"t/{DATE}", "missed", "window")]


def test_what_became_of_a_date_is_said_and_for_which_it_waits(told: Story) -> None:
    told.put(waits(A, GO))

    def said() -> list[tuple[str, str]]:
        found = conditions.of_job(told.store, told.job("j").id, told.now_ms)
        return [(plan_days.text_of(each.plan_day or 0), each.before) for each in found]

    assert said() == [(DATE, "")]
    come(told, "a")
    come(told, "go")
    run_id = told.store.value("SELECT id FROM runs WHERE cause = 'all_of'")
    assert said() == [("2027-01-16", f"{DATE}: run {run_id}")]
    come(told, "go", DAY + 1)
    assert said() == [("2027-01-16", "")]
    told.now_ms += 2 * HOUR_MS
    told.settle()
    assert said() == [("2027-01-17", "2027-01-16: missed(window)")]


@pytest.mark.parametrize("day", [-1, plan_days.DAY_MAX + 1, 1 << 40])
def test_what_is_no_date_is_refused_and_the_last_one_is_gathered(told: Story, day: int) -> None:
    told.put(waits(A, {"at_least": "09:00"}))
    assert told.one(c.RunJob("default", "a", b"{}", told.now_ms, plan_day=day)).code == Code.INVALID
    come(told, "a", plan_days.DAY_MAX)
    told.now_ms += 2 * HOUR_MS
    told.settle()
    assert entries(told) == [(f"t/{plan_days.text_of(plan_days.DAY_MAX)}", "missed", "window")]


def test_time_alone_begins_nothing(told: Story) -> None:
    told.put(waits(A, {"at_least": "09:00"}))
    told.now_ms += 90 * HOUR_MS
    told.settle()
    assert entries(told) == []


def test_what_came_in_time_counts_however_late_it_is_heard(told: Story) -> None:
    told.put(waits(A, GO, B))
    first = begin(told, "a")
    while told.run(first).state != "succeeded":
        told.plan_and_apply()
        told.work()
    post(told, "go")
    run(told, "b")
    told.now_ms += 3 * HOUR_MS  # nobody plans
    told.settle()
    assert entries(told) == [(f"t/{DATE}", "ran", "")]
    # and what came later does not
    told.put(waits(A, GO, name="k"))
    come(told, "go", DAY + 2)
    told.now_ms += 2 * HOUR_MS + 1
    made = told.value(c.RunJob("default", "a", b"{}", told.now_ms, plan_day=DAY + 2), "run")
    while told.run(made).state != "succeeded":
        told.tell_ok(*[each for each in told.plan() if not isinstance(each, c.FireGathered)])
        told.work()
    told.settle()
    assert entries(told)[-1] == ("t/2027-01-17", "missed", "window")


def test_a_full_queue_keeps_each_date(told: Story) -> None:
    told.put(waits(A, GO, overlap="queue_one"))
    for day in range(DAY, DAY + 4):
        post(told, "go", plan_day=day)
        told.tell_ok(c.RunJob("default", "a", b"{}", told.now_ms, plan_day=day))
    told.settle()
    found = entries(told)
    assert sorted(found) == [(f"t/{plan_days.text_of(day)}", "ran", "") for day in range(DAY, DAY + 4)]


def test_of_many_dates_that_wait_for_room_the_oldest_is_given_up(
    told: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "WAITING_MAX", 2)
    told.put(waits(A, GO, overlap="queue_one", on={"pool": "nobody"}))
    for day in range(DAY, DAY + 6):  # one run waits for an agent, one in the queue
        come(told, "a", day)
        come(told, "go", day)

    gone = [f"t/{plan_days.text_of(day)}" for day in (DAY + 2, DAY + 3)]
    assert entries(told) == [(key, "missed", "buffer_full") for key in gone]
    waiting = told.store.rows("SELECT cause_key FROM postponed ORDER BY cause_key")
    assert waiting == [(f"t/{plan_days.text_of(day)}",) for day in (DAY + 4, DAY + 5)]


def test_a_date_that_waits_keeps_its_time_of_the_day_when_the_plan_is_edited(told: Story) -> None:
    """It was opened by the former plan, as a run keeps its plan date; those that open later go by the new."""
    told.put(waits(A, GO, {"at_least": "09:00"}, within="2d"))
    come(told, "a")
    (before,) = gatherings.open_of(told.store, told.triggers()[0].id, 2)
    pieces = ((START_MS - 14 * HOUR_MS, DAY - 1),)  # dates begin at 18:00
    planned = {"plan_days": pieces, "plan_tz": "UTC", "plan_begin": "18:00"}
    told.tell_ok(c.PutNamespace("default", b"{}", **planned))  # type: ignore[arg-type]

    come(told, "a", DAY + 1)
    first, second = gatherings.open_of(told.store, told.triggers()[0].id, 3)
    assert first == before
    assert second.floor_ms == before.floor_ms + 48 * HOUR_MS, "nine of the morning behind its evening"
    come(told, "go")
    told.now_ms = before.floor_ms
    told.settle()
    assert entries(told) == [(f"t/{DATE}", "ran", "")]


@pytest.mark.parametrize("act", ["pause", "delete", "edit", "drop", "retime"])
def test_people_meanwhile(told: Story, act: str) -> None:
    told.put(waits(A, GO, {"at_least": "09:00"}, tz="Europe/Berlin"))
    come(told, "a")
    if act == "pause":
        told.tell_ok(c.PauseJob("default", "j"))
    elif act == "delete":
        told.tell_ok(c.DeleteJob("default", "j"))
    elif act == "drop":
        told.put(job("j", trigger={"every": "9d", "id": "other"}))
    elif act == "edit":
        told.put(waits(A, GO, {"notice": {"board": "web"}}))
        post(told, "any", board="web")
    elif act == "retime":
        post(told, "go", plan_day=DAY)  # which nobody has heard when the rules of its zone are others
        told.tell_ok(retime(told))
        before = told.triggers()[0].id
        told.tell(*told.plan())  # it takes them over, and is not the trigger that was to hear the notice
        told.settle()
        assert told.triggers()[-1].id != before, "it goes by the other rules"
    told.reopen()
    told.lead()
    if act != "retime":
        come(told, "go")
    expected = {"pause": ("skipped", "paused"), "edit": ("ran", ""), "retime": ("ran", "")}
    assert entries(told) == ([(f"t/{DATE}", *expected[act])] if act in expected else [])
    if act == "drop":  # a trigger that comes again begins anew
        told.put(waits(A, GO))
        come(told, "go")
        assert entries(told) == []
        come(told, "a")
        assert entries(told) == [(f"t/{DATE}", "ran", "")]


def test_an_edit_that_takes_away_what_lacks_fires_nothing_at_once(told: Story) -> None:
    told.put(waits(A, GO, B))
    come(told, "a")
    come(told, "go")
    told.put(waits(A, GO))
    told.settle()
    assert entries(told) == []
    told.now_ms += 2 * HOUR_MS
    told.settle()
    assert entries(told) == [(f"t/{DATE}", "ran", "")]


def test_of_a_restore_what_was_due_before_is_missed(told: Story) -> None:
    told.put(waits(A, GO, {"at_least": "09:00"}), waits(A, B, GO, name="k"))
    come(told, "a")
    come(told, "go")
    told.now_ms += 2 * HOUR_MS
    restore(told)
    told.connect()
    told.now_ms += HOLD_MS
    for _ in range(5):
        told.settle()
    assert sorted(entries(told)) == [(f"t/{DATE}", "missed", "restored")] * 2


def test_whoever_leads_it_is_looked_at_once(told: Story) -> None:
    told.put(waits(A, {"at_least": "09:00"}))
    come(told, "a")
    told.now_ms += HOUR_MS
    seen = [each for each in told.plan() if isinstance(each, c.FireGathered)]
    told.tell_ok(*seen)
    told.lead()
    (again,) = [c.FireGathered(told.epoch, each.trigger, each.plan_day, each.at_ms) for each in seen]
    assert told.one(again).code == Code.SUPERSEDED
    told.settle()
    assert entries(told) == [(f"t/{DATE}", "ran", "")]


def test_bounds_and_circles(told: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "OPEN_MAX", 2)
    told.put(waits(A, GO))
    for day in (DAY, DAY + 1, DAY + 2):
        come(told, "a", day)
    assert entries(told) == [(f"t/{DATE}", "missed", "buffer_full")]
    told.put(*(waits(GO, B, name=f"j{number}") for number in range(HEARERS_MAX - 1)))
    one = prepare(parse_job(waits(GO, B, name="more")), told.now_ms)
    assert told.one(c.PutJobs((one,), told.now_ms)).code == Code.INVALID
    circle = prepare(parse_job(job("a", trigger={"after": "j.ended"})), told.now_ms)
    assert told.one(c.PutJobs((circle,), told.now_ms)).code == Code.CYCLE


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        ("DELETE FROM ledger WHERE kind = 'all_of'", "missing"),
        ("DELETE FROM gatherings", "missing"),
        ("DELETE FROM gathered WHERE part LIKE 'notice%'", "not_due"),
        ("UPDATE gatherings SET ended = 'missed', lacked = 'x'", "not_due"),
    ],
)
def test_verify_sees(story: Story, harm: str, kind: str) -> None:
    assert story.apply({"board": "stock"}).ok
    story.put(job("a"), waits(A, GO))
    story.connect()
    come(story, "a")
    come(story, "go")
    proven(story)
    story.store.execute(harm)
    check = verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms)
    assert kind in {each.kind for each in check.problems}
