"""What tasks ask persons: who may answer, until when, and who did. A row is made as its task begins to ask,
and goes with its run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store

APPROVED, REJECTED = "approved", "rejected"
ANSWERS = (APPROVED, REJECTED)


class Approval(NamedTuple):
    task: int
    run: int
    namespace: str
    open: int  #: 1: nobody has answered, and the task has not ended otherwise
    asked_ms: int
    expires_ms: int  #: an answer that comes then, or later, is none
    approvers: str  #: names of tokens, as a JSON list; an empty one: whoever may approve
    barred: str  #: who may not answer, whatever else (four eyes); empty: nobody
    text: str
    answer: str  #: approved | rejected; empty: there is none
    actor: str  #: who gave it
    answered_ms: int | None
    reason: str


_HERE = frozenset({"approvals"})  #: hardly any cluster has some
COLUMNS = ", ".join(Approval._fields)
_INSERT = f"INSERT INTO approvals ({COLUMNS}) VALUES ({', '.join('?' * len(Approval._fields))})"


def get(store: Store, task: int) -> Approval | None:
    row = store.row(f"SELECT {COLUMNS} FROM approvals WHERE task = ?", (task,))
    return None if row is None else Approval._make(row)


def of_runs(store: Store, runs: Sequence[int]) -> list[Approval]:
    """All that these runs asked, however it came out."""
    marks = ", ".join("?" * len(runs))
    rows = store.rows(f"SELECT {COLUMNS} FROM approvals WHERE run IN ({marks}) ORDER BY task", runs)
    return [Approval._make(row) for row in rows]


def insert(store: Store, approval: Approval) -> None:
    store.write(_INSERT, approval)


def answer(store: Store, task: int, *, answer: str, actor: str, answered_ms: int, reason: str) -> None:
    store.write(
        "UPDATE approvals SET open = 0, answer = ?, actor = ?, answered_ms = ?, reason = ? WHERE task = ?",
        (answer, actor, answered_ms, reason, task),
    )


def close(store: Store, task: int) -> None:
    """The task has ended without an answer; of one that asked nobody there is no row."""
    if not store.kept.are_empty(_HERE):
        store.write("UPDATE approvals SET open = 0 WHERE task = ? AND open = 1", (task,))


def purge(store: Store, run: int, limit: int) -> None:
    """Drop those of the first tasks of a run, as many as that, before these go."""
    if not store.kept.are_empty(_HERE):
        store.write(
            "DELETE FROM approvals WHERE task IN (SELECT id FROM tasks WHERE run = ? ORDER BY id LIMIT ?)",
            (run, limit),
        )
