"""Runs of other jobs end: each trigger that waits for that makes one run of what it had not consumed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from scheduler.explain import conditions
from scheduler.machine.context import ROOM
from scheduler.machine.rules import cycles
from scheduler.machine.steps.hearing import AT_ONCE, AT_ONCE_MAX
from scheduler.model import parse_job, prepare
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.tables import ends, listeners, postponed, results
from scheduler.store.tables.agents import FEW
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_restores import restore
from tests.scheduler.machine.test_stages import row, stage
from tests.scheduler.story import POOL, START_MS, Story, job


def after(name: str, condition: str, **fields: Any) -> dict[str, Any]:
    trigger = {"after": condition, "id": "t"}
    trigger |= {key: fields.pop(key) for key in ("overlap", "allow_cycle") if key in fields}
    return job(name, trigger=trigger, **fields)


def begin(story: Story, name: str) -> int:
    return int(story.value(c.RunJob("default", name, b"{}", story.now_ms), "run"))


def run(story: Story, name: str, exit_code: int = 0) -> int:
    """A run of the job, from its beginning to its end, and what follows from that at once."""
    made = begin(story, name)
    while story.run(made).state not in ("succeeded", "failed"):
        assert story.plan_and_apply()
        story.work(exit_code=exit_code)
    return made


def crowd(story: Story, name: str) -> None:
    """So many hear of the job that ends of its runs are left to the planner."""
    story.put(*(after(f"other-{n}", f"{name}.lost") for n in range(AT_ONCE_MAX)))


def entries(story: Story) -> list[tuple[str, str, str]]:
    """(cause, outcome, reason) of what `after` fired."""
    found = [entry for entry, _ in ledger_reads.after(story.store, 0, limit=1_000)]
    return [(entry.key, entry.outcome, entry.reason) for entry in found if entry.kind == "after"]


def fired(story: Story, name: str) -> list[str]:
    """The causes of the job's runs."""
    rows = story.store.rows(
        "SELECT cause_key FROM runs WHERE name = ? AND cause = 'after' ORDER BY id", (name,)
    )
    return [row[0] for row in rows]


@pytest.fixture
def told(story: Story) -> Iterator[Story]:
    story.put(job("a"), job("b"))
    story.connect()
    yield story
    assert proven(story)


def proven(story: Story) -> bool:
    """Of everything, and of each part of the time."""
    instants = [START_MS - 1, START_MS, START_MS + 1, story.now_ms]
    for since_ms, until_ms in combinations(sorted(set(instants)), 2):
        check = verify(story.store, since_ms, until_ms, now_ms=story.now_ms)
        assert check.ok, check.problems
    return True


def test_the_end_of_its_job_makes_one_run(told: Story) -> None:
    told.put(after("j", "a.succeeded"))
    first = run(told, "a")
    told.settle()
    assert fired(told, "j") == [f"t/{first}"]
    second = run(told, "a")
    told.settle()
    assert entries(told) == [(f"t/{first}", "ran", ""), (f"t/{second}", "ran", "")]
    assert told.plan() == []


def test_what_ended_otherwise_makes_none(told: Story) -> None:
    told.put(after("j", "a.succeeded"), after("k", "a.failed"), after("l", "a.exit_code in [3, 4]"))
    run(told, "a", exit_code=3)
    told.settle()
    assert [fired(told, name) for name in "jkl"] == [[], ["t/1"], ["t/1"]]


def test_all_of_several_must_have_ended_and_each_end_counts_once(told: Story) -> None:
    told.put(after("j", "a.succeeded and b.succeeded"))
    first = run(told, "a")
    told.settle()
    assert fired(told, "j") == []
    second = run(told, "b")
    told.settle()
    assert fired(told, "j") == [f"t/{first},{second}"]
    run(told, "b")
    told.settle()
    assert len(fired(told, "j")) == 1, "the end of a is consumed"
    trigger = told.triggers()[0].id
    assert list(results.of(told.store, trigger)) == ["default/b"]


def test_of_several_ends_of_one_job_the_newest_counts_and_stands_for_all(told: Story) -> None:
    told.put(after("j", "a.succeeded and b.succeeded"))
    for exit_code in (0, 1, 0):
        newest = run(told, "a", exit_code)
        told.settle(exit_code=exit_code)
    trigger = told.triggers()[0].id
    assert results.of(told.store, trigger)["default/a"].ends == 3
    other = run(told, "b")
    told.settle()
    assert fired(told, "j") == [f"t/{newest},{other}"]
    assert results.of(told.store, trigger) == {}


def test_a_run_consumes_all_that_it_names_also_what_decided_nothing(told: Story) -> None:
    told.put(after("j", "a.succeeded or b.succeeded"))
    run(told, "a", exit_code=1)
    told.settle()
    run(told, "b")
    told.settle()
    assert fired(told, "j") == ["t/1,2"]
    assert results.of(told.store, told.triggers()[0].id) == {}


def test_what_ended_before_the_trigger_was_there_is_not_heard(told: Story) -> None:
    run(told, "a")
    told.put(after("j", "a.succeeded"))
    told.settle()
    assert fired(told, "j") == []


def test_a_trigger_of_each_of_two_jobs_has_results_of_its_own(told: Story) -> None:
    told.put(after("j", "a.succeeded"), after("k", "a.ended and b.ended"))
    run(told, "a")
    told.settle()
    run(told, "b")
    told.settle()
    assert (fired(told, "j"), fired(told, "k")) == (["t/1"], ["t/1,3"])


def test_very_many_that_wait_for_one_job_fire_in_steps_and_each_once(told: Story) -> None:
    count = 3 * listeners.PAGE + 7
    told.put(*(after(f"j{n}", "a.succeeded") for n in range(count)))
    run(told, "a")
    planned = [command for command in told.plan() if isinstance(command, c.FireDependents)]
    assert len(planned) == 4
    told.settle()
    assert len(entries(told)) == count
    assert told.store.value("SELECT count(*) FROM runs WHERE cause = 'after'") == count


def test_a_chain_runs_to_its_end(told: Story) -> None:
    told.put(*(after(f"c{n}", f"c{n - 1}.succeeded" if n else "a.succeeded") for n in range(60)))
    run(told, "a")
    told.settle()
    assert [len(fired(told, f"c{n}")) for n in range(60)] == [1] * 60


def states(story: Story, name: str) -> list[str]:
    """Of the attempts of the job's runs."""
    rows = story.store.rows(
        "SELECT a.state FROM attempts a JOIN runs r ON r.id = a.run WHERE r.name = ? ORDER BY a.id", (name,)
    )
    return [row[0] for row in rows]


def test_a_step_of_a_chain_begins_in_the_entry_that_ends_the_one_before(told: Story) -> None:
    told.put(*(after(f"c{n}", f"c{n - 1}.succeeded" if n else "a.succeeded") for n in range(3)))
    run(told, "a")
    for n in range(3):
        assert states(told, f"c{n}") == ["assigned"]
        assert told.plan() == []
        assert told.work()
    assert [state for _, state in told.runs()] == ["succeeded"] * 4


def test_steps_stay_with_their_agent_while_no_other_is_less_loaded(told: Story) -> None:
    told.put(after("c", "a.succeeded"), after("d", "a.succeeded"))
    run(told, "a")
    assert (states(told, "c"), states(told, "d")) == (["assigned"], ["assigned"]), "there is no other agent"


@pytest.mark.parametrize(
    ("other", "second"),
    [("idle", []), ("in another pool", ["assigned"]), ("drains", ["assigned"]), ("gone", ["assigned"])],
)
def test_a_step_goes_to_the_planner_where_its_agent_is_not_the_least_loaded(
    told: Story, other: str, second: list[str]
) -> None:
    told.put(after("c", "a.succeeded"), after("d", "a.succeeded"))
    begin(told, "a")
    told.plan_and_apply()
    agent = told.connect("agent-2", session="s2", pool="gpu" if other == "in another pool" else POOL)
    if other == "drains":
        told.tell_ok(c.DrainAgent("agent-2"))
    if other == "gone":
        told.disconnect(agent)
    told.work()
    assert (states(told, "c"), states(told, "d")) == (["assigned"], second), "the first has the agent now"
    told.settle()
    assert (states(told, "c"), states(told, "d")) == (["succeeded"], ["succeeded"])


def test_a_task_that_others_held_up_begins_in_the_entry_that_ends_the_last_of_them(told: Story) -> None:
    noop: dict[str, Any] = {"noop": True}
    told.put(job("g", tasks={"x": noop, "y": {**noop, "needs": ["x"]}, "z": {**noop, "needs": ["y"]}}))
    begin(told, "g")
    told.plan_and_apply()
    for _ in range(3):
        assert told.plan() == [], "no entry but for grants and ends"
        assert told.work()
    assert [state for _, state in told.runs()] == ["succeeded"]


def test_of_very_many_agents_the_planner_finds_the_least_loaded(told: Story) -> None:
    for n in range(FEW):
        told.connect(f"more-{n}", session=f"s{n}", slots=1_000)
    told.put(after("c", "a.succeeded"), after("d", "a.succeeded"))
    run(told, "a")
    assert (states(told, "c"), states(told, "d")) == (["assigned"], []), "it has one now"


def test_a_step_passes_by_nobody_who_waits_in_a_queue(told: Story) -> None:
    told.put(after("c", "a.succeeded"), job("w", on={"pool": "nowhere"}))
    begin(told, "w")
    run(told, "a")
    assert (len(fired(told, "c")), states(told, "c")) == (1, [])
    told.settle()
    assert states(told, "c") == ["succeeded"]


def test_ends_keep_their_order_where_one_of_them_is_left_to_the_planner(told: Story) -> None:
    told.put(after("j", "a.succeeded and b.succeeded"), after("k", "b.succeeded"))
    crowd(told, "a")
    begin(told, "a")
    other = begin(told, "b")
    told.plan_and_apply()
    told.work()
    assert fired(told, "k") == [], "the end before it was not looked at"
    told.settle()
    assert (fired(told, "j"), fired(told, "k")) == ([f"t/1,{other}"], [f"t/{other}"])


def test_a_frame_of_very_many_ends_leaves_those_behind_to_the_planner(told: Story) -> None:
    count = 2 * ROOM // AT_ONCE
    told.put(*(job(f"p{n}") for n in range(count)), *(after(f"c{n}", f"p{n}.ended") for n in range(count)))
    for n in range(count):
        begin(told, f"p{n}")
    told.connect(name="wide", slots=count)
    while told.plan_and_apply():
        pass
    told.work()
    at_once = told.store.value("SELECT count(*) FROM runs WHERE cause = 'after'")
    assert 0 < at_once <= ROOM // AT_ONCE
    told.settle()
    assert len(entries(told)) == count


def test_while_a_restore_holds_no_end_is_heard(told: Story) -> None:
    told.put(after("j", "a.succeeded"))
    restore(told)
    told.lead()
    told.now_ms += 1_000
    told.connect(session="s2")
    again = run(told, "a")
    assert (fired(told, "j"), told.plan()) == ([], [])
    told.now_ms += 3_600_000
    told.settle()
    assert fired(told, "j") == [f"t/{again}"]


def test_a_chain_that_ends_without_an_agent_takes_a_command_a_step(told: Story) -> None:
    """A run that begins and ends where an end is heard is not heard there itself."""
    ends = {"x": {"finish": "succeeded"}}
    links = (after(f"c{n}", f"c{n - 1}.succeeded" if n else "a.succeeded", tasks=ends) for n in range(40))
    told.put(job("a", tasks={"w": {"sleep": "1s"}}), *links)
    begin(told, "a")
    told.now_ms += 1_000
    told.settle()
    assert [len(fired(told, f"c{n}")) for n in range(40)] == [1] * 40


def test_a_paused_job_skips_and_consumes_nothing(told: Story) -> None:
    told.put(after("j", "a.succeeded and b.succeeded"))
    told.tell_ok(c.PauseJob("default", "j"))
    run(told, "a")
    run(told, "b")
    told.settle()
    assert entries(told) == [("t/1,2", "skipped", "paused")]
    told.tell_ok(c.ResumeJob("default", "j"))
    told.settle()
    assert fired(told, "j") == [], "a resume judges nothing"
    again = run(told, "b")
    told.settle()
    assert fired(told, "j") == [f"t/1,{again}"]


def test_a_queue_without_room_holds_it_back_and_the_newest_end_takes_its_place(told: Story) -> None:
    told.put(after("j", "a.succeeded"))  # queue_one
    busy = begin(told, "j")
    told.plan_and_apply()
    ended = []
    for _ in range(4):
        made = begin(told, "a")
        told.plan_and_apply()
        attempt = told.attempts(made)[0].id
        told.claim(attempt)
        told.finish(attempt)
        told.plan_and_apply()
        ended.append(made)
    assert fired(told, "j") == [f"t/{ended[0]}"], "it waits behind the run that goes on"
    assert told.run(ended[0] + 1).waiting == 1
    assert entries(told) == [(f"t/{ended[n]}", "coalesced", "overlap") for n in (1, 2)]
    assert told.run(busy).state == "pending"
    told.settle()
    assert fired(told, "j") == [f"t/{ended[0]}", f"t/{ended[3]}"]
    assert [outcome for _, outcome, _ in entries(told)] == ["coalesced", "coalesced", "ran", "ran"]


def test_what_is_held_back_ends_with_the_job_and_lives_through_its_edit(told: Story) -> None:
    told.put(after("j", "a.succeeded"))
    begin(told, "j")
    for _ in range(2):
        begin(told, "a")
        told.plan_and_apply()
        attempt = told.store.value("SELECT max(id) FROM attempts WHERE state = 'assigned'")
        told.claim(attempt)
        told.finish(attempt)
        told.plan_and_apply()
    (kept,) = postponed.of_job(told.store, told.job().id)
    told.put(after("j", "a.succeeded or b.failed"))
    assert [row._replace(trigger=0) for row in postponed.of_job(told.store, told.job().id)] == [
        kept._replace(trigger=0)
    ]
    told.tell_ok(c.DeleteJob("default", "j"))
    told.settle()
    assert (kept.cause_key, "skipped", "cancelled") in entries(told)
    assert told.store.value("SELECT count(*) FROM postponed") == 0
    assert told.store.value("SELECT count(*) FROM results") == 0


@pytest.mark.parametrize(
    ("overlap", "runs", "outcomes"),
    [
        ("allow", 3, []),
        ("queue_all", 3, []),
        ("skip", 1, [("skipped", "overlap")] * 2),
    ],
)
def test_overlap_of_the_trigger_counts(
    told: Story, overlap: str, runs: int, outcomes: list[tuple[str, str]]
) -> None:
    told.put(after("j", "a.succeeded", overlap=overlap))
    for _ in range(3):
        begin(told, "a")
        told.plan_and_apply()
        attempt = told.store.value("SELECT max(id) FROM attempts WHERE state = 'assigned'")
        told.claim(attempt)
        told.finish(attempt)
        told.plan_and_apply()
    assert len(fired(told, "j")) == runs
    assert [entry[1:] for entry in entries(told)] == outcomes


def test_an_edit_of_its_condition_goes_on_with_what_was_heard(told: Story) -> None:
    told.put(after("j", "a.succeeded and b.succeeded"))
    run(told, "a")
    told.settle()
    told.put(after("j", "b.ended and a.ended"))
    told.settle()
    assert fired(told, "j") == [], "an edit judges nothing"
    run(told, "b")
    told.settle()
    assert fired(told, "j") == ["t/1,2"]


def test_an_end_that_nobody_looked_at_yet_is_heard_by_the_edited_trigger(told: Story) -> None:
    told.put(after("j", "a.failed"))
    crowd(told, "a")
    run(told, "a")
    told.put(after("j", "a.succeeded"))
    told.settle()
    assert fired(told, "j") == ["t/1"]


def test_a_disabled_job_hears_nothing(told: Story) -> None:
    told.put(after("j", "a.succeeded"))
    told.put(after("j", "a.succeeded", enabled=False))
    run(told, "a")
    told.put(after("j", "a.succeeded"))
    told.settle()
    assert fired(told, "j") == []


def test_the_same_ends_fire_once_whoever_asks(told: Story) -> None:
    told.put(after("j", "a.succeeded"))
    crowd(told, "a")
    run(told, "a")
    (command,) = [each for each in told.plan() if isinstance(each, c.FireDependents)]
    told.tell_ok(command)
    assert told.one(command).code == Code.SUPERSEDED
    assert told.one(c.FirePostponed(told.epoch, told.triggers("j")[0].id, "t/1")).code == Code.SUPERSEDED
    assert told.one(c.FireDependents(told.epoch - 1, command.end)).code == Code.STALE_EPOCH
    told.settle()
    assert fired(told, "j") == ["t/1"]


def test_every_end_counts_of_whatever_cause(told: Story) -> None:
    told.put(
        job("a", trigger={"every": "1m"}), after("j", "a.succeeded"), after("k", "j.succeeded"),
    )  # fmt: skip
    told.now_ms += 60_000
    told.settle()
    assert told.runs() == [("tick", "succeeded"), ("after", "succeeded"), ("after", "succeeded")]


def test_in_a_restored_state_what_the_cluster_before_may_have_fired_is_missed(told: Story) -> None:
    told.put(after("j", "a.succeeded"))
    crowd(told, "a")
    run(told, "a")
    assert ends.first_open(told.store) is not None
    restore(told)
    told.lead()
    told.now_ms += 3_600_000
    told.connect(session="s2")
    told.settle()
    assert entries(told) == [("t/1", "missed", "restored")]
    again = run(told, "a")
    told.settle()
    assert entries(told)[1:] == [(f"t/{again}", "ran", "")]


# -- explain --------------------------------------------------------------------------------------


def test_each_part_of_a_condition_is_explained(told: Story) -> None:
    told.put(after("j", "a.exit_code in [0, 4] and (b.succeeded or not b.ended)"))
    run(told, "a")
    told.settle()
    (found,) = conditions.of_job(told.store, told.job().id, told.now_ms)
    assert (found.trigger, found.value, found.waits, found.lacks) == ("t", None, False, ("default/b",))
    assert [("  " * part.depth + part.text, part.value) for part in found.parts] == [
        ("a.exit_code in [0, 4] and (b.succeeded or not b.ended)", None),
        ("  a.exit_code in [0, 4]", True), ("    a.exit_code", 0), ("    0", 0), ("    4", 4),
        ("  b.succeeded or not b.ended", None),
        ("    b.succeeded", None), ("    not b.ended", None), ("      b.ended", None),
    ]  # fmt: skip
    assert [(heard.job, heard.run, heard.state) for heard in found.heard] == [("default/a", 1, "succeeded")]
    run(told, "b")
    told.settle()
    made = conditions.of_run(told.store, told.run(3))
    assert made is not None
    assert (made.value, [heard.run for heard in made.heard], made.lacks) == (True, [1, 2], ())
    assert conditions.of_run(told.store, told.run(1)) is None


# -- verify ---------------------------------------------------------------------------------------


def problems(story: Story) -> list[tuple[str, str]]:
    check = verify(story.store, START_MS - 1, story.now_ms + 1, now_ms=story.now_ms)
    return [(each.kind, each.detail) for each in check.problems if each.kind != "chain"]


def test_verify_sees_what_was_not_fired_and_what_should_not_have_been(story: Story) -> None:
    story.put(job("a"), job("b"), after("j", "a.succeeded and b.succeeded"), after("k", "a.failed"))
    story.connect()
    run(story, "a")
    run(story, "b")
    story.settle()
    assert problems(story) == []
    story.store.execute("UPDATE ends SET state = 'failed' WHERE id = 1")
    assert problems(story) == [
        ("not_due", "t/1,2 fired, and no condition was true for that"),
        ("missing", "runs 1 made its condition true, and nothing came of it"),
    ]
    story.store.execute("UPDATE ends SET state = 'succeeded' WHERE id = 1")
    story.store.execute("DELETE FROM ledger WHERE kind = 'after'")
    story.store.execute("DELETE FROM runs WHERE cause = 'after'")
    assert problems(story) == [("missing", "runs 1,2 made its condition true, and nothing came of it")]


def test_verify_agrees_whatever_happened(story: Story) -> None:
    """Random ends, edits, pauses and slow children."""
    rng = random.Random(11)
    parents = ["a", "b", "c"]
    story.put(*(job(name) for name in parents))
    story.connect()
    conditions = [
        "a.succeeded", "a.ended and b.succeeded", "a.failed or (b.ended and c.ended)", "not c.failed",
    ]  # fmt: skip
    seen: dict[str, None] = {}
    for _ in range(120):
        story.now_ms += rng.choice([0, 1, 5_000])
        match rng.randrange(14):
            case 0 | 1:
                name = rng.choice(["j", "k"])
                overlap = rng.choice(["queue_one", "queue_one", "queue_all", "skip", "allow"])
                story.put(after(name, rng.choice(conditions), overlap=overlap))
            case 2:
                name = rng.choice(["j", "k"])
                story.tell(c.PauseJob("default", name), c.ResumeJob("default", name))
            case 3:
                story.tell(c.PauseJob("default", rng.choice(["j", "k"])))
            case 4:
                story.tell(c.ResumeJob("default", "j"), c.ResumeJob("default", "k"))
            case 5:
                story.tell(c.DeleteJob("default", rng.choice(["j", "k"])))
            case 6:
                story.tell(c.RunJob("default", "j", b"{}", story.now_ms))
                story.plan_and_apply()
            case _:
                for name in rng.sample(parents, rng.randint(1, 3)):
                    begin(story, name)
                story.plan_and_apply()
                # Of each job alone, so that some are slow.
                for attempt, agent in story.store.rows(
                    "SELECT a.id, a.agent FROM attempts a JOIN runs r ON r.id = a.run"
                    " WHERE a.state = 'assigned' AND r.name IN ('a', 'b', 'c') ORDER BY a.id"
                ):
                    story.claim(attempt)
                    now_ms, code = story.now_ms, rng.choice([0, 0, 1])
                    story.tell_ok(c.Finish(attempt, agent, now_ms, now_ms, code, "exit"))
                if rng.random() < 0.7:
                    story.plan_and_apply()
        if rng.random() < 0.1:
            story.work()
        assert proven(story)
        seen |= {f"{outcome} {reason}".strip(): None for _, outcome, reason in entries(story)}
    story.settle()
    assert proven(story)
    assert {"ran", "coalesced overlap", "skipped paused", "skipped cancelled"} <= set(seen), seen


# -- references and cycles ----------------------------------------------------------------------------


def refusal(story: Story, *documents: dict[str, Any]) -> tuple[str, str]:
    prepared = tuple(prepare(parse_job(document), story.now_ms) for document in documents)
    outcome = story.one(c.PutJobs(prepared, story.now_ms))
    return outcome.code, outcome.detail


def test_what_it_names_has_to_be_there_and_stays(told: Story) -> None:
    code, said = refusal(told, after("j", "missing.succeeded and a.failed"))
    assert (code, said) == (
        Code.MISSING, "job default/j refers to job default/missing, which does not exist",
    )  # fmt: skip
    told.put(after("j", "k.succeeded"), after("k", "a.succeeded"))
    outcome = told.one(c.DeleteJob("default", "k"))
    assert (outcome.code, outcome.detail) == (
        Code.REFERRED, "job default/k is referred to by job default/j",
    )  # fmt: skip
    assert told.apply(gone=[("job", "default", "k"), ("job", "default", "j")]).ok
    assert told.store.value("SELECT count(*) FROM listeners WHERE until_end IS NULL") == 0


def test_jobs_that_would_wait_for_each_other_are_refused_but_where_that_is_meant(told: Story) -> None:
    told.put(after("j", "a.succeeded"), after("k", "j.ended and b.ended"))
    said = "these jobs would wait for each other: default/a → default/j → default/k → default/a"
    assert refusal(told, after("a", "k.succeeded")) == (Code.CYCLE, said)
    assert refusal(told, after("z", "z.failed")) == (
        Code.CYCLE, "these jobs would wait for each other: default/z → default/z",
    )  # fmt: skip
    new = after("x", "y.ended"), after("y", "z.ended"), after("z", "x.ended")
    assert refusal(told, *new)[0] == Code.CYCLE
    told.put(*new[:2], after("z", "x.ended", allow_cycle=True))
    told.put(after("a", "k.succeeded", allow_cycle=True))
    # What is put again asks nothing, and what opens a cycle may come with what would close another.
    told.put(after("k", "j.ended and b.ended", description="again"))
    told.put(after("j", "b.ended"), after("b", "a.ended"), after("k", "a.ended"))


def test_of_a_circle_only_those_are_named_that_its_author_may_know_of(told: Story) -> None:
    told.put(
        job("x", namespace="blue"), job("c", namespace="secret"),
        after("z", "blue/x.ended", namespace="blue"), after("d", "blue/z.ended", namespace="secret"),
        after("b", "secret/d.ended", namespace="red"),
    )  # fmt: skip
    assert refusal(told, after("x", "red/b.ended", namespace="blue")) == (
        Code.CYCLE,
        "these jobs would wait for each other:"
        " blue/x → blue/z → jobs of other namespaces → red/b → blue/x",
    )


def test_cycles_are_refused_as_a_search_over_all_edges_says(told: Story) -> None:
    """In any order, over any number of commands, with what is put beside."""
    rng = random.Random(7)
    names = [f"n{number}" for number in range(9)]
    told.put(*(job(name) for name in names))
    edges: dict[str, list[str]] = {name: [] for name in names}
    refused = 0
    for _ in range(150):
        asked = {name: rng.sample(names, rng.randint(0, 2)) for name in rng.sample(names, rng.randint(1, 3))}
        wanted = edges | asked
        documents = [
            after(name, " or ".join(f"{parent}.ended" for parent in parents)) if parents else job(name)
            for name, parents in asked.items()
        ]
        code, _ = refusal(told, *documents)
        assert code == (Code.CYCLE if _has_cycle(wanted) else Code.OK), (edges, asked)
        refused += code == Code.CYCLE
        edges = wanted if code == Code.OK else edges
    assert 20 < refused < 130


def _has_cycle(edges: dict[str, list[str]]) -> bool:
    left = dict(edges)
    while True:
        ready = [name for name, parents in left.items() if not set(parents) & set(left)]
        if not ready:
            return bool(left)
        for name in ready:
            del left[name]


def test_a_search_that_would_be_too_long_is_refused(told: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycles, "JOBS_LOOKED_MAX", 5)
    told.put(*(after(f"c{n}", f"c{n - 1}.ended" if n else "a.ended") for n in range(9)))
    told.put(after("k", "b.ended"), after("l", "k.ended"))
    code, said = refusal(told, after("k", "c8.ended"))
    assert (code, said) == (
        Code.CYCLE, "default/k would come after more than 5 jobs: a cycle cannot be ruled out",
    )  # fmt: skip


# -- staged -----------------------------------------------------------------------------------------------


def settled(story: Story, name: str) -> list[str]:
    """The codes of what was in the way of a stage that has ended."""
    while not row(story, name).has_ended:
        assert story.plan_and_apply()
    return list(dict.fromkeys(problem["code"] for problem in json.loads(row(story, name).problems)))


def test_circles_are_found_among_what_is_staged_and_what_stands(told: Story) -> None:
    told.put(after("j", "a.ended"), after("k", "j.ended"))
    stage(told, after("z", "y.ended"), after("y", "x.ended"), after("x", "b.ended"), name="in any order")
    settled(told, "in any order")
    for number, documents in enumerate(
        (
            (after("p", "q.ended"), after("q", "p.ended")),
            (after("a", "k.ended"),),
            (after("b", "r.ended"), after("r", "z.ended")),
        )
    ):
        stage(told, *documents, name=f"s{number}")
        assert settled(told, f"s{number}") == ["cycle"]
    run(told, "b")
    told.settle()
    assert [fired(told, name) for name in "xyz"] == [["t/1"], ["t/2"], ["t/3"]]


def test_an_end_while_a_stage_goes_live_is_judged_by_what_was_staged(told: Story) -> None:
    told.put(after("j", "a.failed"))
    begin(told, "a")
    told.plan_and_apply()
    stage(told, *(job(f"filler-{n}") for n in range(80)), after("j", "a.succeeded"), name="live")
    while row(told, "live").state != "switching":
        assert told.plan_and_apply()
    assert told.job().revision == 1, "it has not had its turn"
    told.work()
    assert told.run(1).state == "succeeded"
    told.settle()
    assert fired(told, "j") == ["t/1"]
