"""A restored state: what is held, what agents' journals prove, what becomes of the rest."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

from scheduler.machine.renewal import Renewal, renew
from scheduler.store import state as state_rows
from scheduler.store.connection import Store
from scheduler.store.tables import restores
from scheduler.store.tables.restores import SPAN
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job

HOLD_MS = 60_000
TRIES_MAX = 100
EVERY_10_S = {"every": "10s", "start": "2027-01-15T08:00:00Z"}


def restore(story: Story, *, catchup: bool = False, number: int = 1, lead: bool = True) -> None:
    """The state as it is becomes the backup that a new cluster begins with."""
    story.store.close()
    store = Store.open_alone(story.path)
    renew(store, Renewal("restore", f"restored-{number}", number, HOLD_MS, catchup, b""))
    store.close()
    story.cluster = f"restored-{number}"
    story.cache = type(story.cache)()
    story.open()
    if lead:
        story.lead()


def ran(attempt: int, run: int, **fields: Any) -> c.RanAttempt:
    """What a journal tells of an attempt that succeeded, unless `fields` say else."""
    usual = c.RanAttempt(
        attempt=attempt, run=run, namespace="default", job="j", task="main", member="", round=0, number=1,
        tick_ms=None, due_ms=START_MS, ended=True, started_ms=START_MS, finished_ms=START_MS + 1_000,
        exit_code=0, reason="exit",
    )  # fmt: skip
    return msgspec.structs.replace(usual, **fields)


def tell(story: Story, *attempts: c.RanAttempt, name: str = "agent-1", last: bool = True) -> None:
    running = tuple(each.attempt for each in attempts if not each.ended)
    number = story.machine.state.restores
    adopt = c.Adopt(number, f"installation of {name}", name, "zone-a", "default", attempts, last, running)
    for _ in range(TRIES_MAX):
        (outcome,) = story.tell_ok(adopt)
        assert outcome.value is not None
        if not outcome.value.get("again"):
            return
    raise AssertionError("it is told again and again")


def settle(story: Story) -> None:
    """Let the hold pass, and the planner decide."""
    found = restores.latest(story.store)
    assert found is not None
    assert found.until_ms is not None
    story.now_ms = max(story.now_ms, found.until_ms)
    story.settle()


def phase(story: Story) -> str:
    found = restores.latest(story.store)
    assert found is not None
    return found.phase


def test_index_and_ids_are_raised_and_nobody_is_connected(story: Story) -> None:
    agent = story.connect()
    story.put(job())
    run = story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")
    story.settle()
    before = dataclasses.replace(story.machine.state)

    restore(story, lead=False)
    state = story.machine.state
    assert state.idx == before.idx + SPAN
    assert (state.last_run, state.last_attempt) == (before.last_run + SPAN, before.last_attempt + SPAN)
    assert (state.cluster, state.restores, state.ledger_head) == ("restored-1", 1, before.ledger_head)
    assert state.hash != before.hash
    assert restores.lineage(story.store) == "story"
    assert restores.awaited(story.store) == 1
    story.lead()
    assert story.run(run).state == "succeeded"
    assert not story.store.value("SELECT node FROM agents WHERE id = ?", (agent,))


def test_a_restore_number_only_grows(story: Story) -> None:
    restore(story, number=3)
    assert story.machine.state.idx > 3 * SPAN
    story.store.close()
    store = Store.open_alone(story.path)
    with pytest.raises(ValueError, match="take a higher one"):
        renew(store, Renewal("restore", "other", 3, HOLD_MS, False, b""))
    assert state_rows.load(store).restores == 3
    store.close()
    story.open()


def test_what_was_due_waits_and_is_then_missed(story: Story) -> None:
    story.connect()
    story.put(job(trigger=EVERY_10_S))
    story.now_ms += 35_000
    restore(story)
    story.connect()
    story.settle()
    assert story.runs() == []
    assert phase(story) == "holding"

    story.now_ms += HOLD_MS - 1
    assert not story.plan()
    settle(story)
    assert phase(story) == "done"
    assert story.ledger()[0] == (10, 3, "missed", "restored")
    # What fell due during the hold goes by the job's own policy.
    assert not any(reason == "restored" for *_, reason in story.ledger()[1:])
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_the_hold_ends_early_once_every_agent_has_told(story: Story) -> None:
    for name in ("agent-1", "agent-2"):
        story.connect(name)
    story.put(job(trigger=EVERY_10_S))
    story.now_ms += 15_000
    restore(story)
    story.now_ms += HOLD_MS // 10
    tell(story)
    story.settle()
    assert phase(story) == "holding"
    tell(story, name="agent-2")
    story.settle()
    assert phase(story) == "done"


def test_a_tick_that_a_journal_proves_ran_is_never_run_again(story: Story) -> None:
    for catchup in (False, True):
        story.put(job(trigger=EVERY_10_S)) if not catchup else None
        story.connect()
        first_run = story.machine.state.last_run + 1
        due_ms = START_MS + (20_000 if not catchup else 200_000)
        story.now_ms = due_ms + 15_000
        restore(story, catchup=catchup, number=1 + catchup)
        tell(story, ran(story.machine.state.last_attempt - 5, first_run, tick_ms=due_ms, due_ms=due_ms))
        adopted = story.run(first_run)
        assert (adopted.cause, adopted.state, adopted.decided) == ("orphan", "succeeded", 0)

        settle(story)
        assert phase(story) == "done"
        adopted = story.run(first_run)
        assert (adopted.decided, adopted.trigger) == (1, story.triggers()[0].id)
        at = (due_ms - START_MS) // 1_000
        assert (at, 1, "ran", "") in story.ledger()
        runs = story.store.rows("SELECT id FROM runs WHERE tick_ms = ? ORDER BY id", (due_ms,))
        assert runs == [(first_run,)]
        check = verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms)
        assert check.ok, check.problems


def test_with_catchup_the_jobs_policy_decides_about_the_rest(story: Story) -> None:
    story.put(job(trigger=EVERY_10_S, policies={"catchup": {"mode": "latest"}}))
    story.connect()
    story.now_ms += 35_000
    restore(story, catchup=True)
    story.connect()
    settle(story)
    assert {outcome for _, _, outcome, _ in story.ledger()} <= {"coalesced", "ran", "skipped"}
    assert ("catchup", "succeeded") in story.runs()


def test_an_account_never_covers_a_tick_that_ran(story: Story) -> None:
    story.put(job(trigger=EVERY_10_S))
    story.connect()
    story.now_ms += 35_000
    restore(story)
    tell(story, ran(1 + SPAN // 2, 1 + SPAN // 2, tick_ms=START_MS + 20_000))
    trigger = story.triggers()[0]
    assert trigger.next_due_ms is not None
    account = c.Account(
        story.epoch, trigger.id, trigger.next_due_ms, START_MS + 30_000, 3, START_MS + 40_000, "missed", "x"
    )
    assert story.one(account).code == "stale_due"
    assert story.triggers()[0] == trigger


def test_a_run_that_was_going_on_ends_as_its_agent_says(story: Story) -> None:
    story.connect()
    story.put(job(noop=None, run="true"))
    told, untold = (story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run") for _ in range(2))
    story.plan_and_apply()
    attempts = [story.attempts(run)[0].id for run in (told, untold)]
    for attempt in attempts:
        assert story.claim(attempt).ok
    restore(story)
    story.settle()
    assert story.run(told).state == "running"
    tell(story, ran(attempts[0], told, exit_code=3))
    assert (story.run(told).state, story.run(told).exit_code) == ("failed", 3)
    # The journal was told to its end and does not name the other: it runs no more.
    assert story.run(untold).state == "lost"


def test_an_attempt_that_was_only_assigned_joins_its_run_when_it_ran(story: Story) -> None:
    story.connect()
    story.put(job(trigger=EVERY_10_S))
    story.now_ms += 10_000
    story.plan_and_apply()
    ((run, attempt),) = story.store.rows("SELECT run, id FROM attempts")
    assert story.attempt(attempt).fence is None
    restore(story)
    assert not story.attempts(run)
    tell(story, ran(attempt, run, tick_ms=START_MS + 10_000))
    assert (story.run(run).cause, story.run(run).state) == ("tick", "succeeded")
    assert story.ledger() == [(10, 1, "ran", "")]
    settle(story)
    assert [row.id for row in story.attempts(run)] == [attempt]


@pytest.mark.parametrize(("on_lost", "state"), [("wait", "expired"), ("retry", "succeeded")])
def test_a_run_that_had_not_started_is_not_started_unless_that_does_no_harm(
    story: Story, on_lost: str, state: str
) -> None:
    policies = {"on_lost": on_lost, **({"idempotent": True} if on_lost == "retry" else {})}
    story.put(job(trigger=EVERY_10_S, policies=policies))
    story.now_ms += 10_000
    story.plan_and_apply()  # nobody is there to take it
    ((run,),) = story.store.rows("SELECT id FROM runs")
    restore(story)
    story.connect()
    story.settle()
    assert story.run(run).state == "pending"
    settle(story)
    assert story.run(run).state == state
    entry = (10, 1, "missed", "restored") if state == "expired" else (10, 1, "ran", "")
    assert [found for found in story.ledger() if found[0] == 10] == [entry]


def test_a_run_of_a_job_that_the_backup_lacks_is_adopted_and_harms_nothing(story: Story) -> None:
    story.connect()
    restore(story)
    run = SPAN // 2
    tell(story, ran(run, run, job="unknown", ended=False, finished_ms=0, exit_code=None, reason=""))
    assert (story.run(run).state, story.run(run).job) == ("running", 0)
    settle(story)
    assert phase(story) == "done"
    agent = story.connect()
    story.disconnect(agent)
    since_ms = story.store.value("SELECT disconnected_ms FROM agents WHERE id = ?", (agent,))
    story.plan_and_apply(leases=frozenset({(run, since_ms)}))
    assert story.attempt(run).unreachable == 1
    story.connect(session="s2", held=((run, "running"),))
    assert story.finish(run, exit_code=1).ok
    assert (story.run(run).state, story.run(run).exit_code) == ("failed", 1)
    story.now_ms += 31 * 24 * 3_600_000
    story.settle()
    assert story.store.value("SELECT count(*) FROM runs") == 0


def test_retries_of_the_old_cluster_are_one_run_that_ends_as_the_last(story: Story) -> None:
    story.put(job())
    restore(story)
    run = SPAN // 2
    tell(story, ran(run, run, exit_code=1), ran(run + 1, run, number=2), last=False)
    tell(story, ran(run, run, exit_code=1), name="agent-1")
    assert story.run(run).state == "succeeded"
    assert [row.state for row in story.attempts(run)] == ["failed", "succeeded"]
    assert (story.job().active_runs, story.job().last_run) == (0, run)


def test_telling_twice_changes_nothing(story: Story) -> None:
    story.connect()
    story.put(job(trigger=EVERY_10_S))
    story.now_ms += 35_000
    restore(story)
    told = [
        ran(SPAN // 2, SPAN // 2, tick_ms=START_MS + 20_000),
        ran(SPAN // 2 + 1, SPAN // 2 + 1, ended=False, finished_ms=0, exit_code=None, reason=""),
    ]

    def rows() -> list[Any]:
        tables = ("runs", "tasks", "attempts", "jobs", "agents", "ledger", "awaited")
        return [story.store.rows(f"SELECT * FROM {table} ORDER BY 1") for table in tables]

    tell(story, *told)
    once = rows()
    tell(story, *told)
    assert rows() == once


def test_evidence_that_comes_too_late_is_shown_beside_what_was_decided(story: Story) -> None:
    story.put(job(trigger=EVERY_10_S))
    story.now_ms += 10_000
    story.plan_and_apply()
    ((run,),) = story.store.rows("SELECT id FROM runs")
    restore(story)
    settle(story)
    assert story.run(run).state == "expired"
    tell(story, ran(SPAN // 2, run, tick_ms=START_MS + 10_000))
    assert story.run(run).state == "expired"
    beside = story.run(story.attempt(SPAN // 2).run)
    assert (beside.cause, beside.state, beside.tick_ms) == ("orphan", "succeeded", START_MS + 10_000)
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_only_a_restored_cluster_adopts_and_only_of_the_time_before(story: Story) -> None:
    adopt = c.Adopt(0, "i", "a", "z", "p", (ran(1, 1),), True)
    assert story.one(adopt).code == "superseded"
    story.put(job())
    restore(story)
    assert story.one(msgspec.structs.replace(adopt, restore=2)).code == "superseded"
    tell(story, ran(story.machine.state.last_attempt + 1, 5), ran(5, story.machine.state.last_run + 1))
    assert story.runs() == []
    many = tuple(ran(n, n) for n in range(1, 102))
    assert story.one(msgspec.structs.replace(adopt, restore=1, attempts=many)).code == "limit"


def test_members_and_rounds_of_one_name_are_tasks_of_their_own(story: Story) -> None:
    story.connect()
    story.put(job())
    restore(story)
    run = story.machine.state.last_run - 5
    first = story.machine.state.last_attempt - 50
    told = [
        ran(first + place, run, member=member, round=round_, exit_code=place)
        for place, (member, round_) in enumerate((("a", 0), ("b", 0), ("a", 1), ("", 0)))
    ]
    for _ in range(2):
        tell(story, *told)
    rows = story.store.rows(
        "SELECT name, member, round, exit_code FROM tasks WHERE run = ? ORDER BY id", (run,)
    )
    assert rows == [("main", "a", 0, 0), ("main", "b", 0, 1), ("main", "a", 1, 2), ("main", "", 0, 3)]
    assert story.run(run).state == "failed"


TASKS: dict[str, Any] = {name: {"noop": True} for name in ("first", "a", "fix")}
GROUP: dict[str, Any] = {"load": {"tasks": ["a", "b"], "catch": ["fix"], "needs": ["first"]}}


@pytest.mark.parametrize(
    ("told", "ends"),
    [
        (("first", "a", "b"), "succeeded"),
        (("b", "a", "first"), "succeeded"),
        (("first", "fix", "a"), "succeeded"),
        (("a",), "expired"),
    ],
)
def test_agents_may_tell_of_what_is_in_a_group_that_the_backup_saw_waiting(
    story: Story, told: tuple[str, ...], ends: str
) -> None:
    tasks = {**TASKS, "b": {"noop": True, "needs": ["a"]}}
    story.put(job(tasks=tasks, groups=GROUP))
    run = story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")
    restore(story)
    for number, name in enumerate(told):
        tell(story, ran(900 + number, run, task=name), last=name == told[-1])
    settle(story)
    assert story.run(run).state == ends
    assert {name: story.tasks(run)[name] for name in told} == dict.fromkeys(told, "succeeded")


def test_what_catches_may_end_when_its_group_is_in_another_round(story: Story) -> None:
    tasks = {"fix": {"noop": True}, "a": {"noop": True}, "b": {"noop": True}}
    group = {"tasks": ["a", "b"], "catch": ["fix"], "repeat": {"until": "b.skipped", "max": 2}}
    story.put(job(tasks=tasks, groups={"load": group}, policies={"on_lost": "retry", "idempotent": True}))
    run = story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")
    restore(story)
    story.now_ms += HOLD_MS
    tell(story, *(ran(900 + at, run, task=name, ended=name != "fix") for at, name in enumerate(tasks)))
    story.connect()
    for _ in range(5):
        story.plan_and_apply()
        story.now_ms += 10_000
    assert story.store.value("SELECT round FROM rounds") == 1
    assert story.finish(900).ok
    story.settle(exit_code=1)
    assert story.run(run).state == "failed"
    assert story.store.value("SELECT state FROM tasks WHERE name = 'fix' AND round = 1") == "failed"


def test_what_waits_beside_what_an_agent_tells_of_goes_on_with_it(story: Story) -> None:
    for policies, ends in (({}, "expired"), ({"on_lost": "retry", "idempotent": True}, "succeeded")):
        name = f"j-{ends}"
        tasks = {"a": {"noop": True}, "b": {"noop": True}}
        story.put(job(name, tasks=tasks, policies={"overlap": "queue_all", **policies}, trigger=EVERY_10_S))
    story.connect()
    for name in ("j-expired", "j-succeeded"):
        story.value(c.RunJob("default", name, b"{}", story.now_ms), "run")
    story.now_ms += 10_000
    for _ in range(3):
        story.plan_and_apply()
    waiting = story.store.rows("SELECT id, name, tick_ms FROM runs WHERE waiting = 1 ORDER BY id")
    assert len(waiting) == 2
    story.now_ms += 1
    restore(story)
    story.connect()
    story.now_ms += 1
    told = [
        ran(900 + run, run, job=name, task="a", tick_ms=tick_ms, due_ms=tick_ms)
        for run, name, tick_ms in waiting
    ]
    tell(story, *told)
    settle(story)
    for run, name, _ in waiting:
        assert story.tasks(run) == {"a": "succeeded", "b": name.removeprefix("j-")}
        assert story.run(run).finished_ms


LOCKED = [
    {"noop": True, "locks": ["lock"]},
    {"noop": True, "policies": {"locks": ["lock"]}},
    {"tasks": {"main": {"noop": True}}, "groups": {"g": {"tasks": ["main"], "locks": ["lock"]}}},
]


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("fields", LOCKED, ids=["task", "run", "group"])
def test_what_was_only_assigned_holds_nothing_after_a_restore_unless_its_agent_ran_it(
    story: Story, fields: dict[str, Any], *, told: bool
) -> None:
    story.connect()
    assert story.apply({"resource": "lock"}, job(**fields), job("k", locks=["lock"])).ok
    run = story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")
    while story.plan_and_apply():
        pass
    assert story.store.rows("SELECT held FROM resource_uses") == [(1,)]
    restore(story)
    assert story.store.rows("SELECT * FROM lock_holds") == []
    assert story.store.rows("SELECT * FROM resource_uses") == []
    if told:
        tell(story, ran(1, run, ended=False))
        assert story.store.rows("SELECT held FROM resource_uses") == [(1,)]
    settle(story)
    other = story.value(c.RunJob("default", "k", b"{}", story.now_ms), "run")
    story.connect(session="s2", held=((1, "running"),) if told else ())
    story.plan_and_apply()
    assert story.tasks(other) == {"main": "queued" if told else "active"}
    story.settle()
    assert story.run(run).state == ("succeeded" if told else "expired")
    assert story.run(other).state == "succeeded"
    assert story.store.rows("SELECT * FROM lock_holds") == []
    assert story.machine.state.locks == 0
