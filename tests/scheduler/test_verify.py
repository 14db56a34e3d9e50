"""verify must see each way in which the account could be wrong: the state is damaged on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scheduler import verify as verify_module
from scheduler.store.connection import QueryTooLongError, Store
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.reads import runs as run_reads
from scheduler.store.tables import ledger
from scheduler.store.tables.ledger import Entry
from scheduler.ticks import schedule
from scheduler.verify import Verification, verify
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job


@pytest.fixture(params=["whole", "in slices"])
def told(story: Story, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Story:
    """Ten ticks: seven ran, three were skipped in a range. Every verdict is the same in slices of two."""
    if request.param == "in slices":
        monkeypatch.setattr(verify_module, "SLICE_ENTRIES", 2)
        monkeypatch.setattr(verify_module, "SLICE_ERAS", 1)
        monkeypatch.setattr(verify_module, "SLICE_RUNS", 2)
    story.connect()
    story.put(job(trigger={"cron": "* * * * * *"}, policies={"overlap": "allow"}))
    for second in range(1, 8):
        story.now_ms = START_MS + second * 1_000
        story.settle()
    first_ms, last_ms = START_MS + 8_000, START_MS + 10_000
    story.tell_ok(c.Account(story.epoch, 1, first_ms, last_ms, 3, last_ms + 1_000, "missed", "window"))
    story.now_ms = last_ms
    return story


def check(story: Story, from_second: int = 0, to_second: int = 10) -> Verification:
    return verify(
        story.store, START_MS + from_second * 1_000, START_MS + to_second * 1_000, now_ms=story.now_ms
    )


def rechain(story: Story) -> None:
    """Make the chain right again after damage, so that only the account is wrong."""
    head = bytes(32)
    for seq, (entry, _) in enumerate(ledger_reads.after(story.store, 0, limit=1_000), start=1):
        moved = entry._replace(seq=seq)
        head = ledger.chain(head, moved)
        story.store.execute("UPDATE ledger SET seq = ?, hash = ? WHERE seq = ?", (seq, head, entry.seq))
    story.store.execute(
        "UPDATE state SET ledger_seq = (SELECT max(seq) FROM ledger), ledger_head = ?", (head,)
    )


def kinds(verdict: Verification) -> set[str]:
    return {problem.kind for problem in verdict.problems}


def test_a_true_account_is_confirmed(told: Story) -> None:
    verdict = check(told)
    assert verdict.ok
    assert (verdict.due, verdict.entries) == (10, 8)
    assert dict(verdict.outcomes) == {"ran": 7, "missed(window)": 3, "pending": 0}
    assert (verdict.undecided, verdict.overdue) == (0, 0)


def test_a_range_is_cut_where_the_question_ends(told: Story) -> None:
    verdict = check(told, 3, 9)
    assert verdict.ok
    assert dict(verdict.outcomes) == {"ran": 4, "missed(window)": 2, "pending": 0}


def test_a_pending_run_is_an_outcome_to_come(told: Story) -> None:
    told.tell_ok(c.Fire(told.epoch, 1, START_MS + 11_000, START_MS + 12_000))
    told.now_ms = START_MS + 13_500
    verdict = check(told, 0, 13)
    assert verdict.ok
    assert verdict.outcomes["pending"] == 1
    assert (verdict.undecided, verdict.overdue) == (2, 2)


def test_a_missing_tick_is_seen(told: Story) -> None:
    told.store.execute("DELETE FROM ledger WHERE seq = 3")
    assert "chain" in kinds(check(told))
    rechain(told)
    verdict = check(told)
    assert kinds(verdict) == {"missing"}
    assert verdict.problems[0].instant_ms == START_MS + 3_000


def test_a_doubled_tick_is_seen(told: Story) -> None:
    told.store.execute("UPDATE ledger SET first_ms = first_ms - 1000, last_ms = last_ms - 1000 WHERE seq = 3")
    assert kinds(check(told)) == {"chain", "doubled", "missing", "cause"}
    rechain(told)
    assert kinds(check(told)) == {"doubled", "missing", "cause"}


def test_a_second_run_of_a_tick_that_ran_is_seen(told: Story) -> None:
    told.store.execute("UPDATE runs SET decided = 0 WHERE id = 4")
    assert kinds(check(told)) == {"doubled"}


def test_two_runs_of_a_tick_are_seen_whatever_they_say(told: Story) -> None:
    told.store.execute("UPDATE runs SET tick_ms = tick_ms + 1000 WHERE id = 4")
    verdict = check(told)
    assert {(problem.kind, problem.instant_ms - START_MS) for problem in verdict.problems} == {
        ("doubled", 5_000), ("cause", 4_000),
    }  # fmt: skip
    assert check(told, 5, 10).problem_count == 1, "the run of another tick, whose entry comes with the chain"


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE ledger SET kind = 'catchup' WHERE seq = 2",
        "UPDATE ledger SET run = 3 WHERE seq = 2",
        "UPDATE runs SET cause = 'startup', cause_key = 'a/1' WHERE id = 2",
        "UPDATE runs SET trigger = 7 WHERE id = 2",
    ],
)
def test_an_entry_and_a_run_of_different_causes_are_seen(told: Story, forgery: str) -> None:
    told.store.execute(forgery)
    rechain(told)
    verdict = check(told)
    assert [(problem.kind, problem.seq) for problem in verdict.problems] == [("cause", 2)]


def test_a_tick_that_is_said_to_be_another_cause_is_seen(told: Story) -> None:
    told.store.execute("UPDATE ledger SET kind = 'webhook', key = 'a/1' WHERE seq = 2")
    rechain(told)
    verdict = check(told)
    assert (kinds(verdict), verdict.events) == ({"cause", "missing"}, 1)
    told.store.execute("UPDATE ledger SET trigger = 77 WHERE seq = 2")
    rechain(told)
    assert kinds(check(told)) == {"cause", "missing", "not_due"}


def test_an_entry_outlives_its_run(told: Story) -> None:
    told.store.execute("DELETE FROM runs WHERE id = 2")
    assert check(told).ok


def test_an_entry_for_no_due_instant_is_seen(told: Story) -> None:
    told.store.execute("UPDATE ledger SET first_ms = first_ms + 500, last_ms = last_ms + 500 WHERE seq = 2")
    rechain(told)
    assert kinds(check(told)) == {"not_due", "missing", "cause"}


def test_an_entry_of_no_era_is_seen(told: Story) -> None:
    told.store.execute("UPDATE ledger SET trigger = 77 WHERE seq = 2")
    rechain(told)
    assert kinds(check(told)) == {"not_due", "missing", "cause"}


def test_a_range_that_counts_wrong_is_seen(told: Story) -> None:
    told.store.execute("UPDATE ledger SET count = 2 WHERE seq = 8")
    rechain(told)
    assert kinds(check(told)) == {"not_due"}


def test_a_long_range_is_counted_without_holding_all_that_was_due(
    told: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a job of every second it were 31 million instants in a year."""
    first, last = 11, 20_010
    told.now_ms = START_MS + last * 1_000
    told.tell_ok(
        c.Account(
            told.epoch, 1, START_MS + first * 1_000, told.now_ms, last - first + 1, told.now_ms + 1_000,
            "missed", "window",
        )
    )  # fmt: skip
    monkeypatch.setattr(verify_module, "SLICE_ENTRIES", 700)
    asked: list[int] = []

    def counting(spec: bytes) -> Any:
        class Counting:
            def between(self, after_ms: int, until_ms: int, limit: int) -> list[int]:
                asked.append(limit)
                return schedule(spec).between(after_ms, until_ms, limit)

        return Counting()

    monkeypatch.setattr(verify_module, "schedule", counting)
    verdict = check(told, 0, last)
    assert verdict.ok, verdict.problems
    assert verdict.outcomes["missed(window)"] == 3 + last - first + 1
    assert max(asked) <= 701
    told.store.execute("UPDATE ledger SET count = count - 1 WHERE seq = 9")
    rechain(told)
    assert kinds(check(told, 0, last)) == {"not_due"}


def test_an_entry_changed_afterwards_breaks_the_chain(told: Story) -> None:
    told.store.execute("UPDATE ledger SET reason = 'deadline' WHERE seq = 8")
    verdict = check(told)
    assert [(problem.kind, problem.seq) for problem in verdict.problems] == [("chain", 8)]


def test_entries_cut_off_at_the_end_are_seen(told: Story) -> None:
    told.store.execute("DELETE FROM ledger WHERE seq = 8")
    assert "chain" in kinds(check(told))


def test_instants_outside_every_era_are_not_due(told: Story) -> None:
    told.tell_ok(c.DeleteJob("default", "j"))
    told.now_ms = START_MS + 60_000
    told.settle()
    verdict = check(told, 0, 60)
    assert verdict.ok
    assert verdict.due == 10


def test_no_snapshot_outlives_a_slice_and_what_is_decided_in_between_is_no_problem(
    told: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the write-ahead log can start anew however much there is to verify."""
    monkeypatch.setattr(verify_module, "SLICE_ENTRIES", 2)
    reader = Store.open_reader(told.store.path)
    chain, compare = ledger.chain, verify_module._check
    between: list[str] = []

    def decide_one(where: str) -> None:
        between.append(where)
        assert not reader.is_in_snapshot
        told.now_ms += 1_000
        with monkeypatch.context() as usual:  # the machine makes hashes too
            usual.setattr(ledger, "chain", chain)
            told.settle()
        frames, moved = told.store.checkpoint_aside()
        assert frames == moved, "a reader holds its snapshot"

    def chained(before: bytes, entry: Entry) -> bytes:
        decide_one("chain")
        return chain(before, entry)

    def compared(*arguments: Any) -> None:
        decide_one("era")
        compare(*arguments)

    monkeypatch.setattr(ledger, "chain", chained)
    monkeypatch.setattr(verify_module, "_check", compared)
    verdict = verify(reader, START_MS, START_MS + 70_000, now_ms=told.now_ms)
    assert verdict.ok, verdict.problems
    assert between == ["chain"] * 8 + ["era"] * 35
    assert (verdict.entries, verdict.due) == (8, 70)
    assert verdict.outcomes["ran"] > 7, "some that were decided while it went on"
    reader.close()


def test_what_is_broken_off_is_read_in_halves(told: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader's queries have a limit by the clock, which a starved machine passes without doing anything."""
    told.put(*(job(f"other-{number}", trigger={"cron": "* * * * * *"}) for number in range(4)))
    expected = check(told, 0, 12)
    monkeypatch.setattr(verify_module, "SLICE_ENTRIES", 8)
    monkeypatch.setattr(verify_module, "SLICE_RUNS", 8)
    monkeypatch.setattr(verify_module, "SLICE_ERAS", 8)
    monkeypatch.setattr(verify_module, "SLICE_LEAST", 1)
    broken: list[str] = []

    def at_most_two(what: str, function: Any, rows: Callable[..., int]) -> Any:
        def limited(*arguments: Any, **named: Any) -> Any:
            found = function(*arguments, **named)
            if rows(*arguments, **named) > 2:
                broken.append(what)
                raise QueryTooLongError(what)
            return found

        return limited

    read_once = verify_module._read_once
    entries = at_most_two("ledger", ledger_reads.after, lambda *_, limit: limit)
    monkeypatch.setattr(ledger_reads, "after", entries)
    ended = run_reads.ended_undecided
    monkeypatch.setattr(
        run_reads, "ended_undecided", at_most_two("runs", ended, lambda store, after, limit: limit)
    )
    eras = at_most_two("eras", read_once, lambda store, stretches, *_: len(stretches))
    monkeypatch.setattr(verify_module, "_read_once", eras)
    verdict = check(told, 0, 12)
    assert set(broken) == {"ledger", "runs", "eras"}
    assert verdict.ok, verdict.problems
    assert verdict == expected


def test_it_cannot_be_within_a_snapshot(told: Story) -> None:
    with told.store.snapshot(), pytest.raises(ValueError, match="in slices"):
        check(told)
