"""Who changed what: one entry for each thing that an accepted command of a person changed, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.machine import Machine
from scheduler.machine.notes import KINDS
from scheduler.store.connection import Store
from scheduler.store.tables import audit
from scheduler.store.tables.audit import Entry
from scheduler.words import codec
from scheduler.words import commands as c
from tests.golden.log import CLUSTER, FOLDER, member_names, read
from tests.scheduler.story import Story, job

ANN = c.Actor("ann", "10.0.0.7")
BEN = c.Actor("ben", "10.0.0.8", by_session=True)
DAY_MS = 86_400_000
VERBS = {c.Apply: {"put", "delete"}, c.Note: set(KINDS), c.AnswerApproval: {"approve", "reject"}}
"""Of those that say themselves what was done."""


@pytest.fixture
def story(tmp_path: Path) -> Story:
    story = Story(tmp_path / "state.db")
    story.lead()
    return story


def entries(store: Store) -> list[Entry]:
    return [Entry._make(row) for row in store.rows(f"SELECT {audit.COLUMNS} FROM audit ORDER BY id")]


def told(story: Story) -> list[tuple[object, ...]]:
    return [(x.actor, x.action, x.kind, x.name, x.before, x.after) for x in entries(story.store)]


def test_an_entry_says_who_did_what_from_where_and_when(story: Story) -> None:
    story.put(job("j"), actor=ANN, source="a folder")
    index = story.machine.state.idx
    story.now_ms += 5
    story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms, BEN))
    run = story.machine.state.last_run

    first, second = entries(story.store)
    assert first == Entry(
        1, index, story.now_ms - 5, "ann", "10.0.0.7", 0, "put", "job", "default", "j", 0, None, 1, "a folder"
    )
    assert second == Entry(
        2, index + 1, story.now_ms, "ben", "10.0.0.8", 1, "run", "job", "default", "j", run, None, None, ""
    )


def test_before_and_after_are_revisions_or_small_values(story: Story) -> None:
    story.put(job("j"), actor=ANN)
    story.put(job("j", description="another"), actor=BEN)
    story.tell_ok(c.PauseJob("default", "j", ANN), c.ResumeJob("default", "j", BEN))
    story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms, ANN))
    story.tell_ok(c.CancelRun(story.machine.state.last_run, BEN), c.DeleteJob("default", "j", None, ANN))
    story.tell_ok(c.LimitTicks(1, 2, 3, ANN))

    assert told(story) == [
        ("ann", "put", "job", "j", None, 1),
        ("ben", "put", "job", "j", 1, 2),
        ("ann", "pause", "job", "j", "active", "paused"),
        ("ben", "resume", "job", "j", "paused", "active"),
        ("ann", "run", "job", "j", None, None),
        ("ben", "cancel", "run", "j", "pending", "cancelled"),
        ("ann", "delete", "job", "j", 2, None),
        ("ann", "limit", "tick-limits", "", "job 100, namespace 2000, cluster 5000",
         "job 1, namespace 2, cluster 3"),
    ]  # fmt: skip


def test_of_many_jobs_each_that_changes_has_its_entry(story: Story) -> None:
    story.put(job("a"), job("b"), actor=ANN)
    story.put(job("a"), job("b", description="another"), job("c"), actor=ANN)

    assert [each[3:] for each in told(story)] == [("a", None, 1), ("b", None, 1), ("b", 1, 2), ("c", None, 1)]


def test_of_an_apply_each_object_says_what_became_of_it(story: Story) -> None:
    assert story.apply(job("a"), {"board": "b"}, actor=ANN, source="git").ok
    assert story.apply({"board": "b"}, gone=[("job", "default", "a")], actor=BEN).ok

    assert told(story) == [
        ("ann", "put", "board", "b", None, 1),
        ("ann", "put", "job", "a", None, 1),
        ("ben", "delete", "job", "a", 1, None),
    ]


def test_what_people_do_beside_the_log_is_noted(story: Story) -> None:
    story.tell_ok(c.Note("add", "node-4", None, "10.0.0.4:7001", ANN), c.Note("backup", "", None, None, BEN))
    assert told(story) == [
        ("ann", "add", "member", "node-4", None, "10.0.0.4:7001"),
        ("ben", "backup", "cluster", "", None, None),
    ]
    assert [story.one(c.Note(*texts)).code for texts in (("x", ""), ("add", "n" * 501))] == ["invalid"] * 2


@pytest.mark.parametrize(
    "command",
    [c.DeleteJob("default", "none", None, ANN), c.PauseJob("default", "none", ANN), c.DropEffect(7, ANN)],
    ids=lambda command: type(command).__name__,
)
def test_what_is_refused_was_not_decided(story: Story, command: c.Command) -> None:
    assert not story.one(command).ok
    assert told(story) == []


def test_a_request_that_is_sent_again_has_one_entry(story: Story) -> None:
    story.put(job("j"), actor=ANN)
    for _ in range(2):
        story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms, ANN, "a key", b"1" * 32))
    frame = story.frames[-1][1]
    story.enter(frame)

    assert [action for _, action, *_ in told(story)] == ["put", "run"]


def test_nothing_secret_is_in_it(story: Story) -> None:
    secret = b"s" * 32
    story.tell_ok(c.PutToken("ops", secret, "admin", actor=ANN), c.OpenSession("ops", secret, b"t" * 32, ANN))
    story.tell_ok(c.CloseSession(b"t" * 32, ANN), c.PutToken("web", b"w" * 32, "viewer", actor=ANN))
    story.tell_ok(c.DeleteToken("web", ANN))

    assert told(story) == [
        ("ann", "put", "token", "ops", None, "admin"),
        ("ann", "open", "session", "ops", None, None),
        ("ann", "close", "session", "ops", None, None),
        ("ann", "put", "token", "web", None, "viewer"),
        ("ann", "delete", "token", "web", "viewer", None),
    ]


def test_every_command_of_a_person_leaves_its_entry_where_it_is_accepted(tmp_path: Path) -> None:
    """By the golden log that tells of each: a new command says what it changed (`Context.changed`)."""
    store = Store.create_or_open(tmp_path / "state.db", cluster=CLUSTER)
    machine = Machine(store, member_names)
    noted: set[str] = set()
    for entry in read(FOLDER / "format-1" / "every-command.log"):
        index = machine.state.idx
        result = machine.apply_entry(applied=entry.applied, stamp_ms=entry.stamp_ms, frames=entry.frames)  # type: ignore[union-attr]
        found = {each.idx: each for each in entries(store) if each.idx > index}
        for frame, (_, _, outcomes) in zip(entry.frames, result.frames, strict=True):  # type: ignore[union-attr]
            for encoded, outcome in zip(codec.decode_frame(frame).commands, outcomes, strict=bool(outcomes)):
                index += bool(outcomes)
                command = codec.decode_command(encoded)
                # What a person has staged has its turn later.
                if index in found and not isinstance(command, c.AdvanceStage):
                    assert outcome.ok
                    assert isinstance(command, c.ByPerson)
                    assert found[index].actor == command.actor.name
                    assert found[index].action in VERBS.get(type(command), {command.verb})
                    noted.add(type(command).__name__)
    store.close()

    assert noted == {cls.__name__ for cls in c.ALL if issubclass(cls, c.ByPerson)}


def test_it_is_numbered_without_a_gap_and_the_oldest_go_by_count_and_age(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.put(job("j"))
    for _ in range(9):
        story.tell_ok(c.PauseJob("default", "j", ANN))
    assert [each.id for each in entries(story.store)] == list(range(1, 11))
    assert not audit.has_surplus(story.store, story.now_ms)

    monkeypatch.setattr(audit, "ROWS_MAX", 8)
    assert sweeps(story)
    assert [each.id for each in entries(story.store)] == list(range(3, 11))

    story.now_ms += audit.KEPT_MS + DAY_MS
    story.tell_ok(c.PauseJob("default", "j", ANN))
    assert story.value(c.Sweep(story.epoch, 0, 2), "audit") == 2, "in slices"
    assert sweeps(story)
    assert [each.id for each in entries(story.store)] == [11]
    assert not audit.has_surplus(story.store, story.now_ms)


def sweeps(story: Story) -> bool:
    """Whether the planner sees by itself that there is something to drop."""
    planned = story.plan_and_apply()
    story.now_ms += 2_500
    return any(isinstance(each, c.Sweep) for each in [*planned, *story.plan_and_apply()])
