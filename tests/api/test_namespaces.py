"""A role that holds in some namespaces: each route asks with the namespace of the job or run that it loads.

No token has such a role yet; `Bound` makes one of every token. Whoever adds a route says here what it is of:
the test fails for one that is in no list.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute

from api.access import ADMIN, EDIT, READ, Access, Principal, Reach
from api.agents.gateway import Gateway
from api.app import NOUNS, create_app
from api.ports import ApiSettings
from tests.api.single_node import SingleNode
from tests.api.within import client_of
from tests.node.effects.parts import connect, fail_last

OURS, THEIRS = "treasury", "kitchen"
JOB = "gold"
NOTICE = {"on": ["failed"], "webhook": "https://hooks.example.org"}
WRITTEN = {"job": JOB, "namespace": OURS, "noop": True, "notify": [NOTICE]}

#: Of a job or run: what is sent beside the path.
OF_A_JOB: Mapping[str, dict[str, Any]] = {
    "putJob": {"json": WRITTEN},
    "createJob": {"json": WRITTEN},
    "applyJobs": {"json": {"jobs": [WRITTEN]}},
    "runJob": {"json": {}},
    "getJob": {},
    "deleteJob": {},
    "pauseJob": {},
    "resumeJob": {},
    "listJobs": {},
    "listRevisions": {},
    "listCells": {},
    "listSeries": {},
    "getDefinition": {},
    "changeJobs": {"json": {"action": "run", "jobs": [JOB], "namespace": OURS}},
    "listNextTicks": {},
    "listTicks": {},
    "explainJob": {},
    "explainRun": {},
    "getNamespacePause": {},
    "pauseNamespace": {"json": {"reason": "why"}},
    "resumeNamespace": {},
    "listRuns": {},
    "getRun": {},
    "cancelRun": {},
    "resolveRun": {},
    "getLogs": {},
    "listLedger": {},
    "listAudit": {},
    "exportAudit": {},
    "listOutbox": {},
    "resendEffect": {},
    "dropEffect": {},
}
#: Of the cluster, or of all namespaces together.
OF_ALL = {
    "getPause", "pauseAll", "resumeAll",
    "getOverview", "listAttempts", "listProofs", "listWork", "verifyLedger", "streamEvents", "getBackup",
    "addMember", "removeMember",
    "transferLeadership",
    "activateFormat", "createToken", "listTokens", "deleteToken", "releaseAgent", "drainAgent", "resumeAgent",
    "joinCluster", "getTickLimits", "setTickLimits",
}  # fmt: skip
#: They tell nothing of jobs.
OF_NONE = {
    "getJobSchema", "getCluster", "listAgents", "getAgent", "getMetrics", "beginSession", "getSession",
    "endSession", "getHealth", "getHealthPage", "getReadiness", "getAuthorities",
}  # fmt: skip


class Bound(Access):
    """Every token's role holds in one namespace."""

    namespace = THEIRS

    async def identify(self, headers: Mapping[str, str], client: str = "") -> Principal:
        principal = await super().identify(headers, client)
        return dataclasses.replace(principal, namespaces=frozenset({self.namespace}))


def routes() -> list[tuple[str, str, str]]:
    """(operation, method, path) of all that is in the description."""
    found = [each for noun in NOUNS for each in noun.router.routes if isinstance(each, APIRoute)]
    return [
        (each.operation_id or each.name, sorted(each.methods or ())[0], each.path)
        for each in found
        if each.include_in_schema
    ]


ROUTES = routes()


@pytest.fixture
async def access(node: SingleNode) -> Bound:
    return Bound(node)


@pytest.fixture
async def bound(node: SingleNode, access: Bound) -> AsyncIterator[httpx2.AsyncClient]:
    settings = ApiSettings(insecure=False)
    app = create_app(node, settings, Gateway(node, settings, access=access))
    app.start()
    async with client_of(app) as client:
        yield client
    await app.close()


@pytest.fixture
async def run(client: httpx2.AsyncClient, node: SingleNode) -> int:
    """A run of a job in our namespace, made by somebody who may; it failed, and tells of that."""
    assert (await client.put(f"/v1/jobs/{JOB}", json=WRITTEN)).status_code == 201
    made = await client.post(f"/v1/jobs/{JOB}/runs", params={"namespace": OURS}, json={})
    assert made.status_code == 201, made.text
    number: int = made.json()["id"]
    connect(node)
    fail_last(node)
    return number


def test_every_route_says_what_it_is_of() -> None:
    operations = {operation for operation, _, _ in ROUTES}
    assert operations == {*OF_A_JOB, *OF_ALL, *OF_NONE}


def filled(path: str, run: int) -> str:
    filled_in = path.replace("{name}", JOB).replace("{namespace}", OURS)
    return filled_in.replace("{run}", str(run)).replace("{effect}", "1")


@pytest.mark.parametrize(("operation", "method", "path"), [each for each in ROUTES if each[0] in OF_A_JOB])
async def test_a_role_in_another_namespace_opens_nothing_of_a_job(
    bound: httpx2.AsyncClient, access: Bound, run: int, operation: str, method: str, path: str
) -> None:
    sent = {"params": {"namespace": OURS}, **OF_A_JOB[operation]}
    refused = await bound.request(method, filled(path, run), **sent)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden"), refused.text
    access.namespace = OURS
    allowed = await bound.request(method, filled(path, run), **sent)
    assert allowed.status_code != 403, allowed.text


@pytest.mark.parametrize("operation", ["listJobs", "listRuns", "listOutbox"])
async def test_a_list_of_all_namespaces_is_not_for_a_role_in_one(
    bound: httpx2.AsyncClient, access: Bound, run: int, operation: str
) -> None:
    access.namespace = OURS
    (path,) = [path for each, _, path in ROUTES if each == operation]
    assert (await bound.get(path)).status_code == 403
    assert (await bound.get(path, params={"namespace": OURS})).status_code == 200


@pytest.mark.parametrize(("operation", "method", "path"), [each for each in ROUTES if each[0] in OF_ALL])
async def test_what_is_of_all_namespaces_is_not_for_a_role_in_one(
    bound: httpx2.AsyncClient, run: int, operation: str, method: str, path: str
) -> None:
    refused = await bound.request(method, filled(path, run), json={})
    assert refused.status_code == 403, refused.text


@pytest.mark.parametrize(
    ("operation", "path"),
    [(each, path) for each, method, path in ROUTES if each in OF_NONE and method == "GET"],
)
async def test_what_any_role_opens_tells_nothing_of_jobs(
    bound: httpx2.AsyncClient, run: int, operation: str, path: str
) -> None:
    reply = await bound.get(filled(path, run))
    assert reply.status_code != 403
    assert JOB not in reply.text.replace(f"'{JOB}'", "")
    assert OURS not in reply.text


@pytest.mark.parametrize("method", ["get", "cancel"])
async def test_a_run_that_is_not_known_here_is_for_those_who_may_everywhere(
    bound: httpx2.AsyncClient, client: httpx2.AsyncClient, method: str
) -> None:
    asked = ("GET", "/v1/runs/77") if method == "get" else ("POST", "/v1/runs/77/cancel")
    assert (await bound.request(*asked)).status_code == 403
    assert (await client.request(*asked)).status_code == 404


def test_roles_hold_where_they_are_bound_to() -> None:
    everywhere = Principal("a", "admin", "t")
    there = dataclasses.replace(everywhere, namespaces=frozenset({"x"}))
    places = ("x", "y", Reach.ANY, Reach.ALL)
    assert [everywhere.may(ADMIN, place) for place in places] == [True] * 4
    assert [there.may(ADMIN, place) for place in places] == [True, False, True, False]
    viewer = dataclasses.replace(there, role="viewer")
    assert (viewer.may(READ, "x"), viewer.may(EDIT, "x"), viewer.may(EDIT, Reach.ANY)) == (True, False, False)
