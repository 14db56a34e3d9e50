"""Policies that say when runs start: what is refused of them, with place and way out."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.model import JobError, canonical, compile_job, parse_job


def parsed(**policies: Any) -> Any:
    return compile_job(canonical(parse_job({"job": "j", "noop": True, "policies": policies})))


def problems(**policies: Any) -> str:
    with pytest.raises(JobError) as found:
        parsed(**policies)
    return str(found.value)


def test_steps_are_numbers_or_texts_and_mean_the_same() -> None:
    job = parsed(failures={5: "60s", "2": "10s", 20: "pause"})

    assert job.failure_delays == ((2, 10_000), (5, 60_000))
    assert job.pause_after_failures == 20
    assert parsed(failures={"5": "1m", 2: "10s", 20: "pause"}) == job


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["x"], "/policies/failures: it is an object, not a list (such as {2: 10s, 5: 1m, 20: pause})"),
        ({0: "10s"}, "/policies/failures: 0 is no number of failures (1 to 1000000)"),
        ({"two": "10s"}, "/policies/failures: 'two' is no number of failures (1 to 1000000)"),
        ({True: "10s"}, "/policies/failures: True is no number of failures (1 to 1000000)"),
        ({2: "10s", "2": "20s"}, "/policies/failures: 2 is given twice (remove one of the two)"),
        ({2: "10"}, "/policies/failures: a duration needs a unit, such as 10s or 10m"),
        ({2: 10}, "/policies/failures: a duration is text with a unit, not a number"),
        ({2: "pause", 5: "1m"}, "pause is the last step, and comes once"),
        ({n: "1m" for n in range(1, 22)}, "/policies/failures: 21 steps, at most 20"),
    ],
)
def test_what_is_no_step_is_refused(given: Any, said: str) -> None:
    assert said in problems(failures=given)


def test_two_words_for_a_pause_are_one_too_many() -> None:
    assert "say both when it is paused (remove one of them)" in problems(
        failures={3: "pause"}, pause_after_failures=3
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"windows": []}, "/policies/admission/windows: windows is empty"),
        ({"windows": ["Mun 20:00-06:00"]}, "/policies/admission/windows/0: 'Mun' is no day of the week"),
        ({"windows": [3]}, "/policies/admission/windows/0: a window is text, not a number"),
        ({}, "/policies/admission/windows: windows is required"),
        ({"windows": ["20:00-21:00"], "tz": "Europe/Berln"}, "/policies/admission/tz: unknown time zone"),
        ({"windows": ["20:00-21:00"], "outside": "no"}, "/policies/admission/outside: outside must be"),
        ({"windows": ["20:00-21:00"], "inside": "no"}, "/policies/admission/inside: unknown field"),
    ],
)
def test_what_is_no_admission_is_refused(given: Any, said: str) -> None:
    assert said in problems(admission=given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([{"from": "x", "until": "2027-01-01T00:00:00Z"}], "/policies/blackout/0/from: 'x' is no instant"),
        (
            [{"from": "2027-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}],
            "/policies/blackout/0: until is not after from (nothing fires in [from, until))",
        ),
        ([{"from": "2027-01-01T00:00:00Z"}], "/policies/blackout/0/until: until is required"),
        ({"from": "2027-01-01T00:00:00Z"}, "/policies/blackout: blackout must be a list"),
    ],
)
def test_what_is_no_blackout_is_refused(given: Any, said: str) -> None:
    assert said in problems(blackout=given)
