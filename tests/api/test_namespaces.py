"""Every route with every role, in its own and in a foreign namespace, by token and by session: what is
refused is what `api.rights` says. Whoever adds a route gives it a line there, and here what is sent to it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.access import ADMIN, CAPABILITIES, EDIT, READ, Principal, Reach
from api.app import Api, routes
from api.event_scope import FOR_ALL_ALONE, OF_THE_CLUSTER, RunNamespaces, is_for
from api.rights import OPEN, RIGHTS, Of, Right, markdown
from scheduler.machine.tokens import PEOPLE
from scheduler.words import events as e
from scheduler.words.commands import Granted, PutSecret, PutToken
from tests.api.single_node import SingleNode
from tests.node.effects.parts import connect, fail_last

OURS, THEIRS = "treasury", "kitchen"
JOB = "gold"
NOTICE = {"on": ["failed"], "webhook": "https://hooks.example.org"}
EXPECT = {"output_within": "1m"}
WRITTEN = {"job": JOB, "namespace": OURS, "noop": True, "notify": [NOTICE], "expect": EXPECT}

#: What is sent beside the path, which has the names of what is in our namespace.
SENT: Mapping[str, dict[str, Any]] = {
    "putJob": {"json": WRITTEN},
    "putObject": {"json": {"vars": JOB, "namespace": OURS, "values": {"a": 2}}},
    "listCalendarDays": {"params": {"from": "2026-12-24", "to": "2026-12-26"}},
    "getObjectDiff": {"params": {"from": 1, "to": 1}},
    "createJob": {"json": {**WRITTEN, "job": "silver"}},
    "applyJobs": {"json": {"jobs": [WRITTEN]}},
    "getStage": {"params": {"stage": "ours"}},
    "dropStage": {"params": {"stage": "ours"}},
    "runJob": {"json": {}},
    "startBackfill": {"json": {"from": "2026-03-01", "to": "2026-03-31"}},
    "postNotice": {"json": {"key": "k"}},
    "changeJobs": {"json": {"action": "pause", "jobs": [JOB], "namespace": OURS}},
    "pauseNamespace": {"json": {"reason": "why"}},
    "putNamespace": {"json": {"quotas": {"jobs": 5}}},
    "pauseAll": {"json": {"reason": "why"}},
    "createToken": {"json": {"name": "more", "role": "viewer", "namespaces": [OURS]}},
    "addMute": {"json": {"namespace": OURS, "until": "2199-01-31T23:00:00Z"}},
    "acknowledgeExpectation": {"json": {"until": "2199-01-31T23:00:00Z"}},
    "addMember": {"json": {}},
    "joinCluster": {"json": {}},
    "transferLeadership": {"json": {}},
    "activateFormat": {"json": {}},
    "activateZones": {"json": {}},
    "setTickLimits": {"json": {}},
    "putSecret": {"json": {"value": "correct horse"}},
    "grantSecret": {"json": {"add": ["*"]}},
    "releaseAgent": {"json": {}},
    "streamEvents": {"params": {"types": "none"}},  # that is refused behind the rights: it would never end
}
ROUTES = routes()


@pytest.fixture
async def run(client: httpx2.AsyncClient, node: SingleNode) -> int:
    """A run of a job in our namespace, made by somebody who may; it failed, and tells of that."""
    assert (await client.put(f"/v1/jobs/{JOB}", json=WRITTEN)).status_code == 201
    given = {"values": {"a": 1}, "namespace": OURS}
    assert (await client.put(f"/v1/vars/{JOB}", json=given)).status_code == 201
    assert (await client.put(f"/v1/calendars/{JOB}", json={"namespace": OURS})).status_code == 201
    source = {"namespace": OURS, "folder": "/srv"}
    assert (await client.put(f"/v1/sources/{JOB}", json=source)).status_code == 201
    assert (await client.put(f"/v1/boards/{JOB}", json={"namespace": OURS})).status_code == 201
    assert (await client.put(f"/v1/resources/{JOB}", json={"namespace": OURS})).status_code == 201
    posted = await client.post(f"/v1/boards/{JOB}/notices", params={"namespace": OURS}, json={"key": "k"})
    assert posted.json()["serial"] == 1, posted.text
    (sealed,) = node.apply(PutSecret(OURS, JOB, 1, "key-1", b"sealed"))
    assert sealed.ok, sealed
    given = {"secret": JOB, "namespace": OURS}
    assert (await client.put(f"/v1/hooks/{JOB}", json=given)).status_code == 201
    given = {"email": ["ops@example.org"], "namespace": OURS}
    assert (await client.put(f"/v1/channels/{JOB}", json=given)).status_code == 201
    made = await client.post(f"/v1/jobs/{JOB}/runs", params={"namespace": OURS}, json={})
    assert made.status_code == 201, made.text
    assert (await client.put(f"/v1/namespaces/{OURS}", json={})).status_code == 201
    number: int = made.json()["id"]
    connect(node)
    fail_last(node, silent=True)
    laid = await client.post("/v1/apply?stage=ours&slice=0", json={"jobs": [WRITTEN]})
    assert laid.status_code == 200, laid.text
    return number


def token(node: SingleNode, name: str, role: str = "", **roles: str) -> dict[str, str]:
    """The headers of a new token with these roles."""
    granted = tuple(Granted(*each) for each in roles.items())
    (outcome,) = node.apply(PutToken(name, hashlib.sha256(name.encode()).digest(), role, roles=granted))
    assert outcome.ok, outcome
    return {"Authorization": f"Bearer {name}"}


async def session(client: httpx2.AsyncClient, bearer: Mapping[str, str]) -> dict[str, str]:
    """The headers of a browser that came by this token."""
    begun = await client.post("/v1/session", headers=bearer)
    assert begun.status_code == 201, begun.text
    client.cookies.clear()
    cookie = begun.headers["set-cookie"].partition(";")[0]
    return {"Authorization": "", "Cookie": cookie, "X-CSRF-Token": begun.json()["csrf"]}


def request_of(operation: str, run: int) -> tuple[str, str, dict[str, Any]]:
    """Method, path and what is sent, for nothing to change."""
    method, path = ROUTES[operation]
    path = path.replace("{name}", "ours" if operation == "deleteToken" else JOB).replace("{namespace}", OURS)
    path = path.replace("{kind}", "vars")
    path = path.replace("{run}", str(run)).replace("{effect}", "1").replace("{node}", "node-9")
    path = path.replace("{expectation}", "1").replace("{mute}", "1")
    path = path.replace("{backfill}", "1").replace("{serial}", "1").replace("{task}", "main")
    sent = {**SENT.get(operation, {})}
    sent["params"] = {"namespace": OURS, **sent.get("params", {})}
    if method != "GET" and operation != "joinCluster":
        sent["params"]["dry_run"] = "true"
    return method, path, sent


def refusal(right: Right, role: str, where: str | None) -> int | None:
    """The status with which a role that holds there is refused; None: it is not. `where` None: in all."""
    if right.capability not in CAPABILITIES[role]:
        return 403
    if where is None or right.of is Of.ANY or (where == OURS and right.of is not Of.CLUSTER):
        return None
    return 404 if right.of is Of.LOADED else 403


def test_every_route_says_what_it_is_of() -> None:
    assert ROUTES.keys() == RIGHTS.keys() | OPEN
    assert not RIGHTS.keys() & OPEN


def test_the_page_is_made_from_the_table() -> None:
    page = Path(__file__).parents[2] / "docs/reference/access.md"
    assert page.read_text() == markdown(ROUTES), "python -m api.rights > docs/reference/access.md"


@pytest.mark.parametrize("role", PEOPLE)
async def test_every_route_refuses_whom_it_says(
    client: httpx2.AsyncClient, node: SingleNode, run: int, role: str
) -> None:
    token(node, "ours", **{OURS: "viewer"})
    holders = {
        None: token(node, "everywhere", role),
        OURS: token(node, "own", **{OURS: role}),
        THEIRS: token(node, "foreign", **{THEIRS: role}),
    }
    wrong = []
    for where, bearer in holders.items():
        for way, headers in (("token", bearer), ("session", await session(client, bearer))):
            for operation, right in RIGHTS.items():
                if operation in ("getBackup", "joinCluster") and refusal(right, role, where) is None:
                    continue  # a copy of the state: tests/api/test_backup.py
                method, path, sent = request_of(operation, run)
                reply = await client.request(method, path, headers=headers, **sent)
                expected = refusal(right, role, where)
                refused = reply.status_code if reply.status_code in (403, 404) else None
                if (refused, expected) == (404, None) and operation in MAY_BE_UNKNOWN:
                    refused = None
                if refused != expected:
                    wrong.append((operation, where, way, reply.status_code, expected, reply.text[:150]))
                if where == THEIRS and right.capability != ADMIN:
                    assert run_facts(reply) is None, (operation, reply.text)
    assert wrong == []


MAY_BE_UNKNOWN = {
    "getAgent", "listWork", "drainAgent", "resumeAgent", "releaseAgent", "removeMember", "getSecret",
    "listScheduleTicks",
    "grantSecret", "deleteSecret", "getBackfill", "cancelBackfill", "removeMute",
}  # fmt: skip
"""Of what is not there in this test."""


def run_facts(reply: httpx2.Response) -> str | None:
    """What a reply that a foreigner got tells of our job; refusals repeat what was asked for."""
    return reply.text if reply.status_code < 300 and WRITTEN["notify"][0]["webhook"] in reply.text else None  # type: ignore[index]


async def test_lists_are_of_the_namespaces_in_which_one_reads(
    client: httpx2.AsyncClient, node: SingleNode, run: int
) -> None:
    other = {"job": "spoons", "namespace": THEIRS, "noop": True}
    assert (await client.put("/v1/jobs/spoons", json=other)).status_code == 201
    both = token(node, "both", **{OURS: "viewer", THEIRS: "viewer"})
    theirs = token(node, "theirs", **{THEIRS: "viewer"})

    async def names(path: str, headers: Mapping[str, str], key: str) -> list[str]:
        found, cursor = [], None
        while True:
            params = {"limit": 1, **({"cursor": cursor} if cursor else {})}
            reply = (await client.get(path, headers=headers, params=params)).json()
            found += [item[key] for item in reply["items"]]
            cursor = reply["next_cursor"]
            if cursor is None:
                return found

    assert await names("/v1/jobs", both, "name") == ["spoons", JOB]
    assert await names("/v1/jobs", theirs, "name") == ["spoons"]
    for path in ("/v1/runs", "/v1/attempts", "/v1/outbox", "/v1/ledger"):
        assert len(await names(path, both, "namespace")) == (0 if path == "/v1/ledger" else 1), path
        assert await names(path, theirs, "namespace") == [], path
    for headers, failing in ((both, [JOB]), (theirs, [])):
        overview = (await client.get("/v1/overview", headers=headers)).json()
        assert [item["job"] for item in overview["failing"]["items"]] == failing
        assert overview["outbox"]["waiting"] == len(failing)
    assert (await client.get("/v1/jobs", headers=theirs, params={"namespace": OURS})).status_code == 403


async def test_what_adds_up_is_a_role_in_all_and_one_more_in_one(
    client: httpx2.AsyncClient, node: SingleNode, run: int
) -> None:
    ann = token(node, "ann", "viewer", **{OURS: "submitter"})
    assert (await client.get("/v1/jobs", headers=ann)).json()["items"] != []
    for namespace, status in ((OURS, 200), (THEIRS, 403)):
        body = {**WRITTEN, "namespace": namespace}
        assert (await client.put(f"/v1/jobs/{JOB}", json=body, headers=ann)).status_code == status
    told = (await client.get("/v1/session", headers=ann)).json()
    assert (told["role"], told["namespaces"]) == ("several", None)
    assert told["roles"] == {"*": "viewer", OURS: "submitter"}
    assert told["may_in"] == {"*": ["read"], OURS: ["edit", "read", "run"]}


# -- administrators of a namespace ---------------------------------------------------------------------------


async def test_an_administrator_of_a_namespace_gives_no_right_beyond_it(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    boss = token(node, "boss", **{OURS: "admin"})
    for more, status in (
        ({"role": "admin", "namespaces": [OURS]}, 201),
        ({"roles": {OURS: "approver"}}, 201),
        ({"role": "viewer"}, 403),
        ({"role": "viewer", "namespaces": [OURS, THEIRS]}, 403),
        ({"roles": {OURS: "viewer", "*": "viewer"}}, 403),
        ({"role": "agent"}, 403),
        ({"role": "join-node"}, 403),
    ):
        for dry_run in ("true", "false"):
            body = {"name": f"made-{more.get('role', 'by-name')}-{status}", **more}
            reply = await client.post("/v1/tokens", json=body, headers=boss, params={"dry_run": dry_run})
            assert reply.status_code == (status if dry_run == "false" or status == 403 else 200), reply.text
    made = [item["name"] for item in (await client.get("/v1/tokens", headers=boss)).json()["items"]]
    assert made == ["boss", "made-admin-201", "made-by-name-201"]


async def test_an_administrator_of_a_namespace_sees_and_withdraws_its_tokens_alone(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    boss = token(node, "boss", **{OURS: "admin"})
    token(node, "ours", **{OURS: "viewer"})
    token(node, "shared", **{OURS: "viewer", THEIRS: "viewer"})
    token(node, "wide", "viewer", **{OURS: "viewer"})
    for name in ("shared", "wide", "admin", "nobody"):
        reply = await client.delete(f"/v1/tokens/{name}", headers=boss)
        assert (reply.status_code, reply.json()["detail"]) == (404, f"there is no token {name}")
    assert (await client.delete("/v1/tokens/ours", headers=boss)).status_code == 204
    left = (await client.get("/v1/tokens", headers=boss)).json()["items"]
    assert [each["name"] for each in left] == ["boss"]
    everything = (await client.get("/v1/tokens")).json()["items"]
    assert [(each["name"], each["role"], each["namespaces"]) for each in everything] == [
        ("admin", "admin", None),
        ("boss", "admin", [OURS]),
        ("shared", "viewer", [THEIRS, OURS]),
        ("wide", "viewer", None),
    ]


@pytest.mark.parametrize(
    ("body", "pointer", "hint"),
    [
        ({"role": "operater"}, "/role", "did you mean operator?"),
        ({"role": "agent", "namespaces": [OURS]}, "/role", None),
        ({"role": "viewer", "namespaces": []}, "/namespaces", None),
        ({"role": "viewer", "namespaces": "finance"}, "/namespaces", None),
        ({"role": "viewer", "namespaces": [OURS, "a b"]}, "/namespaces/1", None),
        ({"roles": {OURS: "viewer"}, "role": "viewer"}, "/role", None),
        ({"roles": {OURS: "view"}}, f"/roles/{OURS}", "did you mean viewer?"),
        ({"roles": {OURS: "join-node"}}, f"/roles/{OURS}", None),
        ({"roles": []}, "/roles", None),
        ({}, "/role", None),
    ],
)
async def test_roles_that_are_none_are_refused_with_their_place(
    client: httpx2.AsyncClient, body: dict[str, Any], pointer: str, hint: str | None
) -> None:
    reply = await client.post("/v1/tokens", json={"name": "x", **body})
    first = reply.json()["errors"][0]
    assert (reply.status_code, first["pointer"], first.get("hint")) == (422, pointer, hint), reply.text


# -- events --------------------------------------------------------------------------------------------------


def test_every_event_says_whom_it_is_for() -> None:
    for event in e.ALL:
        fields = event.__struct_fields__
        named = "namespace" in fields or "run" in fields
        assert named != (event in OF_THE_CLUSTER | FOR_ALL_ALONE), event
    assert not OF_THE_CLUSTER & FOR_ALL_ALONE


def test_events_are_for_those_who_read_where_they_happen() -> None:
    runs = RunNamespaces({7: OURS}.get)
    ours, theirs = frozenset({OURS}), frozenset({THEIRS})
    for event, told in (
        (e.RunStarted(7, 1, OURS, JOB), [ours]),
        (e.AttemptGranted(1, 7, 1, 5), [ours]),
        (e.AttemptGranted(1, 8, 1, 5), []),  # of a run that is no more
        (e.Paused("", "why", None, "ann"), [ours, theirs]),
        (e.Led(1, "node-1", "zone-a"), [ours, theirs]),
        (e.TokenWithdrawn("ann"), []),
        (e.StageMoved("january", "refused", f"{OURS}/{JOB} has changed"), []),
    ):
        assert [each for each in (ours, theirs) if is_for(event, each, runs)] == told, event


async def test_a_stream_leaves_out_what_is_of_other_namespaces(api: Api, node: SingleNode, run: int) -> None:
    feed = api.services.feed
    whole, ours, theirs = (
        chunk.data.decode()
        for chunk in (feed.chunk((0, -1), None, of) for of in (None, frozenset({OURS}), frozenset({THEIRS})))
        if chunk is not None
    )
    told = ("event: job_put", "event: attempt_granted", "event: run_ended")
    assert [all(name in text for name in told) for text in (whole, ours, theirs)] == [True, True, False]
    assert not any(name in theirs for name in told)
    assert "event: agent_connected" in theirs


def test_roles_hold_where_they_are_given() -> None:
    everywhere, there = Principal("a", "admin", "t"), Principal("a", "", "t", roles={"x": "admin"})
    places = ("x", "y", Reach.ANY, Reach.ALL)
    assert [everywhere.may(ADMIN, place) for place in places] == [True] * 4
    assert [there.may(ADMIN, place) for place in places] == [True, False, True, False]
    viewer = Principal("a", "", "t", roles={"x": "viewer"})
    assert (viewer.may(READ, "x"), viewer.may(EDIT, "x"), viewer.may(EDIT, Reach.ANY)) == (True, False, False)
    assert (everywhere.where(READ), viewer.where(READ), viewer.where(EDIT)) == (None, ("x",), ())


