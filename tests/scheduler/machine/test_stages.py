"""Staged applies: very many definitions laid down in slices and switched live as one act."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scheduler.machine import stages as machine_stages
from scheduler.machine import switching
from scheduler.machine.context import ROW
from scheduler.model import parse_job, prepare
from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.plan.passes.stages import PAUSE_MS_MAX
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import staged, stages
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Outcome
from scheduler.words.record import Actor
from tests.scheduler.machine.test_restores import restore
from tests.scheduler.story import START_MS, Story, job

MINUTELY = {"cron": "* * * * *", "id": "minutely"}
SECONDLY = {"every": "1s", "id": "secondly"}


def a_slice(
    story: Story, number: int, *documents: dict[str, Any], delete: tuple[str, ...] = (), stage: str = "s",
    **fields: Any,
) -> Outcome:  # fmt: skip
    prepared = [prepare_document(parse_document(each), story.now_ms) for each in documents]
    objects = tuple(each for each in prepared if isinstance(each, c.PreparedObject))
    jobs = tuple(each for each in prepared if isinstance(each, c.PreparedJob))
    gone = tuple(c.Deletion(kind, "default", name) for kind, name in map(str.split, delete))
    fields = {"body": b"%d" % number, **fields}
    return story.one(c.StageSlice(stage, number, objects, jobs, gone, story.now_ms, **fields))


def stage(story: Story, *documents: dict[str, Any], delete: tuple[str, ...] = (), name: str = "s") -> None:
    """Laid down, one item a slice, and committed."""
    for number, document in enumerate(documents):
        assert a_slice(story, number, document, stage=name).ok
    if delete:
        assert a_slice(story, len(documents), delete=delete, stage=name).ok
    story.tell_ok(c.CommitStage(name, len(documents) + bool(delete)))


def advance(story: Story) -> stages.Stage:
    """One step, of what the plan says; where that has it pause, behind the pause."""
    if not (planned := story.plan()):
        story.now_ms += PAUSE_MS_MAX
        planned = story.plan()
    (command,) = [each for each in planned if isinstance(each, c.AdvanceStage)]
    story.tell_ok(command)
    return row(story)


def until(story: Story, state: str) -> stages.Stage:
    for _ in range(1_000):
        found = row(story)
        if found.state == state:
            return found
        advance(story)
    raise AssertionError(f"never {state}")


def row(story: Story, name: str = "s") -> stages.Stage:
    found = stages.named(story.store, name)
    assert found is not None
    return found


def problems(story: Story) -> list[tuple[str, str]]:
    return [(each["name"], each["code"]) for each in json.loads(row(story).problems)]


@pytest.fixture
def narrow(tmp_path: Path) -> Any:
    """A story in which a step has room for one item."""
    story = Story(tmp_path / "narrow.db", room=ROW)
    story.lead()
    yield story
    story.close()


def test_what_is_staged_goes_live_as_one_act(narrow: Story) -> None:
    narrow.put(job("kept"), job("changed"), job("gone"))
    narrow.now_ms += 1_000
    stage(narrow, job("kept"), job("changed", description="new"), job("made"), delete=("job gone",))
    assert narrow.told(e.StageMoved) == [e.StageMoved("s", "checking")]
    assert job_rows.find(narrow.store, "default", "made") is None
    done = until(narrow, "done")
    assert done.counts == {"job": dict.fromkeys(("unchanged", "changed", "created", "deleted"), 1)}
    assert done.at_ms == narrow.now_ms
    assert {name: revision for name, revision in narrow.store.rows("SELECT name, revision FROM jobs")} == {
        "kept": 1, "changed": 2, "made": 1,
    }  # fmt: skip
    assert narrow.machine.state.stage == 0
    assert not narrow.plan()


def test_a_slice_that_is_sent_again_counts_once(story: Story) -> None:
    assert a_slice(story, 0, job("a")).ok
    again = a_slice(story, 0, job("a"))
    assert again.ok
    assert again.value is not None
    assert (again.value["slices"], again.value["items"]) == (1, 1)
    other = a_slice(story, 0, job("b"), body=b"another")
    assert (other.code, other.detail) == ("conflict", "slice 0 of s was another")


@pytest.mark.parametrize(
    ("spoil", "code", "detail"),
    [
        (lambda s: a_slice(s, 2, job("b")), "conflict", "slice 1 of s comes next"),
        (lambda s: a_slice(s, 1, job("a")), "invalid", "default/a twice in one apply"),
        (lambda s: a_slice(s, 1, job("b"), job("b")), "invalid", "default/b twice in one apply"),
        (lambda s: a_slice(s, 1, job("b"), actor=Actor("mallory")), "conflict", "s was opened by nobody"),
        (lambda s: a_slice(s, 1, job("b"), source="y"), "invalid", "s was opened for no source, not for 'y'"),
        (lambda s: a_slice(s, 1), "limit", "0 items in one slice: 1 to 500"),
        (lambda s: a_slice(s, 0, job("b"), stage=""), "invalid", "a stage's name has 1 to 100 letters"),
        (lambda s: s.one(c.CommitStage("s", 2)), "conflict", "1 slices of s have come, not 2"),
        (lambda s: s.one(c.CommitStage("t", 1)), "not_found", "no stage t"),
        (lambda s: s.one(c.DropStage("t")), "not_found", "no stage t"),
    ],
)
def test_what_does_not_fit_a_stage_is_refused_and_changes_nothing(
    story: Story, spoil: Any, code: str, detail: str
) -> None:
    assert a_slice(story, 0, job("a")).ok
    before = row(story)
    outcome = spoil(story)
    assert (outcome.code, outcome.detail) == (code, detail)
    assert row(story) == before


def test_stages_are_bounded(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_stages, "OPEN_MAX", 2)
    monkeypatch.setattr(machine_stages, "ITEMS_MAX", 2)
    assert a_slice(story, 0, job("a"), job("b"), stage="one").ok
    assert a_slice(story, 1, job("c"), stage="one").detail == "3 items in one apply, at most 2"
    assert a_slice(story, 0, job("a"), stage="two").ok
    assert a_slice(story, 0, job("a"), stage="three").code == "limit"
    story.tell_ok(c.DropStage("one"))
    monkeypatch.setattr(machine_stages, "OPEN_OF_ONE_MAX", 1)
    assert a_slice(story, 0, job("a"), stage="three").detail == (
        "1 staged applies of nobody are open, the most of one"
    )
    assert a_slice(story, 0, job("a"), stage="four", actor=Actor("ann")).ok
    story.tell_ok(c.DropStage("four"))
    monkeypatch.setattr(machine_stages, "BYTES_MAX", 1)
    assert a_slice(story, 0, job("a"), stage="three").code == "limit"


def test_everything_in_the_way_is_told_and_nothing_changes(narrow: Story) -> None:
    narrow.put(job("there"))
    narrow.now_ms += 1_000
    over = {"at": "2026-01-01T00:00:00Z", "id": "over"}
    jobs = tuple(prepare(parse_job(job(name)), narrow.now_ms, 7) for name in ("there", "nowhere"))
    narrow.tell_ok(c.StageSlice("s", 0, (), jobs, (), narrow.now_ms))
    assert a_slice(narrow, 1, job("good"), job("past", trigger=over), delete=("job missing",)).ok
    narrow.tell_ok(c.CommitStage("s", 2))
    before = narrow.store.rows("SELECT * FROM jobs ORDER BY id")
    until(narrow, "refused")
    assert sorted(problems(narrow)) == [
        ("missing", "not_found"), ("nowhere", "not_found"), ("past", "past"), ("there", "revision_mismatch"),
    ]  # fmt: skip
    assert narrow.store.rows("SELECT * FROM jobs ORDER BY id") == before
    assert narrow.machine.state.stage == 0


def test_ticks_are_counted_over_the_whole_stage(narrow: Story) -> None:
    narrow.tell_ok(c.LimitTicks(100, 2, 100))
    narrow.put(job("a", trigger=SECONDLY), job("b", trigger=SECONDLY))
    narrow.now_ms += 1_000
    stage(narrow, job("c", trigger=SECONDLY))
    until(narrow, "refused")
    assert problems(narrow) == [("", "too_many_ticks")]
    stage(narrow, job("c", trigger=SECONDLY), delete=("job a",), name="t")
    while row(narrow, "t").state != "done":
        narrow.plan_and_apply()
    assert narrow.store.value("SELECT per_day FROM asked WHERE namespace = 'default'") == 2 * 86_400


def test_jobs_are_counted_over_the_whole_stage(narrow: Story) -> None:
    narrow.tell_ok(c.PutNamespace("default", b"{}", jobs_max=2))
    narrow.put(job("a"))
    stage(narrow, job("b"), job("c"))
    assert until(narrow, "refused").problems == json.dumps(
        [{"kind": "", "namespace": "default", "name": "", "code": "quota",
          "detail": "namespace default would have 3 jobs; its quota is 2",
          "value": {"namespace": "default", "jobs": 3, "limit": 2}}]
    )  # fmt: skip
    stage(narrow, job("b"), job("c"), delete=("job a",), name="t")
    while row(narrow, "t").state != "done":
        narrow.plan_and_apply()
    assert narrow.store.rows("SELECT name FROM jobs ORDER BY name") == [("b",), ("c",)]


def test_edits_wait_and_all_else_goes_on(narrow: Story) -> None:
    narrow.put(job("old"))
    narrow.now_ms += 1_000
    stage(narrow, job("a", trigger=MINUTELY), job("b"), job("old", description="new"))
    new = prepare(parse_job(job("x")), narrow.now_ms)
    for _ in range(2):
        for edit in (c.PutJobs((new,), narrow.now_ms), c.DeleteJob("default", "old")):
            assert narrow.one(edit).code == "switching"
        until(narrow, "switching")
    # A run is of what is staged, and of what it was laid down as: its turn comes first.
    made = narrow.one(c.RunJob("default", "old", b"{}", narrow.now_ms))
    assert made.value is not None
    assert made.value["revision"] == 2
    assert narrow.told(e.JobPut)[0].name == "old"
    narrow.tell_ok(c.PauseJob("default", "b"))
    assert row(narrow).left_items == 1
    assert a_slice(narrow, 0, job("z"), stage="next").ok
    assert narrow.one(c.CommitStage("next", 1)).code == "switching"
    until(narrow, "done")
    narrow.tell_ok(c.PutJobs((new,), narrow.now_ms))
    assert narrow.job("b").state == "paused"


def test_the_last_turn_may_be_taken_by_what_needs_it(narrow: Story) -> None:
    stage(narrow, job("a"))
    until(narrow, "switching")
    narrow.tell_ok(c.RunJob("default", "a", b"{}", narrow.now_ms))
    assert row(narrow).state == "done"


def test_an_instant_that_passes_while_it_is_checked_is_found(narrow: Story) -> None:
    once = {"at": "2027-01-15T08:00:10Z", "id": "once"}
    stage(narrow, job("once", trigger=once), job("b"), job("c"))
    advance(narrow)
    narrow.now_ms = START_MS + 11_000
    until(narrow, "refused")
    assert problems(narrow) == [("once", "past")]


def test_a_trigger_that_the_job_has_may_be_over(narrow: Story) -> None:
    once = {"at": "2027-01-15T08:00:10Z", "id": "once"}
    narrow.put(job("once", trigger=once))
    narrow.now_ms = START_MS + 11_000
    stage(narrow, job("once", trigger=once, description="new"), job("b"))
    until(narrow, "done")


@pytest.mark.parametrize("state", ["open", "checking"])
def test_a_stage_is_dropped_with_a_word(narrow: Story, state: str) -> None:
    assert a_slice(narrow, 0, job("a"), job("b"), job("c")).ok
    if state == "checking":
        narrow.tell_ok(c.CommitStage("s", 1))
        advance(narrow)
    narrow.tell_ok(c.DropStage("s", Actor("ann")))
    assert (row(narrow).state, row(narrow).reason) == ("dropped", "dropped by ann")
    while narrow.plan_and_apply():
        pass
    assert narrow.store.value("SELECT count(*) FROM staged") == 0
    assert narrow.store.value("SELECT count(*) FROM jobs") == 0
    assert narrow.one(c.CommitStage("s", 1)).code == "ended"
    narrow.put(job("x"))


@pytest.mark.parametrize("state", ["open", "checking"])
def test_a_stage_goes_with_the_token_that_opened_it(narrow: Story, state: str) -> None:
    """Whoever gets its name next may not edit what was laid down by its rights."""
    narrow.tell_ok(c.PutToken("boss", b"b" * 32, "admin"))
    narrow.tell_ok(c.PutToken("ann", b"1" * 32, "submitter"), c.PutToken("ben", b"3" * 32, "submitter"))
    assert a_slice(narrow, 0, job("a"), job("b"), actor=Actor("ann")).ok
    assert a_slice(narrow, 0, job("c"), stage="of-ben", actor=Actor("ben")).ok
    if state == "checking":
        narrow.tell_ok(c.CommitStage("s", 1, Actor("ann")))
        advance(narrow)
    narrow.tell_ok(c.DeleteToken("ann"))
    assert (row(narrow).state, row(narrow).reason) == ("dropped", "the token ann is withdrawn")
    assert row(narrow, "of-ben").state == "open"
    narrow.tell_ok(c.PutToken("ann", b"2" * 32, "viewer"))
    assert narrow.one(c.CommitStage("s", 1, Actor("ann"))).code == "ended"
    while narrow.plan_and_apply():
        pass
    assert narrow.store.value("SELECT count(*) FROM jobs") == 0


def test_one_that_goes_live_is_not_dropped(narrow: Story) -> None:
    stage(narrow, job("a"), job("b"))
    until(narrow, "switching")
    assert narrow.one(c.DropStage("s")).code == "ended"
    until(narrow, "done")


def test_one_that_nobody_commits_expires_and_is_forgotten(narrow: Story) -> None:
    assert a_slice(narrow, 0, job("a")).ok
    assert narrow.plan() == []
    narrow.now_ms += machine_stages.OPEN_MS
    while narrow.plan_and_apply():
        pass
    assert row(narrow).state == "expired"
    narrow.now_ms += machine_stages.OPEN_MS
    while narrow.plan_and_apply():
        pass
    assert stages.named(narrow.store, "s") is None
    assert narrow.store.value("SELECT count(*) FROM slices") == 0


def test_what_is_due_soonest_has_its_turn_first(narrow: Story) -> None:
    daily = {"cron": "0 7 * * *", "id": "daily"}
    stage(narrow, job("never"), job("daily", trigger=daily), job("minutely", trigger=MINUTELY))
    until(narrow, "switching")
    turns = []
    while row(narrow).state == "switching":
        advance(narrow)
        turns += [put.name for put in narrow.told(e.JobPut)]
    assert turns == ["minutely", "daily", "never"]


def test_ticks_that_come_due_while_it_goes_live_are_decided_once(narrow: Story) -> None:
    names = ("a", "b", "c")
    narrow.put(*(job(name, trigger=MINUTELY) for name in names))
    narrow.connect()
    narrow.now_ms = START_MS + 50_000
    stage(narrow, *(job(name, trigger={"cron": "30 * * * * *", "id": "new"}) for name in names))
    until(narrow, "switching")
    narrow.now_ms = START_MS + 65_000  # the old eras would have a tick at 08:01, which is proposed
    fires = [command for command in narrow.plan() if isinstance(command, c.Fire)]
    assert [outcome.code for outcome in narrow.tell(*fires)] == ["stale_due"] * 3
    assert row(narrow).state == "done"
    narrow.now_ms = START_MS + 95_000
    narrow.settle()
    assert [(at_s, count, outcome) for at_s, count, outcome, _ in narrow.ledger()] == [(90, 1, "ran")] * 3
    check = verify(narrow.store, START_MS - 1, narrow.now_ms, now_ms=narrow.now_ms)
    assert check.ok, check.problems


def test_every_command_edits_or_is_known_to_the_switch() -> None:
    for command in c.ALL:
        known = [command.edits, command in switching.TOUCHES, command in switching.UNTOUCHED]
        assert known.count(True) == 1, command.__name__


def test_the_first_place_is_before_every_item(story: Story) -> None:
    assert a_slice(story, 0, delete=("job a",)).ok
    assert staged.reach(story.store, row(story).id, staged.FIRST, limit=1, bytes_max=0) == (0, 0)


VARS = {"vars": "dsn", "values": {"host": "a"}}


def test_what_is_staged_together_may_refer_to_each_other(narrow: Story) -> None:
    stage(narrow, job("j", vars=["dsn"]), VARS)
    until(narrow, "done")
    assert narrow.store.rows("SELECT kind, name FROM refs") == [("job", "j")]
    stage(narrow, job("j"), delete=("vars dsn",), name="t")
    while row(narrow, "t").state != "done":
        narrow.plan_and_apply()
    assert narrow.store.rows("SELECT kind FROM objects") == narrow.store.rows("SELECT kind FROM refs") == []


@pytest.mark.parametrize(
    ("before", "documents", "delete", "told"),
    [
        ((), (job("j", vars=["dsn"]),), (), ("j", "missing")),
        ((VARS,), (job("j", vars=["dsn"]),), ("vars dsn",), ("j", "missing")),
        ((VARS, job("j", vars=["dsn"])), (job("j", vars=["dsn"]),), ("vars dsn",), ("j", "missing")),
        ((VARS, job("j", vars=["dsn"])), (job("k"),), ("vars dsn",), ("dsn", "referred")),
        ((), (job("k"),), ("vars dsn",), ("dsn", "not_found")),
    ],
)
def test_references_are_judged_over_the_whole_stage(
    narrow: Story, before: Any, documents: Any, delete: tuple[str, ...], told: tuple[str, str]
) -> None:
    if before:
        assert narrow.apply(*before).ok
    stage(narrow, *documents, delete=delete)
    until(narrow, "refused")
    assert problems(narrow) == [told]


def test_a_run_has_the_vars_that_are_staged_beside_its_job(narrow: Story) -> None:
    """Also where their turn has not come, and the job itself is not staged."""
    assert narrow.apply(VARS, job("j", vars=["dsn"])).ok
    stage(narrow, {"vars": "dsn", "values": {"host": "b"}}, {"vars": "aaa", "values": {"x": "y"}})
    until(narrow, "switching")
    narrow.tell_ok(c.RunJob("default", "j", b"{}", narrow.now_ms))
    assert narrow.store.rows("SELECT name, revision FROM run_vars") == [("dsn", 2)]


@pytest.mark.parametrize("state", ["open", "checking"])
def test_a_restore_drops_what_had_not_gone_live(narrow: Story, state: str) -> None:
    assert a_slice(narrow, 0, job("a"), job("b")).ok
    if state == "checking":
        narrow.tell_ok(c.CommitStage("s", 1))
        advance(narrow)
    restore(narrow)
    assert (row(narrow).state, row(narrow).reason) == ("dropped", "restored")
    while commands := [each for each in narrow.plan() if isinstance(each, c.AdvanceStage)]:
        narrow.tell_ok(*commands)
    assert narrow.store.value("SELECT count(*) FROM staged") == 0
    narrow.put(job("x"))


def test_what_was_going_live_goes_on_after_a_restore(narrow: Story) -> None:
    stage(narrow, job("a"), job("b"), job("c"))
    until(narrow, "switching")
    advance(narrow)
    restore(narrow)
    until(narrow, "done")
    assert narrow.store.value("SELECT count(*) FROM jobs") == 3


@pytest.mark.parametrize("steps", range(8))
def test_a_new_leader_goes_on_from_the_rows(narrow: Story, steps: int) -> None:
    stage(narrow, job("a", trigger=MINUTELY), job("b"), job("c"))
    for _ in range(steps):
        if row(narrow).state != "done":
            advance(narrow)
    narrow.reopen()
    narrow.cache = type(narrow.cache)()
    narrow.lead()
    until(narrow, "done")
    assert narrow.store.value("SELECT count(*) FROM jobs") == 3


def test_who_is_told_meanwhile_is_whom_the_stage_says(narrow: Story) -> None:
    def channel(name: str, to: str) -> dict[str, Any]:
        return {"channel": name, "email": [f"{to}@example.org"]}

    route = {"route": "r", "on": ["failed"], "to": ["ops"], "escalate": {"after": "1m", "to": ["ops"]}}
    assert narrow.apply(channel("ops", "old"), channel("boss", "boss"), route).ok
    narrow.connect()
    narrow.put(job("j"))
    narrow.tell(c.RunJob("default", "j", b"{}", narrow.now_ms))
    narrow.settle(exit_code=1)
    effect = narrow.machine.state.last_effect
    narrow.tell_ok(c.ReportSent(effect))
    others = [channel(f"c{number}", "c") for number in range(5)]
    stage(narrow, *others, channel("ops", "new"), {**route, "escalate": {"after": "1m", "to": ["boss"]}})
    until(narrow, "switching")
    narrow.tell_ok(c.TellChannel("default", "ops", "test", b'{"about":"test","of":"test"}'))
    narrow.now_ms += 60_000
    narrow.tell_ok(c.Escalate(narrow.epoch, effect))
    assert row(narrow).state == "switching"
    targets = narrow.store.rows("SELECT target FROM outbox ORDER BY id")
    assert [target for (target,) in targets] == ["old@example.org", "new@example.org", "boss@example.org"]
