"""The outbox over HTTP: who sees it, who decides of it, and what the metrics say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.instants import rfc3339
from scheduler.machine.effects import FAILING
from scheduler.words.commands import (
    DropEffect,
    Granted,
    PutToken,
    ReportSent,
    ReportUnsent,
    RunJob,
    TellTogether,
)
from tests.api.planning import planning
from tests.api.test_namespaces import token
from tests.node.effects.parts import Telling, fail_last, url


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Telling]:
    """With three failures that a receiver is to be told of: the first is given up, the others wait."""
    made = Telling(tmp_path)
    made.put("j", "a")
    for _ in range(3):
        made.fail("j")
    made.apply(ReportUnsent(1, 1, "it answered 410", True), ReportUnsent(2, 1, "it answered 500"))
    yield made
    made.close()


async def listed(client: httpx2.AsyncClient, **query: str) -> list[int]:
    answer = await client.get("/v1/outbox", params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_what_waits_and_what_was_given_up_is_listed(client: httpx2.AsyncClient) -> None:
    answer = (await client.get("/v1/outbox")).json()

    given_up, failed, waiting = answer["items"]
    assert answer["next_cursor"] is None
    assert {name: given_up[name] for name in ("state", "attempts", "next", "reason", "target", "about")} == {
        "state": "given_up", "attempts": 1, "next": None, "reason": "it answered 410", "target": url("a"),
        "about": "failed",
    }  # fmt: skip
    assert (failed["state"], failed["attempts"], failed["reason"]) == ("waiting", 1, "it answered 500")
    assert failed["next"] > failed["created"]
    assert (waiting["attempts"], waiting["reason"], waiting["job"], waiting["run"]) == (0, None, "j", 3)
    assert (waiting["facts"]["state"], waiting["facts"]["exit_code"]) == ("failed", 1)
    assert waiting["facts"]["finished"] == waiting["created"], "an instant is told as everywhere"
    assert waiting["facts"]["tick"] is None
    assert not [name for name in waiting["facts"] if name.endswith("_ms")]


async def test_lists_go_on_and_may_be_of_one_state_or_namespace(client: httpx2.AsyncClient) -> None:
    first = (await client.get("/v1/outbox", params={"limit": 2})).json()
    rest = (await client.get("/v1/outbox", params={"limit": 2, "cursor": first["next_cursor"]})).json()

    assert [item["id"] for item in [*first["items"], *rest["items"]]] == [1, 2, 3]
    assert rest["next_cursor"] is None
    assert await listed(client, state="given_up") == [1]
    assert await listed(client, state="waiting") == [2, 3]
    assert await listed(client, namespace="default") == [1, 2, 3]
    assert await listed(client, namespace="other") == []
    wrong = await client.get("/v1/outbox", params={"state": "gone"})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/validation")


async def test_a_person_has_one_sent_again(client: httpx2.AsyncClient, node: Telling) -> None:
    dry = await client.post("/v1/outbox/1/resend", params={"dry_run": "true"})
    assert (dry.status_code, dry.json()["state"]) == (200, "waiting"), "as it would be"
    assert await listed(client, state="given_up") == [1], "and is not"
    answer = await client.post("/v1/outbox/1/resend")

    assert (answer.status_code, answer.json()["state"]) == (200, "waiting")
    assert await listed(client, state="given_up") == []


async def test_a_person_drops_one(client: httpx2.AsyncClient, node: Telling) -> None:
    assert (await client.delete("/v1/outbox/2", params={"dry_run": "true"})).status_code == 204
    assert (await client.delete("/v1/outbox/2")).status_code == 204

    assert await listed(client) == [1, 3]


@pytest.mark.parametrize("effect", ["2", "99", "x", "-1", "9" * 30])
async def test_what_is_not_there_is_said(client: httpx2.AsyncClient, node: Telling, effect: str) -> None:
    node.apply(DropEffect(2))
    for answer in (
        await client.post(f"/v1/outbox/{effect}/resend"),
        await client.post(f"/v1/outbox/{effect}/acknowledge"),
        await client.delete(f"/v1/outbox/{effect}"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_the_metrics_say_how_many_wait_and_how_long(client: httpx2.AsyncClient, node: Telling) -> None:
    await client.get("/v1/outbox")  # the counters listen from the first request on
    node.skew_ms += 90_000
    node.apply(ReportUnsent(3, 1, "it answered 410", True))
    text = ""
    while "cronclave_effects_total{" not in text:
        text = (await client.get("/metrics")).text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))

    assert lines['cronclave_outbox{state="waiting"}'] == "1.0"
    assert lines['cronclave_outbox{state="given_up"}'] == "2.0"
    assert 90 <= float(lines["cronclave_outbox_oldest_seconds"]) < 300
    assert lines['cronclave_effects_total{kind="webhook",outcome="given_up"}'] == "1.0"


async def test_what_was_sent_is_listed_for_a_while_and_may_be_of_one_run(
    client: httpx2.AsyncClient, node: Telling
) -> None:
    node.apply(ReportSent(2))

    assert await listed(client) == [1, 3]
    assert await listed(client, state="all") == [1, 2, 3]
    assert await listed(client, state="all", newest="true") == [3, 2, 1]
    assert await listed(client, state="all", run="2") == [2]
    first = (await client.get("/v1/outbox", params={"limit": 1, "newest": "true"})).json()
    rest = await listed(client, cursor=first["next_cursor"], newest="true")
    assert [*(item["id"] for item in first["items"]), *rest] == [3, 1]
    (sent,) = (await client.get("/v1/outbox", params={"state": "sent"})).json()["items"]
    assert (sent["facts"], sent["next"]) == (None, None)
    again = await client.post("/v1/outbox/2/resend")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/conflict")
    told = (await client.get("/v1/runs/2/explain")).json()["told"]
    assert [(each["about"], each["state"], each["to"]) for each in told] == [("failed", "sent", url("a"))]


async def test_a_person_saw_it_and_may_have_the_same_muted(client: httpx2.AsyncClient, node: Telling) -> None:
    path, until = "/v1/outbox/3/acknowledge", "2199-01-31T23:00:00Z"
    far = await client.post(path, json={"until": until})
    assert (far.status_code, far.json()["type"]) == (422, "/problems/validation")
    soon = rfc3339(node.now_ms() + 3_600_000)
    dry = await client.post(path, json={"until": soon}, params={"dry_run": "true"})
    assert dry.json()["acknowledged"]["by"] is not None
    seen = await client.post(path, json={"until": soon, "reason": "on it"})

    assert seen.json()["acknowledged"]["by"] == dry.json()["acknowledged"]["by"]
    (mute,) = (await client.get("/v1/mutes")).json()["items"]
    assert (mute["job"], mute["about"], mute["until"], mute["reason"]) == ("j", "failed", soon, "on it")
    node.fail("j")
    assert await listed(client, state="muted") == [4]
    assert (await client.delete(f"/v1/mutes/{mute['id']}")).status_code == 204
    node.fail("j")
    assert await listed(client) == [1, 2, 3, 5]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "/until"), ({"until": "tomorrow"}, "/until"), ({"until": "2020-01-01T00:00:00Z"}, "/until"),
        ({"job": "j"}, "/namespace"), ({"about": "nothing"}, "/about"), ({"namespace": 7}, "/namespace"),
        ({"until": "2199-01-31T23:00:00Z", "reason": " "}, "/reason"), ({"for": "ever"}, ""),
    ],
)  # fmt: skip
async def test_a_mute_that_cannot_be_is_refused_with_its_place(
    client: httpx2.AsyncClient, body: dict[str, Any], place: str
) -> None:
    answer = await client.post("/v1/mutes", json=body)

    assert answer.status_code == 422, answer.text
    assert place in answer.text
    assert (await client.get("/v1/mutes")).json()["items"] == []


async def test_a_channel_is_tried_and_a_receiver_that_fails_is_named(
    client: httpx2.AsyncClient, node: Telling
) -> None:
    assert (await client.put("/v1/channels/ops", json={"email": ["ops@example.org"]})).status_code == 201
    assert (await client.post("/v1/channels/none/test")).status_code == 404
    dry = await client.post("/v1/channels/ops/test", params={"dry_run": "true"})
    assert dry.json()["change"] == "told"
    (number,) = (await client.post("/v1/channels/ops/test")).json()["effects"]
    for attempt in range(1, FAILING + 1):
        node.apply(ReportUnsent(number, attempt, "connection refused"))

    (failing,) = (await client.get("/v1/receivers")).json()["items"]
    assert (failing["target"], failing["channel"]) == ("ops@example.org", "default/ops")
    assert (failing["failures"], failing["reason"]) == (FAILING, "connection refused")
    assert "cronclave_receivers_failing 1.0" in (await client.get("/metrics")).text


async def test_a_route_of_all_needs_the_right_in_all(client: httpx2.AsyncClient, node: Telling) -> None:
    roles = (Granted("default", "submitter"),)
    (made,) = node.apply(PutToken("ed", hashlib.sha256(b"ed").digest(), "", roles=roles))
    assert made.ok, made
    ed = {"Authorization": "Bearer ed"}
    channel = await client.put("/v1/channels/c", json={"email": ["c@example.org"]}, headers=ed)
    assert channel.status_code == 201
    body = {"on": ["failed"], "to": ["c"]}
    assert (await client.put("/v1/routes/r", json=body, headers=ed)).status_code == 201
    whole = {**body, "everywhere": True}
    assert (await client.put("/v1/routes/r", json=whole, headers=ed)).status_code == 403
    applied = await client.post("/v1/apply", json={"objects": [{"route": "r", **whole}]}, headers=ed)
    assert applied.status_code == 403
    assert (await client.put("/v1/routes/r", json=whole)).status_code == 200

    for reply in (
        await client.put("/v1/routes/r", json=body, headers=ed),
        await client.put("/v1/routes/r?dry_run=true", json=body, headers=ed),
        await client.post("/v1/apply", json={"objects": [{"route": "r", **body}]}, headers=ed),
        await client.post("/v1/apply?stage=s", json={"objects": [{"route": "r", **body}]}, headers=ed),
        await client.delete("/v1/routes/r", headers=ed),
        await client.delete("/v1/routes/r?dry_run=true", headers=ed),
    ):
        assert (reply.status_code, "route default/r concerns all" in reply.text) == (403, True), reply.text
    assert (await client.get("/v1/routes/r")).json()["everywhere"] is True
    assert (await client.delete("/v1/routes/r")).status_code == 204


async def test_a_route_of_all_is_pruned_by_whom_may_edit_in_all(
    client: httpx2.AsyncClient, node: Telling
) -> None:
    ed = token(node, "ed", default="submitter")
    objects = [{"channel": "c", "email": ["c@example.org"]},
               {"route": "r", "on": ["failed"], "to": ["c"], "everywhere": True}]  # fmt: skip
    made = await client.post("/v1/apply?source=git", json={"objects": objects})
    assert made.status_code == 200, made.text
    less = {"objects": objects[:1]}
    refused = await client.post("/v1/apply?source=git&prune=true", json=less, headers=ed)
    assert (refused.status_code, "concerns all namespaces" in refused.text) == (403, True)
    laid = await client.post("/v1/apply?stage=s&source=git", json=less, headers=ed)
    assert laid.status_code == 200, laid.text
    async with planning(node):
        refused = await client.post("/v1/apply?stage=s&commit=true&slices=1&prune=true", headers=ed)
    assert (refused.status_code, "concerns all namespaces" in refused.text) == (409, True), refused.text
    assert (await client.post("/v1/apply?source=git&prune=true", json=less)).json()["deleted"]


async def test_what_is_of_other_namespaces_is_not_shown_by_a_notice(
    client: httpx2.AsyncClient, node: Telling
) -> None:
    """A route of all leads to a channel whose address is a secret, and tells two namespaces together."""
    pager = "https://pager.example.org/T0/B0/very-secret"
    channel = await client.put("/v1/channels/pager", json={"webhook": pager}, params={"namespace": "people"})
    assert channel.status_code == 201, channel.text
    route = {"on": ["failed"], "to": ["pager"], "everywhere": True, "digest": "1m", "namespace": "people"}
    assert (await client.put("/v1/routes/all", json=route)).status_code == 201
    for namespace in ("ours", "theirs"):
        job = {"job": "j", "namespace": namespace, "noop": True}
        assert (await client.put("/v1/jobs/j", json=job)).status_code == 201
        node.apply(RunJob(namespace, "j", b"{}", node.now_ms()))
        fail_last(node)
    run = node.machine.state.last_run - 1  # of ours
    roles = (Granted("ours", "operator"),)
    node.apply(PutToken("al", hashlib.sha256(b"al").digest(), "", roles=roles))
    al = {"Authorization": "Bearer al"}

    async def shown(headers: dict[str, str]) -> list[dict[str, Any]]:
        reply = await client.get("/v1/outbox", params={"namespace": "ours"}, headers=headers)
        assert reply.status_code == 200, reply.text
        return list(reply.json()["items"])

    assert [each["target"] for each in await shown({})] == [pager]
    assert [each["target"] for each in await shown(al)] == ["people/pager"]
    explained = await client.get(f"/v1/runs/{run}/explain", headers=al)
    assert [each["to"] for each in explained.json()["told"]] == ["people/pager"]

    node.skew_ms += 61_000
    gathered = next(row for row in node.outbox() if row.state == "gathered")
    (told,) = node.apply(TellTogether(node.machine.state.epoch, gathered.id))
    assert told.ok, told
    digest = node.machine.state.last_effect
    node.apply(*(ReportUnsent(digest, attempt, "refused") for attempt in range(1, FAILING + 1)))
    whole, part = (await shown({}))[-1], (await shown(al))[-1]
    assert [each["namespace"] for each in whole["facts"]["items"]] == ["ours", "theirs"]
    assert [each["namespace"] for each in part["facts"]["items"]] == ["ours"]
    assert (part["facts"]["count"], part["facts"]["by"]) == (1, {"failed": 1})
    failing = await client.get("/v1/receivers", headers=al)
    assert [each["target"] for each in failing.json()["items"]] == ["people/pager"]
    assert (await client.delete(f"/v1/outbox/{digest}", headers=al)).status_code == 403
    assert (await client.post(f"/v1/outbox/{digest}/resend", headers=al)).status_code == 403
    assert (await client.delete(f"/v1/outbox/{digest}")).status_code == 204


async def test_what_a_mute_answers_may_be_sent(client: httpx2.AsyncClient) -> None:
    """Null means all there too, and the description says so."""
    said = {"namespace": "default", "job": None, "about": None, "until": "2027-01-01T00:00:00Z"}
    muted = await client.post("/v1/mutes?dry_run=true", json=said)
    assert (muted.status_code, muted.json()["job"]) == (200, None)
    described = (await client.get("/openapi.json")).json()["paths"]["/v1/mutes"]["post"]["requestBody"]
    fields = described["content"]["application/json"]["schema"]["properties"]
    assert all("null" in fields[name]["type"] for name in ("namespace", "job", "about"))
