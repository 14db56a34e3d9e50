"""Limits of ticks hold for jobs by the schedules that they name: an edit of one is judged for all of them."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from scheduler.model import parse_job, prepare
from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.model.problems import JobError
from scheduler.plan.passes.stages import PAUSE_MS_MAX
from scheduler.store.tables import asked, stages
from scheduler.store.tables import objects as object_rows
from scheduler.words import commands as c
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_reschedules import named, settled, user
from tests.scheduler.machine.test_stages import row, stage
from tests.scheduler.story import Story, job

DAY_S = asked.DAY_S
X_VALID = {"from": "2027-02-01T00:00:00Z", "until": "2027-03-01T00:00:00Z"}


def fast(count: int, name: str = "s", **fields: Any) -> dict[str, Any]:
    """Each of its triggers asks for ten ticks a second."""
    return named(*({"id": f"t{i}", "every": "100ms"} for i in range(count)), name=name, **fields)


def per_second(story: Story, scope: str = asked.WHOLE) -> int:
    return asked.of(story.store, scope) // DAY_S


def agrees(story: Story) -> None:
    """What is counted is what live triggers ask for, of each job, namespace and in all."""
    rows = story.store.rows("SELECT job, whose, per_day FROM job_schedules ORDER BY job")
    for each, whose, per_day in rows:
        assert per_day == asked.of_job(story.store, each)
        assert (whose,) == story.store.row("SELECT namespace FROM jobs WHERE id = ?", (each,))
    live = "SELECT coalesce(sum(per_day), 0) FROM triggers WHERE until_ms IS NULL"
    assert asked.of(story.store) == story.store.value(live)


def ended(story: Story, state: str) -> stages.Stage:
    for _ in range(20):
        found = row(story)
        if found.has_ended:
            assert found.state == state, found.problems
            return found
        for command in story.plan():
            if isinstance(command, c.AdvanceStage):
                story.tell_ok(command)
        story.now_ms += PAUSE_MS_MAX
    raise AssertionError("it does not end")


@pytest.fixture(autouse=True)
def _small(story: Story) -> None:
    story.tell_ok(c.LimitTicks(job=30, namespace=60, cluster=100))


def test_an_edit_that_would_give_a_job_too_many_is_refused_and_changes_nothing(story: Story) -> None:
    own = {"id": "own", "every": "100ms"}
    assert story.apply(fast(1), job("j", trigger=[{"schedule": "s"}, own])).ok
    before = story.machine.state.idx, object_rows.revision_of(story.store, "schedule", "default", "s")

    refused = story.apply(fast(3))

    assert refused.code == Code.TOO_MANY_TICKS
    assert refused.detail == (
        "with schedule default/s as this has it job default/j asks for 40 ticks a second;"
        " 30 a second are the most for one job"
    )
    assert refused.value == {
        "kind": "schedule", "namespace": "default", "name": "s", "asked_per_second": 40, "limit": 30,
    }  # fmt: skip
    assert object_rows.revision_of(story.store, "schedule", "default", "s") == before[1]
    assert story.machine.state.redates == 0
    assert story.apply(fast(2)).ok
    settled(story)
    assert per_second(story) == 30
    agrees(story)


def test_all_jobs_that_name_it_are_counted_in_their_namespaces(story: Story) -> None:
    users = [user(f"j{i}") for i in range(3)]
    elsewhere = [
        job(f"k{i}", namespace="b", trigger={"schedule": "default/s"}) for i in range(2)
    ]  # fmt: skip
    assert story.apply(fast(1), *users, *elsewhere).ok
    refused = story.apply(fast(3))
    assert "with this the jobs of namespace default ask for 90 ticks a second" in refused.detail
    assert story.apply(fast(2)).ok
    settled(story)
    assert (per_second(story), per_second(story, "b")) == (100, 40)
    story.tell_ok(c.LimitTicks(job=30, namespace=90, cluster=100))
    assert "with this all jobs ask for 150 ticks a second" in story.apply(fast(3)).detail
    assert story.apply(fast(1)).ok, "less is always taken"
    settled(story)
    assert per_second(story) == 50
    agrees(story)


def test_what_takes_its_place_counts_with_it(story: Story) -> None:
    assert story.apply(fast(2), user()).ok
    instead: dict[str, Any] = {"name": "x", "substitute": "s", "valid": X_VALID}
    assert story.apply(fast(2, **instead)).code == Code.TOO_MANY_TICKS
    assert story.apply(fast(1, **instead)).ok
    settled(story)
    assert per_second(story) == 30
    assert story.apply(fast(3)).code == Code.TOO_MANY_TICKS
    assert story.apply(fast(3), gone=[("schedule", "default", "x")]).ok
    settled(story)
    assert per_second(story) == 30
    agrees(story)


def test_one_that_is_disabled_asks_for_nothing_until_it_is_enabled(story: Story) -> None:
    assert story.apply(fast(4, enabled=False), user()).ok
    assert per_second(story) == 0
    assert story.apply(fast(4)).code == Code.TOO_MANY_TICKS
    assert story.apply(fast(3)).ok
    settled(story)
    assert story.apply(fast(4, enabled=False)).ok
    settled(story)
    assert per_second(story) == 0
    agrees(story)


def test_jobs_that_come_or_go_in_the_same_act_are_judged_by_themselves(story: Story) -> None:
    assert story.apply(fast(2), user("a"), user("b"), user("c")).ok
    assert per_second(story) == 60
    # One goes, one names it no more, and what is left of them may ask for more.
    assert story.apply(fast(3), job("b"), gone=[("job", "default", "a")]).ok
    settled(story)
    assert per_second(story) == 30
    assert story.apply(fast(3), user("b")).ok
    settled(story)
    assert per_second(story) == 60
    agrees(story)


def test_a_job_that_comes_with_its_schedule_is_counted_once(story: Story) -> None:
    assert story.apply(fast(1), user("a"), user("b"), user("c")).ok
    changed = [{**user(name), "labels": {"team": "x"}} for name in "ab"]
    # Both by themselves, and the third by its schedule: neither twice nor not at all.
    story.tell_ok(c.LimitTicks(job=30, namespace=89, cluster=100))
    assert story.apply(fast(3), *changed).code == Code.TOO_MANY_TICKS
    story.tell_ok(c.LimitTicks(job=30, namespace=90, cluster=100))
    assert story.apply(fast(3), *changed).ok
    settled(story)
    assert per_second(story) == 90
    agrees(story)


@pytest.mark.parametrize("is_staged", [False, True])
def test_a_job_that_goes_with_an_edit_of_its_schedule_is_counted_as_it_is(
    story: Story, is_staged: bool
) -> None:
    assert story.apply(fast(2), user("a"), user("b"), user("c")).ok
    gone = c.Deletion("job", "default", "a")
    if is_staged:
        new = prepare_document(parse_document(fast(3)), story.now_ms)
        assert isinstance(new, c.PreparedObject)
        assert story.one(c.StageSlice("s", 0, (new,), (), (gone,), story.now_ms, body=b"0")).ok
        story.tell_ok(c.CommitStage("s", 1))
        ended(story, "done")
    else:
        assert story.apply(fast(3), gone=[(gone.kind, gone.namespace, gone.name)]).ok
    settled(story)
    assert per_second(story) == 60
    agrees(story)


def test_of_two_that_one_job_names_both_edits_count(story: Story) -> None:
    both = job("j", trigger=[{"schedule": "s"}, {"schedule": "t"}])
    assert story.apply(fast(1), fast(1, "t"), both, user("other")).ok
    assert story.apply(fast(2), fast(2, "t")).code == Code.TOO_MANY_TICKS
    assert story.apply(fast(2), named({"id": "d", "cron": "@daily"}, name="t")).ok
    settled(story)
    agrees(story)


def test_one_that_asks_for_more_waits_for_what_jobs_have_yet_to_take_over(story: Story) -> None:
    both = job("j", trigger=[{"schedule": "s"}, {"schedule": "t"}])
    assert story.apply(fast(1), fast(1, "t"), both).ok
    assert story.apply(fast(2)).ok
    assert story.apply(fast(2, "t")).code == Code.SWITCHING
    settled(story)
    assert story.apply(fast(2, "t")).code == Code.TOO_MANY_TICKS


def test_of_a_stage_it_is_an_item_that_is_in_the_way(story: Story) -> None:
    assert story.apply(fast(1), user("a"), user("b")).ok
    stage(story, fast(4))
    (problem,) = json.loads(ended(story, "refused").problems)
    assert (problem["code"], problem["kind"], problem["name"]) == (Code.TOO_MANY_TICKS, "schedule", "s")
    assert per_second(story) == 20
    agrees(story)


@pytest.mark.parametrize("where", ["default", "b"])
@pytest.mark.parametrize("state", ["refused", "done"])
def test_of_two_of_a_stage_that_one_job_names_both_count(story: Story, state: str, where: str) -> None:
    """Each of them was judged by itself, and together they asked for more than one job may."""
    both = job("j", trigger=[{"schedule": "s"}, {"schedule": f"{where}/t"}])
    assert story.apply(fast(1), fast(1, "t", namespace=where), both, user("other")).ok
    slow = named({"id": "t0", "every": "24h"}, name="t", namespace=where)
    stage(story, fast(2), fast(2, "t", namespace=where) if state == "refused" else slow)
    problems = json.loads(ended(story, state).problems)
    settled(story)
    if state == "refused":
        found = {(each["code"], each["name"]) for each in problems}
        assert found == {(Code.TOO_MANY_TICKS, "s"), (Code.TOO_MANY_TICKS, "t")}
        assert "job default/j asks for 40 ticks a second" in problems[0]["detail"]
    assert asked.of_job(story.store, 1) == 20 * DAY_S + (state == "done")
    agrees(story)


def test_of_a_stage_all_jobs_are_counted_once(story: Story) -> None:
    story.tell_ok(c.LimitTicks(job=30, namespace=70, cluster=100))
    assert story.apply(fast(1), user("a"), user("b")).ok
    new = prepare_document(parse_document(fast(3)), story.now_ms)
    assert isinstance(new, c.PreparedObject)
    changed = parse_job({**user("a"), "labels": {"team": "x"}})
    prepared = prepare(changed, story.now_ms, schedules=story.schedules([new]))
    assert sum(each.per_day for each in prepared.triggers) == 30 * DAY_S
    assert story.one(c.StageSlice("s", 0, (new,), (prepared,), (), story.now_ms, body=b"0")).ok
    story.tell_ok(c.CommitStage("s", 1))
    ended(story, "done")
    settled(story)
    assert per_second(story) == 60
    agrees(story)


@pytest.mark.parametrize(
    ("trigger", "per_day"),
    [
        ({"cron": "H/15 * * * *"}, 96),
        ({"cron": "0 2 * * *", "tz": "Europe/Berlin", "calendar": {"exclude": ["c"]}}, 1),
        ({"iso8601": "R//PT6H"}, 4),
        ({"cron": "0 2 * * *", "valid": {"from": "2027-01-01T00:00:00Z"}}, 1),
    ],
)
def test_what_it_asks_for_is_what_a_job_that_names_it_asks_for(
    story: Story, trigger: dict[str, Any], per_day: int
) -> None:
    days = {"calendar": "c", "exclude": ["12-24"]}
    assert story.apply(days, named(trigger), user()).ok
    row = object_rows.find(story.store, "schedule", "default", "s")
    assert row is not None
    assert (row.per_day, asked.of_job(story.store, 1)) == (per_day, per_day)
    assert story.apply({**days, "exclude": ["12-24", "12-25"]}).ok, "dates ask for no more"
    settled(story)
    agrees(story)


def test_whatever_is_edited_it_stays_within_the_limits_and_is_counted_right(story: Story) -> None:
    rng = random.Random(7)
    refused = 0
    for _ in range(120):
        documents: list[dict[str, Any]] = []
        gone: list[tuple[str, str, str]] = []
        for name in rng.sample(["s", "t"], rng.randint(0, 2)):
            documents.append(fast(rng.randint(1, 3), name, enabled=rng.random() < 0.9))
        if rng.random() < 0.3:
            documents.append(fast(rng.randint(0, 2), "x", substitute=rng.choice("st"), valid=X_VALID))
        for name in rng.sample("abc", rng.randint(0, 2)):
            which = rng.sample(["s", "t"], rng.randint(0, 2))
            documents.append(job(name, trigger=[{"schedule": each} for each in which]))
        if not documents:
            gone = [("job", "default", rng.choice("abc"))]
        try:
            outcome = story.apply(*documents, gone=gone)
        except JobError:
            continue
        refused += outcome.code == Code.TOO_MANY_TICKS
        settled(story)
        agrees(story)
        jobs = [row[0] for row in story.store.rows("SELECT id FROM jobs ORDER BY id")]
        assert all(asked.of_job(story.store, each) <= 30 * DAY_S for each in jobs)
        assert per_second(story) <= 60
    assert refused > 10
