"""Exit codes that mean more than good or bad, in a story.

exits     each task of its job ended as the last exit code says, tried again where that says so, and a run is
          marked where one of its tasks ended with a warning; what follows went to the same agent, and none to
          one that does not know what the task asks for

The table here is its own: nothing is asked of the machine but rows.
"""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.store.connection import Store

BAD, WARNS, AGAIN, SKIPS = CODES = (1, 4, 75, 99)
TRIES_MAX = 2
OLDER = "agent-0"  #: does not know of umask
JOB: dict[str, object] = {
    "job": "exits",
    "policies": {"overlap": "allow", "retention": {"runs": 10_000}},
    "triggers": [{"every": "400ms"}],
    "tasks": {
        "first": {
            "run": "x", "exit": {"warn": [WARNS], "skip": [SKIPS], "retry": [AGAIN]},
            "retry": {"delays": ["1s"]}, "umask": "027",
        },
        "then": {
            "run": "x", "needs": ["first"], "exit": {"warn": [WARNS]},
            "on": {"same_as": "first", "match": {"host": "regex:.*"}},
        },
    },
}  # fmt: skip
ENDS = {
    0: ("succeeded", 0), WARNS: ("succeeded", 1), SKIPS: ("skipped", 0), BAD: ("failed", 0),
    AGAIN: ("failed", 0),
}  # fmt: skip
_TASKS = (
    "SELECT t.id, t.name, t.state, t.warned, t.attempts, a.exit_code, r.stopping FROM tasks t"
    " JOIN runs r ON r.id = t.run JOIN attempts a ON a.id ="
    " (SELECT max(id) FROM attempts WHERE task = t.id AND state IN ('succeeded', 'failed'))"
    " WHERE r.name = 'exits' AND r.cause <> 'orphan' AND t.state IN ('succeeded', 'failed', 'skipped')"
    " ORDER BY t.id"
)
_RUNS = (
    "SELECT r.id, r.warned FROM runs r WHERE r.cause <> 'orphan' AND r.warned <>"
    " (SELECT coalesce(max(warned), 0) FROM tasks WHERE run = r.id) ORDER BY r.id LIMIT 3"
)


_SEEN = (
    "SELECT a.exit_code, count(*) FROM attempts a JOIN tasks t ON t.id = a.task JOIN runs r ON r.id = t.run"
    " WHERE r.name = 'exits' AND t.name = 'first' AND a.exit_code > 0 GROUP BY 1 ORDER BY 1"
)


_ELSEWHERE = (
    "SELECT b.id FROM attempts b JOIN tasks t ON t.id = b.task AND t.name = 'then'"
    " JOIN runs r ON r.id = t.run WHERE r.name = 'exits' AND r.cause <> 'orphan'"
    " AND b.agent <> (SELECT a.agent FROM attempts a JOIN tasks f ON f.id = a.task WHERE f.run = t.run"
    " AND f.name = 'first' AND a.state <> 'revoked' ORDER BY a.id DESC LIMIT 1) ORDER BY b.id LIMIT 3"
)

_UNKNOWING = (
    "SELECT a.id FROM attempts a JOIN tasks t ON t.id = a.task JOIN runs r ON r.id = t.run"
    " JOIN agents g ON g.id = a.agent WHERE r.name = 'exits' AND t.name = 'first' AND r.cause <> 'orphan'"
    " AND g.name = ? ORDER BY a.id LIMIT 3"
)


def drawn(share: float) -> int:
    """An exit code of a draw between 0 and 1: one of ten is none that is simply good."""
    return CODES[int(share * 10_000) % len(CODES)] if share < 0.1 else 0


class Exits:
    def __init__(self) -> None:
        self.seen = dict.fromkeys(CODES, 0)  #: of each exit code, the most attempts that a node knows

    def judge(self, store: Store) -> Iterator[tuple[str, str]]:
        for task, name, state, warned, attempts, code, stopping in store.rows(_TASKS):
            end = ENDS[code] if name == "first" or code in (0, WARNS) else ENDS[BAD]
            if (state, warned) != end:
                yield "exits", f"task {task} ({name}) is {state}, warned {warned}, with exit code {code}"
            if name == "first" and code == AGAIN and attempts < TRIES_MAX and not stopping:
                yield "exits", f"task {task} was tried once, and its exit code asks for another"
            if attempts > (TRIES_MAX if name == "first" else 1):
                yield "exits", f"task {task} ({name}) was tried {attempts} times"
        if marked := store.rows(_RUNS):
            yield "exits", f"runs that are marked otherwise than their tasks: {marked}"
        if elsewhere := store.rows(_ELSEWHERE):
            yield "exits", f"attempts at another agent than that of the task before: {elsewhere}"
        if unknowing := store.rows(_UNKNOWING, (OLDER,)):
            yield "exits", f"attempts at an agent that does not know of umask: {unknowing}"
        for code, number in store.rows(_SEEN):
            self.seen[code] = max(self.seen[code], number)
