"""Runs that wait for ends of other jobs and for notices; those ends, and the notices that were used up.

A job is counted from when a run first waits for it: then the newest of its runs that are kept are noted too.
What is noted stays for KEPT_MS, however soon the runs go; each end that is noted takes two older ones away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import always
from scheduler.words.causes import Kind

KEPT_MS = 35 * 86_400_000
NOTED_AT_ONCE_MAX = 200
REPEATED_MAX = 50  #: times, one after the other
ENDS_MAX = 5_000  #: of a plan date
_IS_REQUIRED = "SELECT 1 FROM required WHERE parent = ?"


class End(NamedTuple):
    run: int
    parent: str
    state: str
    plan_day: int
    ended_ms: int
    of_run: int  #: the run that it repeats, the first of them; else itself


def is_required(store: Store, parent: str) -> bool:
    """Whether a run ever waited for it. Asked at the end of every run, so it is remembered."""
    return store.kept.note("required", _IS_REQUIRED, (parent,), keeps=always) is not None


def wait(store: Store, run: int, parent: str) -> None:
    store.write("INSERT OR REPLACE INTO run_requires (parent, run) VALUES (?, ?)", (parent, run))
    if not is_required(store, parent):
        store.kept.unnote("required", _IS_REQUIRED, (parent,))
        store.write("INSERT INTO required (parent, changed, looked) VALUES (?, 0, 0)", (parent,))


def note_ends_of(store: Store, parent: str, job: int) -> None:
    """Of runs of this job that ended before anybody waited for it, the newest that are kept."""
    rows = store.rows(
        "SELECT id, state, plan_day, finished_ms, cause, cause_key FROM runs WHERE job = ?"
        " AND finished_ms IS NOT NULL ORDER BY id DESC LIMIT ?",
        (job, NOTED_AT_ONCE_MAX),
    )
    for run, state, day, ended_ms, cause, key in reversed(rows):
        _insert(store, End(run, parent, state, day, ended_ms, first_of(store, run, cause, key)))


def first_of(store: Store, run: int, cause: str, key: str) -> int:
    """Of a run that repeats another the first of them, as far as they are known; else itself."""
    for _ in range(REPEATED_MAX):
        if cause != Kind.RERUN:
            break
        source = int(key.partition("/")[0])
        known: int | None = store.value("SELECT of_run FROM required_ends WHERE run = ?", (source,))
        if known is not None:
            return known
        row = store.row("SELECT cause, cause_key FROM runs WHERE id = ?", (source,))
        run, (cause, key) = source, row or ("", "")
    return run


def note_end(store: Store, end: End) -> None:
    _insert(store, end)
    old = store.rows(
        "SELECT run FROM required_ends WHERE parent = ? AND ended_ms < ? ORDER BY ended_ms, run LIMIT 2",
        (end.parent, end.ended_ms - KEPT_MS),
    )
    for (run,) in old:
        store.write("DELETE FROM required_ends WHERE run = ?", (run,))
    change(store, end.parent)


def _insert(store: Store, end: End) -> None:
    store.write(
        "INSERT OR REPLACE INTO required_ends (run, parent, state, plan_day, ended_ms, of_run)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        end,
    )


def override(store: Store, run: int, parent: str, state: str) -> None:
    """A person says how it counts."""
    store.write("UPDATE required_ends SET state = ? WHERE run = ?", (state, run))
    change(store, parent)


def change(store: Store, parent: str) -> None:
    """Who waits for it is to be looked at."""
    store.write("UPDATE required SET changed = 1, looked = 0 WHERE parent = ?", (parent,))


def look(store: Store, parent: str, run: int) -> None:
    """This one is looked at now."""
    store.write("UPDATE required SET looked = ? WHERE parent = ?", (run, parent))


def all_looked(store: Store, parent: str, run: int) -> None:
    """This was the last of them, unless something came meanwhile; 0: nobody waits."""
    store.write("UPDATE required SET changed = 0, looked = 0 WHERE parent = ? AND looked = ?", (parent, run))


def changed(store: Store, limit: int) -> list[str]:
    rows = store.rows("SELECT parent FROM required WHERE changed = 1 ORDER BY parent LIMIT ?", (limit,))
    return [row[0] for row in rows]


def next_ones(store: Store, parent: str, limit: int) -> list[int]:
    """The runs that wait for it and have not been looked at since it changed, by their ids."""
    rows = store.rows(
        "SELECT w.run FROM run_requires w, required p WHERE p.parent = ? AND w.parent = p.parent"
        " AND w.run > p.looked ORDER BY w.run LIMIT ?",
        (parent, limit),
    )
    return [row[0] for row in rows]


def drop(store: Store, run: int) -> None:
    """It waits for nothing of this any more."""
    store.write("DELETE FROM run_requires WHERE run = ?", (run,))


_STATES = {"succeeded": ("succeeded",), "failed": ("failed", "timed_out", "lost")}


def count(
    store: Store, parent: str, state: str, most: int, *, plan_day: int | None = None, since_ms: int = 0
) -> int:
    """Ends of the job that count, up to `most`: of this plan date, else those at or after the instant."""
    states = _STATES.get(state, ())
    of = f" AND state IN ({', '.join('?' * len(states))})" if states else ""
    where, value = ("plan_day = ?", plan_day) if plan_day is not None else ("ended_ms >= ?", since_ms)
    number: int = store.value(
        f"SELECT count(*) FROM (SELECT 1 FROM required_ends WHERE parent = ? AND {where}{of} LIMIT ?)",
        (parent, value, *states, most),
    )
    return number


def is_so(ended: str, state: str) -> bool:
    """Whether a run that ended so counts as one of this state."""
    return ended in _STATES.get(state, (ended,))


def ended_so(store: Store, parent: str, state: str, plan_day: int) -> frozenset[int]:
    """Runs of a plan date that ended so, or of which one that repeats them did."""
    rows = store.rows(
        "SELECT of_run, state FROM required_ends WHERE parent = ? AND plan_day = ? ORDER BY run LIMIT ?",
        (parent, plan_day, ENDS_MAX),
    )
    return frozenset(run for run, ended in rows if is_so(ended, state))


def notice(store: Store, board: str, key: str, now_ms: int, but: Sequence[int] = ()) -> int | None:
    """The oldest notice that stands, has this key (empty: any), is not used up, and none of these."""
    serial: int | None = store.value(
        "SELECT n.serial FROM notices n INDEXED BY notices_board WHERE n.board = ? AND n.deleted = 0"
        " AND n.expires_ms > ? AND (? = '' OR n.key = ?)"
        " AND n.serial NOT IN (SELECT serial FROM consumed)"
        f" AND n.serial NOT IN ({', '.join('?' * len(but))}) ORDER BY n.serial LIMIT 1",
        (board, now_ms, key, key, *but),
    )
    return serial


def consume(store: Store, serial: int, run: int) -> None:
    store.write("INSERT INTO consumed (serial, run) VALUES (?, ?)", (serial, run))


def forget_swept(store: Store) -> None:
    """Of notices that are no more."""
    store.write("DELETE FROM consumed WHERE serial NOT IN (SELECT serial FROM notices)")
