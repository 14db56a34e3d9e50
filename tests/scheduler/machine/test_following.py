"""Jobs follow the defaults of their namespace when these change: each by a revision, in bounded steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler.model import parse_job, prepare
from scheduler.model.given import Given
from scheduler.model.unsaid import whole
from scheduler.plan.passes import defaults as following
from scheduler.plan.planner import wake_ms
from scheduler.store.tables import jobs, namespaces
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words.json_text import json_text
from tests.scheduler.story import START_MS, Story

FIRST: dict[str, Any] = {"timeout": "5m", "policies": {"overlap": "queue_one"}}
SECOND: dict[str, Any] = {"timeout": "1h"}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    return story


def declare(story: Story, shape: dict[str, Any], **fields: Any) -> int:
    command = c.PutNamespace(
        "finance", json_text({"defaults": shape}), actor=c.Actor("ann"),
        defaults=json_text(shape) if shape else b"", **fields,
    )  # fmt: skip
    revision: int = story.value(command, "revision")
    return revision


def put(story: Story, name: str, given: Given | None = None, **fields: Any) -> int:
    document = {"job": name, "namespace": "finance", "run": "x", **fields}
    job = parse_job(document, defaults=lambda _: given)
    made = prepare(job, story.now_ms, given=given)
    (told,) = story.value(c.PutJobs((made,), story.now_ms, c.Actor("bob")), "jobs")
    revision: int = told["revision"]
    return revision


def shown(story: Story, name: str) -> tuple[int, str | None, str]:
    """Revision, timeout of its task and overlap."""
    row = jobs.find(story.store, "finance", name)
    assert row is not None
    spec = whole(row.spec)
    return row.revision, spec["tasks"]["main"].get("timeout"), spec["policies"]["overlap"]


def settled(story: Story) -> int:
    """How many steps it took."""
    steps = 0
    while namespaces.unrevised(story.store) is not None:
        assert wake_ms(story.store) == 0, "there is something to do now"
        story.plan_and_apply()
        steps += 1
        assert steps < 50
    assert not any(isinstance(command, c.ReviseJobs) for command in story.plan())
    return steps


def test_jobs_that_are_there_follow_by_a_revision_of_who_changed_it(story: Story) -> None:
    put(story, "a")
    put(story, "b", timeout="7m", policies={"overlap": "allow"})
    revision = declare(story, FIRST)
    settled(story)
    assert shown(story, "a") == (2, "5m", "queue_one")
    assert shown(story, "b") == (1, "7m", "allow"), "it says all of that itself: nothing changes"
    row = jobs.find(story.store, "finance", "a")
    assert row is not None
    assert row.actor == "ann"
    assert put(story, "a", Given(revision, FIRST)) == 2, "what its file says is what it is"
    declare(story, SECOND)
    settled(story)
    assert shown(story, "a") == (3, "1h", "skip")
    assert shown(story, "b")[1:] == ("7m", "allow")
    declare(story, {})
    settled(story)
    assert shown(story, "a") == (4, None, "skip")


def test_who_was_put_under_others_meanwhile_follows_too(story: Story) -> None:
    first = declare(story, FIRST)
    settled(story)
    declare(story, SECOND)
    settled(story)
    put(story, "late", Given(first, FIRST))  # by a node that was behind
    assert shown(story, "late") == (1, "5m", "queue_one")
    settled(story)
    assert shown(story, "late") == (2, "1h", "skip")


def test_who_was_put_under_others_follows_though_the_planner_saw_it_not(story: Story) -> None:
    declare(story, FIRST)
    (command,) = [each for each in story.plan() if isinstance(each, c.ReviseJobs)]
    assert command.done, "there was no job when it looked"
    put(story, "late", Given(0, {}))
    assert story.one(command).code == "superseded"
    settled(story)
    assert shown(story, "late") == (2, "5m", "queue_one")


def test_a_job_that_somebody_put_in_between_stays_as_it_was_put(story: Story) -> None:
    put(story, "a")
    revision = declare(story, FIRST)
    (command,) = [each for each in story.plan() if isinstance(each, c.ReviseJobs)]
    put(story, "a", Given(revision, FIRST), timeout="9m")
    story.tell_ok(command)
    assert shown(story, "a") == (2, "9m", "queue_one")
    assert story.one(command).code == "superseded"


def test_very_many_follow_in_bounded_steps_through_a_new_leader(story: Story) -> None:
    for number in range(3 * following.JOBS_MAX + 5):
        put(story, f"j{number:03}")
    declare(story, FIRST)
    story.plan_and_apply()
    assert shown(story, "j000")[1] == "5m"
    assert shown(story, "j064")[1] is None
    story.reopen()
    story.lead()
    assert settled(story) == 3
    assert {shown(story, f"j{number:03}")[:2] for number in range(65)} == {(2, "5m")}


def test_ticks_go_on_and_a_run_keeps_the_revision_that_it_began_with(story: Story) -> None:
    agent = story.connect(kinds=("shell",))
    assert agent
    put(story, "a", triggers=[{"cron": "*/10 * * * * *"}])
    story.now_ms += 10_000
    story.plan_and_apply()
    declare(story, SECOND)
    settled(story)
    story.settle()
    story.now_ms += 10_000
    story.settle()
    rows = story.store.rows("SELECT revision FROM runs ORDER BY id")
    assert [revision for (revision,) in rows][:1] == [1]
    assert rows[-1][0] == 2
    check = verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms)
    assert check.ok, check.problems


def test_what_cannot_follow_stays_and_keeps_nobody(story: Story) -> None:
    put(story, "a", env={"A": "x"})
    row = jobs.find(story.store, "finance", "a")
    assert row is not None
    put(story, "b")
    declare(story, {"policies": {"on_lost": "retry"}})  # without idempotent: no front takes it
    settled(story)
    assert shown(story, "a")[0] == 1
    assert shown(story, "b")[0] == 1


def test_the_same_defaults_again_revise_nothing(story: Story) -> None:
    put(story, "a")
    declare(story, FIRST)
    settled(story)
    assert declare(story, FIRST, active_max=3) == 1
    assert namespaces.unrevised(story.store) is None
