"""How long the loop was away is counted, whatever kept it."""

from __future__ import annotations

from cluster.reactor import Reactor
from cluster.turns import BOUNDS_S, WINDOW_S, Turns


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
