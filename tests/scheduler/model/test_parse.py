"""Every kind of bad input, each with its place, a clear reason and a way out; and all at once."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.model import JobError, parse_job
from scheduler.model.bounds import VALUES_MAX
from scheduler.model.parse import PLANNED
from scheduler.model.translating import field_names


def problems(data: object) -> dict[str, str]:
    """Pointer to "detail | hint" of everything that is wrong with `data`."""
    with pytest.raises(JobError) as caught:
        parse_job(data)
    return {p.pointer: f"{p.detail} | {p.hint}" for p in caught.value.problems}


def job(**fields: Any) -> dict[str, Any]:
    return {"job": "a", "run": "true", **fields}


@pytest.mark.parametrize(
    ("trigger", "pointer", "said"),
    [
        ({"cron": "61 * * * *"}, "/triggers/cron", "minute field, character 1: 61 is outside 0-59"),
        ({"cron": "0 0 * fab *"}, "/triggers/cron", "did you mean feb?"),
        ({"cron": "0 0 30 2 *"}, "/triggers/cron", "never fires: no month has such a day"),
        ({"cron": "R * * * *"}, "/triggers/cron", "R is refused"),
        ({"cron": "0~30 * * * *"}, "/triggers/cron", "H(0-30) is a fixed one for each job"),
        ({"cron": "5 ~ * * *"}, "/triggers/cron", "H(0-23) is a fixed one for each job"),
        ({"cron": "@every 10m"}, "/triggers/cron", "use the trigger `every: 10m`"),
        ({"cron": "0 0 L-31 * *"}, "/triggers/cron", "character 7: a month has 1 to 30 days before its last"),
        ({"cron": "0 0 1 * *", "days": "all"}, "/triggers/days", "either"),
        ({"iso8601": "R0/2099-01-01/P1D"}, "/triggers/iso8601", "R0 repeats nothing"),
        ({"iso8601": "R/2099-01-01/P1D", "tz": "Europe/Berln"}, "/triggers/tz", "unknown time zone"),
        ({"iso8601": "R/2099-01-01/P1D", "dst": "skip"}, "/triggers", "dst is for `cron` triggers"),
        ({"every": "1m", "valid": {}}, "/triggers/valid", "neither from nor until"),
        (
            {"every": "1m", "valid": {"from": "2099-01-02T00:00:00Z", "until": "2099-01-02T00:00:00Z"}},
            "/triggers/valid",
            "until is not after from",
        ),
        ({"every": "1m", "valid": {"from": "tomorrow"}}, "/triggers/valid/from", "tomorrow"),
        (
            {"startup": {"pool": "web"}, "valid": {"from": "2099-01-02T00:00:00Z"}},
            "/triggers",
            "startup has no instants",
        ),
        ({"cron": "CRON_TZ=Asia/Tokyo 0 5 * * *"}, "/triggers/cron", "say it beside it: `tz: Asia/Tokyo`"),
        ({"cron": "TZ=Asia/Tokyo 0 5 * * *"}, "/triggers/cron", "say it beside it: `tz: Asia/Tokyo`"),
        ({"cron": "0 0 * * *\n0 1 * * *"}, "/triggers/cron", "9 fields, expected 5"),
        ({"cron": 5}, "/triggers/cron", "must be text, not a number"),
        ({"cron": "0 2 * * *", "tz": "Europe/Berln"}, "/triggers/tz", "did you mean Europe/Berlin"),
        ({"cron": "0 2 * * *", "dst": "cran"}, "/triggers/dst", "did you mean cron?"),
        ({"at": "2027-02-30T00:00:00Z"}, "/triggers/at", "day is out of range"),
        ({"at": "2027-02-03T00:00:00"}, "/triggers/at", "no offset"),
        ({"at": "tomorrow"}, "/triggers/at", "write it like"),
        ({"every": "0s"}, "/triggers/every", "longer than zero"),
        ({"every": "-5m"}, "/triggers/every", "must not be negative"),
        ({"every": "90"}, "/triggers/every", "needs a unit"),
        ({"every": "1.5h"}, "/triggers/every", "whole numbers"),
        ({"every": 5}, "/triggers/every", "a duration is text with a unit, not a number"),
        ({"every": "1ms"}, "/triggers/every", "shortest period"),
        ({"every": "5m", "tz": "UTC"}, "/triggers", "tz is for `cron` and `iso8601` and `all_of` triggers"),
        ({"cron": "0 2 * * *", "start": "2027-01-01T00:00:00Z"}, "/triggers", "start is for `every`"),
        ({"cron": "0 2 * * *", "every": "5m"}, "/triggers", "exclude each other"),
        ({}, "/triggers", "exactly one of cron, every, iso8601, at, schedule, startup, after"),
        ({"crom": "0 2 * * *"}, "/triggers/crom", "did you mean cron?"),
        ({"notice": "x"}, "/triggers/notice", "object"),
        ({"notice": {"bord": "x"}}, "/triggers/notice/bord", "did you mean board?"),
        ({"notice": {"board": "x", "key": ""}}, "/triggers/notice/key", "a key has 1 to 256 letters"),
        ({"webhook": "other/x"}, "/triggers/webhook", "a hook's jobs are of its own namespace"),
        ({"webhook": "no name"}, "/triggers/webhook", "a name must not contain"),
        ({"webhook": "x", "jitter": "1m"}, "/triggers", "a jitter means nothing beside it"),
        ({"webhook": "x", "tz": "UTC"}, "/triggers", "tz is for `cron` and `iso8601` and `all_of` triggers"),
        ({"hook": "x"}, "/triggers/hook", "webhook"),
    ],
)
def test_bad_triggers(trigger: dict[str, Any], pointer: str, said: str) -> None:
    assert said in problems(job(triggers=trigger))[pointer]
    in_a_list = pointer.replace("/triggers", "/triggers/0")
    assert said in problems(job(triggers=[trigger]))[in_a_list]


@pytest.mark.parametrize(
    ("data", "pointer", "said"),
    [
        ([], "", "a job is an object, not a list"),
        (None, "", "not null"),
        ({}, "/job", "required"),
        ({"job": "a"}, "", "no work"),
        ({"job": "a", "tasks": {}}, "/tasks", "no work"),
        ({"job": "a", "tasks": {"b": {}}}, "/tasks/b", "no work"),
        (job(job="a b"), "/job", "must not contain ' '"),
        (job(job="x" * 5_000), "/job", "5000 characters long"),
        (job(job=""), "/job", "empty"),
        (job(job="-a"), "/job", "begin and end"),
        (job(job="a\n"), "/job", "must not contain"),
        (job(job=5), "/job", "must be text, not a number"),
        (job(namespace="a/b"), "/namespace", "must not contain '/'"),
        (job(trigers=[]), "/trigers", "did you mean triggers?"),
        (job(timeuot="5m"), "/timeuot", "did you mean timeout?"),
        (job(run=5), "/run", "must be text"),
        (job(run="   "), "/run", "only blanks"),
        (job(run="a\0b"), "/run", "NUL"),
        (job(run="set -e\r\nmake\r\n"), "/run", "line 1 ends in a carriage return, and 1 more"),
        (job(run="set -e\nmake\r"), "/run", "line 2 ends in a carriage return | the text has Windows line"),
        (job(run="\ufeff#!/bin/sh\n"), "/run", "byte order mark"),
        ({"job": "a", "exec": ["./x.sh\r"]}, "/exec", "ends in a carriage return"),
        (job(exec=["x"]), "", "run and exec exclude each other"),
        (job(needs=["b"]), "/needs", "no other to wait for"),
        (job(timeout="0s"), "/timeout", "longer than zero"),
        (job(retry={}), "/retry/max", "required"),
        (job(retry={"max": -1}), "/retry/max", "at least 0"),
        (job(on={"strategy": "hash"}), "/on/strategy", "one of least_loaded"),
        (job(on={"labels": {"n": 1}}), "/on/labels", "put it in quotes"),
        (job(env={"A": 1}), "/env", "put it in quotes"),
        (job(env={"CRONCLAVE_X": "1"}), "/env", "set by the scheduler"),
        (job(env={"1A": "1"}), "/env", "names of variables"),
        (job(run_as=""), "/run_as", "no name of a user"),
        (job(run_as="a b"), "/run_as", "no name of a user"),
        (job(run_as="-u"), "/run_as", "no name of a user"),
        (job(run_as="1000"), "/run_as", "is a number | name the user: numbers differ from host to host"),
        (job(run_as=1000), "/run_as", "named by a text, not a number"),
        (job(umask=23), "/umask", 'three octal digits, not a number | write it as "027", in quotes'),
        (job(umask="8"), "/umask", "three octal digits"),
        (job(nice=20), "/nice", "at most 19"),
        (job(nice="5"), "/nice", "an integer, not text"),
        ({"job": "a", "noop": True, "run_as": "web"}, "", "noop reads no run_as"),
        (job(output_limit="lots"), "/output_limit", "'lots' is no size"),
        (job(policies={"overlap": "alow"}), "/policies/overlap", "did you mean allow?"),
        (job(policies={"overlap": "terminate"}), "/policies/overlap", "did you mean terminate_running?"),
        (job(policies={"on_lost": "retry"}), "/policies", "add idempotent: true"),
        (job(policies={"priority": "5"}), "/policies/priority", "an integer, not text"),
        (job(policies={"catchup": {"max": 0}}), "/policies/catchup/max", "at least 1"),
        (job(policies={"catchup": {"windw": "1h"}}), "/policies/catchup/windw", "did you mean window?"),
        (job(policies={"start_deadline": "-1s"}), "/policies/start_deadline", "negative"),
        (job(policies={"retention": {"age": "0d"}}), "/policies/retention/age", "longer than zero"),
        (job(params={"a": {"type": "strin"}}), "/params/a/type", "did you mean string?"),
        (job(params={"a": {"type": "string", "default": [1]}}), "/params/a/default", "text, not a list"),
        (job(params={"a": {"type": "string", "enum": [{}]}}), "/params/a/enum", "not an object"),
        (
            job(params={"a": {"type": "integer", "default": "1"}}),
            "/params/a/default",
            "the default must be an integer",
        ),
        (job(params={"a": {"type": "string", "enum": ["x"], "default": "y"}}), "/params/a", "not among"),
        (job(params={"a b": {"type": "string"}}), "/params/a b", "letters, digits and _"),
        (job(params={"a": {"type": "string"}, "A": {"type": "string"}}), "/params/A", "CRONCLAVE_PARAM_A"),
        ({"job": "a", "tasks": {"b": {"run": "x"}}, "run": "y"}, "/run", "is a task's field"),
        ({"job": "a", "tasks": {"b c": {"run": "x"}}}, "/tasks/b c", "must not contain"),
        ({"job": "a", "tasks": {"b": {"run": "x", "rule": "all_done"}}}, "/tasks/b", "nothing to judge"),
        ({"job": "a", "tasks": ["b"]}, "/tasks", "must be an object, not a list"),
        ({"job": "a", "noop": False}, "/noop", "must be true"),
        (job(labels={"a": None}), "/labels", "must be text, not null"),
        (job(params={"a": {"type": "string"}}, triggers=7), "/triggers", "must be a list"),
    ],
)
def test_bad_jobs(data: object, pointer: str, said: str) -> None:
    assert said in problems(data)[pointer]


def test_a_required_parameter_is_given_by_each_trigger_or_refused() -> None:
    params = {"a": {"type": "string", "required": True}}
    data = job(params=params, triggers=[{"every": "1m"}, {"every": "2m", "params": {"a": "x"}}])
    assert "a tick of a trigger gives none" in problems(data)["/params/a"]
    data["triggers"][0]["params"] = {"a": "y"}
    assert parse_job(data).triggers[0].params == {"a": "y"}


@pytest.mark.parametrize(
    ("given", "pointer", "said", "hint"),
    [
        ({"regin": "eu"}, "/params/regin", "the job declares no parameter 'regin'", "did you mean region?"),
        ({"region": 3}, "/params/region", "region must be text, not a number", ""),
        ({"region": "asia"}, "/params/region", "is not among the allowed values", '"eu"'),
        ({"region": None}, "/params/region", "must be text, a number or true or false, not null", ""),
        (["region"], "/params", "must be an object, not a list", ""),
    ],
)
@pytest.mark.parametrize("listed", [False, True])
def test_bad_values_of_a_trigger(listed: bool, given: object, pointer: str, said: str, hint: str) -> None:
    trigger = {"every": "1m", "params": given}
    params = {"region": {"type": "string", "enum": ["eu", "us"], "default": "eu"}}
    data = job(params=params, triggers=[trigger] if listed else trigger)
    with pytest.raises(JobError) as refused:
        parse_job(data)
    found = {problem.pointer: problem for problem in refused.value.problems}
    at = ("/triggers/0" if listed else "/triggers") + pointer
    assert at in found, found
    assert said in found[at].detail
    assert hint in found[at].hint


def test_unknown_and_repeated_names_in_needs() -> None:
    tasks = {
        "extract": {"run": "x"},
        "load": {"run": "x", "needs": ["extract", "extrct"]},
        "end": {"run": "x", "needs": ["load", "load"]},
    }
    found = problems({"job": "a", "tasks": tasks})
    assert "did you mean extract?" in found["/tasks/load/needs/1"]
    assert "named twice" in found["/tasks/end/needs/1"]


def test_a_cycle_is_named() -> None:
    tasks = {
        "a": {"run": "x", "needs": ["c"]},
        "b": {"run": "x", "needs": ["a"]},
        "c": {"run": "x", "needs": ["b"]},
        "d": {"run": "x", "needs": ["a"]},
    }
    found = problems({"job": "a", "tasks": tasks})
    assert "a → c → b → a" in found["/tasks/a/needs"]
    assert "a → a" in problems({"job": "a", "tasks": {"a": {"run": "x", "needs": ["a"]}}})["/tasks/a/needs"]


def test_all_problems_are_reported_at_once() -> None:
    found = problems(
        {
            "job": "a b",
            "trigers": [],
            "triggers": [{"cron": "61 * * * *"}, {"cron": "0 0 30 2 *"}],
            "policies": {"timeout": "0s"},
            "tasks": {"x": {"run": 5, "needs": ["y"]}, "z": {"run": "x", "needs": ["z"]}},
        }
    )
    assert set(found) == {
        "/job",
        "/trigers",
        "/triggers/0/cron",
        "/triggers/1/cron",
        "/policies/timeout",
        "/tasks/x/run",
        "/tasks/x/needs/0",
        "/tasks/z/needs",
    }


def test_the_same_trigger_twice() -> None:
    data = job(triggers=[{"every": "5m"}, {"every": "300s"}])
    assert "its schedule in common with trigger 0" in problems(data)["/triggers/1"]
    data = job(triggers=[{"every": "5m", "id": "x"}, {"every": "6m", "id": "x"}])
    assert "the id 'x' in common" in problems(data)["/triggers/1"]


@pytest.mark.parametrize(
    ("model", "place"),
    [("Job", ()), ("Trigger", ("triggers",)), ("Policies", ("policies",))],
)
def test_each_planned_field_says_that_it_is_planned(model: str, place: tuple[str, ...]) -> None:
    planned = next(names for cls, names in PLANNED.items() if cls.__name__ == model)
    assert planned
    for name in planned:
        inner: dict[str, Any] = {name: {}}
        data = job(**{place[0]: inner}) if place else job(**inner)
        pointer = "".join(f"/{part}" for part in (*place, name))
        assert "not available in this version" in problems(data)[pointer]


def test_planned_fields_are_not_fields_already() -> None:
    for model, planned in PLANNED.items():
        assert not set(field_names(model)) & set(planned)


def test_input_is_bounded() -> None:
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    assert "nested deeper" in problems(job(labels=deep))[""]
    assert "values" in problems(job(exec=["x"] * (VALUES_MAX + 1)))[""]
    many = {f"t{i}": {"noop": True} for i in range(10_001)}
    assert "more than 10000 entries" in problems({"job": "a", "tasks": many})["/tasks"]


def test_stored_jobs_are_read_back_though_their_instant_is_over() -> None:
    data = job(triggers={"at": "2020-01-01T00:00:00Z"})
    (trigger,) = parse_job(data).triggers
    assert vars(trigger)["at_ms"] == 1_577_836_800_000


def test_messages_never_echo_a_huge_value() -> None:
    with pytest.raises(JobError) as caught:
        parse_job({"job": "x" * 5_000, "y" * 5_000: 1, "run": "z", "policies": {"overlap": "w" * 5_000}})
    assert len(str(caught.value)) < 2_000
