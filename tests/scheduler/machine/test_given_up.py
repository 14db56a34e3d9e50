"""What waited in a run as the state was restored is given up in slices, before anything of it is placed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.machine.context import ROW
from scheduler.machine.rules.walks import GIVE_UP
from scheduler.store.tables import restores
from scheduler.store.tables import tasks as task_rows
from scheduler.words import commands as c
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_locks import put, resource
from tests.scheduler.machine.test_restores import phase, ran, restore, tell
from tests.scheduler.story import Story, job

WAITING = [f"w{n}" for n in range(40)]
AWAY = {"noop": True, "on": {"pool": "away"}}
TASKS = {"first": {"noop": True}, "a": {"noop": True}, **dict.fromkeys(WAITING, AWAY)}
GROUPS = {"g": {"tasks": ["a"], "needs": ["first"], "locks": ["lock"]}}


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Story]:
    """A frame has room for some of the tasks alone."""
    story = Story(tmp_path / "state.db", room=8 * ROW)
    story.lead()
    story.connect()
    yield story
    story.close()


def given_up_in_part(story: Story) -> int:
    """The run, of which an agent has told that its first task ended; the group behind that is queued."""
    put(story, resource(), job(tasks=TASKS, groups=GROUPS))
    number: int = story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")
    for _ in range(30):
        story.plan_and_apply()
    (attempt,) = [each for each in story.attempts(number) if each.state == "assigned"]
    assert story.claim(attempt.id).ok
    story.now_ms += 1_000
    restore(story)
    story.now_ms += 1_000
    tell(story, ran(attempt.id, number, task="first"))
    story.connect(session="s2")
    while next_state(story, "a", number) != "queued":
        assert story.plan_and_apply()
    found = restores.latest(story.store)
    assert found is not None
    assert found.until_ms is not None
    story.now_ms = found.until_ms
    story.tell_ok(c.EndHold(story.epoch, found.number))
    story.tell_ok(c.GiveUpRun(story.epoch, found.number, number))
    assert story.run(number).walk == GIVE_UP
    return number


def next_state(story: Story, name: str, number: int) -> str:
    row = task_rows.newest(story.store, number, name)
    assert row is not None
    return row.state


def test_a_restore_is_not_done_before_all_of_it_is_given_up(told: Story) -> None:
    """What is left would be placed, and run again what may have run."""
    number = given_up_in_part(told)
    told.connect("away-1", session="s3", pool="away")
    assert told.one(c.EndRestore(told.epoch, told.machine.state.restores)).code == Code.CONFLICT
    task = task_rows.newest(told.store, number, "a")
    assert task is not None
    assert told.one(c.Place(told.epoch, task.id, next(iter(told.sessions)))).code == Code.NOT_CONNECTED
    told.settle()
    found = told.tasks(number)
    assert {found[name] for name in WAITING} == {"expired"}
    assert (found["a"], found["g"]) == ("succeeded", "succeeded")
    assert phase(told) == restores.DONE
    assert told.store.rows("SELECT * FROM lock_holds") == []


def test_hands_wait_for_it_and_a_cancel_does_not(told: Story) -> None:
    number = given_up_in_part(told)
    for hand in (c.SuspendRun, c.ResumeRun, c.ReleaseRun):
        assert told.one(hand(number)).code == Code.CONFLICT
    told.tell_ok(c.CancelRun(number))
    told.settle()
    assert told.run(number).state == "cancelled"
    assert phase(told) == restores.DONE
    assert told.store.rows("SELECT * FROM lock_holds") == []
