"""When a leader gives its office away of its own accord: patience grows with each time, and the office does
not go to one that has just given it up."""

from __future__ import annotations

import pytest

from node.bridge import FRONT_SILENCE_S
from node.office import CALM_S, PATIENCE_S_MAX, REST_S, heir_of, patience_s, told_ages_s


def test_first_silence_gets_the_first_patience() -> None:
    assert patience_s([]) == FRONT_SILENCE_S


def test_patience_doubles_with_each_office_given_up_to_a_bound() -> None:
    assert [patience_s([1.0] * times) for times in range(7)] == [
        1,
        2,
        4,
        8,
        16,
        PATIENCE_S_MAX,
        PATIENCE_S_MAX,
    ]


def test_patience_is_back_to_normal_after_calm() -> None:
    assert patience_s([CALM_S - 1]) == 2 * FRONT_SILENCE_S
    assert patience_s([CALM_S, CALM_S + 1]) == FRONT_SILENCE_S


@pytest.mark.parametrize(
    ("given_up", "urgent", "heir"),
    [
        ({}, False, "b"),
        ({"b": [REST_S - 1]}, False, "c"),
        ({"b": [REST_S]}, False, "b"),
        ({"b": [REST_S + 9, 1.0]}, False, "c"),
        ({"b": [1.0], "c": [2.0]}, False, None),
        ({"b": [1.0], "c": [2.0]}, True, "b"),
        ({"b": [1.0]}, True, "c"),
    ],
)
def test_none_is_handed_to_a_peer_that_has_just_given_it_up(
    given_up: dict[str, list[float]], urgent: bool, heir: str | None
) -> None:
    assert heir_of(["b", "c"], given_up, urgent=urgent) == heir


@pytest.mark.parametrize("told", [None, 7, "1", {"a": 1}, [-5, "x", None, 1.5, True]])
def test_word_that_makes_no_sense_is_none(told: object) -> None:
    assert told_ages_s({"given_up_ms": told}) == []


def test_ages_are_told_in_milliseconds_and_bounded() -> None:
    assert told_ages_s({"given_up_ms": [1_500]}) == [1.5]
    assert len(told_ages_s({"given_up_ms": [0] * 1_000})) == 8


def test_starved_machine_hands_over_a_handful_of_times_in_four_minutes() -> None:
    """Three nodes, each of whose fronts is silent for 3 s of every 5 as soon as it leads. Measured before:
    one hand-over every 3 to 6 s for four minutes."""
    given_up: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    leader, since_s, times = "a", 0.0, 0
    for tenth in range(2_400):
        now_s = tenth / 10
        ages = {name: [now_s - at_s for at_s in ats] for name, ats in given_up.items()}
        silent_s = max(0.0, (now_s - since_s) % 5 - 2)
        if silent_s < patience_s([age for each in ages.values() for age in each]):
            continue
        heir = heir_of([name for name in given_up if name != leader], ages, urgent=False)
        if heir is not None:
            given_up[leader].append(now_s)
            leader, since_s, times = heir, now_s, times + 1
    assert times <= 6
