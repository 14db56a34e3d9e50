"""When overload is declared, and when it is over, under a clock that the test turns."""

from __future__ import annotations

import pytest

from node.overload import CALM_MS, LATE_MS, LATE_TICKS_MAX, SUSTAINED_S, OverloadWatch

LATER_MS = LATE_MS + 1


def few() -> int:
    """Ticks that are late."""
    return LATE_TICKS_MAX


def verdicts(
    *, declared: bool, is_full: bool, late_ms: int, seconds: float = 2 * SUSTAINED_S
) -> list[bool | None]:
    """Of plans every half second, until one changes what is declared."""
    watch, now_s = OverloadWatch(), 1_000.0
    found: list[bool | None] = []
    while now_s < 1_000.0 + seconds and not any(each is not None for each in found):
        found.append(watch.look(now_s, declared=declared, is_full=is_full, late_ms=late_ms, late_ticks=few))
        now_s += 0.5
    return found


def test_it_is_declared_when_full_plans_are_late_for_a_while() -> None:
    found = verdicts(declared=False, is_full=True, late_ms=LATER_MS)
    assert found == [None] * int(SUSTAINED_S / 0.5) + [True]


@pytest.mark.parametrize(
    ("is_full", "late_ms"),
    [(False, LATER_MS), (True, LATE_MS), (True, 0)],
    ids=["plans have room", "late, and not much", "busy and in time"],
)
def test_it_is_none_that_is_worked_off(is_full: bool, late_ms: int) -> None:
    assert set(verdicts(declared=False, is_full=is_full, late_ms=late_ms)) == {None}


def test_an_outage_is_none() -> None:
    """Much is late at once, and less with each plan."""
    watch = OverloadWatch()
    for number in range(100):
        late_ms = max(0, 10_000 - 1_500 * number)
        is_full = late_ms > 0
        told = watch.look(number * 0.5, declared=False, is_full=is_full, late_ms=late_ms, late_ticks=few)
        assert told is None


def test_one_plan_with_room_begins_the_while_anew() -> None:
    watch = OverloadWatch()
    for number in range(100):
        is_full = number % 8 != 0
        told = watch.look(number * 0.5, declared=False, is_full=is_full, late_ms=LATER_MS, late_ticks=few)
        assert told is None


@pytest.mark.parametrize("is_full", [True, False])
def test_it_is_over_when_nothing_was_late_for_a_while(is_full: bool) -> None:
    assert verdicts(declared=True, is_full=is_full, late_ms=CALM_MS - 1)[-1] is False
    assert set(verdicts(declared=True, is_full=is_full, late_ms=CALM_MS)) == {None}


def test_more_late_ticks_than_the_next_plans_fire_are_one_at_once() -> None:
    def told(
        watch: OverloadWatch, *, declared: bool = False, full: bool = True, late: int = LATER_MS
    ) -> bool | None:
        return watch.look(
            1_000.0, declared=declared, is_full=full, late_ms=late, late_ticks=lambda: LATE_TICKS_MAX + 1
        )

    assert told(OverloadWatch()) is True
    assert told(OverloadWatch(), declared=True) is None
    assert told(OverloadWatch(), full=False) is None
    assert told(OverloadWatch(), late=LATE_MS) is None
    assert told(OverloadWatch(), declared=True, late=0) is None, "it is over after a while alone"
