"""What a namespace says holds over the deaths of leaders: quotas of runs, defaults of jobs, plan dates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from bench.cluster import Cluster, wait_for
from bench.evidence import milliseconds
from tests.e2e.cluster import DEADLINE_S

pytestmark = pytest.mark.cluster

PATH = "/v1/namespaces/narrow"
JOBS = 40
RUNS = 6
PLAN = {"tz": "Etc/GMT+12", "begin": "23:00"}  #: never the date of UTC
BEHIND = timedelta(hours=35)


def lose_the_leader(cluster: Cluster) -> None:
    leader = cluster.leader()
    leader.kill()
    cluster.leader(other_than=leader.name)
    leader.start()


def runs_of(cluster: Cluster) -> list[dict[str, Any]]:
    reply = cluster.client.ask("GET", "/v1/runs?namespace=narrow&limit=100")
    found: list[dict[str, Any]] = reply.json()["items"]
    return found


def test_quotas_and_plan_dates_hold_over_the_death_of_a_leader(cluster: Cluster) -> None:
    ask = cluster.client.ask
    quotas = {"active_runs": 1, "starts_per_minute": RUNS}
    ask("PUT", PATH, {"quotas": quotas, "plan": PLAN})
    ask("PUT", "/v1/jobs/one?namespace=narrow", {"run": "sleep 0.5"})
    for _ in range(RUNS):
        ask("POST", "/v1/jobs/one/runs?namespace=narrow", {})
    wait_for(lambda: any(run["state"] == "running" for run in runs_of(cluster)), DEADLINE_S, "a first run")
    lose_the_leader(cluster)
    one_more = ask("POST", "/v1/jobs/one/runs?namespace=narrow", {}).json()["id"]

    def first_ones() -> list[dict[str, Any]]:
        return [run for run in runs_of(cluster) if run["id"] != one_more]

    wait_for(lambda: all(run["state"] == "succeeded" for run in first_ones()), DEADLINE_S, "all runs to end")
    spans = sorted((milliseconds(run["started"]), milliseconds(run["finished"])) for run in first_ones())
    assert len(spans) == RUNS
    assert all(end_ms <= start_ms for (_, end_ms), (start_ms, _) in pairwise(spans)), "one at a time"
    last = next(run for run in runs_of(cluster) if run["id"] == one_more)
    assert (last["state"], last["started"]) == ("pending", None), "the quota of starts holds it"
    for run in runs_of(cluster):
        created = datetime.fromtimestamp(milliseconds(run["created"]) / 1000, UTC)
        assert run["plan_date"] == (created - BEHIND).date().isoformat()
    ask("DELETE", "/v1/jobs/one?namespace=narrow")


def test_jobs_follow_the_last_defaults_though_the_leader_dies_meanwhile(cluster: Cluster) -> None:
    ask = cluster.client.ask
    ask("PUT", PATH, {"defaults": {"labels": {"team": "first"}}})
    jobs = [{"job": f"j-{number:02}", "namespace": "narrow", "noop": True} for number in range(JOBS)]
    ask("POST", "/v1/apply", {"jobs": jobs, "source": "e2e"})
    for team in ("second", "third"):
        ask("PUT", PATH, {"defaults": {"labels": {"team": team}}})
        lose_the_leader(cluster)
    wait_for(lambda: not ask("GET", PATH).json()["following"], DEADLINE_S, "all jobs to follow")
    found = ask("GET", f"/v1/jobs?namespace=narrow&limit={JOBS}").json()["items"]
    assert [job["labels"] for job in found] == [{"team": "third"}] * JOBS
    ask("POST", "/v1/apply", {"jobs": [], "source": "e2e", "prune": True, "prune_max": JOBS})
