"""What a state says, and what became between two of one cluster: looked at offline.

Rules of this file:

1. A state is told as what people know of it: definitions as they were, who put them, what is paused, what
   goes on, who is connected. Neither a token nor a secret is in it.
2. What lies between two states is told by the later one alone where it knows it (runs, ledger, audit), and by
   comparing where it does not.
3. What is told has a limit for each kind; how much there is is told always.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from scheduler.model.quantities import format_instant
from scheduler.model.unsaid import whole
from scheduler.model.written import write_yaml
from scheduler.store import state as state_rows
from scheduler.store.connection import Store
from scheduler.store.state import State
from scheduler.store.tables import restores
from scheduler.words.causes import RESULTS

LISTED_MAX = 10_000
CHANGES_MAX = 2_000

_OBJECTS = """
    SELECT kind, namespace, name, revision, state, actor, changed_ms, spec FROM (
        SELECT 'job' AS kind, namespace, name, revision, state, actor, changed_ms, spec FROM jobs
        UNION ALL
        SELECT kind, namespace, name, revision, '', actor, changed_ms, spec FROM objects
    ) WHERE ? IN ('', namespace) ORDER BY kind, namespace, name
"""


class Defined(NamedTuple):
    """A job or another object, as it stands in a state."""

    kind: str
    namespace: str
    name: str
    revision: int
    state: str  #: of a job: active | paused
    actor: str
    changed_ms: int
    spec: bytes

    @property
    def key(self) -> tuple[str, str, str]:
        return self.kind, self.namespace, self.name

    def facts(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "namespace": self.namespace, "name": self.name, "revision": self.revision,
            "state": self.state, "actor": self.actor, "changed": format_instant(self.changed_ms),
        }  # fmt: skip

    def shape(self) -> Any:
        """With what the text of a job leaves out."""
        return whole(self.spec) if self.kind == "job" else json.loads(self.spec)

    def lines(self) -> list[str]:
        return write_yaml([_sorted(self.shape())], starts=False).splitlines()


# -- one state ------------------------------------------------------------------------------------


def told(store: Store, namespace: str = "") -> dict[str, Any]:
    """A state, with the definitions in it. `namespace`: of this one alone; empty: of all."""
    state = state_rows.load(store)
    defined = [Defined._make(row) for row in store.rows(f"{_OBJECTS} LIMIT ?", (namespace, LISTED_MAX))]
    due = _next_due(store, namespace)
    objects = [
        {
            **each.facts(),
            "next": due.get((each.namespace, each.name)) if each.kind == "job" else None,
            "definition": each.shape(),
        }
        for each in defined
    ]
    return {
        **place(state),
        "epoch": state.epoch,
        "leader": state.leader,
        "counts": _counts(store, namespace),
        "going": _going(store, namespace),
        "ticks": {**_outcomes(store, 0, namespace), **_pending(store, namespace)},
        "objects": objects,
        "runs": _runs(store, "finished_ms IS NULL", (), namespace)[0],
        "agents": list(_agents(store).values()),
        "pauses": list(_pauses(store, namespace).values()),
    }


def place(state: State) -> dict[str, Any]:
    return {
        "cluster": state.cluster, "restores": state.restores, "index": state.idx,
        "at": format_instant(state.stamp_ms), "state_hash": state.hash.hex(),
    }  # fmt: skip


def _counts(store: Store, namespace: str) -> dict[str, int]:
    rows = store.rows(
        "SELECT 'job', count(*) FROM jobs WHERE ? IN ('', namespace) UNION ALL"
        " SELECT kind, count(*) FROM objects WHERE ? IN ('', namespace) GROUP BY kind",
        (namespace, namespace),
    )
    return {kind: count for kind, count in rows if count}


def _going(store: Store, namespace: str) -> int:
    counted = "SELECT count(*) FROM runs WHERE finished_ms IS NULL AND ? IN ('', namespace)"
    return int(store.value(counted, (namespace,)))


def _next_due(store: Store, namespace: str) -> dict[tuple[str, str], str]:
    rows = store.rows(
        "SELECT j.namespace, j.name, min(t.next_due_ms) FROM triggers t JOIN jobs j ON j.id = t.job"
        " WHERE t.until_ms IS NULL AND t.next_due_ms IS NOT NULL AND ? IN ('', j.namespace)"
        " GROUP BY j.id ORDER BY j.id LIMIT ?",
        (namespace, LISTED_MAX),
    )
    return {(row[0], row[1]): format_instant(row[2]) for row in rows}


def _outcomes(store: Store, after_seq: int, namespace: str) -> dict[str, int]:
    """Of ticks and of all else that fires by itself: how many came to what."""
    rows = store.rows(
        "SELECT l.outcome, l.reason, sum(l.count) FROM ledger l WHERE l.seq > ? AND l.kind NOT IN (?, ?)"
        " AND (? = '' OR l.job IN (SELECT job FROM revisions WHERE namespace = ?))"
        " GROUP BY l.outcome, l.reason ORDER BY l.outcome, l.reason",
        (after_seq, *sorted(RESULTS), namespace, namespace),
    )
    return {f"{outcome}({reason})" if reason else outcome: int(count) for outcome, reason, count in rows}


def _pending(store: Store, namespace: str) -> dict[str, int]:
    """Of those that had come and had no outcome yet: their run has not begun, or a person holds or moved
    them."""
    count: int = store.value(
        "SELECT (SELECT count(*) FROM runs"
        " WHERE decided = 0 AND finished_ms IS NULL AND ? IN ('', namespace))"
        " + (SELECT count(*) FROM changed_ticks c JOIN jobs j ON j.id = c.job"
        " WHERE c.passed = 1 AND ? IN ('', j.namespace))",
        (namespace, namespace),
    )
    return {"pending": count} if count else {}


def _runs(
    store: Store, where: str, values: Sequence[object], namespace: str
) -> tuple[list[dict[str, Any]], int]:
    """The first of them, and how many there are."""
    condition = f"FROM runs WHERE {where} AND ? IN ('', namespace)"
    given = (*values, namespace)
    rows = store.rows(
        "SELECT id, namespace, name, state, tick_ms, created_ms, started_ms, finished_ms, exit_code, actor"
        f" {condition} ORDER BY id LIMIT ?",
        (*given, CHANGES_MAX),
    )
    listed = [
        {
            "run": row[0], "namespace": row[1], "job": row[2], "state": row[3], "tick": _instant(row[4]),
            "created": _instant(row[5]), "started": _instant(row[6]), "finished": _instant(row[7]),
            "exit_code": row[8], "actor": row[9],
        }
        for row in rows
    ]  # fmt: skip
    count = len(rows) if len(rows) < CHANGES_MAX else int(store.value(f"SELECT count(*) {condition}", given))
    return listed, count


def _agents(store: Store) -> dict[str, dict[str, Any]]:
    rows = store.rows(
        "SELECT name, zone, pool, slots, node, draining, busy FROM agents ORDER BY name LIMIT ?",
        (LISTED_MAX,),
    )
    return {
        row[0]: {
            "agent": row[0], "zone": row[1], "pool": row[2], "slots": row[3], "node": row[4],
            "state": ("draining" if row[5] else "connected") if row[4] else "disconnected", "busy": row[6],
        }
        for row in rows
    }  # fmt: skip


def _pauses(store: Store, namespace: str) -> dict[tuple[str, str], dict[str, Any]]:
    """What stands: of everything, of namespaces, of jobs."""
    rows = store.rows(
        "SELECT namespace, '', reason, actor, until_ms FROM pauses WHERE lifted_ms IS NULL"
        " UNION ALL SELECT j.namespace, j.name, j.pause_reason, '', p.until_ms FROM jobs j"
        " LEFT JOIN job_pauses p ON p.job = j.id WHERE j.state = 'paused' ORDER BY 1, 2 LIMIT ?",
        (LISTED_MAX,),
    )
    return {
        (row[0], row[1]): {
            "namespace": row[0], "job": row[1] or None, "reason": row[2], "actor": row[3],
            "until": _instant(row[4]),
        }
        for row in rows
        if namespace in ("", row[0])
    }  # fmt: skip


# -- between two ----------------------------------------------------------------------------------


def difference(before: Store, after: Store, namespace: str = "") -> dict[str, Any]:
    """What became between two states of one cluster. Raises ValueError where they are not, or the wrong way
    round."""
    old, new = state_rows.load(before), state_rows.load(after)
    if restores.lineage(before) != restores.lineage(after):
        raise ValueError(f"they are states of two clusters, {old.cluster} and {new.cluster}")
    if (old.restores, old.idx) > (new.restores, new.idx):
        raise ValueError(
            f"index {old.idx} is later than index {new.idx}: give the earlier one first (--from)"
        )
    changes = list(_changes(before, after, namespace))
    began, began_count = _runs(after, "id > ?", (old.last_run,), namespace)
    ended, ended_count = _ended(before, after, old, namespace)
    return {
        "from": place(old),
        "to": place(new),
        "objects": changes[:CHANGES_MAX],
        "ticks": _outcomes(after, old.ledger_seq, namespace),
        "began": began,
        "ended": ended,
        "counts": {"objects": len(changes), "began": began_count, "ended": ended_count},
        "agents": _of_agents(_agents(before), _agents(after)),
        "pauses": _of_pauses(_pauses(before, namespace), _pauses(after, namespace)),
        "audit": _audit(after, old.last_audit, namespace),
    }


def _changes(before: Store, after: Store, namespace: str) -> Iterator[dict[str, Any]]:
    """Both in the order of their keys, side by side."""
    old = map(Defined._make, before.execute(_OBJECTS, (namespace,)))
    new = map(Defined._make, after.execute(_OBJECTS, (namespace,)))
    left, right = next(old, None), next(new, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.key < right.key):
            assert left is not None
            yield _change(after, left, None)
            left = next(old, None)
        elif left is None or right.key < left.key:
            yield _change(after, None, right)
            right = next(new, None)
        else:
            if (left.revision, left.state, left.spec) != (right.revision, right.state, right.spec):
                yield _change(after, left, right)
            left, right = next(old, None), next(new, None)


def _change(after: Store, old: Defined | None, new: Defined | None) -> dict[str, Any]:
    shown = new or old
    assert shown is not None
    name = f"{shown.kind} {shown.namespace}/{shown.name}"
    text = list(
        difflib.unified_diff(
            old.lines() if old else [], new.lines() if new else [],
            f"{name}, revision {old.revision}" if old else "/dev/null",
            f"{name}, revision {new.revision}" if new else "/dev/null",
            lineterm="",
        )
    )  # fmt: skip
    return {
        "kind": shown.kind, "namespace": shown.namespace, "name": shown.name,
        "change": "removed" if new is None else "added" if old is None else "changed",
        "from": old.revision if old else None, "to": new.revision if new else None,
        "state": [old.state if old else None, new.state if new else None],
        "by": _by(after, shown.key, old.revision if old else 0),
        "text": text,
    }  # fmt: skip


def _by(after: Store, key: tuple[str, str, str], revision: int) -> list[dict[str, Any]]:
    """Whose revisions these are, the deletion among them."""
    kind, namespace, name = key
    columns = "SELECT revision, actor, stamp_ms, idx, deleted FROM"
    if kind == "job":
        rows = after.rows(
            f"{columns} revisions WHERE namespace = ? AND name = ? AND revision > ?"
            " ORDER BY revision LIMIT 100",
            (namespace, name, revision),
        )
    else:
        rows = after.rows(
            f"{columns} object_revisions WHERE kind = ? AND namespace = ? AND name = ? AND revision > ?"
            " ORDER BY revision LIMIT 100",
            (kind, namespace, name, revision),
        )
    return [
        {
            "revision": row[0], "actor": row[1], "at": format_instant(row[2]), "index": row[3],
            "deleted": bool(row[4]),
        }
        for row in rows
    ]  # fmt: skip


def _ended(before: Store, after: Store, old: State, namespace: str) -> tuple[list[dict[str, Any]], int]:
    """Also what went on in the earlier state and is kept no more in the later one."""
    going = before.rows(
        "SELECT id, namespace, name FROM runs WHERE finished_ms IS NULL AND ? IN ('', namespace) ORDER BY id",
        (namespace,),
    )
    ids = json.dumps([row[0] for row in going])
    listed, count = _runs(
        after,
        "finished_ms IS NOT NULL AND (id > ? OR id IN (SELECT value FROM json_each(?)))",
        (old.last_run, ids),
        namespace,
    )
    among = "SELECT id FROM runs WHERE id IN (SELECT value FROM json_each(?))"
    kept = {row[0] for row in after.rows(among, (ids,))}
    purged = [
        {"run": row[0], "namespace": row[1], "job": row[2], "state": None}
        for row in going
        if row[0] not in kept
    ]
    return listed + purged[: CHANGES_MAX - len(listed)], count + len(purged)


def _of_agents(old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name in sorted({*old, *new}):
        states = [each[name]["state"] if name in each else None for each in (old, new)]
        if states[0] != states[1]:
            found.append({"agent": name, "from": states[0], "to": states[1]})
    return found[:CHANGES_MAX]


def _of_pauses(
    old: dict[tuple[str, str], Any], new: dict[tuple[str, str], Any]
) -> list[dict[str, Any]]:
    begun = [{"change": "begun", **new[key]} for key in new if key not in old]
    over = [{"change": "over", **old[key]} for key in old if key not in new]
    return (begun + over)[:CHANGES_MAX]


def _audit(after: Store, last: int, namespace: str) -> list[dict[str, Any]]:
    rows = after.rows(
        "SELECT id, stamp_ms, actor, action, kind, namespace, name, run, reason FROM audit"
        " WHERE id > ? AND ? IN ('', namespace) ORDER BY id LIMIT ?",
        (last, namespace, CHANGES_MAX),
    )
    return [
        {
            "id": row[0], "at": format_instant(row[1]), "actor": row[2], "action": row[3], "kind": row[4],
            "namespace": row[5], "name": row[6], "run": row[7] or None, "reason": row[8],
        }
        for row in rows
    ]  # fmt: skip


def _instant(ms: int | None) -> str | None:
    return None if ms is None else format_instant(ms)


def _sorted(value: Any) -> Any:
    """With its fields in one order, whoever wrote them."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
