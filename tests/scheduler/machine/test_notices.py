"""Notices on boards: each posting fires each trigger that waits for it, once, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from scheduler.machine import notices as machine
from scheduler.machine.rules import boards
from scheduler.machine.rules.hooked import HEARERS_MAX
from scheduler.model import parse_job, prepare
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.tables import hearers, notices
from scheduler.ticks import plan_days
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_restores import restore
from tests.scheduler.story import START_MS, Story, job

HOUR_MS = 3_600_000


def waits(name: str, key: str | None = None, board: str = "stock", **fields: Any) -> dict[str, Any]:
    asked = {"board": board} | ({} if key is None else {"key": key})
    trigger = {"notice": asked, "id": "t"} | {k: fields.pop(k) for k in ("overlap",) if k in fields}
    return job(name, trigger=trigger, **fields)


def post(story: Story, key: str = "k", lasts_ms: int = HOUR_MS, board: str = "stock", **fields: Any) -> int:
    command = c.PostNotice("default", board, key, lasts_ms, actor=c.Actor("ada"), **fields)
    return int(story.value(command, "serial"))


def fired(story: Story, name: str) -> list[str]:
    rows = story.store.rows(
        "SELECT cause_key FROM runs WHERE name = ? AND cause = 'notice' ORDER BY id", (name,)
    )
    return [row[0] for row in rows]


def entries(story: Story) -> list[tuple[str, str, str]]:
    found = [entry for entry, _ in ledger_reads.after(story.store, 0, limit=1_000)]
    return [(entry.key, entry.outcome, entry.reason) for entry in found if entry.kind == "notice"]


@pytest.fixture
def told(story: Story) -> Iterator[Story]:
    assert story.apply({"board": "stock"}, {"board": "other"}).ok
    story.connect()
    yield story
    check = verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms)
    assert check.ok, check.problems


def test_a_notice_makes_one_run_of_each_that_waits_for_its_key(told: Story) -> None:
    told.put(waits("any"), waits("mine", "k"), waits("else", "x"), waits("far", board="other"))
    assert post(told) == 1
    assert [event.notice for event in told.events if isinstance(event, e.NoticePosted)] == ["k"]
    told.settle()
    assert fired(told, "any") == fired(told, "mine") == ["t/stock/1"]
    assert fired(told, "else") == fired(told, "far") == []
    assert told.plan() == []
    post(told)
    told.settle()
    assert fired(told, "mine") == ["t/stock/1", "t/stock/2"]
    assert [outcome for _, outcome, _ in entries(told)] == ["ran"] * 4


def test_its_plan_date_is_the_runs_and_may_be_the_key(told: Story) -> None:
    told.put(waits("daily", "plan_date"), waits("fixed", "2027-03-01"))
    day = plan_days.parse("2027-03-01")
    post(told, "plan_date", plan_day=day)
    post(told, "2027-03-01")  # of another plan date
    told.settle()
    assert (fired(told, "daily"), fired(told, "fixed")) == (["t/stock/1"], ["t/stock/1", "t/stock/2"])
    assert told.run(1).plan_day == day
    notice = notices.get(told.store, 1)
    assert notice is not None
    assert notice.key == "2027-03-01"


def test_what_was_posted_before_the_trigger_was_there_is_not_heard(told: Story) -> None:
    post(told)
    told.put(waits("j"))
    told.settle()
    assert fired(told, "j") == []


def test_a_full_queue_keeps_them_in_their_order(told: Story) -> None:
    told.put(waits("j", overlap="queue_one"))
    for _ in range(4):
        post(told)
    told.plan_and_apply()
    assert fired(told, "j") == ["t/stock/1", "t/stock/2"]
    assert told.plan_and_apply() != []  # the two runs are placed
    told.settle()
    assert fired(told, "j") == [f"t/stock/{serial}" for serial in (1, 2, 3, 4)]
    assert [outcome for _, outcome, _ in entries(told)] == ["ran"] * 4


def test_a_pause_keeps_them_and_they_fire_after_it(told: Story) -> None:
    told.put(waits("j"))
    told.tell_ok(c.PauseJob("default", "j"))
    post(told)
    told.settle()
    assert fired(told, "j") == []
    told.tell_ok(c.ResumeJob("default", "j"))
    told.settle()
    assert fired(told, "j") == ["t/stock/1"]
    told.tell_ok(c.Pause("default", "a story", None))
    post(told)
    told.settle()
    assert fired(told, "j") == ["t/stock/1"]
    told.tell_ok(c.Resume("default"))
    told.now_ms += machine.LOOK_AGAIN_MS
    told.settle()
    assert fired(told, "j") == ["t/stock/1", "t/stock/2"]


def test_what_expires_before_it_is_heard_is_missed(told: Story) -> None:
    told.put(waits("j"))
    told.tell_ok(c.PauseJob("default", "j"))
    post(told, lasts_ms=5_000)
    told.settle()
    told.now_ms += 5_000
    told.settle()
    assert entries(told) == [("t/stock/1", "missed", "window")]


def test_one_that_is_taken_down_is_not_heard(told: Story) -> None:
    told.put(waits("j"))
    told.tell_ok(c.PauseJob("default", "j"))
    post(told)
    told.settle()
    told.tell_ok(c.DeleteNotice("default", "stock", 1, c.Actor("ada")))
    told.tell_ok(c.ResumeJob("default", "j"))
    told.settle()
    assert (fired(told, "j"), entries(told)) == ([], [])
    assert told.one(c.DeleteNotice("default", "stock", 1)).code == Code.NOT_FOUND
    assert post(told) == 2, "no serial comes twice"


def test_an_edit_goes_on_where_the_trigger_was(told: Story) -> None:
    told.put(waits("j", overlap="queue_one"))
    for _ in range(3):
        post(told)
    told.plan_and_apply()
    told.put(waits("j", "k", overlap="queue_one"))
    told.settle()
    assert fired(told, "j") == ["t/stock/1", "t/stock/2", "t/stock/3"]


def test_each_is_heard_once_whoever_leads(told: Story) -> None:
    told.put(waits("j"))
    post(told)
    seen = told.plan()
    told.tell_ok(*seen)
    told.lead()
    late = [each for each in seen if isinstance(each, c.FireNotices)]
    again = [c.FireNotices(told.epoch, each.trigger, each.board, each.through) for each in late]
    assert again
    assert {outcome.code for outcome in told.tell(*again)} == {Code.SUPERSEDED}
    told.settle()
    assert fired(told, "j") == ["t/stock/1"]


def test_bounds(told: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "STANDING_MAX", 2)
    post(told)
    post(told)
    assert told.one(c.PostNotice("default", "stock", "k", HOUR_MS)).code == Code.LIMIT
    assert told.one(c.PostNotice("default", "nowhere", "k", 1)).code == Code.NOT_FOUND
    for lasts_ms, day in ((0, None), (1 << 61, None), (1, 1 << 40)):
        assert told.one(c.PostNotice("default", "other", "k", lasts_ms, day)).code == Code.INVALID
    told.put(*(waits(f"j{number}") for number in range(HEARERS_MAX)))
    more = prepare(parse_job(waits("more")), told.now_ms)
    assert told.one(c.PutJobs((more,), told.now_ms)).code == Code.INVALID


def test_what_expired_and_was_heard_goes_but_the_newest(told: Story) -> None:
    told.put(waits("j", overlap="queue_one"))
    for _ in range(4):
        post(told, lasts_ms=1_000)
    told.settle()
    told.now_ms += 2_000
    assert told.value(c.Sweep(told.epoch, told.now_ms, 100), "notices") == 3
    assert post(told) == 5


def test_what_was_posted_before_a_restore_is_missed(story: Story) -> None:
    assert story.apply({"board": "stock"}).ok
    story.put(waits("j"))
    post(story)
    restore(story)
    story.connect()
    story.now_ms += 120_000
    for _ in range(5):
        story.settle()
    assert entries(story) == [("t/stock/1", "missed", "restored")]
    post(story)
    story.settle()
    assert len(fired(story, "j")) == 1


@pytest.mark.parametrize("statement", ["DELETE FROM ledger WHERE kind = 'notice'"])
def test_verify_sees_what_did_not_come_of_it(story: Story, statement: str) -> None:
    assert story.apply({"board": "stock"}).ok
    story.connect()
    story.put(waits("j"))
    post(story)
    story.settle()
    story.store.execute(statement)
    check = verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms)
    assert "missing" in {each.kind for each in check.problems}
    assert hearers.next_ms(story.store) is None


def serials(story: Story) -> list[tuple[int, int]]:
    return list(story.store.rows("SELECT serial, deleted FROM notices ORDER BY serial"))


def test_what_is_taken_down_goes_and_no_serial_comes_twice(told: Story) -> None:
    for _ in range(3):
        post(told)
    told.tell_ok(c.DeleteNotice("default", "stock", 2), c.DeleteNotice("default", "stock", 3))
    assert serials(told) == [(1, 0), (3, 1)], "the newest stays, unseen"
    assert notices.newest(told.store, "default/stock", None, 10)[0].serial == 1
    assert post(told, board="other") == 4
    assert serials(told) == [(1, 0), (4, 0)]


def test_a_board_that_is_made_again_shows_none_of_the_notices_before(told: Story) -> None:
    told.put(waits("any"))
    post(told)
    post(told, board="other")
    post(told)
    told.settle()
    told.tell_ok(c.DeleteJob("default", "any"))
    assert told.apply(gone=[("board", "default", "stock")]).ok
    assert told.apply({"board": "stock"}).ok
    told.put(waits("later"))
    assert notices.newest(told.store, "default/stock", None, 10) == []
    told.settle()
    assert (fired(told, "any"), fired(told, "later")) == (["t/stock/1", "t/stock/3"], [])
    assert post(told) == 4
    told.settle()
    assert fired(told, "later") == ["t/stock/4"]
