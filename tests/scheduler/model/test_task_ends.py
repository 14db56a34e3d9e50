"""`exit`, `stderr` and `retry` of a task: what they are read as, and what is refused of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduler.model import canonical, parse_job
from scheduler.model.compiled import CompiledTask, compile_job
from scheduler.model.exit_codes import Exits
from scheduler.model.problems import JobError


def compiled(**fields: Any) -> CompiledTask:
    text = canonical(parse_job({"job": "a", "run": "x", **fields}))
    assert canonical(parse_job(json.loads(text))) == text, "what a GET gives can be put back"
    return compile_job(text).tasks[0]


def said(**fields: Any) -> dict[str, str]:
    with pytest.raises(JobError) as told:
        parse_job({"job": "a", "run": "x", **fields})
    return {each.pointer: f"{each.detail} | {each.hint}" for each in told.value.problems}


def test_a_task_that_says_nothing_of_its_ends_is_compiled_to_nothing() -> None:
    assert (compiled().exits, compiled().retry_on, compiled().retry_delays_ms) == (None, None, ())
    assert compiled(stderr="ignore", exit=None).exits is None
    assert "stderr" not in compiled().work


def test_exit_codes_are_named_by_themselves_and_in_ranges() -> None:
    task = compiled(exit={"warn": [4, "10-12"], "skip": [99], "retry": [75]}, retry={"max": 2})
    classes = {0: "ok", 4: "warn", 10: "warn", 11: "warn", 12: "warn", 99: "skip", 75: "retry"}
    assert task.exits == Exits(classes, "")
    assert compiled(exit={"ok": ["0-255"]}).exits == Exits(dict.fromkeys(range(256), "ok"), "")
    assert compiled(exit={"ok": [], "warn": [0]}).exits == Exits({0: "warn"}, "")


def test_stderr_is_looked_at_where_the_task_asks_for_it() -> None:
    task = compiled(stderr="warn")
    assert task.exits == Exits({0: "ok"}, "warn")
    assert task.work["stderr"] == "warn", "the agent has to look"


def test_delays_take_the_place_of_a_backoff() -> None:
    task = compiled(retry={"delays": ["1m", "5m", "1h"]})
    assert (task.retry_max, task.retry_delays_ms) == (3, (60_000, 300_000, 3_600_000))
    shape = json.loads(canonical(parse_job({"job": "a", "run": "x", "retry": {"delays": ["1m"], "max": 4}})))
    assert shape["tasks"]["main"]["retry"] == {"delays": ["1m"], "max": 4}, "no wait that does not count"


def test_retry_on_names_exit_codes_and_ends() -> None:
    policies = {"on_lost": "retry", "idempotent": True}
    task = compiled(retry={"max": 1, "on": [75, "80-81", "lost", "timed_out"]}, policies=policies)
    assert task.retry_on == frozenset({75, 80, 81, "lost", "timed_out"})


CODES = 'such as 4, or "10-19" for a range'


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"exit": [0]}, {"/exit": "exit must be an object, not a list | its fields: ok, warn, skip, retry"}),
        ({"exit": {"okay": [0]}}, {"/exit/okay": "unknown field 'okay' | did you mean ok?"}),
        ({"exit": {"ok": 0}}, {"/exit/ok": "it must be a list, not a number | put it in brackets"}),
        ({"exit": {"ok": "0"}}, {"/exit/ok": "it must be a list, not text | put it in brackets"}),
        ({"exit": {"ok": ["4"]}}, {"/exit/ok/0": "the exit code '4' is text | write it without quotes"}),
        ({"exit": {"ok": [-1]}}, {"/exit/ok/0": "-1 is no exit code | they go from 0 to 255"}),
        ({"exit": {"ok": [True]}}, {"/exit/ok/0": f"an exit code is a number, not a boolean | {CODES}"}),
        ({"exit": {"ok": [1.5]}}, {"/exit/ok/0": f"an exit code is a number, not a number | {CODES}"}),
        (
            {"exit": {"ok": [256]}},
            {"/exit/ok/0": f"256 is beyond 255, the highest exit code there is | {CODES}"},
        ),
        ({"exit": {"ok": ["9-4"]}}, {"/exit/ok/0": f"9-4 is a range without a code | {CODES}"}),
        (
            {"exit": {"ok": ["0-99999999999"]}},
            {"/exit/ok/0": f"0-99999999999 is beyond 255, the highest exit code there is | {CODES}"},
        ),
        (
            {"exit": {"ok": ["a-b"]}},
            {"/exit/ok/0": f"'a-b' is no exit code, and no range of some | {CODES}"},
        ),
        (
            {"exit": {"ok": ["²-3"]}},
            {"/exit/ok/0": f"'²-3' is no exit code, and no range of some | {CODES}"},
        ),
        (
            {"exit": {"warn": [0]}},
            {"/exit": "exit code 0 stands in ok and in warn | say ok as well, without it"},
        ),
        (
            {"exit": {"warn": ["4-9"], "skip": [7]}},
            {"/exit": "exit code 7 stands in warn and in skip | remove it from one"},
        ),
        ({"exit": {"ok": []}}, {"/exit": "no exit code is a good end | name one in ok, warn or skip"}),
        (
            {"exit": {"retry": [75]}},
            {
                "": "exit.retry names codes that are tried again, and no retry says how often"
                " | add retry, such as {max: 3}"
            },
        ),
        (
            {"skip_if_exists": "s3://bucket"},
            {
                "/skip_if_exists": "'s3://bucket' names no object | such as s3://bucket/in/_SUCCESS;"
                " with / at its end: anything below it"
            },
        ),
        ({"skip_if_exists": " "}, {"/skip_if_exists": "it holds only blanks | "}),
        ({"skip_if_exists": ["/a"]}, {"/skip_if_exists": "skip_if_exists must be text, not a list | "}),
        ({"stderr": "error"}, {"/stderr": "stderr must be one of ignore, warn, fail, not 'error' | "}),
        ({"retry": {"delays": []}}, {"/retry/delays": "delays is empty | "}),
        (
            {"retry": {"max": 2, "delays": "1m"}},
            {"/retry/delays": "it must be a list, not text | put it in brackets"},
        ),
        (
            {"retry": {"delays": ["0s"]}},
            {"/retry/delays/0": "a duration must be longer than zero | such as \"90s\" or \"1h30m\""},
        ),
        (
            {"retry": {"delays": ["1m"], "first": "1s"}},
            {"/retry": "delays and first exclude each other | remove first"},
        ),
        (
            {"retry": {"delays": ["1m", "2m"], "max": 1}},
            {"/retry": "there are 2 delays, and max allows fewer: 1 | remove max, or the last delays"},
        ),
        ({"retry": {"max": 2, "on": []}}, {"/retry/on": "on is empty | "}),
        (
            {"retry": {"max": 2, "on": ["crashed"]}},
            {
                "/retry/on/0": "'crashed' is no end of an attempt"
                " | exit codes, or some of failed, timed_out, lost"
            },
        ),
        ({"retry": {"max": 2, "on": [1, 1]}}, {"/retry": "on says the same twice | remove one"}),
        (
            {"retry": {"max": 2, "on": ["lost"]}},
            {
                "/retry/on": "a lost attempt may have done its work, so policies.on_lost says whether it is"
                " tried again | add policies: {on_lost: retry, idempotent: true}, or remove lost"
            },
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_place(fields: dict[str, Any], problem: dict[str, str]) -> None:
    assert said(**fields) == problem
