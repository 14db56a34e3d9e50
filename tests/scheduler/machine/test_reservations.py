"""An agent has coming ticks in advance: each is decided once, whoever is away, and whatever is edited,
paused, deleted, restored or given up meanwhile."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from scheduler.explain.findings import Cluster
from scheduler.explain.ticks import explain_instant
from scheduler.protocol import RESERVES
from scheduler.store.tables import durations, reservations
from scheduler.store.tables.reservations import BY_ITSELF, Reservation
from scheduler.verify import Verification, verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from scheduler.words.record import Actor
from tests.scheduler.machine import test_restores as restores
from tests.scheduler.story import KINDS, START_MS, Story, job

MINUTE_MS = 60_000
ANN = Actor("ann")


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    return story


def connect(story: Story, name: str = "agent-1", **fields: Any) -> int:
    return story.connect(name, kinds=(*KINDS, RESERVES), **fields)


def put(story: Story, *, window: str = "10m", every: str = "1m", **policies: Any) -> None:
    policies = {"autonomy": {"window": window}, **policies}
    story.put(job("j", trigger={"every": every, "id": "t"}, policies=policies))


def go(story: Story, minutes: float, *, work: bool = True, step_ms: int = 5_000) -> None:
    """On through the time, as a leader plans it."""
    until_ms = story.now_ms + int(minutes * MINUTE_MS)
    while story.now_ms < until_ms:
        story.now_ms = min(until_ms, story.now_ms + step_ms)
        if work:
            story.settle()
        else:
            story.plan_and_apply()


def reserved(story: Story) -> list[Reservation]:
    return reservations.of_job(story.store, 1, 1_000)


def minutes_of(rows: list[Reservation]) -> list[int]:
    return [(row.at_ms - START_MS) // MINUTE_MS for row in rows]


def ran(story: Story, row: Reservation, **fields: Any) -> None:
    """Its agent, which was alone, tells that it started at its instant and ended."""
    told = c.Finish(row.attempt, row.agent, row.due_ms, row.due_ms + 10, 0, "exit", **fields)
    assert story.one(told).ok


def run_now(story: Story) -> c.RunJob:
    return c.RunJob("default", "j", b"{}", story.now_ms, actor=ANN)


def proof(story: Story) -> Verification:
    found = verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms)
    assert found.ok, found.problems
    return found


def endings(story: Story) -> Counter[str]:
    told: Counter[str] = Counter()
    for _, count, outcome, reason in story.ledger():
        told[f"{outcome}({reason})" if reason else outcome] += count
    return told


def test_a_window_of_ticks_is_the_agents(story: Story) -> None:
    agent = connect(story)
    put(story)
    go(story, 0.5)
    assert minutes_of(reserved(story)) == list(range(1, 11))
    assert {row.agent for row in reserved(story)} == {agent}
    assert len({row.attempt for row in reserved(story)}) == 10, "each has an attempt of its own"
    proof(story)


def test_in_contact_ticks_go_the_usual_way(story: Story) -> None:
    connect(story)
    put(story)
    go(story, 30.5)
    assert endings(story) == {"ran": 30}
    assert len(reserved(story)) == 10, "the window goes along"
    proof(story)


def test_a_job_of_every_two_seconds_is_reserved_too(story: Story) -> None:
    connect(story)
    put(story, every="2s", window="1m")
    go(story, 1, step_ms=400)
    assert len(reserved(story)) > 25
    assert endings(story) == {"ran": 30}
    proof(story)


def test_nothing_is_reserved_for_an_agent_that_does_not_know_of_it(story: Story) -> None:
    story.connect()
    put(story)
    go(story, 5)
    assert reserved(story) == []
    assert endings(story) == {"ran": 5}


def test_two_hours_without_any_node(story: Story) -> None:
    """The agent ran all of its window alone, and tells it when it is back, in any order."""
    agent = connect(story)
    put(story, window="2h")
    go(story, 1.5)
    had = reserved(story)
    assert len(had) == 120
    story.disconnect(agent)
    go(story, 119, step_ms=20_000)
    assert endings(story) == {"ran": 1}, "what an agent has is pending while that is away"
    assert not [row for row in reserved(story) if row.asked_back]
    connect(story)
    for row in reversed(had):
        ran(story, row)
    go(story, 1)
    told = endings(story)
    assert told == {"ran": 121}
    assert proof(story).due == 121
    runs = story.store.rows("SELECT fence, claim FROM attempts WHERE id = ?", (had[-1].attempt,))
    assert runs == [(had[-1].fence, BY_ITSELF)]


def test_what_an_agent_did_alone_is_judged_by_its_own_times(story: Story) -> None:
    """Not by when the cluster heard of it: it was on time, and took as long as it says."""
    agent = connect(story)
    expect = {"start_by": "20s", "end_by": "40s", "duration": {"min": "5s", "max": "30s"}}
    shape = job("j", trigger={"every": "1m", "id": "t"}, policies={"autonomy": {"window": "10m"}})
    story.put({**shape, "expect": expect})
    go(story, 0.5)
    had = reserved(story)
    story.disconnect(agent)
    go(story, 9)
    connect(story)

    def told(row: Reservation, after_ms: int, took_ms: int) -> list[str]:
        story.events.clear()
        started_ms = row.due_ms + after_ms
        story.tell_ok(c.Finish(row.attempt, agent, started_ms, started_ms + took_ms, 0, "exit"))
        return [event.what for event in story.events if isinstance(event, e.ExpectationUnmet)]

    assert told(had[0], 10, 10_000) == []
    assert durations.usual(story.store, 1) == (10_000, 10_000, 1)
    assert told(had[1], 10, 1_000) == ["short"]
    assert told(had[2], 25_000, 10_000) == ["late_start"]
    assert told(had[3], 10, 35_000) == ["long"]
    assert told(had[4], 10, 45_000) == ["long", "late_end"]
    assert told(had[5], -600_000, 610_000) == [], "never before it was due"
    going = had[6]
    story.events.clear()
    story.tell_ok(c.ReportRunning(going.attempt, agent, going.due_ms + 10))
    assert not [event for event in story.events if isinstance(event, e.ExpectationUnmet)]
    proof(story)


def test_a_tick_that_its_agent_never_started_is_caught_up(story: Story) -> None:
    """Its host was down for a part of the window."""
    agent = connect(story)
    put(story)
    go(story, 1.5)
    had = reserved(story)
    story.disconnect(agent)
    go(story, 8)
    connect(story)
    for row in had[:2] + had[5:7]:
        ran(story, row)
    back = tuple(row.attempt for row in had[2:5])
    assert story.value(c.GiveBack(agent, back), "ticks") == 3
    assert story.value(c.GiveBack(agent, back), "ticks") == 0, "told twice"
    go(story, 1)
    assert endings(story)["coalesced"] == 3, "later ones ran: so they are coalesced into those"
    proof(story)


def test_the_last_ticks_go_back_into_the_sequence(story: Story) -> None:
    agent = connect(story)
    put(story, catchup={"mode": "none"})
    go(story, 1.5)
    had = reserved(story)
    story.one(c.Unreserve("default", "j", actor=ANN))
    assert all(row.asked_back for row in reserved(story))
    story.tell_ok(c.GiveBack(agent, tuple(row.attempt for row in had)))
    assert reserved(story) == []
    go(story, 0.2)
    assert reserved(story) == [], "an edit may follow"
    go(story, 20)
    assert endings(story) == {"ran": 21}
    assert reserved(story), "which was not for ever"
    proof(story)


def test_a_closed_gate_decides_only_what_the_agent_gave_back(story: Story) -> None:
    """Overlap: a run goes on, of which the agent may know that it has ended."""
    agent = connect(story)
    put(story)
    go(story, 1.1, work=False)
    (attempt,) = story.store.rows("SELECT id FROM attempts")[0]
    go(story, 1, work=False)
    first = reserved(story)[0]
    assert minutes_of([first]) == [2]
    assert first.asked_back, "and pending until its agent speaks"
    assert endings(story) == {"ran": 1}
    assert any(isinstance(each, e.ReservedAskedBack) for each in story.events) or first.asked_back
    story.tell_ok(c.GiveBack(agent, (first.attempt,)))
    go(story, 0.2, work=False)
    assert endings(story) == {"ran": 1, "skipped(overlap)": 1}
    assert attempt
    proof(story)


def test_what_the_agent_started_is_not_skipped(story: Story) -> None:
    agent = connect(story)
    put(story)
    go(story, 2.1, work=False)
    first = reserved(story)[0]
    assert first.asked_back
    story.tell_ok(c.ReportRunning(first.attempt, agent, first.due_ms))
    assert endings(story) == {"ran": 2}
    assert story.attempt(first.attempt).state == "running"
    proof(story)


def test_the_agent_judges_overlap_where_it_is_alone(story: Story) -> None:
    agent = connect(story)
    put(story)
    go(story, 1.5)
    had = reserved(story)
    story.disconnect(agent)
    go(story, 4)
    connect(story)
    ran(story, had[0])
    story.tell_ok(c.GiveBack(agent, (had[1].attempt,), "overlap", had[0].attempt))
    assert endings(story)["skipped(overlap)"] == 1
    run = story.store.value("SELECT run FROM ledger WHERE outcome = 'skipped'")
    assert run == story.attempt(had[0].attempt).run, "and says behind which run"
    proof(story)


def test_a_pause_takes_effect_when_the_agent_gives_back(story: Story) -> None:
    agent = connect(story)
    put(story)
    go(story, 1.5)
    story.tell_ok(c.PauseJob("default", "j", ANN, "why"))
    go(story, 2)
    had = reserved(story)
    assert all(row.asked_back for row in had)
    assert endings(story) == {"ran": 1}
    ran(story, had[0])  # it was cut off, and started it
    story.tell_ok(c.GiveBack(agent, tuple(row.attempt for row in had[1:])))
    go(story, 2)
    assert endings(story)["ran"] == 2
    assert endings(story)["skipped(paused)"] >= 2
    proof(story)


@pytest.mark.parametrize("returns", [True, False])
def test_an_edit_while_the_agent_is_away(story: Story, returns: bool) -> None:
    """What the agent has goes by the former words, the rest by the new ones."""
    agent = connect(story)
    put(story)
    go(story, 1.5)
    had = reserved(story)
    story.disconnect(agent)
    put(story, every="7m")
    go(story, 5)
    connect(story)
    for row in had[:3]:
        ran(story, row)
    if returns:
        for start in range(3, len(had), 4):
            story.tell_ok(c.GiveBack(agent, tuple(row.attempt for row in had[start : start + 4])))
    else:
        for row in had[3:]:
            ran(story, row)
    go(story, 40)
    found = proof(story)
    assert sum(endings(story).values()) == found.due - found.undecided


def test_nothing_is_reserved_in_vain_before_an_edit_counts(story: Story) -> None:
    """The agent was away as the job was edited, so the new words count behind what it had."""
    agent = connect(story)
    put(story)
    go(story, 1.5)
    had = reserved(story)
    story.disconnect(agent)
    policies = {"autonomy": {"window": "10m"}}
    story.put(job("j", trigger={"every": "2m"}, policies=policies))  # its id is another one
    connect(story)
    story.tell_ok(c.GiveBack(agent, tuple(row.attempt for row in had)))
    assert not [each for each in story.plan() if isinstance(each, c.Reserve)]
    go(story, 20)
    assert endings(story) == {"ran": 16}, "eleven by the former words, five by the new ones"
    assert len(reserved(story)) == 5
    proof(story)


def test_a_deletion_while_the_agent_is_away(story: Story) -> None:
    agent = connect(story)
    put(story)
    go(story, 1.5)
    had = reserved(story)
    story.disconnect(agent)
    story.tell_ok(c.DeleteJob("default", "j", None, actor=ANN))
    go(story, 5)
    connect(story)
    ran(story, had[0])
    story.tell_ok(c.GiveBack(agent, tuple(row.attempt for row in had[1:])))
    go(story, 12)
    assert endings(story)["ran"] == 2
    assert endings(story)["skipped(cancelled)"] == len(had) - 1
    assert reserved(story) == []
    proof(story)


def test_an_agent_that_dies_with_what_it_has(story: Story) -> None:
    """It had begun one that nobody has: lost. It had not begun another: that is caught up."""
    agent = connect(story)
    put(story)
    go(story, 1.5)
    had = reserved(story)
    story.disconnect(agent)
    go(story, 3)
    held = ((had[0].attempt, "gone"), (had[1].attempt, "unstarted"), (had[2].attempt, "running"))
    connect(story, session="s2", held=held)
    assert story.attempt(had[0].attempt).state == "lost"
    assert reservations.get(story.store, had[1].attempt) is None
    assert reservations.get(story.store, had[2].attempt) is not None, "its end is told yet"
    ran(story, had[2])
    go(story, 1)
    assert endings(story)["ran"] >= 3
    proof(story)


def test_a_new_process_that_has_not_claimed_one_has_it_still(story: Story) -> None:
    """Fired by the cluster, before the agent heard of it: no other process can have started it unseen."""
    agent = connect(story)
    put(story)
    go(story, 1.1, work=False)
    (attempt,) = story.store.rows("SELECT id FROM attempts WHERE state = 'granted'")[0]
    connect(story, session="s2")
    assert story.attempt(attempt).state == "granted"
    story.sessions[agent] = "s2"
    assert story.claim(attempt).ok
    assert story.claim(attempt).ok, "the same once more"
    other = c.Grant(attempt, agent, "s2", "another claim")
    assert story.one(other).code == Code.SUPERSEDED
    connect(story, session="s3")
    assert story.attempt(attempt).state == "lost", "it was claimed, and the new process knows nothing of it"


def test_a_person_gives_up_an_agent_that_is_gone(story: Story) -> None:
    agent = connect(story)
    put(story)
    go(story, 1.5)
    had = reserved(story)
    assert story.one(c.GiveUpReserved("default", "j", actor=ANN)).code == Code.CONFLICT, "it is connected"
    story.disconnect(agent)
    connect(story, "agent-2")
    go(story, 4)
    told = story.one(c.GiveUpReserved("default", "j", actor=ANN))
    assert told.value == {"lost": 4, "given_back": 6, "left": 0}
    assert story.attempt(had[0].attempt).state == "lost"
    go(story, 10)
    found = proof(story)
    assert found.outcomes["ran"] == 15
    # Later evidence is kept beside the end.
    late = c.Finish(had[0].attempt, agent, had[0].due_ms, had[0].due_ms + 5, 0, "exit")
    assert story.value(late, "late") is True
    assert '"exit_code":0' in story.attempt(had[0].attempt).late
    # And what was given back is no longer its own.
    assert story.one(c.Finish(had[9].attempt, agent, 1, 2, 0, "exit")).code == Code.NOT_FOUND


def test_all_runs_of_the_job_go_to_the_agent(story: Story) -> None:
    agent = connect(story)
    put(story)
    go(story, 1.5)
    connect(story, "agent-2")
    run = story.value(run_now(story), "run")
    assert story.run(run).bound == agent
    story.settle()
    assert {row.agent for row in story.attempts(run)} == {agent}
    story.disconnect(agent)
    refusal = story.one(run_now(story))
    assert refusal.code == Code.CONFLICT
    assert "agent-1 has coming ticks" in refusal.detail


def test_another_installation_gets_nothing_of_it(story: Story) -> None:
    """An agent's name on an emptied data directory: the former one may still run, cut off."""
    agent = connect(story)
    put(story)
    go(story, 1.5)
    story.disconnect(agent)
    connect(story, installation="another")
    go(story, 4)
    assert endings(story) == {"ran": 1}
    assert len(reserved(story)) == 10
    proof(story)


def test_a_draining_agent_is_asked_for_what_it_has(story: Story) -> None:
    agent = connect(story)
    connect(story, "agent-2")
    put(story)
    go(story, 1.5)
    had = reserved(story)
    agent = had[0].agent
    name = story.store.value("SELECT name FROM agents WHERE id = ?", (agent,))
    story.tell_ok(c.DrainAgent(name, actor=ANN))
    story.settle()
    assert all(row.asked_back for row in reserved(story))
    story.tell_ok(c.GiveBack(agent, tuple(row.attempt for row in had)))
    go(story, 3)
    assert {row.agent for row in reserved(story)} - {agent}, "another has them now"
    assert endings(story) == {"ran": 4}
    proof(story)


def test_a_stale_leader_reserves_nothing(story: Story) -> None:
    agent = connect(story)
    put(story)
    due_ms = story.store.value("SELECT next_due_ms FROM triggers")
    good = c.Reserve(story.epoch, 1, due_ms, due_ms + MINUTE_MS, agent)
    stale = c.Reserve(story.epoch - 1, 1, due_ms, due_ms + MINUTE_MS, agent)
    assert story.one(stale).code == Code.STALE_EPOCH
    assert story.one(good).ok
    assert story.one(good).code == Code.STALE_DUE, "a tick is reserved once"
    assert story.one(c.Fire(story.epoch, 1, due_ms, due_ms + MINUTE_MS)).code == Code.STALE_DUE
    far = c.Reserve(story.epoch, 1, due_ms + MINUTE_MS, None, agent + 7)
    assert story.one(far).code == Code.NOT_CONNECTED


def test_nobody_else_speaks_for_it(story: Story) -> None:
    agent = connect(story)
    other = connect(story, "agent-2")
    put(story)
    go(story, 0.5)
    first = reserved(story)[0]
    stranger = other if first.agent == agent else agent
    assert not story.one(c.Finish(first.attempt, stranger, 1, 2, 0, "exit")).ok
    assert not story.one(c.ReportRunning(first.attempt, stranger, 1)).ok
    assert story.value(c.GiveBack(stranger, (first.attempt,)), "ticks") == 0
    assert reservations.get(story.store, first.attempt) == first


def test_a_node_that_starts_anew_has_the_same(story: Story) -> None:
    agent = connect(story)
    put(story)
    go(story, 2.5)
    before = reserved(story)
    story.reopen()
    assert reserved(story) == before
    story.disconnect(agent)
    connect(story)
    go(story, 3)
    proof(story)


def told_of(row: Reservation, **fields: Any) -> c.RanAttempt:
    times = {"started_ms": row.due_ms, "finished_ms": row.due_ms + 10, **fields}
    return restores.ran(row.attempt, row.run, tick_ms=row.at_ms, due_ms=row.due_ms, **times)


def test_a_restore_while_the_agent_is_alone(story: Story) -> None:
    """It tells the new cluster what it ran of the backup's window, by ids that are the same."""
    agent = connect(story)
    put(story)
    go(story, 1.5)
    had = reserved(story)
    story.disconnect(agent)
    story.now_ms += 4 * MINUTE_MS
    restores.restore(story)
    story.settle()
    assert endings(story) == {"ran": 1}, "held"
    going = told_of(had[3], ended=False, finished_ms=0, exit_code=None, reason="")
    restores.tell(story, *(told_of(row) for row in had[:3]), going)
    assert reserved(story) == [], "what it did not tell goes its usual way"
    assert [story.attempt(row.attempt).state for row in had[:4]] == ["succeeded"] * 3 + ["granted"]
    connect(story, session="s2", held=((had[3].attempt, "running"),))
    restores.settle(story)
    go(story, 5)
    assert endings(story)["ran"] >= 9
    proof(story)


def test_a_restore_that_the_agent_never_hears_of(story: Story) -> None:
    agent = connect(story)
    put(story)
    go(story, 1.5)
    story.disconnect(agent)
    story.now_ms += 4 * MINUTE_MS
    restores.restore(story)
    story.settle()
    restores.settle(story)
    assert reserved(story) == []
    assert endings(story)["missed(restored)"] == 4
    connect(story, "agent-2")
    go(story, 5)
    proof(story)


def test_explain_says_who_has_it(story: Story) -> None:
    agent = connect(story)
    put(story)
    go(story, 1.5)
    at_ms = reserved(story)[1].at_ms

    def said() -> str:
        cluster = Cluster(story.now_ms, "node-a", True)
        (tick,) = explain_instant(story.store, [1], at_ms, cluster, story.compiled).ticks
        assert tick.outcome == "pending"
        return tick.gates[-1].reason

    assert said() == "agent agent-1 has it in advance (policies.autonomy)"
    story.disconnect(agent)
    assert "is away: it may start it by itself" in said()
    connect(story)
    story.tell_ok(c.Unreserve("default", "j", actor=ANN))
    assert "was asked to give it back" in said()
