"""A job with a graph in a story: branches, conditions, and what is done finally.

It has more tasks than a frame has room for here, so that making, telling and cancelling them goes in slices.
"""

from __future__ import annotations

from collections.abc import Mapping

from cluster.simulation.world import BEGIN_MS
from node.simulation import inside
from scheduler.model.quantities import format_instant
from scheduler.store.connection import Store

KEPT = {"retention": {"runs": 10_000}}
EVEN = [format_instant(BEGIN_MS + number * 1_000) for number in range(4, 44, 4)]
MIDDLE = [f"middle-{number}" for number in range(4)]


def job(notice: Mapping[str, object]) -> dict[str, object]:
    return {
        "job": "graph",
        "policies": {"overlap": "cancel_running", **KEPT},
        "triggers": [{"cron": "*/2 * * * * *"}],
        "notify": [notice],
        "finally": [inside.LAST],
        "tasks": {
            "first": {"noop": True},
            **{name: {"noop": True, "needs": ["first"]} for name in MIDDLE},
            "last": {"noop": True, "needs": MIDDLE, "rule": "all_done"},
            "well": _when("middle-0.succeeded and middle-1.exit_code == 0"),
            "ill": _when("not middle-0.succeeded or middle-1.exit_code != 0"),
            "meet": {"noop": True, "needs": ["well", "ill"], "rule": "none_failed"},
            inside.LAST: {"noop": True, "when": "first.ended"},
            "even": {"noop": True, "when": f"tick in {EVEN}"},
        },
    }


def _when(condition: str) -> dict[str, object]:
    return {"noop": True, "needs": ["last"], "when": condition}


def even(store: Store) -> int:
    """Tasks whose condition asks for the tick, where it held."""
    done = "t.name = 'even' AND t.state = 'succeeded'"
    count: int = store.value(
        f"SELECT count(*) FROM tasks t JOIN runs r ON r.id = t.run WHERE r.name = 'graph' AND {done}"
    )
    return count
