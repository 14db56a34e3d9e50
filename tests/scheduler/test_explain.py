"""What is told of runs, tasks and ticks is what the machine says, and does next."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from scheduler.explain import (
    Cluster,
    Explained,
    Finding,
    RunExplained,
    TaskExplained,
    TickExplained,
    explain_instant,
    explain_run,
)
from scheduler.explain.findings import outcome_text
from scheduler.machine.rules import gates
from scheduler.store.reads import jobs as job_reads
from scheduler.store.tables.triggers import BEHIND
from scheduler.words import commands as c
from scheduler.words.reasons import BUFFER_FULL
from tests.scheduler.machine.test_replay import STEPS, command
from tests.scheduler.machine.test_restores import restore
from tests.scheduler.story import START_MS, Story, job

EVERY_SECOND = {"cron": "* * * * * *"}
CHAIN = {
    "first": {"noop": True},
    "second": {"noop": True, "needs": ["first"]},
    "other": {"noop": True, "needs": ["first"], "rule": "any_failed"},
}
OF_TASKS = [gate.NAME for gate in gates.TASK]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    return story


def cluster(story: Story) -> Cluster:
    return Cluster(story.now_ms, "node-a", True)


WAITS = ("overlap", "failures", "admission", "quota")
"""Gates for which a run that is made waits."""


def of_run(story: Story, run: int, known: Cluster | None = None) -> RunExplained:
    return explain_run(story.store, story.run(run), known or cluster(story), story.compiled)


def of_task(story: Story, run: int, name: str = "main") -> TaskExplained:
    return next(task for task in of_run(story, run).tasks if task.name == name)


def at(story: Story, at_ms: int | None, name: str = "j") -> Explained:
    ids = job_reads.ids(story.store, "default", name)
    return explain_instant(story.store, ids, at_ms, cluster(story), story.compiled)


def the_tick(story: Story, at_ms: int | None, name: str = "j") -> TickExplained:
    (tick,) = at(story, at_ms, name).ticks
    return tick


def closed(findings: tuple[Finding, ...]) -> Finding:
    return next(each for each in findings if each.state != "ready")


def start(story: Story, name: str = "j") -> int:
    return int(story.value(c.RunJob("default", name, b"{}", story.now_ms), "run"))


# -- runs and tasks -------------------------------------------------------------------------------


def test_without_any_agent_a_queued_task_says_what_it_asks_for(story: Story) -> None:
    on = {"pool": "gpu", "zone": "zone-b", "labels": {"os": "linux"}}
    story.put(job(on=on))
    run = start(story)

    task = of_task(story, run)
    finding = closed(task.gates)

    assert (task.state, task.verdict) == ("queued", "waits")
    assert (finding.gate, finding.since_ms) == ("agent", START_MS)
    assert finding.reason == "no connected agent has pool gpu, zone zone-b, label os=linux"


def test_an_agent_that_matches_and_is_away_is_named(story: Story) -> None:
    story.put(job())
    agent = story.connect("agent-7")
    story.disconnect(agent)
    run = start(story)

    assert "agent-7 has, and is disconnected" in closed(of_task(story, run).gates).reason


def test_a_task_whose_user_was_withdrawn_says_so_before_its_run_and_in_it(story: Story) -> None:
    story.put(job(namespace="money", run_as="batch", run="true", noop=None, triggers={"cron": "0 2 * * *"}))
    story.connect("agent-7", kinds=("shell", "shell.run_as"))
    run = int(story.value(c.RunJob("money", "j", b"{}", story.now_ms), "run"))
    assert of_task(story, run).verdict == "ready"

    story.tell_ok(c.PutNamespace("money", b"{}", users=("web",)))
    finding = closed(of_task(story, run).gates)
    said = "it runs as batch, and tasks of namespace money may only run as web"
    assert (finding.gate, finding.reason) == ("user", said)
    ids = job_reads.ids(story.store, "money", "j")
    (tick,) = explain_instant(story.store, ids, None, cluster(story), story.compiled).ticks
    assert [each.reason for each in tick.gates if each.gate == "user"] == [said]

    story.tell_ok(c.PutNamespace("money", b"{}", users=("batch",)))
    assert of_task(story, run).verdict == "ready"


def test_a_task_whose_kind_of_work_nobody_offers_names_who_would(story: Story) -> None:
    story.put(job())
    story.connect("idle", kinds=("exec",))
    story.connect("elsewhere", pool="gpu")
    away = story.connect("agent-7")
    story.disconnect(away)
    run = start(story)
    story.plan_and_apply()

    finding = closed(of_task(story, run).gates)
    assert (finding.gate, finding.since_ms, finding.opens) == ("kind", START_MS, "an agent that offers it")
    said = "no connected agent with pool default offers work of kind noop"
    assert finding.reason == f"{said}; agent-7 does, and is disconnected"

    story.connect("agent-7", session="s2")
    story.tell_ok(c.DrainAgent("agent-7"))
    assert closed(of_task(story, run).gates).reason == f"{said}; agent-7 does, and takes nothing new"
    assert story.attempts(run) == []

    story.tell_ok(c.ResumeAgent("agent-7"))
    assert of_task(story, run).verdict == "ready"
    story.plan_and_apply()
    assert [attempt.agent for attempt in story.attempts(run)] == [away]


def test_a_task_that_asks_for_more_than_agents_know_waits_and_names_what_lacks(story: Story) -> None:
    """An agent of an older version, or another's executor, would leave it out in silence."""
    story.put({"job": "j", "run": "true", "umask": "027", "nice": 5, "stdin": "x"})
    story.connect("older", kinds=("shell", "shell.stdin"))
    old = story.connect("old", kinds=("exec", "exec.umask", "shell", "shell.nice", "shell.stdin"))
    story.connect("elsewhere", pool="gpu")
    run = start(story)
    story.plan_and_apply()

    finding = closed(of_task(story, run).gates)
    assert (finding.gate, finding.opens) == ("kind", "an agent that offers it")
    assert finding.reason == "agent old does not know umask of shell work: upgrade it"
    assert not story.one(c.Place(story.epoch, 1, old)).ok, "whoever asks for it"
    assert story.attempts(run) == []

    story.connect("old", session="s2")
    assert of_task(story, run).verdict == "ready"
    story.plan_and_apply()
    assert [attempt.agent for attempt in story.attempts(run)] == [old]


def test_an_agent_that_cannot_look_into_object_stores_is_said_what_to_install(story: Story) -> None:
    story.put({"job": "j", "noop": True, "requires": [{"exists": "s3://bucket/in/_SUCCESS"}]})
    plain = story.connect("plain", kinds=("noop", "exec"))
    run = start(story)
    story.plan_and_apply()

    assert story.attempts(run) == []
    told = of_run(story, run)
    (reason,) = [gate.reason for task in told.tasks for gate in task.gates if gate.gate == "kind"]
    assert reason == (
        "agent plain cannot look into object stores: pip install 'cronclave[s3]' there, and start it anew"
    )

    story.connect("plain", kinds=("noop", "exec", "exec.object_store"), session="s2")
    story.plan_and_apply()
    assert [attempt.agent for attempt in story.attempts(run)] == [plain]


def test_a_task_for_the_host_that_booted_names_its_agent(story: Story) -> None:
    story.put(job(trigger={"startup": {}}, on={"zone": "zone-a"}))
    agent = story.connect("booted", slots=0)
    story.connect("other", boot_id="")
    story.plan_and_apply()
    said = closed(of_task(story, 1).gates).reason
    assert said == "it is for booted, which takes nothing new: its host has booted"
    story.disconnect(agent)
    said = closed(of_task(story, 1).gates).reason
    assert said == "it is for booted, which is disconnected: its host has booted"
    assert at(story, None).said == (
        "the job has no coming tick: it runs when it is asked to, or what its triggers wait for happens"
    )


def test_a_member_of_an_agent_says_so(story: Story) -> None:
    story.put(job(tasks={"many": {"run": "true", "fanout": {"all": "registered"}}}))
    agent = story.connect("db-3")
    story.disconnect(agent)
    run = start(story)
    story.plan_and_apply()
    (member,) = [each for each in of_run(story, run).tasks if each.member]
    said = closed(member.gates).reason
    assert said == "it is for db-3, which is disconnected: each agent has a member of its own"


def test_the_firing_of_a_boot_is_told_from_the_ledger(story: Story) -> None:
    story.put(job(trigger={"startup": {"delay": "10s"}}))
    story.tell_ok(c.Pause("", "the database is moved"))
    story.connect("booted")
    story.now_ms += 20_000
    story.plan_and_apply()

    fired_ms = story.store.value("SELECT first_ms FROM ledger")
    tick = the_tick(story, fired_ms)
    assert (tick.outcome, tick.reason, tick.due_ms) == ("skipped", "paused", fired_ms)
    assert tick.said == "everything was paused: the database is moved"
    assert "no trigger" in at(story, fired_ms + 1).said


def test_all_slots_taken_are_counted_and_then_who_is_before_it(story: Story) -> None:
    story.put(job())
    story.connect(slots=2)
    busy = [start(story) for _ in range(2)]
    story.plan_and_apply()
    run = start(story)

    assert "all slots are taken, 2 of 2 on 1 agent" in closed(of_task(story, run).gates).reason

    other = start(story)
    story.claim(story.attempts(busy[0])[0].id)
    story.finish(story.attempts(busy[0])[0].id)

    assert of_task(story, run).verdict == "ready"
    ahead = "1 task is before it in the queue; it has priority 50"
    assert closed(of_task(story, other).gates).reason == ahead


def test_a_task_at_an_agent_says_what_is_awaited_of_it(story: Story) -> None:
    story.put(job())
    agent = story.connect()
    run = start(story)
    story.plan_and_apply()
    attempt = story.attempts(run)[0].id

    assert "agent-1 has it assigned" in closed(of_task(story, run).gates).reason

    story.claim(attempt)
    assert of_task(story, run).verdict == "ready"

    story.disconnect(agent)
    finding = closed(of_task(story, run).gates)
    assert (finding.gate, finding.reason) == ("attempt", "agent-1, which has it, is not connected")


def test_a_blocked_task_names_what_it_needs(story: Story) -> None:
    story.put(job(tasks=CHAIN))
    run = start(story)

    finding = closed(of_task(story, run, "second").gates)

    assert (finding.gate, finding.state) == ("needs", "waits")
    assert finding.reason == "it needs first (queued) to end"
    assert [each.gate for each in of_task(story, run, "second").gates] == OF_TASKS


def test_of_a_run_that_is_kept_back_is_said_by_whom_and_why(story: Story) -> None:
    story.connect()
    story.put(job(tasks=CHAIN))
    run = start(story)
    story.tell_ok(c.SuspendRun(run, "the disk fills up", c.Actor("ann")))
    told = of_run(story, run)
    finding = closed(told.gates)
    assert (told.verdict, finding.gate, finding.since_ms) == ("waits", "suspended", START_MS)
    assert finding.reason == "its run is suspended by ann: the disk fills up"
    assert finding.opens == f"run resume {run}"
    assert closed(of_task(story, run, "first").gates) == finding
    assert closed(of_task(story, run, "second").gates).gate == "needs"

    held = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms, held=True), "run"))
    finding = closed(of_run(story, held).gates)
    assert (finding.reason, finding.opens) == ("its run is held", f"a release (run release {held})")
    story.tell_ok(c.ReleaseRun(held))
    assert of_run(story, held).verdict == of_task(story, held, "first").verdict == "ready"


def test_of_very_many_needs_the_first_are_named(story: Story) -> None:
    first = {f"t{n:02}": {"noop": True} for n in range(60)}
    story.put(job(tasks={**first, "last": {"noop": True, "needs": list(first)}}))
    run = start(story)

    reason = closed(of_task(story, run, "last").gates).reason

    assert reason.startswith("it needs t00 (queued), t01 (queued), ")
    assert reason.endswith(" and 55 more to end")

    story.connect(slots=51)
    story.plan_and_apply()
    story.work()
    assert closed(of_task(story, run, "last").gates).reason == "it needs 9 tasks to end"


def test_a_run_behind_another_names_it_and_its_tasks_say_that_it_waits(story: Story) -> None:
    story.put(job(trigger=EVERY_SECOND, policies={"overlap": "queue_all"}))
    first = start(story)
    story.now_ms += 1_000
    story.plan_and_apply()
    second = first + 1

    told = of_run(story, second)
    finding = closed(told.gates)

    assert (told.verdict, finding.gate, finding.run) == ("waits", "overlap", first)
    assert finding.opens == f"the end of run {first}"
    assert closed(told.tasks[0].gates).gate == "run"
    assert of_run(story, first).verdict == "ready"


def test_a_task_between_two_tries_tells_when_it_is_tried_again(story: Story) -> None:
    story.put(job(retry={"max": 1, "first": "30s"}))
    story.connect()
    run = start(story)
    story.plan_and_apply()
    story.claim(story.attempts(run)[0].id)
    story.finish(story.attempts(run)[0].id, exit_code=3)

    finding = closed(of_task(story, run).gates)

    assert (finding.gate, finding.opens_ms) == ("retry", START_MS + 30_000)


def test_a_sleep_tells_when_it_ends_and_asks_for_no_agent(story: Story) -> None:
    story.put(job(tasks={"main": {"sleep": "30s"}}, trigger=EVERY_SECOND))
    run = start(story)

    finding = closed(of_task(story, run).gates)
    tick = the_tick(story, START_MS + 1_000)

    assert (finding.gate, finding.opens_ms) == ("work", START_MS + 30_000)
    assert "agent" not in [each.gate for each in (*of_task(story, run).gates, *tick.gates)]


def test_what_a_restore_holds_up_says_so(story: Story) -> None:
    story.put(job(trigger=EVERY_SECOND))
    story.connect()
    run = start(story)
    story.now_ms += 2_000
    restore(story)

    finding = closed(of_task(story, run).gates)
    tick = the_tick(story, START_MS + 1_000)

    assert (finding.gate, finding.opens_ms) == ("restore", story.now_ms + 60_000)
    assert (tick.verdict, closed(tick.gates).gate) == ("waits", "restore")


def test_nothing_is_decided_without_a_leader(story: Story) -> None:
    story.put(job())
    run = start(story)

    for known in (Cluster(START_MS, None, True), Cluster(START_MS, "node-a", False)):
        told = of_run(story, run, known)
        assert (told.verdict, closed(told.gates).gate) == ("waits", "leader")


def test_a_run_that_stops_and_one_that_ended(story: Story) -> None:
    story.put(job(tasks=CHAIN))
    story.connect()
    run = start(story)
    story.plan_and_apply()
    story.claim(story.attempts(run)[0].id)
    story.tell_ok(c.CancelRun(run, c.Actor("ann")))

    finding = closed(of_task(story, run, "first").gates)
    assert (finding.gate, finding.state, finding.reason) == (
        "stopping", "never", "its run stops: cancelled by ann",
    )  # fmt: skip

    story.finish(story.attempts(run)[0].id, exit_code=None, reason="cancelled")
    ended = of_run(story, run)
    assert (ended.verdict, ended.gates[0].gate, ended.tasks) == ("never", "end", ())
    assert ended.gates[0].reason == "it ended: cancelled (cancelled by ann)"


# -- ticks ----------------------------------------------------------------------------------------


def test_decided_ticks_are_told_from_the_ledger(story: Story) -> None:
    story.put(job(trigger=EVERY_SECOND))
    story.connect()
    story.now_ms += 1_000
    story.settle()
    blocking = start(story)
    story.now_ms += 1_000
    story.plan_and_apply()
    story.tell_ok(c.PauseJob("default", "j"))
    story.now_ms += 1_000
    story.plan_and_apply()

    ran, overlap, paused = (the_tick(story, START_MS + n * 1_000) for n in (1, 2, 3))

    assert (ran.outcome, ran.verdict, ran.run, ran.gates) == ("ran", "ready", 1, ())
    assert (overlap.outcome, overlap.reason, overlap.run) == ("skipped", "overlap", blocking)
    assert overlap.said == f"run {blocking} of the job was in the way"
    assert (paused.outcome, paused.reason, paused.verdict) == ("skipped", "paused", "never")


def test_a_coming_tick_waits_for_its_time_and_names_what_else_is_closed(story: Story) -> None:
    story.put(job(trigger={"every": "10s"}))
    start(story)
    story.tell_ok(c.PauseJob("default", "j", c.Actor("ann")))

    tick = the_tick(story, None)
    states = {finding.gate: (finding.state, finding.outcome) for finding in tick.gates}

    assert (tick.at_ms, tick.outcome, tick.verdict) == (START_MS + 10_000, "pending", "waits")
    assert closed(tick.gates).opens_ms == START_MS + 10_000
    assert states["pause"] == ("never", "skipped(paused)")
    assert states["overlap"] == ("never", "skipped(overlap)")
    assert states["agent"] == ("waits", "")
    assert [f.reason for f in tick.gates if f.gate == "pause"] == ["the job is paused by ann"]


def test_what_helps_a_coming_tick_opens_the_gate_that_time_does_not(story: Story) -> None:
    story.put(job(trigger={"every": "10s"}))
    story.tell_ok(c.PauseJob("default", "j", c.Actor("ann")))
    assert the_tick(story, None).chain.help == "cronclave job resume j"


def test_what_the_run_of_a_coming_tick_requires_is_not_said_to_be_there(story: Story) -> None:
    story.put(job("load"), job("report", requires=[{"job": "load"}], trigger=EVERY_SECOND))
    (tick,) = explain_instant(
        story.store, job_reads.ids(story.store, "default", "report"), None, cluster(story), story.compiled
    ).ticks
    link = next(each for each in tick.chain.links if each.gate == "requires")
    assert link.passed
    said = "a run of load succeeded since the last run"
    assert link.because == f"asked when its run is made: it requires {said}"


@pytest.mark.parametrize(("overlap", "said"), [("allow", "ready"), ("skip", "never")])
def test_a_coming_tick_is_judged_by_its_trigger_s_own_overlap(
    story: Story, overlap: str, said: str
) -> None:
    other = "skip" if overlap == "allow" else "allow"
    story.put(job(trigger={**EVERY_SECOND, "overlap": overlap}, policies={"overlap": other}))
    start(story)
    told = the_tick(story, START_MS + 5_000)
    assert {finding.gate: finding.state for finding in told.gates}["overlap"] == said


def test_a_tick_is_found_by_its_due_instant_too(story: Story) -> None:
    story.put(job(trigger={"cron": "0 * * * *", "jitter": "10m"}))
    era = story.triggers()[0]
    assert era.next_due_ms is not None
    assert era.jitter_ms

    assert the_tick(story, era.next_due_ms + era.jitter_ms).at_ms == era.next_due_ms


def test_an_instant_that_is_none_gives_the_nearest(story: Story) -> None:
    story.put(job(trigger={"every": "10s"}))

    told = at(story, START_MS + 25_000)

    assert told.ticks == ()
    assert (told.before_ms, told.after_ms) == (START_MS + 20_000, START_MS + 30_000)
    assert "no trigger" in told.said


def test_a_job_without_ticks_and_one_that_was_deleted(story: Story) -> None:
    story.put(job("manual"), job(trigger={"every": "10s"}))
    assert at(story, None, "manual").ticks == ()

    story.now_ms += 15_000
    story.tell_ok(c.DeleteJob("default", "j"))

    tick = the_tick(story, START_MS + 10_000)
    assert (tick.verdict, closed(tick.gates).outcome) == ("never", "skipped(cancelled)")


def test_of_a_deleted_job_is_said_that_it_was_deleted(story: Story) -> None:
    story.put(job(trigger={"every": "10s"}))
    story.now_ms += 15_000
    story.tell_ok(c.DeleteJob("default", "j", actor=c.Actor("ann")))

    assert at(story, None).said == "the job was deleted by ann: no tick of it comes"
    assert at(story, START_MS + 20_000).said == "the job was deleted by ann before this instant"
    assert "no trigger" in at(story, START_MS + 5_000).said

    story.put(job(trigger={"every": "10s"}))
    assert the_tick(story, START_MS + 20_000).said.startswith("it is yet to come")


def test_of_missed_ticks_the_planner_is_asked(story: Story) -> None:
    policies = {"catchup": {"mode": "latest", "grace": "5s"}}
    story.put(job(trigger={"every": "10s"}, policies=policies))
    story.put(job("none", trigger={"every": "10s"}, policies={"catchup": {"mode": "none"}}))
    story.now_ms += 300_000

    assert closed(the_tick(story, START_MS + 10_000).gates).outcome == "coalesced"
    assert closed(the_tick(story, START_MS + 10_000, "none").gates).outcome == "missed(window)"


# -- it agrees with what happens next ---------------------------------------------------------------


def check_tasks(story: Story) -> None:
    """Each task is where the first list of its gates says that it is."""
    for (run,) in story.store.rows("SELECT id FROM runs WHERE finished_ms IS NULL AND unfinished = 0"):
        for task in of_run(story, run).tasks:
            of_list = [each for each in task.gates if each.gate in OF_TASKS]
            first = next((each.state for each in of_list if each.state != "ready"), "ready")
            if task.state in ("blocked", "held"):
                assert first == "waits", task
            elif task.state == "active":
                assert first in ("ready", "never"), task  # what runs of a run that stops comes to its end
            else:
                assert first == "ready", task


def check_placing(story: Story, planned: list[c.Command]) -> None:
    """All queued tasks here are of one queue: those that nothing keeps are given to agents now."""
    ready = {
        row[0]
        for row in story.store.rows("SELECT id, run, name FROM tasks WHERE state = 'queued'")
        if of_task(story, row[1], row[2]).verdict == "ready"
    }
    assert {each.task for each in planned if isinstance(each, c.Place)} == ready


def check_tick(story: Story, planned: c.Fire | c.Account) -> None:
    """What is told of a tick is what applying the planner's word comes to."""
    row = story.store.row(
        "SELECT j.namespace, t.closed, t.job, t.next_due_ms FROM triggers t LEFT JOIN jobs j ON j.id = t.job"
        " WHERE t.id = ?",
        (planned.trigger,),
    )
    assert row is not None
    moved = isinstance(planned, c.Account) and not planned.count
    told = explain_instant(
        story.store, [row[2]], planned.expected_due_ms, cluster(story), story.compiled
    ).ticks
    # What of a gap is too much is missed when the next gap is set aside: that is not known before.
    trimmed = row[1] == BEHIND and isinstance(planned, c.Account) and planned.reason == BUFFER_FULL
    stale = row[3] != planned.expected_due_ms or trimmed
    outcome = story.one(planned)
    if stale or moved or not outcome.ok:
        return
    assert outcome.value is not None
    (tick,) = [each for each in told if each.gates]
    first = next((each for each in tick.gates if each.state != "ready"), None)
    if "outcome" in outcome.value:
        assert first is not None
        assert first.outcome == outcome_text(str(outcome.value["outcome"]), str(outcome.value["reason"]))
        assert outcome.value["run"] in (0, first.run)
    elif outcome.value.get("waits"):
        assert first is not None
        assert first.gate == "turn"
    else:
        run = story.run(int(str(outcome.value["run"])))
        assert first is None or first.gate in (*WAITS, "kind", "agent"), first
        policy = story.compiled(run.job, run.revision, run.namespace, run.name).overlap
        if policy != "cancel_running":  # that first ends what it can
            waits = first is not None and first.gate in WAITS
            assert bool(run.waiting) == waits


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_explanations_agree_with_what_the_machine_does_next(steps: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder) / "told.db")
        story.lead()
        story.connect("agent-0", session="s0", node="node-0", installation="agent-0-0", slots=3)
        for step in [("put", 0, "skip", False), ("put", 1, "queue_all", False), ("plan", 4), *steps]:
            commands = command(story, step)
            if step[0] == "plan":
                check_placing(story, commands)
            for each in commands:
                if isinstance(each, c.Fire | c.Account):
                    check_tick(story, each)
                else:
                    story.tell(each)
            check_tasks(story)
        story.close()


def test_under_overload_a_tick_that_is_too_old_will_be_coalesced_and_then_says_why(story: Story) -> None:
    story.put(job(trigger={"every": "1s"}, policies={"overlap": "allow"}))
    story.tell_ok(c.TellOverload(story.epoch, begins=True, late_ms=4_000, due=7))
    story.now_ms = START_MS + 10_000
    old_ms, newest_ms = START_MS + 3_000, START_MS + 8_000

    finding = closed(the_tick(story, old_ms).gates)
    assert (finding.state, finding.outcome) == ("never", "coalesced(overload)")
    assert all(each.state != "never" for each in the_tick(story, newest_ms).gates)
    story.plan_and_apply()
    told = the_tick(story, old_ms)
    assert (told.outcome, told.reason) == ("coalesced", "overload")
    assert "more was due than could be started" in told.said
