"""Workflows of JS7 and jobs of JobScheduler 1.x: what becomes of them, and what is told by line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.importing.found import Found
from tests.cli.importing.walk import notes, one, read, read_all, refused


def workflow(*instructions: dict[str, Any], **job: Any) -> dict[str, Any]:
    executable = {"TYPE": "ShellScriptExecutable", "script": "x"}
    return {
        "instructions": instructions,
        "jobs": {name: {"executable": executable, **job} for name in "abcd"},
    }


def execute(name: str) -> dict[str, Any]:
    return {"TYPE": "Execute.Named", "jobName": name}


def test_a_fork_of_js7_is_tasks_beside_each_other() -> None:
    fork = {"TYPE": "Fork", "branches": [{"id": n, "workflow": {"instructions": [execute(n)]}} for n in "bc"]}
    found = read(
        "js7", json.dumps(workflow(execute("a"), fork, execute("d"), agentName="db")), "load.workflow.json"
    )
    tasks = one(found)["tasks"]
    assert {name: task.get("needs") for name, task in tasks.items()} == {
        "a": None,
        "b": ["a"],
        "c": ["a"],
        "d": ["b", "c"],
    }
    assert tasks["a"]["on"] == {"labels": {"agent": "db"}}
    assert any("it has no times" in reason for _, reason in notes(found))


def test_instructions_of_js7_that_are_something_else_here_say_what() -> None:
    assert "instruction Lock is not taken over: here it is `locks`" in refused(
        read("js7", json.dumps(workflow({"TYPE": "Lock"})))
    )
    java = {"TYPE": "InternalExecutable", "className": "a.B"}
    assert "no job in a JVM" in refused(read("js7", json.dumps(workflow(execute("a"), executable=java))))


def schedule(**more: Any) -> dict[str, Any]:
    part = {
        "calendarName": "c",
        "timeZone": "UTC",
        "periods": [{"singleStart": "05:30", "whenHoliday": "NEXTNONWORKINGDAY"}],
    }
    return {"workflowNames": ["a"], "planOrderAutomatically": True, "calendars": [part], **more}


def js7(schedule_: dict[str, Any], calendar: dict[str, Any]) -> Found:
    texts = {
        "a.workflow.json": workflow(execute("a")),
        "a.schedule.json": schedule_,
        "c.calendar.json": calendar,
    }
    return read_all("js7", {name: json.dumps(data) for name, data in texts.items()})


def test_a_schedule_of_js7_reads_its_calendar_and_leaves_out_days_off() -> None:
    days = {"type": "WORKINGDAYSCALENDAR", "includes": {"weekdays": [{"days": [1, 2]}]}}
    found = js7(schedule(nonWorkingDayCalendars=[{"calendarName": "off"}]), days)
    assert one(found)["triggers"] == [
        {"cron": "30 5 * * 1,2", "tz": "UTC", "calendar": {"exclude": ["off"], "nonworking": "after"}}
    ]
    assert any("put the calendar off first" in reason for _, reason in notes(found))


def test_schedules_of_js7_that_do_not_map_are_told() -> None:
    days = {"type": "WORKINGDAYSCALENDAR", "includes": {"weekdays": [{"days": [1]}]}}
    assert "never ran by itself" in js7(schedule(planOrderAutomatically=False), days).problems[0].reason
    assert (
        "make a calendar of them"
        in js7(schedule(), {"includes": {"dates": ["2026-01-01"]}}).problems[0].reason
    )
    window = schedule(calendars=[{"calendarName": "c", "timeZone": "UTC", "periods": [{"begin": "01"}]}])
    assert "is a window" in js7(window, days).problems[0].reason


def jobscheduler(inside: str, more: str = "") -> Found:
    text = f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<job {more}>\n{inside}\n</job>'
    return read("jobscheduler", text, "live/a.job.xml")


SHELL = '<script language="shell"><![CDATA[\necho hi\n]]></script>'


def test_a_job_of_jobscheduler() -> None:
    found = jobscheduler(
        f'<params><param name="day" value="x"/></params>{SHELL}<monitor/>'
        '<delay_after_error error_count="2" delay="00:01"/><delay_after_error error_count="5" delay="stop"/>',
        'title="Nightly ü" process_class="db" enabled="no"',
    )
    job = one(found)
    assert (job["job"], job["description"], job["enabled"]) == ("a", "Nightly ü", False)
    assert (job["script"], job["env"]) == ("echo hi\n", {"SCHEDULER_PARAM_DAY": "x"})
    assert job["policies"]["failures"] == {"2": "1m", "5": "pause"}
    assert any("<monitor> is not taken over" in reason for _, reason in notes(found))


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ('<script language="java"/>', "no job in a JVM"),
        ("", "it has no script"),
        (f"{SHELL}<run_time><period begin='05:00'/></run_time>", "is a window"),
        (
            f"{SHELL}<run_time><period single_start='05:00' repeat='10'/></run_time>",
            "say which of them is meant",
        ),
        (f"{SHELL}<run_time schedule='/x'/>", "it names a schedule"),
        (f"{SHELL}<run_time><holidays/></run_time>", "make a calendar of them"),
        (f"{SHELL}<run_time><weekdays><day day='xx'/></weekdays></run_time>", "no day of the week"),
        (f"{SHELL}<run_time><period single_start='25:00'/></run_time>", "no time of the day"),
    ],
)
def test_what_of_jobscheduler_does_not_map_is_told(inside: str, said: str) -> None:
    assert said in refused(jobscheduler(inside))
