"""Dates among the parameters of runs: counted once, when the run is made, by what holds then."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduler.explain import Cluster, Explained, explain_instant
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words.outcomes import Code
from scheduler.words.record import Actor
from tests.scheduler.story import START_MS, Story, job

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ANN = Actor("ann")
HOURLY = {"every": "1h", "id": "t"}
DE = {"calendar": "de", "exclude": ["01-14", "01-15"]}  # the story begins on Friday, 2027-01-15
DAY = {"type": "date", "default": "plan_date - 1 workday"}
FAR = {"type": "date", "default": "plan_date + 3000 days next workday"}


def put(story: Story, *, calendar: Any = DE, params: Any = None, **fields: Any) -> None:
    policies = {"calendar": "de", **fields.pop("policies", {})}
    outcome = story.apply(calendar, job(params=params or {"day": DAY}, policies=policies, **fields))
    assert outcome.ok, outcome


def params(story: Story, run: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(story.run(run).params)
    return found


def newest(story: Story) -> dict[str, Any]:
    return params(story, story.machine.state.last_run)


def start(story: Story, given: bytes = b'{"day":"plan_date - 1 workday"}', **fields: Any) -> int:
    return int(story.value(c.RunJob("default", "j", given, story.now_ms, **fields), "run"))


def later(story: Story, hours: float) -> None:
    story.now_ms += int(hours * HOUR_MS)
    story.settle()


def test_a_tick_s_run_has_the_dates_of_its_plan_date(story: Story) -> None:
    story.connect()
    put(story, trigger=HOURLY, params={"day": DAY, "at": {"type": "datetime", "default": "tick - 1 day"}})
    later(story, 1)
    assert newest(story) == {"day": "2027-01-13", "at": "2027-01-14T09:00:00Z"}
    later(story, 16)
    assert newest(story)["day"] == "2027-01-13"  # Saturday: Thursday and Friday are off
    assert verify(story.store, 0, story.now_ms, now_ms=story.now_ms).ok


def test_a_trigger_says_other_dates_than_the_default(story: Story) -> None:
    story.connect()
    put(story, trigger={**HOURLY, "params": {"day": "month_start"}})
    later(story, 1)
    assert newest(story) == {"day": "2027-01-01"}


def test_a_person_s_run_counts_from_its_plan_date_and_now(story: Story) -> None:
    put(story, params={"day": DAY, "at": {"type": "datetime"}})
    given = b'{"day":"plan_date - 1 workday","at":"tick + 90 minutes"}'
    run = start(story, given, plan_day=START_MS // DAY_MS + 10)  # Monday, 25 January
    assert params(story, run) == {"day": "2027-01-22", "at": "2027-01-15T09:30:00Z"}


def test_a_written_date_stays_and_an_instant_is_told_in_utc(story: Story) -> None:
    put(story, params={"day": DAY, "at": {"type": "datetime"}})
    run = start(story, b'{"day":"2026-02-28","at":"2026-12-31T23:00:00+01:00"}')
    assert params(story, run) == {"day": "2026-02-28", "at": "2026-12-31T22:00:00Z"}


def test_an_edit_of_the_calendar_counts_for_runs_from_then_on(story: Story) -> None:
    put(story)
    before = start(story)
    assert story.apply({"calendar": "de", "exclude": ["01-15"]}).ok
    after = start(story)
    assert (params(story, before)["day"], params(story, after)["day"]) == ("2027-01-13", "2027-01-14")


def test_each_instant_of_a_backfill_has_its_own_dates(story: Story) -> None:
    story.connect()
    put(story, trigger={"every": "1d", "id": "t", "start": "2026-01-01T06:00:00Z"})
    until_ms = START_MS - 2 * HOUR_MS
    told = c.StartBackfill(
        "default", "j", "t", until_ms - 3 * DAY_MS, until_ms, instants=3, active_max=1, actor=ANN
    )
    assert story.one(told).ok
    story.settle()
    days = [params(story, run)["day"] for run in range(1, 4)]
    assert days == ["2027-01-12", "2027-01-13", "2027-01-13"]


def test_a_backfill_ends_where_a_date_is_not_known(story: Story) -> None:
    story.connect()
    put(story, trigger={"every": "1d", "id": "t", "start": "2026-01-01T06:00:00Z"}, params={"day": FAR})
    told = c.StartBackfill(
        "default", "j", "t", START_MS - 3 * DAY_MS, START_MS, instants=3, active_max=1, actor=ANN
    )
    number = int(story.value(told, "backfill"))
    story.settle()
    row = story.store.row("SELECT state, why, made FROM backfills WHERE id = ?", (number,))
    assert row is not None
    assert (row[0], row[2]) == ("cancelled", 0)
    assert "calendar default/de knows days until 2032-12-31" in row[1]


def test_a_rerun_keeps_the_dates_of_its_run(story: Story) -> None:
    story.connect()
    put(story)
    run = start(story)
    story.settle()
    story.now_ms += 40 * DAY_MS
    again = story.value(c.RerunRun(run, story.run(run).params.encode(), story.now_ms), "run")
    assert params(story, int(again)) == params(story, run) == {"day": "2027-01-13"}


def test_a_nested_run_has_the_plan_date_of_its_parent(story: Story) -> None:
    story.connect()
    put(story, params={"day": {"type": "date"}})
    parent = job("p", tasks={"a": {"job": {"name": "j", "params": {"day": "month_end"}}}})
    story.put(parent)
    story.value(c.RunJob("default", "p", b"{}", story.now_ms, plan_day=START_MS // DAY_MS + 40), "run")
    story.settle()
    assert newest(story) == {"day": "2027-02-28"}


def test_a_nested_run_whose_dates_are_not_known_fails_its_task(story: Story) -> None:
    story.connect()
    put(story, params={"day": {"type": "date"}})
    said = "plan_date + 3000 days next workday"
    story.put(job("p", tasks={"a": {"job": {"name": "j", "params": {"day": said}}}}))
    run = int(story.value(c.RunJob("default", "p", b"{}", story.now_ms), "run"))
    story.settle()
    assert story.run(run).state == "failed"
    (reason,) = story.store.row("SELECT reason FROM tasks WHERE run = ?", (run,)) or ("",)
    assert "calendar default/de knows days until 2032-12-31" in reason


def test_a_run_that_a_person_asks_for_is_refused_with_the_reason(story: Story) -> None:
    put(story, params={"day": FAR})
    outcome = story.one(c.RunJob("default", "j", b'{"day":"+ 3000 days next workday"}', START_MS))
    assert outcome.code == Code.INVALID
    assert outcome.detail == (
        "day (+ 3000 days next workday): whether 2035-04-04 is a workday is not known:"
        " calendar default/de knows days until 2032-12-31"
    )
    assert story.runs() == []


def test_what_leaves_the_years_that_there_are_is_refused_or_missed(story: Story) -> None:
    story.connect()
    put(story, trigger=HOURLY, params={"at": {"type": "datetime", "default": "+ 7000 years"}})
    outcome = story.one(c.RunJob("default", "j", b'{"at":"- 100 years"}', story.now_ms))
    assert (outcome.code, "leaves the years" in outcome.detail) == (Code.INVALID, True)
    later(story, 1)
    assert [each[2:] for each in story.ledger()] == [("missed", "params")]


def test_a_tick_whose_dates_are_not_known_is_missed_and_explained(story: Story) -> None:
    story.connect()
    put(story, trigger=HOURLY, params={"day": FAR}, policies={"overlap": "cancel_running"})
    coming = told(story, START_MS + HOUR_MS)
    assert coming["params"] == "never"
    later(story, 1)
    assert [each[2:] for each in story.ledger()] == [("missed", "params")]
    assert story.runs() == []
    assert verify(story.store, 0, story.now_ms, now_ms=story.now_ms).ok


def test_explain_tells_which_dates_a_coming_tick_will_have(story: Story) -> None:
    story.connect()
    put(story, trigger=HOURLY)
    found = explained(story, START_MS + HOUR_MS)
    (gate,) = [each for each in found.ticks[0].gates if each.gate == "params"]
    assert (gate.state, gate.reason) == ("ready", "day = 2027-01-13")


def test_the_key_of_overlap_is_of_counted_dates(story: Story) -> None:
    """Two triggers say the same day in two ways: their runs are in each other's way."""
    story.connect()
    overlap = {"max": 1, "key": "{params.day}", "then": "skip"}
    triggers = [
        {"every": "1h", "id": "a", "params": {"day": "month_start"}},
        {"every": "1h", "id": "b", "params": {"day": "plan_date - 14 days"}},
    ]
    put(story, trigger=triggers, run="true", noop=None, policies={"overlap": overlap})
    story.now_ms += HOUR_MS
    story.plan_and_apply()
    assert sorted(each[2:] for each in story.ledger()) == [("skipped", "overlap")]


@pytest.mark.parametrize(
    ("when", "state"),
    [
        ("params.day < plan_date", "succeeded"),
        ("params.day == '2027-01-13'", "succeeded"),
        ("params.day >= plan_date", "skipped"),
        ("params.at < '2027-01-15T09:00:01+01:00'", "succeeded"),
        ("params.wait > '59m'", "succeeded"),
        ("params.wait == '60m'", "succeeded"),
        ("'b' in params.hosts", "succeeded"),
        ("'c' in params.hosts", "skipped"),
        ("params.region not in params.hosts", "succeeded"),
    ],
)
def test_conditions_compare_times_as_times(story: Story, when: str, state: str) -> None:
    story.connect()
    declared: dict[str, dict[str, Any]] = {
        "day": DAY,
        "at": {"type": "datetime", "default": "2027-01-15T08:00:00.5Z"},
        "wait": {"type": "duration", "default": "1h"},
        "hosts": {"type": "list", "default": ["a", "b"]},
        "region": {"type": "enum", "enum": ["eu", 1], "default": "eu"},
    }
    put(story, params=declared, tasks={"a": {"noop": True, "when": when}})
    defaults = {name: each["default"] for name, each in declared.items()}
    run = start(story, json.dumps(defaults).encode())
    story.settle()
    assert story.tasks(run) == {"a": state}


def test_a_task_is_divided_over_a_list(story: Story) -> None:
    story.connect()
    tasks = {"a": {"noop": True, "fanout": {"foreach": "{params.hosts}"}}}
    put(story, params={"hosts": {"type": "list"}}, tasks=tasks)
    run = start(story, b'{"hosts":["x",7]}')
    story.settle()
    sql = "SELECT member, state FROM tasks WHERE run = ? AND member <> '' ORDER BY id"
    assert [tuple(row) for row in story.store.rows(sql, (run,))] == [("0", "succeeded"), ("1", "succeeded")]


def explained(story: Story, at_ms: int) -> Explained:
    cluster = Cluster(story.now_ms, "node-a", True)
    return explain_instant(story.store, [story.job().id], at_ms, cluster, story.compiled)


def told(story: Story, at_ms: int) -> dict[str, str]:
    return {each.gate: each.state for each in explained(story, at_ms).ticks[0].gates}
