"""Deliveries to hooks, over HTTP: who signs right is told all, who does not is told nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.ports import ApiSettings
from api.schemas import answers, explained
from node.secret_keys import KeyRing
from node.vault import NodeVault
from tests.api.hooked import SECRET, TEXT, github, standard, text
from tests.api.single_node import SingleNode
from tests.api.test_namespaces import OURS, THEIRS, token
from tests.api.test_secrets import new_key, write_keys

PARAMS = {"ref": {"type": "string", "required": True}, "count": {"type": "integer", "default": 1}}


@pytest.fixture
async def api(node: SingleNode, tmp_path: Path) -> AsyncIterator[Api]:
    write_keys(tmp_path / "keys", new_key())
    settings = ApiSettings(insecure=False, vault=NodeVault(KeyRing(tmp_path / "keys")))
    app = create_app(node, settings, Gateway(node, settings))
    app.start()
    yield app
    await app.close()


async def put(client: httpx2.AsyncClient, path: str, document: dict[str, Any]) -> httpx2.Response:
    reply = await client.put(path, json=document)
    assert reply.status_code in (200, 201), reply.text
    return reply


@pytest.fixture
async def hooked(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    await put(client, "/v1/secrets/key", {"value": SECRET})
    await put(client, "/v1/secrets/word", {"value": TEXT})
    await put(client, "/v1/hooks/deploys", {"secret": "key"})
    trigger = {"webhook": "deploys", "id": "t", "params": {"count": 2}}
    await put(client, "/v1/jobs/deploy", {"noop": True, "params": PARAMS, "triggers": trigger})
    del client.headers["authorization"]
    return client


async def send(
    client: httpx2.AsyncClient, body: bytes, headers: dict[str, str], hook: str = "deploys", **params: str
) -> httpx2.Response:
    return await client.post(f"/v1/hooks/{hook}", content=body, headers=headers, params=params)


async def test_a_delivery_makes_a_run_with_what_its_body_says(
    hooked: httpx2.AsyncClient, node: SingleNode
) -> None:
    body = text({"ref": "main", "other": {"deep": [1]}})
    sent = standard(body)
    reply = await send(hooked, body, sent)
    assert reply.status_code == 202, reply.text
    told = answers.Delivered.model_validate(reply.json()).model_dump()
    assert told == {
        "hook": "deploys", "namespace": "default", "delivery": sent["webhook-id"], "repeated": False,
        "firings": [{"job": "deploy", "trigger": "t", "run": 1, "outcome": None, "reason": None}],
    }  # fmt: skip
    with node.read() as store:
        assert store.value("SELECT params FROM runs WHERE id = 1") == '{"count":2,"ref":"main"}'
    again = await send(hooked, body, standard(body, id=sent["webhook-id"]))
    assert (again.status_code, again.json()) == (202, {**told, "repeated": True})
    listed = (await hooked.get("/v1/hooks/deploys/deliveries", headers=ADMIN)).json()
    answers.DeliveryList.model_validate(listed)
    assert [row["delivery"] for row in listed["items"]] == [sent["webhook-id"]]


ADMIN = {"authorization": "Bearer admin-token"}


@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"webhook-signature": "v1,AAAA"}, {"webhook-signature": ""}, {"webhook-signature": "é"},
        {"webhook-id": "other"}, {"webhook-id": ""}, {"webhook-id": "a b"}, {"webhook-timestamp": "1"},
        {"webhook-timestamp": "-1"}, {"webhook-timestamp": "9" * 40}, {"webhook-timestamp": "now"},
        {"authorization": "Bearer admin-token"},
    ],
)  # fmt: skip
async def test_what_is_not_signed_is_told_nothing(hooked: httpx2.AsyncClient, wrong: dict[str, str]) -> None:
    body = text({"ref": "main"})
    headers = {**standard(body), **wrong} if wrong and "authorization" not in wrong else wrong
    refused = await send(hooked, body, {k: v.encode("latin-1") for k, v in headers.items()})
    nowhere = await send(hooked, body, standard(body), hook="nowhere")
    assert refused.status_code == nowhere.status_code == 401
    assert refused.json() == nowhere.json()
    assert refused.json()["type"] == "/problems/not-signed"


async def test_a_stranger_writes_no_lines_into_the_log(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "cronclave.api"):
        await client.post("/v1/hooks/a%0AERROR%20b?namespace=c%0AERROR", content=b"")
    (said,) = [each.getMessage() for each in caplog.records if "not signed" in each.getMessage()]
    assert said.startswith("a delivery to hook 'c\\nERROR/a\\nERROR b' is not signed")


@pytest.mark.parametrize(("late_s", "status"), [(290, 202), (310, 401), (-290, 202), (-310, 401)])
async def test_a_signature_is_good_within_the_tolerance(
    hooked: httpx2.AsyncClient, node: SingleNode, late_s: int, status: int
) -> None:
    body = text({"ref": "main"})
    sent = standard(body, at_s=node.now_ms() // 1_000 - late_s)
    assert (await send(hooked, body, sent)).status_code == status


async def test_another_body_is_not_what_was_signed(hooked: httpx2.AsyncClient) -> None:
    assert (await send(hooked, b'{"ref":"x"}', standard(b'{"ref":"main"}'))).status_code == 401


async def test_of_several_signatures_one_is_enough(hooked: httpx2.AsyncClient) -> None:
    body = text({"ref": "main"})
    sent = standard(body)
    sent["webhook-signature"] = f"v1a,xyz v1,AAAA {sent['webhook-signature']}"
    assert (await send(hooked, body, sent)).status_code == 202


async def test_after_many_wrong_ones_an_address_waits_and_a_right_one_is_taken(
    hooked: httpx2.AsyncClient,
) -> None:
    body = text({"ref": "main"})
    statuses = [(await send(hooked, body, {})).status_code for _ in range(30)]
    assert (statuses[0], statuses[-1]) == (401, 429)
    assert (await send(hooked, body, standard(body))).status_code == 202


@pytest.mark.parametrize(
    ("body", "status", "pointer", "said"),
    [
        ({"ref": 5}, 422, "/ref", "ref must be text, not a number (job deploy)"),
        ({"ref": "x", "count": "2"}, 422, "/count", "count must be an integer, not text (job deploy)"),
        ({"ref": None}, 422, "", "the parameter ref is required (job deploy)"),
        ({"ref": {"a": 1}}, 422, "/ref", "ref must be text, not an object (job deploy)"),
        ([1], 422, "", "a JSON object was expected, not an array"),
        ({}, 422, "/ref", "the parameter ref is required (job deploy)"),
    ],
)
async def test_a_body_that_is_not_what_its_job_declares(
    hooked: httpx2.AsyncClient, body: Any, status: int, pointer: str, said: str, node: SingleNode
) -> None:
    reply = await send(hooked, text(body), standard(text(body)))
    (error,) = reply.json()["errors"]
    assert (reply.status_code, error["detail"]) == (status, said)
    assert error["pointer"] == (pointer or error["pointer"])
    with node.read() as store:
        assert store.value("SELECT count(*) FROM runs") == 0


async def test_a_form_and_what_is_no_json_are_refused(hooked: httpx2.AsyncClient) -> None:
    for body, status in ((b"payload=%7B%7D", 415), (b"{", 400), (b'{"a":NaN}', 400), (b"\xff", 400)):
        assert (await send(hooked, body, standard(body))).status_code == status
    large = b'{"ref":"' + b"x" * (257 << 10) + b'"}'
    assert (await send(hooked, large, standard(large))).status_code == 413


async def test_github_signs_the_body_and_names_the_delivery(client: httpx2.AsyncClient) -> None:
    await put(client, "/v1/secrets/word", {"value": TEXT})
    await put(client, "/v1/hooks/pushes", {"secret": "word", "scheme": "github"})
    body = text({"zen": "Keep it logically awesome."})
    assert (await send(client, body, github(body), "pushes")).json()["repeated"] is False
    assert (await send(client, body, github(body), "pushes")).json()["repeated"] is True
    assert (await send(client, body, github(body, id="guid-2"), "pushes")).json()["repeated"] is False
    assert (await send(client, b"{}", github(body), "pushes")).status_code == 401
    unnamed = await send(client, body, github(body, id=""), "pushes")
    assert (unnamed.status_code, "X-GitHub-Delivery" in unnamed.json()["detail"]) == (422, True)


@pytest.mark.parametrize("header", ["x-hook-token", "x-gitlab-token", "authorization"])
async def test_a_token_is_sent_in_a_header(client: httpx2.AsyncClient, header: str) -> None:
    await put(client, "/v1/secrets/word", {"value": TEXT})
    await put(client, "/v1/hooks/plain", {"secret": "word", "scheme": "token"})
    given = {header: f"Bearer {TEXT}" if header == "authorization" else TEXT}
    first, second = [(await send(client, b"{}", given, "plain")).json() for _ in range(2)]
    assert first["delivery"] != second["delivery"], "without an id each is another one"
    named = {**given, "idempotency-key": "one"}
    assert [(await send(client, b"{}", named, "plain")).json()["repeated"] for _ in range(2)] == [False, True]
    assert (await send(client, b"{}", {header: f"Bearer {TEXT[:-1]}"}, "plain")).status_code == 401
    wrong = await send(client, b"{}", {**given, "webhook-id": "a b"}, "plain")
    assert wrong.status_code == 422


async def test_a_disabled_hook_says_so_to_who_signs(hooked: httpx2.AsyncClient) -> None:
    changed = {"secret": "key", "enabled": False}
    assert (await hooked.put("/v1/hooks/deploys", json=changed, headers=ADMIN)).status_code == 200
    body = text({"ref": "main"})
    reply = await send(hooked, body, standard(body))
    assert (reply.status_code, reply.json()["type"]) == (403, "/problems/forbidden")
    assert (await send(hooked, body, {})).status_code == 401


async def test_a_full_queue_is_told_before_anything_came_of_it(hooked: httpx2.AsyncClient) -> None:
    one = {"noop": True, "triggers": {"webhook": "deploys", "overlap": "queue_one"}}
    assert (await hooked.put("/v1/jobs/one", json=one, headers=ADMIN)).status_code == 201
    body = text({"ref": "main"})
    statuses = [(await send(hooked, body, standard(body))).status_code for _ in range(3)]
    assert statuses == [202, 202, 429]
    refused = await send(hooked, body, standard(body))
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["detail"] == "as many runs of default/one wait as may"


async def test_what_is_paused_takes_it(hooked: httpx2.AsyncClient) -> None:
    assert (await hooked.post("/v1/jobs/deploy/pause", headers=ADMIN)).status_code == 200
    body = text({"ref": "main"})
    reply = await send(hooked, body, standard(body))
    assert reply.status_code == 202
    assert reply.json()["firings"] == [
        {"job": "deploy", "trigger": "t", "run": None, "outcome": "skipped", "reason": "paused"}
    ]


async def test_a_dry_run_says_whom_it_would_fire(hooked: httpx2.AsyncClient, node: SingleNode) -> None:
    body = text({"ref": "main"})
    reply = await send(hooked, body, standard(body), dry_run="true")
    told = answers.DeliveryDryRun.model_validate(reply.json())
    assert (reply.status_code, told.jobs, told.repeated) == (200, ["deploy"], False)
    with node.read() as store:
        assert store.value("SELECT count(*) FROM deliveries") == 0


async def test_who_delivered_is_in_the_audit(hooked: httpx2.AsyncClient) -> None:
    body = text({"ref": "main"})
    sent = standard(body)
    await send(hooked, body, sent)
    found = (await hooked.get("/v1/audit", params={"action": "deliver"}, headers=ADMIN)).json()["items"]
    assert [(x["actor"], x["address"], x["kind"], x["name"], x["after"]) for x in found] == [
        ("hook default/deploys", "127.0.0.1", "hook", "deploys", sent["webhook-id"])
    ]


@pytest.mark.parametrize(
    ("value", "scheme", "said"),
    [
        ("whsec_not base64 at all!", "standard", "it is no base64"),
        ("whsec_AAAA", "standard", "it has 3 bytes in base64"),
        ("too short", "github", "it has fewer than 16 bytes"),
        ("too short", "token", "it has fewer than 16 bytes"),
    ],
)
async def test_a_secret_that_nothing_can_be_signed_with_is_refused(
    client: httpx2.AsyncClient, value: str, scheme: str, said: str
) -> None:
    await put(client, "/v1/secrets/bad", {"value": value})
    for path, sent in (
        ("/v1/hooks/h", {"secret": "bad", "scheme": scheme}),
        ("/v1/apply", {"objects": [{"hook": "h", "secret": "bad", "scheme": scheme}]}),
    ):
        reply = await client.request("PUT" if "hooks" in path else "POST", path, json=sent)
        assert reply.status_code == 422, reply.text
        (error,) = reply.json()["errors"]
        assert error["pointer"].endswith("/secret")
        assert said in error["detail"]
        assert value not in reply.text
    await put(client, "/v1/secrets/bad", {"value": SECRET})
    await put(client, "/v1/hooks/h", {"secret": "bad", "scheme": scheme})
    refused = await client.put("/v1/secrets/bad", json={"value": value})
    assert (refused.status_code, value in refused.text) == (422, False)
    assert refused.json()["detail"].startswith("/value: it does not serve hook default/h")
    assert refused.json()["errors"][0]["detail"].startswith("it does not serve"), "its place stands beside it"


async def test_explain_tells_what_would_become_of_a_delivery(hooked: httpx2.AsyncClient) -> None:
    async def awaits() -> dict[str, Any]:
        told = (await hooked.get("/v1/jobs/one/explain", headers=ADMIN)).json()
        explained.InstantExplained.model_validate(told)
        (awaited,) = told["awaits"]
        return dict(awaited)

    async def change(path: str, document: dict[str, Any]) -> None:
        assert (await hooked.put(path, json=document, headers=ADMIN)).status_code in (200, 201)

    await change("/v1/jobs/one", {"noop": True, "triggers": {"webhook": "deploys", "overlap": "queue_one"}})
    first = await awaits()
    assert (first["hook"], first["last"], first["verdict"]) == ("default/deploys", None, "ready")
    assert first["said"] == "each delivery to the hook makes a run"
    body = text({"ref": "main"})
    for name in ("d1", "d2"):
        assert (await send(hooked, body, standard(body, id=name))).status_code == 202
    full = await awaits()
    assert (full["last"], full["verdict"]) == ("d2", "never")
    assert full["said"] == "its queue is full: no delivery is taken for any job of the hook"
    assert (await hooked.post("/v1/jobs/one/pause", headers=ADMIN)).status_code == 200
    assert (await awaits())["said"] == "a delivery is taken, and ends without a run"
    await change("/v1/hooks/deploys", {"secret": "key", "enabled": False})
    assert (await awaits())["said"].startswith("the hook is disabled")


async def test_a_hook_names_a_secret_of_another_namespace_that_is_granted_to_it(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    ours, theirs = token(node, "ours", **{OURS: "submitter"}), token(node, "theirs", **{THEIRS: "admin"})
    path, params = "/v1/secrets/there", {"namespace": THEIRS}
    value = {"value": SECRET}
    assert (await client.put(path, json=value, headers=theirs, params=params)).status_code == 201
    told = []
    for name in ("there", "gone"):
        hook = {"hook": "h", "namespace": OURS, "secret": f"{THEIRS}/{name}"}
        for dry_run in ("true", "false"):
            refused = await client.put("/v1/hooks/h", json=hook, headers=ours, params={"dry_run": dry_run})
            (error,) = refused.json()["errors"]
            assert (refused.status_code, error["pointer"]) == (422, "/secret")
            told.append((error["detail"] + error["hint"]).replace("gone", "there"))
    assert set(told) == {
        f"there is no secret 'there' in namespace '{THEIRS}', or it is not granted to {OURS}/h"
        f"cronclave secret grant there --namespace {THEIRS} --job {OURS}/h"
    }, "the same, whether it is there"
    grant = {"add": [f"{OURS}/h"]}
    granted = await client.post(f"{path}/grants", json=grant, headers=theirs, params=params)
    assert granted.status_code == 200, granted.text
    hook = {"hook": "h", "namespace": OURS, "secret": f"{THEIRS}/there"}
    assert (await client.put("/v1/hooks/h", json=hook, headers=ours)).status_code == 201
    there = {"namespace": OURS}
    assert (await send(client, b"", standard(b""), "h", **there)).status_code == 202
    taken_back = {"remove": [f"{OURS}/h"]}
    assert (await client.post(f"{path}/grants", json=taken_back, headers=theirs, params=params)).is_success
    late = await send(client, b"", standard(b""), "h", **there)
    assert (late.status_code, late.json()["detail"]) == (401, "it is not signed as its hook asks")
