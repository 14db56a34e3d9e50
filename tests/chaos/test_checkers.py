"""Every checker passes a clean run, and finds each bug that is planted in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chaos.case import event_id
from chaos.checkers import dispatch, durable, lifecycle, linear, liveness, ticks, vacuity
from chaos.checkers.causes import AFTER_S, LATE_S
from chaos.checkers.judge import judge, verdict_of
from chaos.checkers.liveness import LEADER_S, SILENCE_S
from chaos.pace import REFERENCE_S
from tests.chaos.stories import Story, clean, instant

Plant = Callable[[Story], Any]


def test_a_clean_run_passes_every_checker() -> None:
    findings = judge(clean().case())

    assert [f.verdict for f in findings] == ["pass"] * len(findings), findings
    assert verdict_of(findings) == "pass"


def plant(*, checker: Any, kind: str, because: str, bug: Plant) -> Any:
    return pytest.param(checker, kind, bug, id=f"{checker.NAME}-{kind}-{because}".replace(" ", "-"))


def skipped(story: Story, second: int, outcome: str, reason: str | None) -> None:
    """The ledger says that this tick did not run, and it did not."""
    story.forget(second)
    story.tick(second).update(outcome=outcome, reason=reason, run=None)


def the_ledger_is_empty(story: Story) -> None:
    story.final["ticks"]["pulse"].remove(story.tick(5))


def two_outcomes(story: Story) -> None:
    story.final["ticks"]["pulse"].append({**story.tick(5), "outcome": "missed"})


def another_run(story: Story) -> None:
    story.again(story.start(5), run=77, at_s=105.5)


def missed_nothing_wrong(story: Story) -> None:
    skipped(story, 28, "missed", "window")


def _within_grace(story: Story) -> None:
    skipped(story, 11, "missed", "window")


def wrong_leader(story: Story) -> None:
    for second in (6, 7):
        story.again(story.start(second), run=second, attempt="2", fence=99)


TICKS = [
    plant(checker=ticks, kind="unaccounted", because="no outcome", bug=the_ledger_is_empty),
    plant(checker=ticks, kind="two-outcomes", because="decided twice", bug=two_outcomes),
    plant(checker=ticks, kind="two-runs", because="fired twice", bug=another_run),
    plant(checker=ticks, kind="started-twice", because="double push", bug=lambda s: s.again(s.start(5))),
    plant(checker=ticks, kind="too-many-attempts", because="retried unasked", bug=wrong_leader),
    plant(checker=ticks, kind="phantom", because="never ran", bug=lambda s: s.forget(5)),
    plant(checker=ticks, kind="ran-but-denied", because="ledger says missed",
          bug=lambda s: s.tick(11).update(outcome="missed", reason="lost_before_start")),
    plant(checker=ticks, kind="bad-missed", because="no fault near", bug=missed_nothing_wrong),
    plant(
        checker=ticks,
        kind="bad-missed",
        because="only the leader died",
        bug=lambda s: skipped(s, 11, "missed", "lost_before_start"),
    ),
    plant(checker=ticks, kind="bad-missed", because="within the grace", bug=lambda s: _within_grace(s)),
    plant(checker=ticks, kind="bad-skipped", because="overlap under allow",
          bug=lambda s: skipped(s, 5, "skipped", "overlap")),
    plant(checker=ticks, kind="bad-skipped", because="by a run that caught up", bug=lambda s: _caught_up(s)),
    plant(checker=ticks, kind="undecided", because="pending for ever",
          bug=lambda s: skipped(s, 5, "pending", None)),
    plant(checker=ticks, kind="never-due", because="wrong instant",
          bug=lambda s: s.again(s.start(5), tick_ms=s.start(5).tick_ms + 300)),  # type: ignore[operator]  # a tick
    plant(checker=ticks, kind="late", because="no fault near",
          bug=lambda s: _late(s)),
    plant(checker=ticks, kind="early", because="before its instant", bug=lambda s: _move(s, 5, -0.4)),
]  # fmt: skip


def _move(story: Story, second: int, by_s: float) -> None:
    mark = story.start(second)
    story.marks.remove(mark)
    story.again(mark, at_s=mark.at_s + by_s)


def _caught_up(story: Story) -> None:
    """The tick met a run of a missed one, behind which it ought to have queued."""
    declared = next(entry for entry in story.history if entry["kind"] == "declared")
    declared["policies"] = {"overlap": "skip", "catchup": {"mode": "all", "grace": "3s"}}
    run = next(run for run in story.final["runs"] if run["id"] == 4)
    run.update(cause="catchup", finished=instant(106.0))
    skipped(story, 5, "skipped", "overlap")
    story.tick(5)["run"] = 4


def _late(story: Story) -> None:
    story.history = [entry for entry in story.history if entry["kind"] != "fault"]
    _move(story, 5, 9.0)


def stale_read(story: Story) -> None:
    story.operation(105, "get", "ok", {"job": "register-1"}, status=404)


def lost_update(story: Story) -> None:
    put = {"job": "register-1", "uid": "two", "if_match": 1}
    story.operation(105, "put", "ok", put, status=200, revision=2, uid="two")
    story.operation(106, "put", "ok", {**put, "uid": "three"}, status=200, revision=2, uid="three")


def refused_wrongly(story: Story) -> None:
    put = {"job": "register-1", "uid": "two", "if_match": 1}
    story.operation(105, "put", "fail", put, status=412)


def a_deleted_job_is_read(story: Story) -> None:
    story.operation(105, "delete", "ok", {"job": "register-1", "if_match": 1}, status=204)
    story.operation(106, "get", "ok", {"job": "register-1"}, status=200, revision=1, uid="one")


LINEAR = [
    plant(checker=linear, kind="not-linearizable", because="stale read", bug=stale_read),
    plant(checker=linear, kind="not-linearizable", because="lost update", bug=lost_update),
    plant(checker=linear, kind="not-linearizable", because="refused wrongly", bug=refused_wrongly),
    plant(checker=linear, kind="not-linearizable", because="read after delete", bug=a_deleted_job_is_read),
]


def two_leaders(story: Story) -> None:
    story.history.append({"t": 105.0, "kind": "view", "node": "node-2", "state": "leader", "term": 3})


def one_epoch_two_nodes(story: Story) -> None:
    story.events["node-2"][0]["node"] = "node-2"


def epoch_falls(story: Story) -> None:
    for events in story.events.values():
        events.append({"t": 125.0, "id": "9000.0", "event": "led", "epoch": 3, "node": "node-2"})


def histories_differ(story: Story) -> None:
    story.events["node-2"][5]["run"] = 4711


def no_claim(story: Story) -> None:
    story.run(5)["tasks"]["main"]["attempts"][0]["fence"] = None


def beats_on(story: Story) -> None:
    first = story.start(5)
    story.again(first, attempt="2", fence=7, at_s=106.0)
    story.again(first, what="B", at_s=107.0)


DISPATCH = [
    plant(checker=dispatch, kind="two-leaders", because="one term", bug=two_leaders),
    plant(checker=dispatch, kind="two-leaders", because="one epoch", bug=one_epoch_two_nodes),
    plant(checker=dispatch, kind="epoch-went-back", because="no epoch check", bug=epoch_falls),
    plant(checker=dispatch, kind="two-histories", because="nodes differ", bug=histories_differ),
    plant(checker=dispatch, kind="no-grant", because="no claim", bug=no_claim),
    plant(checker=dispatch, kind="wrong-fence", because="old grant", bug=lambda s: _refence(s, 5, 4)),
    plant(checker=dispatch, kind="unstarted-ran", because="an agent forgets",
          bug=lambda s: s.run(5)["tasks"]["main"]["attempts"][0].update(state="unstarted")),
    plant(checker=dispatch, kind="fence-twice", because="one grant, two runs",
          bug=lambda s: _refence(s, 5, 10_006)),
    plant(checker=dispatch, kind="at-the-same-time", because="lease ignored", bug=beats_on),
    plant(checker=dispatch, kind="before-grant", because="started, then asked",
          bug=lambda s: s.run(5)["tasks"]["main"]["attempts"][0].update(granted=instant(107))),
]  # fmt: skip


def _refence(story: Story, second: int, fence: int) -> None:
    mark = story.start(second)
    story.marks.remove(mark)
    story.again(mark, fence=fence)


def key_forgotten(story: Story) -> None:
    story.final["runs"].append({**story.run(900), "id": 901})


def accepted_and_not_seen(story: Story) -> None:
    story.operation(105, "look", "ok", {"run": 900}, status=404)


DURABLE = [
    plant(checker=durable, kind="stale-read", because="not found later", bug=accepted_and_not_seen),
    plant(checker=durable, kind="lost-write", because="acknowledged before commit",
          bug=lambda s: s.final["revisions"]["register-1"].clear()),
    plant(checker=durable, kind="lost-run", because="run forgotten",
          bug=lambda s: s.final["runs"].remove(s.run(900))),
    plant(checker=durable, kind="run-twice", because="idempotency forgotten", bug=key_forgotten),
    plant(checker=durable, kind="wrong-date", because="a date counted for another run",
          bug=lambda s: s.run(900).update(plan_date="2026-03-01", params={durable.DAY: "2026-03-01"})),
    plant(checker=durable, kind="different-state", because="nodes differ",
          bug=lambda s: s.final["nodes"]["node-2"].update(state_hash="cc")),
    plant(checker=durable, kind="node-missing", because="one never came back",
          bug=lambda s: s.final["nodes"].pop("node-2")),
    plant(checker=durable, kind="not-converged", because="one stays behind",
          bug=lambda s: s.final["nodes"]["node-2"].update(index=400)),
    plant(checker=durable, kind="ledger", because="the product says so itself",
          bug=lambda s: s.final["verify"]["problems"].append({"kind": "chain"})),
]  # fmt: skip


def event_after_the_end(story: Story) -> None:
    for events in story.events.values():
        events.append({"t": 129.0, "id": "9000.0", "event": "run_started", "run": 5, "name": "pulse"})


def granted_from_nothing(story: Story) -> None:
    for events in story.events.values():
        events[:] = [e for e in events if not (e["event"] == "attempt_granted" and e["run"] == 5)]


def slept(story: Story, *steps: str, run: int = 5, at: float = 105.0) -> None:
    """Work in the state of task 77, as every node tells it: `begun`, or how it ended."""
    for events in story.events.values():
        for place, step in enumerate(steps):
            said = {"event": "task_begun"} if step == "begun" else {"event": "task_ended", "state": step}
            events.append({"t": at, "id": f"9000.{place}", "task": 77, "run": run, "name": "nap", **said})


def beside_an_attempt(story: Story) -> None:
    for events in story.events.values():
        assigned = next(e for e in events if e["event"] == "attempt_assigned" and e["run"] == 5)
        place = events.index(assigned)
        begun = {"event": "task_begun", "task": assigned["task"], "run": 5, "name": "nap"}
        events.insert(place, {"t": assigned["t"], "id": assigned["id"], **begun})


def tick_twice(story: Story) -> None:
    for events in story.events.values():
        decided = next(e for e in events if e["event"] == "tick_decided" and e["run"] == 5)
        events.append({**decided, "id": "9000.0", "outcome": "missed"})


def test_two_hosts_may_boot_in_the_same_millisecond() -> None:
    def boots(*keys: str) -> set[str]:
        story = clean()
        for events in story.events.values():
            decided = next(e for e in events if e["event"] == "tick_decided" and e["run"] == 5)
            events += [
                {**decided, "id": f"900{n}.0", "trigger": 9, "cause": "startup", "cause_key": key}
                for n, key in enumerate(keys)
            ]
        return {offence.kind for offence in lifecycle.check(story.case()).offences}

    assert boots("host-1", "host-2") == set()
    assert boots("host-1", "host-1") == {"decided-twice"}


def kept_back(story: Story, *steps: str, run: int = 999) -> None:
    """A run that is made and suspended, and what follows, as every node tells it."""
    events: dict[str, dict[str, Any]] = {
        "made": {"event": "run_created"},
        "held": {"event": "run_held", "state": "held"},
        "suspended": {"event": "run_held", "state": "suspended"},
        "let go": {"event": "run_released", "state": "pending"},
        "assigned": {"event": "attempt_assigned", "attempt": 77, "task": 77},
        "granted": {"event": "attempt_granted", "attempt": 77},
        "begun": {"event": "task_begun", "task": 78},
    }
    for told in story.events.values():
        for place, step in enumerate(steps):
            told.append({"t": 105.0, "id": f"9000.{place}", "run": run, "name": "kept", **events[step]})


def test_what_is_let_go_may_start() -> None:
    for state in ("held", "suspended"):
        story = clean()
        kept_back(story, "made", state, "let go", "assigned", "granted", "begun")
        assert lifecycle.check(story.case()).offences == ()


LIFECYCLE = [
    plant(checker=lifecycle, kind="started-kept-back", because="granted while suspended",
          bug=lambda s: kept_back(s, "made", "assigned", "suspended", "granted")),
    plant(checker=lifecycle, kind="started-kept-back", because="begun while held",
          bug=lambda s: kept_back(s, "made", "held", "begun")),
    plant(checker=lifecycle, kind="illegal-step", because="suspended after its end",
          bug=lambda s: kept_back(s, "suspended", run=5)),
    plant(checker=lifecycle, kind="illegal-step", because="started after its end", bug=event_after_the_end),
    plant(checker=lifecycle, kind="illegal-step", because="ran without a grant", bug=granted_from_nothing),
    plant(checker=lifecycle, kind="illegal-step", because="slept twice at once",
          bug=lambda s: slept(s, "begun", "begun", run=999)),
    plant(checker=lifecycle, kind="illegal-step", because="ended twice",
          bug=lambda s: slept(s, "begun", "succeeded", "cancelled", run=999)),
    plant(checker=lifecycle, kind="illegal-step", because="slept after its run",
          bug=lambda s: slept(s, "begun")),
    plant(checker=lifecycle, kind="beside", because="slept on an agent", bug=beside_an_attempt),
    plant(checker=lifecycle, kind="decided-twice", because="two ledger entries", bug=tick_twice),
    plant(checker=lifecycle, kind="resurrected", because="another end",
          bug=lambda s: s.run(5).update(state="failed")),
    plant(checker=lifecycle, kind="resurrected", because="seen running again",
          bug=lambda s: s.operation(120, "look", "ok", {"run": 900}, status=200, state="running")),
]  # fmt: skip


def silent(story: Story) -> None:
    story.history = [e for e in story.history if e["kind"] != "fault"]
    for second in range(3, 24):
        story.forget(second)


def never_a_leader(story: Story) -> None:
    story.history = [entry for entry in story.history if entry.get("name") != "leader"]


def nothing_between(story: Story) -> None:
    for second in range(15, 31):
        story.forget(second)


LIVENESS = [
    plant(checker=liveness, kind="silence", because="nothing was wrong", bug=silent),
    plant(checker=liveness, kind="no-leader", because="after healing", bug=never_a_leader),
    plant(checker=liveness, kind="no-tick", because="after healing",
          bug=nothing_between),
    plant(checker=liveness, kind="hangs", because="a run without an end",
          bug=lambda s: s.run(5).update(state="running", finished=None)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("checker", "kind", "bug"), [*TICKS, *LINEAR, *DISPATCH, *DURABLE, *LIFECYCLE, *LIVENESS]
)
def test_a_planted_bug_is_found(checker: Any, kind: str, bug: Plant) -> None:
    story = clean()
    bug(story)

    finding = checker.check(story.case())

    assert finding.verdict == "violation"
    assert kind in {offence.kind for offence in finding.offences}, finding


def _slow(story: Story, by: float) -> None:
    story.history += [{"t": 99.5 + n, "kind": "pace", "took_s": by * REFERENCE_S} for n in range(40)]


def _a_little_late(story: Story) -> None:
    story.history = [entry for entry in story.history if entry["kind"] != "fault"]
    _move(story, 5, 2 * LATE_S)


def _silent_for_long(story: Story) -> None:
    story.history = [entry for entry in story.history if entry["kind"] != "fault"]
    for second in range(3, 4 + round(1.5 * SILENCE_S)):
        story.forget(second)


def _leader_after(story: Story) -> None:
    for entry in story.history:
        if entry.get("name") == "leader":
            entry["t"] += 1.5 * LEADER_S


@pytest.mark.parametrize(
    ("checker", "kind", "bug"),
    [
        (ticks, "late", _a_little_late),
        (liveness, "silence", _silent_for_long),
        (liveness, "no-leader", _leader_after),
    ],
)
def test_limits_grow_with_a_slow_machine_and_with_nothing_else(checker: Any, kind: str, bug: Plant) -> None:
    def found(by: float | None) -> bool:
        story = clean()
        bug(story)
        if by is not None:
            _slow(story, by)
        return kind in {offence.kind for offence in checker.check(story.case()).offences}

    assert found(None)
    assert found(0.5)  # a fast machine has the limits of the reference
    assert not found(3.0)


def test_what_came_long_behind_a_fault_is_not_its_consequence() -> None:
    def found(behind_s: float, slow_by: float) -> bool:
        story = clean()
        story.history = [entry for entry in story.history if entry["kind"] != "fault"]
        story.fault(101, 102, "agent-killed")
        skipped(story, round(2 + behind_s), "missed", "lost_before_start")
        _slow(story, slow_by)
        return "bad-missed" in {o.kind for o in ticks.check(story.case()).offences}

    assert not found(AFTER_S - 2, 1)
    assert found(AFTER_S + 2, 1)
    assert not found(AFTER_S + 2, 3)


def _gap(story: Story, bug: Plant) -> set[str]:
    """What is found where a node said `reset` behind the grant of run 5, which it never told."""
    bug(story)
    for node, events in story.events.items():
        assigned = next(e for e in events if e["event"] == "attempt_assigned" and e["run"] == 5)
        index, _ = event_id(assigned)
        story.resets[node] = [(index, 500)]
    return {offence.kind for offence in lifecycle.check(story.case()).offences}


def test_behind_a_reset_what_had_not_ended_is_taken_as_it_comes() -> None:
    assert _gap(clean(), granted_from_nothing) == set()
    assert _gap(clean(), event_after_the_end) == {"illegal-step"}


def unseen(story: Story) -> None:
    for entry in story.history:
        if entry.get("phase") == "seen":
            entry["real"] = None


def endless(story: Story) -> None:
    for entry in story.history:
        if entry.get("phase") == "healed":
            entry["real"] = True


@pytest.mark.parametrize(
    ("kind", "bug"),
    [
        ("too-little", lambda s: s.plan.update(minimum={"ticks": 10_000})),
        *(
            ("too-little", lambda s, what=what: s.plan.update(minimum={what: 1}))
            for what in ("visits", "told", "reruns", "hands", "rounds", "caught")
        ),
        ("not-real", unseen),
        ("not-gone", endless),
        ("not-injected", lambda s: s.plan["steps"].append({"action": "leader-killed"})),
        ("not-read", lambda s: s.final.pop("runs")),
        ("not-read", lambda s: s.final["verify"].clear()),
        ("not-read", lambda s: s.final.update(proofs={})),
        ("not-read", lambda s: s.final["proofs"].pop("node-2")),
        ("not-read", lambda s: s.final.pop("proofs")),
        ("not-read", lambda s: s.final["revisions"].clear()),
        ("not-read", lambda s: s.final["ticks"].clear()),
        ("not-read", lambda s: s.history.remove(next(e for e in s.history if e.get("name") == "healed"))),
        ("not-heard", lambda s: s.events["node-2"].clear()),
        ("not-heard", lambda s: s.plan.update(nodes=3)),
        ("clock-jumped", lambda s: s.history.append({"t": 125.0, "kind": "anchor", "wall_s": 0.0})),
    ],
)
def test_too_little_is_invalid(kind: str, bug: Plant) -> None:
    story = clean()
    bug(story)

    finding = vacuity.check(story.case())

    assert finding.verdict == "invalid"
    assert kind in {offence.kind for offence in finding.offences}


def test_beyond_its_bound_the_search_is_unknown_and_no_pass() -> None:
    finding = linear.check(clean().case(), steps_max=1)

    assert finding.verdict == "unknown"


def test_a_lost_answer_may_have_been_a_write_or_not() -> None:
    """What is among the revisions happened, at any time later; what is not never did."""
    story = clean()
    put = {"job": "register-1", "uid": "two", "if_match": 1}
    story.operation(105, "put", "info", put)
    story.operation(106, "put", "info", {**put, "uid": "never"})
    story.operation(107, "get", "ok", {"job": "register-1"}, status=200, revision=1, uid="one")
    story.operation(109, "get", "ok", {"job": "register-1"}, status=200, revision=2, uid="two")
    story.final["revisions"]["register-1"].append({"revision": 2, "definition": {"labels": {"uid": "two"}}})

    assert linear.check(story.case()).verdict == "pass"
