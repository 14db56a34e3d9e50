"""How long the loop was away is counted, whatever kept it."""

from __future__ import annotations

import pytest

from cluster.journal import LogEntry
from cluster.raft import APPLY_SLICE_PROPOSALS, APPLY_SLICE_S
from cluster.reactor import Reactor
from cluster.turns import BOUNDS_S, WINDOW_S, Turns
from tests.cluster.test_hardening import Bench


def test_the_loop_counts_how_long_each_turn_took() -> None:
    time = [100.0]
    reactor = Reactor(clock=lambda: time[0])
    lengths_s = [0.0005, 0.12, 0.04]

    def turn() -> float:
        time[0] += lengths_s.pop(0)
        if not lengths_s:
            reactor.stop()
        return 0.0

    reactor.run(turn)
    reactor.close()
    counted = dict(zip([*BOUNDS_S, None], reactor.turns.counts, strict=True))
    assert {bound: n for bound, n in counted.items() if n} == {0.001: 1, 0.05: 1, 0.15: 1}
    assert round(reactor.turns.longest_s(time[0]), 3) == 0.12
    assert round(reactor.turns.total_s, 4) == 0.1605
    assert sum(reactor.work.counts) == 3
    assert reactor.work.total_s < 0.1, "what the machine took is no work of the loop"


def test_the_longest_turn_is_forgotten_after_a_while() -> None:
    turns = Turns()
    turns.add(0.5, 10.0)
    turns.add(0.1, 20.0)
    assert turns.longest_s(WINDOW_S + 10) == 0.5
    turns.add(0.2, WINDOW_S + 20)
    assert turns.longest_s(2 * WINDOW_S + 10) == 0.2
    assert turns.longest_s(5 * WINDOW_S) == 0.0


@pytest.mark.parametrize(
    ("proposals", "takes_s", "entries_a_tick"),
    [(1, 0.0045, 5), (400, 0.0, 3), (APPLY_SLICE_PROPOSALS, 0.0, 1), (1, APPLY_SLICE_S * 5, 1)],
    ids=["slow ones", "many in each", "a full one", "one that takes long"],
)
def test_a_tick_applies_a_slice_and_looks_at_the_network_again(
    monkeypatch: pytest.MonkeyPatch, proposals: int, takes_s: float, entries_a_tick: int
) -> None:
    """However much is committed: 1,000 proposals or 20 ms, and the entry that goes beyond."""
    bench = Bench("abc")
    bench.elect("a", "b")
    applied: list[int] = []

    def apply(entry: LogEntry) -> int:
        applied.append(entry[1])
        bench.time += takes_s
        return proposals

    monkeypatch.setattr(bench["a"]._host, "apply", apply)
    bench.append("a", 30)
    for name in "bc":
        bench.deliver("a", name, "append_entries")
        bench.tick(name)
        bench.deliver(name, "a", "next_node_idx")
    applied.clear()
    told: list[int] = []
    while len(applied) < 30 and len(told) < 100:
        before = len(applied)
        bench.tick("a")
        told.append(len(applied) - before)
    assert max(told) == entries_a_tick, told
    assert applied == sorted(applied)
