"""What a core keeps for a front that comes later."""

from __future__ import annotations

from node.recent import RECENT_BYTES_MAX, RecentEvents


def test_what_is_kept_is_bounded_and_says_since_when() -> None:
    recent = RecentEvents(7)
    assert (recent.since, recent.commits()) == (7, [])
    third = RECENT_BYTES_MAX // 3
    for index in (9, 12, 13):
        recent.add(index, 1_000, [b"x" * third])
    assert (recent.since, [index for index, _, _ in recent.commits()]) == (7, [9, 12, 13])
    recent.add(14, 1_000, [b"y" * third, b"z" * third])
    assert (recent.since, [index for index, _, _ in recent.commits()]) == (12, [13, 14])
    recent.begin(20)
    assert (recent.since, recent.commits()) == (20, [])
