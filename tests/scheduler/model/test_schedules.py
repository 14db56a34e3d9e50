"""What schedules and jobs that name them may say."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.model import JobError, parse_job
from scheduler.model.objects.parsing import parse_document

TIME = {"from": "2027-01-01T00:00:00Z", "until": "2027-02-01T00:00:00Z"}


def refused(document: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(JobError) as caught:
        parse_document(document)
    return {each.pointer: f"{each.detail} | {each.hint}" for each in caught.value.problems}


WRONG_SCHEDULES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "params": (
        {"triggers": [{"every": "1h", "params": {"a": 1}}]},
        {"/triggers/0/params": "params: a schedule says when, a job what its runs are"
         " | say it where a job names the schedule: {schedule: NAME, params: …}"},
    ),
    "overlap": (
        {"triggers": [{"every": "1h", "overlap": "skip"}]},
        {"/triggers/0/overlap": "overlap: a schedule says when, a job what its runs are"
         " | say it where a job names the schedule: {schedule: NAME, overlap: …}"},
    ),
    "an event": (
        {"triggers": [{"startup": {}}, {"after": "a.ended"}]},
        {"/triggers/0/startup": "startup has no instants that jobs could share | say it in each job",
         "/triggers/1/after": "after has no instants that jobs could share | say it in each job"},
    ),
    "another schedule": (
        {"triggers": [{"schedule": "other"}]},
        {"/triggers/0/schedule": "a schedule has triggers of its own, not those of another"
         " | have the job name both"},
    ),
    "working days of nothing": (
        {"triggers": [{"cron": "0 9 * * *", "workday": {"nth": 1, "of": "month"}}]},
        {"/triggers/0/workday": "no calendar says which days are working days"
         " | name one: calendar: {exclude: [NAME]}"},
    ),
    "no calendar": (
        {"triggers": [{"cron": "0 9 * * *", "calendar": {}}]},
        {"/triggers/0/calendar": "it names no calendar | include or exclude one, or remove it"},
    ),
    "another namespace's place": (
        {"substitute": "ops/s", "valid": TIME},
        {"/substitute": "it would take the place of a schedule of another namespace"
         " | a substitute is of the namespace of what it substitutes: put it there"},
    ),
    "its own place": (
        {"substitute": "s", "valid": TIME},
        {"/substitute": "it cannot take its own place | name another schedule in substitute"},
    ),
    "no time": (
        {"substitute": "t"},
        {"/substitute": "a substitute needs a time | such as valid: {from: …, until: …}"},
    ),
    "a time that is none": (
        {"substitute": "t", "valid": {"from": TIME["until"], "until": TIME["from"]}},
        {"/valid": "it ends before it begins | until is after from"},
    ),
    "two of one id": (
        {"triggers": [{"every": "1h", "id": "t"}, {"every": "2h", "id": "t"}]},
        {"/triggers/1": "trigger 1 has the id 't' in common with trigger 0 | give each trigger its own id"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_SCHEDULES)
def test_a_mistake_in_a_schedule_has_its_problem(name: str) -> None:
    document, problems = WRONG_SCHEDULES[name]
    assert refused({"schedule": "s", **document}) == problems


WRONG_JOBS: dict[str, tuple[list[dict[str, Any]], dict[str, str]]] = {
    "id": (
        [{"schedule": "s", "id": "mine"}],
        {"/triggers/0": "a schedule is known by its name, and its triggers by theirs | remove id"},
    ),
    "valid": (
        [{"schedule": "s", "valid": TIME}],
        {"/triggers/0": "schedule has no instants that `valid` could choose | remove valid"},
    ),
    "twice": (
        [{"schedule": "s"}, {"schedule": "s"}],
        {"/triggers/1": "trigger 1 has its schedule in common with trigger 0 | remove one, or give them ids"},
    ),
    "twice, in two ways": (
        [{"schedule": "s"}, {"schedule": "default/s"}],
        {"/triggers/1/schedule": "trigger 0 names this schedule too | remove one"},
    ),
    "many": (
        [{"schedule": f"s{number}"} for number in range(6)],
        {"/triggers/5/schedule": "a job names at most 5 schedules"
         " | put their triggers into one schedule"},
    ),
    "no name": (
        [{"schedule": "a b"}],
        {"/triggers/0/schedule": "a name must not contain ' '"
         " | letters, digits, and . _ - between them, 128 characters at most"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_JOBS)
def test_a_mistake_in_a_job_that_names_one_has_its_problem(name: str) -> None:
    triggers, problems = WRONG_JOBS[name]
    assert refused({"job": "j", "noop": True, "triggers": triggers}) == problems


def test_where_it_stands_is_told_of_what_was_refused() -> None:
    job = parse_job({"job": "j", "noop": True, "triggers": [{"schedule": "s"}, {"schedule": "ops/t"}]})
    assert [tuple(each)[:4] for each in job.refers] == [
        ("schedule", "default", "s", "/triggers/0/schedule"),
        ("schedule", "ops", "t", "/triggers/1/schedule"),
    ]  # fmt: skip


DELAY = {"every": {"delay": "10m"}}
WRONG_DELAYS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, str]]] = {
    "start": (
        {**DELAY, "start": "2026-01-01T00:00:00Z"}, {},
        {"/triggers/0": "a delay counts from the end of the last run, not from a start | remove start"},
    ),
    "valid": (
        {**DELAY, "valid": TIME}, {},
        {"/triggers/0": "a delay has no instants that `valid` could choose | remove valid"},
    ),
    "calendar": (
        {**DELAY, "calendar": {"exclude": ["c"]}}, {},
        {"/triggers/0": "a delay has no instants that `calendar` could choose | remove calendar"},
    ),
    "workday": (
        {**DELAY, "workday": {"nth": 1, "of": "month"}}, {},
        {"/triggers/0": "a delay has no instants that `workday` could choose | remove workday"},
    ),
    "jitter": (
        {**DELAY, "jitter": "1m"}, {},
        {"/triggers/0": "a delay fires at once: a jitter means nothing beside it | remove jitter"},
    ),
    "catchup": (
        DELAY, {"policies": {"catchup": {"mode": "all"}}},
        {"/policies/catchup": "nothing is caught up of a delay after the last run: at most one is due, and"
         " fires late | remove catchup, or make two jobs of it"},
    ),
    "short": ({"every": {"delay": "1ms"}}, {}, {"/triggers/0/every": "the shortest period is 100 ms | "}),
    "another word": (
        {"every": {"dely": "1m"}}, {},
        {"/triggers/0/every": "unknown field 'dely' | such as every: 15m, or every: {delay: 10m}"},
    ),
    "nothing": (
        {"every": {}}, {},
        {"/triggers/0/every": "it says no delay | such as every: 15m, or every: {delay: 10m}"},
    ),
    "a number": (
        {"every": {"delay": 5}}, {},
        {"/triggers/0/every": "a duration is text with a unit, not a number | such as \"90s\" or \"1h30m\""},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_DELAYS)
def test_a_mistake_in_a_delay_has_its_problem(name: str) -> None:
    trigger, more, problems = WRONG_DELAYS[name]
    assert refused({"job": "j", "noop": True, "triggers": [trigger], **more}) == problems


def test_a_schedule_has_no_delays_since_each_job_has_its_own_ends() -> None:
    said = refused({"schedule": "s", "triggers": [DELAY]})
    assert said == {"/triggers/0/every": "every has no instants that jobs could share | say it in each job"}


def test_a_job_may_catch_up_as_by_default_beside_a_delay() -> None:
    job = {"job": "j", "noop": True, "triggers": [DELAY], "policies": {"catchup": {"mode": "latest"}}}
    assert parse_job(job).triggers[0].key
