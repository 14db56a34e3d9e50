"""One coming tick is held, released, skipped, moved or given parameters: it is decided once, under its own
identity, whatever happens to its trigger meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler.explain.findings import Cluster
from scheduler.explain.ticks import explain_instant
from scheduler.machine.rules.changing import HELD_MAX_MS, OF_JOB_MAX
from scheduler.plan.planner import wake_ms
from scheduler.store.tables import changed_ticks
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code, Outcome
from scheduler.words.record import Actor
from tests.scheduler.story import START_MS, Story, job

HOUR_MS = 3_600_000


def at(hours: float) -> int:
    return START_MS + int(hours * HOUR_MS)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    story.connect()
    return story


def put(story: Story, *, trigger: Any = None, **policies: Any) -> None:
    policies = {"overlap": "allow", **policies}
    story.put(job("j", trigger=trigger or {"every": "1h", "id": "t"}, policies=policies))


def change(story: Story, act: str, hours: float, **fields: Any) -> Outcome:
    return story.one(
        c.ChangeTick("default", "j", "t", at(hours), act, "why", actor=Actor("ann"), **fields)
    )


def go_to(story: Story, hours: float) -> None:
    """Hour by hour, so that every tick is live."""
    while story.now_ms < at(hours):
        story.now_ms = min(at(hours), story.now_ms + HOUR_MS)
        story.settle()


def by_hour(story: Story) -> dict[int, str]:
    """What became of each, with its reason; of several entries of one instant all."""
    told: dict[int, str] = {}
    for first, count, outcome, reason in story.ledger():
        for place in range(count):
            hour = first // 3_600 + place
            said = f"{outcome}({reason})" if reason else outcome
            told[hour] = f"{told[hour]}, {said}" if hour in told else said
    return told


def sound(story: Story, *, pending: int = 0) -> None:
    told = verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms)
    assert told.problems == []
    assert told.outcomes["pending"] == pending


def left(story: Story) -> list[tuple[str, int]]:
    rows = changed_ticks.of_job(story.store, 1, 100)
    assert bool(story.machine.state.changed_ticks) == bool(rows)
    return [(row.act, (row.at_ms - START_MS) // HOUR_MS) for row in rows]


def run_of(story: Story, hours: float) -> Any:
    (number,) = story.store.rows("SELECT id FROM runs WHERE tick_ms = ? ORDER BY id", (at(hours),))
    return story.run(number[0])


def test_a_tick_that_is_held_waits_until_it_is_released_and_fires_late(story: Story) -> None:
    put(story)
    assert change(story, "hold", 2).ok
    assert story.events == [
        e.TickChanged(1, "default", "j", "t", at(2), "hold", None, "why", "ann"),
    ]  # fmt: skip
    go_to(story, 4)
    sound(story, pending=1)
    assert by_hour(story) == {1: "ran", 3: "ran", 4: "ran"}

    assert change(story, "release", 2).ok
    story.settle()

    assert by_hour(story) == {1: "ran", 2: "ran", 3: "ran", 4: "ran"}
    assert (run_of(story, 2).due_ms, run_of(story, 2).cause) == (at(4), "tick")
    assert left(story) == []
    sound(story)


def test_what_is_released_before_its_instant_is_as_it_was(story: Story) -> None:
    put(story)
    assert change(story, "hold", 2).ok
    assert change(story, "release", 2).ok
    go_to(story, 3)

    assert by_hour(story) == {1: "ran", 2: "ran", 3: "ran"}
    assert run_of(story, 2).due_ms == at(2)
    sound(story)


def test_a_tick_that_is_skipped_is_accounted_at_its_instant(story: Story) -> None:
    put(story)
    assert change(story, "skip", 2).ok
    assert by_hour(story) == {}
    go_to(story, 3)

    assert by_hour(story) == {1: "ran", 2: "skipped(by_person)", 3: "ran"}
    assert left(story) == []
    sound(story)


@pytest.mark.parametrize("act", ["hold", "move"])
def test_one_that_was_left_behind_can_be_skipped_too(story: Story, act: str) -> None:
    put(story)
    assert change(story, act, 2, to_ms=at(8)).ok
    go_to(story, 3)
    assert change(story, "skip", 2).ok
    story.settle()

    assert by_hour(story) == {1: "ran", 2: "skipped(by_person)", 3: "ran"}
    assert left(story) == []
    sound(story)


def test_a_tick_that_is_moved_runs_once_under_its_own_identity_and_plan_date(story: Story) -> None:
    put(story)
    assert change(story, "move", 2, to_ms=at(20.5)).ok  # the next date
    go_to(story, 3)
    assert by_hour(story) == {1: "ran", 3: "ran"}
    sound(story, pending=1)
    assert wake_ms(story.store, lead_ms=0) == at(4)
    story.now_ms = at(20.5)
    story.settle()

    assert by_hour(story)[2] == "ran"
    run = run_of(story, 2)
    assert (run.due_ms, run.plan_day, run.trigger) == (at(20.5), START_MS // 86_400_000, 1)
    assert left(story) == []
    sound(story)


def test_it_has_the_parameters_that_it_was_given(story: Story) -> None:
    put(story)
    assert change(story, "give", 2, params=b'{"region":"eu"}').ok
    assert change(story, "give", 3, params=b'{"region":"us"}').ok
    assert change(story, "move", 3, to_ms=at(3.5)).ok
    go_to(story, 3.5)

    assert [run_of(story, hour).params for hour in (1, 2, 3)] == ["{}", '{"region":"eu"}', '{"region":"us"}']
    sound(story)


def test_what_is_held_for_35_days_is_skipped(story: Story) -> None:
    put(story, trigger={"at": "2027-01-15T10:00:00Z", "id": "t"})
    assert change(story, "hold", 2).ok
    go_to(story, 2)
    story.now_ms = at(2) + HELD_MAX_MS - 1
    story.settle()
    assert by_hour(story) == {}
    story.now_ms += 1
    story.settle()

    assert by_hour(story) == {2: "skipped(by_person)"}
    sound(story)


@pytest.mark.parametrize("mode", ["latest", "all", "none"])
def test_catching_up_leaves_them_out_and_the_next_leader_goes_on(story: Story, mode: str) -> None:
    put(story, catchup={"mode": mode, "grace": "10s"})
    assert change(story, "hold", 2).ok
    assert change(story, "skip", 3).ok
    assert change(story, "move", 5, to_ms=at(7)).ok
    story.now_ms = at(5) + 60_000  # nobody led
    story.lead()
    for _ in range(4):
        story.settle()

    others = {"latest": ("coalesced", "ran"), "all": ("ran", "ran"), "none": ("missed(window)",) * 2}[mode]
    assert by_hour(story) == {1: others[0], 3: "skipped(by_person)", 4: others[1]}
    sound(story, pending=2)
    story.lead()  # and another, in the middle of it
    go_to(story, 7)
    assert change(story, "release", 2).ok
    story.settle()
    told = by_hour(story)
    assert (told[2], told[5]) == ("ran", "ran")
    sound(story)


def test_a_plan_that_had_not_seen_it_decides_nothing_of_it(story: Story) -> None:
    put(story, catchup={"mode": "none", "grace": "10s"})
    assert change(story, "give", 5, params=b"{}").ok
    story.now_ms = at(4.9)
    planned = story.plan()
    change(story, "hold", 5)
    story.tell(*planned)
    assert change(story, "hold", 4).code == Code.NOT_FOUND  # it is over
    story.now_ms = at(5)
    ranged = c.Account(story.epoch, 1, at(5), at(6), 2, at(7), "missed", "window")

    assert story.one(ranged).code == Code.STALE_DUE
    story.settle()
    assert left(story) == [("held", 5)]
    sound(story, pending=1)


def test_an_edit_under_which_it_is_no_tick_drops_it_and_says_so(story: Story) -> None:
    put(story)
    assert change(story, "hold", 2).ok
    assert change(story, "skip", 3).ok
    put(story, trigger={"every": "3h", "start": "2027-01-15T08:00:00Z", "id": "t"})
    dropped = [event for event in story.events if isinstance(event, e.TickChangeDropped)]
    go_to(story, 4)

    assert [event.at_ms for event in dropped] == [at(2)]
    assert by_hour(story) == {3: "skipped(by_person)"}
    assert left(story) == []
    sound(story)


def test_what_was_left_behind_outlives_an_edit_a_pause_and_a_restart(story: Story) -> None:
    put(story)
    assert change(story, "hold", 1).ok
    assert change(story, "move", 2, to_ms=at(5)).ok
    go_to(story, 2)
    put(story, trigger={"every": "2h", "start": "2027-01-15T08:00:00Z", "id": "t"})
    story.tell_ok(c.PauseJob("default", "j"), c.ResumeJob("default", "j"))
    story.reopen()
    story.lead()
    go_to(story, 5)
    assert change(story, "release", 1).ok
    story.settle()

    assert by_hour(story) == {1: "ran", 2: "ran", 4: "ran"}
    sound(story)


def test_a_tick_is_moved_to_an_earlier_instant_and_its_trigger_passes_it_by(story: Story) -> None:
    put(story)
    assert change(story, "move", 20, to_ms=at(1.5)).ok  # from the next date
    assert wake_ms(story.store, lead_ms=0) == at(1)
    go_to(story, 1)
    assert wake_ms(story.store, lead_ms=0) == at(1.5)
    story.now_ms = at(1.5)
    story.settle()

    run = run_of(story, 20)
    assert (run.due_ms, run.plan_day, run.cause) == (at(1.5), START_MS // 86_400_000 + 1, "tick")
    assert by_hour(story) == {1: "ran", 20: "ran"}
    verify_through(story, 24)
    story.lead()  # whoever leads then knows
    go_to(story, 21)
    assert by_hour(story) == dict.fromkeys(range(1, 22), "ran")
    assert left(story) == []
    sound(story)


def verify_through(story: Story, hours: float) -> None:
    """What was decided of instants that are yet to come counts too."""
    assert verify(story.store, START_MS - 1, at(hours), now_ms=story.now_ms).problems == []


EACH_HOUR = dict.fromkeys(range(1, 7), "ran")
AFTERWARDS: dict[str, tuple[dict[str, Any] | None, dict[int, str]]] = {
    "same": ({"every": "1h", "id": "t"}, EACH_HOUR),
    "other": ({"cron": "0 * * * *", "id": "t"}, EACH_HOUR),
    "without it": (
        {"every": "2h", "start": "2027-01-15T08:00:00Z", "id": "t"},
        {1: "ran", 2: "ran", 4: "ran", 5: "ran", 6: "ran"},
    ),
    "renamed": ({"every": "1h", "id": "u"}, {**EACH_HOUR, 5: "ran, ran"}),
    "no trigger": (None, {1: "ran", 5: "ran"}),
}  # fmt: skip


@pytest.mark.parametrize("after", list(AFTERWARDS))
@pytest.mark.parametrize("again", [False, True], ids=["once", "back again"])
def test_an_edit_after_it_came_early_neither_doubles_it_nor_ends_behind_it(
    story: Story, after: str, again: bool
) -> None:
    put(story)
    assert change(story, "move", 5, to_ms=at(1.2)).ok
    go_to(story, 1)
    story.now_ms = at(1.2)
    story.settle()
    trigger, told = AFTERWARDS[after]
    story.put(job("j", trigger=trigger, policies={"overlap": "allow"}))
    if again:
        put(story)
        told = EACH_HOUR
    go_to(story, 6)

    assert by_hour(story) == told
    verify_through(story, 24)
    go_to(story, 7)
    assert left(story) == []
    sound(story)


@pytest.mark.parametrize("mode", ["latest", "all", "none"])
def test_catching_up_leaves_out_what_came_early(story: Story, mode: str) -> None:
    put(story, catchup={"mode": mode, "grace": "10s"})
    assert change(story, "move", 3, to_ms=at(0.5)).ok
    assert change(story, "move", 5, to_ms=at(2)).ok
    story.now_ms = at(0.5)
    story.settle()
    story.now_ms = at(5.5)  # nobody led, and both were due meanwhile
    story.lead()
    for _ in range(6):
        story.settle()

    early = {3: "ran", 5: "ran"}
    others = {"latest": ("coalesced", "ran"), "all": ("ran", "ran"), "none": ("missed(window)",) * 2}[mode]
    assert by_hour(story) == {1: others[0], 2: others[0], 4: others[1], **early}
    assert left(story) == []
    sound(story)


@pytest.mark.parametrize("act", ["hold", "skip", "release"])
def test_what_is_said_next_takes_the_place_of_an_earlier_instant(story: Story, act: str) -> None:
    put(story)
    assert change(story, "move", 3, to_ms=at(1.5)).ok
    assert change(story, act, 3).ok
    go_to(story, 4)

    told = by_hour(story)
    assert told.get(3) == {"hold": None, "skip": "skipped(by_person)", "release": "ran"}[act]
    assert act != "release" or run_of(story, 3).due_ms == at(3)
    sound(story, pending=act == "hold")


def test_what_came_early_meets_the_gates_of_then_and_cannot_be_changed_any_more(story: Story) -> None:
    put(story)
    assert change(story, "move", 5, to_ms=at(1.5)).ok
    story.tell_ok(c.PauseJob("default", "j"))
    story.now_ms = at(1.5)
    story.settle()
    assert by_hour(story) == {1: "skipped(paused)", 5: "skipped(paused)"}
    assert change(story, "move", 5, to_ms=at(6)).code == Code.CONFLICT
    story.tell_ok(c.DeleteJob("default", "j"))
    story.now_ms = at(6)
    story.settle()

    assert by_hour(story) == {1: "skipped(paused)", 5: "skipped(paused)"}
    assert left(story) == []
    sound(story)


def test_explain_tells_what_became_of_one_that_came_early(story: Story) -> None:
    put(story)
    change(story, "move", 1, to_ms=at(0.5))

    def told(hours: float | None) -> list[tuple[str, int]]:
        cluster = Cluster(story.now_ms, "node-a", True)
        at_ms = None if hours is None else at(hours)
        ticks = explain_instant(story.store, [1], at_ms, cluster, story.compiled).ticks
        return [(each.outcome, (each.at_ms - START_MS) // HOUR_MS) for each in ticks]

    assert told(1) == [("pending", 1)]
    story.now_ms = at(0.5)
    story.settle()
    assert told(1) == [("ran", 1)]
    assert told(None) == [("pending", 2)]


def early(story: Story, hours: float) -> None:
    """The planner fires before the instant."""
    story.now_ms = at(hours) - 1_000
    left = story.one(c.Fire(story.epoch, 1, at(hours), at(hours + 1)))
    assert left.value == {"passed": True}
    story.now_ms += 100


@pytest.mark.parametrize("act", ["release", "skip", ""])
def test_what_was_left_behind_before_its_instant_is_of_no_era_that_an_edit_begins_then(
    story: Story, act: str
) -> None:
    put(story)
    go_to(story, 1)
    assert change(story, "hold", 2).ok
    early(story, 2)
    put(story, trigger={"every": "30m", "start": "2027-01-15T08:00:00Z", "id": "t"})
    if act:
        assert change(story, act, 2).ok
        story.settle()
    go_to(story, 3)

    decided = [each for each in story.ledger() if each[0] == 7_200]
    assert len(decided) == bool(act)
    sound(story, pending=not act)


@pytest.mark.parametrize(
    "after",
    [
        job("j", trigger={"every": "1h", "id": "u"}),
        job("j", trigger={"startup": {}, "id": "t"}),
        job("j", trigger={"every": "1h", "id": "t"}, enabled=False),
        job("j"),
    ],
    ids=["renamed", "event", "disabled", "gone"],
)
def test_a_trigger_that_goes_takes_along_what_was_said_of_its_ticks(
    story: Story, after: dict[str, Any]
) -> None:
    put(story)
    assert change(story, "hold", 1).ok
    assert change(story, "hold", 3).ok
    go_to(story, 1)
    story.put(after)
    dropped = [event for event in story.events if isinstance(event, e.TickChangeDropped)]

    assert [event.at_ms for event in dropped] == [at(3)]
    assert left(story) == [("held", 1)]
    assert change(story, "move", 3, to_ms=at(5)).code in (Code.NOT_FOUND, Code.INVALID)
    put(story)
    go_to(story, 3)
    assert by_hour(story)[3] == "ran"
    sound(story, pending=1)


def test_parameters_are_given_beside_what_was_said(story: Story) -> None:
    put(story)
    assert change(story, "hold", 2).ok
    go_to(story, 2)
    (before,) = changed_ticks.of_job(story.store, 1, 2)
    go_to(story, 3)
    given = c.ChangeTick("default", "j", "t", at(2), "give", "more", None, b'{"a":1}', Actor("bob"))
    assert story.one(given).ok

    assert changed_ticks.of_job(story.store, 1, 2) == [
        before._replace(params='{"a":1}', given_by="bob")
    ]


def test_a_moved_tick_meets_a_pause_a_deletion_and_what_is_in_the_way(story: Story) -> None:
    put(story, overlap="skip")
    for hour in (1, 2, 3):
        assert change(story, "move", hour, to_ms=at(3.5 + hour / 10)).ok
    go_to(story, 3)
    story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))
    story.now_ms = at(3.6)
    story.plan_and_apply()
    assert by_hour(story) == {1: "skipped(overlap)"}
    story.tell_ok(c.CancelRun(1), c.PauseJob("default", "j"))
    story.now_ms = at(3.7)
    story.plan_and_apply()
    assert by_hour(story)[2] == "skipped(paused)"
    story.tell_ok(c.DeleteJob("default", "j"))
    story.settle()

    assert by_hour(story)[3] == "skipped(cancelled)"
    assert left(story) == []
    sound(story)


def test_what_is_no_coming_tick_is_refused(story: Story) -> None:
    put(story)
    go_to(story, 1)

    assert change(story, "hold", 1).code == Code.NOT_FOUND  # decided
    assert change(story, "hold", 2.5).code == Code.NOT_FOUND
    assert change(story, "release", 2).code == Code.CONFLICT
    assert change(story, "dance", 2).code == Code.INVALID
    assert change(story, "move", 2).code == Code.INVALID
    assert change(story, "move", 2, to_ms=at(1)).detail == "a tick is moved to an instant to come"
    assert change(story, "move", 2, to_ms=at(2)).detail == "that is its instant"
    assert change(story, "move", 2, to_ms=at(2) + HELD_MAX_MS + 1).code == Code.INVALID
    assert change(story, "move", 900, to_ms=at(900) - HELD_MAX_MS - 1).code == Code.INVALID
    other = c.ChangeTick("default", "j", "u", at(2), "hold")
    assert story.one(other).code == story.one(c.ChangeTick("default", "k", "t", at(2), "hold")).code
    put(story, trigger={"startup": {}, "id": "t"})
    assert change(story, "hold", 2).code == Code.INVALID
    assert left(story) == []


def test_what_the_era_before_has_decided_is_no_coming_tick(story: Story) -> None:
    put(story)
    go_to(story, 1)
    story.now_ms = at(2) - 1_000
    assert story.one(c.Fire(story.epoch, 1, at(2), at(3))).ok
    edited = {"every": "30m", "start": "2027-01-15T08:00:00Z", "id": "t"}
    story.put(job("j", trigger=edited, policies={"overlap": "allow"}))
    (era,) = [each for each in story.triggers() if each.until_ms is None]
    assert era.next_due_ms == era.from_ms == at(2)  # which the planner passes next

    assert change(story, "hold", 2).code == Code.NOT_FOUND
    assert change(story, "hold", 2.5).ok
    go_to(story, 3)
    assert left(story) == [("held", 2)]
    assert by_hour(story)[2] == "ran"
    sound(story, pending=1)


def test_so_many_of_one_job_and_no_more(story: Story) -> None:
    put(story)
    for hour in range(1, OF_JOB_MAX + 1):
        assert change(story, "skip", hour).ok

    assert change(story, "skip", OF_JOB_MAX + 1).code == Code.LIMIT
    assert change(story, "hold", OF_JOB_MAX).ok


def test_explain_says_who_holds_it_and_why(story: Story) -> None:
    put(story)
    change(story, "hold", 2)

    def gates() -> list[tuple[str, str]]:
        cluster = Cluster(story.now_ms, "node-a", True)
        (told,) = explain_instant(story.store, [1], at(2), cluster, story.compiled).ticks
        assert told.outcome == "pending"
        closed = [each for each in told.gates if each.state == "waits" and each.gate != "time"]
        return [(each.gate, each.reason) for each in closed]

    assert gates() == [("person", "it is held by ann: why")]
    go_to(story, 3)
    assert gates() == [("person", "it is held by ann: why")]
    change(story, "move", 2, to_ms=at(8))
    assert gates() == [("person", "it was moved by ann: why")]
