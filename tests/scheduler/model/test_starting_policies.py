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


def refused(requires: Any, **policy: Any) -> str:
    document = {"job": "j", "noop": True, "requires": requires}
    with pytest.raises(JobError) as found:
        parse_job(document | ({"requires_policy": policy} if policy else {}))
    return str(found.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "/requires/0: it says nothing that is required (give exactly one of job, notice, exists"),
        ({"job": "a", "notice": "b"}, "/requires/0: it names job and notice (give exactly one"),
        ({"exists": "x"}, "/requires/0/exists: 'x' is no absolute path"),
        ({"exists": "s3://b/k"}, "/requires/0/exists: 'b' is no name of a bucket"),
        ({"exists": "s3a://bucket/k"}, "/requires/0/exists: 's3a://' is no object store"),
        ({"exists": "ftp://host/k"}, "/requires/0/exists: 'ftp://' is no object store"),
        ({"exists": "s3://bucket"}, "/requires/0/exists: 's3://bucket' names no object"),
        ({"exists": "s3://bucket/a//b"}, "/requires/0/exists: 's3://bucket/a//b' names no object"),
        ({"exists": "s3://bucket/../b"}, "/requires/0/exists: 's3://bucket/../b' names no object"),
        ({"check": {}}, "/requires/0/check/run: run is required"),
        ({"check": "test -e x"}, "/requires/0/check: check must be an object, not text"),
        ({"job": "a", "key": "k"}, "/requires/0: key means nothing beside `job` (remove key)"),
        ({"notice": "b", "count": 2}, "/requires/0: count means nothing beside `notice` (remove count)"),
        ({"job": "a", "since": "never"}, "/requires/0/since: 'never' is no duration"),
        ({"job": "a", "since": 3}, "/requires/0/since: since is text, not a number"),
        ({"job": "a", "since": "36d"}, "/requires/0/since: ends are known for 35 days"),
        ({"job": "a", "count": "all"}, "/requires/0: count: all is each tick of a plan date (add since"),
        ({"job": "a", "count": 0}, "/requires/0/count"),
        ({"job": "a", "count": True}, "/requires/0/count: count is a number or all, not a boolean"),
        ({"job": "a", "state": "lost"}, "/requires/0/state: state must be one of succeeded, failed, ended"),
        ({"job": "a b"}, "/requires/0/job: a name must not contain"),
        ({"job": "a", "sinc": "6h"}, "/requires/0/sinc: unknown field"),
    ],
)
def test_what_is_no_requirement_is_refused(given: Any, said: str) -> None:
    assert said in refused([given])


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"need": 2}, "/requires_policy/need: 2 of 1 can never be met (1 to 1, or all)"),
        ({"need": 0}, "/requires_policy/need"),
        ({"need": "some"}, "/requires_policy/need"),
        ({"timeout": 5}, "/requires_policy/timeout: a duration is text with a unit"),
        ({"on_timeout": "wait"}, "/requires_policy/on_timeout: on_timeout must be one of fail, skip, go"),
        ({"if_not_planned": "fail"}, "/requires_policy/if_not_planned: if_not_planned must be one of"),
    ],
)
def test_what_is_no_policy_of_requirements_is_refused(policy: Any, said: str) -> None:
    assert said in refused([{"job": "a"}], **policy)


def test_a_policy_without_requirements_is_refused() -> None:
    assert "/requires_policy: the job requires nothing" in refused([], need="any")
    assert "requires must be a list" in refused({"job": "a"})


def test_an_empty_list_says_nothing() -> None:
    empty = {"job": "j", "noop": True, "requires": [], "vars": [], "policies": {"blackout": []}}
    assert parse_job(empty) == parse_job({"job": "j", "noop": True})


def test_a_job_says_what_it_refers_to() -> None:
    found = parse_job(
        {"job": "j", "noop": True, "requires": [{"job": "ns/a"}, {"notice": "b", "consume": True}]}
    )
    assert [(each.kind, each.namespace, each.name, each.pointer) for each in found.refers] == [
        ("job", "ns", "a", "/requires/0/job"), ("board", "default", "b", "/requires/1/notice"),
    ]  # fmt: skip
    assert parse_job(found.public()) == found, "whatever the form"
    assert canonical(found)
    assert parse_job(found.public()) == found, "and whatever was made of one of them since"
