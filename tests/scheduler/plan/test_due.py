"""Ticks from the planner through the machine, under a virtual clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from scheduler.model import CompiledJob, by_revision, compile_job, parse_job, prepare
from scheduler.model.by_revision import CompiledJobs
from scheduler.plan import Limits, PlanCache, plan, wake_ms
from scheduler.ticks import cron_spec
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job

MINUTE_MS = 60_000
HOUR_MS = 3_600_000


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


def ran(story: Story) -> list[str]:
    """The UTC instants of the ticks that ran."""
    return [
        datetime.fromtimestamp(row[0] / 1_000, UTC).strftime("%m-%dT%H:%M")
        for row in story.store.rows("SELECT first_ms FROM ledger WHERE outcome = 'ran' ORDER BY seq")
    ]


def agrees(story: Story) -> None:
    verdict = verify(story.store, 0, story.now_ms, now_ms=story.now_ms)
    assert verdict.ok, verdict.problems
    assert verdict.overdue == 0


def test_a_tick_fires_lead_ahead_and_is_placed_at_once(story: Story) -> None:
    agent = story.connect()
    story.put(job(trigger={"cron": "* * * * *"}))
    story.now_ms = START_MS + MINUTE_MS - 51
    assert plan(story.store, story.now_ms, epoch=1, lead_ms=50) == []
    assert wake_ms(story.store, lead_ms=50) == START_MS + MINUTE_MS - 50
    story.now_ms += 1
    due_ms = START_MS + MINUTE_MS
    fire = c.Fire(1, 1, due_ms, due_ms + MINUTE_MS, agent)
    assert plan(story.store, story.now_ms, epoch=1, lead_ms=50) == [fire]


def test_the_cache_changes_no_plan(story: Story) -> None:
    story.put(job(trigger={"cron": "*/5 * * * * *"}, policies={"overlap": "allow"}))
    for second in range(0, 600, 3):
        story.now_ms = START_MS + second * 1_000
        cold = plan(story.store, story.now_ms, epoch=1, lead_ms=50, cache=PlanCache())
        warm = plan(story.store, story.now_ms, epoch=1, lead_ms=50, cache=story.cache)
        # A plan may be made again before anything of it was applied.
        assert plan(story.store, story.now_ms, epoch=1, lead_ms=50, cache=story.cache) == warm == cold
        if warm and second % 2:
            story.tell_ok(*warm)


MARS = b'{"cron":"* * * * *","dst":"mars","tz":"UTC"}'


@pytest.mark.parametrize("spec", [MARS, b"", b"[]", b"9" * 5_000, b"[" * 100_000, b'{"cron":"* * *"}'])
@pytest.mark.parametrize("late_ms", [0, HOUR_MS])
@pytest.mark.parametrize("mode", ["latest", "all"])
def test_a_schedule_that_cannot_be_read_here_stops_no_other(
    story: Story, spec: bytes, late_ms: int, mode: str
) -> None:
    fields: dict[str, Any] = {"trigger": {"cron": "* * * * *"}, "policies": {"catchup": {"mode": mode}}}
    story.connect()
    odd = prepare(parse_job(job("odd", **fields)), START_MS)
    odd = replace(odd, triggers=(replace(odd.triggers[0], spec=spec),))
    story.tell_ok(c.PutJobs((odd, prepare(parse_job(job("good", **fields)), START_MS)), START_MS))
    story.now_ms = START_MS + MINUTE_MS + late_ms
    story.settle()
    assert story.store.rows("SELECT DISTINCT name, state FROM runs") == [("good", "succeeded")]
    assert list(story.cache.unreadable) == [spec]
    verdict = verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms)
    assert [each.kind for each in verdict.problems] == ["unreadable"]
    wakes_ms = wake_ms(story.store, cache=story.cache)
    assert wakes_ms is not None
    assert wakes_ms > story.now_ms, "what stays due would have the planner be late for all others"
    # A leader that can read it loses none of its ticks.
    readable = cron_spec("* * * * *")
    story.store.execute("UPDATE triggers SET spec = ? WHERE spec = ?", (readable, spec))
    story.settle()
    assert story.store.rows("SELECT DISTINCT name, state FROM runs ORDER BY name") == [
        ("good", "succeeded"),
        ("odd", "succeeded"),
    ]
    agrees(story)


def test_schedules_that_cannot_be_read_take_no_room_of_a_small_plan(story: Story) -> None:
    every = {"trigger": {"cron": "* * * * *"}}
    odd = [prepare(parse_job(job(f"odd-{n}", **every)), START_MS) for n in range(20)]
    odd = [replace(each, triggers=(replace(each.triggers[0], spec=MARS),)) for each in odd]
    good = prepare(parse_job(job("good", **every)), START_MS)
    story.tell_ok(c.PutJobs((*odd, good), START_MS))
    story.now_ms = START_MS + MINUTE_MS
    small = Limits(commands=8)

    for _ in range(2):  # the first finds out
        planned = plan(story.store, story.now_ms, epoch=1, lead_ms=0, limits=small, cache=story.cache)

    assert [type(command) for command in planned] == [c.Fire]


def test_late_ticks_within_the_grace_fire_each_on_its_own(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"cron": "*/10 * * * * *"}, policies={"overlap": "allow"}))
    story.now_ms = START_MS + 55_000
    story.settle()
    assert story.runs() == [("tick", "succeeded")] * 5
    agrees(story)


def test_jitter_shifts_the_firing_and_not_the_tick(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"cron": "0 * * * *", "jitter": "10m"}))
    (trigger,) = story.triggers()
    assert 0 < trigger.jitter_ms < 600_000
    due_ms = START_MS + HOUR_MS
    story.now_ms = due_ms + trigger.jitter_ms - 1
    assert story.plan() == []
    story.now_ms += 1
    story.settle()
    assert story.store.rows("SELECT tick_ms, due_ms FROM runs") == [(due_ms, due_ms + trigger.jitter_ms)]
    agrees(story)


@pytest.mark.parametrize(
    ("catchup", "runs", "entries"),
    [
        (
            {"mode": "latest"},
            [("catchup", "succeeded"), ("tick", "succeeded")],
            {("coalesced", ""): 57, ("ran", ""): 3},
        ),
        ({"mode": "none"}, [("tick", "succeeded")], {("missed", "window"): 58, ("ran", ""): 2}),
        (
            {"mode": "all", "max": 3},
            [("catchup", "succeeded")] * 3 + [("tick", "succeeded")],
            {("missed", "buffer_full"): 55, ("ran", ""): 5},
        ),
        (
            {"mode": "latest", "window": "30m"},
            [("catchup", "succeeded"), ("tick", "succeeded")],
            {("missed", "window"): 29, ("coalesced", ""): 28, ("ran", ""): 3},
        ),
        (
            {"mode": "all", "max": 100, "window": "10m"},
            [("catchup", "succeeded")] * 9 + [("tick", "succeeded")],
            {("missed", "window"): 49, ("ran", ""): 11},
        ),
    ],
    ids=["latest", "none", "all", "latest in a window", "all in a window"],
)
def test_catch_up_after_an_outage_of_an_hour(
    story: Story,
    catchup: dict[str, Any],
    runs: list[tuple[str, str]],
    entries: dict[tuple[str, str], int],
) -> None:
    story.connect()
    story.put(job(trigger={"cron": "* * * * *"}, policies={"catchup": catchup, "overlap": "allow"}))
    # One tick before the outage; at its end the newest is 30 s late, and fires as a live one.
    story.now_ms = START_MS + MINUTE_MS
    story.settle()
    story.now_ms = START_MS + HOUR_MS + 30_000
    story.settle()
    assert sorted(story.runs()[1:]) == sorted(runs)
    counted: dict[tuple[str, str], int] = {}
    for _, count, outcome, reason in story.ledger():
        counted[outcome, reason] = counted.get((outcome, reason), 0) + count
    assert counted == entries
    agrees(story)


def test_what_is_coalesced_names_the_tick_that_runs(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"cron": "* * * * *"}))
    story.now_ms = START_MS + HOUR_MS + 30_000
    story.settle()
    (into_ms,) = story.store.rows("SELECT into_ms FROM ledger WHERE outcome = 'coalesced'")[0]
    run = story.store.row("SELECT cause, tick_ms FROM runs WHERE cause = 'catchup'")
    assert run == ("catchup", into_ms)


def test_a_tick_that_others_were_coalesced_into_runs_also_when_its_turn_comes_later(story: Story) -> None:
    """A plan had no room for it, or its leader was lost before the Fire; by then newer ones are missed."""
    story.connect()
    policies = {"catchup": {"mode": "latest", "grace": "3s"}, "overlap": "allow"}
    story.put(job(trigger={"every": "1s"}, policies=policies))
    story.now_ms = START_MS + MINUTE_MS
    (ended,) = story.plan(limits=Limits(catchup_fires=0))
    assert isinstance(ended, c.Account)
    story.tell_ok(ended)

    story.now_ms += MINUTE_MS // 2
    story.settle()

    ran = {tick_ms for (tick_ms,) in story.store.rows("SELECT tick_ms FROM runs WHERE cause = 'catchup'")}
    into = {into_ms for (into_ms,) in story.store.rows("SELECT into_ms FROM ledger WHERE into_ms > 0")}
    assert ended.into_ms in into
    assert into == ran
    agrees(story)


@pytest.mark.parametrize("mode", ["all", "none"])
@pytest.mark.parametrize("overlap", ["allow", "skip"])
def test_a_tick_that_others_were_coalesced_into_runs_also_under_an_edit(
    story: Story, mode: str, overlap: str
) -> None:
    """The edit comes between the entry that promises it and the one that fires it."""
    story.connect()
    story.put(job(trigger={"every": "1s"}, policies={"catchup": {"mode": "latest", "grace": "3s"}}))
    story.now_ms = START_MS + MINUTE_MS
    (ended,) = story.plan(limits=Limits(catchup_fires=0))
    assert isinstance(ended, c.Account)
    story.tell_ok(ended)
    catchup = {"mode": mode, "max": 2, "grace": "3s"}
    story.put(job(trigger={"every": "1s"}, policies={"catchup": catchup, "overlap": overlap}))

    story.now_ms += MINUTE_MS // 2
    for _ in range(5):
        story.settle()

    ran = [tick_ms for (tick_ms,) in story.store.rows("SELECT tick_ms FROM runs WHERE cause = 'catchup'")]
    assert ran[0] == ended.into_ms
    assert len(ran) == (3 if mode == "all" else 1)
    agrees(story)


def test_a_start_deadline_counts_from_the_decision_to_catch_up(story: Story) -> None:
    story.put(job(trigger={"cron": "0 * * * *"}, policies={"start_deadline": "10m"}))
    story.now_ms = START_MS + HOUR_MS + 30 * MINUTE_MS
    story.settle()
    assert story.run(1).deadline_ms == story.now_ms + 10 * MINUTE_MS
    story.now_ms += 10 * MINUTE_MS + 1
    story.settle()
    assert story.ledger() == [(3_600, 1, "missed", "deadline")]


def test_a_backlog_is_worked_off_in_bounded_plans_behind_live_ticks(story: Story) -> None:
    story.connect(slots=1_000)
    behind = {"mode": "all", "max": 500, "grace": "1s"}
    story.put(
        *[
            job(
                f"behind-{n}", trigger={"cron": "* * * * *"}, policies={"catchup": behind, "overlap": "allow"}
            )
            for n in range(3)
        ]
    )
    story.now_ms = START_MS + 5 * HOUR_MS
    story.put(job("live", trigger={"cron": "* * * * * *"}))
    story.now_ms += 1_000
    first = story.plan(limits=Limits(catchup_fires=50))
    assert isinstance(first[0], c.Fire)
    assert first[0].trigger == 4
    assert sum(isinstance(command, c.Fire) and command.catchup for command in first) <= 50
    story.settle(limits=Limits(catchup_fires=50))
    # The newest of each is 1 s old, so it still fires as a live one.
    assert sum(cause == "catchup" for cause, _ in story.runs()) == 3 * 299
    agrees(story)


def test_a_long_gap_of_a_busy_trigger_is_a_few_entries(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"cron": "* * * * * *"}, policies={"catchup": {"mode": "latest", "window": "1h"}}))
    story.now_ms = START_MS + 24 * HOUR_MS
    story.settle()
    assert story.store.value("SELECT sum(count) FROM ledger WHERE reason = 'window'") == 23 * 3_600 - 1
    assert story.store.value("SELECT count(*) FROM ledger WHERE outcome <> 'ran'") < 150
    agrees(story)


def test_a_pause_gives_no_surprise_on_resume(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"cron": "* * * * *"}))
    story.tell_ok(c.PauseJob("default", "j"))
    story.now_ms = START_MS + HOUR_MS + 30_000
    story.settle()
    story.tell_ok(c.ResumeJob("default", "j"))
    story.settle()
    assert story.runs() == []
    assert {(outcome, reason) for _, _, outcome, reason in story.ledger()} == {("skipped", "paused")}
    story.now_ms += MINUTE_MS
    story.settle()
    assert story.runs() == [("tick", "succeeded")]
    agrees(story)


def test_a_week_in_which_the_clocks_go_forward(tmp_path: Any) -> None:
    # Berlin, 28 March 2027: 02:00 to 03:00 does not exist.
    story = Story(tmp_path / "s.db", now_ms=ms("2027-03-26T00:00"))
    story.lead()
    story.connect()
    story.put(job(trigger={"cron": "30 2 * * *", "tz": "Europe/Berlin"}))
    while story.now_ms < ms("2027-03-31T00:00"):
        story.now_ms += HOUR_MS // 2
        story.settle()
    assert ran(story) == ["03-26T01:30", "03-27T01:30", "03-28T01:00", "03-29T00:30", "03-30T00:30"]
    agrees(story)
    story.close()


def test_a_week_in_which_the_clocks_go_back(tmp_path: Any) -> None:
    # Berlin, 31 October 2027: 02:00 to 03:00 comes twice; a fixed time runs at the first.
    story = Story(tmp_path / "s.db", now_ms=ms("2027-10-29T12:00"))
    story.lead()
    story.connect()
    story.put(job(trigger={"cron": "30 2 * * *", "tz": "Europe/Berlin"}))
    while story.now_ms < ms("2027-11-02T00:00"):
        story.now_ms += HOUR_MS // 2
        story.settle()
    assert ran(story) == ["10-30T00:30", "10-31T00:30", "11-01T01:30"]
    agrees(story)
    story.close()


def test_a_new_leader_continues_from_the_watermark(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"cron": "* * * * * *"}, policies={"overlap": "allow"}))
    story.now_ms = START_MS + 3_000
    deposed = story.plan()
    story.lead()
    assert {outcome.code for outcome in story.tell(*deposed)} == {"stale_epoch"}
    story.now_ms = START_MS + 5_000
    story.cache = PlanCache()
    story.settle()
    assert [tick for tick, *_ in sorted(story.ledger())] == [1, 2, 3, 4, 5]
    agrees(story)


def test_an_at_trigger_fires_once_and_is_done(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"at": "2027-01-15T09:00:00Z"}))
    story.now_ms = START_MS + 2 * HOUR_MS
    story.settle()
    assert story.runs() == [("catchup", "succeeded")]
    assert story.triggers()[0].next_due_ms is None
    assert wake_ms(story.store) is None


def test_large_jobs_are_read_over_several_plans_and_once(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs beyond what is kept compiled were read anew for every tick: thirty took each plan some seconds."""
    story.cache = PlanCache(CompiledJobs(weight_max=100), read_weight_max=60)
    read: list[bytes] = []

    def compiled(spec: bytes) -> CompiledJob:
        read.append(spec)
        return compile_job(spec)

    monkeypatch.setattr(by_revision, "compile_job", compiled)
    tasks = {f"t{number}": {"noop": True} for number in range(50)}
    names = [f"large-{number}" for number in range(6)]
    story.put(*[job(name, trigger={"every": "1s", "id": "t"}, tasks=tasks) for name in names])
    story.now_ms += 1_000
    each = []
    for _ in range(4):
        before = len(read)
        story.plan_and_apply()
        each.append(len(read) - before)
    assert each == [2, 2, 2, 0]
    assert len(story.runs()) == 6
    story.now_ms += 1_000
    story.plan_and_apply()
    assert len(read) == 6
    assert len(story.ledger()) == 6  # skipped: the first runs are in the way


@pytest.mark.parametrize("led", [True, False], ids=["somebody led in the pause", "nobody led in the pause"])
@pytest.mark.parametrize("overlap", ["allow", "skip"])
def test_what_is_due_after_the_end_of_a_jobs_pause_was_not_in_it_whenever_the_leader_comes(
    story: Story, led: bool, overlap: str
) -> None:
    story.connect()
    hourly = job(trigger={"every": "1h"}, policies={"catchup": {"mode": "all"}, "overlap": overlap})
    story.put(hourly)
    end_ms = START_MS + 90 * MINUTE_MS
    story.tell_ok(c.PauseJob("default", "j", until_ms=end_ms))
    if led:
        story.now_ms = START_MS + HOUR_MS
        story.settle()
    story.now_ms = end_ms + 70 * MINUTE_MS  # nobody led when it ended
    story.lead()
    for _ in range(5):
        story.settle()

    assert [(first, *rest) for first, _, *rest in story.ledger()] == [
        (3_600, "skipped", "paused"), (7_200, "ran", ""),
    ]  # fmt: skip
    agrees(story)
