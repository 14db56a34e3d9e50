"""What was paused, drained, asleep, booted or told: histories with a bug in them, and the same without it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos import leaks
from chaos.checkers import boots, held, liveness, notices, results, secrets, ticks, vacuity
from chaos.checkers.liveness import SILENCE_S
from tests.chaos.stories import ZERO_MS, Story, clean, instant

ALL = {"of": "all", "name": ""}
PULSE = {"of": "job", "name": "pulse"}
AGENT = {"of": "agent", "name": "agent-1"}


def kinds(checker: Any, story: Story) -> set[str]:
    return {offence.kind for offence in checker.check(story.case()).offences}


def paused(
    story: Story,
    of: dict[str, str],
    from_s: float,
    until_s: float,
    outcome: str = "ok",
    before_s: float | None = None,
    **more: Any,
) -> None:
    """It was paused, and resumed; each request takes 10 ms. `before_s`: of a resume that nobody answered."""
    if before_s is not None:
        story.operation(before_s, "resume", "info", of)
    story.operation(from_s, "pause", outcome, {**of, **more})
    story.operation(until_s, "resume", "ok", of)


def told(story: Story, event: str, at_s: float, **facts: Any) -> None:
    for events in story.events.values():
        events.append({"t": at_s, "id": "9000.0", "event": event, **facts})


def skipped(story: Story, second: int) -> None:
    """The ledger says that this tick was skipped since it was paused, and nothing started."""
    story.forget(second)
    story.tick(second).update(outcome="skipped", reason="paused", run=None)


# -- ticks


@pytest.mark.parametrize(
    "of", [PULSE, ALL, {"of": "namespace", "name": "default"}], ids=lambda of: str(of["of"])
)
def test_a_tick_that_came_due_in_a_pause_is_skipped(of: dict[str, str]) -> None:
    story = clean()
    paused(story, of, 104.5, 105.5)
    skipped(story, 5)

    assert kinds(ticks, story) == set()


@pytest.mark.parametrize(
    "bug",
    [
        pytest.param(lambda s: None, id="nothing was paused"),
        pytest.param(lambda s: paused(s, PULSE, 101, 104), id="it was resumed before"),
        pytest.param(lambda s: paused(s, PULSE, 105.5, 107), id="it was paused later"),
        pytest.param(lambda s: paused(s, {"of": "job", "name": "cron"}, 104.5, 105.5), id="another job"),
        pytest.param(lambda s: paused(s, AGENT, 104.5, 105.5), id="an agent was drained"),
        pytest.param(lambda s: paused(s, PULSE, 104.5, 105.5, "fail"), id="the pause was refused"),
        pytest.param(lambda s: paused(s, PULSE, 104.5, 105.5, "info"), id="no node told of the pause"),
        pytest.param(
            lambda s: paused(s, ALL, 101, 110, until_ms=ZERO_MS + 2_000), id="the pause had an end of its own"
        ),
    ],
)
def test_a_tick_that_no_pause_can_have_kept_back_was_not_skipped_by_one(bug: Callable[[Story], None]) -> None:
    story = clean()
    bug(story)
    skipped(story, 5)

    assert "bad-skipped" in kinds(ticks, story)


def test_a_pause_whose_answer_was_lost_may_stand_where_a_node_told_of_it_until_a_resume() -> None:
    def found(resumed_s: float) -> set[str]:
        story = clean()
        paused(story, PULSE, 103.5, resumed_s, "info")
        told(story, "job_paused", 104.0, name="pulse")
        skipped(story, 5)
        return kinds(ticks, story)

    assert found(105.5) == set()
    assert found(104.2) == {"bad-skipped"}
    assert found(103.8) == set(), "who paused may have come behind who resumed"


def test_what_waits_to_be_caught_up_is_skipped_by_a_later_pause() -> None:
    def found(decided_s: float) -> set[str]:
        story = clean()
        story.operation(131.0, "pause", "ok", PULSE)
        skipped(story, 5)
        story.tick(5)["decided_at"] = instant(decided_s)
        return kinds(ticks, story)

    assert found(131.005) == set()
    assert found(130.0) == {"bad-skipped"}


@pytest.mark.parametrize("of", [PULSE, ALL], ids=lambda of: str(of["of"]))
def test_a_tick_that_ran_though_it_came_due_in_a_pause(of: dict[str, str]) -> None:
    story = clean()
    paused(story, of, 104.2, 105.5)

    assert "ran-though-paused" in kinds(ticks, story)


@pytest.mark.parametrize(
    "maybe",
    [
        pytest.param(lambda s: paused(s, PULSE, 104.2, 105.5, "info"), id="nobody knows of the pause"),
        pytest.param(lambda s: paused(s, PULSE, 104.2, 104.8), id="it was resumed before"),
        pytest.param(lambda s: paused(s, PULSE, 104.7, 105.5), id="it was decided before"),
        pytest.param(
            lambda s: paused(s, PULSE, 104.2, 105.5, before_s=103), id="a resume may have come late"
        ),
        pytest.param(
            lambda s: paused(s, PULSE, 104.2, 105.5, before_s=104.8), id="a resume may have been heard"
        ),
        pytest.param(
            lambda s: paused(s, ALL, 104.2, 106, until_ms=ZERO_MS + 5_500), id="it may have ended by itself"
        ),
    ],
)
def test_a_tick_that_no_pause_surely_kept_back_may_run(maybe: Callable[[Story], None]) -> None:
    story = clean()
    maybe(story)

    assert kinds(ticks, story) == set()


def test_ticks_are_coalesced_into_one_that_ran_or_that_a_pause_took() -> None:
    def found(*, is_paused: bool) -> set[str]:
        story = clean()
        declared = next(entry for entry in story.history if entry["kind"] == "declared")
        declared["policies"] = {"overlap": "allow", "catchup": {"mode": "latest", "grace": "3s"}}
        story.forget(10)
        story.tick(10).update(outcome="coalesced", reason=None, run=None, into=instant(111))
        skipped(story, 11)
        if is_paused:
            paused(story, PULSE, 110.7, 111.2)
        return kinds(ticks, story)

    assert found(is_paused=True) == set()
    assert "bad-coalesced" in found(is_paused=False)


def test_ticks_are_coalesced_into_one_that_a_run_was_in_the_way_of() -> None:
    def found(reason: str) -> set[str]:
        story = clean()
        declared = next(entry for entry in story.history if entry["kind"] == "declared")
        declared["policies"] = {"overlap": "skip", "catchup": {"mode": "latest", "grace": "3s"}}
        story.forget(10)
        story.tick(10).update(outcome="coalesced", reason=None, run=None, into=instant(111))
        skipped(story, 11)
        story.tick(11).update(reason=reason)
        return kinds(ticks, story)

    assert "bad-coalesced" not in found("overlap")
    assert "bad-coalesced" in found("plan_closed")


def test_what_a_pause_kept_back_is_late_from_its_end_on() -> None:
    def found(resumed_s: float | None) -> set[str]:
        story = clean()
        story.history = [entry for entry in story.history if entry["kind"] != "fault"]
        if resumed_s is not None:
            paused(story, ALL, 105.1, resumed_s, until_ms=ZERO_MS + 60_000)
            for second in range(6, 13):
                skipped(story, second)
        for _ in range(2):
            story.late(5)  # 7 s altogether
        return kinds(ticks, story)

    assert found(112.0) == set()
    assert found(107.0) == {"late", "bad-skipped"}
    assert found(None) == {"late"}


def test_work_behind_a_sleep_starts_when_the_sleep_is_over_and_not_before() -> None:
    def found(sleep_ms: int) -> set[str]:
        story = clean()
        story.history = [entry for entry in story.history if entry["kind"] != "fault"]
        declared = next(entry for entry in story.history if entry["kind"] == "declared")
        declared["sleep_ms"] = sleep_ms
        for second in range(31):
            story.late(second)
        return kinds(ticks, story)

    assert found(3_500) == set()
    assert found(4_100) == {"cut-short"}
    assert found(100) == {"late"}


def test_a_tick_that_is_decided_in_a_pause_ahead_of_its_instant_is_skipped() -> None:
    def found(decided_s: float) -> set[str]:
        story = clean()
        paused(story, PULSE, 103.5, 104.8)
        skipped(story, 5)
        story.tick(5)["decided_at"] = instant(decided_s)
        return kinds(ticks, story)

    assert found(104.7) == set()
    assert found(104.95) == {"bad-skipped"}


# -- results


def test_a_payload_fails_as_it_says_it_does() -> None:
    def found(state: str, exit_code: int, says: int) -> set[str]:
        story = clean()
        declared = next(entry for entry in story.history if entry["kind"] == "declared")
        declared["exit_code"] = says
        for second in range(31):
            ending = (state, exit_code) if second == 5 else ("failed", says)
            _ended(story, second, *(ending if says or second == 5 else ("succeeded", 0)))
        return kinds(results, story)

    assert found("failed", 3, says=3) == set()
    assert found("failed", 4, says=3) == {"failed-without-cause"}
    assert found("failed", 3, says=0) == {"failed-without-cause"}
    assert "wrong-exit" in found("succeeded", 0, says=3)


def test_who_does_not_make_what_it_is_there_for_has_failed_with_a_good_exit() -> None:
    def found(state: str, exit_code: int) -> set[str]:
        story = clean()
        declared = next(entry for entry in story.history if entry["kind"] == "declared")
        declared["unmade"] = True
        for second in range(31):
            _ended(story, second, *((state, exit_code) if second == 5 else ("failed", 0)))
        return kinds(results, story)

    assert found("failed", 0) == set()
    assert found("failed", 1) == {"failed-without-cause"}
    assert found("succeeded", 0) == {"unmade"}


def test_a_mark_is_what_the_payload_gives() -> None:
    def found(
        word: str, says: dict[str, list[int]], *, warned: bool = False, task: str = "succeeded"
    ) -> set[str]:
        story = clean()
        declared = next(entry for entry in story.history if entry["kind"] == "declared")
        declared.update(exit_code=4, exit=says)
        for second in range(31):
            _ended(story, second, "succeeded", 4)
            story.run(second)["tasks"]["main"]["state"] = "skipped" if word == "skip" else "succeeded"
            story.run(second)["warned"] = word == "warn"
        story.run(5)["warned"] = warned
        story.run(5)["tasks"]["main"]["state"] = task
        return kinds(results, story)

    assert found("warn", {"warn": [4]}, warned=True) == set()
    assert found("warn", {"warn": [4]}) == {"wrong-mark"}
    assert found("skip", {"skip": [4]}, task="skipped") == set()
    assert found("skip", {"skip": [4]}, task="skipped", warned=True) == {"wrong-mark"}
    assert found("skip", {"skip": [4]}) == {"wrong-mark"}


def _ended(story: Story, second: int, state: str, exit_code: int) -> None:
    """By everybody's word."""
    run = story.run(second)
    run.update(state=state, exit_code=exit_code)
    run["tasks"]["main"]["attempts"][0].update(state=state, exit_code=exit_code)
    for events in story.events.values():
        for event in events:
            if event["event"] in ("run_ended", "attempt_ended") and event["run"] == second:
                event.update(state=state, exit_code=exit_code)


def test_a_manual_run_waits_for_a_pause_and_for_nothing_else() -> None:
    def found(resumed_s: float | None) -> set[str]:
        story = clean()
        story.history = [entry for entry in story.history if entry["kind"] != "fault"]
        if resumed_s is not None:
            paused(story, ALL, 102.5, resumed_s, until_ms=ZERO_MS + 60_000)
        for _ in range(2):
            story.late(900)
        return kinds(results, story)

    assert found(109.0) == set()
    assert found(104.0) == {"late"}
    assert found(None) == {"late"}


# -- agents that drain, and everything


def test_nothing_is_granted_to_an_agent_that_was_drained() -> None:
    story = clean()
    paused(story, AGENT, 104.5, 105.5)

    assert "granted-while-drained" in kinds(held, story)


@pytest.mark.parametrize(("of", "kind"), [(AGENT, "drained"), (ALL, "paused")])
def test_nothing_starts_where_nothing_should(of: dict[str, str], kind: str) -> None:
    story = clean()
    for second in range(20, 31):  # by its own word it was granted long before
        story.run(second)["tasks"]["main"]["attempts"][0]["granted"] = instant(101)
    paused(story, of, 121.5, 124.5)

    assert kinds(held, story) == {f"started-while-{kind}"}


@pytest.mark.parametrize("action", ["agent-stopped", "follower-killed"])
@pytest.mark.parametrize("of", [AGENT, ALL], ids=lambda of: str(of["of"]))
def test_what_was_under_way_or_held_up_by_a_fault_may_start(of: dict[str, str], action: str) -> None:
    def found(since_s: float, forgotten: range) -> set[str]:
        story = clean()
        for second in range(20, 31):
            story.run(second)["tasks"]["main"]["attempts"][0]["granted"] = instant(101)
        for second in forgotten:
            story.forget(second)
        paused(story, of, since_s, 125.5)
        if not forgotten:
            story.fault(since_s - 1.0, since_s + 0.2, action)
        return kinds(held, story)

    assert found(121.5, range(23, 26)) == set()
    assert found(123.5, range(0)) == set()


@pytest.mark.parametrize("outcome", ["fail", "info"])
def test_a_drain_that_nobody_acknowledged_proves_nothing(outcome: str) -> None:
    story = clean()
    paused(story, AGENT, 104.5, 108.5, outcome)

    assert kinds(held, story) == set()


# -- boots


def booted(story: Story, number: int = 700, key: str = "7/installation/boot", **facts: Any) -> None:
    run = {**story.run(25), "id": number, "job": "boot", "cause": "startup", "cause_key": key, **facts}
    story.final["runs"].append(run)


def hosts() -> Story:
    """A host is lost and comes back; its boot runs."""
    story = clean()
    story.operation(99.7, "declare", "ok", {"job": "boot", "boots": True}, status=201)
    lost = {"kind": "kill", "processes": ["agent-1/host"]}
    story.fault(114.0, 116.0, "agent-host-lost", fault=lost)
    booted(story)
    return story


def came(story: Story, at_s: float) -> None:
    """What a node told of the agent of that host."""
    told = {"t": at_s, "event": "agent_connected", "name": "agent-1", "zone": "zone-a", "id": "9000.0"}
    next(iter(story.events.values())).append(told)


def test_each_boot_has_its_run() -> None:
    assert kinds(boots, hosts()) == set()


@pytest.mark.parametrize(
    ("kind", "bug"),
    [
        ("booted-twice", lambda s: booted(s, 701)),
        ("never-booted", lambda s: booted(s, 701, "7/installation/another")),
        ("never-booted", lambda s: s.run(700).update(cause="tick")),
        ("boot-without-run", lambda s: s.final["runs"].remove(s.run(700))),
        ("boot-without-run", lambda s: s.run(700).update(created=instant(110))),
        ("boot-without-run", lambda s: s.run(700)["tasks"].clear()),
        (
            "boot-without-run",
            lambda s: s.history.append({"t": 115.0, "kind": "visitor", "name": "visitor-1", "what": "came"}),
        ),
    ],
)
def test_a_boot_that_ran_twice_or_never_was_or_did_not_run(kind: str, bug: Callable[[Story], Any]) -> None:
    story = hosts()
    bug(story)

    assert kind in kinds(boots, story)


def test_a_boot_in_a_pause_of_everything_or_before_another_fault_need_not_run() -> None:
    story = hosts()
    story.final["runs"].remove(story.run(700))
    paused(story, ALL, 116.5, 117.5)
    assert kinds(boots, story) == set()
    came(story, 115.2)
    assert kinds(boots, story) == set()

    story = hosts()
    story.final["runs"].remove(story.run(700))
    story.fault(122.0, 123.0, "agent-killed")
    assert kinds(boots, story) == set()


@pytest.mark.parametrize(("since_s", "until_s"), [(111.0, 113.5), (118.0, 119.5)])
def test_a_pause_before_an_agent_came_or_later_is_no_excuse(since_s: float, until_s: float) -> None:
    story = hosts()
    story.final["runs"].remove(story.run(700))
    came(story, 115.2)
    paused(story, ALL, since_s, until_s)

    assert "boot-without-run" in kinds(boots, story)


def test_a_boot_in_a_pause_has_an_entry_of_the_ledger() -> None:
    story = hosts()
    story.final["runs"].remove(story.run(700))
    came(story, 115.2)
    paused(story, ALL, 114.5, 117.5)
    story.final["boots"] = []
    assert kinds(boots, story) == {"boot-unheard"}

    story.final["boots"] = [{"cause_key": "7/installation/boot", "outcome": "skipped", "reason": "paused"}]
    assert kinds(boots, story) == set()


# -- notices


def telling() -> Story:
    """Run 5 fails, and somebody hears of it, twice."""
    story = clean()
    story.operation(99.7, "declare", "ok", {"job": "pulse", "tells": True}, status=201)
    _ended(story, 5, "failed", 3)
    heard = {"kind": "heard", "run": 5, "notice": "msg_1", "sha256": "aa"}
    story.history += [{"t": 106.0, **heard}, {"t": 108.0, **heard}]
    return story


def test_each_failure_is_told() -> None:
    assert kinds(notices, telling()) == set()


def test_what_waits_in_the_outbox_was_not_lost() -> None:
    story = telling()
    story.history = [entry for entry in story.history if entry["kind"] != "heard"]
    assert kinds(notices, story) == {"untold-failure"}

    story.final["outbox"] = [{"id": 1, "run": 5}]
    assert kinds(notices, story) == set()


@pytest.mark.parametrize(
    ("kind", "bug"),
    [
        ("told-of-nothing", lambda s: s.history[-1].update(run=6)),
        ("told-otherwise", lambda s: s.history[-1].update(notice="msg_2")),
        ("told-otherwise", lambda s: s.history[-1].update(sha256="bb")),
        ("untold-failure", lambda s: _ended(s, 7, "failed", 3)),
    ],
)
def test_a_notice_that_is_missing_or_wrong(kind: str, bug: Callable[[Story], Any]) -> None:
    story = telling()
    bug(story)

    assert kinds(notices, story) == {kind}


# -- secrets


def keeping() -> Story:
    """The load has a secret, and its files were looked through."""
    story = clean()
    story.history.append({**next(e for e in story.history if e["kind"] == "declared"), "name": "secret"})
    found = ["agent-1/data/output/0/1.log"]
    story.final["secrets"] = {"leaks": [], "masks": found, "controls": ["node-1/data/state.db", *found]}
    return story


def test_a_secret_that_is_masked_and_nowhere_else() -> None:
    assert secrets.check(clean().case()).verdict == "pass"
    assert secrets.check(keeping().case()).verdict == "pass"


@pytest.mark.parametrize(
    ("found", "verdict", "kind"),
    [
        ({"leaks": ["node-2/data/log/1.segment"]}, "violation", {"leak"}),
        ({"masks": []}, "violation", {"mask"}),
        ({"controls": []}, "invalid", set()),
    ],
)
def test_a_secret_in_clear_or_nothing_that_was_seen(found: Any, verdict: str, kind: set[str]) -> None:
    story = keeping()
    story.final["secrets"] |= found

    assert secrets.check(story.case()).verdict == verdict
    assert {offence.kind for offence in secrets.check(story.case()).offences} == kind


def test_every_file_is_looked_through(tmp_path: Path) -> None:
    (tmp_path / "root" / "data").mkdir(parents=True)
    (tmp_path / "root" / "data" / "out.log").write_bytes(leaks.MASK + b"\n" + leaks.CONTROL)
    (tmp_path / "root" / "state.db").write_bytes(b"\0" + leaks.value_of(7).encode())
    leaks.look(tmp_path / "root", 7, tmp_path / "final")

    assert json.loads((tmp_path / "final" / leaks.FINAL).read_text()) == {
        "leaks": ["state.db"], "masks": ["data/out.log"], "controls": ["data/out.log"],
    }  # fmt: skip


# -- liveness and vacuity


def test_silence_is_excused_for_as_long_as_everything_was_paused() -> None:
    def found(resumed_s: float) -> set[str]:
        story = clean()
        story.history = [entry for entry in story.history if entry["kind"] != "fault"]
        for second in range(3, 4 + round(1.5 * SILENCE_S)):
            story.forget(second)
        paused(story, ALL, 103.0, resumed_s)
        return kinds(liveness, story)

    assert found(103.0 + SILENCE_S) == set()
    assert found(104.0) == {"silence"}


def test_the_first_tick_behind_the_healing_may_wait_for_a_pause() -> None:
    def found(*, is_paused: bool) -> set[str]:
        story = clean()
        for second in range(15, 30):
            story.forget(second)
        if is_paused:
            paused(story, ALL, 120.1, 127.0)
            paused(story, ALL, 114.0, 120.0)
        return kinds(liveness, story)

    assert "no-tick" in found(is_paused=False)
    assert found(is_paused=True) == set()


def test_too_few_pauses_are_invalid_and_those_of_the_end_do_not_count() -> None:
    story = clean()
    story.plan["minimum"] = {"pauses": 1}
    story.operation(133, "pause", "ok", PULSE)
    story.history[-2]["process"] = "settler"
    assert kinds(vacuity, story) == {"too-little"}

    paused(story, ALL, 104.5, 105.5)
    assert kinds(vacuity, story) == set()
