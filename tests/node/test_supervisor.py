"""How often a core may set its state aside and be followed by another."""

from __future__ import annotations

from node.supervisor import ANEW_MAX, ANEW_WITHIN_S, begins_anew


def test_another_core_follows_three_times_within_the_hour_and_no_more() -> None:
    times_s = [100.0 * n for n in range(ANEW_MAX + 1)]

    assert all(begins_anew(times_s[: n + 1]) for n in range(ANEW_MAX))
    assert not begins_anew(times_s)


def test_what_is_an_hour_ago_counts_no_more() -> None:
    assert begins_anew([0.0] * ANEW_MAX + [ANEW_WITHIN_S])
