"""Namespaces over HTTP: declared, read, listed, narrowed, and no more declared."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest

EARLY = "what is late is skipped when its date is closed: leave it time, such as 1d"
PATH = "/v1/namespaces/finance"
DECLARED: dict[str, Any] = {
    "description": "money", "owner": "ann", "plan": {"tz": "Europe/Berlin", "begin": "06:00"},
    "pools": ["etl", "web"], "run_as": ["batch"], "quotas": {"jobs": 2},
    "before": "./prepare", "after": "./clean-up",
}  # fmt: skip


async def put_job(client: httpx2.AsyncClient, name: str, pool: str = "etl", **query: str) -> httpx2.Response:
    body = {"namespace": "finance", "run": "true", "run_as": "batch", "on": {"pool": pool}}
    return await client.put(f"/v1/jobs/{name}", json=body, params=query)


async def test_it_is_declared_read_and_sent_back_as_it_was_read(client: httpx2.AsyncClient) -> None:
    assert (await client.get(PATH)).status_code == 404
    made = await client.put(PATH, json=DECLARED)
    assert (made.status_code, made.headers["etag"]) == (201, '"1"'), made.text
    found = (await client.get(PATH)).json()
    assert found == {**DECLARED, "namespace": "finance", **{key: found[key] for key in TOLD}}
    assert (found["declared"], found["revision"], found["jobs"], found["actor"]) == (True, 1, 0, "admin")
    again = await client.put(PATH, json=found)
    assert (again.status_code, again.json()["revision"]) == (200, 1)
    assert (await client.put(PATH, json={}, headers={"If-Match": '"7"'})).status_code == 412
    assert (await client.put(PATH, json={}, headers={"If-None-Match": "*"})).status_code == 409
    assert (await client.put(PATH, json={}, headers={"If-Match": '"1"'})).json()["revision"] == 2
    items = (await client.get(f"{PATH}/revisions")).json()["items"]
    assert [(item["revision"], item["definition"]["owner"]) for item in items] == [(2, ""), (1, "ann")]


async def test_its_schema_is_served(client: httpx2.AsyncClient) -> None:
    schema = (await client.get("/v1/schemas/namespace")).json()
    assert {*DECLARED, "namespace"} <= set(schema["properties"])
    assert "namespace" in (await client.get("/v1/schemas/none")).json()["hint"]


async def test_its_pause_is_told_while_it_stands(client: httpx2.AsyncClient) -> None:
    await client.put(PATH, json={})
    await put_job(client, "a")
    assert (await client.get(PATH)).json()["pause"] is None
    await client.post(f"{PATH}/pause", json={"reason": "closing", "until": "2199-01-01T00:00:00Z"})
    found = (await client.get(PATH)).json()
    assert (found["pause"]["reason"], found["pause"]["until"]) == ("closing", "2199-01-01T00:00:00Z")
    listed = (await client.get("/v1/namespaces")).json()["items"]
    assert [(each["namespace"], bool(each["pause"])) for each in listed] == [("finance", True)]
    assert (await client.put(PATH, json=found)).json()["revision"] == 1, "what was read can be sent"
    await client.post(f"{PATH}/resume")
    assert (await client.get(PATH)).json()["pause"] is None


async def test_it_is_read_and_written_as_text(client: httpx2.AsyncClient) -> None:
    text = {"Content-Type": "application/yaml"}
    assert (await client.get(f"{PATH}/definition")).status_code == 404
    await client.put(PATH, json={"owner": "ann", "quotas": {"jobs": 2}})
    told = await client.get(f"{PATH}/definition")
    assert told.text == "namespace: finance\nowner: ann\nquotas:\n  jobs: 2\n"
    assert told.headers["ETag"] == '"1"'
    again = await client.put(PATH, content=told.text, headers=text)
    assert (again.status_code, again.json()["revision"]) == (200, 1)
    wrong = await client.put(PATH, content="owner: ann\nquotas:\n  job: 3\n", headers=text)
    (error,) = wrong.json()["errors"]
    assert (wrong.status_code, error["pointer"], error["line"]) == (422, "/quotas/job", 3)
    nothing = await client.put(PATH, content="7", headers=text)
    assert nothing.json()["detail"] == "a namespace is an object, not a number"


TOLD = (
    "declared", "revision", "jobs", "pause", "active_runs", "waiting_runs", "following", "created",
    "changed", "actor",
)  # fmt: skip


@pytest.mark.parametrize(
    ("body", "pointer", "hint"),
    [
        ({"onwer": "ann"}, "/onwer", "did you mean owner?"),
        ({"pools": [1]}, "/pools/0", None),
        ({"pools": ["a b"]}, "/pools/0", None),
        ({"quotas": {"jobs": -1}}, "/quotas/jobs", ""),
        ({"quotas": {"job": 1}}, "/quotas/job", "did you mean jobs?"),
        ({"quotas": {"active_runs": 0}}, "/quotas/active_runs", None),
        ({"quotas": {"starts_per_minute": 6_001}}, "/quotas/starts_per_minute", None),
        ({"quotas": {"active": 1}}, "/quotas/active", "did you mean active_runs?"),
        ({"defaults": {"retyr": {"max": 3}}}, "/defaults/retyr", "did you mean retry?"),
        ({"defaults": {"retry": {"first": "1m"}}}, "/defaults/retry/max", None),
        ({"defaults": {"timeout": "soon"}}, "/defaults/timeout", None),
        ({"defaults": {"policies": {"overlap": "skpi"}}}, "/defaults/policies/overlap", None),
        ({"defaults": {"policies": {"on_lost": "retry"}}}, "/defaults/policies", None),
        ({"defaults": {"run": "true"}}, "/defaults/run", None),
        ({"defaults": {"policies": {"calendar": {"exclude": ["x"]}}}}, "/defaults/policies/calendar", None),
        ({"defaults": {"on": {"pool": "x"}}, "pools": ["etl"]}, "/defaults/on/pool", None),
        ({"run_as": ["ba tch"]}, "/run_as/0", None),
        ({"run_as": [1000]}, "/run_as/0", "its name on the agent's host"),
        ({"run_as": ["1000"]}, "/run_as/0", "name the user: numbers differ from host to host"),
        ({"run_as": ["batch"], "defaults": {"run_as": "web"}}, "/defaults/run_as", None),
        ({"defaults": {"umask": "99"}}, "/defaults/umask", 'write it as "027", in quotes'),
        ({"before": {"run": "x"}}, "/before", None),
        ({"before": ""}, "/before", None),
        ({"after": " \n"}, "/after", None),
        ({"after": "x" * 4_097}, "/after", None),
        ({"before": "true\r\n"}, "/before", None),
        ({"plan": {"tz": "Europe/Berlln"}}, "/plan/tz", None),
        ({"plan": {"begin": "24:00"}}, "/plan/begin", None),
        ({"plan": {"auto_close": 1}}, "/plan/auto_close", 'such as "90s" or "1h30m"'),
        ({"plan": {"auto_close": "30s"}}, "/plan/auto_close", EARLY),
        ({"plan": {"auto_close": "367d"}}, "/plan/auto_close", EARLY),
        ({"plan": {"auto_clos": "1d"}}, "/plan/auto_clos", "did you mean auto_close?"),
        ({"namespace": "web"}, "/namespace", None),
    ],
)
async def test_what_is_none_is_refused_with_its_place(
    client: httpx2.AsyncClient, body: dict[str, Any], pointer: str, hint: str | None
) -> None:
    for dry_run in ("true", "false"):
        reply = await client.put(PATH, json=body, params={"dry_run": dry_run})
        first = reply.json()["errors"][0]
        assert (reply.status_code, first["pointer"]) == (422, pointer), reply.text
        assert hint is None or first.get("hint", "") == hint
    assert (await client.get(PATH)).status_code == 404, "nothing was half applied"


async def test_jobs_beyond_its_quota_or_pools_are_refused_in_dry_runs_too(client: httpx2.AsyncClient) -> None:
    assert (await put_job(client, "old", "spark")).status_code == 201
    trial = (await client.put(PATH, json=DECLARED, params={"dry_run": "true"})).json()
    assert (trial["change"], trial["outside"]) == ("created", ["old"])
    assert (await client.put(PATH, json=DECLARED)).status_code == 201
    for dry_run in ("true", "false"):
        refused = await put_job(client, "new", "elt", dry_run=dry_run)
        error = refused.json()["errors"][0]
        assert (refused.status_code, error["pointer"]) == (422, "/on/pool"), refused.text
        assert error["hint"] == "did you mean etl?"
    assert (await put_job(client, "new")).status_code == 201
    for dry_run in ("true", "false"):
        full = await put_job(client, "third", dry_run=dry_run)
        assert (full.status_code, full.json()["code"]) == (409, "quota"), full.text
    assert (await put_job(client, "new", "web")).status_code == 200


async def test_jobs_of_other_users_are_refused_and_named_in_dry_runs(client: httpx2.AsyncClient) -> None:
    body: dict[str, Any] = {"namespace": "finance", "run": "true"}
    assert (await client.put("/v1/jobs/old", json=body)).status_code == 201
    only: dict[str, Any] = {"run_as": ["batch"]}
    trial = (await client.put(PATH, json=only, params={"dry_run": "true"})).json()
    assert trial["outside"] == ["old"]
    assert (await client.put(PATH, json=only)).status_code == 201
    for user, hint in ((None, "name one of batch"), ("bathc", "did you mean batch?")):
        for dry_run in ("true", "false"):
            job = {**body, "run_as": user}
            refused = await client.put("/v1/jobs/new", json=job, params={"dry_run": dry_run})
            (error,) = refused.json()["errors"]
            assert (refused.status_code, error["pointer"]) == (422, "/run_as"), refused.text
            assert error["hint"] == hint
    assert (await client.put(PATH, json={**only, "defaults": {"run_as": "batch"}})).status_code == 200
    made = await client.put("/v1/jobs/new", json=body)
    assert (made.status_code, made.json()["tasks"]["main"]["run_as"]) == (201, "batch"), made.text
    for dry_run in ("true", "false"):
        refused = await client.put(PATH, json={"run_as": ["web"]}, params={"dry_run": dry_run})
        assert refused.status_code == 422, "it would follow to no user at all"
        assert "job new cannot follow these defaults: /tasks/main/run_as" in refused.json()["detail"]


async def test_a_renamed_job_needs_no_room_beyond_the_quota(client: httpx2.AsyncClient) -> None:
    await client.put(PATH, json={"quotas": {"jobs": 1}})
    for name, dry_runs in (("old", ("false",)), ("new", ("true", "false"))):
        job = {"job": name, "namespace": "finance", "noop": True}
        body = {"jobs": [job], "source": "git", "prune": True}
        for dry_run in dry_runs:
            reply = await client.post("/v1/apply", json=body, params={"dry_run": dry_run})
            assert reply.status_code == 200, reply.text
    jobs = (await client.get("/v1/jobs?namespace=finance")).json()["items"]
    assert [job["name"] for job in jobs] == ["new"]


async def test_one_that_has_jobs_stays_and_others_go(client: httpx2.AsyncClient) -> None:
    await client.put(PATH, json={"quotas": {"jobs": 5}})
    await put_job(client, "old")
    for dry_run in ("true", "false"):
        reply = await client.delete(PATH, params={"dry_run": dry_run})
        assert (reply.status_code, reply.json()["detail"]) == (409, "namespace finance has 1 job")
    await client.delete("/v1/jobs/old", params={"namespace": "finance"})
    assert (await client.delete(PATH, params={"dry_run": "true"})).status_code == 204
    assert (await client.delete(PATH)).status_code == 204
    assert (await client.delete(PATH)).status_code == 404
    assert (await client.get(f"{PATH}/revisions")).json()["items"][0]["deleted"] is True


async def test_the_list_has_declared_ones_and_those_that_jobs_name_page_by_page(
    client: httpx2.AsyncClient,
) -> None:
    for name in ("web", "aero"):
        await client.put(f"/v1/namespaces/{name}", json={})
    await put_job(client, "old")
    found, cursor = [], None
    while True:
        params = {"limit": 1, **({"cursor": cursor} if cursor else {})}
        page = (await client.get("/v1/namespaces", params=params)).json()
        found += [(item["namespace"], item["declared"], item["jobs"]) for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == [("aero", True, 0), ("finance", False, 1), ("web", True, 0)]
    assert (await client.get(PATH)).json()["quotas"] == {}


async def test_a_run_above_the_quota_waits_and_says_so(client: httpx2.AsyncClient) -> None:
    await client.put(PATH, json={"quotas": {"active_runs": 1, "starts_per_minute": 60}})
    assert (await put_job(client, "j")).status_code == 201
    runs = [
        (await client.post("/v1/jobs/j/runs", params={"namespace": "finance"})).json() for _ in range(2)
    ]
    assert [run["waiting"] for run in runs] == [False, True]
    assert runs[1]["tasks"]["main"]["state"] == "blocked"
    told = (await client.get(f"/v1/runs/{runs[1]['id']}/explain")).json()
    gate = next(gate for gate in told["gates"] if gate["state"] == "waits" and gate["gate"] == "quota")
    assert gate["reason"] == "namespace finance has 1 active run; its quota is 1"
    found = (await client.get(PATH)).json()
    assert (found["active_runs"], found["waiting_runs"]) == (1, 1)
    waiting = (await client.get("/v1/overview")).json()["waiting"]["items"]
    kept = [(item["namespace"], item["count"]) for item in waiting if item["kind"] == "quota"]
    assert kept == [("finance", 1)]


async def test_runs_have_a_plan_date_by_the_plan_of_their_namespace(client: httpx2.AsyncClient) -> None:
    tz, query = "Pacific/Kiritimati", {"namespace": "finance"}  # fourteen hours ahead of UTC
    await client.put(PATH, json={"plan": {"tz": tz}})
    await put_job(client, "j")
    before = datetime.now(ZoneInfo(tz)).date().isoformat()
    run = (await client.post("/v1/jobs/j/runs", params=query)).json()
    assert run["plan_date"] in (before, datetime.now(ZoneInfo(tz)).date().isoformat())
    assert (await client.get(f"/v1/runs/{run['id']}")).json()["plan_date"] == run["plan_date"]
    said = await client.post("/v1/jobs/j/runs", json={"plan_date": "2026-12-31"}, params=query)
    assert (said.status_code, said.json()["plan_date"]) == (201, "2026-12-31")


@pytest.mark.parametrize("given", ["2026-13-01", "31.12.2026", "1969-12-31", 20261231, ["2026-12-31"], ""])
async def test_what_is_no_date_is_refused(client: httpx2.AsyncClient, given: object) -> None:
    await put_job(client, "j")
    for dry_run in ("true", "false"):
        query = {"namespace": "finance", "dry_run": dry_run}
        reply = await client.post("/v1/jobs/j/runs", json={"plan_date": given}, params=query)
        assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, "/plan_date"), reply.text


async def test_a_declared_namespace_without_jobs_is_paused_too(client: httpx2.AsyncClient) -> None:
    assert (await client.post(f"{PATH}/pause", json={"reason": "audit"})).status_code == 404
    await client.put(PATH, json={})
    paused = await client.post(f"{PATH}/pause", json={"reason": "audit"})
    assert paused.status_code == 200, paused.text
    assert (await client.get(f"{PATH}/pause")).text.count("audit") == 1
    assert (await client.post(f"{PATH}/resume")).status_code == 200


async def test_jobs_take_the_defaults_of_their_namespace(client: httpx2.AsyncClient) -> None:
    defaults = {"timeout": "5m", "policies": {"overlap": "queue_one"}, "env": {"TEAM": "money"}}
    assert (await client.put(PATH, json={"defaults": defaults})).status_code == 201
    found = (await client.get(PATH)).json()
    assert (found["defaults"], found["following"]) == (defaults, True)
    assert (await client.put(PATH, json=found)).json()["revision"] == 1, "what was read can be sent"
    made = await put_job(client, "j")
    task, query = made.json()["tasks"]["main"], {"namespace": "finance"}
    assert (task["timeout"], task["env"], task["on"]["pool"]) == ("5m", {"TEAM": "money"}, "etl")
    assert made.json()["defaults"]["taken"] == [
        "/policies/overlap", "/tasks/main/env/TEAM", "/tasks/main/timeout",
    ]  # fmt: skip
    again = await client.put("/v1/jobs/j", json=made.json())
    assert (again.status_code, again.json()["revision"]) == (200, 1), again.text
    text = (await client.get("/v1/jobs/j/definition", params=query)).text
    assert "timeout" not in text
    assert "TEAM" not in text
    objects = {"objects": [{"job": "k", "namespace": "finance", "run": "x", "timeout": None}]}
    assert (await client.post("/v1/apply", json=objects)).status_code == 200
    applied = (await client.get("/v1/jobs/k", params=query)).json()
    assert "timeout" not in applied["tasks"]["main"]
    assert applied["defaults"]["off"] == ["/tasks/main/timeout"]


async def test_a_job_takes_the_defaults_that_its_namespace_has_by_then(
    client: httpx2.AsyncClient,
) -> None:
    """A front keeps them until a commit tells of a change."""

    job = {"run": "true", "namespace": "finance"}

    async def timeout() -> object:
        made = await client.put("/v1/jobs/taker", json=job)
        assert made.status_code in (200, 201), made.text
        return made.json()["tasks"]["main"].get("timeout")

    assert await timeout() is None
    for given in ("5m", "7m"):
        assert (await client.put(PATH, json={"defaults": {"timeout": given}})).status_code in (200, 201)
        assert await timeout() == given
    assert (await client.delete("/v1/jobs/taker", params={"namespace": "finance"})).status_code == 204
    assert (await client.delete(PATH)).status_code == 204
    assert await timeout() is None


async def test_a_dry_run_says_which_follow_and_what_one_cannot_is_refused(client: httpx2.AsyncClient) -> None:
    await put_job(client, "j")
    body: dict[str, Any] = {"namespace": "finance", "run": "true", "on": {"pool": "etl"}, "timeout": "9m"}
    await client.put("/v1/jobs/own", json=body)
    trial = await client.put(PATH, json={"defaults": {"timeout": "5m"}}, params={"dry_run": "true"})
    assert (trial.json()["follow"], trial.json()["follow_more"]) == (["j"], False)
    body = {"namespace": "finance", "run": "true", "policies": {"on_lost": "retry", "idempotent": True}}
    await client.put("/v1/jobs/retries", json=body)
    tells = {"on": ["failed"], "webhook": "https://a.example/x"}
    body = {"namespace": "finance", "run": "x", "labels": {f"l{n}": "" for n in range(64)}, "notify": [tells]}
    await client.put("/v1/jobs/full", json=body)
    for dry_run in ("true", "false"):
        query = {"dry_run": dry_run}
        refused = await client.put(PATH, json={"defaults": {"labels": {"team": "x"}}}, params=query)
        error = refused.json()["errors"][0]
        assert (refused.status_code, error["pointer"]) == (422, "/defaults"), refused.text
        assert error["detail"] == (
            "job full cannot follow these defaults: /labels: labels has more than 64 entries"
        )


async def test_its_schema_is_served_with_defaults_as_people_write_them(client: httpx2.AsyncClient) -> None:
    schema = (await client.get("/v1/schemas/namespace")).json()
    assert schema["title"] == "Cronclave namespace"
    assert schema["$defs"]["Catchup"]["properties"]["grace"]["default"] == "1m"
    assert set(schema["properties"]) >= {"namespace", "plan", "pools", "quotas", "defaults"}
