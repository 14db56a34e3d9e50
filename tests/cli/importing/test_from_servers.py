"""Jobs of Rundeck, Cronicle, JumpCloud and Airflow: what becomes of them, and what is told by line."""

from __future__ import annotations

import json

import pytest

from tests.cli.importing.walk import notes, one, read, refused

RUNDECK = """\
- name: nightly load
  group: ops/db
  timeZone: Europe/Berlin
  retry: {retry: '2', delay: 5m}
  timeout: 2h
  options:
    - {name: region, value: eu, enforced: true, values: [eu, us]}
  schedule: {time: {hour: '02', minute: '30'}, weekday: {day: '2-6'}}
  sequence:
    keepgoing: true
    commands:
      - exec: /opt/a ${option.region}
      - {script: "echo hi", scriptInterpreter: bash -e}
      - jobref: {name: other}
  notification: {onfailure: {email: {recipients: a@example.org}, url: "https://a.example.org/"}}
"""


def test_steps_of_rundeck_are_tasks_and_options_parameters() -> None:
    found = read("rundeck", RUNDECK)
    job = one(found)
    assert (job["job"], job["labels"], job["policies"]["timeout"]) == (
        "nightly-load",
        {"group": "ops/db"},
        "2h",
    )
    assert job["params"] == {"region": {"type": "string", "default": "eu", "enum": ["eu", "us"]}}
    assert job["tasks"]["step-1"]["run"] == "/opt/a ${CRONCLAVE_PARAM_REGION}"
    assert job["tasks"]["step-2"]["script"] == {"text": "echo hi", "interpreter": ["bash", "-e"]}
    assert job["tasks"]["step-3"] == {
        "job": {"name": "other", "wait": True},
        "needs": ["step-2"],
        "rule": "all_done",
    }
    assert job["notify"] == [{"on": ["failed"], "email": ["a@example.org"]}]
    assert (15, "url is not taken over") in notes(found)


@pytest.mark.parametrize(
    ("text", "by", "said"),
    [
        ("'2'", "'${option.n}'", "4: retry: ${option.n}"),
        ("2h", "'${option.t}'", "5: timeout"),
        ("${option.region}", "${option.gone}", "12: option gone: there is no such option"),
        ("${option.region}", "@node.name@", "12: @node.name@: only options"),
        ("value: eu", "value: eu, secure: true", "7: option region is secret"),
        ("'2-6'", "'8'", "8: '8' is no weekday of Quartz, where Sunday is 1"),
        ("      - exec", "      - {configuration: {}, type: x}\n      - exec", "12: a step of another kind"),
    ],
)
def test_what_of_rundeck_cannot_be_kept_is_told_by_line(text: str, by: str, said: str) -> None:
    assert refused(read("rundeck", RUNDECK.replace(text, by))).startswith(said)


def test_of_a_script_variables_alone_are_options() -> None:
    text = RUNDECK.replace('"echo hi"', "'echo \"$RD_OPTION_REGION ${option.region}\"'")
    found = read("rundeck", text)
    script = one(found)["tasks"]["step-2"]["script"]["text"]
    assert script == 'echo "$CRONCLAVE_PARAM_REGION ${option.region}"'
    assert any("not in scripts" in reason for _, reason in notes(found))
    assert "there is no such option" in refused(read("rundeck", RUNDECK.replace("echo hi", "$RD_OPTION_X")))
    assert "only options" in refused(read("rundeck", RUNDECK.replace("echo hi", "@option.region@")))


def test_a_schedule_that_says_no_time_is_not_taken() -> None:
    text = RUNDECK.replace("time: {hour: '02', minute: '30'}", "hour: '2', minute: '0'")
    assert refused(read("rundeck", text)).startswith("8: a schedule without crontab and time")


def test_a_weekday_beside_a_day_of_month_and_what_is_switched_off() -> None:
    text = (
        RUNDECK.replace("weekday: {day: '2-6'}", "dayofmonth: {day: '1'}, weekday: {day: '2'}")
        + "  executionEnabled: false\n"
    )
    found = read("rundeck", text)
    assert one(found)["triggers"][0]["cron"] == "30 2 1 * *"
    assert one(found)["enabled"] is False
    assert {line for line, _ in notes(found)} >= {8, 16}


def test_agents_take_the_place_of_rundecks_nodes() -> None:
    text = RUNDECK + "  nodefilters: {filter: 'role: db', dispatch: {threadcount: '3'}}\n"
    task = one(read("rundeck", text))["tasks"]["step-1"]
    assert task["on"] == {"labels": {"role": "db"}}
    assert task["fanout"] == {"all": "registered", "ttl": "1m", "max_parallel": 3}
    assert "only NAME: VALUE" in refused(read("rundeck", text.replace("role: db", "!role: db")))


def test_events_of_cronicle_and_their_chains() -> None:
    events = [
        {
            "id": "1",
            "title": "A b",
            "plugin": "shellplug",
            "params": {"script": "x"},
            "timing": {"minutes": [0]},
            "timezone": "UTC",
            "catch_up": 1,
            "retries": 1,
            "retry_delay": 30,
            "chain": "2",
            "target": "db",
            "notify_fail": "a@example.org",
            "web_hook": "https://a.example.org/",
        },
        {
            "id": "2",
            "title": "B",
            "plugin": "urlplug",
            "params": {"method": "get", "url": "https://a.example.org/"},
            "enabled": 0,
        },
        {"id": "3", "title": "C", "plugin": "own", "params": {}},
    ]
    found = read("cronicle", json.dumps({"rows": events}, indent=0))
    first, second = found.jobs
    assert (first["job"], first["on"], first["policies"]["catchup"]) == (
        "A-b",
        {"labels": {"group": "db"}},
        {"mode": "all"},
    )
    assert first["retry"]["first"] == "30s"
    assert second["triggers"] == [{"after": "A-b.succeeded", "id": "chain-A-b"}]
    assert (second["http"]["method"], second["enabled"]) == ("GET", False)
    assert "plugin own" in found.problems[0].reason
    assert first["notify"] == [{"on": ["failed"], "email": ["a@example.org"]}]
    assert any("web_hook is not taken over" in reason for _, reason in notes(found))


def test_an_export_of_cronicle_keeps_its_lines() -> None:
    event = {
        "id": "1",
        "title": "A",
        "plugin": "shellplug",
        "params": {"script": "x"},
        "timing": False,
        "foo": 1,
    }
    page = json.dumps({"items": [event]})
    text = f'# Cronicle Data Export v1.0\nglobal/schedule - {{"type":"list"}}\nglobal/schedule/0 - {page}\n'
    found = read("cronicle", text)
    assert one(found)["script"] == "x"
    assert (3, "foo is not taken over") in notes(found)


def test_triggers_of_xyops() -> None:
    event = {
        "title": "A",
        "plugin": "shellplug",
        "params": {"script": "x"},
        "targets": ["all"],
        "triggers": [
            {"type": "manual", "enabled": True},
            {"type": "interval", "enabled": True, "duration": 3600},
            {"type": "schedule", "enabled": True, "hours": [3], "minutes": [0], "timezone": "UTC"},
        ],
    }
    assert one(read("cronicle", json.dumps({"rows": [event]})))["triggers"] == [
        {"every": "1h"},
        {"cron": "0 3 * * *", "tz": "UTC"},
    ]


def test_a_command_of_jumpcloud_runs_on_all_agents_as_root() -> None:
    commands = [
        {
            "name": "a",
            "command": "x",
            "commandType": "linux",
            "launchType": "manual",
            "timeout": "300",
            "timeToLiveSeconds": 60,
        },
        {"name": "b", "command": "x", "commandType": "windows"},
        {"name": "c", "command": "x", "commandType": "mac", "launchType": "trigger", "trigger": "deploys"},
    ]
    found = read("jumpcloud", json.dumps({"totalCount": 3, "results": commands}, indent=0))
    a, c = found.jobs
    assert (a["run_as"], a["timeout"], a["on"]) == ("root", "5m", {"labels": {"os": "linux"}})
    assert a["fanout"] == {"all": "registered", "ttl": "1m", "offline": "skip"}
    assert (c["timeout"], c["fanout"]["ttl"]) == ("2m", "10d")
    assert [p.reason for p in found.problems] == ["commandType: windows: agents run on Linux and macOS"]
    assert any("{webhook: deploys}" in reason for _, reason in notes(found))


def test_dags_are_asked_to_run_where_they_are() -> None:
    dags = [
        {
            "dag_id": "etl",
            "timetable_summary": "0 3 * * *",
            "is_paused": True,
            "max_active_runs": 1,
            "catchup": True,
        },
        {
            "dag_id": "delta",
            "schedule": {"type": "DeltaTriggerTimetable", "delta": 5400},
            "start_date": "2026-01-01T00:00:00Z",
        },
        {
            "dag_id": "cron",
            "schedule": {
                "__type": "airflow.timetables.trigger.CronTriggerTimetable",
                "__var": {"expression": "30 2 * * *", "timezone": "Europe/Berlin"},
            },
        },
        {"dag_id": "asset", "timetable_summary": "Asset"},
        {"dag_id": "none", "timetable_summary": None},
    ]
    found = read("airflow", json.dumps({"dags": dags}, indent=0))
    etl, delta, cron, none = found.jobs
    assert (etl["exec"], etl["enabled"]) == (["airflow", "dags", "trigger", "etl"], False)
    assert (etl["policies"]["overlap"], etl["policies"]["catchup"]["mode"]) == ("skip", "all")
    assert delta["triggers"] == [{"every": "90m", "start": "2026-01-01T00:00:00Z"}]
    assert cron["triggers"] == [{"cron": "30 2 * * *", "tz": "Europe/Berlin"}]
    assert "triggers" not in none
    assert "only cron and time deltas" in found.problems[0].reason
    assert any("in the two nights" in reason for _, reason in notes(found))
