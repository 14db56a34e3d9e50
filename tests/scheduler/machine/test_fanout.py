"""A task that is divided: its members, their turns, and what their ends come to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from scheduler.machine.context import ROW
from scheduler.machine.rules import joins
from scheduler.machine.rules.joins import Joined
from scheduler.machine.steps import spreading
from scheduler.model import outputs as model_outputs
from scheduler.model.members import CompiledFanout, Join
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.tables import fanouts, outputs
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.fanouts import Fanout
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_conditions import explained
from tests.scheduler.story import START_MS, Story, job

NOOP: dict[str, Any] = {"noop": True}
RUN: dict[str, Any] = {"run": "true"}


def begun(story: Story, fanout: Mapping[str, Any], *, slots: int = 100, **fields: Any) -> int:
    """A run of a job whose task `many` is divided; `last` needs it."""
    story.connect(slots=slots)
    own = {name: fields.pop(name) for name in ("join", "retry", "outputs", "needs", "rule") if name in fields}
    tasks = {"many": {**RUN, "fanout": fanout, **own}, "last": {**NOOP, "needs": ["many"]}}
    given = fields.pop("given", b"{}")
    story.put(job(tasks={**tasks, **fields.pop("tasks", {})}, **fields))
    return int(story.value(c.RunJob("default", "j", given, story.now_ms), "run"))


def members(story: Story, run: int, name: str = "many") -> dict[str, str]:
    return {task.member: task.state for task in task_rows.of_run(story.store, run) if task.name == name}


def states(story: Story, run: int) -> str:
    """Of the members, by their first letters, in their order."""
    return "".join(state[0] for member, state in members(story, run).items() if member)


def whole(story: Story, run: int, name: str = "many") -> task_rows.Task:
    row = task_rows.newest(story.store, run, name)
    assert row is not None
    return row


def row_of(story: Story, run: int) -> Fanout:
    row = fanouts.get(story.store, whole(story, run).id)
    assert row is not None
    return row


def assigned(story: Story) -> dict[str, int]:
    """By member, the attempts that an agent has and has not claimed, or reported."""
    return {
        member: attempt
        for attempt, member in story.store.rows(
            "SELECT a.id, t.member FROM attempts a JOIN tasks t ON t.id = a.task WHERE a.live = 1"
            " ORDER BY a.id"
        )
    }


def end(story: Story, member: str, *, exit_code: int | None = 0, **fields: Any) -> None:
    attempt = assigned(story)[member]
    if story.attempt(attempt).fence is None:
        assert story.claim(attempt).ok
    assert story.finish(attempt, exit_code=exit_code, **fields).ok


def placed(story: Story) -> None:
    """Members are made, and those whose turn it is are placed."""
    for _ in range(20):
        if not story.plan_and_apply():
            return


def closed(story: Story, run: int) -> None:
    """Nothing of an ended run is left over."""
    assert story.run(run).finished_ms is not None
    assert not [task for task in task_rows.of_run(story.store, run) if task.finished_ms is None]
    for table in ("tells", "clocks", "rounds", "run_holds", "fanout_lists"):
        assert story.store.value(f"SELECT count(*) FROM {table}") == 0, table
    row = row_of(story, run)
    assert row.ended == row.made
    assert row.going == 0


# -- what a join comes to ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("join", "most", "succeeded", "failed", "skipped", "said"),
    [
        (Join(), None, 9, 0, 0, None),
        (Join(), None, 10, 0, 0, Joined("succeeded")),
        (Join(), None, 8, 0, 2, Joined("succeeded")),
        (Join(), None, 0, 1, 0, Joined("failed", "1 of 10 members failed")),
        (Join("any"), None, 1, 0, 0, Joined("succeeded")),
        (Join("any"), None, 0, 9, 0, None),
        (Join("any"), None, 0, 9, 1, Joined("failed", "9 of 9 members failed, 1 were to succeed")),
        (Join("any"), None, 0, 0, 10, Joined("skipped", joins.SKIPPED)),
        (Join("count", 3), None, 2, 7, 0, None),
        (Join("count", 3), None, 2, 8, 0, Joined("failed", "8 of 10 members failed, 3 were to succeed")),
        (Join("count", 11), None, 0, 0, 0, Joined("failed", "11 members were to succeed, and there are 10")),
        (Join("share", 75), None, 7, 2, 0, None),
        (Join("share", 75), None, 8, 2, 0, Joined("succeeded")),
        (Join("share", 75), None, 3, 3, 0, Joined("failed", "3 of 10 members failed, 8 were to succeed")),
        (Join("share", 75), None, 4, 1, 4, None),
        (Join("share", 75), None, 5, 1, 4, Joined("succeeded")),
        (Join("share", 10), 2, 0, 2, 0, None),
        (Join("share", 10), 2, 0, 3, 0, Joined("failed", "3 of 10 members failed, 2 may")),
    ],
)
def test_a_join_is_judged_as_soon_as_it_can_be_said(
    join: Join, most: int | None, succeeded: int, failed: int, skipped: int, said: Joined | None
) -> None:
    fanout = CompiledFanout("number", (), 10, "", "", join, 0, most, 0)
    ended = succeeded + failed + skipped
    assert joins.judge(fanout, Fanout(1, 1, 2, 10, 0, 0, 0, ended, succeeded, skipped)) == said


# -- a run ----------------------------------------------------------------------------------------------


def test_members_are_made_run_and_joined(story: Story) -> None:
    run = begun(story, {"foreach": ["eu", 7, True]})
    assert members(story, run) == {"": "active"}
    story.plan_and_apply()
    assert members(story, run) == {"": "active", "0": "queued", "1": "queued", "2": "queued"}
    assert story.run(run).open_tasks == 5
    placed(story)
    rows = attempt_reads.dispatch(story.store, assigned(story).values())
    assert [(row.member, row.item) for row in rows] == [("0", "eu"), ("1", "7"), ("2", "true")]
    end(story, "1")
    found = next(each for each in explained(story, run).tasks if each.name == "many" and not each.member)
    left = "2 of its 3 members have not ended; of the others 1 succeeded"
    assert left in [gate.reason for gate in found.gates]
    end(story, "0")
    end(story, "2")
    joined = story.told(e.MembersJoined)
    assert [(each.state, each.succeeded, each.failed) for each in joined] == [("succeeded", 3, 0)]
    assert (whole(story, run).state, story.tasks(run)["last"]) == ("succeeded", "active")
    story.settle()
    assert story.run(run).state == "succeeded"
    closed(story, run)


def test_a_join_that_is_met_ends_the_task_and_the_others_go_on(story: Story) -> None:
    run = begun(story, {"n": 4}, join="any")
    placed(story)
    end(story, "2")
    assert (whole(story, run).state, states(story, run), story.tasks(run)["last"]) == (
        "succeeded", "aasa", "active",
    )  # fmt: skip
    end(story, "1", exit_code=1)
    placed(story)
    story.work()
    assert story.run(run).state == "succeeded"
    assert (row_of(story, run).succeeded, row_of(story, run).failed) == (3, 1)
    closed(story, run)


def test_a_join_that_cannot_be_met_fails_and_cancels_the_others(story: Story) -> None:
    run = begun(story, {"n": 6, "max_parallel": 3}, join=5, retry={"max": 1, "first": "1s"})
    placed(story)
    end(story, "0", exit_code=3)
    assert members(story, run)["0"] == "retry_wait"  # retries are a member's own
    story.now_ms += 1_000
    placed(story)
    end(story, "0", exit_code=3)
    placed(story)
    end(story, "1", exit_code=4)
    story.now_ms += 1_000
    placed(story)
    assert story.claim(assigned(story)["2"]).ok
    end(story, "1", exit_code=4)
    row = whole(story, run)
    said = "2 of 6 members failed, 5 were to succeed"
    assert (row.state, row.reason, row.exit_code) == ("failed", said, 3)
    assert (states(story, run), story.tasks(run)["last"]) == ("ffaccc", "skipped")
    assert story.attempt(assigned(story)["2"]).state == "cancelling"
    end(story, "2", exit_code=None, reason="cancelled")
    assert (story.run(run).state, story.run(run).exit_code) == ("failed", 3)
    closed(story, run)


@pytest.mark.parametrize(
    ("join", "ends", "state"),
    [("all", "l", "lost"), (2, "lf", "failed"), (2, "fl", "failed"), ("any", "lll", "lost")],
)
def test_the_whole_ends_as_the_worst_of_the_members_that_had_ended(
    story: Story, join: Any, ends: str, state: str
) -> None:
    run = begun(story, {"n": 3}, join=join, policies={"on_lost": "fail"})
    placed(story)
    for place, each in enumerate(ends):
        lost: dict[str, Any] = {"exit_code": None, "reason": "gone"}
        end(story, str(place), **(lost if each == "l" else {"exit_code": 1}))
    assert (whole(story, run).state, story.tasks(run)["last"]) == (state, "skipped")
    assert whole(story, run).reason.startswith(f"{len(ends)} of 3 members failed")
    for member, attempt in assigned(story).items():  # cancelled, whatever comes of them
        if story.attempt(attempt).state == "cancelling":
            end(story, member, exit_code=None, reason="cancelled")
    assert story.run(run).state == state
    closed(story, run)


def test_members_of_a_deleted_job_whose_join_has_not_failed_come_to_their_own_end(story: Story) -> None:
    run = begun(story, {"n": 3}, join="any")
    placed(story)
    for attempt in assigned(story).values():
        assert story.claim(attempt).ok
    story.tell_ok(c.DeleteJob("default", "j"))
    placed(story)
    assert {story.attempt(each).state for each in assigned(story).values()} == {"granted"}
    for member in ("0", "1", "2"):
        end(story, member)
    assert (states(story, run), story.run(run).finished_ms is None) == ("sss", False)


@pytest.mark.parametrize("leaves", [False, True])
def test_all_tasks_that_waited_for_an_agent_go_on_as_it_comes_back(
    story: Story, monkeypatch: Any, *, leaves: bool
) -> None:
    """The first at once, in the entry in which it comes; those behind by commands of so many, also where it
    leaves in the midst of them."""
    monkeypatch.setattr(spreading, "WAITING_MAX", 3)
    agent = story.connect("db", slots=50)
    many = {**RUN, "fanout": {"all": "registered", "max_parallel": 1}}
    story.put(job(policies={"overlap": "allow"}, tasks={"many": many}))
    story.disconnect(agent)
    runs = [int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")) for _ in range(10)]
    placed(story)
    story.connect("db", session="s2", slots=50)
    assert len([run for run in runs if "q" in states(story, run)]) == 3
    (step,) = [each for each in story.plan() if isinstance(each, c.LetMembersGo)]
    if leaves:
        story.disconnect(agent)
        story.tell_ok(step)
        assert not [each for each in story.plan() if isinstance(each, c.LetMembersGo)]
        story.connect("db", session="s2", slots=50)
        (step,) = [each for each in story.plan() if isinstance(each, c.LetMembersGo)]
    story.tell_ok(step)
    assert story.one(step).code == Code.SUPERSEDED
    story.settle()
    assert [story.run(run).state for run in runs] == ["succeeded"] * 10
    assert story.store.rows("SELECT * FROM returns") == []


def test_a_hand_on_a_member_comes_too_early_where_there_are_none_yet(story: Story) -> None:
    run = begun(story, {"n": 2}, needs=["first"], tasks={"first": RUN})
    story.plan_and_apply()
    for hand in (c.HoldTask, c.SkipTask, c.RetryTask, c.StopTask, c.ReleaseTask):
        outcome = story.one(hand(run, "many", member="0"))
        assert (outcome.code, outcome.detail) == (
            Code.CONFLICT,
            f"task many of run {run} has no members yet: they are fixed when it becomes ready; the task"
            " itself can be held until then",
        )
    assert story.one(c.HoldTask(run, "first", member="0")).code is Code.NOT_FOUND, "it is not divided"
    story.settle()
    assert story.one(c.HoldTask(run, "many", member="7")).code is Code.NOT_FOUND


@pytest.mark.parametrize("how", ["slices", "skip"])
def test_members_have_their_turn_behind_a_join_that_is_met_by_who_had_none(tmp_path: Path, how: str) -> None:
    """The end of the whole took the instant of the next turn with it, so they waited for ever."""
    story = Story(tmp_path / "state.db", room=1 if how == "slices" else 12_500)
    story.lead()
    run = begun(story, {"n": 5, "stagger": "5s"}, join="any" if how == "slices" else "50%")
    while "0" not in assigned(story):
        story.plan_and_apply()
    end(story, "0")
    if how == "skip":
        story.now_ms += 5_000
        placed(story)
        end(story, "1")
        assert whole(story, run).state == "active", "3 of 5"
        story.tell_ok(c.SkipTask(run, "many", member="4"))
        assert whole(story, run).state == "succeeded", "2 of 4"
    for _ in range(20):
        story.now_ms += 1_000
        story.settle()
    assert (whole(story, run).state, story.run(run).state) == ("succeeded", "succeeded")
    closed(story, run)
    story.close()


@pytest.mark.parametrize("room", [1, 60])
@pytest.mark.parametrize(("fails", "state"), [(3, "succeeded"), (1, "failed")])
def test_slices_come_to_the_same(tmp_path: Path, room: int, fails: int, state: str) -> None:
    story = Story(tmp_path / "state.db", room=room)
    story.lead()
    run = begun(story, {"n": 40, "max_parallel": 7}, join="50%")
    for _ in range(400):
        if not story.plan_and_apply() and not assigned(story):
            break
        for member in list(assigned(story))[:5]:
            end(story, member, exit_code=int(member not in ("", "3") and int(member) % fails == 0))
    assert (story.run(run).state, whole(story, run).state) == (state, state)
    assert len(states(story, run)) == 40 or state == "failed"
    closed(story, run)


def test_so_many_go_at_a_time(story: Story) -> None:
    run = begun(story, {"n": 5, "max_parallel": 2})
    placed(story)
    assert states(story, run) == "aabbb"
    gate = next(gate for gate in explained(story, run).tasks[-1].gates if gate.gate == "share")
    assert (gate.state, gate.reason) == ("waits", "2 members of many go, 2 may at a time")
    story.tell_ok(c.SkipTask(run, "many", member="3"))  # before its turn: no turn is spent
    end(story, "1")
    placed(story)
    assert states(story, run) == "asasb"
    story.settle()
    assert (states(story, run), story.run(run).state) == ("sssss", "succeeded")
    closed(story, run)


def test_one_goes_after_the_other(story: Story) -> None:
    run = begun(story, {"n": 3, "stagger": "10s"})
    placed(story)
    assert states(story, run) == "abb"
    gate = next(gate for gate in explained(story, run).tasks[-1].gates if gate.gate == "share")
    assert (gate.state, gate.opens_ms) == ("waits", START_MS + 10_000)
    end(story, "0")
    for seconds, expected in ((9, "sbb"), (10, "sab"), (19, "sab"), (20, "saa")):
        story.now_ms = START_MS + seconds * 1_000
        placed(story)
        assert states(story, run) == expected
    story.settle()
    assert story.run(run).state == "succeeded"
    closed(story, run)


LISTS: list[tuple[bytes, str, Sequence[str], str]] = [
    (b'{"files":"[\\"a b\\", 7]"}', "succeeded", ["a b", "7"], ""),
    (b'{"files":"one\\n\\n two"}', "succeeded", ["one", " two"], ""),
    (b'{"files":""}', "skipped", [], joins.EMPTY),
    (b'{"files":"[1"}', "failed", [], "list.outputs.files begins with a bracket, and is no JSON list"),
    (b'{"files":7}', "failed", [], "list.outputs.files is no list"),
    (b"{}", "failed", [], "list.outputs.files has no value"),
]


@pytest.mark.parametrize(("given", "state", "items", "reason"), LISTS)
def test_a_list_that_a_task_makes(story: Story, given: bytes, state: str, items: Any, reason: str) -> None:
    run = begun(
        story, {"foreach": "{tasks.list.outputs.files}"}, needs=["list", "other"], rule="any_success",
        tasks={"list": {**RUN, "outputs": ["files"]}, "other": NOOP},
    )  # fmt: skip
    placed(story)
    by_name = {story.store.value("SELECT name FROM tasks WHERE id = ?", (each.task,)): each.id
               for each in story.attempts(run)}  # fmt: skip
    assert story.claim(by_name["other"]).ok
    assert story.finish(by_name["other"]).ok
    placed(story)
    assert whole(story, run).state == "blocked"  # its rule is met, and the list is not there yet
    assert story.claim(by_name["list"]).ok
    assert story.finish(by_name["list"], outputs=given).ok
    placed(story)
    found = [row.item for row in attempt_reads.dispatch(story.store, assigned(story).values())]
    assert found == items
    story.settle()
    assert (whole(story, run).state, whole(story, run).reason) == (state, reason)
    closed(story, run)


def test_a_list_of_a_parameter_and_outputs_in_the_order_of_members(story: Story) -> None:
    run = begun(
        story, {"foreach": "{params.hosts}"}, outputs=["rows"],
        params={"hosts": {"type": "string"}}, given=b'{"hosts":"a\\nb\\nc"}',
    )  # fmt: skip
    placed(story)
    end(story, "2", outputs=b'{"rows":"3"}')
    end(story, "0", outputs=b'{"rows":"1"}')
    end(story, "1")
    text = outputs.of_task(story.store, whole(story, run).id)
    assert json.loads(text or b"") == {"rows": '["1",null,"3"]'}
    story.settle()
    assert story.run(run).state == "succeeded"


def test_outputs_that_are_too_long_together_fail_the_task(story: Story) -> None:
    run = begun(story, {"n": 3}, outputs=["text"])
    placed(story)
    for member in ("0", "1", "2"):
        end(story, member, outputs=json.dumps({"text": "x" * 30_000}).encode())
    said = "what its 3 members gave is longer than 65536 bytes together"
    assert (whole(story, run).state, whole(story, run).reason) == ("failed", said)
    closed(story, run)


# -- what people do ---------------------------------------------------------------------------------------


def test_hands_on_members(story: Story) -> None:
    run = begun(story, {"n": 4, "max_parallel": 2}, join=2)
    placed(story)
    story.tell_ok(c.HoldTask(run, "many", member="1"))  # it keeps its turn
    assert states(story, run) == "ahbb"
    story.tell_ok(c.HoldTask(run, "many", member="2"))
    end(story, "0")
    placed(story)
    assert states(story, run) == "shha"
    story.tell_ok(c.ReleaseTask(run, "many", member="2"))
    assert members(story, run)["2"] == "blocked"  # two have their turn
    end(story, "3", exit_code=1)
    placed(story)
    assert states(story, run) == "shaf"
    assert story.one(c.HoldTask(run, "many")).code is Code.CONFLICT
    assert story.one(c.StopTask(run, "many", member="9")).code is Code.NOT_FOUND
    story.tell_ok(c.SkipTask(run, "many", "done by hand", passes=True, member="1"))
    assert whole(story, run).state == "succeeded"
    story.settle()
    assert story.run(run).state == "succeeded"
    closed(story, run)


def test_stopping_the_whole_ends_it_and_its_members(story: Story) -> None:
    run = begun(story, {"n": 3, "max_parallel": 2})
    placed(story)
    assert story.claim(assigned(story)["0"]).ok
    story.tell_ok(c.StopTask(run, "many", "wrong hosts"))
    assert (whole(story, run).state, whole(story, run).reason) == ("cancelled", "stopped: wrong hosts")
    placed(story)
    assert (states(story, run), story.tasks(run)["last"]) == ("acc", "skipped")
    end(story, "0", exit_code=None, reason="cancelled")
    assert story.run(run).state == "cancelled"
    closed(story, run)


def test_a_failure_that_waits_for_a_person_is_a_members_own(story: Story) -> None:
    run = begun(story, {"n": 2}, policies={"on_failure": "hold"})
    placed(story)
    end(story, "0", exit_code=1)
    assert (members(story, run)["0"], whole(story, run).state) == ("held", "active")
    end(story, "1")
    story.tell_ok(c.RetryTask(run, "many", member="0"))
    story.settle()
    assert story.run(run).state == "succeeded"
    closed(story, run)


def test_a_suspended_run_lets_no_member_go_and_a_resumed_one_all_in_turn(story: Story) -> None:
    run = begun(story, {"n": 4, "max_parallel": 2})
    placed(story)
    story.tell_ok(c.SuspendRun(run))
    assert states(story, run) == "bbbb"
    placed(story)
    assert not assigned(story)
    story.tell_ok(c.ResumeRun(run))
    placed(story)
    assert states(story, run) == "aabb"
    story.settle()
    assert story.run(run).state == "succeeded"
    closed(story, run)


@pytest.mark.parametrize("begun_members", [False, True])
def test_a_cancelled_run_ends_its_members(story: Story, begun_members: bool) -> None:
    last: dict[str, Any] = {"finally": ["tidy"]}
    run = begun(story, {"n": 5, "max_parallel": 2}, tasks={"tidy": NOOP}, **last)
    if begun_members:
        placed(story)
        assert story.claim(assigned(story)["0"]).ok
    story.tell_ok(c.CancelRun(run))
    if begun_members:
        assert whole(story, run).state == "active"
        end(story, "0")  # a real exit wins
    placed(story)
    story.settle()
    assert (story.run(run).state, whole(story, run).state) == ("cancelled", "cancelled")
    assert story.tasks(run)["tidy"] == ("succeeded" if begun_members else "cancelled")
    closed(story, run)


def test_a_divided_task_inside_a_group_is_done_again_with_it(story: Story) -> None:
    run = begun(story, {"n": 2}, groups={"g": {"tasks": ["many"], "retry": {"max": 1, "first": "1s"}}},
                tasks={"last": {**NOOP, "needs": ["g"]}})  # fmt: skip
    placed(story)
    end(story, "0", exit_code=1)
    placed(story)
    story.now_ms += 1_000
    placed(story)
    story.settle()
    rows = [row for row in task_rows.of_run(story.store, run) if row.name == "many"]
    assert sorted((row.round, row.member, row.state) for row in rows) == [
        (0, "", "failed"), (0, "0", "failed"), (0, "1", "cancelled"),
        (1, "", "succeeded"), (1, "0", "succeeded"), (1, "1", "succeeded"),
    ]  # fmt: skip
    assert story.run(run).state == "succeeded"


def test_purging_a_run_takes_its_members_along(story: Story) -> None:
    run = begun(story, {"foreach": ["a", "b"]})
    placed(story)
    story.settle()
    story.tell_ok(c.Purge(story.epoch, story.job().id, run, 10))
    for table in ("tasks", "fanouts", "member_items"):
        assert story.store.value(f"SELECT count(*) FROM {table}") == 0, table


# -- over agents ----------------------------------------------------------------------------------------


WEB: dict[str, Any] = {"pool": "web", "labels": b'{"role":"web"}'}
ON_WEB: dict[str, Any] = {"on": {"pool": "web", "labels": {"role": "web"}}}


def hosts(story: Story, names: str = "abc", away: str = "") -> dict[str, int]:
    """Web servers, of which some are away, and one that is meant by nobody."""
    story.connect("other")
    found = {name: story.connect(name, **WEB) for name in names}
    for name in away:
        story.disconnect(found[name])
    return found


def begun_on_agents(story: Story, join: Any = "all", **fanout: Any) -> int:
    story.put(job(tasks={"many": {**RUN, **ON_WEB, "fanout": {"all": "registered", **fanout}, "join": join}}))
    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run"))
    placed(story)
    return run


def after(story: Story, seconds: int) -> None:
    story.now_ms = START_MS + seconds * 1_000
    placed(story)


def test_each_agent_that_is_meant_has_a_member_that_goes_there_alone(story: Story) -> None:
    found = hosts(story)
    run = begun_on_agents(story)
    assert {member: story.attempt(each).agent for member, each in assigned(story).items()} == found
    rows = attempt_reads.dispatch(story.store, assigned(story).values())
    assert [(row.member, row.item) for row in rows] == [("a", "a"), ("b", "b"), ("c", "c")]
    story.connect("late", **WEB)
    story.settle()
    assert (states(story, run), story.run(run).state) == ("sss", "succeeded")


@pytest.mark.parametrize(
    ("fanout", "seconds", "expected", "state"),
    [
        ({"ttl": "1h"}, 3_599, "sqs", "running"),
        ({"ttl": "1h"}, 3_600, "ses", "expired"),
        ({"ttl": "1h", "offline": "skip"}, 3_600, "sss", "succeeded"),
        ({}, 90_000, "sqs", "running"),
    ],
)
def test_who_is_away_is_waited_for_and_never_counts_as_done(
    story: Story, fanout: dict[str, str], seconds: int, expected: str, state: str
) -> None:
    found = hosts(story, away="b")
    run = begun_on_agents(story, **fanout)
    end(story, "a")
    end(story, "c")
    after(story, seconds)
    assert (states(story, run), story.run(run).state) == (expected, state)
    if state == "running":
        story.connect("b", session="s2", **WEB)
        story.settle()
        assert story.run(run).state == "succeeded"
    else:
        assert members(story, run)["b"] == ("skipped" if "offline" in fanout else "expired")
    closed(story, run)
    assert found


def test_who_leaves_after_the_ttl_is_given_up_too(story: Story) -> None:
    found = hosts(story, "ab", away="b")
    run = begun_on_agents(story, join=1, ttl="10s", max_parallel=1)
    assert states(story, run) == "ab"
    gate = next(gate for gate in explained(story, run).tasks[-1].gates if gate.gate == "share")
    assert gate.reason == "b is not connected, and takes no turn of others"
    story.tell_ok(c.SuspendRun(run), c.ResumeRun(run))
    story.disconnect(found["a"])
    after(story, 10)
    assert (states(story, run), story.run(run).state) == ("ee", "expired")
    closed(story, run)


def test_who_is_away_has_no_turn_and_gets_it_as_it_comes_back(story: Story) -> None:
    hosts(story, away="a")
    run = begun_on_agents(story, max_parallel=1)
    assert states(story, run) == "bab"
    story.connect("a", session="s2", **WEB)
    assert states(story, run) == "bab"  # another has its turn
    end(story, "b")
    placed(story)
    assert states(story, run) == "asb"
    story.disconnect(story.store.value("SELECT id FROM agents WHERE name = 'c'"))
    end(story, "a")
    placed(story)
    assert states(story, run) == "ssb"
    story.connect("c", session="s2", **WEB)
    placed(story)
    story.settle()
    assert story.run(run).state == "succeeded"
    closed(story, run)


def test_another_agent_under_the_name_of_one_that_is_away_keeps_nobody_from_his_turn(story: Story) -> None:
    found = hosts(story, away="a")
    run = begun_on_agents(story, max_parallel=1)
    story.connect("a", session="s2", installation="another", **WEB)
    end(story, "b")
    placed(story)
    assert states(story, run) == "bsa"
    end(story, "c")
    story.disconnect(story.store.value("SELECT id FROM agents WHERE name = 'a'"))
    story.connect("a", session="s3", **WEB)  # who was meant
    placed(story)
    assert story.attempt(assigned(story)["a"]).agent == found["a"]
    story.settle()
    assert story.run(run).state == "succeeded"
    closed(story, run)


def test_of_very_many_that_come_back_at_once_each_gets_his_turn(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "WAITING_MAX", 0)
    hosts(story, away="a")
    run = begun_on_agents(story, max_parallel=1)
    story.connect("a", session="s2", **WEB)
    story.settle()
    assert (states(story, run), story.run(run).state) == ("sss", "succeeded")
    closed(story, run)


def test_members_give_no_more_together_than_a_run_may(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_outputs, "RUN_BYTES_MAX", 60)
    run = begun(story, {"n": 3}, outputs=["n"], join="any")
    placed(story)
    end(story, "0", outputs=b'{"n":"12345678901234567890"}')
    assert members(story, run)["0"] == "failed"
    end(story, "1", outputs=b'{"n":"1234567890"}')
    assert members(story, run)["1"] == "succeeded"


@pytest.mark.parametrize("act", ["", "stop", "cancel"])
def test_many_at_once_that_are_divided_over_many_are_fixed_one_after_the_other(
    story: Story, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """Each reads all agents."""
    monkeypatch.setattr(spreading, "LOOK", 1_000_000)
    hosts(story)
    task = {**RUN, **ON_WEB, "fanout": {"all": "registered"}}
    story.put(job(tasks={"many": task, "more": task, "none": {**task, "on": {"pool": "none"}}}))
    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run"))
    assert len(fanouts.of_run(story.store, run)) == 1
    assert set(story.tasks(run).values()) == {"active"}
    if act == "stop":
        story.tell_ok(*[c.StopTask(run, name) for name in ("many", "more", "none")])
    elif act == "cancel":
        story.tell_ok(c.CancelRun(run))
    placed(story)
    story.settle()
    if act:
        assert set(story.tasks(run).values()) == {"cancelled"}
    else:
        assert (states(story, run), states(story, run)) == ("sss", "sss")
        assert whole(story, run, "none").reason.startswith("no agent that it means is registered")
    closed(story, run)


def test_giving_up_those_that_are_away_looks_at_each_once(story: Story) -> None:
    hosts(story, "abcdefgh", away="abcdefgh")
    run = begun_on_agents(story, join="any", ttl="10s", max_parallel=1)
    told: list[str] = []
    story.store._connection.set_trace_callback(told.append)
    after(story, 10)
    story.store._connection.set_trace_callback(None)
    assert states(story, run) == "e" * 8
    assert sum("tasks_turn" in sql for sql in told) < 8, "that would be all of them for each"


@pytest.mark.parametrize("how", ["registered", "connected"])
def test_no_agent_that_is_meant_fails_the_task_with_its_reason(story: Story, how: str) -> None:
    hosts(story, "a" if how == "connected" else "", away="a" if how == "connected" else "")
    run = begun_on_agents(story, all=how)
    said = f"no agent that it means is {how}: pool web, label role=web"
    assert (whole(story, run).state, whole(story, run).reason) == ("failed", said)
    assert story.run(run).state == "failed"
    closed(story, run)


def test_connected_agents_alone(story: Story) -> None:
    hosts(story, away="b")
    run = begun_on_agents(story, all="connected")
    assert sorted(members(story, run)) == ["", "a", "c"]


# -- repeated -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("same", [True, False])
def test_a_rerun_of_what_failed_repeats_unsuccessful_members_alone(story: Story, same: bool) -> None:
    old = begun(
        story, {"foreach": ["a", "b", "c"]}, outputs=["n"], join=2, params={"p": {"type": "string"}},
        given=b'{"p":"x"}',
    )  # fmt: skip
    placed(story)
    end(story, "1", outputs=b'{"n":"1"}')
    end(story, "0", exit_code=1)
    end(story, "2", exit_code=1)
    story.settle()
    assert (states(story, old), story.run(old).state) == ("fsf", "failed")
    params = b'{"p":"x"}' if same else b'{"p":"y"}'
    run = int(story.value(c.RerunRun(old, params, story.now_ms, from_failed=True), "run"))
    placed(story)
    assert list(assigned(story)) == (["0", "2"] if same else ["0", "1", "2"])
    rows = attempt_reads.dispatch(story.store, assigned(story).values())
    assert [row.item for row in rows] == (["a", "c"] if same else ["a", "b", "c"])
    end(story, "0", outputs=b'{"n":"0"}')
    if same:
        text = outputs.of_task(story.store, whole(story, run).id)
        assert json.loads(text or b"") == {"n": '["0","1",null]'}
        assert story.store.value("SELECT count(*) FROM taken_tasks WHERE run = ?", (old,)) == 1
    story.settle()
    assert (whole(story, run).state, story.run(run).state) == ("succeeded", "succeeded")
    closed(story, run)


def failed_once(story: Story, members: int = 3) -> int:
    """A run of which all members but the first succeeded."""
    run = begun(story, {"n": members})
    placed(story)
    for member in range(1, members):
        end(story, str(member))
    end(story, "0", exit_code=1)
    story.settle()
    assert story.run(run).state == "failed"
    return run


def purge(story: Story, run: int) -> None:
    for _ in range(20):
        story.tell_ok(c.Purge(story.epoch, story.job().id, run, 100))


def test_a_rerun_of_what_failed_says_that_the_run_before_is_purged(story: Story) -> None:
    """It was kept back meanwhile: that all members are done again would not be what was asked for."""
    old = failed_once(story)
    run = int(story.value(c.RerunRun(old, b"{}", story.now_ms, from_failed=True, held=True), "run"))
    placed(story)
    purge(story, old)
    story.tell_ok(c.ReleaseRun(run))
    placed(story)
    assert (states(story, run), whole(story, run).state) == ("", "failed")
    said = f"run {old}, of whose members it was to repeat those that failed, is purged"
    assert whole(story, run).reason == f"{said}: rerun this one from many"
    story.settle()
    assert story.run(run).state == "failed"
    closed(story, run)
    again = int(story.value(c.RerunRun(run, b"{}", story.now_ms, from_task="many"), "run"))
    placed(story)
    assert list(assigned(story)) == ["0", "1", "2"]
    story.settle()
    assert story.run(again).state == "succeeded"


def test_a_run_is_not_purged_while_members_are_taken_over_from_it(tmp_path: Path) -> None:
    story = Story(tmp_path / "state.db", room=8 * ROW)
    story.lead()
    old = failed_once(story, 40)
    run = int(story.value(c.RerunRun(old, b"{}", story.now_ms, from_failed=True), "run"))
    assert row_of(story, run).unmade
    purge(story, old)
    placed(story)
    assert list(assigned(story)) == ["0"], "the others had succeeded"
    purge(story, old)
    assert story.store.value("SELECT count(*) FROM runs WHERE id = ?", (old,)) == 0
    story.settle()
    assert story.run(run).state == "succeeded"
    story.close()


def test_a_rerun_over_agents_goes_to_the_same_ones(story: Story) -> None:
    hosts(story)
    old = begun_on_agents(story)
    end(story, "a")
    end(story, "b", exit_code=1)
    story.settle()
    story.connect("d", **WEB)
    run = int(story.value(c.RerunRun(old, b"{}", story.now_ms, from_failed=True), "run"))
    placed(story)
    assert list(assigned(story)) == ["b", "c"]
    story.settle()
    assert (states(story, run), story.run(run).state) == ("sss", "succeeded")
    closed(story, run)
