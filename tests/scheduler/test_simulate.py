"""What the days to come bring, by the machine itself: what is told is what then happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from node.forecast import Asked, forecast
from scheduler.model.problems import JobError
from scheduler.simulate import Discarded, simulate
from scheduler.simulate.findings import TOLD_MAX
from scheduler.store.connection import Store
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HOURLY = {"every": "1h", "id": "t"}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    made = Story(tmp_path / "state.db")
    made.lead()
    made.connect()
    return made


def took(story: Story, minutes: int, name: str = "j") -> None:
    """One run of the job that lasted so long."""
    run = int(story.value(c.RunJob("default", name, b"{}", story.now_ms), "run"))
    story.plan_and_apply()
    attempt = story.attempts(run)[0].id
    story.claim(attempt)
    story.now_ms += minutes * 60_000
    began_ms = story.now_ms - minutes * 60_000
    story.tell_ok(c.Finish(attempt, story.attempt(attempt).agent, began_ms, story.now_ms, 0, "exit"))


def told(story: Story, tmp_path: Path, days: int = 1, *changes: Any, lose: Any = None) -> dict[str, Any]:
    story.close()
    (tmp_path / "scratch").mkdir(exist_ok=True)
    before = story.path.read_bytes()
    found = forecast(story.path, Asked(days, documents=changes, lose=lose), tmp_path / "scratch")
    assert story.path.read_bytes() == before, "it is the copy that changes"
    return found


def by_kind(found: dict[str, Any], kind: str) -> list[tuple[str, str]]:
    return [(each["subject"], each["said"]) for each in found["findings"] if each["kind"] == kind]


def test_each_tick_of_the_time_is_decided_as_the_schedules_say(story: Story) -> None:
    story.put(job(trigger=HOURLY), job("daily", trigger={"cron": "30 2 * * *", "tz": "Europe/Berlin"}))
    story.close()
    store = Store.open_alone(story.path)
    found = simulate(store, START_MS + 3 * DAY_MS)
    proof = verify(store, START_MS, START_MS + 3 * DAY_MS - 1, now_ms=START_MS + 3 * DAY_MS)
    assert (proof.problems, proof.undecided) == ([], 0)
    assert found.ticks == {"ran": 71 + 3} == +proof.outcomes
    assert (found.runs, found.without_history) == (74, 2)


def test_it_is_what_the_same_state_then_does(story: Story, tmp_path: Path) -> None:
    """More than an hour and a half each, every hour: one of two is skipped."""
    story.put(job(trigger=HOURLY))
    took(story, 95)
    other = Story(tmp_path / "then.db")
    other.lead()
    other.connect()
    other.put(job(trigger=HOURLY))
    took(other, 95)
    ends: list[tuple[int, int]] = []
    until_ms = other.now_ms + DAY_MS
    while other.now_ms < until_ms:
        other.plan_and_apply()
        for end in [each for each in ends if each[0] <= other.now_ms]:
            ends.remove(end)
            other.finish(end[1])
        for (attempt,) in other.store.rows("SELECT id FROM attempts WHERE state = 'assigned'"):
            other.claim(attempt)
            ends.append((other.now_ms + 95 * 60_000, attempt))
        other.now_ms += 5 * 60_000
    happened: dict[str, int] = {}
    for _, count, outcome, reason in other.ledger():
        said = f"{outcome}({reason})" if reason else outcome
        happened[said] = happened.get(said, 0) + count
    before = {"skipped(overlap)": 0, "ran": 0}
    for _, count, outcome, reason in story.ledger():
        before[f"{outcome}({reason})" if reason else outcome] += count

    found = told(story, tmp_path)
    assert {said: found["ticks"][said] + before[said] for said in before} == happened
    assert by_kind(found, "overlap") == [("default/j", "12 ticks are skipped: the run before goes on")]
    assert found["without_history"] == 0


def test_what_a_run_came_to_is_no_tick_more(story: Story, tmp_path: Path) -> None:
    """Of a tick's run that times out its result is an entry too."""
    story.put(job(trigger=HOURLY))
    took(story, 95)
    story.put(job(trigger=HOURLY, policies={"timeout": "10m"}))
    found = told(story, tmp_path)
    assert found["ticks"] == {"ran": found["runs"]}


def test_many_starts_at_once_are_told_with_what_spreads_them(story: Story, tmp_path: Path) -> None:
    story.put(*[job(f"j{n:02}", trigger={"cron": "0 2 * * *"}) for n in range(12)])
    found = told(story, tmp_path, 2)
    ((at, said),) = by_kind(found, "pile")
    assert (at, said.partition(":")[0]) == ("02:00:00Z", "12 runs start in one second")
    assert "H 2 * * *" in found["findings"][0]["hint"]


def test_a_zone_that_is_lost_leaves_runs_that_wait(story: Story, tmp_path: Path) -> None:
    story.put(job(trigger=HOURLY))
    found = told(story, tmp_path, lose=("zone-a", START_MS + 12 * HOUR_MS))
    ((subject, said),) = by_kind(found, "waits")
    assert subject == "default/j"
    assert said.startswith("1 run has not started at the end, the first due 2027-01-15T2")
    assert found["runs"] in (11, 12)


def test_changes_are_told_apart_from_what_was_there_before(story: Story, tmp_path: Path) -> None:
    story.put(job(trigger=HOURLY))
    took(story, 90)
    gpu = job("gpu", trigger=HOURLY, on={"pool": "gpu"}, policies={"start_deadline": "10m"})
    found = told(story, tmp_path, 1, gpu)
    assert found["new"] == ["missed default/gpu"]
    assert by_kind(found, "overlap")


def test_a_change_that_the_cluster_would_refuse_is_refused(story: Story, tmp_path: Path) -> None:
    story.put(job(trigger=HOURLY))
    with pytest.raises(JobError):
        told(story, tmp_path, 1, {"job": "x", "runs": "true"})


def test_ticks_while_the_clocks_change_are_told(story: Story, tmp_path: Path) -> None:
    story.put(job(trigger={"cron": "30 2 * * *", "tz": "Europe/Berlin", "id": "night"}))
    found = told(story, tmp_path, 80)
    ((subject, said),) = by_kind(found, "clocks")
    assert subject == "default/j"
    assert said.startswith("trigger night has 1 tick within 3 h of Europe/Berlin's clocks going forward")


def test_what_is_new_is_told_however_much_there_was_before(story: Story, tmp_path: Path) -> None:
    """Of each kind the first are told: neither what is cut is new where a file betters something, nor is what
    is new passed over."""
    slow = {"t": {"sleep": "35m"}}
    story.put(*[job(f"j{n:02}", trigger={"every": "10m"}, tasks=slow) for n in range(25)])
    better = job("j00", trigger={"every": "10m"})
    assert told(story, tmp_path, 1, better)["new"] == []
    found = told(story, tmp_path, 1, job("z", trigger=HOURLY, tasks={"t": {"sleep": "65m"}}))
    assert found["new"] == ["overlap default/z"]
    assert by_kind(found, "overlap")[0][0] == "default/z"
    assert len(by_kind(found, "overlap")) == TOLD_MAX


@pytest.mark.parametrize(
    ("zone", "after_ms", "why"),
    [
        ("zone-aa", 0, "no agent of zone 'zone-aa' is connected: those that are have 'zone-a'"),
        ("zone-a", 2 * DAY_MS, "which is not in 2027-01-15T08:00:00Z to 2027-01-16T08:00:00Z"),
    ],
)
def test_where_nothing_would_be_lost_that_is_said(
    story: Story, tmp_path: Path, zone: str, after_ms: int, why: str
) -> None:
    story.put(job(trigger=HOURLY))
    with pytest.raises(ValueError, match=why):
        told(story, tmp_path, lose=(zone, START_MS + after_ms))


def test_work_that_is_handed_on_ends_as_all_does(story: Story, tmp_path: Path) -> None:
    story.put(job(trigger=HOURLY, tasks={"t": {"run": "x", "async": {"timeout": "90m"}}}))
    found = told(story, tmp_path)
    assert (found["ticks"], found["findings"]) == ({"ran": 23}, [])


def test_what_runs_already_goes_on_for_what_it_usually_takes(story: Story, tmp_path: Path) -> None:
    story.put(job(trigger=HOURLY))
    took(story, 150)
    story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")
    story.plan_and_apply()
    for (attempt,) in story.store.rows("SELECT id FROM attempts WHERE state = 'assigned'"):
        story.claim(attempt)
    story.now_ms += 60_000
    story.put(job("other"))
    found = told(story, tmp_path)
    assert found["ticks"]["skipped(overlap)"] == 17


def test_files_are_applied_as_a_front_does(story: Story, tmp_path: Path) -> None:
    """To the namespace that is meant, with the defaults that it gives to its jobs."""
    defaults = b'{"policies":{"start_deadline":"10m"},"on":{"pool":"gpu"}}'
    story.tell_ok(c.PutNamespace("team", b"{}", defaults=defaults))
    story.close()
    (tmp_path / "scratch").mkdir()
    asked = Asked(1, documents=[job(trigger=HOURLY)], namespace="team")
    found = forecast(story.path, asked, tmp_path / "scratch")
    assert found["new"] == ["missed team/j"]


def dock(story: Story) -> None:
    story.apply({"resource": "dock"})


MIXED = [
    job("often", trigger={"every": "7s"}, policies={"overlap": "queue_one"}),
    job("long", trigger={"every": "1m"}, policies={"overlap": {"max": 2, "then": "queue_all"}}),
    job("chain", tasks={"a": {"run": "x"}, "b": {"run": "x", "needs": ["a"]}}, trigger={"every": "5m"}),
    {"job": "after", "run": "x", "triggers": [{"after": "chain.succeeded"}]},
    {"job": "delayed", "run": "x", "triggers": [{"every": {"delay": "90s"}}]},
    {"job": "needs", "run": "x", "triggers": [{"every": "10m"}],
     "requires": [{"job": "chain", "since": "6h"}]},
    job("left", trigger={"every": "2m"}, tasks={"t": {"run": "x", "locks": ["dock"]}}),
    job("right", trigger={"every": "2m"}, policies={"locks": ["dock"], "start_deadline": "30s"}),
    job("wide", trigger={"every": "15m"}, tasks={"t": {"run": "x", "fanout": {"n": 4, "max_parallel": 2}}}),
    job("night", trigger={"every": "3m"}, policies={"admission": {"windows": ["Mon-Sun 00:00-06:00"]}}),
    job("sleeps", trigger={"every": "20m"}, tasks={"t": {"sleep": "95s"}, "u": {"run": "x", "needs": ["t"]}}),
]  # fmt: skip


@pytest.mark.parametrize("slots", [1, 100])
def test_the_planner_is_asked_less_often_and_the_ledger_is_the_same(tmp_path: Path, slots: int) -> None:
    """Whatever keeps runs and tasks waiting, and whoever's end lets them go on."""
    told = []
    for thorough in (True, False):
        story = Story(tmp_path / f"{thorough}.db")
        story.lead()
        story.connect(slots=slots)
        dock(story)
        story.put(*MIXED)
        for name, minutes in (("often", 0.4), ("long", 2.5), ("left", 1.5), ("right", 1), ("wide", 1)):
            run = int(story.value(c.RunJob("default", name, b"{}", story.now_ms), "run"))
            while story.store.value("SELECT finished_ms FROM runs WHERE id = ?", (run,)) is None:
                story.tell(*story.plan())  # an end that a plan finds may refuse what comes behind it there
                begun_ms = story.now_ms
                claimed = story.store.rows("SELECT id FROM attempts WHERE state = 'assigned' ORDER BY id")
                for (attempt,) in claimed:
                    story.claim(attempt)
                story.now_ms += int(minutes * MINUTE_MS)
                for (attempt,) in claimed:
                    agent = story.attempt(attempt).agent
                    story.tell(c.Finish(attempt, agent, begun_ms, story.now_ms, 0, "exit"))
        story.close()
        store = Discarded.of(story.path)
        found = simulate(store, story.now_ms + HOUR_MS, thorough=thorough)
        entries = store.rows(
            "SELECT trigger, kind, key, first_ms, last_ms, outcome, reason, run, decided_ms FROM ledger"
            " ORDER BY seq"
        )
        runs = store.rows("SELECT id, name, state, started_ms, finished_ms FROM runs ORDER BY id")
        told.append((entries, runs, found.facts()))
        store.close()
    assert told[0][0] == told[1][0]
    assert told[0][1] == told[1][1]
    assert told[0][2] == told[1][2]
    assert len({row[5] for row in told[0][0]}) > 1


@pytest.mark.parametrize("held_by", ["run", "task"])
def test_jobs_that_collide_at_a_resource_are_named(story: Story, tmp_path: Path, held_by: str) -> None:
    dock(story)
    for name in ("load", "report"):
        of_run = {"policies": {"locks": ["dock"]}} if held_by == "run" else {}
        task = {"run": "x"} if held_by == "run" else {"run": "x", "locks": ["dock"]}
        story.put({"job": name, "tasks": {"main": task}, "triggers": [{"cron": "0 * * * *"}], **of_run})
    found = told(story, tmp_path)
    ((resource, said),) = by_kind(found, "locks")
    assert resource == "default/dock"
    assert said == "default/report wait for it, at 23 instants"
    (hint,) = [each["hint"] for each in found["findings"] if each["kind"] == "locks"]
    assert "H in place of the minute" in hint


def test_the_hint_of_a_collision_helps(story: Story, tmp_path: Path) -> None:
    dock(story)
    for name in ("load", "report"):
        lock = {"locks": ["dock"]}
        story.put({"job": name, "run": "x", "triggers": [{"cron": "H * * * *"}], "policies": lock})
    assert by_kind(told(story, tmp_path), "locks") == []


def test_days_from_a_later_one_on_are_told_alone(story: Story, tmp_path: Path) -> None:
    story.put(job(trigger=HOURLY))
    took(story, 90)
    story.close()
    (tmp_path / "scratch").mkdir()
    later_ms = START_MS + 10 * DAY_MS
    found = forecast(story.path, Asked(2, from_ms=later_ms), tmp_path / "scratch")
    assert (found["from_ms"], found["to_ms"]) == (later_ms, later_ms + 2 * DAY_MS)
    assert sum(found["ticks"].values()) == 48
    with pytest.raises(ValueError, match="does not lie between 2027-01-15T09:30:00Z, where the state ends"):
        forecast(story.path, Asked(2, from_ms=START_MS - DAY_MS), tmp_path / "scratch")
    with pytest.raises(ValueError, match="is more than 800 days after 2027-01-15T09:30:00Z, where the state"):
        forecast(story.path, Asked(2, from_ms=START_MS + 800 * DAY_MS), tmp_path / "scratch")


def test_how_far_it_is_is_told(story: Story, tmp_path: Path) -> None:
    story.put(job(trigger={"every": "1m"}))
    story.close()
    far: list[int] = []
    simulate(Discarded.of(story.path), START_MS + DAY_MS, far=far.append)
    assert len(far) >= 2
    assert far == sorted(far)
