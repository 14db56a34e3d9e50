"""A job's text leaves out what goes without saying, loses nothing by it, and means the same for ever."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.model import JobError, canonical, compile_job, parse_job, unsaid
from scheduler.model.bounds import TASKS_MAX
from scheduler.model.job import CANONICAL_BYTES_MAX

FIRST_VERSION = {
    "job": "a", "namespace": "default", "criticality": "normal", "description": "", "enabled": True,
    "labels": {}, "notify": [], "owner": "", "params": {}, "triggers": [],
    "policies": {
        "catchup": {"grace": "1m", "max": 100, "mode": "latest", "window": "1d"}, "idempotent": False,
        "on_failure": "end", "on_lost": "wait", "overlap": "skip", "priority": 50,
        "retention": {"age": "90d", "runs": 100},
    },
    "tasks": {
        "b": {
            "noop": True, "allow_failure": False, "env": {}, "grace": "5s", "needs": [],
            "on": {"labels": {}, "pool": "default"}, "output_limit": "64MiB", "rule": "all_success",
            "retry": {"backoff": "exponential", "cap": "10m", "first": "10s", "max": 2},
        },
        "c": {
            "noop": True, "allow_failure": False, "env": {}, "grace": "5s", "needs": [],
            "on": {"labels": {}, "pool": "etl"}, "output_limit": "64MiB", "rule": "all_success",
            "retry": {"delays": ["1m", "1h"], "max": 2},
        },
    },
    "groups": {
        "g": {
            "tasks": ["b"], "needs": [], "rule": "all_success",
            "retry": {"backoff": "exponential", "cap": "1m", "first": "10s", "max": 1},
        }
    },
}  # fmt: skip
"""What the first version meant by its text. It does not follow the model: whoever has to change it here
changes what stored jobs mean."""
ITS_TEXT = (
    b'{"groups":{"g":{"retry":{"cap":"1m","max":1},"tasks":["b"]}},"job":"a","namespace":"default",'
    b'"tasks":{"b":{"noop":true,"retry":{"max":2}},'
    b'"c":{"noop":true,"on":{"pool":"etl"},"retry":{"delays":["1m","1h"],"max":2}}}}'
)

durations = st.integers(1, 10**6).map(lambda seconds: f"{seconds}s")
retries = st.none() | st.fixed_dictionaries(
    {"max": st.integers(0, 9)},
    optional={
        "first": st.sampled_from(["10s", "1m"]), "cap": st.sampled_from(["10m", "1h"]),
        "backoff": st.sampled_from(["constant", "exponential"]),
    },
) | st.lists(durations, min_size=1, max_size=3).map(lambda delays: {"delays": delays})  # fmt: skip
tasks = st.fixed_dictionaries(
    {"run": st.just("x"), "retry": retries},
    optional={
        "on": st.fixed_dictionaries(
            {},
            optional={
                "pool": st.sampled_from(["default", "etl"]),
                "labels": st.dictionaries(st.sampled_from(["os", "arch"]), st.text("ab", max_size=2)),
                "zone": st.just("zone-a"),
            },
        ),
        "env": st.dictionaries(st.sampled_from(["A", "B"]), st.text("ab \n☃", max_size=5)),
        "grace": st.sampled_from(["5s", "6s"]), "output_limit": st.sampled_from(["64MiB", "1MiB"]),
        "allow_failure": st.booleans(), "timeout": durations,
    },
)  # fmt: skip
jobs = st.fixed_dictionaries(
    {"job": st.just("a"), "tasks": st.dictionaries(st.sampled_from("bcdef"), tasks, min_size=1)},
    optional={
        "enabled": st.booleans(), "owner": st.text(max_size=3), "labels": st.just({"team": "x"}),
        "triggers": st.lists(durations.map(lambda each: {"every": each}), max_size=1),
        "params": st.just({"n": {"type": "integer", "default": 1 << 60}}),
        "policies": st.fixed_dictionaries(
            {},
            optional={
                "priority": st.integers(49, 51),
                "overlap": st.sampled_from(["skip", {"max": 2, "then": "skip"}]),
                "catchup": st.fixed_dictionaries({}, optional={"max": st.sampled_from([99, 100])}),
                "retention": st.fixed_dictionaries({}, optional={"runs": st.sampled_from([99, 100])}),
            },
        ),
        "groups": st.fixed_dictionaries(
            {"g": st.fixed_dictionaries({"tasks": st.just(["z"]), "retry": retries})}
        ),
    },
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(jobs)
def test_nothing_is_lost_by_what_is_left_out(data: dict[str, Any]) -> None:
    if "groups" in data:
        data["tasks"]["z"] = {"noop": True}
    job = parse_job(data)
    text = canonical(job)

    assert unsaid.whole(text) == job.public()
    assert json.loads(unsaid.whole_text(text)) == job.public()
    assert canonical(parse_job(unsaid.whole(text))) == text, "what a GET gives can be put back"
    assert canonical(parse_job(json.loads(text))) == text, "and so can the text itself"
    spelled_out = compile_job(json.dumps(job.public()).encode())
    assert compile_job(text) == msgspec.structs.replace(spelled_out, spec_bytes=len(text))


def test_what_was_stored_means_what_it_meant() -> None:
    assert unsaid.whole(ITS_TEXT) == FIRST_VERSION
    assert unsaid.whole_text(ITS_TEXT) == json.dumps(
        FIRST_VERSION, sort_keys=True, separators=(",", ":")
    ).encode()


def test_another_default_is_written_out() -> None:
    """As if a later version gave tasks a longer grace: what says nothing of it then is another text."""
    shape = json.loads(json.dumps(FIRST_VERSION))
    assert unsaid.lean(shape) == json.loads(ITS_TEXT)
    for task in shape["tasks"].values():
        task["grace"] = "10s"
    assert {task["grace"] for task in unsaid.lean(shape)["tasks"].values()} == {"10s"}


def test_fields_can_be_left_out_of_the_whole() -> None:
    text = canonical(parse_job({"job": "a", "noop": True, "policies": {"priority": 7}}))
    told = json.loads(unsaid.whole_text(text, frozenset({"tasks", "policies", "notify"})))
    whole = unsaid.whole(text)
    assert told == {name: whole[name] for name in whole if name not in ("tasks", "policies", "notify")}


@pytest.mark.parametrize("wide", [1, 16])
def test_as_many_tasks_as_a_job_may_have_fit_into_it(wide: int) -> None:
    of = {
        f"step-{i}": {"run": f"./step.sh {i}", "needs": [f"step-{i - wide}"] if i >= wide else []}
        for i in range(TASKS_MAX)
    }
    text = canonical(parse_job({"job": "many", "tasks": of}))
    assert len(text) < CANONICAL_BYTES_MAX
    assert len(compile_job(text).tasks) == TASKS_MAX


def test_a_job_that_is_too_large_is_told_by_what_counts() -> None:
    of = {f"step-{i}": {"script": "x" * 200} for i in range(5_000)}
    with pytest.raises(JobError, match=r"bytes without defaults, 1000000 at most"):
        parse_job({"job": "many", "tasks": of})
