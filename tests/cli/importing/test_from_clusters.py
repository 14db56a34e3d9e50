"""Jobs of Kubernetes, Dkron and Chronos: what becomes of them, and what is told by line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.importing.found import Found
from tests.cli.importing.walk import notes, one, read, refused

KUBERNETES = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: report}
spec:
  schedule: "30 2 * * *"
  concurrencyPolicy: Replace
  startingDeadlineSeconds: 600
  suspend: true
  jobTemplate:
    spec:
      backoffLimit: 2
      activeDeadlineSeconds: 3600
      template:
        spec:
          nodeSelector: {disk: ssd}
          initContainers:
            - {name: fetch, image: "example.org/fetch:1"}
          containers:
            - name: report
              image: example.org/report:1
              command: [python, -m, report]
              args: ["--all"]
              env:
                - {name: DAY, value: "1"}
                - name: TOKEN
                  valueFrom: {secretKeyRef: {name: x, key: y}}
"""


def test_a_cronjob_runs_its_containers_one_after_the_other() -> None:
    found = read("kubernetes", KUBERNETES, tz_given=False)
    job = one(found)
    assert (job["enabled"], job["policies"]["overlap"]) == (False, "terminate_running")
    assert job["policies"]["catchup"] == {"mode": "latest", "window": "10m"}
    assert job["tasks"]["fetch"]["exec"] == ["docker", "run", "--rm", "example.org/fetch:1"]
    assert job["tasks"]["report"] == {
        "exec": [
            "docker",
            "run",
            "--rm",
            "--env",
            "DAY=1",
            "--entrypoint",
            "python",
            "example.org/report:1",
            "-m",
            "report",
            "--all",
        ],
        "needs": ["fetch"],
        "retry": {"max": 2, "first": "10s", "cap": "6m"},
        "timeout": "1h",
    }
    told = dict(notes(found))
    assert "nodeSelector is not taken over" in told[15]
    assert "put it as a secret" in told[26]
    assert any("UTC was taken, --tz says otherwise" in reason for _, reason in notes(found))


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("0 3 * * 7", "Sunday is 0 there"),
        ("0 3 * * 5-1", "'5-1' is no weekday there"),
        ("60 3 * * *", "'60' is no minute there"),
        ("*/0 3 * * *", "'*/0' is no minute there"),
        ("0 3 * *", "has 4 fields"),
        ("@daly", "refuses it"),
        ("@every soon", "no duration"),
        ("x 3 * * *", "'x' is no minute there"),
    ],
)
def test_a_schedule_that_kubernetes_refuses_is_not_taken(schedule: str, said: str) -> None:
    assert said in refused(read("kubernetes", KUBERNETES.replace("30 2 * * *", schedule)))


def test_every_counts_from_the_creation_in_whole_seconds() -> None:
    text = KUBERNETES.replace("30 2 * * *", "@every 1h30m0.9s").replace(
        "{name: report}", "{name: report, creationTimestamp: '2026-01-01T00:00:07Z'}"
    )
    assert one(read("kubernetes", text))["triggers"] == [{"every": "90m", "start": "2026-01-01T00:00:07Z"}]


def test_two_containers_and_many_completions_are_not_taken() -> None:
    more = KUBERNETES.replace(
        "          containers:\n", "          containers:\n            - {name: b, image: b}\n"
    )
    assert refused(read("kubernetes", more)).startswith("18: 2 containers")
    assert "fanout" in refused(read("kubernetes", KUBERNETES.replace("backoffLimit: 2", "completions: 3")))


def test_two_of_one_name_are_told() -> None:
    found = read("kubernetes", f"{KUBERNETES}---\n{KUBERNETES}")
    assert len(found.jobs) == 1
    assert [(p.line, p.reason) for p in found.problems] == [
        (28, "its name becomes report, which line 1 has already: rename one of them")
    ]
    assert len([note for note in found.notes if note.line > 27]) == 0


def dkron(**job: Any) -> Found:
    return read("dkron", json.dumps([{"name": "a", "schedule": "0 0 3 * * *", "timezone": "UTC", **job}]))


def test_dkron_hands_words_to_the_program_where_shell_is_not_true() -> None:
    found = dkron(
        executor_config={"command": "date | wc -l", "env": "A=b,C=d"}, retries=2, concurrency="forbid"
    )
    job = one(found)
    assert (job["exec"], job["env"]) == (["date", "|", "wc", "-l"], {"A": "b", "C": "d"})
    assert job["retry"] == {"max": 2, "backoff": "constant", "first": "1ms"}
    assert job["policies"] == {"overlap": "skip", "catchup": {"mode": "none"}}
    assert any("operators of a shell are arguments" in reason for _, reason in notes(found))
    assert one(dkron(executor_config={"command": "date | wc", "shell": "true"}))["run"] == "date | wc"


def test_dkrons_tags_say_on_which_agents_and_on_how_many() -> None:
    config = {"command": "date"}
    assert "fanout" not in one(dkron(executor_config=config, tags={"role": "web:1"}))
    on_all = one(dkron(executor_config=config, tags={"role": "web"}))
    assert (on_all["on"], on_all["fanout"]["all"]) == ({"labels": {"role": "web"}}, "registered")
    assert "fanout: {n: 2}" in refused(dkron(executor_config=config, tags={"role": "web:2"}))


def test_a_job_of_dkron_with_a_parent_has_no_schedule() -> None:
    jobs = [
        {"name": "a", "schedule": "@manually", "executor_config": {"command": "x"}},
        {"name": "b", "schedule": "@daily", "parent_job": "a", "executor_config": {"command": "x"}},
        {"name": "c", "parent_job": "gone", "executor_config": {"command": "x"}},
    ]
    found = read("dkron", json.dumps(jobs, indent=0))
    assert [job.get("triggers") for job in found.jobs] == [None, [{"after": "a.succeeded"}]]
    assert [p.reason for p in found.problems] == ["parent_job: gone is not in what is imported"]


def test_what_else_dkron_says_of_a_job() -> None:
    config = {
        "method": "POST",
        "url": "https://a.example.org/",
        "expectCode": "200,201",
        "timeout": "5",
        "headers": '["A: b"]',
    }
    job = one(
        dkron(
            executor="http",
            executor_config=config,
            disabled=True,
            owner="ops",
            starts_at="2026-01-01T00:00:00Z",
        )
    )
    assert job["http"] == {
        "method": "POST",
        "url": config["url"],
        "expect": [200, 201],
        "headers": {"A": "b"},
    }
    assert (job["enabled"], job["owner"], job["timeout"]) == (False, "ops", "5s")
    assert job["triggers"][0]["valid"] == {"from": "2026-01-01T00:00:00Z"}
    assert "only shell and http" in refused(dkron(executor="kafka", executor_config={}))
    assert "six fields, seconds first" in refused(
        dkron(schedule="0 3 * * *", executor_config={"command": "x"})
    )


def chronos(*jobs: dict[str, Any]) -> Found:
    return read("chronos", json.dumps([{"command": "x", **job} for job in jobs], indent=0))


def test_a_job_of_chronos_is_caught_up_once_however_late_and_tried_again_after_a_minute() -> None:
    found = chronos(
        {"name": "a", "schedule": "R/2026-01-31T00:00:00Z/P1M", "epsilon": "PT1M", "owner": "o@example.org"}
    )
    job = one(found)
    assert job["policies"] == {"overlap": "skip", "catchup": {"mode": "latest", "window": "3650d"}}
    assert (job["retry"], job["owner"]) == ({"max": 2, "backoff": "constant", "first": "1m"}, "o@example.org")
    assert any("Chronos drifts" in reason for _, reason in notes(found))
    assert any("epsilon was not read" in reason for _, reason in notes(found))


def test_children_of_chronos_wait_for_their_parents_of_which_a_soft_error_is_no_failure() -> None:
    found = chronos(
        {"name": "a", "schedule": "R//PT1H", "softError": True},
        {"name": "b", "schedule": "R//PT1H", "retries": 0},
        {"name": "c", "parents": ["a", "b"]},
        {"name": "d", "parents": ["gone"]},
    )
    assert found.jobs[2]["triggers"] == [{"after": "a.ended and b.succeeded"}]
    assert [p.reason for p in found.problems] == [
        "its parent gone is not in what is imported: Chronos drops such a job"
    ]


def test_what_chronos_cannot_give_is_told() -> None:
    assert "never ran there" in refused(chronos({"name": "a", "schedule": "R0//PT1H"}))
    assert "expected R[number]/start/period" in refused(chronos({"name": "a", "schedule": "daily"}))
    constraint = {"name": "a", "schedule": "R//PT1H", "constraints": [["rack", "LIKE", "a.*"]]}
    assert "only EQUALS" in refused(chronos(constraint))
    zone = chronos({"name": "a", "schedule": "R/2026-01-01T00:00:00Z/P1D", "scheduleTimeZone": "Mars/Base"})
    assert one(zone)["triggers"][0]["tz"] == "UTC"
    container = {"name": "a", "schedule": "R//PT1H", "container": {"type": "DOCKER", "image": "i"}}
    assert one(chronos(container))["exec"] == [
        "docker",
        "run",
        "--rm",
        "--entrypoint",
        "/bin/sh",
        "i",
        "-c",
        "x",
    ]
