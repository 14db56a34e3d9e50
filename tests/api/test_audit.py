"""Who changed what, through the API: listed by any filter, exported whole, and for administrators alone."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api import exporting
from api.routes import audit
from scheduler.words.commands import PutToken
from tests.api.single_node import SingleNode

JOB = {"job": "backup", "noop": True}
ROOT = Path(__file__).parents[2]


async def listed(client: httpx2.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    reply = await client.get(f"/v1/audit{query}")
    assert reply.status_code == 200, reply.text
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def test_an_action_that_nobody_takes_is_refused_with_the_near_miss(client: httpx2.AsyncClient) -> None:
    for path in ("/v1/audit", "/v1/audit/export"):
        reply = await client.get(f"{path}?action=put,delte")
        assert reply.status_code in (400, 422), reply.text
        assert "did you mean delete?" in reply.text
    page = (ROOT / "docs/reference/audit.md").read_text()
    rows = page[page.index("| kind | actions |") :].split("\n\n")[0].splitlines()[2:]
    written = {word for row in rows for word in re.findall(r"`([a-z]+)`", row.split("|")[2])}
    assert written - {"after", "before", "name", "waiting"} <= set(audit.ACTIONS)


async def changed(client: httpx2.AsyncClient) -> None:
    await client.put("/v1/jobs/backup", json=JOB)
    await client.put("/v1/jobs/backup", json={**JOB, "description": "of all", "namespace": "finance"})
    await client.put("/v1/jobs/backup", json={**JOB, "description": "of all"})
    await client.post("/v1/jobs/backup/pause")
    assert (await client.post("/v1/jobs/backup/runs", json={})).status_code == 201
    assert (await client.put("/v1/jobs/backup", json={"job": "other"})).status_code == 422


async def test_each_write_has_its_entry_with_who_and_from_where(client: httpx2.AsyncClient) -> None:
    await changed(client)

    run, pause, *_ = found = await listed(client)
    assert [(x["action"], x["namespace"], x["before"], x["after"]) for x in found] == [
        ("run", "default", None, None),
        ("pause", "default", "active", "paused"),
        ("put", "default", 1, 2),
        ("put", "finance", None, 1),
        ("put", "default", None, 1),
        ("put", None, None, "admin"),
    ]
    assert {(x["actor"], x["address"], x["session"]) for x in found[:-1]} == {("admin", "127.0.0.1", False)}
    assert (run["kind"], run["name"], run["run"]) == ("job", "backup", 1)
    assert pause["number"] == run["number"] - 1
    assert pause["index"] == run["index"] - 1


async def test_what_a_browser_does_is_told_apart(client: httpx2.AsyncClient) -> None:
    session = (await client.post("/v1/session")).json()
    headers = {"authorization": "", "x-csrf-token": session["csrf"]}
    assert (await client.put("/v1/jobs/backup", json=JOB, headers=headers)).status_code == 201

    put, opened, _ = await listed(client)
    assert (put["action"], put["actor"], put["session"]) == ("put", "admin", True)
    assert (opened["action"], opened["kind"], opened["name"]) == ("open", "session", "admin")


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("?actor=admin", [6, 5, 4, 3, 2]),
        ("?actor=nobody", []),
        ("?action=put", [4, 3, 2, 1]),
        ("?action=put,pause&name=backup&namespace=default", [5, 4, 2]),
        ("?action=put&namespace=finance", [3]),
        ("?action=put&actor=admin", [4, 3, 2]),
        ("?kind=token", [1]),
        ("?name=backup&namespace=default", [6, 5, 4, 2]),
        ("?run=1", [6]),
        ("?since=2001-01-01T00:00:00Z", [6, 5, 4, 3, 2, 1]),
        ("?until=2001-01-01T00:00:00Z", []),
    ],
)
async def test_it_is_filtered(client: httpx2.AsyncClient, query: str, numbers: list[int]) -> None:
    await changed(client)
    assert [entry["number"] for entry in await listed(client, query)] == numbers
    lines = (await client.get(f"/v1/audit/export{query}")).text.splitlines()
    assert [json.loads(line)["number"] for line in lines] == numbers[::-1]


async def test_pages_go_on_where_the_one_before_ended(client: httpx2.AsyncClient) -> None:
    await changed(client)
    found, cursor = [], ""
    while True:
        page = (await client.get(f"/v1/audit?limit=2{cursor}")).json()
        found += [entry["number"] for entry in page["items"]]
        if page["next_cursor"] is None:
            break
        await client.post("/v1/jobs/backup/resume")  # what comes meanwhile does not move them
        cursor = f"&cursor={page['next_cursor']}"
    assert found == [6, 5, 4, 3, 2, 1]


async def test_an_export_is_bounded_and_goes_on_behind_a_number(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await changed(client)
    monkeypatch.setattr(exporting, "EXPORT_MAX", 4)
    numbers: list[list[int]] = []
    for after in (0, 4, 6):
        reply = await client.get(f"/v1/audit/export?after={after}")
        assert reply.headers["content-type"].startswith("application/jsonl")
        numbers.append([json.loads(line)["number"] for line in reply.text.splitlines()])
    assert numbers == [[1, 2, 3, 4], [5, 6], []]


@pytest.mark.parametrize("path", ["/v1/audit", "/v1/audit/export"])
@pytest.mark.parametrize("role", ["viewer", "operator", "submitter"])
async def test_it_is_for_administrators(
    client: httpx2.AsyncClient, node: SingleNode, path: str, role: str
) -> None:
    node.apply(PutToken(role, hashlib.sha256(role.encode()).digest(), role))
    refused = await client.get(path, headers={"authorization": f"Bearer {role}"})
    assert refused.status_code == 403, refused.text


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("since=yesterday", "?since"), ("run=0", "run"), ("actr=ann", "?actr"), ("cursor=x", "?cursor")],
)
async def test_what_cannot_be_asked_is_refused(client: httpx2.AsyncClient, query: str, pointer: str) -> None:
    refused = await client.get(f"/v1/audit?{query}")
    assert refused.status_code == 422
    assert pointer in refused.text


@pytest.mark.parametrize("path", ["/v1/audit/export?after=", "/v1/ledger/export?after=", "/v1/audit?run="])
async def test_a_number_beyond_all_is_refused(client: httpx2.AsyncClient, path: str) -> None:
    reply = await client.get(f"{path}{1 << 64}")

    assert (reply.status_code, reply.json()["type"]) == (422, "/problems/validation")


def test_every_word_that_an_entry_has_is_an_action() -> None:
    folder = ROOT / "scheduler/machine"
    lines = [line for file in folder.rglob("*.py") for line in file.read_text().splitlines()]
    said = [line.split("verb=")[1] for line in lines if "verb=" in line]
    given = {word for text in said for word in re.findall(r'"([a-z]+)"', text)}
    assert {"approve", "reject", "put"} <= given <= set(audit.ACTIONS)
