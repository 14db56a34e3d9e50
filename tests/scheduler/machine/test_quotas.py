"""Quotas of runs: a namespace never has more active ones than it may, and nobody waits for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scheduler.explain.runs import of_run
from scheduler.machine.rules import gates
from scheduler.machine.rules.gates import READY, AdmitView, quota
from scheduler.plan.planner import wake_ms
from scheduler.store.tables import namespaces, quotas
from scheduler.words import commands as c
from scheduler.words.lifecycle import RUN_ENDS
from tests.scheduler.story import START_MS, Story, job

MINUTE_MS = 60_000


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    story.connect()
    return story


def limit(story: Story, active: int | None = None, starts: int | None = None, name: str = "finance") -> None:
    story.tell_ok(c.PutNamespace(name, b'{"n":%d}' % story.seq, active_max=active, starts_max=starts))


def put(story: Story, *names: str, **fields: object) -> None:
    story.put(*(job(name, **{"namespace": "finance", **fields}) for name in names))


def run(story: Story, name: str = "j") -> int:
    found: int = story.value(c.RunJob("finance", name, b"{}", story.now_ms), "run")
    return found


def states(story: Story) -> list[tuple[int, int]]:
    """(run, waiting) of those that have not ended."""
    return story.store.rows("SELECT id, waiting FROM runs WHERE finished_ms IS NULL ORDER BY id")


def consistent(story: Story) -> None:
    counted = story.store.rows(
        "SELECT namespace, count(*) FROM runs WHERE counts = 1 GROUP BY 1 ORDER BY 1"
    )
    limited = {name for (name,) in story.store.rows("SELECT name FROM namespaces WHERE active_max > 0")}
    active = story.store.rows(
        "SELECT namespace, counts FROM runs WHERE finished_ms IS NULL AND waiting = 0 ORDER BY id"
    )
    assert all(counts for namespace, counts in active if namespace in limited)
    assert story.store.rows("SELECT namespace, active FROM counts WHERE active > 0 ORDER BY 1") == counted
    wait = story.store.rows("SELECT run FROM quota_waits ORDER BY run")
    waiting = story.store.rows("SELECT id FROM runs WHERE waiting = 2 ORDER BY id")
    assert set(waiting) <= set(wait), "who waits has a place"


def test_one_above_the_quota_waits_and_goes_on_in_order(story: Story) -> None:
    put(story, "j", "k")
    limit(story, active=2)
    first, second, third, fourth = run(story), run(story, "k"), run(story), run(story)

    assert states(story) == [(first, 0), (second, 0), (third, 2), (fourth, 2)]
    story.tell_ok(c.CancelRun(second))
    assert states(story) == [(first, 0), (third, 2), (fourth, 2)]
    assert story.plan_and_apply()
    assert states(story) == [(first, 0), (third, 0), (fourth, 2)]
    consistent(story)
    story.settle()
    assert states(story) == []
    assert {story.run(each).state for each in (first, third, fourth)} == {"succeeded"}
    consistent(story)


def test_other_namespaces_and_runs_that_were_there_are_not_held_back(story: Story) -> None:
    put(story, "j")
    story.put(job("j"))
    first = run(story)
    limit(story, active=1)
    second = run(story)
    other = story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")

    assert states(story) == [(first, 0), (second, 2), (other, 0)]


def test_a_higher_quota_none_and_no_declaration_let_go_on(story: Story) -> None:
    put(story, "j")
    limit(story, active=1)
    runs = [run(story) for _ in range(6)]
    limit(story, active=3)
    story.plan_and_apply()
    assert [waiting for _, waiting in states(story)] == [0, 0, 0, 2, 2, 2]
    limit(story)
    story.plan_and_apply()
    assert states(story) == [(each, 0) for each in runs]
    assert quotas.first(story.store, "finance") is None


def test_who_comes_later_does_not_pass_those_that_wait(story: Story) -> None:
    put(story, "j")
    limit(story, active=1)
    first, second = run(story), run(story)
    story.tell_ok(c.CancelRun(first))
    third = run(story)  # before the planner has seen that there is room

    story.plan_and_apply()
    assert states(story) == [(second, 0), (third, 2)]


def test_a_more_important_run_goes_first_and_waiting_ages(story: Story) -> None:
    put(story, "low", policies={"priority": 10})
    put(story, "high", policies={"priority": 90})
    limit(story, active=1)
    first, low = run(story, "low"), run(story, "low")
    story.now_ms += 2_399_000  # a priority point is worth 30 seconds
    high = run(story, "high")
    story.tell_ok(c.CancelRun(first))
    story.plan_and_apply()
    assert states(story) == [(low, 2), (high, 0)]
    story.now_ms += 2_000
    later = run(story, "high")
    story.tell_ok(c.CancelRun(high))
    story.plan_and_apply()
    assert states(story) == [(low, 0), (later, 2)]


def test_no_more_begin_within_any_minute_than_may(story: Story) -> None:
    put(story, "j")
    limit(story, starts=2)
    began = story.now_ms
    first = run(story)
    story.settle()
    story.now_ms += 50_000
    second, third = run(story), run(story)
    story.settle()
    assert states(story) == [(third, 2)]
    assert wake_ms(story.store) == began + MINUTE_MS, "time opens it: the planner knows when"
    story.now_ms = began + MINUTE_MS - 1
    assert story.plan() == []
    story.now_ms = began + MINUTE_MS
    fourth = run(story)
    story.settle()
    assert story.run(third).state == "succeeded"
    assert states(story) == [(fourth, 2)]
    assert wake_ms(story.store) == began + 50_000 + MINUTE_MS
    assert (first, second) == (1, 2)
    assert story.store.value("SELECT count(*) FROM quota_starts") == 2, "no more are kept than are asked for"


def test_what_waits_for_an_agent_is_about_to_begin_however_long(story: Story) -> None:
    """Counted when they went on, two would begin together with two of the next minute."""
    put(story, "j", on={"pool": "away"})
    put(story, "k")
    limit(story, starts=2)
    one, two, three = run(story), run(story), run(story, "k")
    story.now_ms += 5 * MINUTE_MS
    story.plan_and_apply()
    assert (three, 2) in states(story)
    found = of_run(story.store, story.run(three), story.now_ms, story.compiled)[-1]
    assert found.reason == "2 runs of namespace finance began within a minute or are about to, its quota"
    assert found.opens.startswith("the start of one of these and a minute, or its end")
    assert wake_ms(story.store) is None, "no time opens it"

    story.tell_ok(c.CancelRun(one))
    story.settle()
    assert story.run(three).state == "succeeded", "who ends without a start gives it back"
    story.connect("late", pool="away")
    story.settle()
    story.now_ms += MINUTE_MS - 1
    fourth = run(story, "k")
    assert (story.run(two).state, (fourth, 2) in states(story)) == ("succeeded", True)
    limit(story)
    assert story.store.rows("SELECT run FROM quota_starts") == []
    assert namespaces.starts(story.store, "finance") == 0


def test_overlap_is_judged_first_and_a_run_behind_others_does_not_count(story: Story) -> None:
    put(story, "j", trigger={"cron": "* * * * * *"}, policies={"overlap": "queue_one"})
    put(story, "k")
    limit(story, active=1)
    other = run(story, "k")
    story.now_ms += 3_000
    story.plan_and_apply()
    first, behind = (each for each, _ in states(story)[1:])

    assert states(story) == [(other, 0), (first, 2), (behind, 1)]
    story.tell_ok(c.CancelRun(other))
    story.plan_and_apply()
    assert states(story)[0] == (first, 0)
    story.tell_ok(c.CancelRun(first))
    assert states(story)[0] == (behind, 0), "there is room, and nobody waits"
    consistent(story)


def test_a_run_that_waited_behind_its_own_job_may_then_wait_for_its_namespace(story: Story) -> None:
    put(story, "j", trigger={"cron": "* * * * * *"}, policies={"overlap": "queue_one"})
    put(story, "k")
    limit(story, active=1)
    story.now_ms += 2_000
    story.plan_and_apply()
    (first, _), (behind, _) = states(story)
    other = run(story, "k")
    story.tell_ok(c.CancelRun(first))
    assert states(story)[:2] == [(behind, 2), (other, 2)]
    story.tell_ok(c.PauseJob("finance", "j"))
    for _ in range(3):
        story.settle()
    assert states(story) == []
    consistent(story)


def test_cancelled_expired_and_deleted_ones_wait_no_more(story: Story) -> None:
    put(story, "j")
    put(story, "late", policies={"start_deadline": "10s"})
    limit(story, active=1)
    first, cancelled, expires, last = run(story), run(story), run(story, "late"), run(story)
    story.tell_ok(c.CancelRun(cancelled))
    assert story.run(cancelled).state == "cancelled"
    story.now_ms += 10_000
    story.plan_and_apply()
    assert story.run(expires).state == "expired"
    story.tell_ok(c.DeleteJob("finance", "j"))
    assert story.run(last).state == "cancelled"
    story.settle()
    assert states(story) == []
    assert story.run(first).state == "cancelled"
    assert story.store.rows("SELECT * FROM quota_waits") == []
    assert namespaces.active(story.store, "finance") == 0


def test_a_paused_namespace_lets_none_go_on_and_wakes_nobody(story: Story) -> None:
    put(story, "j")
    limit(story, starts=1)
    run(story)
    story.settle()
    waits = run(story)
    story.tell_ok(c.Pause("finance", "audit"))
    story.now_ms += 2 * MINUTE_MS
    assert story.plan() == []
    assert wake_ms(story.store) is None
    story.tell_ok(c.Resume("finance"))
    story.plan_and_apply()
    assert (waits, 0) in states(story)


def test_it_is_said_what_a_run_waits_for(story: Story) -> None:
    put(story, "j")
    limit(story, active=1)
    run(story)
    second, third = run(story), run(story)

    def said(of: int) -> tuple[str, str, str, int | None]:
        found = of_run(story.store, story.run(of), story.now_ms, story.compiled)[-1]
        return found.gate, found.reason, found.opens, found.opens_ms

    assert said(second) == (
        "quota", "namespace finance has 1 active run; its quota is 1",
        "the end of a run of namespace finance, or a higher quota", None,
    )  # fmt: skip
    assert said(third)[1].endswith("its quota is 1, and 1 run waits before it; it has priority 50")
    limit(story, starts=1)
    assert said(second) == ("quota", "", "", None), "it goes on with the next plan"
    assert said(third)[1:3] == (
        "namespace finance lets runs go on one after the other, and 1 run waits before it"
        "; it has priority 50",
        "its turn, in a moment",
    )
    story.plan_and_apply()
    reason, opens, opens_ms = said(third)[1:]
    assert reason == "1 run of namespace finance began within a minute or is about to, its quota"
    story.settle()
    reason, opens, opens_ms = said(third)[1:]
    assert opens == "time, a minute after the oldest of those starts"
    assert opens_ms == START_MS + MINUTE_MS


def test_the_gate_alone(story: Story) -> None:
    view = AdmitView(story.store, "finance", story.now_ms)
    assert gates.judge(gates.ADMIT, view) is READY
    put(story, "j")
    limit(story, active=1)
    assert gates.judge(gates.ADMIT, view) is READY
    run(story)
    assert gates.judge(gates.ADMIT, view) == quota.ACTIVE
    run(story)
    assert gates.judge(gates.ADMIT, view) == quota.BEHIND
    assert gates.judge(gates.ADMIT, view._replace(in_turn=True)) == quota.ACTIVE


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.sampled_from("jkl")),
        st.tuples(st.just("cancel"), st.integers(0, 8)),
        st.tuples(st.just("quota"), st.sampled_from([(1, None), (2, None), (None, 3), (3, 4), (None, None)])),
        st.tuples(st.just("wait"), st.sampled_from([500, 7_000, 31_000])),
        st.tuples(st.just("plan"), st.just(0)),
        st.tuples(st.just("finish"), st.just(0)),
        st.tuples(st.just("delete"), st.sampled_from("jk")),
    ),
    max_size=30,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
@example(steps=[("run", "j"), ("run", "j"), ("quota", (1, None))])
@example(steps=[("run", "j")] * 4 + [("quota", (None, 3)), ("finish", 0)])
def test_never_more_than_the_quota_and_nobody_starves(
    steps: list[tuple[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    story = Story(tmp_path_factory.mktemp("quotas") / "state.db")
    story.lead()
    story.connect(slots=3)
    trigger = {"cron": "*/5 * * * * *"}
    put(story, "j", "k")
    put(story, "l", trigger=trigger, policies={"overlap": "queue_all", "catchup": {"mode": "all"}})
    active: int | None = None
    starts: int | None = None
    before = 0  #: the last run that was there when starts were limited like this: it goes on
    for what, value in steps:
        going_on = sum(not waiting for _, waiting in states(story))  # these stay, whatever quota comes
        if what == "run" and story.store.value("SELECT 1 FROM jobs WHERE name = ?", (value,)):
            run(story, value)
        elif what == "cancel":
            found = states(story)
            if found:
                story.tell(c.CancelRun(found[value % len(found)][0]))
        elif what == "quota":
            last: int = story.store.value("SELECT last_run FROM state WHERE id = 1")
            before = before if starts == value[1] else last
            active, starts = value
            limit(story, active, starts)
        elif what == "wait":
            story.now_ms += value
        elif what == "plan":
            story.plan_and_apply()
        elif what == "finish":
            story.settle()
        elif what == "delete":
            story.tell(c.DeleteJob("finance", value))
        consistent(story)
        now = namespaces.active(story.store, "finance")
        assert active is None or now <= max(active, going_on), "none goes on beyond the quota"
        if starts is not None:
            began = story.store.rows(
                "SELECT started_ms FROM runs WHERE started_ms IS NOT NULL AND id > ? ORDER BY 1",
                (before,),
            )
            spans = zip(began, began[starts:], strict=False)
            assert all(later - at >= MINUTE_MS for (at,), (later,) in spans)
    story.tell(c.PauseJob("finance", "l"))
    for _ in range(200):
        story.settle()
        story.now_ms += MINUTE_MS
        if not states(story):
            break
    assert states(story) == [], "each one that waited went on and ended"
    assert story.store.value("SELECT count(*) FROM counts WHERE active <> 0") == 0
    assert {row[0] for row in story.store.rows("SELECT DISTINCT state FROM runs")} <= RUN_ENDS
    story.close()
