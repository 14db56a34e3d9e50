"""Rows that are kept in memory are those of the tables, and are written once an entry."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.store import kept
from scheduler.store.connection import Store
from scheduler.store.kept import effects_of
from scheduler.store.tables import fronts, jobs, runs, tasks
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.store.tables.triggers import BEHIND, Trigger
from scheduler.words import commands as c
from scheduler.words.lifecycle import TaskEvent
from tests.scheduler.states import opened
from tests.scheduler.story import Story, job


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = opened(tmp_path / "state.db", "")
    made.kept.begin()
    made.begin()
    yield made
    made.close()


def task(number: int, **fields: Any) -> Task:
    values: dict[str, Any] = {
        "id": number, "run": 1, "name": f"t{number}", "member": "", "round": 0, "state": "queued",
        "attempts": 0, "open_needs": 0, "met_needs": 0, "may_fail": 0, "queued_ms": 1, "wake_ms": None,
        "selector": "", "rank_ms": 0, "started_ms": None, "finished_ms": None, "exit_code": None,
        "reason": "", **fields,
    }  # fmt: skip
    return Task(**values)


def run(number: int, **fields: Any) -> Run:
    text = ("namespace", "name", "cause", "cause_key", "walk", "stopping", "params", "reason", "actor")
    none = ("tick_ms", "started_ms", "finished_ms", "deadline_ms", "stop_ms", "exit_code")
    values: dict[str, Any] = dict.fromkeys(Run._fields, 0)
    values |= dict.fromkeys(text, "") | dict.fromkeys(none) | {"id": number, "state": "pending"} | fields
    return Run(**values)


def statements(store: Store) -> list[str]:
    """What SQLite is given from now on."""
    told: list[str] = []
    store._connection.set_trace_callback(told.append)
    return told


def test_what_is_changed_again_and_again_is_written_once(store: Store) -> None:
    tasks.insert(store, task(1))
    store.commit()
    store.begin()
    told = statements(store)
    row = tasks.get(store, 1)
    assert row is not None
    tasks.set_needs(store, 1, open_needs=2, met_needs=0)
    tasks.set_needs(store, 1, open_needs=1, met_needs=1)
    tasks.move(store, row, TaskEvent.PLACED, attempts=1)
    store.commit()
    assert len(told) == 2
    assert told[0].startswith("UPDATE tasks SET ")
    assert told[1] == "COMMIT"
    assert store.row("SELECT open_needs, met_needs, attempts, state FROM tasks") == (1, 1, 1, "active")


def test_the_hash_is_told_of_each_change_in_its_order(store: Store) -> None:
    store.kept.written = []
    tasks.insert(store, task(1))
    tasks.set_needs(store, 1, open_needs=2, met_needs=0)
    tasks.set_needs(store, 2, open_needs=1, met_needs=1)  # which is none: as a statement that finds no row
    assert store.kept.written == [task(1), (2, 0, 1), (1, 1, 2)]


def test_a_query_finds_what_waits(store: Store) -> None:
    tasks.insert(store, task(1))
    tasks.insert(store, task(2))
    tasks.set_needs(store, 1, open_needs=2, met_needs=0)
    assert [row.open_needs for row in tasks.of_run(store, 1)] == [2, 0]
    tasks.set_needs(store, 2, open_needs=3, met_needs=0)
    assert store.value("SELECT max(open_needs) FROM tasks") == 3


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tasks SET reason = 'x'",
        "INSERT OR REPLACE INTO tasks SELECT * FROM tasks",
        "DELETE FROM tasks",
    ],
)
def test_a_statement_that_goes_past_it_drops_the_rows_of_its_table(store: Store, statement: str) -> None:
    runs.insert(store, run(1))
    tasks.insert(store, task(1))
    store.commit()
    store.begin()
    store.write(statement)
    told = statements(store)
    tasks.get(store, 1)
    runs.get(store, 1)
    assert len(told) == 1
    assert "FROM tasks" in told[0]
    assert store.kept.differences() == []


def test_what_changes_nothing_that_is_kept_is_known_by_its_words() -> None:
    assert effects_of("SELECT 1 FROM runs, tasks").changes == ()
    assert effects_of("INSERT INTO runs (id) VALUES (1)").changes == ()
    assert effects_of("INSERT INTO asked VALUES (1) ON CONFLICT DO UPDATE SET a = 1").changes == ("asked",)
    assert effects_of("UPDATE runs SET id = 1").changes == ("runs",)
    assert set(effects_of("ALTER TABLE runs ADD COLUMN x").changes) >= {"runs", "tasks", "jobs"}


NEVER_USED = frozenset({"doomed", "tasks"})
DOOM = "INSERT INTO doomed (attempt, reason) "


@pytest.mark.parametrize("way", ["statement", "of another", "later", "row"])
def test_that_tables_are_empty_is_asked_once_and_known_until_a_row_comes(store: Store, way: str) -> None:
    runs.insert(store, run(1))
    assert store.kept.are_empty(NEVER_USED)
    told = statements(store)
    assert store.kept.are_empty(NEVER_USED)
    assert told == []
    if way == "row":
        tasks.insert(store, task(1))
    elif way == "later":
        store.kept.later("doomed", f"{DOOM} VALUES (?, ?)", (1, ""))
    else:
        store.write(DOOM + ("VALUES (1, '')" if way == "statement" else "SELECT id, reason FROM runs"))
    assert not store.kept.are_empty(NEVER_USED)
    store.commit()
    store.begin()
    assert not store.kept.are_empty(NEVER_USED)
    assert store.kept.differences() == []


def test_that_a_table_is_not_empty_is_not_asked_again_until_something_goes(store: Store) -> None:
    tasks.insert(store, task(1))
    assert not store.kept.are_empty(NEVER_USED)
    told = statements(store)
    assert not store.kept.are_empty(NEVER_USED)
    assert told == []
    store.write("DELETE FROM tasks")
    assert store.kept.are_empty(NEVER_USED)


def test_a_comparison_sees_a_table_that_is_not_as_empty_as_it_is_known_to_be(store: Store) -> None:
    assert store.kept.are_empty(NEVER_USED)
    store._connection.execute(f"{DOOM} VALUES (1, '')")
    assert store.kept.differences() == ["doomed: known to be empty, and is not"]


def test_a_row_that_ended_is_dropped_once_it_is_written(store: Store) -> None:
    tasks.insert(store, task(1))
    row = tasks.get(store, 1)
    assert row is not None
    tasks.move(store, row, TaskEvent.CANCELLED, finished_ms=5)
    store.commit()
    store.begin()
    told = statements(store)
    ended = tasks.get(store, 1)
    assert ended is not None
    assert (ended.state, ended.finished_ms) == ("cancelled", 5)
    assert len(told) == 1


def test_no_more_rows_are_kept_than_its_limit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "ROWS_MAX", 100)
    for number in range(1, 501):
        tasks.insert(store, task(number))
        tasks.set_needs(store, number, open_needs=number, met_needs=0)
    assert len(store.kept._of["tasks"].known) <= 100
    store.commit()
    assert store.kept.differences() == []
    assert store.value("SELECT sum(open_needs) FROM tasks") == 500 * 501 // 2


def test_that_no_run_waits_is_known_until_one_does(store: Store) -> None:
    assert runs.first_waiting(store, 7) is None
    told = statements(store)
    assert runs.first_waiting(store, 7) is None
    assert told == []
    runs.insert(store, run(1, job=7, waiting=1))
    assert runs.first_waiting(store, 7) == 1
    runs.admit(store, 1, counts=0)
    assert runs.first_waiting(store, 7) is None


def test_that_no_gap_waits_is_known_until_one_does(store: Store) -> None:
    era = Trigger(1, 7, "k", b"{}", 0, 0, 9, 5, None, "", 0, 0, BEHIND, "")
    assert trigger_rows.oldest_behind(store, 7) is None
    trigger_rows.insert(store, era)
    assert trigger_rows.oldest_behind(store, 7) == era
    trigger_rows.move(store, 1, next_due_ms=None, fire_ms=None)
    assert trigger_rows.oldest_behind(store, 7) is None
    trigger_rows.move(store, 1, next_due_ms=6, fire_ms=None)
    assert trigger_rows.oldest_behind(store, 7) == era._replace(next_due_ms=6)


def test_a_front_that_sends_much_at_once_is_written_once(store: Store) -> None:
    told = statements(store)
    for seq in range(1, 9):
        assert fronts.outcomes(store, "f", seq) is None
        fronts.remember(store, "f", seq, b"%d" % seq)
        fronts.advance(store, "f", max(1, seq - 2), seq)
    store.commit()
    assert sum(text.startswith(("DELETE", "UPDATE", "INSERT INTO fronts")) for text in told) == 2
    assert store.rows("SELECT seq FROM frames ORDER BY seq") == [(6,), (7,), (8,)]
    assert store.row("SELECT lowest, seen_ms FROM fronts") == (6, 8)
    assert fronts.outcomes(store, "f", 7) == b"7"
    assert store.kept.differences() == []


def test_a_difference_is_told(store: Store) -> None:
    tasks.insert(store, task(1))
    runs.first_waiting(store, 7)
    store.commit()
    other = sqlite3.connect(store.path)
    other.execute("UPDATE tasks SET reason = 'changed behind its back'")
    other.execute("INSERT INTO runs SELECT * FROM runs WHERE 0")
    other.commit()
    other.close()
    (found,) = store.kept.differences()
    assert "changed behind its back" in found


def test_an_error_drops_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(tmp_path / "state.db")
    story.lead()
    story.put(job("a"))
    monkeypatch.setattr(Store, "commit", lambda store: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        story.one(c.RunJob("default", "a", b"{}", story.now_ms))
    assert all(not rows.known and not rows.new for rows in story.store.kept._of.values())
    story.close()


def test_a_reader_keeps_nothing(store: Store) -> None:
    tasks.insert(store, task(1))
    store.commit()
    reader = Store.open_reader(store.path)
    assert tasks.get(reader, 1) == task(1)
    store.begin()
    tasks.set_needs(store, 1, open_needs=2, met_needs=0)
    store.commit()
    found = tasks.get(reader, 1)
    assert found is not None
    assert found.open_needs == 2
    reader.close()


def put_job(store: Store, number: int) -> None:
    values: dict[str, Any] = dict.fromkeys(jobs.Job._fields, 0) | dict.fromkeys(
        ("labels", "state", "pause_reason", "source", "actor", "last_state"), ""
    )
    own = {"id": number, "namespace": "default", "name": f"j{number}", "revision": 1, "spec": b"{}"}
    jobs.insert(store, jobs.Job(**values | own))


def test_who_asks_by_a_name_finds_it_and_what_waits_of_others_goes_in_together(store: Store) -> None:
    """Puts that follow one another look up a name each."""
    told = statements(store)
    for number in (1, 2, 3):
        assert jobs.find(store, "default", f"j{number}") is None
        put_job(store, number)
    assert not any(each.startswith("INSERT") for each in told)
    found = jobs.find(store, "default", "j2")
    assert found is not None
    assert found.id == 2
    assert sum(each.startswith("INSERT INTO jobs") for each in told) == 3
    jobs.count_run_begun(store, 3)
    found = jobs.find(store, "default", "j3")
    assert found is not None
    assert found.active_runs == 1


def test_a_job_is_found_with_the_highest_revision_that_its_name_had_in_one_query(store: Store) -> None:
    def revised(number: int, revision: int) -> None:
        row = jobs.Revision(number, revision, "default", f"j{number}", b"{}", 0, 0, "", int(revision > 1))
        jobs.insert_revision(store, row)

    put_job(store, 1)
    revised(1, 1)  # that wait: there is the job, and its only revision
    job, last = jobs.find_and_last(store, "default", "j1")
    assert (job, last) == (jobs.find(store, "default", "j1"), 1)
    assert job is not None
    jobs.delete(store, 1)
    revised(1, 2)
    told = statements(store)
    assert jobs.find_and_last(store, "default", "j1") == (None, 2)
    assert sum("SELECT" in each for each in told) == 1
    assert jobs.find_and_last(store, "default", "j2") == (None, 0)
