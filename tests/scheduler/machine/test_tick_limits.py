"""How many ticks a second may be asked for: judged where a job is put, for job, namespace and cluster."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.machine.rules import tick_limits
from scheduler.model import parse_job, prepare
from scheduler.store.tables import asked
from scheduler.words import commands as c
from scheduler.words.outcomes import Code, Outcome
from tests.scheduler.story import START_MS, Story, job


def fan(name: str, triggers: int, **fields: Any) -> dict[str, Any]:
    """A job that asks for ten ticks a second by each of its triggers."""
    return job(name, trigger=[{"id": f"t{i}", "every": "100ms"} for i in range(triggers)], **fields)


def put(story: Story, *documents: dict[str, Any]) -> Outcome:
    """As the machine judges, which is also what a dry run says."""
    seeds = tuple(prepare(parse_job(each), START_MS) for each in documents)
    said = tick_limits.judge(story.store, seeds)
    outcome = story.one(c.PutJobs(seeds, START_MS))
    assert (said is None) == outcome.ok
    assert said is None or said == outcome
    return outcome


@pytest.fixture(autouse=True)
def _small(story: Story) -> None:
    story.tell_ok(c.LimitTicks(job=20, namespace=50, cluster=70))


def test_the_defaults_hold_where_nobody_set_a_limit(tmp_path_factory: pytest.TempPathFactory) -> None:
    fresh = Story(tmp_path_factory.mktemp("fresh") / "state.db")
    assert asked.limits(fresh.store) == asked.Limits(100, 2_000, 5_000)
    assert put(fresh, fan("just", 10)).ok
    assert put(fresh, fan("more", 11)).code == Code.TOO_MANY_TICKS
    fresh.close()


def test_a_job_that_asks_for_too_much_is_refused_with_the_figure(story: Story) -> None:
    assert put(story, fan("just", 2)).ok
    refused = put(story, fan("fan", 3))
    assert refused.code == Code.TOO_MANY_TICKS
    assert refused.detail == (
        "job default/fan asks for 30 ticks a second; 20 a second are the most for one job"
    )
    assert put(story, fan("just", 3)).code == Code.TOO_MANY_TICKS  # an edit as well
    assert story.store.value("SELECT count(*) FROM jobs") == 1


def test_many_jobs_are_what_one_may_not_be(story: Story) -> None:
    jobs = [fan(f"j{i}", 2) for i in range(3)]
    assert "the jobs of namespace default ask for 60 ticks" in put(story, *jobs).detail
    assert put(story, *jobs[:2]).ok
    assert put(story, jobs[2]).code == Code.TOO_MANY_TICKS
    assert put(story, fan("k0", 2, namespace="b")).ok
    assert "all jobs ask for 80 ticks a second" in put(story, fan("k1", 2, namespace="c")).detail


def test_room_that_is_given_back_can_be_taken(story: Story) -> None:
    assert put(story, fan("a", 2), fan("b", 2)).ok
    assert put(story, fan("a", 1), fan("c", 2)).ok
    assert put(story, fan("d", 1)).code == Code.TOO_MANY_TICKS
    story.tell_ok(c.DeleteJob("default", "b"))
    assert put(story, fan("d", 2)).ok


def test_only_more_than_before_is_refused(story: Story) -> None:
    """A person lowered the limits: what is there stays, may change, and may shrink."""
    assert put(story, fan("a", 2), fan("b", 2)).ok
    story.tell_ok(c.LimitTicks(job=5, namespace=5, cluster=5))
    assert put(story, fan("a", 2, labels={"team": "x"})).ok
    assert put(story, fan("a", 1)).ok
    assert put(story, fan("a", 2)).code == Code.TOO_MANY_TICKS
    assert put(story, job("rare", trigger={"at": "2031-01-01T00:00:00Z"})).ok


@pytest.mark.parametrize(
    ("trigger", "per_day"),
    [
        ({"cron": "0 2 * * *"}, 1),
        ({"cron": "*/15 * * * *"}, 96),
        ({"cron": "* * * * * *"}, 86_400),
        ({"cron": "0 0 29 2 *"}, 1),
        ({"every": "7h"}, 4),
        ({"every": "100ms"}, 864_000),
        ({"at": "2031-01-01T00:00:00Z"}, 0),
    ],
)
def test_what_a_trigger_asks_for_is_counted_on_a_day_on_which_it_is_due(
    story: Story, trigger: dict[str, Any], per_day: int
) -> None:
    (made,) = prepare(parse_job(job(trigger=trigger)), START_MS).triggers
    assert made.per_day == per_day


@pytest.mark.parametrize("given", [(0, 1, 1), (1, 0, 1), (1, 1, 1_000_001)])
def test_a_limit_that_is_none_is_refused(story: Story, given: tuple[int, int, int]) -> None:
    assert story.one(c.LimitTicks(*given)).code == "invalid"
    assert asked.limits(story.store) == asked.Limits(20, 50, 70)


def test_what_is_deleted_in_the_same_act_makes_room(story: Story) -> None:
    assert put(story, fan("a", 2), fan("b", 2)).ok
    gone = [("job", "default", "a")]
    assert story.apply(fan("c", 2), fan("d", 2), gone=gone).code == Code.TOO_MANY_TICKS
    assert story.apply(fan("c", 2), gone=gone).ok
