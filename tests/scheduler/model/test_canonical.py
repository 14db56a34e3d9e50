"""One text for a job, the same for equal jobs, and what the machine and the log get from it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.agents.assignment import parameter_text
from scheduler.model import JobError, canonical, compile_job, parse_job, prepare
from scheduler.model.param_values import check_params, declared_params
from scheduler.model.unsaid import whole
from scheduler.ticks import schedule

AFTER_MS = 1_796_000_000_000  # 2026-11-30T00:53:20Z

FULL: dict[str, Any] = {
    "job": "nightly-report",
    "namespace": "finance",
    "labels": {"team": "data"},
    "description": "each night",
    "triggers": [
        {"cron": "0 2 * * 1-5", "id": "nightly", "tz": "Europe/Berlin", "jitter": "30s", "dst": "skip"},
        {"every": "15m", "start": "2026-01-01T00:00:00Z"},
        {"at": "2026-12-31T23:00:00+01:00"},
    ],
    "policies": {
        "overlap": "queue_one",
        "catchup": {"mode": "all", "grace": "90s", "window": "7d", "max": 5},
        "start_deadline": "10m",
        "timeout": "1h30m",
        "on_lost": "retry",
        "idempotent": True,
        "priority": 70,
        "pause_after_failures": 5,
        "retention": {"runs": 7, "age": "30d"},
    },
    "params": {"region": {"type": "string", "default": "eu"}},
    "tasks": {
        "load": {"exec": ["load", "--all"], "needs": ["extract", "clean"], "rule": "all_done", "cwd": "/srv"},
        "extract": {
            "run": "./extract.sh",
            "on": {"pool": "etl", "labels": {"os": "linux"}, "zone": "zone-a"},
            "retry": {"max": 3, "backoff": "constant", "first": "1s", "cap": "2s"},
            "timeout": "20m",
            "env": {"A": "1"},
            "stdin": "x\n",
            "grace": "250ms",
            "output_limit": "1MiB",
        },
        "clean": {"noop": True, "allow_failure": True},
    },
}


def test_a_line_feed_behind_an_expression_is_no_part_of_it() -> None:
    block, plain = ({"job": "a", "noop": True, "triggers": {"cron": c}} for c in ("0 2 * * *\n", "0 2 * * *"))

    assert canonical(parse_job(block)) == canonical(parse_job(plain))


def test_the_short_form_equals_the_long_form() -> None:
    task = {"run": "true", "on": {"pool": "etl"}, "retry": {"max": 2}, "timeout": "60s", "env": {"A": "b"}}
    short = parse_job({"job": "a", "triggers": {"every": "60s"}, **task})
    long = parse_job(
        {"tasks": {"main": task}, "namespace": "default", "triggers": [{"every": "1m"}], "job": "a"}
    )
    assert canonical(short) == canonical(long)
    assert list(json.loads(canonical(short))["tasks"]) == ["main"]


def test_defaults_are_filled_in() -> None:
    shape = whole(canonical(parse_job({"job": "a", "run": "x", "triggers": {"cron": "0 2 * * *"}})))
    assert shape["policies"]["overlap"] == "skip"
    assert shape["policies"]["catchup"] == {"mode": "latest", "grace": "1m", "window": "1d", "max": 100}
    assert (shape["policies"]["on_lost"], shape["policies"]["priority"]) == ("wait", 50)
    assert shape["triggers"] == [{"cron": "0 2 * * *", "tz": "UTC", "dst": "cron"}]
    assert shape["tasks"]["main"]["on"] == {"pool": "default", "labels": {}}
    assert "timeout" not in shape["policies"]


def test_it_parses_back_to_the_same_bytes() -> None:
    text = canonical(parse_job(FULL))
    assert canonical(parse_job(json.loads(text))) == text
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")).encode()


durations = st.integers(1, 10**7).map(lambda seconds: f"{seconds}s")
names = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@st.composite
def jobs(draw: st.DrawFn) -> dict[str, Any]:
    tasks: dict[str, Any] = {}
    for name in draw(st.lists(names, min_size=1, max_size=5, unique=True)):
        work: dict[str, Any] = draw(st.sampled_from([{"run": "x"}, {"exec": ["x", "é ☃"]}, {"noop": True}]))
        tasks[name] = work | {
            "needs": draw(st.lists(st.sampled_from(sorted(tasks)), unique=True)) if tasks else [],
            "timeout": draw(st.none() | durations),
            "env": draw(st.dictionaries(st.sampled_from(["A", "B"]), st.text("ab \n☃", max_size=5))),
        }
    return {
        "job": draw(names),
        "labels": draw(st.dictionaries(names, names, max_size=3)),
        "triggers": draw(st.lists(st.fixed_dictionaries({"every": durations, "id": names}), max_size=1)),
        "policies": {"timeout": draw(st.none() | durations), "priority": draw(st.integers(0, 100))},
        "tasks": tasks,
    }


@settings(max_examples=100, deadline=None)
@given(jobs())
def test_any_job_parses_back_to_the_same_bytes_and_compiles(data: dict[str, Any]) -> None:
    text = canonical(parse_job(data))
    assert canonical(parse_job(json.loads(text))) == text
    order = [task.name for task in compile_job(text).tasks]
    assert sorted(order) == sorted(data["tasks"])
    for task in compile_job(text).tasks:
        assert all(order.index(need) < order.index(task.name) for need in task.needs)


def test_what_the_machine_reads() -> None:
    compiled = compile_job(canonical(parse_job(FULL)))
    assert (compiled.namespace, compiled.name, compiled.overlap) == ("finance", "nightly-report", "queue_one")
    assert (compiled.catchup_mode, compiled.catchup_grace_ms, compiled.catchup_window_ms) == (
        "all",
        90_000,
        604_800_000,
    )
    assert (compiled.catchup_max, compiled.start_deadline_ms, compiled.timeout_ms) == (5, 600_000, 5_400_000)
    assert (compiled.on_lost, compiled.idempotent, compiled.priority) == ("retry", True, 70)
    assert (compiled.pause_after_failures, compiled.retention_runs) == (5, 7)
    assert compiled.retention_age_ms == 30 * 86_400_000
    clean, extract, load = compiled.tasks
    assert (clean.name, clean.work, clean.allow_failure) == ("clean", {"kind": "noop"}, True)
    assert extract.work == {"kind": "shell", "run": "./extract.sh", "stdin": "x\n", "env": {"A": "1"}}
    assert (extract.pool, extract.labels, extract.zone) == ("etl", (("os", "linux"),), "zone-a")
    assert (extract.retry_max, extract.retry_backoff) == (3, "constant")
    assert (extract.retry_first_ms, extract.retry_cap_ms, extract.timeout_ms) == (1_000, 2_000, 1_200_000)
    assert (extract.grace_ms, extract.output_bytes_max) == (250, 1 << 20)
    assert load.work == {"kind": "exec", "argv": ["load", "--all"], "cwd": "/srv"}
    assert (load.needs, load.rule, load.retry_max, load.timeout_ms) == (
        ("extract", "clean"),
        "all_done",
        0,
        None,
    )


@pytest.mark.parametrize("spec", [b"", b"[]", b"{}", b'{"job":"a"}', b"null"])
def test_bytes_that_are_no_canonical_job_are_refused(spec: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        compile_job(spec)


def test_the_seed_carries_self_contained_triggers() -> None:
    job = parse_job(FULL)
    seeded = prepare(job, AFTER_MS, if_revision=4)
    assert (seeded.namespace, seeded.name, seeded.if_revision) == ("finance", "nightly-report", 4)
    assert seeded.spec == canonical(job)
    nightly, quarter, once = seeded.triggers
    assert nightly.key == "nightly"
    assert nightly.first_due_ms == 1_796_000_400_000 == schedule(nightly.spec).next(AFTER_MS)
    assert 0 <= nightly.jitter_ms < 30_000
    assert (quarter.first_due_ms, quarter.jitter_ms) == (1_796_000_400_000, 0)
    assert once.first_due_ms == 1_798_754_400_000


def test_a_triggers_key_is_that_of_its_schedule_not_of_its_place_or_jitter() -> None:
    def keys(*triggers: dict[str, str]) -> list[str]:
        job = parse_job({"job": "a", "noop": True, "triggers": list(triggers)})
        return [trigger.key for trigger in prepare(job, AFTER_MS).triggers]

    cron, every = {"cron": "0 2 * * *"}, {"every": "5m"}
    assert keys(cron, every) == keys(every, cron)[::-1]
    assert keys({**cron, "jitter": "5s"}) == keys(cron) == keys({**cron, "tz": "UTC", "dst": "cron"})
    assert keys({**cron, "tz": "Europe/Berlin"}) != keys(cron)


def test_hashed_slots_come_from_the_jobs_name() -> None:
    def first(name: str) -> int | None:
        data = {"job": name, "noop": True, "triggers": {"cron": "H H * * *"}}
        return prepare(parse_job(data), AFTER_MS).triggers[0].first_due_ms

    assert first("a") == first("a")
    assert len({first(f"job-{i}") for i in range(20)}) > 15


PARAMS = parse_job(
    {
        "job": "a",
        "noop": True,
        "params": {
            "region": {"type": "string", "default": "eu", "enum": ["eu", "us"]},
            "count": {"type": "integer", "required": True},
            "share": {"type": "number"},
            "dry": {"type": "boolean", "default": False},
        },
    }
)


def test_parameters_are_checked_and_filled_in() -> None:
    declared = declared_params(canonical(PARAMS))

    assert check_params(declared, {"count": 3}) == b'{"count":3,"dry":false,"region":"eu"}'
    assert check_params(declared, {"count": 3, "share": 1}) == (
        b'{"count":3,"dry":false,"region":"eu","share":1}'
    )


def test_true_is_none_of_the_numbers_and_no_two_extras_share_a_variable() -> None:
    job = parse_job({
        "job": "j", "noop": True, "params_extra": "allow",
        "params": {"n": {"type": "enum", "enum": [1, 2.5, "eu"]}},
    })  # fmt: skip
    declared = declared_params(canonical(job))
    assert check_params(declared, {"n": 2.5, "foo": "1"}) == b'{"foo":"1","n":2.5}'
    for given_params, said in ({"n": True}, "not among"), ({"foo": "1", "FOO": "2"}, "share the variable"):
        with pytest.raises(JobError, match=said):
            check_params(declared, given_params)
    assert parameter_text(["é", {"a": True}]) == '["é",{"a":true}]'


@pytest.mark.parametrize(
    ("given_params", "pointer", "said"),
    [
        ({}, "/count", "required"),
        ({"count": "3"}, "/count", "must be an integer, not text"),
        ({"count": True}, "/count", "must be an integer, not a boolean"),
        ({"count": 1.5}, "/count", "must be an integer"),
        ({"count": 2**70}, "/count", "64 bits"),
        ({"count": 1, "region": "mars"}, "/region", "not among"),
        ({"count": 1, "regoin": "eu"}, "/regoin", "no parameter"),
        ({"count": 1, "share": float("nan")}, "/share", "finite"),
        ([], "", "an object, not a list"),
    ],
)
def test_bad_parameters(given_params: object, pointer: str, said: str) -> None:
    with pytest.raises(JobError) as caught:
        check_params(declared_params(canonical(PARAMS)), given_params)
    assert [p.pointer for p in caught.value.problems] == [pointer]
    assert said in caught.value.problems[0].detail
