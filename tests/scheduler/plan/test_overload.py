"""More is due than can be started: what ends without a run, in which words, and who comes first."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.plan import Limits
from scheduler.store import state as state_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words.outcomes import Code
from tests.scheduler.story import START_MS, Story, job

SECOND_MS = 1_000
NEVER_IN_THE_WAY = {"overlap": "allow"}


def every_second(name: str, mode: str = "latest", **policies: Any) -> dict[str, Any]:
    return job(
        name,
        trigger={"every": "1s"},
        policies={**NEVER_IN_THE_WAY, "catchup": {"mode": mode}, **policies},
    )


def declare(story: Story) -> None:
    story.tell_ok(c.TellOverload(story.epoch, begins=True, late_ms=4_000, due=7))


def outcomes(story: Story) -> list[tuple[str, str, int]]:
    """Those of the ledger with their number of ticks, and the ticks that wait for their run's start."""
    entries = story.store.rows(
        "SELECT outcome, reason, sum(count) FROM ledger GROUP BY outcome, reason ORDER BY outcome, reason"
    )
    pending = story.store.value("SELECT count(*) FROM runs WHERE state = 'pending'")
    return [*entries, *([("pending", "", pending)] if pending else [])]


def agrees(story: Story) -> None:
    verdict = verify(story.store, 0, story.now_ms, now_ms=story.now_ms)
    assert verdict.ok, verdict.problems


def test_without_a_declaration_what_is_late_fires_tick_by_tick(story: Story) -> None:
    story.put(every_second("j"))
    story.now_ms = START_MS + 10 * SECOND_MS
    assert {type(command) for command in story.plan_and_apply()} == {c.Fire}
    assert outcomes(story) == [("pending", "", 10)]


def test_what_is_older_than_two_periods_is_coalesced_in_one_command_into_a_tick_that_fires(
    story: Story,
) -> None:
    story.put(every_second("j"))
    declare(story)
    story.now_ms = START_MS + 10 * SECOND_MS

    ended, *fired = story.plan_and_apply()

    into_ms = START_MS + 8 * SECOND_MS
    assert ended == c.Account(
        story.epoch, 1, START_MS + SECOND_MS, START_MS + 7 * SECOND_MS, 7, into_ms,
        "coalesced", "overload", into_ms,
    )  # fmt: skip
    assert [command.expected_due_ms for command in fired if isinstance(command, c.Fire)] == [
        into_ms, into_ms + SECOND_MS, into_ms + 2 * SECOND_MS,
    ]  # fmt: skip
    assert outcomes(story) == [("coalesced", "overload", 7), ("pending", "", 3)]
    agrees(story)


@pytest.mark.parametrize(("held_s", "coalesces"), [(86_400, True), (5, False)])
def test_a_tick_of_which_a_person_said_something_stops_it_there_and_nowhere_else(
    story: Story, held_s: int, coalesces: bool
) -> None:
    story.put(job("j", trigger={"every": "1s", "id": "t"}, policies=NEVER_IN_THE_WAY))
    declare(story)
    held = c.ChangeTick("default", "j", "t", START_MS + held_s * SECOND_MS, "hold", "why")
    story.tell_ok(held)
    story.now_ms = START_MS + 10 * SECOND_MS

    assert (c.Account in {type(command) for command in story.plan_and_apply()}) == coalesces
    agrees(story)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("none", [("missed", "overload", 8), ("pending", "", 2)]),
        ("all", [("pending", "", 10)]),
    ],
)
def test_the_mode_of_catching_up_says_what_becomes_of_them(
    story: Story, mode: str, expected: list[tuple[str, str, int]]
) -> None:
    story.put(every_second("j", mode))
    declare(story)
    story.now_ms = START_MS + 10 * SECOND_MS
    while story.plan_and_apply():
        pass
    assert outcomes(story) == expected
    agrees(story)


def test_the_tick_that_others_were_coalesced_into_is_never_coalesced(story: Story) -> None:
    story.put(every_second("j"))
    declare(story)
    story.now_ms = START_MS + 10 * SECOND_MS
    ended = story.plan()[0]
    assert isinstance(ended, c.Account)
    story.tell_ok(ended)  # and the leader is lost before its Fire
    story.now_ms += 10 * SECOND_MS

    planned = story.plan_and_apply()

    assert isinstance(planned[0], c.Fire)
    assert planned[0].expected_due_ms == ended.into_ms
    while story.plan_and_apply():
        pass
    assert story.store.value("SELECT count(*) FROM runs WHERE tick_ms = ?", (ended.into_ms,)) == 1
    agrees(story)


def test_a_long_period_gives_the_tick_as_long_a_grace_as_the_job_does(story: Story) -> None:
    story.put(job("rare", trigger={"every": "10s"}, policies=NEVER_IN_THE_WAY))
    declare(story)
    story.now_ms = START_MS + 25 * SECOND_MS
    assert [type(command) for command in story.plan()] == [c.Fire, c.Fire], "20 s are two periods"


def test_ticks_of_a_paused_job_are_skipped_and_not_coalesced(story: Story) -> None:
    story.put(every_second("j"))
    declare(story)
    story.tell_ok(c.PauseJob("default", "j"))
    story.now_ms = START_MS + 10 * SECOND_MS
    while story.plan_and_apply():
        pass
    assert outcomes(story) == [("skipped", "paused", 10)]


def test_a_pause_of_everything_is_not_passed_over(story: Story) -> None:
    story.put(every_second("j"))
    story.tell_ok(c.Pause("", "because", START_MS + 5 * SECOND_MS))
    declare(story)
    story.now_ms = START_MS + 10 * SECOND_MS
    while story.plan_and_apply():
        pass
    assert ("skipped", "paused", 4) in outcomes(story)
    agrees(story)


def test_a_range_ends_by_overload_only_while_it_is_declared(story: Story) -> None:
    story.put(every_second("j"))
    story.now_ms = START_MS + 10 * SECOND_MS
    first_ms = START_MS + SECOND_MS
    account = c.Account(
        story.epoch, 1, first_ms, first_ms, 1, first_ms + SECOND_MS,
        "coalesced", "overload", first_ms + SECOND_MS,
    )  # fmt: skip
    assert story.one(account).code == Code.SUPERSEDED
    declare(story)
    assert story.one(account).ok


def test_the_state_has_since_when_and_what_showed_it(story: Story) -> None:
    assert state_rows.overload(story.store) is None
    declare(story)
    found = state_rows.overload(story.store)
    assert found is not None
    assert (found.late_ms, found.due) == (4_000, 7)
    again = c.TellOverload(story.epoch, begins=True, late_ms=9_000, due=9)
    assert story.one(again).code == Code.SUPERSEDED
    assert state_rows.overload(story.store) == found
    story.tell_ok(c.TellOverload(story.epoch, begins=False))
    assert state_rows.overload(story.store) is None
    assert story.one(c.TellOverload(story.epoch, begins=False)).code == Code.SUPERSEDED


def test_what_matters_more_comes_first_and_a_tenth_goes_by_what_is_due(story: Story) -> None:
    story.tell_ok(c.LimitTicks(10_000, 10_000, 10_000))
    story.put(*(every_second(f"many-{number}") for number in range(60)))
    story.put(every_second("urgent", priority=100), every_second("late", priority=0))
    urgent, late = (
        story.store.value("SELECT t.id FROM triggers t JOIN jobs j ON j.id = t.job WHERE j.name = ?", (name,))
        for name in ("urgent", "late")
    )
    small = Limits(commands=40)
    story.now_ms = START_MS + SECOND_MS
    for _ in range(20):
        due_ms = story.store.value("SELECT next_due_ms FROM triggers WHERE id = ?", (urgent,))
        planned = [command for command in story.plan(limits=small) if isinstance(command, c.Fire)]
        if due_ms <= story.now_ms:
            assert urgent in [command.trigger for command in planned]
        story.tell_ok(*planned)
        story.now_ms += SECOND_MS // 2
    assert story.store.value("SELECT min(tick_ms) FROM runs WHERE trigger = ?", (late,)) is not None


def test_what_shows_an_overload_is_counted_up_to_a_limit(story: Story) -> None:
    story.put(*(every_second(f"j-{number}") for number in range(5)))
    now_ms = START_MS + 2 * SECOND_MS
    assert [trigger_rows.count_due(story.store, now_ms, limit) for limit in (3, 100)] == [3, 5]
    assert trigger_rows.count_due(story.store, START_MS, 100) == 0
    story.now_ms = now_ms
    story.plan()
    assert story.cache.late_ms == SECOND_MS, "as the first that is due"


def test_what_ends_without_a_run_takes_no_room_of_what_fires(story: Story) -> None:
    story.put(*(every_second(f"j-{number}") for number in range(30)))
    declare(story)
    story.now_ms = START_MS + 10 * SECOND_MS
    planned = story.plan(limits=Limits(commands=20))
    kinds = [type(command) for command in planned]
    assert (kinds.count(c.Fire), kinds.count(c.Account)) == (10, 10)
    assert kinds == [c.Account, c.Fire] * 10, "each range with the tick that runs for it"
