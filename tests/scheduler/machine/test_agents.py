from __future__ import annotations

import pytest

from scheduler.machine.steps import registry
from scheduler.plan import wake_ms
from scheduler.store.reads import agents as agent_reads
from scheduler.store.tables import agents as agent_rows
from scheduler.words import commands as c
from scheduler.words import events as e
from tests.scheduler.machine.test_attempts import granted
from tests.scheduler.story import KINDS, START_MS, Story, job


def agent(story: Story, agent_id: int) -> agent_rows.Agent:
    row = agent_rows.get(story.store, agent_id)
    assert row is not None
    return row


def test_an_installation_keeps_its_row(story: Story) -> None:
    first = story.connect(slots=4)
    assert story.told(e.AgentConnected) == [
        e.AgentConnected(first, "agent-1", "zone-a", "default", "node-a", "s1")
    ]
    assert story.connect(session="s2", slots=8, node="node-b") == first
    assert (agent(story, first).slots, agent(story, first).node, agent(story, first).session) == (
        8,
        "node-b",
        "s2",
    )


def test_only_the_node_and_session_that_hold_it_disconnect_an_agent(story: Story) -> None:
    first = story.connect()
    story.connect(node="node-b")
    assert story.one(c.DisconnectAgent(first, "s1", "node-a")).code == "superseded"
    assert story.one(c.DisconnectAgent(first, "s0", "node-b")).code == "superseded"
    assert agent(story, first).node == "node-b"
    assert story.one(c.DisconnectAgent(first, "s1", "node-b")).ok
    assert agent(story, first).node == ""
    assert len(story.told(e.AgentDisconnected)) == 1


def test_a_name_is_taken_while_another_installation_is_connected(story: Story) -> None:
    first = story.connect(installation="old")
    taken = c.ConnectAgent("agent-1", "new", "s9", "b", "z", "default", b"{}", 1, "1", "node-b", KINDS)
    assert story.one(taken).code == "name_taken"
    assert agent(story, first).installation == "old"


def test_a_new_installation_takes_over_a_free_name_but_not_the_attempts(story: Story) -> None:
    old = story.connect(installation="old")
    attempt = granted(story)
    story.disconnect(old)
    new = story.connect(installation="new", session="n1")
    assert new != old
    assert (agent(story, old).name, agent(story, new).name) == (f"agent-1#{old}", "agent-1")
    # The new installation not knowing the attempt proves nothing.
    assert story.attempt(attempt).state == "granted"
    assert (agent(story, old).busy, agent(story, new).busy) == (1, 0)
    # The old one, back while the name is free, is itself again and ends what it ran.
    story.disconnect(new)
    assert story.connect(installation="old", session="s2", held=((attempt, "exited"),)) == old
    assert agent(story, old).name == "agent-1"
    assert story.finish(attempt).ok


def test_an_older_session_that_arrives_late_changes_nothing(story: Story) -> None:
    """Said through a node that froze, and proposed when it thawed: its process is dead, a newer one works."""
    story.connect(session="s2")
    attempt = granted(story, policies={"on_lost": "retry", "idempotent": True})
    late = c.ConnectAgent(
        "agent-1", "installation of agent-1", "s1", "boot-1", "zone-a", "default", b"{}", 100, "1", "node-b",
        KINDS,
    )  # fmt: skip
    assert story.one(late).code == "fenced"
    assert story.events == []
    assert (agent(story, 1).session, agent(story, 1).node) == ("s2", "node-a")
    assert story.attempt(attempt).state == "granted"
    # Nor under the name that it once had.
    story.disconnect(1)
    story.connect(installation="new", session="n1")
    story.disconnect(2)
    assert story.one(late).code == "fenced"
    assert agent(story, 2).name == "agent-1"


def test_a_disconnection_is_told_from_the_one_before_it_when_the_clock_stands_still(story: Story) -> None:
    first = story.connect()
    story.disconnect(first)
    before_ms = agent(story, first).disconnected_ms
    story.now_ms -= 5_000
    story.connect()
    story.disconnect(first)
    after_ms = agent(story, first).disconnected_ms
    assert before_ms is not None
    assert after_ms is not None
    assert after_ms > before_ms


def test_gone_is_proof_of_death(story: Story) -> None:
    attempt = granted(story)
    story.connect(session="s2", held=((attempt, "gone"),))
    assert (story.attempt(attempt).state, story.attempt(attempt).reason) == ("lost", "gone")
    assert story.run(1).state == "lost"


def test_a_new_session_that_does_not_know_an_attempt_is_proof(story: Story) -> None:
    attempt = granted(story)
    story.connect(session="s2")
    assert story.attempt(attempt).reason == "gone: unknown to its agent"


def test_the_same_session_coming_back_is_no_proof(story: Story) -> None:
    attempt = granted(story)
    story.connect(node="node-b")
    assert story.attempt(attempt).state == "granted"
    # The grant that got lost on the way is given again.
    assert story.claim(attempt).ok


@pytest.mark.parametrize("word", ["gone", "unstarted"])
def test_what_a_session_said_before_it_was_given_the_grant_is_no_proof(story: Story, word: str) -> None:
    """An agent that starts anew says so of a claim of the session before, by two nodes: one answers, and the
    attempt is claimed anew, granted and started; what the other had proposed is committed only then."""
    story.connect(session="s2")  # by the one
    attempt = granted(story)
    story.connect(session="s2", node="node-b", held=((attempt, word),))  # by the other
    assert story.attempt(attempt).state == "granted"


def test_another_boot_of_the_host_is_proof(story: Story) -> None:
    attempt = granted(story)
    story.connect(boot_id="boot-2")
    assert story.attempt(attempt).reason == "gone: the host booted anew"


def test_what_an_agent_still_holds_goes_on(story: Story) -> None:
    attempt = granted(story)
    story.disconnect(1)
    assert story.one(c.MarkUnreachable(story.epoch, attempt, agent(story, 1).disconnected_ms or 0)).ok
    assert story.told(e.AttemptUnreachable)
    story.connect(session="s2", held=((attempt, "running"),))
    assert (story.attempt(attempt).state, story.attempt(attempt).unreachable) == ("granted", 0)


def test_unclaimed_assignments_are_left_for_the_front_to_push_again(story: Story) -> None:
    story.connect()
    story.put(job())
    story.tell_ok(c.RunJob("default", "j", b"{}", START_MS))
    story.plan_and_apply()
    story.connect(session="s2")
    assert story.attempt(1).state == "assigned"


def test_a_connected_agent_is_not_declared_lost(story: Story) -> None:
    attempt = granted(story)
    assert story.one(c.Lose(story.epoch, attempt, "lease")).code == "superseded"
    assert story.one(c.MarkUnreachable(story.epoch, attempt)).code == "superseded"
    assert story.one(c.ResolveRun(1)).code == "invalid"


def test_a_person_resolves_what_cannot_be_reached(story: Story) -> None:
    attempt = granted(story)
    story.disconnect(1)
    assert story.one(c.ResolveRun(1, c.Actor("ann"))).ok
    assert (story.attempt(attempt).state, story.attempt(attempt).reason) == ("lost", "resolved by ann")
    assert story.run(1).state == "lost"
    assert agent(story, 1).busy == 0


def test_a_lost_node_takes_its_agents_with_it(story: Story) -> None:
    first = story.connect("one", node="node-a")
    second = story.connect("two", node="node-b")
    assert story.one(c.LoseNode(story.epoch, "node-a")).value == {"agents": 1}
    assert (agent(story, first).node, agent(story, second).node) == ("", "node-b")
    assert story.one(c.LoseNode(story.epoch - 1, "node-b")).code == "stale_epoch"


def test_an_agent_that_makes_no_sense_is_refused(story: Story) -> None:
    def connect(name: str, labels: bytes, slots: int) -> str:
        return story.one(
            c.ConnectAgent(name, "i", "s", "b", "z", "default", labels, slots, "1", "node-a", KINDS)
        ).code

    assert connect("a", b"[]", 1) == "invalid"
    assert connect("a", b"{", 1) == "invalid"
    assert connect("a#1", b"{}", 1) == "invalid"
    assert connect("a", b"{}", -1) == "invalid"
    assert connect("a", b"{}", 1) == "ok"


def test_a_released_name_proves_nothing_about_what_runs(story: Story) -> None:
    first = story.connect(installation="old")
    attempt = granted(story, policies={"on_lost": "retry", "idempotent": True})
    assert story.one(c.ReleaseAgent("agent-1", "other", c.Actor("ada"))).code == "superseded"

    assert story.one(c.ReleaseAgent("agent-1", "old", c.Actor("ada"))).ok

    assert story.told(e.AgentReleased) == [e.AgentReleased(first, "agent-1", "old", "ada")]
    assert (agent(story, first).name, agent(story, first).node) == (f"agent-1#{first}", "")
    new = story.connect(installation="new", session="n1")
    assert new != first
    assert story.attempt(attempt).state == "granted"
    assert story.claim(attempt).ok, "the same claim gets the same grant: nothing was decided anew"
    # Said again, it would hit the new one: it is the installation that is released, not the name alone.
    assert story.one(c.ReleaseAgent("agent-1", "old", c.Actor("ada"))).code == "superseded"
    assert agent(story, new).node


def test_a_released_installation_does_not_come_back_under_the_name(story: Story) -> None:
    first = story.connect(installation="old")
    attempt = granted(story)
    assert story.one(c.ReleaseAgent("agent-1", "old", c.Actor("ada"))).ok
    back = c.ConnectAgent(
        "agent-1", "old", "s9", "boot-2", "zone-a", "default", b"{}", 4, "1", "node-a", KINDS,
        ((attempt, "gone"),),
    )  # fmt: skip
    assert story.one(back).code == "fenced"
    assert story.attempt(attempt).state == "granted", "its word counts no more, not even another boot"
    story.connect(installation="new", session="n1")
    assert story.one(back).code == "fenced"
    assert (agent(story, first).session, agent(story, first).busy) == ("released", 1)
    assert story.one(c.ReleaseAgent(f"agent-1#{first}", "old", c.Actor("ada"))).code == "not_found"


def test_the_cost_of_a_new_agent_does_not_grow_with_all_others(story: Story) -> None:
    """Every core read all agents for a new one: 2.8 ms with 20,000 of them, and each one more added to it."""
    steps = story.store.rows(
        "EXPLAIN QUERY PLAN SELECT id FROM agents WHERE installation = ? AND name > ? AND name < ?",
        ("i", "agent-1#", "agent-1$"),
    )
    index = "agents_installation (installation=? AND name>? AND name<?)"
    assert any(index in str(step) for step in steps)
    old = story.connect(installation="old")
    story.disconnect(old)
    story.disconnect(story.connect(installation="new", session="n1"))
    named = agent_rows.former(story.store, "old", "agent-1", "#")
    assert [row.id for row in named] == [old]
    assert agent_rows.former(story.store, "new", "agent-1", "#") == []
    assert agent_rows.former(story.store, "old", "agent", "#") == []


def test_the_state_keeps_so_many_agents_and_no_more(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ROWS_MAX", 3)
    for number in range(3):
        story.connect(f"agent-{number}")
    new = c.ConnectAgent("agent-3", "new", "s1", "b", "z", "default", b"{}", 1, "1", "node-a", KINDS)
    refused = story.one(new)
    assert refused.code == "limit"
    assert "cronclave agents release" in refused.detail
    assert story.events == []
    # One that is known comes as ever.
    assert story.connect("agent-1", session="s2") == 2
    # A released name is room, once nothing is bound to it.
    assert story.one(c.ReleaseAgent("agent-0", "installation of agent-0", c.Actor("ada"))).ok
    assert story.one(new).ok
    assert agent_rows.get(story.store, 1) is None


def test_where_there_is_no_room_nobody_loses_a_name(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ROWS_MAX", 1)
    first = story.connect(installation="old")
    story.disconnect(first)
    new = c.ConnectAgent("agent-1", "new", "n1", "b", "z", "default", b"{}", 1, "1", "node-a", KINDS)
    assert story.one(new).code == "limit"
    assert agent(story, first).name == "agent-1"


def test_whether_there_is_room_costs_no_more_than_the_limit(story: Story) -> None:
    plan = story.store.rows(
        "EXPLAIN QUERY PLAN SELECT 1 FROM agents ORDER BY name LIMIT 1 OFFSET ?", (registry.ROWS_MAX - 1,)
    )
    assert "COVERING INDEX" in str(plan)


def test_former_names_are_known(story: Story) -> None:
    old = story.connect(installation="old")
    story.disconnect(old)
    story.connect(installation="new", session="n1")
    assert agent_reads.is_known(story.store, "old", "agent-1")
    assert agent_reads.is_known(story.store, "new", "agent-1")
    assert not agent_reads.is_known(story.store, "third", "agent-1")
    assert not agent_reads.is_known(story.store, "old", "agent-10")


def test_an_agent_that_drains_starts_nothing_more_and_what_runs_ends(story: Story) -> None:
    first = story.connect(slots=3)
    running = granted(story)
    waiting = story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")
    story.plan_and_apply()
    (attempt,) = story.attempts(waiting)
    assert (attempt.agent, attempt.state) == (first, "assigned")

    assert story.one(c.DrainAgent("agent-1", "new kernel", c.Actor("ada"))).ok

    assert story.told(e.AgentDrained) == [e.AgentDrained(first, "agent-1", "new kernel", "ada")]
    assert wake_ms(story.store) == 0, "what has no grant is taken back at once"
    assert story.claim(attempt.id).code == "revoked", "not even a claim that was under way starts"
    assert story.claim(running).ok, "the same claim gets the same grant again"
    story.plan_and_apply()
    assert story.attempt(attempt.id).state == "revoked"
    assert story.attempt(attempt.id).reason == "its agent drains"
    story.plan_and_apply()
    assert story.tasks(waiting) == {"main": "queued"}, "there is no other agent"
    assert story.plan() == []
    assert story.finish(running).ok
    assert (agent(story, first).busy, agent(story, first).draining) == (0, 1)


def test_what_a_draining_agent_had_goes_to_another_one(story: Story) -> None:
    first, second = story.connect(slots=1), story.connect("agent-2", slots=1)
    story.put(job(trigger={"cron": "* * * * *"}))
    runs = [story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")]
    story.plan_and_apply()
    taken = story.attempts(runs[0])[0].agent
    name, other = ("agent-1", second) if taken == first else ("agent-2", first)
    story.tell_ok(c.DrainAgent(name))
    story.plan_and_apply()
    story.plan_and_apply()
    assert [(a.agent, a.number) for a in story.attempts(runs[0]) if a.live] == [(other, 1)]


def test_a_drain_lasts_over_sessions_until_a_person_ends_it(story: Story) -> None:
    first = story.connect()
    story.tell_ok(c.DrainAgent("agent-1", "r" * 600))
    assert len(agent(story, first).drain_reason) == 500
    story.disconnect(first)
    assert story.connect(session="s2", boot_id="boot-2") == first
    assert agent(story, first).draining
    run = _a_run(story)
    assert story.plan() == []
    told = []
    for _ in range(2):
        assert story.one(c.ResumeAgent("agent-1", c.Actor("ada"))).ok
        told += story.told(e.AgentResumed)
    assert told == [e.AgentResumed(first, "agent-1", "ada")]
    assert (agent(story, first).draining, agent(story, first).drain_reason) == (0, "")
    story.plan_and_apply()
    assert [a.agent for a in story.attempts(run)] == [first]


def test_a_drain_with_an_end_ends_by_itself_and_wakes_the_planner_for_it(story: Story) -> None:
    first = story.connect()
    end_ms = story.now_ms + 60_000
    story.tell_ok(c.DrainAgent("agent-1", "new kernel", c.Actor("ada"), end_ms))
    run = _a_run(story)
    assert wake_ms(story.store) == end_ms
    assert story.plan_and_apply() == []
    assert story.one(c.EndDrain(story.epoch, first, end_ms)).code == "superseded", "its time is to come"

    story.now_ms = end_ms
    story.plan_and_apply()
    assert story.told(e.AgentResumed) == [e.AgentResumed(first, "agent-1", "")]
    assert agent(story, first).drain_until_ms is None
    story.plan_and_apply()
    assert [a.agent for a in story.attempts(run)] == [first]
    assert story.one(c.EndDrain(story.epoch, first, end_ms)).code == "superseded"


def test_the_end_of_a_drain_is_what_was_said_last(story: Story) -> None:
    first = story.connect()
    assert story.one(c.DrainAgent("agent-1", until_ms=story.now_ms)).code == "invalid"
    for until_ms in (story.now_ms + 1_000, story.now_ms + 5_000, None):
        story.tell_ok(c.DrainAgent("agent-1", "a", until_ms=until_ms))
        assert agent(story, first).drain_until_ms == until_ms
    story.now_ms += 10_000
    story.plan_and_apply()
    assert agent(story, first).draining, "without an end it is for a person to end it"


def test_a_drain_said_twice_tells_a_new_reason_alone(story: Story) -> None:
    first = story.connect()
    told = []
    for reason in ("a", "a", "b", ""):
        story.tell_ok(c.DrainAgent("agent-1", reason))
        told += [event.reason for event in story.told(e.AgentDrained)]
    assert told == ["a", "b"]
    assert agent(story, first).drain_reason == "b"


@pytest.mark.parametrize("command", [c.DrainAgent, c.ResumeAgent])
def test_who_never_registered_or_lost_the_name_is_not_drained(
    story: Story, command: type[c.DrainAgent] | type[c.ResumeAgent]
) -> None:
    old = story.connect(installation="old")
    story.disconnect(old)
    story.connect(installation="new", session="n1")
    assert story.one(command("agent-9")).code == "not_found"
    assert story.one(command(f"agent-1#{old}")).code == "not_found"
    assert story.one(command("agent-1")).ok
    assert not agent(story, old).draining


def _a_run(story: Story) -> int:
    story.put(job(tasks={"main": {"noop": True}}))
    run: int = story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")
    return run
