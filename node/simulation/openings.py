"""Jobs that may not start at all times, in a story: one with a window that ends, one with a group of its own,
one with a blackout, some that require ends of another, or what agents find.

windows   of neither a run starts where it may not, by the stamps of the log, nor a task of a group outside of
          its windows; who waits for a window has an instant at which it is judged again
keyed     runs of one key wait for each other, and for no others (`keyed`)
requires  who waits for what it requires is judged again when that comes; no run goes on without it, and what
          agents are asked for it begins no run
"""

from __future__ import annotations

from cluster.simulation.world import BEGIN_MS
from node.simulation import keyed
from scheduler.machine.rules import requirements
from scheduler.model.compiled import compile_job
from scheduler.model.quantities import format_instant
from scheduler.store.connection import Store
from scheduler.store.tables import jobs, run_waits, runs

KEPT = {"retention": {"runs": 10_000}}
DARK_MS = (BEGIN_MS + 4_000, BEGIN_MS + 7_000)
OPEN_MS = (22 * 3_600_000, (22 * 60 + 14) * 60_000)
"""Of a day. A story begins ten seconds before they close, and clocks are turned by an hour."""
DAY_MS = 86_400_000

_SPAN = {"from": format_instant(DARK_MS[0]), "until": format_instant(DARK_MS[1]), "reason": "a test"}
JOBS: tuple[dict[str, object], ...] = (
    *keyed.JOBS,
    {
        "job": "windowed",
        "noop": True,
        "triggers": [{"every": "2s"}],
        "policies": {"overlap": "allow", "admission": {"windows": ["22:00-22:14"]}, **KEPT},
    },
    {
        "job": "boxed",
        "triggers": [{"every": "3s"}],
        "policies": {"overlap": "allow", **KEPT},
        "tasks": {
            "a": {"noop": True, "fanout": {"n": 2, "max_parallel": 1}},
            "nap": {"sleep": "1s", "needs": ["a"]},
            "b": {"noop": True, "needs": ["nap"]},
        },
        "groups": {"box": {"tasks": ["a", "nap", "b"], "admission": {"windows": ["22:00-22:14"]}}},
    },
    {
        "job": "dark",
        "noop": True,
        "triggers": [{"every": "1s"}],
        "policies": {"overlap": "allow", "catchup": {"mode": "all"}, "blackout": [_SPAN], **KEPT},
    },
    {
        "job": "needy",
        "noop": True,
        "triggers": [{"every": "1s"}],
        "policies": {"overlap": "allow", **KEPT},
        "requires": [{"job": "manual", "count": 2}],
        "requires_policy": {"timeout": "4s", "on_timeout": "skip"},
    },
    {
        "job": "checked",
        "noop": True,
        "triggers": [{"every": "3s"}],
        "policies": {"overlap": "queue_one", **KEPT},
        "requires": [{"check": {"run": "x", "every": "5s"}}],
        "requires_policy": {"timeout": "20s", "on_timeout": "skip"},
    },
    {
        "job": "summed",
        "noop": True,
        "triggers": [{"every": "5s"}],
        "policies": {"overlap": "allow", **KEPT},
        "requires": [{"job": "dark", "since": "plan_date", "count": "all", "state": "ended"}],
        "requires_policy": {"timeout": "4s", "on_timeout": "skip"},
    },
)


_RUNS = "runs WHERE name = 'windowed' AND"
_INSIDE = "JOIN runs r ON r.id = x.run WHERE r.name = 'boxed' AND"
_MET = {
    "windowed went on": f"{_RUNS} started_ms IS NOT NULL",
    "windowed was kept back": f"{_RUNS} waiting = 3",
    "boxed went on": f"tasks x {_INSIDE} x.name = 'b' AND x.attempts > 0",
    "boxed was kept back": f"rounds x {_INSIDE} x.closed = 1",
    "dark was left out": "ledger l JOIN jobs j ON j.id = l.job WHERE j.name = 'dark' AND reason = 'blackout'",
}


class Openings:
    def __init__(self) -> None:
        self.met: dict[str, int] = {}  #: what came of each, as much as a node knows

    def judge(self, store: Store) -> list[tuple[str, str]]:
        """What is wrong by this state."""
        for what, rows in _MET.items():
            self.met[what] = max(self.met.get(what, 0), store.value(f"SELECT count(*) FROM {rows}"))
        return _judged(store)


def _judged(store: Store) -> list[tuple[str, str]]:
    found = []
    for run, at_ms in store.rows(
        "SELECT id, started_ms FROM runs WHERE name = 'windowed' AND started_ms IS NOT NULL ORDER BY id"
    ):
        if not OPEN_MS[0] <= at_ms % DAY_MS < OPEN_MS[1]:
            found.append(("windows", f"run {run} started at {format_instant(at_ms)}"))
    for (run,) in store.rows(
        "SELECT id FROM runs WHERE name = 'dark' AND cause IN ('tick', 'catchup')"
        " AND due_ms >= ? AND due_ms < ? ORDER BY id",  # a moved one is judged where it is due then
        DARK_MS,
    ):
        found.append(("windows", f"run {run} was made of a tick in a blackout"))
    for attempt, at_ms in store.rows(
        "SELECT a.id, a.granted_ms FROM attempts a JOIN tasks t ON t.id = a.task JOIN runs r ON r.id = a.run"
        " WHERE r.name = 'boxed' AND t.of_group > 0 AND a.granted_ms IS NOT NULL ORDER BY a.id"
    ):
        if not OPEN_MS[0] <= at_ms % DAY_MS < OPEN_MS[1]:
            found.append(("windows", f"attempt {attempt} was granted at {format_instant(at_ms)}"))
    lost = "SELECT count(*) FROM runs WHERE waiting = 3 AND id NOT IN (SELECT run FROM run_waits)"
    if number := store.value(lost):
        found.append(("windows", f"{number} runs wait for no instant"))
    early = (
        "SELECT count(*) FROM runs r JOIN tasks t ON t.run = r.id WHERE r.name = 'checked'"
        " AND r.started_ms IS NOT NULL AND t.name = '@requires-0' AND t.state NOT IN ('succeeded', 'skipped')"
        " AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.task = t.id AND a.live = 1)"
    )
    if number := store.value(early):
        found.append(("requires", f"{number} runs began before what they asked agents for was there"))
    return [*found[:3], *_unheard(store), *keyed.judge(store)]


def _unheard(store: Store) -> list[tuple[str, str]]:
    """Runs that could go on, and that nobody is about to look at."""
    found = []
    marked = bool(store.value("SELECT count(*) FROM required WHERE changed = 1"))
    stamp_ms = store.value("SELECT stamp_ms FROM state WHERE id = 1")
    for (run_id,) in store.rows("SELECT id FROM runs WHERE waiting = 4 ORDER BY id LIMIT 100"):
        run, wait = runs.get(store, run_id), run_waits.get(store, run_id)
        assert run is not None
        spec = jobs.spec_of(store, run.namespace, run.name, run.revision)
        assert spec is not None
        requires = compile_job(spec).requires
        assert requires is not None
        wanted = len([each for each in requires.each if each.parent])
        rows = store.value("SELECT count(*) FROM run_requires WHERE run = ?", (run_id,))
        if wait is None or rows != wanted:
            found.append(("requires", f"run {run_id} waits without a row"))
        elif marked or wait.at_ms <= stamp_ms:
            continue
        elif requirements.judge(store, run, requires, stamp_ms).is_met:
            found.append(("requires", f"run {run_id} waits for what is there"))
    return found[:3]
