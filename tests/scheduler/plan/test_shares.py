"""More is due than a plan holds: nobody's many ticks stand before another's few."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.machine.steps.eras import share_of
from scheduler.plan import Limits, PlanCache, plan, shares
from scheduler.store.tables import asked
from scheduler.store.tables import triggers as trigger_rows
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job

SMALL = Limits(commands=40)  #: 20 ticks a plan
SECOND_MS = 1_000


@pytest.fixture(autouse=True)
def _any_number_of_ticks(story: Story) -> None:
    """The limits at the door are another guard (test_tick_limits.py)."""
    story.tell_ok(c.LimitTicks(10_000, 10_000, 10_000))


def flood(number: int, triggers: int, **fields: Any) -> dict[str, Any]:
    """A job that asks for ten ticks a second by each of its triggers."""
    each = [{"id": f"t{i}", "every": "100ms", "start": "2027-01-01T00:00:00Z"} for i in range(triggers)]
    return job(f"flood-{number}", trigger=each, **fields)


def fired(story: Story, limits: Limits = SMALL) -> list[int]:
    """The triggers of the ticks that a plan fires now, in its order."""
    commands = plan(story.store, story.now_ms, epoch=1, lead_ms=0, limits=limits, cache=story.cache)
    return [command.trigger for command in commands if isinstance(command, c.Fire)]


def triggers_of(story: Story, name: str, namespace: str = "default") -> set[int]:
    rows = story.store.rows(
        "SELECT t.id FROM triggers t JOIN jobs j ON j.id = t.job WHERE j.name = ? AND j.namespace = ?",
        (name, namespace),
    )
    return {row[0] for row in rows}


@pytest.mark.parametrize("namespace", ["default", "another"])
def test_a_flood_of_one_job_is_not_before_a_neighbours_tick(story: Story, namespace: str) -> None:
    story.put(*(flood(number, 20) for number in range(3)))
    story.put(job("nightly", namespace=namespace, trigger={"cron": "*/1 8 * * *"}))
    # The flood is ten seconds late; the neighbour's tick is due this moment.
    story.now_ms = START_MS + 60 * SECOND_MS
    for trigger in triggers_of(story, "nightly", namespace):
        assert trigger in fired(story)[:3]


def test_the_neighbour_is_in_time_however_long_the_flood_goes_on(story: Story) -> None:
    story.put(*(flood(number, 20) for number in range(3)))
    story.put(job("near", trigger={"every": "2s"}, policies={"overlap": "allow"}))
    (near,) = triggers_of(story, "near")
    for _ in range(100):
        story.now_ms += 100
        due_ms = story.store.value("SELECT next_due_ms FROM triggers WHERE id = ?", (near,))
        story.tell_ok(*plan(story.store, story.now_ms, epoch=1, lead_ms=0, limits=SMALL, cache=story.cache))
        left_ms = story.store.value("SELECT next_due_ms FROM triggers WHERE id = ?", (near,))
        assert left_ms > story.now_ms, f"due at {due_ms}"
    late_ms = story.now_ms - story.store.value("SELECT min(next_due_ms) FROM triggers")
    assert late_ms > 5 * SECOND_MS  # more was asked for than planned: the flood itself is late
    for _ in range(1_000):
        if not (commands := story.plan()):
            break
        story.tell_ok(*commands)
    verdict = verify(story.store, 0, story.now_ms, now_ms=story.now_ms)
    assert verdict.ok, verdict.problems


def test_namespaces_take_turns(story: Story) -> None:
    story.put(*(job(f"many-{i}", namespace="a", trigger={"every": "1m"}) for i in range(60)))
    story.put(*(job(f"few-{i}", namespace="b", trigger={"every": "1m"}) for i in range(5)))
    story.now_ms = START_MS + 61 * SECOND_MS
    of_b = {trigger for i in range(5) for trigger in triggers_of(story, f"few-{i}", "b")}
    assert of_b <= set(fired(story))


def test_who_asks_for_most_is_late_and_not_for_ever(story: Story) -> None:
    """A tenth of a plan goes by what is due alone."""
    story.put(flood(0, 1))
    story.now_ms = START_MS + SECOND_MS
    story.put(*(job(f"small-{i}", trigger={"every": "1s"}) for i in range(60)), after_ms=START_MS)
    story.now_ms = START_MS + 1_100
    (large,) = triggers_of(story, "flood-0")
    assert large in fired(story)


def test_every_trigger_has_one_tick_before_any_has_its_next(story: Story) -> None:
    story.put(flood(0, 15, policies={"overlap": "allow"}))
    story.now_ms = START_MS + 10 * SECOND_MS
    assert len(set(fired(story))) == 15
    assert len(fired(story)) == SMALL.commands // 2


def test_more_namespaces_than_a_plan_looks_at_are_gone_round(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "SHARES_MAX", 4)
    jobs = [job("j", namespace=f"n{i:02}", trigger={"every": "1m"}) for i in range(10)]
    story.put(*jobs, *(job(f"more-{i}", namespace="n00", trigger={"every": "1m"}) for i in range(60)))
    story.now_ms = START_MS + 61 * SECOND_MS
    seen: set[str] = set()
    cache = PlanCache()
    for _ in range(4):
        found = shares.due(story.store, cache, START_MS, story.now_ms, 20)
        seen |= {trigger.namespace for trigger in found if trigger.namespace is not None}
    assert len(seen) == 10


def test_a_share_is_that_of_the_whole_job_also_after_an_edit(story: Story) -> None:
    hourly, often = {"id": "a", "cron": "0 * * * *"}, {"id": "b", "every": "1s"}
    story.put(job("j", trigger=[hourly]))
    assert [(row.per_day, row.share) for row in story.triggers()] == [(24, share_of(50, 24))]
    story.put(job("j", trigger=[hourly, often]))
    live = [row for row in story.triggers() if row.until_ms is None]
    both = share_of(50, 24 + 86_400)
    assert [(row.per_day, row.share) for row in live] == [(24, both), (86_400, both)]


def test_a_share_follows_the_priority(story: Story) -> None:
    for priority in (50, 100, 0):
        story.put(job("j", trigger={"cron": "0 * * * *"}, policies={"priority": priority}))
        (live,) = [row for row in story.triggers() if row.until_ms is None]
        assert live.share == share_of(priority, 24)
    assert share_of(100, 10**9) < share_of(99, 1), "no number of ticks outweighs it"
    assert share_of(50, 24) < share_of(50, 86_400)


def test_what_is_asked_for_is_counted_through_every_change(story: Story) -> None:
    def agrees() -> None:
        rows = story.store.rows(
            "SELECT namespace, sum(per_day) FROM triggers WHERE until_ms IS NULL AND per_day > 0"
            " GROUP BY namespace ORDER BY namespace"
        )
        kept = story.store.rows(
            "SELECT namespace, per_day FROM asked WHERE namespace <> '' ORDER BY namespace"
        )
        assert kept == rows
        assert asked.of(story.store) == sum(row[1] for row in rows)

    story.put(flood(0, 3), job("j", namespace="n", trigger={"cron": "0 2 * * *"}))
    agrees()
    story.put(flood(0, 1), job("j", namespace="n", trigger={"cron": "0 2,3 * * *"}))
    agrees()
    story.now_ms += 1_000
    story.tell_ok(c.PauseJob("default", "flood-0"), c.ResumeJob("default", "flood-0"))
    agrees()
    assert asked.of_job(story.store, 1) == 864_000
    story.tell_ok(c.DeleteJob("n", "j"), c.DeleteJob("default", "flood-0"))
    agrees()
    assert asked.of(story.store) == 0


def test_a_range_over_shares_reads_by_its_index(story: Story) -> None:
    """The cost follows what is due, not what is stored."""
    rows = story.store.rows(
        "EXPLAIN QUERY PLAN SELECT namespace, share FROM triggers WHERE fire_ms IS NOT NULL"
        " AND (namespace, share) > (?, ?) ORDER BY namespace, share LIMIT 1",
        ("a", 1),
    )
    assert "(namespace,share)>(?,?)" in rows[0][3]
    assert trigger_rows.next_share(story.store, "", -1) is None
