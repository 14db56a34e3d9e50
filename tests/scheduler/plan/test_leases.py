from __future__ import annotations

from typing import Any

from scheduler.model.quantities import format_instant
from scheduler.plan import cut_off, plan, wake_ms
from scheduler.plan.passes.leases import UNCLAIMED_MS
from scheduler.words import commands as c
from tests.scheduler.machine.test_attempts import granted
from tests.scheduler.story import START_MS, Story, job


def over(story: Story) -> set[tuple[int, int]]:
    """Every lease that is being counted, as if it were over."""
    return {(orphan.id, orphan.since_ms) for orphan in cut_off(story.store)}


def lost_contact(story: Story, **fields: Any) -> int:
    """A granted attempt whose agent is disconnected."""
    attempt = granted(story, **fields)
    story.disconnect(1)
    assert [(orphan.id, orphan.state) for orphan in cut_off(story.store)] == [(attempt, "granted")]
    return attempt


def test_without_a_grant_an_attempt_goes_to_another_agent_at_once(story: Story) -> None:
    first = story.connect("one")
    story.put(job())
    story.tell_ok(c.RunJob("default", "j", b"{}", START_MS))
    story.plan_and_apply()
    story.disconnect(first)
    second = story.connect("two")
    story.settle()
    assert [(a.agent, a.state) for a in story.attempts(1)] == [(first, "revoked"), (second, "succeeded")]


def test_what_is_due_on_a_quiet_node_goes_to_another_agent(story: Story) -> None:
    quiet = story.connect("one", node="node-b")
    story.put(job())
    story.tell_ok(c.RunJob("default", "j", b"{}", START_MS))
    story.plan_and_apply()
    assert story.plan(quiet_nodes=["node-b"]) == [], "there is no other"

    other = story.connect("two", node="node-a")
    assert story.plan() == [], "its node answers"
    revoke = c.Revoke(story.epoch, 1, "its agent's node is quiet")
    assert story.plan_and_apply(quiet_nodes=["node-b"]) == [revoke]
    story.plan_and_apply(quiet_nodes=["node-b"])
    assert [(a.agent, a.state) for a in story.attempts(1)] == [(quiet, "revoked"), (other, "assigned")]
    assert not story.claim(1).ok, "its claim comes too late"


def test_a_quiet_node_keeps_what_is_granted_or_not_due_yet(story: Story) -> None:
    story.connect("one", node="node-b")
    story.put(job(triggers=[{"every": "1m", "start": format_instant(START_MS)}]))
    story.now_ms = START_MS + 59_980
    story.tell_ok(*plan(story.store, story.now_ms, epoch=story.epoch, lead_ms=50))
    story.connect("two", node="node-a")
    assert story.plan(quiet_nodes=["node-b"]) == [], "it is due in 20 ms"
    assert story.claim(1).ok
    story.now_ms += 40
    assert story.plan(quiet_nodes=["node-b"]) == [], "it may run"


def test_a_claim_that_never_comes_is_waited_for_and_then_given_up(story: Story) -> None:
    story.connect()
    story.put(job())
    story.tell_ok(c.RunJob("default", "j", b"{}", START_MS))
    story.plan_and_apply()
    story.now_ms += UNCLAIMED_MS
    assert story.plan() == []
    assert wake_ms(story.store) == story.now_ms + 1
    story.now_ms += 1
    assert story.plan() == [c.Revoke(story.epoch, 1, "not claimed")]


def test_nothing_happens_to_a_grant_before_its_lease_is_over(story: Story) -> None:
    lost_contact(story)
    story.now_ms += 3_600_000
    assert story.plan() == []


def test_wait_marks_it_unreachable_and_keeps_the_run(story: Story) -> None:
    attempt = lost_contact(story)
    assert story.plan_and_apply(leases=over(story)) == [c.MarkUnreachable(story.epoch, attempt, START_MS + 1)]
    assert story.plan(leases=over(story)) == []
    assert story.run(1).state == "running"


def test_wait_ends_with_the_task_s_own_timeout(story: Story) -> None:
    attempt = lost_contact(story, timeout="10m")
    story.plan_and_apply(leases=over(story))
    story.now_ms += 600_000
    assert story.plan(leases=over(story)) == []
    story.now_ms += 600_000
    assert story.plan_and_apply(leases=over(story)) == [c.Lose(story.epoch, attempt, "timeout", START_MS + 1)]
    assert story.run(1).state == "lost"


def test_fail_loses_it(story: Story) -> None:
    attempt = lost_contact(story, policies={"on_lost": "fail"})
    story.plan_and_apply(leases=over(story))
    assert (story.run(1).state, story.attempt(attempt).reason) == ("lost", "lease")


def test_retry_loses_it_and_tries_elsewhere(story: Story) -> None:
    lost_contact(story, policies={"on_lost": "retry", "idempotent": True})
    story.connect("other")
    story.plan_and_apply(leases=over(story))
    story.now_ms += 3_600_000
    story.settle()
    assert [a.state for a in story.attempts(1)] == ["lost", "succeeded"]
    assert story.run(1).state == "succeeded"


def test_an_agent_that_came_back_for_a_moment_has_a_new_lease(story: Story) -> None:
    attempt = lost_contact(story, policies={"on_lost": "retry", "idempotent": True})
    old = over(story)
    planned = story.plan(leases=old)
    assert [type(command) for command in planned] == [c.Lose]
    # Back, and gone again, before that plan is applied and before the next one is made: its spooler holds a
    # fresh lease, so the process may live.
    story.connect(node="node-b", held=((attempt, "running"),))
    story.disconnect(1, "node-b")
    assert [outcome.code for outcome in story.tell(*planned)] == ["superseded"]
    assert story.plan(leases=old) == []
    assert story.attempt(attempt).state == "granted"
    assert [type(command) for command in story.plan(leases=over(story))] == [c.Lose]


def test_a_silent_node_is_lost_once(story: Story) -> None:
    story.connect(node="node-b")
    assert story.plan_and_apply(silent_nodes=["node-b"]) == [c.LoseNode(story.epoch, "node-b")]
    assert story.plan_and_apply(silent_nodes=["node-b"]) == []


def test_deadlines_stops_and_retries_are_planned_when_due(story: Story) -> None:
    story.put(job("late", policies={"start_deadline": "1m"}, on={"pool": "none"}))
    story.put(job("long", policies={"timeout": "2m"}), job("flaky", retry={"max": 1, "first": "3m"}))
    story.connect()
    for name in ("late", "long", "flaky"):
        story.tell_ok(c.RunJob("default", name, b"{}", START_MS))
    story.plan_and_apply()
    story.claim(1)
    story.claim(2)
    story.finish(2, exit_code=1)
    for minute, expected in (
        (1, c.ExpireRun(story.epoch, 1)),
        (2, c.StopRun(story.epoch, 2)),
        (3, c.Wake(story.epoch, 3, START_MS + 3 * 60_000)),
    ):
        assert wake_ms(story.store) == START_MS + minute * 60_000
        story.now_ms = START_MS + minute * 60_000 - 1
        assert story.plan() == []
        story.now_ms += 1
        assert story.plan_and_apply() == [expected]
