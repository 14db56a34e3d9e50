"""A staged apply that goes live step by step is decided by as if it had been one command at one entry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.machine.steps import staging
from scheduler.model import parse_job, prepare
from scheduler.store.tables import stages
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job

NAMES = ("a", "b", "c")
FIRST_DUE_MS = 20_000  #: the instants of all triggers are multiples of it
TRIGGERS: tuple[Any, ...] = (
    [],
    [{"cron": "* * * * *", "id": "t"}],
    [{"cron": "*/2 * * * *", "id": "t"}, {"every": "20s", "id": "u"}],
    [{"startup": {"pool": "default"}, "id": "boot"}],
)
jobs = st.dictionaries(st.sampled_from(NAMES), st.integers(0, len(TRIGGERS) - 1))
deeds = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["run", "pause", "resume"]), st.sampled_from(NAMES)),
        st.tuples(st.sampled_from(["plan", "work", "boot", "step", "step"]), st.just("")),
        st.tuples(st.just("wait"), st.sampled_from([1_000, 15_000, 70_000])),
    ),
    max_size=14,
)


class Teller:
    """The same deeds, told to a state where the apply is one command or goes live step by step."""

    def __init__(self, path: Path, *, is_staged: bool) -> None:
        self.is_staged = is_staged
        self.applied_ms = 0
        self.has_booted = False
        self.story = Story(path)
        self.story.lead()
        self.story.connect()

    def prepared(self, wanted: dict[str, int]) -> list[c.PreparedJob]:
        documents = [job(name, trigger=TRIGGERS[which]) for name, which in sorted(wanted.items())]
        return [prepare(parse_job(document), self.story.now_ms) for document in documents]

    def apply(self, wanted: dict[str, int], gone: list[str]) -> None:
        story, new = self.story, self.prepared(wanted)
        self.applied_ms = story.now_ms
        if not self.is_staged:
            story.tell_ok(
                *(c.DeleteJob("default", name) for name in gone), c.PutJobs(tuple(new), story.now_ms)
            )
            return
        deletions = tuple(c.Deletion("job", "default", name) for name in gone)
        story.tell_ok(c.StageSlice("s", 0, (), tuple(new), deletions, story.now_ms), c.CommitStage("s", 1))
        while self.state() == "checking":
            self.step()

    def step(self) -> bool:
        """Whether there was one to take."""
        stage = stages.named(self.story.store, "s")
        if stage is None or stage.state not in stages.MOVING:
            return False
        self.story.tell_ok(c.AdvanceStage(self.story.epoch, stage.id, stage.state))
        return True

    def state(self) -> str:
        stage = stages.named(self.story.store, "s")
        assert stage is not None
        return stage.state

    def tell(self, deed: str, what: Any) -> None:
        story = self.story
        if deed == "wait":
            story.now_ms += what
        elif deed == "run":
            story.tell(c.RunJob("default", what, b"{}", story.now_ms))
        elif deed == "pause":
            story.tell(c.PauseJob("default", what))
        elif deed == "resume":
            story.tell(c.ResumeJob("default", what))
        elif deed == "plan":
            self.plan()
        elif deed == "work":
            self.work()
        elif deed == "boot":
            (agent,) = story.sessions
            story.disconnect(agent)
            story.connect(session=f"t{story.raft_index:06}", boot_id=f"boot at {story.now_ms}")
            self.has_booted = True
        else:
            self.step()

    def plan(self) -> None:
        """What was planned by a mix may be refused, and is planned again. Where something has come due since
        the apply, or a host has booted, all have had their turn by then: else what a planner that is late
        decides would differ from what one decides that is not, by whatever a person does in between."""
        if self.has_booted or self.story.now_ms // FIRST_DUE_MS != self.applied_ms // FIRST_DUE_MS:
            while self.step():
                pass
        for _ in range(100):
            commands = [each for each in self.story.plan() if not isinstance(each, c.AdvanceStage)]
            if not commands:
                return
            self.story.tell(*commands)
        raise AssertionError("the plan never comes to rest")

    def work(self) -> None:
        """As `Story.work`; what is claimed may be of a job that is gone once its turn has come."""
        story = self.story
        for attempt, state in story.store.rows("SELECT id, state FROM attempts WHERE live = 1 ORDER BY id"):
            if state == "assigned" and not story.claim(attempt).ok:
                continue
            story.tell(c.Finish(attempt, story.attempt(attempt).agent, story.now_ms, story.now_ms, 0, "exit"))

    def end(self) -> None:
        while self.step():
            pass
        self.story.settle()

    def said(self) -> dict[str, Any]:
        """All that anybody may see of jobs, eras, ticks and runs, by names alone."""
        return {noun: sorted(self.story.store.rows(query)) for noun, query in SAID.items()}


NAMED = "JOIN (SELECT DISTINCT job, name FROM revisions) r ON r.job = o.job"
SAID = {
    "jobs": "SELECT namespace, name, revision, spec, state, created_ms, changed_ms FROM jobs",
    "revisions": "SELECT namespace, name, revision, deleted, stamp_ms FROM revisions",
    "eras": "SELECT r.name, o.key, o.spec, o.from_ms, coalesce(o.until_ms, 0), o.closed,"
    f" coalesce(o.next_due_ms, 0) FROM triggers o {NAMED}",
    # Ticks of one outcome stand in one entry or in several, as they were decided.
    "ledger": "SELECT r.name, o.kind, o.key, o.outcome, o.reason, min(o.first_ms), max(o.last_ms),"
    f" sum(o.count) FROM ledger o {NAMED} GROUP BY r.name, o.kind, o.key, o.outcome, o.reason",
    "runs": "SELECT name, revision, cause, coalesce(tick_ms, 0), state, reason FROM runs",
    "asked": "SELECT namespace, per_day FROM asked",
}


@pytest.fixture(autouse=True, scope="module")
def steps_of_one_item() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging, "ITEMS_A_STEP", 1)
        yield


@settings(max_examples=60, deadline=None)
@given(before=jobs, wanted=jobs, gone=st.sets(st.sampled_from(NAMES)), early=deeds, late=deeds)
def test_a_switch_in_steps_is_one_act(
    tmp_path_factory: Any,
    before: dict[str, int],
    wanted: dict[str, int],
    gone: set[str],
    early: Any,
    late: Any,
) -> None:
    if not wanted:
        wanted = {"a": 0}
    deleted = sorted((gone & set(before)) - set(wanted))
    path = tmp_path_factory.mktemp("one-act")
    tellers = [Teller(path / name, is_staged=name == "staged") for name in ("at-once", "staged")]
    for teller in tellers:
        if before:
            teller.story.tell_ok(c.PutJobs(tuple(teller.prepared(before)), START_MS))
        teller.story.now_ms += 1_000
        for deed, what in early:
            teller.tell(deed, what)
        teller.apply(wanted, deleted)
        for deed, what in late:
            teller.tell(deed, what)
        teller.end()
        check = verify(teller.story.store, START_MS - 1, teller.story.now_ms, now_ms=teller.story.now_ms)
        assert check.ok, check.problems
    at_once, staged = (teller.said() for teller in tellers)
    for teller in tellers:
        teller.story.close()
    assert staged == at_once
