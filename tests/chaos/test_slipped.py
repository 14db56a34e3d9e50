"""Bugs of a scheduler that a first set of checkers would let through; each is planted here and found.

Those that were found all along are planted in test_checkers.py, those of single runs in test_results.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chaos.checkers import dispatch, durable, lifecycle, linear, ticks
from chaos.checkers.judge import judge
from tests.chaos.stories import ZERO_MS, Story, clean, instant

Plant = Callable[[Story], Any]


def plant(*, checker: Any, kind: str, because: str, bug: Plant) -> Any:
    return pytest.param(checker, kind, bug, id=f"{checker.NAME}-{kind}-{because}".replace(" ", "-"))


# -- ticks


def an_hour_ahead(story: Story) -> None:
    """A leader whose clock is ahead fires what is due in an hour."""
    story.again(story.start(5), run=77, fence=77, tick_ms=ZERO_MS + 3_600_000, at_s=106.0)


def twice_behind_the_window(story: Story) -> None:
    late = replace(story.start(30), run=31, tick_ms=ZERO_MS + 31_000, at_s=131.01)
    story.again(late)
    story.again(late, at_s=131.05)


def a_tick_that_never_was(story: Story) -> None:
    at = instant(105.3)
    story.final["ticks"]["pulse"].append({**story.tick(5), "at": at, "outcome": "missed", "run": None})


def a_ledger_that_names_another_run(story: Story) -> None:
    story.tick(5)["run"] = 6


def latest(story: Story, mode: str) -> None:
    for entry in story.history:
        if entry["kind"] == "declared":
            entry["policies"] = {"overlap": "allow", "catchup": {"mode": mode, "grace": "3s"}}


def coalesced(story: Story, into: int, outcome: str) -> None:
    latest(story, "latest")
    story.forget(11)
    story.tick(11).update(outcome="coalesced", run=None, into=instant(100 + into))
    if outcome != "ran":
        story.forget(into)
        story.tick(into).update(outcome=outcome, run=None, into=instant(113))


def ran_long_overdue(story: Story, mode: str) -> None:
    latest(story, mode)
    story.run(8)["created"] = instant(114.0)


def ran_with_those_coalesced(story: Story, decided_s: float) -> None:
    """A tick that runs late, and another that was coalesced into it at this instant."""
    ran_long_overdue(story, "latest")
    story.forget(7)
    story.tick(7).update(
        outcome="coalesced", run=None, into=story.tick(8)["at"], decided_at=instant(decided_s)
    )


def missed_while_one_led(story: Story) -> None:
    latest(story, "none")
    story.forget(14)
    story.tick(14).update(outcome="missed", reason="window", run=None)


def skipped_because_of(story: Story, named: int) -> None:
    for entry in story.history:
        if entry["kind"] == "declared":
            entry["policies"] = {"overlap": "skip"}
    story.run(4)["finished"] = instant(105.5)
    story.forget(5)
    story.tick(5).update(outcome="skipped", reason="overlap", run=named, decided_at=instant(104.95))


def queued_for_nothing(story: Story) -> None:
    for entry in story.history:
        if entry["kind"] == "declared":
            entry["policies"] = {"overlap": "queue_all"}
    story.late(14)


def early_long_behind_a_skew(story: Story) -> None:
    skew = {"kind": "clock-skew", "node": "node-1", "skew_ms": 3_600_000}
    story.fault(101.0, 102.0, "clock-ahead", fault=skew)
    mark = story.start(20)
    story.marks.remove(mark)
    story.again(mark, at_s=mark.at_s - 0.8)


def started_elsewhere(story: Story) -> None:
    mark = story.start(5)
    story.marks.remove(mark)
    story.again(mark, agent="agent-2")


TICKS = [
    plant(checker=ticks, kind="late", because="queued, and nothing before it", bug=queued_for_nothing),
    plant(checker=ticks, kind="early", because="long behind a clock's fault", bug=early_long_behind_a_skew),
    plant(checker=ticks, kind="early", because="an hour ahead", bug=an_hour_ahead),
    plant(checker=ticks, kind="started-twice", because="behind the window", bug=twice_behind_the_window),
    plant(checker=ticks, kind="never-due", because="in the ledger only", bug=a_tick_that_never_was),
    plant(checker=ticks, kind="another-run", because="the run of another tick",
          bug=a_ledger_that_names_another_run),
    plant(checker=ticks, kind="bad-coalesced", because="into one that was coalesced itself",
          bug=lambda s: coalesced(s, 12, "coalesced")),
    plant(checker=ticks, kind="bad-coalesced", because="into an earlier one",
          bug=lambda s: coalesced(s, 9, "ran")),
    plant(checker=ticks, kind="bad-ran", because="overdue under catchup none",
          bug=lambda s: ran_long_overdue(s, "none")),
    plant(checker=ticks, kind="bad-ran", because="not the latest",
          bug=lambda s: ran_long_overdue(s, "latest")),
    plant(checker=ticks, kind="bad-ran", because="not the latest when others were coalesced into it",
          bug=lambda s: ran_with_those_coalesced(s, 114)),
    plant(checker=ticks, kind="bad-missed", because="one leader led all the time, a fault just over",
          bug=missed_while_one_led),
    plant(checker=ticks, kind="late", because="one leader led all the time, a fault just over",
          bug=lambda s: s.late(14)),
    plant(checker=ticks, kind="bad-skipped", because="the run that it names had ended",
          bug=lambda s: skipped_because_of(s, 2)),
]  # fmt: skip


# -- dispatch, durable, lifecycle


def a_vote_is_forgotten(story: Story) -> None:
    view = next(e for e in story.history if e["kind"] == "view" and e["node"] == "node-2" and e["t"] == 120)
    view["term"] = 2


def an_event_is_left_out(story: Story) -> None:
    del story.events["node-2"][40]


def a_node_stops_telling(story: Story) -> None:
    del story.events["node-2"][20:]


def hashes_differ_meanwhile(story: Story) -> None:
    view = next(e for e in story.history if e["kind"] == "view" and e["node"] == "node-2" and e["t"] == 105)
    view["state_hash"] = "ff" * 32


def a_deletion_is_lost(story: Story) -> None:
    story.operation(129, "delete", "ok", {"job": "register-1", "if_match": 1}, status=204)


def a_put_is_applied_twice(story: Story) -> None:
    again = {"revision": 2, "definition": {"labels": {"uid": "one"}}}
    story.final["revisions"]["register-1"].append(again)
    story.final["jobs"][1]["revision"] = 2


def a_refusal_was_made(story: Story) -> None:
    put = {"job": "register-1", "uid": "two", "if_match": 1}
    story.operation(129, "put", "fail", put, status=412)
    made = {"revision": 2, "definition": {"labels": {"uid": "two"}}}
    story.final["revisions"]["register-1"].append(made)
    story.final["jobs"][1].update(revision=2, labels={"uid": "two"})


def a_revision_is_missing(story: Story) -> None:
    story.final["revisions"]["register-1"][0]["revision"] = 2
    story.final["jobs"][1]["revision"] = 2


def seen_running(story: Story, at_s: float, state: str) -> None:
    story.operation(at_s, "look", "ok", {"run": 5}, status=200, state=state)


def seen_running_then_pending(story: Story) -> None:
    for events in story.events.values():
        events[:] = [e for e in events if e.get("run") != 5]
    seen_running(story, 104.99, "running")
    seen_running(story, 105.02, "pending")


def assigned_behind_the_end(story: Story) -> None:
    again = {"event": "attempt_assigned", "attempt": 77, "run": 5, "task": 5}
    for events in story.events.values():
        events.append({"t": 129.0, "id": "9000.0", **again})


def two_attempts_at_once(story: Story) -> None:
    for events in story.events.values():
        at = next(n for n, e in enumerate(events) if e["event"] == "attempt_granted" and e["run"] == 5)
        again = {"event": "attempt_assigned", "attempt": 77, "run": 5, "task": 5, "t": events[at]["t"]}
        index = events[at]["id"].partition(".")[0]
        events.insert(at + 1, {**again, "id": f"{index}.1"})


OTHERS = [
    plant(checker=dispatch, kind="wrong-agent", because="granted to another", bug=started_elsewhere),
    plant(checker=dispatch, kind="term-went-back", because="a vote is forgotten", bug=a_vote_is_forgotten),
    plant(checker=dispatch, kind="left-out", because="a node tells less", bug=an_event_is_left_out),
    plant(checker=dispatch, kind="left-out", because="a node stops telling", bug=a_node_stops_telling),
    plant(checker=durable, kind="different-state", because="in the middle of the run",
          bug=hashes_differ_meanwhile),
    plant(checker=durable, kind="lost-delete", because="acknowledged, the last word", bug=a_deletion_is_lost),
    plant(checker=durable, kind="made-twice", because="one put, two revisions", bug=a_put_is_applied_twice),
    plant(checker=durable, kind="refused-and-made", because="a refusal that was none",
          bug=a_refusal_was_made),
    plant(checker=durable, kind="revision-gap", because="a revision is gone", bug=a_revision_is_missing),
    plant(checker=durable, kind="lost-job", because="gone from the list of jobs",
          bug=lambda s: s.final["jobs"].pop(0)),
    plant(checker=durable, kind="lost-write", because="the list shows an older revision",
          bug=lambda s: s.final["jobs"][1].update(revision=0, labels={})),
    plant(checker=durable, kind="node-missing", because="none answers in the end",
          bug=lambda s: s.final["nodes"].clear()),
    plant(checker=durable, kind="ledger", because="not ok, without a word why",
          bug=lambda s: s.final["verify"].update(ok=False)),
    plant(checker=lifecycle, kind="stale-read", because="running, a node had told its end",
          bug=lambda s: seen_running(s, 106.0, "running")),
    plant(checker=lifecycle, kind="stale-read", because="running, then pending",
          bug=seen_running_then_pending),
    plant(checker=lifecycle, kind="illegal-step", because="an attempt of an ended run",
          bug=assigned_behind_the_end),
    plant(checker=lifecycle, kind="beside", because="a retry beside the first attempt",
          bug=two_attempts_at_once),
]  # fmt: skip


@pytest.mark.parametrize(("checker", "kind", "bug"), [*TICKS, *OTHERS])
def test_a_bug_that_once_slipped_through_is_found(checker: Any, kind: str, bug: Plant) -> None:
    story = clean()
    bug(story)

    finding = checker.check(story.case())

    assert finding.verdict == "violation"
    assert kind in {offence.kind for offence in finding.offences}, finding


def _judged(story: Story) -> set[str]:
    return {o.kind for f in judge(story.case()) for o in f.offences}


def test_what_a_fault_excuses_stays_excused() -> None:
    """An agent's fault excuses a loss and a late start; no leader, a late start; a reset, missing events."""
    agents = clean()
    agents.fault(104.5, 105.5, "agent-killed")
    agents.ended(5, "lost", "gone: the host was started again")
    agents.late(14)
    agents.fault(113.5, 114.5, "agent-killed")
    nobody_led = clean()
    nobody_led.late(10)
    reset = clean()
    an_event_is_left_out(reset)
    reset.resets["node-2"] = [(50, 0)]

    assert [_judged(story) for story in (agents, nobody_led, reset)] == [set(), set(), set()]


def test_a_second_drill_on_a_cluster_that_remembers_the_first() -> None:
    story = clean()
    story.plan["profile"] = "drill"
    old = {"revision": 1, "definition": {"labels": {"uid": "of-another-drill"}}}
    story.final["revisions"]["register-1"] = [
        old,
        {"revision": 2, "deleted": True, "definition": None},
        {"revision": 3, "definition": {"labels": {"uid": "one"}}},
    ]
    story.final["jobs"][1]["revision"] = 3
    for entry in story.history:
        if entry.get("revision") == 1:
            entry["revision"] = 3
    old_run = {**story.run(5), "id": 3_000_000, "created": instant(50), "tick": instant(50)}
    story.final["runs"].append({**old_run, "tasks": {}})

    assert linear.check(story.case()).verdict == "pass"
    assert _judged(story) == set()


def test_what_others_were_coalesced_into_runs_however_late() -> None:
    story = clean()
    ran_with_those_coalesced(story, 110.5)

    assert "bad-ran" not in {offence.kind for offence in ticks.check(story.case()).offences}
