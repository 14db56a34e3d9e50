"""Formats: who may raise them, what stops an older version, and migrations in slices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler import formats
from scheduler.formats import NewerFormatError
from scheduler.machine import Machine, dispatch
from scheduler.plan import wake_ms
from scheduler.store.connection import StoreError
from scheduler.words import commands as c
from scheduler.words import events as e
from tests import next_format
from tests.scheduler.story import Story, job

MEMBERS = ("node-a", "node-b")
NEXT = next_format.NUMBER
ROWS_MAX = 20


class TwoNodes(Story):
    """A story in a cluster of two members."""

    members = MEMBERS

    def open(self) -> None:
        super().open()
        self.machine = Machine(self.store, lambda members: self.members)

    def check_endings(self) -> None:
        """The next format has one of its own."""


@pytest.fixture
def learn(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes this process the next version, until the test ends."""
    monkeypatch.setattr(formats, "FORMATS", list(formats.FORMATS))
    monkeypatch.setattr(formats, "SLICE_ROWS_MAX", ROWS_MAX)
    monkeypatch.setattr(dispatch, "APPLY", dict(dispatch.APPLY))
    return next_format.learn


@pytest.fixture
def cluster(tmp_path: Path) -> TwoNodes:
    story = TwoNodes(tmp_path / "state.db")
    story.lead()
    return story


def seen(most: int = NEXT, *, names: tuple[str, ...] = MEMBERS) -> tuple[tuple[str, int, int], ...]:
    return tuple((name, 1, most) for name in names)


def held(story: Story, name: str) -> int:
    found: int = story.store.value("SELECT held FROM jobs WHERE name = ?", (name,))
    return found


def fill(story: Story, count: int) -> None:
    """So many jobs, every other one held."""
    story.put(*(job(f"job-{i}", labels={"hold": "true"} if i % 2 else {}) for i in range(count)))


def test_a_format_is_raised_where_its_activation_is_applied(
    cluster: TwoNodes, learn: Callable[[], None]
) -> None:
    learn()
    assert cluster.value(c.Activate(NEXT, seen(), c.Actor("ada")), "target") == NEXT
    assert cluster.told(e.FormatActivated) == [e.FormatActivated(NEXT, "ada")]
    cluster.plan_and_apply()
    assert cluster.told(e.FormatRaised) == [e.FormatRaised(NEXT)]
    assert (cluster.machine.state.format, cluster.machine.state.target_format) == (NEXT, NEXT)


def test_an_activation_asked_for_twice_is_one(cluster: TwoNodes, learn: Callable[[], None]) -> None:
    learn()
    assert cluster.value(c.Activate(NEXT, seen()), "changed") is True
    assert cluster.value(c.Activate(NEXT, seen()), "changed") is False
    assert cluster.one(c.Activate(NEXT - 1, seen())).code == "conflict"


def test_a_member_that_does_not_support_it_is_named(cluster: TwoNodes, learn: Callable[[], None]) -> None:
    learn()
    members = (("node-a", 1, NEXT), ("node-b", 1, NEXT - 1))
    outcome = cluster.one(c.Activate(NEXT, members))
    assert outcome.code == "conflict"
    assert "node-b supports format 1, not format 2" in outcome.detail
    assert cluster.machine.state.target_format == NEXT - 1


@pytest.mark.parametrize(
    ("names", "told"),
    [(("node-a",), "node-b joined"), ((*MEMBERS, "node-c"), "node-c was removed"), ((), "node-a joined")],
)
def test_members_that_changed_since_they_were_asked_refuse_it(
    cluster: TwoNodes, learn: Callable[[], None], names: tuple[str, ...], told: str
) -> None:
    learn()
    outcome = cluster.one(c.Activate(NEXT, seen(names=names)))
    assert outcome.code == "conflict"
    assert told in outcome.detail
    assert cluster.machine.state.target_format == NEXT - 1


def test_an_older_version_stops_before_what_it_does_not_know(cluster: TwoNodes) -> None:
    index, hashed = cluster.machine.state.idx, cluster.machine.state.hash
    with pytest.raises(NewerFormatError, match=r"activates format 2.*supports format 1.*other nodes run"):
        cluster.one(c.Activate(NEXT, seen()))
    cluster.reopen()
    assert (cluster.machine.state.idx, cluster.machine.state.hash) == (index, hashed)


def test_a_format_that_no_member_has_stops_nobody(cluster: TwoNodes) -> None:
    assert cluster.one(c.Activate(99, seen(1))).code == "conflict"


def test_an_older_version_refuses_the_state_from_the_activation_on(
    cluster: TwoNodes, learn: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    learn()
    cluster.tell_ok(c.Activate(NEXT, seen()))
    assert cluster.machine.state.format == NEXT - 1  # the migration did not run yet
    monkeypatch.setattr(formats, "FORMATS", formats.FORMATS[:-1])
    with pytest.raises(StoreError, match=r"of format 2, this version supports format 1.*no way back"):
        cluster.reopen()


def test_a_version_that_dropped_the_format_refuses_the_state(
    cluster: TwoNodes, learn: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    learn()
    monkeypatch.setattr(formats, "FORMATS", formats.FORMATS[1:])
    with pytest.raises(StoreError, match=r"of format 1, this version supports format 2.*older version first"):
        cluster.reopen()


def test_before_the_activation_the_next_version_gives_the_same_state(
    tmp_path: Path, learn: Callable[[], None]
) -> None:
    made = []
    for version in ("this", "next"):
        if version == "next":
            learn()
        story = TwoNodes(tmp_path / f"{version}.db")
        story.lead()
        story.connect()
        story.put(job(labels={"hold": "true"}, trigger={"cron": "* * * * * *"}))
        story.now_ms += 3_000
        story.settle()
        shape = story.store.rows("SELECT type, name, sql FROM sqlite_schema ORDER BY name")
        made.append((story.machine.state, shape))  # a copy of it is one that the older version can open
        story.close()
    assert made[0] == made[1]


def test_the_outcome_changes_with_the_format(cluster: TwoNodes, learn: Callable[[], None]) -> None:
    learn()
    cluster.connect()
    cluster.put(
        job(labels={"hold": "true"}, trigger={"cron": "* * * * * *"}, policies={"catchup": {"mode": "all"}})
    )
    cluster.now_ms += 1_000
    cluster.settle()
    cluster.tell_ok(c.Activate(NEXT, seen()))
    cluster.now_ms += 1_000
    cluster.settle()  # the last slice comes with this plan, behind the tick
    cluster.now_ms += 1_000
    cluster.settle()
    assert [(outcome, reason) for _, _, outcome, reason in cluster.ledger()] == [
        ("ran", ""),
        ("ran", ""),
        ("skipped", "held"),
    ]


def test_a_migration_goes_in_slices_and_reads_are_right_in_between(
    cluster: TwoNodes, learn: Callable[[], None]
) -> None:
    learn()
    count = 2 * ROWS_MAX + 10
    fill(cluster, count)
    cluster.tell_ok(c.Activate(NEXT, seen()))
    cursors = []
    while cluster.machine.state.format < NEXT:
        assert wake_ms(cluster.store) == 0  # the planner does not wait
        before = cluster.store.value("SELECT count(*) FROM jobs WHERE held = 1")
        cluster.plan_and_apply()
        moved = cluster.store.value("SELECT count(*) FROM jobs WHERE held = 1") - before
        assert moved <= ROWS_MAX
        cursors.append(cluster.machine.state.migration_cursor)
        # What is put meanwhile has the new shape at once, on both sides of the cursor.
        new = f"new-{len(cursors)}"
        cluster.put(job("job-0", labels={"hold": "true"}), job(new, labels={"hold": "true"}))
        assert held(cluster, "job-0") == held(cluster, new) == 1
        cluster.put(job("job-0"))
        cluster.reopen()  # a restart goes on where the last slice ended
    assert cursors == [str(ROWS_MAX), str(2 * ROWS_MAX), ""]
    wrong = cluster.store.rows("SELECT name FROM jobs WHERE held <> (labels LIKE '%hold%')")
    assert wrong == []
    assert cluster.store.value("SELECT count(*) FROM holds") == 0  # `finish` ran
    assert not any(isinstance(command, c.Migrate) for command in cluster.plan())


def test_a_slice_counts_once_and_for_its_leadership(cluster: TwoNodes, learn: Callable[[], None]) -> None:
    learn()
    fill(cluster, ROWS_MAX + 1)
    cluster.tell_ok(c.Activate(NEXT, seen()))
    first = c.Migrate(cluster.epoch, "", ROWS_MAX)
    assert cluster.one(first).ok
    assert cluster.one(first).code == "stale_due"
    assert cluster.one(c.Migrate(cluster.epoch - 1, str(ROWS_MAX), 1)).code == "stale_epoch"
    assert cluster.one(c.Migrate(cluster.epoch, str(ROWS_MAX), ROWS_MAX + 1)).code == "invalid"
    assert cluster.one(c.Migrate(cluster.epoch, str(ROWS_MAX), ROWS_MAX)).ok
    assert cluster.one(c.Migrate(cluster.epoch, "", ROWS_MAX)).code == "stale_due"


def test_a_replay_in_another_order_of_rows_gives_the_same_state(
    cluster: TwoNodes, learn: Callable[[], None], tmp_path: Path
) -> None:
    learn()
    fill(cluster, ROWS_MAX + 10)
    cluster.tell_ok(c.Activate(NEXT, seen()))
    cluster.plan_and_apply()
    cluster.plan_and_apply()
    again = TwoNodes(tmp_path / "again.db", reverse=True)
    for now_ms, frame in cluster.frames:
        again.now_ms = now_ms
        again.enter(frame)
    assert again.machine.state == cluster.machine.state
    again.close()


def test_what_needs_a_newer_format_is_refused_below_it(
    cluster: TwoNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(c.PauseJob, "since_format", NEXT)
    # What a kind of command needs is kept: other tests may have asked before it changed here.
    monkeypatch.setattr(dispatch, "_newest_needed", dispatch._newest_needed.__wrapped__)
    cluster.put(job())
    outcome = cluster.one(c.PauseJob("default", "j"))
    assert (outcome.code, outcome.detail) == ("format", "PauseJob needs format 2")
    assert cluster.job().state == "active"
