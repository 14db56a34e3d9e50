"""Templates over HTTP: what an edit of one means for the jobs that extend it is told, and refused, before."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from scheduler.plan import plan
from tests.api.single_node import SingleNode
from tests.api.test_namespaces import token

GIVES: dict[str, Any] = {"policies": {"timeout": "1h"}, "run": "./report", "retry": {"max": 3}}
PATH = "/v1/templates/base"


async def put(client: httpx2.AsyncClient, gives: dict[str, Any], **query: Any) -> httpx2.Response:
    return await client.put(PATH, json={"gives": gives}, params=query)


async def test_jobs_are_put_with_what_their_template_gives(client: httpx2.AsyncClient) -> None:
    assert (await put(client, GIVES)).status_code == 201
    made = await client.put("/v1/jobs/a", json={"extends": "base", "retry": {"max": 1}})
    assert made.status_code == 201, made.text
    found = made.json()
    assert (found["policies"]["timeout"], found["tasks"]["main"]["run"]) == ("1h", "./report")
    assert found["inherited"]["own"] == ["/tasks/main/retry/max"]
    again = await client.put("/v1/jobs/a", json=found)
    assert (again.status_code, again.json()["revision"]) == (200, 1), "what was read can be sent"
    without = await client.put("/v1/jobs/a", json={key: found[key] for key in found if key != "extends"})
    assert (without.status_code, without.json()["errors"][0]["pointer"]) == (422, "/extends")
    text = (await client.get("/v1/jobs/a/definition")).text
    assert "extends: base" in text
    assert "./report" not in text


async def test_a_dry_run_names_who_follows_and_an_impossible_edit_is_refused(
    client: httpx2.AsyncClient,
) -> None:
    await put(client, GIVES)
    for name in ("a", "b"):
        await client.put(f"/v1/jobs/{name}", json={"extends": "base"})
    await client.put("/v1/jobs/own", json={"extends": "base", "run": "./mine", "policies": {"timeout": "2h"}})
    trial = (await put(client, {**GIVES, "run": "./other"}, dry_run="true")).json()
    assert [each["job"] for each in trial["follow"]] == ["a", "b"]
    whole = {"objects": [{"template": "base", "gives": {**GIVES, "run": "./other"}}]}
    told = (await client.post("/v1/apply?dry_run=true", json=whole)).json()
    assert [each["job"] for each in told["follow"]] == ["a", "b"]
    refused = await put(client, {"policies": {"timeout": "1h"}})
    assert refused.status_code == 422
    assert "job default/a cannot follow template default/base: neither" in refused.json()["detail"]


async def test_a_job_that_cannot_follow_says_so(client: httpx2.AsyncClient, node: SingleNode) -> None:
    await put(client, GIVES)
    await client.put("/v1/jobs/a", json={"extends": "base"})
    assert (await client.get("/v1/jobs/a")).json()["left_behind"] is None
    assert (await client.put("/v1/vars/late", json={"values": {"a": "1"}})).status_code == 201
    assert (await put(client, {**GIVES, "vars": ["late"]})).status_code == 200
    await client.delete("/v1/vars/late")  # before its turn comes
    with node.read() as store:
        commands = plan(store, node.now_ms(), epoch=node.machine.state.epoch, lead_ms=0)
    node.apply(*commands)

    told = (await client.get("/v1/jobs/a")).json()
    assert told["left_behind"]["template"] == "default/base"
    assert "late" in told["left_behind"]["why"]
    sent = await client.put("/v1/jobs/a", json=told)  # and so it would be under its template of now
    assert (sent.status_code, "late" in sent.json()["detail"]) == (422, True)
    mine = {"extends": "base", "vars": []}
    assert (await client.put("/v1/jobs/a", json=mine)).json()["left_behind"] is None


async def test_what_is_extended_is_not_deleted_and_what_is_not_there_is_told(
    client: httpx2.AsyncClient,
) -> None:
    missing = await client.put("/v1/jobs/a", json={"extends": "base"})
    assert (missing.status_code, missing.json()["errors"][0]["pointer"]) == (422, "/extends")
    await put(client, GIVES)
    await client.put("/v1/jobs/a", json={"extends": "base"})
    refused = await client.delete(PATH)
    assert (refused.status_code, refused.json()["referrers"][0]["name"]) == (409, "a")
    as_job = await client.put("/v1/jobs/t", json={"template": True, "run": "x"})
    assert "PUT /v1/templates/NAME" in as_job.text
    await client.delete("/v1/jobs/a")
    assert (await client.delete(PATH)).status_code == 204


async def test_a_template_comes_with_its_jobs_also_in_slices_of_a_stage(client: httpx2.AsyncClient) -> None:
    template = {"template": "base", "gives": GIVES}
    first = await client.post("/v1/apply?stage=s&slice=0", json={"objects": [template]})
    assert first.status_code == 200, first.text
    second = await client.post("/v1/apply?stage=s&slice=1", json={"jobs": [{"job": "a", "extends": "base"}]})
    assert second.status_code == 200, second.text
    beside = {"objects": [{**template, "template": "other"}], "jobs": [{"job": "b", "extends": "other"}]}
    assert (await client.post("/v1/apply", json=beside)).status_code == 200
    assert (await client.get("/v1/jobs/b")).json()["tasks"]["main"]["run"] == "./report"


def follow(node: SingleNode) -> None:
    """The planner, until the jobs have followed."""
    for _ in range(5):
        if commands := plan(node.store, node.now_ms(), epoch=node.machine.state.epoch, lead_ms=0):
            assert all(outcome.ok for outcome in node.apply(*commands))


TICKS = [{"every": "100ms", "id": f"t{n}"} for n in range(11)]


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        ({"run": "x", "vars": ["nope"]}, "job default/a refers to vars default/nope, which does not exist"),
        ({"run": "x", "triggers": {"after": "a.succeeded"}}, "these jobs would wait for each other"),
        ({"run": "x", "triggers": TICKS}, "job default/a asks for 110 ticks a second"),
        ({"run": "x", "secrets": ["nope"]}, "there is no secret default/nope"),
        ({"tasks": {"main": {"job": {"name": "a"}}}}, "a run of default/a would wait for itself"),
        ({"run": "x", "on": {"pool": "gpu"}}, "is for pool gpu; its namespace may use default"),
    ],
)
async def test_an_edit_by_which_a_job_could_not_be_put_is_refused(
    client: httpx2.AsyncClient, gives: dict[str, Any], said: str
) -> None:
    await put(client, GIVES)
    assert (await client.put("/v1/jobs/a", json={"extends": "base"})).status_code == 201
    assert (await client.put("/v1/namespaces/default", json={"pools": ["default"]})).status_code == 201
    for query in ({"dry_run": "true"}, {}):
        refused = await put(client, gives, **query)
        assert refused.status_code == 422, refused.text
        assert said in refused.json()["detail"]
    assert (await client.get(PATH)).json()["revision"] == 1


async def test_who_edits_a_template_lets_no_job_name_what_he_may_not(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    assert (await client.put("/v1/jobs/pay", json={"namespace": "vault", "noop": True})).status_code == 201
    await put(client, GIVES)
    theirs = {"extends": "default/base", "namespace": "theirs"}
    assert (await client.put("/v1/jobs/a", json=theirs)).status_code == 201
    ours = token(node, "ours", default="submitter")
    gives: dict[str, Any] = {"tasks": {"main": {"run": "x"}}}
    gives["tasks"]["pay"] = {"job": {"name": "vault/pay", "wait": False}}
    refused = await client.put(PATH, json={"gives": gives}, headers=ours)
    assert refused.status_code == 403, refused.text
    assert "to name job vault/pay it needs" in refused.json()["detail"]
    assert (await client.put(PATH, json={"gives": gives})).status_code == 200
    follow(node)
    gives["tasks"]["main"]["run"] = "y"
    again = await client.put(PATH, json={"gives": gives}, headers=ours)
    assert again.status_code == 200, "what it named before is another's word"


async def test_zone_data_is_there_before_jobs_follow_that_name_a_zone(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    await put(client, GIVES)
    await client.put("/v1/jobs/a", json={"extends": "base"})
    made = await put(client, {**GIVES, "triggers": {"cron": "0 2 * * *", "tz": "Europe/Berlin"}})
    assert made.status_code == 200, made.text
    follow(node)
    assert (await client.get("/v1/jobs/a")).json()["triggers"][0]["tz"] == "Europe/Berlin"


async def test_a_template_of_a_namespace_that_one_may_not_read_is_not_told_of(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    base = {"gives": {"run": "x", "policies": {"start_deadline": "7m"}}, "namespace": "vault"}
    assert (await client.put(PATH, json=base)).status_code == 201
    ours = token(node, "ours", default="submitter")
    bad = {"triggers": {"after": "a.succeeded"}, "policies": {"catchup": {"mode": "nope"}}}
    for name in ("base", "none"):
        document = {"extends": f"vault/{name}", **bad}
        put_one = await client.put("/v1/jobs/a", json=document, headers=ours)
        together = await client.post("/v1/apply", json={"jobs": [{"job": "a", **document}]}, headers=ours)
        for answer in (put_one, together):
            assert answer.status_code == 403, answer.text
            assert "it needs 'read' in namespace 'vault'" in answer.json()["detail"]


@pytest.mark.parametrize("gives", [{"policies": {"timeout": "1h"}}, {"run": "x", "vars": ["nope"]}])
async def test_a_job_that_one_may_not_read_is_not_told_of(
    client: httpx2.AsyncClient, node: SingleNode, gives: dict[str, Any]
) -> None:
    await put(client, GIVES)
    theirs = {"extends": "default/base", "namespace": "theirs"}
    assert (await client.put("/v1/jobs/hidden", json=theirs)).status_code == 201
    ours = token(node, "ours", default="submitter")
    refused = await client.put(PATH, json={"gives": gives}, headers=ours)
    assert refused.status_code == 422
    assert "hidden" not in refused.text
    assert "a job that this token may not read" in refused.json()["detail"]
