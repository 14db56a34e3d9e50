"""Bad input, sent over HTTP to a real node: each gets its own clear problem+json, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.cluster import Cluster, free_base_port, layout, wait_for
from tests.e2e.cluster import DEADLINE_S, PORTS

pytestmark = pytest.mark.cluster

RUN: dict[str, Any] = {"run": "true"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all of these: what is refused leaves nothing behind."""
    made = layout(tmp_path_factory.mktemp("input") / "cluster", base_port=free_base_port(*PORTS, 3), agents=1)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def cron(expression: str, **fields: Any) -> dict[str, Any]:
    return {**RUN, "triggers": [{"cron": expression, **fields}]}


def graph(**needs: list[str]) -> dict[str, Any]:
    return {"tasks": {name: {"run": "true", "needs": wanted} for name, wanted in needs.items()}}


# What, the body, where the problem is, words that its text must have.
BAD_JOBS: list[tuple[str, dict[str, Any], str, list[str]]] = [
    ("cron-field", cron("61 * * * *"), "/triggers/0/cron", ["minute", "61"]),
    ("cron-fields", cron("* * *"), "/triggers/0/cron", ["field"]),
    ("impossible-date", cron("0 0 30 2 *"), "/triggers/0/cron", ["never"]),
    ("past", {**RUN, "triggers": [{"at": "2001-01-01T00:00:00Z"}]}, "/triggers/0/at", ["past"]),
    ("zone", cron("0 2 * * *", tz="Europe/Berlim"), "/triggers/0/tz", ["Europe/Berlin"]),
    ("unknown-field", {**RUN, "polices": {}}, "/polices", ["policies"]),
    ("wrong-type", {**RUN, "policies": {"priority": "high"}}, "/policies/priority", ["priority"]),
    ("wrong-shape", {**RUN, "labels": ["a"]}, "/labels", ["labels"]),
    ("cycle", graph(a=["b"], b=["a"]), "", ["a", "b"]),
    ("unknown-need", graph(a=["nowhere"]), "", ["nowhere"]),
    ("negative", {**RUN, "policies": {"timeout": "-5s"}}, "/policies/timeout", ["negative"]),
    ("zero", {**RUN, "policies": {"timeout": "0s"}}, "/policies/timeout", ["zero"]),
    ("zero-period", {**RUN, "triggers": [{"every": "0s"}]}, "/triggers/0/every", ["0"]),
    ("no-work", {"triggers": [{"every": "1m"}]}, "", ["work"]),
]


@pytest.mark.parametrize(("what", "job", "pointer", "words"), BAD_JOBS, ids=[what for what, *_ in BAD_JOBS])
def test_a_bad_job_is_refused_with_the_field_and_the_reason(
    cluster: Cluster, what: str, job: dict[str, Any], pointer: str, words: list[str]
) -> None:
    reply = cluster.client.send("PUT", f"/v1/jobs/{what}", {"job": what, **job}, node=1)

    problem = the_problem(reply, 422, "validation")
    assert problem["errors"], problem
    assert any(error["pointer"].startswith(pointer) for error in problem["errors"]), problem
    text = str(problem)
    assert all(word in text for word in words), problem
    assert cluster.client.send("GET", f"/v1/jobs/{what}").status == 404


@pytest.mark.parametrize("name", ["with spaces", "n" * 5_000], ids=["spaces", "5000-letters"])
def test_a_bad_name_is_refused(cluster: Cluster, name: str) -> None:
    reply = cluster.client.send("POST", "/v1/jobs", {"job": name, **RUN})

    problem = the_problem(reply, 422, "validation")
    assert problem["errors"][0]["pointer"] == "/job"


def test_creating_a_taken_name_is_a_conflict(cluster: Cluster) -> None:
    assert cluster.client.send("POST", "/v1/jobs", {"job": "taken", **RUN}).status == 201

    reply = cluster.client.send("POST", "/v1/jobs", {"job": "taken", **RUN}, node=2)

    assert "taken" in the_problem(reply, 409, "exists")["detail"]


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [(b"", 400, "empty-body"), (b"{not json", 400, "not-json"), (b'"x' + b"y" * (2 << 20), 413, "too-large")],
    ids=["empty", "not-json", "2-MiB"],
)
def test_a_bad_body_is_refused(cluster: Cluster, body: bytes, status: int, kind: str) -> None:
    headers = {"Content-Type": "application/json"}

    reply = cluster.client.send("POST", "/v1/jobs", body, headers=headers)

    the_problem(reply, status, kind)


def test_without_a_token_nothing_is_told(cluster: Cluster) -> None:
    reply = cluster.client.send("GET", "/v1/jobs", headers={"Authorization": ""})

    the_problem(reply, 401, "unauthorized")
    assert "bearer" in reply.headers["www-authenticate"].lower()
    wrong = cluster.client.send("GET", "/v1/jobs", headers={"Authorization": "Bearer wrong"})
    the_problem(wrong, 401, "unauthorized")


def test_a_job_that_no_agent_can_take_is_accepted_and_says_so(cluster: Cluster) -> None:
    job = {"job": "lonely", **RUN, "on": {"pool": "nobody-is-here"}}

    assert cluster.client.ask("PUT", "/v1/jobs/lonely", job).status == 201

    wait_for(
        lambda: cluster.client.get("/v1/jobs/lonely")["state"] == "unplaceable", DEADLINE_S, "it says so", 0.1
    )


def the_problem(reply: Any, status: int, kind: str) -> dict[str, Any]:
    """The problem document of a reply, which has all that a reader needs."""
    assert reply.status == status, reply
    assert reply.headers["content-type"].startswith("application/problem+json")
    problem: dict[str, Any] = reply.json()
    assert problem["type"].endswith(kind)
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    return problem
