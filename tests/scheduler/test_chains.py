"""The causal chain: for every ending that the ledger may tell of and every gate there is, by tables. A reason
that is added without its words, its story or its command fails here."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scheduler.explain
from scheduler.explain import Explained, Link, TickExplained, explain_run
from scheduler.explain.chains import ASKED
from scheduler.explain.endings import ENDINGS, GATES, command
from scheduler.machine.rules import gates
from scheduler.words import commands as c
from scheduler.words import reasons
from tests.cli.test_examples import parsed
from tests.scheduler.machine.test_restores import restore
from tests.scheduler.machine.test_restores import settle as settle_restored
from tests.scheduler.story import START_MS, Story, job
from tests.scheduler.test_explain import at, cluster, start

HOUR_MS = 3_600_000
HOURLY = {"every": "1h", "id": "t"}
ANN = c.Actor("ann")
ALL = [(outcome, reason) for outcome, found in reasons.ENDINGS.items() for reason in found]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    return story


# -- the tables ------------------------------------------------------------------------------------


def test_each_ending_and_each_gate_has_its_words_and_its_command() -> None:
    assert sorted(ENDINGS) == sorted(ALL)
    assert all(ending.said for ending in ENDINGS.values())
    lists = (gates.TICK, gates.FIRE, gates.RUN, gates.ADMIT, gates.TASK, gates.PLACE)
    named = {gate.NAME for each in lists for gate in each}
    assert named | said_in_code() <= set(GATES) | {"passed"}, "a gate has no words"
    assert set(ASKED) | {ending.gate for ending in ENDINGS.values() if ending.gate} <= set(GATES)


def said_in_code() -> set[str]:
    """Gates that explanations add to those of the lists: the first argument of each Finding and Link."""
    found = set()
    for path in Path(scheduler.explain.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") in ("Finding", "Link")
                and node.args
            ):
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    found.add(str(first.value))
    return found - {"outcome"}


WORDS = sorted(
    {each.help for each in GATES.values() if each.help} | {each.help for each in ENDINGS.values()}
)


@pytest.mark.parametrize("words", WORDS)
def test_each_command_that_is_to_help_is_one(words: str) -> None:
    known = {"job": "j", "namespace": "money", "at": "2027-01-15T09:00:00Z", "date": "2027-01-15", "run": 7}
    line = command(words, {**known, "task": "main"})
    assert line.startswith("cronclave ")
    assert "{" not in line
    assert parsed(line.split()).name == words.split()[1]


def test_a_command_of_which_something_is_not_known_shows_the_job() -> None:
    assert command("run show {run}", {"job": "j", "namespace": "default"}) == "cronclave job get j"
    assert command("run show {run}", {}) == ""


# -- what the ledger tells of -----------------------------------------------------------------------


def hourly(story: Story, hours: int = 1, *, agent: bool = True, **policies: Any) -> None:
    if agent:
        story.connect()
    story.put(job(trigger=HOURLY, policies={"overlap": "allow", **policies}))
    later(story, hours)


def later(story: Story, hours: float, *, settle: bool = True) -> None:
    story.now_ms += int(hours * HOUR_MS)
    if settle:
        story.settle()


def ran(story: Story) -> None:
    hourly(story)


def overlap(story: Story) -> None:
    story.put(job(trigger=HOURLY))
    start(story)
    later(story, 1)


def paused(story: Story) -> None:
    story.put(job(trigger=HOURLY))
    story.tell_ok(c.PauseJob("default", "j", ANN))
    later(story, 1)


def cancelled(story: Story) -> None:
    story.put(job(trigger=HOURLY))
    later(story, 1.1, settle=False)
    story.tell_ok(c.DeleteJob("default", "j", actor=ANN))
    story.settle()


def requires(then: str) -> Callable[[Story], None]:
    def tell(story: Story) -> None:
        story.put(job("load"))
        policy = {"timeout": "10m", "on_timeout": then}
        told = job(requires=[{"job": "load"}], requires_policy=policy, trigger=HOURLY)
        assert story.apply(told).ok
        later(story, 1)
        later(story, 0.2)

    return tell


def by_person(story: Story) -> None:
    story.put(job(trigger=HOURLY))
    story.tell_ok(c.ChangeTick("default", "j", "t", START_MS + HOUR_MS, "skip", "no need", actor=ANN))
    later(story, 1)


def plan_closed(story: Story) -> None:
    story.put(job(trigger=HOURLY))
    story.tell_ok(c.ClosePlan("default", START_MS // 86_400_000, "bank holiday", ANN))
    later(story, 1)


def blackout(story: Story) -> None:
    span = {"from": "2027-01-15T08:30:00Z", "until": "2027-01-15T10:00:00Z", "reason": "inventory"}
    hourly(story, blackout=[span])


def admission(story: Story) -> None:
    hourly(story, admission={"windows": ["Fri 12:00-13:00"], "outside": "skip"})


def caught_up(mode: str, **catchup: Any) -> Callable[[Story], None]:
    def tell(story: Story) -> None:
        story.connect()
        story.put(job(trigger=HOURLY, policies={"catchup": {"mode": mode, "grace": "10s", **catchup}}))
        later(story, 5.5)
        story.settle()

    return tell


def overload(mode: str) -> Callable[[Story], None]:
    def tell(story: Story) -> None:
        catchup = {"mode": mode}
        story.put(job(trigger={"every": "1s", "id": "t"}, policies={"overlap": "allow", "catchup": catchup}))
        story.tell_ok(c.TellOverload(story.epoch, begins=True, late_ms=4_000, due=7))
        story.now_ms += 10_000
        story.plan_and_apply()

    return tell


def newer_end(story: Story) -> None:
    story.connect()
    story.put(job("a"), job(trigger={"after": "a.succeeded", "id": "t"}))
    start(story)
    story.plan_and_apply()
    for _ in range(4):
        attempt = None
        made = start(story, "a")
        story.plan_and_apply()
        attempt = story.attempts(made)[0].id
        story.claim(attempt)
        story.finish(attempt)
        story.plan_and_apply()
        story.now_ms += 1_000


def restored(story: Story) -> None:
    story.connect()
    story.put(job(trigger=HOURLY))
    later(story, 1, settle=False)
    restore(story)
    story.connect()
    story.now_ms += 60_000
    settle_restored(story)


def deadline(story: Story) -> None:
    hourly(story, agent=False, start_deadline="10m")
    later(story, 0.2)


def lost(story: Story) -> None:
    """A task that is divided over no agents fails, and its run with it."""
    story.put(job(trigger=HOURLY, tasks={"many": {"run": "true", "fanout": {"all": "registered"}}}))
    later(story, 1)


def undated(story: Story) -> None:
    """A workday of a year that the calendar does not know yet."""
    day = {"type": "date", "default": "plan_date + 3000 days next workday"}
    found = story.apply(
        {"calendar": "de", "exclude": ["12-24"]},
        job(trigger=HOURLY, params={"day": day}, policies={"calendar": "de"}),
    )
    assert found.ok
    later(story, 1)


STORIES: dict[tuple[str, str], Callable[[Story], None]] = {
    ("ran", ""): ran,
    ("skipped", reasons.OVERLAP): overlap,
    ("skipped", reasons.PAUSED): paused,
    ("skipped", reasons.CANCELLED): cancelled,
    ("skipped", reasons.REQUIRES): requires("skip"),
    ("skipped", reasons.BY_PERSON): by_person,
    ("skipped", reasons.PLAN_CLOSED): plan_closed,
    ("skipped", reasons.BLACKOUT): blackout,
    ("skipped", reasons.ADMISSION): admission,
    ("coalesced", ""): caught_up("latest"),
    ("coalesced", reasons.OVERLOAD): overload("latest"),
    ("coalesced", reasons.OVERLAP): newer_end,
    ("missed", reasons.WINDOW): caught_up("none"),
    ("missed", reasons.OVERLOAD): overload("none"),
    ("missed", reasons.BUFFER_FULL): caught_up("all", max=2),
    ("missed", reasons.RESTORED): restored,
    ("missed", reasons.REQUIRES): requires("fail"),
    ("missed", reasons.PARAMS): undated,
    ("missed", reasons.DEADLINE): deadline,
    ("missed", reasons.LOST): lost,
}


@pytest.mark.parametrize(("outcome", "reason"), ALL)
def test_of_each_ending_the_chain_goes_from_the_definition_to_the_outcome(
    story: Story, outcome: str, reason: str
) -> None:
    STORIES[outcome, reason](story)
    first_ms = story.store.value(
        "SELECT l.first_ms FROM ledger l WHERE outcome = ? AND reason = ? LIMIT 1",
        (outcome, reason),
    )
    assert first_ms is not None, story.ledger()
    told = next(
        each for each in at(story, first_ms).ticks if (each.outcome, each.reason) == (outcome, reason)
    )

    chain = told.chain.links
    assert [link.gate for link in chain[:3]] == ["definition", "schedule", "leader"]
    assert chain[0].refs["revision"] == 1
    assert chain[-1].gate == "outcome"
    assert chain[-1].passed == (outcome == "ran")
    closed = [link.gate for link in chain[:-1] if not link.passed]
    gate = "catchup" if reason == reasons.BUFFER_FULL else ENDINGS[outcome, reason].gate
    assert closed == ([gate] if gate else [])
    assert all(link.because for link in chain)
    assert told.chain.help.startswith("cronclave ")


# -- what it was like ------------------------------------------------------------------------------


def tick(story: Story, hours: float) -> TickExplained:
    (found,) = at(story, START_MS + int(hours * HOUR_MS)).ticks
    return found


def link(told: TickExplained | Explained, gate: str) -> Link:
    return next(each for each in told.chain.links if each.gate == gate)


def test_the_definition_is_that_of_its_time_after_edits_and_the_deletion(story: Story) -> None:
    story.connect()
    story.put(job(trigger=HOURLY, run="true", noop=None), actor=c.Actor("ann"))
    later(story, 1)
    story.put(job(trigger={"every": "2h", "id": "t"}, run="false", noop=None), actor=c.Actor("bob"))
    later(story, 1)
    story.tell_ok(c.DeleteJob("default", "j", actor=ANN))
    later(story, 1)

    before, after = tick(story, 1), tick(story, 2)
    assert link(before, "definition").because == "revision 1 counts, put by ann"
    assert link(before, "schedule").because == "trigger t: every 1h"
    assert link(after, "definition").because == "revision 2 counts, put by bob"
    assert link(after, "schedule").because == "trigger t: every 2h"
    gone = at(story, START_MS + 4 * HOUR_MS)
    assert (gone.verdict, gone.chain.links[0].because) == ("never", "the job was deleted by ann")


def test_who_paused_it_is_told_also_when_it_goes_on(story: Story) -> None:
    story.put(job(trigger=HOURLY))
    story.tell_ok(c.Pause("default", "the database is moved", None, ANN))
    later(story, 1)
    story.tell_ok(c.Resume("default", ANN))
    later(story, 1)

    told = tick(story, 1)
    closed = link(told, "pause_all")
    assert (closed.passed, closed.because) == (
        False, "namespace default was paused by ann: the database is moved",
    )  # fmt: skip
    assert closed.at_ms == START_MS
    assert closed.refs == {"audit": 2}
    assert told.chain.help == "cronclave job run j"


def test_a_pause_of_everything_is_told_too(story: Story) -> None:
    story.put(job(trigger=HOURLY))
    story.tell_ok(c.Pause("", "a move", None, ANN))
    later(story, 1)
    assert link(tick(story, 1), "pause_all").because == "everything was paused by ann: a move"


@pytest.mark.parametrize("whole", [False, True])
def test_nobody_is_said_to_have_paused_what_the_failures_did(story: Story, whole: bool) -> None:
    """Her pause has ended by itself, which no audit tells of."""
    story.connect()
    story.put(job(trigger=HOURLY, policies={"pause_after_failures": 1}))
    until_ms = story.now_ms + HOUR_MS + 60_000
    hers = (
        c.Pause("default", "a move", until_ms, ANN)
        if whole
        else c.PauseJob("default", "j", ANN, "a move", until_ms)
    )
    story.tell_ok(hers)
    later(story, 1)
    assert "was paused by ann: a move" in link(tick(story, 1), "pause_all" if whole else "pause").because
    later(story, 1, settle=False)
    story.settle(exit_code=1)
    later(story, 1)
    assert link(tick(story, 3), "pause").because == "the job was paused after failures"
    story.tell_ok(c.ResumeJob("default", "j", ANN))
    assert link(tick(story, 3), "pause").because == "it came due while it was paused"


def test_a_job_that_had_the_name_before_is_told_apart(story: Story) -> None:
    story.put(job(trigger=HOURLY))
    story.tell_ok(c.PauseJob("default", "j", ANN, "the old one"))
    later(story, 1)
    story.tell_ok(c.DeleteJob("default", "j"))
    story.now_ms += 60_000
    story.put(job(trigger=HOURLY))
    story.tell_ok(c.Pause("default", "a move", None, c.Actor("bob")))
    later(story, 1)

    assert link(tick(story, 1), "pause").because == "the job was paused by ann: the old one"
    assert link(tick(story, 2), "pause_all").because == "namespace default was paused by bob: a move"
    assert "revision 1 counts" in at(story, START_MS + 1_000).chain.links[0].because
    gone = at(story, START_MS + HOUR_MS + 30_000).chain.links
    assert [(each.passed, each.because) for each in gone] == [(False, "the job was deleted")]
    before = at(story, START_MS - HOUR_MS).chain
    assert before.links[0].because == "the job was not there yet: it was put later"


def test_the_leader_that_was_missing_is_told(story: Story) -> None:
    story.connect()
    story.put(job(trigger=HOURLY))
    later(story, 1, settle=False)
    story.now_ms += 20_000
    story.tell_ok(c.Lead("node-b", "zone-b", story.epoch + 1, silent_ms=30_000))
    story.settle()

    told = link(tick(story, 1), "leader")
    assert told.because == "nobody led for 30s before: node-b took over, in epoch 2, and decided it"
    assert link(tick(story, 1), "start").because == "its start was granted, 20s after its instant"


def test_a_coming_tick_ends_with_the_command_that_opens_the_first_gate(story: Story) -> None:
    story.put(job(trigger=HOURLY))
    story.tell_ok(c.PauseJob("default", "j", ANN))
    later(story, 1, settle=False)

    told = tick(story, 1)
    assert [each.gate for each in told.chain.links if not each.passed][:1] == ["pause"]
    assert told.chain.help == "cronclave job resume j"
    assert link(told, "outcome").because == "it is due and not decided yet"


def test_an_instant_that_is_none_says_where_its_chain_ends(story: Story) -> None:
    story.put(job(trigger=HOURLY))
    none = at(story, START_MS + 1_000)
    assert [(each.gate, each.passed) for each in none.chain.links] == [
        ("definition", True),
        ("schedule", False),
    ]
    assert none.chain.help == "cronclave job next j"

    story.put(job(trigger=HOURLY, enabled=False))
    disabled = at(story, None)
    assert [(each.gate, each.passed) for each in disabled.chain.links] == [
        ("definition", True),
        ("enabled", False),
    ]
    assert disabled.chain.help == "cronclave job edit j"


def test_a_run_s_chain_goes_on_into_the_first_task_that_waits(story: Story) -> None:
    story.put(job())
    run = start(story)
    told = explain_run(story.store, story.run(run), cluster(story), story.compiled)
    assert told.chain.links[1].because == "cause manual"
    assert (told.chain.links[-1].gate, told.chain.links[-1].refs["task"]) == ("agent", "main")
    assert told.chain.help == told.tasks[0].help == "cronclave agents list"

    story.connect()
    story.settle(exit_code=3)
    told = explain_run(story.store, story.run(run), cluster(story), story.compiled)
    assert told.chain.links[-1].because == "it ended: failed, exit code 3"
    assert told.chain.help == f"cronclave run logs {run}"


def test_an_ending_that_no_version_knows_is_told_in_its_own_words(story: Story) -> None:
    """Of a newer version, before a restart into the older one: no explanation ends in an error."""
    hourly(story)
    story.store.execute("UPDATE ledger SET outcome = 'missed', reason = 'flood'")
    told = tick(story, 1)
    assert (told.said, link(told, "outcome").because) == ("missed(flood)", "missed(flood): missed(flood)")
    assert told.chain.help == "cronclave job history j"
