"""Back after hours without a leader: the present first, behind it what was missed; each tick decided once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from scheduler.plan import PlanCache
from scheduler.store.tables import triggers as trigger_rows
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_restores import restore
from tests.scheduler.plan.outage import come_back, is_behind, present, story_of
from tests.scheduler.story import START_MS, Limits, Story, job

SECOND_MS = 1_000
HOUR_MS = 3_600_000
JOBS = 100
SMALL = Limits(backlog_instants=1_000)
"""One plan looks at so few missed ticks that an hour of two every-second jobs is too much for it."""


def every_second(name: str = "j", mode: str = "latest", **policies: Any) -> dict[str, Any]:
    return job(
        name,
        trigger={"every": "1s", "id": "t"},
        policies={"overlap": "skip", "catchup": {"mode": mode}, **policies},
    )


def agrees(story: Story) -> None:
    verdict = verify(story.store, 0, story.now_ms, now_ms=story.now_ms)
    assert verdict.ok, verdict.problems
    assert verdict.overdue == 0


def ended(story: Story, before_ms: int, of: str = "1") -> Counter[tuple[str, str]]:
    """Ticks up to then by what became of them."""
    rows = story.store.rows(
        f"SELECT outcome, reason, sum(count) FROM ledger WHERE last_ms <= ? AND {of} GROUP BY 1, 2",
        (before_ms,),
    )
    return Counter({(outcome, reason): count for outcome, reason, count in rows})


@pytest.mark.parametrize(("mode", "missed"), [("latest", "coalesced"), ("none", "missed")])
def test_many_jobs_are_in_the_present_after_little_work_and_what_was_missed_is_told_in_ranges(
    tmp_path: Any, mode: str, missed: str
) -> None:
    story = story_of(tmp_path / "state.db", JOBS, mode)
    story.now_ms = back_ms = START_MS + 3 * HOUR_MS
    plans = come_back(story, fixed_ms=20)
    came = next(each for each in plans if present(story, back_ms) == JOBS)
    # One splits the gap off, one ends the grace in a range, some fire: of 10,800 ticks a job.
    assert sum(came.commands.values()) < 12 * JOBS
    assert came.commands[c.SplitGap] == JOBS
    assert story.now_ms - back_ms < 2_000
    next(each for each in plans if not is_behind(story, back_ms))
    story.settle()
    agrees(story)
    ranges = story.store.value("SELECT count(*) FROM ledger WHERE count > 1 AND outcome = ?", (missed,))
    assert ranges <= 5 * JOBS
    assert ended(story, back_ms - 44_000)[missed, "" if missed == "coalesced" else "window"] >= 10_700 * JOBS
    story.close()


def test_a_gap_that_one_plan_works_off_is_not_split(story: Story) -> None:
    story.connect()
    story.put(every_second())
    story.now_ms += HOUR_MS
    assert c.SplitGap not in {type(each) for each in story.plan_and_apply()}
    assert [era.until_ms for era in story.triggers()] == [None]


def test_a_split_gap_ends_as_it_would_have_behind_the_present_and_over_a_leader_change(story: Story) -> None:
    story.connect()
    story.put(every_second("a"), every_second("b", "none"), every_second("c", "all", overlap="queue_one"))
    story.now_ms = back_ms = START_MS + HOUR_MS
    split = story.plan_and_apply(limits=SMALL)
    assert [type(each) for each in split] == [c.SplitGap] * 3
    old, live = story.triggers("a")
    edge_ms = back_ms - 45_000 - 1
    assert (old.until_ms, live.from_ms, live.until_ms) == (edge_ms, edge_ms, None)
    assert (old.next_due_ms, live.next_due_ms) == (START_MS + SECOND_MS, back_ms - 45_000)

    story.lead()
    story.cache = PlanCache()
    planned = story.plan_and_apply(limits=SMALL)
    fired = next(each for each in planned if isinstance(each, c.Fire))
    assert not fired.catchup, "what is live comes first"
    story.settle(limits=SMALL, rounds=1_000)
    agrees(story)
    for number in (1, 2, 3):
        assert ended(story, edge_ms, f"job = {number}").total() == 3_554
    whole = ended(story, edge_ms)
    assert whole["missed", "window"] == 3_539
    assert whole["missed", "buffer_full"] == 3_439
    assert whole["coalesced", ""] == 3_538
    assert whole["ran", ""] + whole["skipped", "overlap"] == 101 + 3 * 15, "those of the grace are only late"


def test_a_tick_of_the_gap_that_a_person_held_is_decided_by_itself(story: Story) -> None:
    story.connect()
    story.put(every_second())
    held_ms = START_MS + 600 * SECOND_MS
    story.tell_ok(c.ChangeTick("default", "j", "t", held_ms, "hold", "why"))
    story.now_ms += HOUR_MS
    story.plan_and_apply(limits=SMALL)
    story.settle(limits=SMALL)
    assert story.store.rows("SELECT at_ms FROM changed_ticks WHERE passed = 1") == [(held_ms,)]
    story.tell_ok(c.ChangeTick("default", "j", "t", held_ms, "release", "why"))
    story.settle()
    assert story.store.value("SELECT outcome FROM ledger WHERE first_ms = ?", (held_ms,)) == "ran"
    agrees(story)


@pytest.mark.parametrize(
    ("what", "said"),
    [("pause", ("skipped", "paused")), ("delete", ("skipped", "cancelled")), ("edit", ("missed", "window"))],
)
def test_what_a_person_does_with_the_job_meanwhile_decides_the_rest(
    story: Story, what: str, said: tuple[str, str]
) -> None:
    story.connect()
    story.put(every_second("a"), every_second("b"))
    story.now_ms += HOUR_MS
    assert {type(each) for each in story.plan_and_apply(limits=SMALL)} == {c.SplitGap}
    if what == "pause":
        story.tell_ok(c.PauseJob("default", "a"))
        story.settle(limits=SMALL)
        story.tell_ok(c.ResumeJob("default", "a"))
    elif what == "delete":
        story.tell_ok(c.DeleteJob("default", "a"))
    else:
        story.put(every_second("a", "none"))
    story.settle(limits=SMALL)
    agrees(story)
    most, _ = ended(story, story.now_ms - 44_000, "job = 1").most_common(1)[0]
    assert most == said


def test_while_a_restore_settles_nothing_is_split(story: Story) -> None:
    story.put(every_second("a"), every_second("b"))
    restore(story, catchup=True)
    story.now_ms += HOUR_MS
    told = [type(each) for _ in range(4) for each in story.plan_and_apply(limits=SMALL)]
    assert c.Account in told
    assert c.SplitGap not in told
    story.settle(limits=SMALL)
    agrees(story)


def test_of_paused_jobs_nothing_is_split(story: Story) -> None:
    story.put(every_second("a"), every_second("b"))
    story.tell_ok(c.PauseJob("default", "a"), c.PauseJob("default", "b"))
    story.now_ms += HOUR_MS
    assert c.SplitGap not in {type(each) for each in story.plan_and_apply(limits=SMALL)}


def test_a_gap_is_split_where_it_stands_alone(story: Story) -> None:
    story.put(every_second(), job("k", trigger={"every": "1s", "id": "t"}))
    first_ms = START_MS + SECOND_MS

    def told(trigger: int, due_ms: int, until_ms: int, next_ms: int | None, turn_ms: int = 0) -> str:
        return story.one(c.SplitGap(story.epoch, trigger, due_ms, until_ms, next_ms, turn_ms)).code

    assert told(9, first_ms, first_ms, first_ms + 1) == Code.STALE_DUE
    assert told(1, first_ms + 1, first_ms + 1, first_ms + 2) == Code.STALE_DUE
    assert told(1, first_ms, first_ms - 1, first_ms + 1) == Code.INVALID
    assert told(1, first_ms, first_ms + 5, first_ms + 5) == Code.INVALID
    assert told(1, first_ms, first_ms + 5, first_ms + 6, first_ms + 7) == Code.INVALID
    assert story.one(c.SplitGap(story.epoch - 1, 1, first_ms, first_ms, None, 0)).code == Code.STALE_EPOCH
    story.tell_ok(c.PauseJob("default", "k"))
    assert told(2, first_ms, first_ms + 5, first_ms + 6) == Code.SUPERSEDED
    assert told(1, first_ms, first_ms + 5_000, first_ms + 6_000) == Code.OK
    assert told(1, first_ms, first_ms + 2_000, first_ms + 3_000) == Code.SUPERSEDED, "it is split already"


def test_whose_gap_is_short_goes_on_as_it_does(story: Story) -> None:
    """Who asks for little is not made to wait behind what was split."""
    story.connect()
    story.put(every_second("a"), every_second("b"), job("m", trigger={"every": "1m", "id": "t"}))
    story.now_ms += HOUR_MS
    planned = story.plan_and_apply(limits=SMALL)
    assert [each.trigger for each in planned if isinstance(each, c.SplitGap)] == [1, 2]
    assert any(isinstance(each, c.Fire) and each.trigger == 3 for each in planned)


def test_how_many_ticks_are_late_is_known_without_walking_them(story: Story) -> None:
    story.put(every_second("a"), every_second("b"), job("m", trigger={"every": "1m", "id": "t"}))
    story.now_ms += 31 * SECOND_MS

    def late(limit: int) -> int:
        return trigger_rows.count_late(story.store, story.now_ms - 60_000, story.now_ms, limit)

    assert late(10) == 62
    assert late(1) == 31
