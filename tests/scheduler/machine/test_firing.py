"""Every run has its cause: what makes one run, what is judged, and what the ledger holds of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from scheduler.machine.context import Context
from scheduler.machine.steps import firing
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.tables import ledger
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words.causes import LEDGERED, Cause, Kind, text
from scheduler.words.outcomes import Outcome
from tests.scheduler.story import START_MS, Story, job

EVENT = Cause(Kind.WEBHOOK, "deploys/delivery-1", 1)


@contextmanager
def applying(story: Story) -> Iterator[Context]:
    """The machine's own context, within a transaction."""
    ctx = story.machine._context
    story.store.begin()
    yield ctx
    story.store.commit()
    story.events = list(ctx.events)
    ctx.events.clear()


def fire(story: Story, cause: Cause = EVENT, **fields: Any) -> Outcome:
    with applying(story) as ctx:
        return firing.fire(ctx, cause, story.job(), due_ms=story.now_ms, **fields)


def entries(story: Story) -> list[ledger.Entry]:
    return [entry for entry, _ in ledger_reads.after(story.store, 0, limit=1_000)]


def test_an_event_makes_one_run_however_often_it_comes(story: Story) -> None:
    story.put(job())
    first = fire(story)
    assert first.value == {"run": 1}
    assert fire(story).value == {"run": 1, "repeated": True}
    assert fire(story, Cause(Kind.WEBHOOK, "deploys/delivery-2", 1)).value == {
        "outcome": "skipped", "reason": "overlap", "run": 1,
    }  # fmt: skip
    assert story.runs() == [("webhook", "pending")]


def test_the_same_key_of_another_job_or_kind_is_another_cause(story: Story) -> None:
    story.put(job("a", policies={"overlap": "allow"}), job("j", policies={"overlap": "allow"}))
    fire(story)
    fire(story, Cause(Kind.NOTICE, EVENT.key, 1))
    other = story.job("a")
    with applying(story) as ctx:
        firing.fire(ctx, EVENT, other, due_ms=story.now_ms)
    assert [cause for cause, _ in story.runs()] == ["webhook", "notice", "webhook"]


def test_an_event_ends_in_one_entry_of_the_ledger_that_outlives_its_run(story: Story) -> None:
    story.connect()
    story.put(job())
    run = fire(story).value["run"]  # type: ignore[index]
    assert entries(story) == []
    story.settle()
    (entry,) = entries(story)
    assert (entry.kind, entry.key, entry.trigger, entry.outcome, entry.run) == (*EVENT[:3], "ran", run)
    story.store.execute("DELETE FROM runs")
    assert fire(story).value == {"outcome": "ran", "reason": "", "run": run, "repeated": True}
    assert len(entries(story)) == 1


def test_an_event_that_was_skipped_is_not_made_later(story: Story) -> None:
    story.connect()
    story.put(job())
    story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))
    assert fire(story).value == {"outcome": "skipped", "reason": "overlap", "run": 1}
    story.settle()
    assert fire(story).value == {"outcome": "skipped", "reason": "overlap", "run": 1, "repeated": True}
    assert [(entry.kind, entry.key, entry.reason) for entry in entries(story)] == [
        ("webhook", EVENT.key, "overlap")
    ]


# A rerun says beside its cause what it does anew: tests/scheduler/machine/test_reruns.py.
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in {*LEDGERED, Kind.RERUN}])
def test_what_was_asked_for_is_always_made_and_is_no_entry(story: Story, kind: Kind) -> None:
    story.connect()
    story.put(job())
    keys = ("", "") if kind is Kind.MANUAL else ("1", "2")
    made = [fire(story, Cause(kind, key)).value for key in keys]
    assert made == [{"run": 1}, {"run": 2}]
    story.settle()
    assert story.runs() == [(kind, "succeeded")] * 2
    assert entries(story) == []


def test_a_run_keeps_the_revision_of_its_cause(story: Story) -> None:
    story.put(job())
    fire(story)
    story.put(job(labels={"new": "yes"}))
    assert (story.run(1).revision, story.job().revision) == (1, 2)


def test_the_ledger_tells_which_tick_in_one_text(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"cron": "* * * * * *"}, policies={"overlap": "allow"}))
    for second in (1, 2):
        story.now_ms = START_MS + second * 1_000
        story.settle()
    first_ms, last_ms = START_MS + 3_000, START_MS + 5_000
    story.tell_ok(c.Account(story.epoch, 1, first_ms, last_ms, 3, last_ms + 1_000, "missed", "window"))
    told = [(e.kind, text(e.key, e.trigger, e.first_ms, e.last_ms)) for e in entries(story)]
    assert told == [
        ("tick", "1@1800000001000"), ("tick", "1@1800000002000"), ("tick", "1@1800000003000..1800000005000"),
    ]  # fmt: skip
    assert text("", 0, None) == ""
    assert verify(story.store, START_MS, last_ms, now_ms=last_ms).ok
