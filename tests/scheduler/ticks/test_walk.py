"""Cron's instants in all zones, against a clock that is read minute after minute (`make ticks`: more)."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from tests.scheduler.ticks import kinds_walk, shared_walk, walk
from tests.scheduler.ticks.test_oracles import packaged_zone

TRIPLES = 1_500
STORIES = 60


def test_cron_s_instants_are_those_of_a_walk_and_add_up_however_they_are_cut() -> None:
    assert list(walk.differences(random.Random(20_241_130), walk.zones(), TRIPLES)) == []


def test_schedules_with_substitutes_and_elapsed_time_are_those_of_a_walk() -> None:
    assert list(shared_walk.differences(random.Random(20_241_130), STORIES)) == []


@pytest.mark.parametrize("kind", kinds_walk.KINDS)
def test_other_kinds_of_triggers_are_due_when_their_walks_say(kind: str) -> None:
    names = ("America/St_Johns", "Europe/Berlin", "Pacific/Apia")
    assert list(kinds_walk.differences(kind, random.Random(20_241_130), 120, names)) == []


@pytest.mark.parametrize("dst", walk.POLICIES)
def test_the_walk_tells_the_policies_apart(dst: str) -> None:
    """Berlin, two in the morning: left out on 29 March 2026, shown twice on 25 October."""
    at = {
        "cron": ["2026-03-29T01:00:00+00:00", "2026-10-25T00:00:00+00:00"],
        "skip": ["2026-10-25T00:00:00+00:00"],
        "literal": ["2026-10-25T00:00:00+00:00", "2026-10-25T01:00:00+00:00"],
    }
    two = walk.Expression(
        "0 2 * * *", frozenset({0}), frozenset({2}), frozenset(range(1, 13)),
        lambda day: True, lambda day: True, either=False, is_fixed=True,
    )  # fmt: skip
    found = []
    for start in (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)):
        window = walk.shown(packaged_zone("Europe/Berlin"), start, 1_440)
        found += [each.isoformat() for each in walk.expected(two, dst, window)]

    assert found == at[dst]
