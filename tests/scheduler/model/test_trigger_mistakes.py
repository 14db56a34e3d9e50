"""Mistakes in triggers: each a problem of its own, with its place and a way out, and never an exception."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.model import parse_job
from scheduler.model.problems import JobError, Problem

ENDS = [{"after": "a.succeeded"}, {"after": "b.succeeded"}]
DAILY = {"cron": "@daily"}


def problems(*triggers: Any) -> tuple[Problem, ...]:
    with pytest.raises(JobError) as caught:
        parse_job({"job": "j", "noop": True, "triggers": list(triggers)})
    return caught.value.problems


@pytest.mark.parametrize(
    ("trigger", "place", "detail", "hint"),
    [
        ({}, "", "exactly one of cron, every", "one trigger for each"),
        ({**DAILY, "every": "5m"}, "", "exclude each other", ""),
        ({"cron": "R * * * *"}, "/cron", "R", "H"),
        ({"cron": "@reboot"}, "/cron", "", "startup"),
        ({**DAILY, "start": "2026-01-01T00:00:00Z"}, "", "start", ""),
        ({**DAILY, "workday": 3}, "/workday", "must be an object, not a number", "its fields: nth, of"),
        ({**DAILY, "workday": {"nth": 0, "of": "month"}}, "/workday", "no working day 0", "1 is the first"),
        ({**DAILY, "calendar": "c"}, "/calendar", "not text", "its fields: include, exclude, nonworking"),
        ({**DAILY, "valid": {}}, "/valid", "", ""),
        ({**DAILY, "jitter": "0s"}, "/jitter", "longer than zero", "such as"),
        ({**DAILY, "id": ""}, "/id", "the name is empty", "letters, digits"),
        ({"every": "5"}, "/every", "needs a unit", "such as"),
        ({"every": {"dely": "5m"}}, "/every", "", "delay"),
        ({"every": {"delay": "5m"}, "valid": {"from": "2026-01-01T00:00:00Z"}}, "", "", ""),
        ({"at": "2026-01-01"}, "/at", "no instant", "such as 2026-12-31T23:00:00Z"),
        ({"at": "2100-01-01T00:00:00Z", "dst": "cron"}, "", "dst", ""),
        ({"schedule": "s", "tz": "UTC"}, "", "tz", ""),
        ({"after": "x.suceeded"}, "/after", "suceeded", "succeeded"),
        ({"after": "x.skipped"}, "/after", "skipped", ""),
        ({"webhook": "h", "jitter": "5s"}, "", "jitter", ""),
        ({"notice": "stock"}, "/notice", "must be an object, not text", "its fields: board, key"),
        ({"startup": "web"}, "/startup", "must be an object, not text", "its fields: pool, delay"),
        ({"file": {"dir": "x"}}, "/file/dir", "is no folder's whole path", "from the root on"),
        ({"all_of": ENDS}, "/all_of", "must be an object, not a list", "its fields: of, within"),
        ({"all_of": {"of": ENDS[:1]}}, "/all_of", "there are two at least", "{after: JOB.succeeded}"),
        (
            {"all_of": {"of": [{"at_least": "06:00"}, {"at_least": "07:00"}]}},
            "/all_of",
            "the later one decides",
            "remove",
        ),
        ({"all_of": {"of": [*ENDS, {"at_least": "25:00"}]}}, "/all_of/of/2/at_least", "", "06:00"),
        ({"all_of": {"of": [*ENDS, {"at_least": 6}]}}, "/all_of/of/2/at_least", "", ""),
        ({"all_of": {"of": [*ENDS, DAILY]}}, "/all_of/of/2/cron", "unknown field 'cron'", ""),
        ({"all_of": {"of": [ENDS[0], ENDS[0]]}}, "/all_of", "two members are the same", "remove one"),
        ({"all_of": {"of": [{**ENDS[0], "notice": {"board": "b"}}, ENDS[1]]}}, "/all_of/of/0", "", ""),
        ({"all_of": {"of": [{}, ENDS[1]]}}, "/all_of/of/0", "", ""),
        ({"all_of": {"of": [{"after": f"a{n}.ended"} for n in range(21)]}}, "/all_of/of", "20", ""),
        ({"all_of": {"of": ENDS, "within": "36d"}}, "/all_of/within", "35", ""),
        ({"all_of": {"of": ENDS, "within": "0s"}}, "/all_of/within", "longer than zero", "such as"),
        ({"all_of": {"of": ENDS}, "tz": "Nowhere"}, "/tz", "unknown time zone", ""),
        ({"all_of": {"of": ENDS}, "jitter": "5s"}, "", "jitter", ""),
        ({"all_of": {"of": ENDS}, "tz": "Europe/Berlin"}, "", "which none of its members is", "remove tz"),
    ],
)
def test_a_mistake_says_where_it_is_and_what_to_do(
    trigger: dict[str, Any], place: str, detail: str, hint: str
) -> None:
    (problem,) = problems(trigger)
    assert problem.pointer.replace("/triggers/0", "", 1).startswith(place)
    assert detail in problem.detail
    assert hint in problem.hint


def test_each_mistake_is_told_of_several() -> None:
    told = problems(
        {"cron": "61 * * * *", "tz": "Nowhere", "days": "any"},
        {"every": "5"},
        {"all_of": {"of": ENDS, "within": "x"}},
    )
    assert [each.pointer for each in told] == [
        "/triggers/0/tz",
        "/triggers/0/cron",
        "/triggers/0/days",
        "/triggers/1/every",
        "/triggers/2/all_of/within",
    ]
