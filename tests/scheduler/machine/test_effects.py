"""The outbox: written with its cause, reported once, bounded, and what a restore makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scheduler.machine.renewal import MAY_BE_SENT, Renewal, renew
from scheduler.machine.rules import sending
from scheduler.store.connection import Store
from scheduler.store.reads import outbox as outbox_reads
from scheduler.store.tables import outbox
from scheduler.store.tables.outbox import OPEN
from scheduler.store.tables.restores import SPAN
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.story import Story, job

URL = "https://hooks.example.org/a"
BOTH = {"on": ["failed", "recovered"], "webhook": URL}


def rows(story: Story) -> list[outbox.Effect]:
    return outbox_reads.page(story.store, after=0, limit=100_000, states=OPEN, namespaces=None)


def run(story: Story, exit_code: int, name: str = "j") -> int:
    number = int(story.value(c.RunJob("default", name, b"{}", story.now_ms), "run"))
    story.settle(exit_code=exit_code)
    return number


def waits(story: Story) -> int:
    """As the state counts them; held against the rows."""
    counted = story.machine.state.outbox_waiting
    assert counted == sum(row.state == outbox.WAITING for row in rows(story))
    return counted


@pytest.fixture
def told(story: Story) -> Story:
    """A cluster with an agent and a job that tells of its failures and of the end of them."""
    story.connect()
    story.put(job("j", notify=[BOTH], owner="data-oncall"))
    return story


def test_the_end_of_a_run_writes_what_is_to_be_sent_in_its_own_entry(told: Story) -> None:
    number = run(told, exit_code=3)

    (row,) = rows(told)
    facts = json.loads(row.payload)
    kinds = [type(event) for event in told.events]
    assert kinds.index(e.EffectQueued) == kinds.index(e.RunEnded) + 1
    assert (row.kind, row.target, row.about) == ("webhook", URL, "failed")
    assert (row.run, row.state) == (number, "waiting")
    assert (facts["state"], facts["exit_code"], facts["job"], facts["revision"]) == ("failed", 3, "j", 1)
    assert facts["owner"] == "data-oncall"
    assert facts["criticality"] == "normal"
    assert facts["finished_ms"] == row.created_ms == row.next_ms == told.now_ms
    assert waits(told) == 1


def test_each_failure_is_told_and_the_first_success_after_them(told: Story) -> None:
    for exit_code in (0, 1, 1, 0, 0, 1):
        run(told, exit_code)

    assert [row.about for row in rows(told)] == ["failed", "failed", "recovered", "failed"]


def test_a_job_that_was_paused_for_its_failures_recovers_with_its_next_success(told: Story) -> None:
    told.put(job("j", notify=[BOTH], policies={"pause_after_failures": 1}))
    run(told, exit_code=1)
    told.tell_ok(c.ResumeJob("default", "j"))
    run(told, exit_code=0)

    assert [row.about for row in rows(told)] == ["failed", "recovered"]


@pytest.mark.parametrize(("on", "expected"), [("failed", ["failed"]), ("recovered", ["recovered"])])
def test_a_notice_is_about_what_it_says(told: Story, on: str, expected: list[str]) -> None:
    told.put(job("j", notify=[{"on": [on], "webhook": URL}]))
    run(told, exit_code=1)
    run(told, exit_code=0)

    assert [row.about for row in rows(told)] == expected


def test_a_run_tells_whom_its_own_revision_names(told: Story) -> None:
    number = int(told.value(c.RunJob("default", "j", b"{}", told.now_ms), "run"))
    told.put(job("j", notify=[]))
    told.settle(exit_code=1)

    assert [(row.run, row.target) for row in rows(told)] == [(number, URL)]


def test_a_job_that_is_gone_still_tells_of_the_failure_of_what_ran(told: Story) -> None:
    told.value(c.RunJob("default", "j", b"{}", told.now_ms), "run")
    told.plan_and_apply()
    attempt = told.machine.state.last_attempt
    assert told.claim(attempt).ok
    told.tell_ok(c.DeleteJob("default", "j"))
    assert told.finish(attempt, exit_code=1).ok

    assert [row.about for row in rows(told)] == ["failed"]


def test_ticks_that_were_skipped_are_told_with_the_run_in_the_way(told: Story) -> None:
    told.put(job("j", trigger={"every": "10s"}, notify=[{"on": ["skipped", "missed"], "webhook": URL}]))
    told.now_ms += 10_000
    told.plan_and_apply()  # it runs on
    running = told.machine.state.last_run
    told.now_ms += 10_000
    told.plan_and_apply()

    (row,) = rows(told)
    facts = json.loads(row.payload)
    assert (row.about, row.run, facts["reason"], facts["count"]) == ("skipped", running, "overlap", 1)
    assert (facts["of"], facts["tick_ms"], facts["decided_ms"]) == ("tick", told.now_ms, told.now_ms)


def test_ticks_that_were_missed_together_are_told_together(told: Story) -> None:
    policies = {"catchup": {"mode": "none", "grace": "1s"}}
    notice = {"on": ["missed"], "webhook": URL}
    told.put(job("j", trigger={"every": "10s"}, policies=policies, notify=[notice]))
    told.now_ms += 101_500
    told.settle()

    facts = [json.loads(row.payload) for row in rows(told)]
    entries = [entry for entry in told.ledger() if entry[2] == "missed"]
    assert [(fact["count"], fact["reason"]) for fact in facts] == [(entry[1], entry[3]) for entry in entries]
    assert sum(fact["count"] for fact in facts) == 10
    assert {row.run for row in rows(told)} == {0}


def test_a_tick_tells_whom_the_job_names_now(told: Story) -> None:
    trigger, notice = {"every": "10s"}, {"on": ["skipped"], "webhook": URL}
    told.put(job("j", trigger=trigger, notify=[notice]))
    told.now_ms += 10_000
    told.plan_and_apply()
    told.put(job("j", trigger=trigger, notify=[{**notice, "webhook": f"{URL}/new"}]))
    told.now_ms += 10_000
    told.plan_and_apply()

    assert [row.target for row in rows(told)] == [f"{URL}/new"]


def test_what_was_sent_is_told_once_whoever_leads_and_however_often_it_is_said(told: Story) -> None:
    run(told, exit_code=1)
    told.lead()  # the report is of the leadership before

    assert told.one(c.ReportSent(1)).ok
    assert [event.effect for event in told.told(e.EffectSent)] == [1]
    assert told.one(c.ReportSent(1)).code == Code.SUPERSEDED
    assert told.events == []
    assert waits(told) == 0


def test_what_failed_waits_longer_each_time_and_no_shorter_than_the_receiver_asks(told: Story) -> None:
    run(told, exit_code=1)
    pauses = []
    for attempt in range(1, 15):
        told.tell_ok(c.ReportUnsent(1, attempt, "refused"))
        pauses.append(rows(told)[0].next_ms - told.now_ms)
    told.tell_ok(c.ReportUnsent(1, 15, "busy", False, 3_000_000))

    steps = [min(sending.LONGEST_MS, sending.FIRST_MS << n) for n in range(14)]
    assert all(step <= pause <= step * 5 // 4 for step, pause in zip(steps, pauses, strict=True))
    assert rows(told)[0].next_ms - told.now_ms == 3_000_000
    assert (rows(told)[0].attempts, rows(told)[0].reason, waits(told)) == (15, "busy", 1)


def test_what_failed_together_does_not_come_back_together() -> None:
    pauses = {sending.backoff_ms(effect, 5) for effect in range(1, 101)}

    assert len(pauses) > 90
    assert max(pauses) - min(pauses) > 6_000


def test_a_late_word_of_an_earlier_try_changes_nothing(told: Story) -> None:
    run(told, exit_code=1)
    told.tell_ok(c.ReportUnsent(1, 1, "first"))
    before = rows(told)

    assert told.one(c.ReportUnsent(1, 1, "again")).code == Code.SUPERSEDED
    assert told.one(c.ReportUnsent(1, 3, "ahead")).code == Code.SUPERSEDED
    assert rows(told) == before


def test_it_is_given_up_at_once_when_no_try_can_succeed_and_after_a_day(told: Story) -> None:
    run(told, exit_code=1)
    run(told, exit_code=1)
    told.tell_ok(c.ReportUnsent(1, 1, "gone", True))
    assert [(event.effect, event.reason) for event in told.told(e.EffectGivenUp)] == [(1, "gone")]
    told.now_ms += sending.LIVES_MS - sending.FIRST_MS
    assert told.value(c.ReportUnsent(2, 1, "refused"), "given_up")

    assert [(row.state, row.reason) for row in rows(told)] == [("given_up", "gone"), ("given_up", "refused")]
    assert told.one(c.ReportUnsent(1, 2, "more")).code == Code.SUPERSEDED
    assert waits(told) == 0


def test_a_person_has_it_sent_again_and_it_has_a_day_again(told: Story) -> None:
    run(told, exit_code=1)
    told.tell_ok(c.ReportUnsent(1, 1, "gone", True))
    told.now_ms += 3_600_000
    told.tell_ok(c.ResendEffect(1, c.Actor("ann")))

    (row,) = rows(told)
    assert [event.effect for event in told.told(e.EffectQueued)] == [1]
    assert (row.state, row.next_ms, row.until_ms) == ("waiting", told.now_ms, told.now_ms + sending.LIVES_MS)
    assert waits(told) == 1
    assert told.one(c.ReportUnsent(1, 1, "late word of the try before")).code == Code.SUPERSEDED
    told.tell_ok(c.ResendEffect(1))
    assert waits(told) == 1


@pytest.mark.parametrize("is_given_up", [False, True])
def test_a_person_drops_it(told: Story, is_given_up: bool) -> None:
    run(told, exit_code=1)
    if is_given_up:
        told.tell_ok(c.ReportUnsent(1, 1, "gone", True))
    told.tell_ok(c.DropEffect(1, c.Actor("ann")))

    assert [(event.effect, event.actor) for event in told.told(e.EffectDropped)] == [(1, "ann")]
    assert rows(told) == []
    assert waits(told) == 0
    assert told.one(c.DropEffect(1)).code == told.one(c.ResendEffect(1)).code == Code.NOT_FOUND


def test_one_dead_receiver_fills_its_own_share_alone(told: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "WAITING_FOR_ONE_MAX", 2)
    monkeypatch.setattr(sending, "WAITING_MAX", 4)
    others = [{"on": ["failed"], "webhook": f"https://hooks.example.org/{n}"} for n in range(3)]
    told.put(job("other", notify=others))
    for _ in range(3):
        run(told, exit_code=1)
    assert [row.state for row in rows(told)] == ["waiting", "waiting", "given_up"]
    assert "wait to be sent there" in rows(told)[-1].reason
    run(told, 1, "other")

    assert [row.state for row in rows(told)[3:]] == ["waiting", "waiting", "given_up"]
    assert rows(told)[-1].reason == "the outbox is full: 4 wait to be sent"
    assert told.one(c.ResendEffect(3)).code == Code.LIMIT
    assert waits(told) == 4


def test_of_those_that_were_given_up_the_newest_are_kept_and_for_a_week(
    told: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "GIVEN_UP_MAX", 3)
    for number in range(1, 6):
        run(told, exit_code=1)
        told.tell_ok(c.ReportUnsent(number, 1, "gone", True))
        told.now_ms += 1_000
    assert [row.id for row in rows(told)] == [3, 4, 5]
    told.now_ms += sending.KEPT_MS - 1_500
    sweep = next(command for command in told.plan() if isinstance(command, c.Sweep))
    told.tell_ok(sweep)

    assert [row.id for row in rows(told)] == [5]


@pytest.mark.parametrize(
    ("kind", "catchup", "sent"),
    [("restore", False, False), ("restore", True, True), ("recover", False, True)],
)
def test_after_a_restore_what_may_have_been_sent_since_waits_for_a_person(
    told: Story, tmp_path: Path, kind: str, catchup: bool, sent: bool
) -> None:
    run(told, exit_code=1)
    run(told, exit_code=1)
    told.close()
    store = Store.open_alone(told.path)
    renew(store, Renewal(kind, "new", 1, 0, catchup, b""))
    store.close()
    told.cluster = "new"
    told.open()
    told.lead()

    assert [row.state for row in rows(told)] == [outbox.WAITING if sent else outbox.GIVEN_UP] * 2
    assert {row.reason for row in rows(told)} == {"" if sent else MAY_BE_SENT}
    assert waits(told) == (2 if sent else 0)
    assert told.machine.state.last_effect == 2 + SPAN, "the old cluster may have used the ids after these"


def test_a_notice_may_be_for_critical_jobs_alone(story: Story) -> None:
    story.connect()
    pager = {**BOTH, "criticality": ["major", "critical"]}
    story.put(job("j", notify=[pager]), job("k", notify=[pager], criticality="critical"))
    for name in ("j", "k"):
        run(story, exit_code=3, name=name)
    (row,) = rows(story)
    facts = json.loads(row.payload)
    assert (facts["job"], facts["criticality"]) == ("k", "critical")


def told_of(story: Story) -> list[tuple[str, dict[str, Any]]]:
    return [(row.about, json.loads(row.payload)) for row in rows(story)]


def test_output_is_told_with_its_end_and_silence_is_not(story: Story) -> None:
    story.connect()
    story.put(job("j", notify=[{"on": ["output"], "email": ["a@example.org", "b@example.org"]}]))
    story.tell(c.RunJob("default", "j", b"{}", story.now_ms))
    story.settle(exit_code=0)
    assert rows(story) == []

    story.tell(c.RunJob("default", "j", b"{}", story.now_ms))
    story.plan_and_apply()
    attempt = int(story.store.value("SELECT max(id) FROM attempts"))
    story.tell_ok(c.Grant(attempt, 1, story.store.value("SELECT session FROM agents"), "claim"))
    text = b"x" * 9_000 + b"the end\n"
    story.tell_ok(
        c.Finish(attempt, 1, story.now_ms, story.now_ms, 0, "exit", tail=text, output_bytes=20_000)
    )

    assert [row.target for row in rows(story)] == ["a@example.org", "b@example.org"]
    ((about, facts), _) = told_of(story)
    (output,) = facts["output"]
    assert about == "output"
    assert (output["task"], output["bytes"], len(output["end"])) == ("main", 20_000, 2_048)
    assert output["end"].endswith("the end\n")


def test_a_run_that_waits_is_told_once_with_what_it_waits_for(story: Story) -> None:
    story.connect()
    notify = [{"on": ["waiting"], "webhook": URL}]
    story.put(job("j", notify=notify, policies={"admission": {"windows": ["Mon 00:00-00:01"]}}))
    story.tell(c.RunJob("default", "j", b"{}", story.now_ms))

    ((about, facts),) = told_of(story)
    assert (about, facts["reason"]) == ("waiting", "its job lets runs start at other times")


def test_who_holds_a_run_or_a_task_is_told(story: Story) -> None:
    story.connect()
    notify = [{"on": ["held"], "webhook": URL}]
    story.put(job("j", notify=notify, policies={"on_failure": "hold"}))
    first = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run"))
    story.tell_ok(c.SuspendRun(first, "wait for the dump", c.Actor("ann")))
    story.tell_ok(c.ResumeRun(first, "", c.Actor("ann")))
    story.settle(exit_code=1)

    (whole, task) = [facts for _, facts in told_of(story)]
    assert (whole["run"], whole["task"], whole["actor"]) == (first, None, "ann")
    assert whole["reason"] == "wait for the dump"
    assert (task["task"], task["actor"]) == ("main", None)
