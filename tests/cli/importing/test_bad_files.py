"""Files that are none of a format, and values of a wrong kind, are answered in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.importing.formats import FORMATS
from cli.importing.found import UnreadableError
from tests.cli.importing.walk import read


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("kubernetes", "kind: CronJob\n  x: [\n", "file:2:"),
        ("kubernetes", "kind: Service\n", "no object of kind CronJob"),
        ("kubernetes", "- a\n", "file:1: expected an object"),
        ("dkron", "[1]", "file:1: expected an object"),
        ("dkron", '[{"name": "a",}', "file:2:1: not valid"),
        ("js7", "{}", "no workflow"),
        ("jobscheduler", "<job>\n<script>\n</job>", "file:3:3: not valid XML: mismatched tag"),
        ("jobscheduler", "<spooler/>", "no element <job>"),
        ("jobscheduler", '<!DOCTYPE a [<!ENTITY x "y">]>\n<job/>', "file:1: it declares the entity x"),
        ("jobscheduler", "<a>" * 60, "file:1: nested deeper than 50 levels"),
        ("systemd", "[Timer]\n", "no file is called NAME.timer"),
    ],
)
def test_a_file_that_is_none_of_the_format_is_refused_with_its_line(name: str, text: str, said: str) -> None:
    with pytest.raises(UnreadableError) as refusal:
        read(name, text)
    assert said in str(refusal.value)


@pytest.mark.parametrize("name", sorted({*FORMATS} - {"systemd", "jobscheduler", "anacron", "runparts"}))
@pytest.mark.parametrize("value", [[], {}, 7, "x", True, None, [1], {"a": [None]}])
def test_values_of_a_wrong_kind_never_raise(name: str, value: Any) -> None:
    """Whatever stands in a field of the file is a job, a problem by line, or an unreadable file."""
    keys = [
        "name",
        "schedule",
        "executor_config",
        "tags",
        "retries",
        "retry",
        "timeout",
        "options",
        "sequence",
        "nodefilters",
        "timing",
        "params",
        "triggers",
        "results",
        "rows",
        "dags",
        "dag_id",
        "command",
        "environmentVariables",
        "constraints",
        "parents",
        "container",
        "metadata",
        "spec",
        "kind",
        "items",
        "instructions",
        "jobs",
        "workflowNames",
        "calendars",
        "timezone",
        "timeZone",
        "title",
        "plugin",
        "launchType",
        "timetable",
    ]
    for key in keys:
        base = {
            "name": "a",
            "title": "a",
            "dag_id": "a",
            "kind": "CronJob",
            "instructions": [],
            "command": "x",
        }
        try:
            read(name, json.dumps([base | {key: value}]))
        except UnreadableError:
            continue
