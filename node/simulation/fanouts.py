"""A task that is divided, in a story.

fanout    no more members go at a time than may, and are on one agent; the whole ended well with as many
          successes as it asks for, and badly once these could come together no more; its counts are those of
          its members

Asked of rows, and nothing of the machine.
"""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.store.connection import Store

MEMBERS, AT_A_TIME, PER_AGENT, WANTED = 6, 2, 1, 4
_FANOUT = {"n": MEMBERS, "max_parallel": AT_A_TIME, "max_per_agent": PER_AGENT}
JOB: dict[str, object] = {
    "job": "divided",
    "policies": {"overlap": "allow", "timeout": "60s", "retention": {"runs": 10_000}},
    "triggers": [{"iso8601": "R//PT2S"}],
    "tasks": {
        "many": {"noop": True, "fanout": _FANOUT, "join": "60%"},
        "last": {"noop": True, "needs": ["many"], "rule": "all_done"},
    },
}  # fmt: skip
"""More rows than a frame has room for here: members are made in slices."""

_RUNS = "(SELECT id FROM runs WHERE name = 'divided' AND cause <> 'orphan')"
_TAKEN = "SELECT task FROM taken_tasks"  #: by a rerun, without its members
_OF = f"FROM tasks w WHERE w.run IN {_RUNS} AND w.name = 'many' AND w.member = '' AND w.id NOT IN ({_TAKEN})"
_MEMBERS = "SELECT count(*) FROM tasks m WHERE m.of_group = w.id AND m.member <> ''"
_WRONG = {
    "more go at a time than may": (
        f"SELECT w.id {_OF} AND ({_MEMBERS} AND m.finished_ms IS NULL AND m.queued_ms IS NOT NULL)"
        f" > {AT_A_TIME} ORDER BY w.id LIMIT 3"
    ),
    "an agent has more than it may": (
        f"SELECT w.id {_OF} AND EXISTS (SELECT 1 FROM tasks m JOIN attempts a ON a.task = m.id AND a.live = 1"
        f" WHERE m.of_group = w.id AND m.member <> '' GROUP BY a.agent HAVING count(*) > {PER_AGENT})"
        " ORDER BY w.id LIMIT 3"
    ),
    "ended well without enough": (
        f"SELECT w.id {_OF} AND w.state = 'succeeded' AND ({_MEMBERS} AND m.state = 'succeeded') < {WANTED}"
        " ORDER BY w.id LIMIT 3"
    ),
    "ended badly with enough": (
        f"SELECT w.id {_OF} AND w.state = 'failed' AND ({_MEMBERS} AND m.state = 'succeeded') >= {WANTED}"
        " ORDER BY w.id LIMIT 3"
    ),
    "goes on though it could be said": (
        f"SELECT w.id {_OF} AND w.finished_ms IS NULL AND ({_MEMBERS} AND m.finished_ms IS NOT NULL)"
        f" = {MEMBERS} AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = w.run AND (r.unfinished = 1"
        " OR r.stopping <> '')) ORDER BY w.id LIMIT 3"
    ),
    "its counts are not those of its members": (
        f"SELECT w.id FROM fanouts f JOIN tasks w ON w.id = f.task WHERE w.run IN {_RUNS} AND"
        f" (f.ended <> ({_MEMBERS} AND m.finished_ms IS NOT NULL)"
        f" OR f.succeeded <> ({_MEMBERS} AND m.state = 'succeeded')) ORDER BY w.id LIMIT 3"
    ),
}


class Fanouts:
    def __init__(self) -> None:
        self.joined = 0  #: wholes that ended well, as many as a node knows

    def judge(self, store: Store) -> Iterator[tuple[str, str]]:
        for what, sql in _WRONG.items():
            if found := store.rows(sql):
                yield "fanout", f"{what}: {found}"
        joined = store.value(f"SELECT count(*) {_OF} AND w.state = 'succeeded'")
        self.joined = max(self.joined, joined)
