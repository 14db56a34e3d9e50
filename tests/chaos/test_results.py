"""What the product tells of runs is held against payloads and events: each bug planted here is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chaos.checkers import results
from chaos.days import BROUGHT_MS, TURNED, text_of
from tests.chaos.stories import ZERO_MS, Story, clean, instant

Plant = Callable[[Story], Any]


def plant(*, kind: str, because: str, bug: Plant) -> Any:
    return pytest.param(kind, bug, id=f"{kind}-{because}".replace(" ", "-"))


def a_spooler_starts_a_manual_run_twice(story: Story) -> None:
    story.again(story.start(900), at_s=103.15)


def a_manual_run_is_tried_again(story: Story) -> None:
    attempts = story.run(900)["tasks"]["main"]["attempts"]
    attempts.append({**attempts[0], "id": 77, "number": 2, "fence": 20_000})
    attempts[0]["state"] = "lost"
    story.again(story.start(900), attempt="2", fence=20_000, at_s=104.0)


def a_success_is_tried_again(story: Story) -> None:
    attempts = story.run(5)["tasks"]["main"]["attempts"]
    attempts.append({**attempts[0], "id": 77, "number": 2, "fence": 20_000})


def a_stale_fence_is_granted(story: Story) -> None:
    attempts = story.run(5)["tasks"]["main"]["attempts"]
    attempts.append({**attempts[0], "id": 77, "number": 2, "fence": 9_000})
    attempts[0]["state"] = "lost"


def succeeded_without_its_end(story: Story) -> None:
    story.marks.remove(next(m for m in story.marks if m.run == 5 and m.what == "E"))


def a_manual_run_never_starts(story: Story) -> None:
    story.forget(900)


def a_run_vanishes(story: Story) -> None:
    story.forget(5)
    story.tick(5).update(outcome="skipped", reason="overlap", run=None)
    story.final["runs"].remove(story.run(5))


def two_runs_of_a_tick_one_cancelled(story: Story) -> None:
    twin = {**story.run(5), "id": 77, "state": "cancelled", "tasks": {}}
    story.final["runs"].append(twin)


def an_agent_starts_what_was_called_lost(story: Story) -> None:
    for events in story.events.values():
        for event in events:
            if event["event"] == "attempt_ended" and event["run"] == 5:
                event["t"] = 104.98


def accepted_and_started_late(story: Story) -> None:
    for mark in [m for m in story.marks if m.run == 900]:
        story.marks.remove(mark)
        story.again(mark, at_s=mark.at_s + 4)


def an_expired_run_under_no_deadline(story: Story) -> None:
    story.ended(5, "expired")
    story.forget(5)


def _told_exit(story: Story) -> None:
    story.run(5)["exit_code"] = 1


def _told_start(story: Story, second: int, **changes: Any) -> None:
    mark = story.start(second)
    story.marks.remove(mark)
    story.again(mark, **changes)


def _nobody_told(story: Story) -> None:
    for events in story.events.values():
        events[:] = [e for e in events if not (e["event"] == "run_ended" and e["run"] == 5)]


def _told_outcome(story: Story) -> None:
    for events in story.events.values():
        decided = next(e for e in events if e["event"] == "tick_decided" and e["run"] == 5)
        decided.update(outcome="skipped", reason="overlap")


def _a_range_over_what_was_decided(story: Story) -> None:
    for events in story.events.values():
        decided = next(e for e in events if e["event"] == "tick_decided" and e["run"] == 5)
        several = {**decided, "id": "9000.0", "outcome": "missed", "last": instant(109), "count": 5}
        events.append(several)


def _bare(story: Story) -> None:
    story.run(5)["tasks"]["main"]["attempts"][0]["state"] = "lost"


def _exit_3(story: Story) -> None:
    story.run(5)["tasks"]["main"]["attempts"][0]["exit_code"] = 3


def _noted(story: Story, field: str, value: str) -> None:
    story.run(5)["tasks"]["main"]["attempts"][0][field] = value


def _decided_ahead(story: Story) -> None:
    for events in story.events.values():
        for event in events:
            if event["event"] == "run_created" and event["run"] == 25:
                event["t"] = 122.5


RESULTS = [
    plant(kind="started-twice", because="double spawn of a manual run",
          bug=a_spooler_starts_a_manual_run_twice),
    plant(kind="too-many-attempts", because="a manual run retried unasked",
          bug=a_manual_run_is_tried_again),
    plant(kind="tried-again", because="retried after its success",
          bug=a_success_is_tried_again),
    plant(kind="fence-went-back", because="granted with a stale fence",
          bug=a_stale_fence_is_granted),
    plant(kind="phantom", because="success without an end", bug=succeeded_without_its_end),
    plant(kind="phantom", because="a manual run never starts",
          bug=a_manual_run_never_starts),
    plant(kind="vanished", because="gone from the list", bug=a_run_vanishes),
    plant(kind="listed-twice", because="a page overlaps the next",
          bug=lambda s: s.final["runs"].append(s.run(5))),
    plant(kind="two-runs", because="the second is cancelled before its start",
          bug=two_runs_of_a_tick_one_cancelled),
    plant(kind="changed", because="exit code changed after the end", bug=_told_exit),
    plant(kind="alive-after-its-end", because="started after it was called lost",
          bug=an_agent_starts_what_was_called_lost),
    plant(kind="cancelled-without-cause", because="nobody cancelled",
          bug=lambda s: s.ended(5, "cancelled")),
    plant(kind="lost-without-cause", because="while one leader led",
          bug=lambda s: s.ended(5, "lost", "gone")),
    plant(kind="lost-without-cause", because="only a leader died",
          bug=lambda s: s.ended(11, "lost", "gone")),
    plant(kind="failed-without-cause", because="nothing can fail",
          bug=lambda s: s.ended(11, "failed")),
    plant(kind="timed_out-without-cause", because="no time limit",
          bug=lambda s: s.ended(11, "timed_out")),
    plant(kind="expired-without-cause", because="no deadline",
          bug=an_expired_run_under_no_deadline),
    plant(kind="wrong-word", because="another run's parameters",
          bug=lambda s: _told_start(s, 900, word="w2")),
    plant(kind="wrong-tick", because="told another instant",
          bug=lambda s: _told_start(s, 5, tick_ms=ZERO_MS + 6_000)),
    plant(kind="wrong-job", because="told another job",
          bug=lambda s: _told_start(s, 5, job="manual")),
    plant(kind="late", because="an accepted run waits for nothing",
          bug=accepted_and_started_late),
    plant(kind="untold", because="no node told its end", bug=_nobody_told),
    plant(kind="changed", because="another outcome was told", bug=_told_outcome),
    plant(kind="decided-twice", because="a range over one that ran",
          bug=_a_range_over_what_was_decided),
    plant(kind="bare-success", because="no attempt succeeded", bug=_bare),
    plant(kind="wrong-exit", because="a success with exit code 3", bug=_exit_3),
    plant(kind="wrong-time", because="the start of another time",
          bug=lambda s: _noted(s, "started", instant(102))),
    plant(kind="wrong-time", because="an end that came later",
          bug=lambda s: _noted(s, "finished", instant(109))),
    plant(kind="ahead", because="decided long before it is due", bug=_decided_ahead),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "bug"), RESULTS)
def test_a_planted_bug_is_found(kind: str, bug: Plant) -> None:
    story = clean()
    bug(story)

    finding = results.check(story.case())

    assert finding.verdict == "violation"
    assert kind in {offence.kind for offence in finding.offences}, finding


@pytest.mark.parametrize(
    ("started", "slow", "found"), [(True, True, True), (False, False, True), (False, True, False)]
)
def test_of_an_agent_that_went_in_good_order_only_what_a_fault_kept_from_starting_may_be_lost(
    started: bool, slow: bool, found: bool
) -> None:
    story = clean()
    visits = [(99.5, "came"), (105.0, "went"), (107.0, "came")]
    story.history += [{"t": t, "kind": "visitor", "name": "agent-1", "what": what} for t, what in visits]
    story.ended(5, "lost", "gone")
    if slow:
        fault = {"kind": "slow", "pairs": [["node-1", "node-2"]], "delay_ms": 500}
        story.fault(104.0, 106.0, "follower-slow", fault=fault)
    if not started:
        story.forget(5)

    kinds = {offence.kind for offence in results.check(story.case()).offences}

    assert ("lost-without-cause" in kinds) is found


def test_what_never_started_has_ended_before_the_next_of_its_number_starts() -> None:
    story = clean()
    attempts = story.run(5)["tasks"]["main"]["attempts"]
    attempts.insert(0, {**attempts[0], "id": 77, "state": "unstarted", "fence": 7, "exit_code": None})
    for events in story.events.values():
        told = {"t": 104.9, "event": "attempt_ended", "attempt": 77, "run": 5, "exit_code": None}
        events.append({**told, "id": "4.9", "state": "unstarted"})
    assert "alive-after-its-end" not in {each.kind for each in results.check(story.case()).offences}


@pytest.mark.parametrize(("most", "found"), [(1, True), (2, False)])
def test_what_may_be_tried_again_is_no_offence(most: int, found: bool) -> None:
    story = clean()
    a_manual_run_is_tried_again(story)
    if most > 1:
        story.history.append({"t": 99.5, "kind": "retried", "job": "manual", "tasks": {"main": most}})

    kinds = {each.kind for each in results.check(story.case()).offences}

    assert ("too-many-attempts" in kinds) is found


@pytest.mark.parametrize(("act", "is_found"), [("bring", False), ("move", True)])
def test_what_was_brought_forward_is_decided_before_its_instant(act: str, is_found: bool) -> None:
    story = clean()
    at_ms = ZERO_MS + 20_000
    event = {"event": "run_created", "run": 9_000, "name": TURNED, "tick": text_of(at_ms)}
    for events in story.events.values():
        events.append({**event, "t": 100 + 20 + BROUGHT_MS / 1_000})
    story.operation(101, "turn", "ok", {"act": act, "at_ms": at_ms})
    kinds = {offence.kind for offence in results.check(story.case()).offences}
    assert ("ahead" in kinds) == is_found
