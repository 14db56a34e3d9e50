"""Async tasks over HTTP: completed by their own token or by who operates runs, and how far they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api import callbacks
from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.callbacks import Callback
from api.ports import ApiSettings
from node.secret_keys import KeyRing
from node.vault import NodeVault
from scheduler import protocol as p
from scheduler.store.tables import restores
from scheduler.store.tables.restores import Restore
from tests.api.served import HandAgent, served
from tests.api.single_node import CLUSTER, SingleNode
from tests.api.test_gateway import assign
from tests.api.test_namespaces import token
from tests.api.test_secrets import assigned, new_key, write_keys
from tests.api.working import connect, run_it

PUBLIC = "https://cronclave.example.org"
JOB: dict[str, Any] = {"run": "submit", "async": {"timeout": "1h"}, "outputs": ["rows"]}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    write_keys(file, new_key())
    return file


@pytest.fixture
def settings(keys: Path) -> ApiSettings:
    return ApiSettings(insecure=False, vault=NodeVault(KeyRing(keys)), public_url=PUBLIC)


@pytest.fixture
async def api(node: SingleNode, settings: ApiSettings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.setattr(p, "AGENT_SILENCE_MS", 1_000_000)  # an agent by hand has no heartbeat
    app = create_app(node, settings, Gateway(node, settings))
    app.start()
    yield app
    await app.close()


class Submitted:
    """A run whose process has handed its work on."""

    def __init__(self, client: httpx2.AsyncClient, run: int, token: str) -> None:
        self.client, self.run, self.token = client, run, token

    async def say(
        self,
        word: str,
        body: Any,
        token: str | None = None,
        *,
        task: str = "main",
        run: int = 0,
        dry_run: bool = False,
    ) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        path = f"/v1/runs/{run or self.run}/tasks/{task}/{word}"
        query = {"dry_run": "true"} if dry_run else {}
        return await self.client.post(path, json=body, headers=headers, params=query)

    async def attempt(self) -> dict[str, Any]:
        told = (await self.client.get(f"/v1/runs/{self.run}")).json()
        return dict(told["tasks"]["main"]["attempts"][-1])


def token_of(node: SingleNode, settings: ApiSettings, attempt: int, restores: int = 0) -> str:
    with node.read() as store:
        return callbacks.token_of(settings.vault, store, Callback(attempt, restores))


@pytest.fixture
async def submitted(client: httpx2.AsyncClient, node: SingleNode, settings: ApiSettings) -> Submitted:
    agent = connect(node)
    assert (await client.put("/v1/jobs/j", json=JOB)).status_code == 201
    run = (await client.post("/v1/jobs/j/runs")).json()["id"]
    if not (await client.get(f"/v1/runs/{run}")).json()["tasks"]["main"]["attempts"]:
        assign(node, run, agent)
    run_it(node, run, agent)
    with node.read() as store:
        attempt = store.value("SELECT max(id) FROM attempts")
    return Submitted(client, run, token_of(node, settings, attempt))


DONE: dict[str, Any] = {"outcome": "succeeded", "message": "3 files", "outputs": {"rows": 3}}


async def test_its_own_token_completes_it(submitted: Submitted) -> None:
    before = await submitted.attempt()
    assert (before["state"], before["finished"], before["exit_code"]) == ("awaiting", None, 0)
    known = before["completion"]
    assert (known["outcome"], known["exited"] is None, known["until"] is None) == (None, False, False)
    for dry_run in (True, False, False):
        reply = await submitted.say("complete", DONE, dry_run=dry_run)
        assert reply.status_code == 200, reply.text
        state = "awaiting" if dry_run else "succeeded"
        assert (reply.json()["state"], reply.json()["attempt"], reply.json()["task"]) == (state, 1, "main")
    told = await submitted.attempt()
    assert (told["state"], told["reason"]) == ("succeeded", "completed: 3 files")
    assert {name: told["completion"][name] for name in ("outcome", "message", "outputs", "by")} == {
        "outcome": "succeeded", "message": "3 files", "outputs": {"rows": 3}, "by": None,
    }  # fmt: skip
    run = (await submitted.client.get(f"/v1/runs/{submitted.run}")).json()
    assert (run["state"], run["tasks"]["main"]["outputs"]) == ("succeeded", {"rows": 3})
    other = await submitted.say("complete", {**DONE, "outcome": "failed", "outputs": None})
    assert (other.status_code, other.json()["value"]["outcome"]) == (409, "succeeded")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/outcome"),
        ({"outcome": "done"}, "/outcome"),
        ({"outcome": "succeeded", "message": 3}, "/message"),
        ({"outcome": "succeeded", "message": "x" * 501}, "/message"),
        ({"outcome": "succeeded", "outputs": [3]}, "/outputs"),
        ({"outcome": "failed", "outputs": {"rows": 3}}, "/outputs"),
        ({"outcome": "succeeded", "result": "x"}, "/result"),
    ],
)
async def test_a_wrong_body_is_refused_by_its_field(submitted: Submitted, body: Any, pointer: str) -> None:
    reply = await submitted.say("complete", body)
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, pointer), reply.text
    assert (await submitted.attempt())["state"] == "awaiting"


async def test_outputs_that_its_job_does_not_declare_are_refused(submitted: Submitted) -> None:
    for dry_run in (True, False):
        for outputs, said in (
            ({"lines": 3}, "'lines' is none that the job declares"),
            ({"rows": [3]}, "values"),
        ):
            body = {"outcome": "succeeded", "outputs": outputs}
            reply = await submitted.say("complete", body, dry_run=dry_run)
            assert (reply.status_code, said in reply.json()["detail"]) == (422, True), reply.text


async def test_a_token_that_is_none_or_of_another_task_is_refused(
    submitted: Submitted, node: SingleNode, settings: ApiSettings
) -> None:
    good = submitted.token
    for wrong in (
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        "cb_1_0_x",
        "cb_",
        good.replace("_0_", "_1_"),
    ):
        reply = await submitted.say("complete", DONE, wrong)
        assert (reply.status_code, reply.json()["type"]) == (401, "/problems/unauthorized")
    assert (await submitted.say("complete", DONE, task="other")).status_code == 403
    assert (await submitted.say("complete", DONE, run=99)).status_code == 403
    unknown = token_of(node, settings, 4711)
    assert (await submitted.say("complete", DONE, unknown)).status_code == 404
    assert (await submitted.attempt())["state"] == "awaiting"


async def test_it_opens_nothing_else(submitted: Submitted) -> None:
    headers = {"Authorization": f"Bearer {submitted.token}"}
    for method, path in (
        ("GET", f"/v1/runs/{submitted.run}"),
        ("POST", f"/v1/runs/{submitted.run}/cancel"),
        ("POST", f"/v1/runs/{submitted.run}/tasks/main/stop"),
        ("GET", f"/v1/runs/{submitted.run}/tasks/main/complete"),
    ):
        reply = await submitted.client.request(method, path, headers=headers)
        assert reply.status_code == 401, path


async def test_who_operates_runs_may_and_who_sees_them_may_not(
    submitted: Submitted, node: SingleNode
) -> None:
    viewer, operator = (token(node, name, name)["Authorization"][7:] for name in ("viewer", "operator"))
    assert (await submitted.say("complete", DONE, viewer)).status_code == 403
    reply = await submitted.say("complete", {"outcome": "failed", "message": "I looked"}, operator)
    assert (reply.status_code, reply.json()["by"]) == (200, "operator")
    assert (await submitted.attempt())["reason"] == "completed as failed by operator: I looked"
    entry = (await submitted.client.get("/v1/audit")).json()["items"][0]
    assert (entry["action"], entry["actor"], entry["after"]) == ("complete", "operator", "failed")


async def test_a_task_that_is_not_async_is_not_completed(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    connect(node)
    await client.put("/v1/jobs/n", json={"noop": True})
    run = (await client.post("/v1/jobs/n/runs")).json()["id"]
    for query in ({"dry_run": "true"}, {}):
        reply = await client.post(f"/v1/runs/{run}/tasks/main/complete", json=DONE, params=query)
        assert (reply.status_code, "is not async" in reply.json()["detail"]) == (409, True)
    assert (await client.post(f"/v1/runs/{run}/tasks/mian/complete", json=DONE)).status_code == 404
    assert (await client.post("/v1/runs/99/tasks/main/complete", json=DONE)).status_code == 404


async def test_how_far_it_is_is_shown_and_not_told_all_the_time(
    submitted: Submitted, node: SingleNode
) -> None:
    reply = await submitted.say("progress", {"percent": 40, "text": "copying"})
    assert (reply.status_code, reply.json()["progress"]["percent"]) == (200, 40), reply.text
    index = node.index
    again = await submitted.say("progress", {"percent": 40, "text": "copying"})
    soon = await submitted.say("progress", {"percent": 50})
    assert (again.status_code, soon.status_code, node.index) == (200, 429, index)  # nothing went into the log
    assert 1 <= int(soon.headers["retry-after"]) <= 5
    said = soon.json()
    assert (said["type"], said["title"]) == ("/problems/told-too-often", "Progress is told too often")
    told = (await submitted.attempt())["completion"]["progress"]
    assert (told["percent"], told["text"]) == (40, "copying")
    for body in ({}, {"percent": 101}, {"percent": True}, {"text": "x" * 201}, {"done": 1}):
        assert (await submitted.say("progress", body)).status_code == 422
    await submitted.say("complete", DONE)
    assert (await submitted.say("progress", {"percent": 60})).status_code == 409


async def test_who_waits_for_whom_is_explained(submitted: Submitted) -> None:
    gates = (await submitted.client.get(f"/v1/runs/{submitted.run}/explain")).json()["tasks"][0]["gates"]
    gate = next(each for each in gates if each["gate"] == "completion")
    assert gate["reason"] == "its process has ended, and somebody is to complete it"
    assert (
        gate["opens"]
        == "the word of who has its token, or a person's (run complete); without one it times out"
    )
    assert gate["opens_at"] == (await submitted.attempt())["completion"]["until"]


# -- the token ------------------------------------------------------------------------------------------


async def test_it_comes_with_the_grant_and_is_nowhere_in_the_state(
    api: Api, client: httpx2.AsyncClient, node: SingleNode, settings: ApiSettings
) -> None:
    await client.put("/v1/jobs/j", json=JOB)
    async with served(api) as url, HandAgent(url) as agent:
        welcome = await agent.hello(slots=20)
        assert isinstance(welcome, p.Welcome)
        attempt = await assigned(node, client, agent, welcome.agent)
        await agent.send(p.Claim(attempt, "claim"))
        granted = await agent.expect(p.Grant)
        assert isinstance(granted, p.Grant)
    ((variable, said, as_file),) = granted.secrets
    assert (variable, as_file) == ("CRONCLAVE_CALLBACK_TOKEN", False)
    path = f"{PUBLIC}/v1/runs/{granted.environment['CRONCLAVE_RUN']}/tasks/main"
    assert granted.environment["CRONCLAVE_CALLBACK_URL"] == f"{path}/complete"
    assert granted.environment["CRONCLAVE_PROGRESS_URL"] == f"{path}/progress"
    assert said == token_of(node, settings, attempt)
    headers = {"Authorization": f"Bearer {said}"}
    reply = await client.post(path.removeprefix(PUBLIC) + "/complete", json=DONE, headers=headers)
    assert (reply.status_code, reply.json()["state"]) == (200, "granted")  # its process goes on
    node.store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert said.encode() not in node.path.read_bytes()
    assert said.rpartition("_")[2].encode() not in node.path.read_bytes()


async def test_each_key_of_the_nodes_proves_it_the_first_makes_it(
    submitted: Submitted, node: SingleNode, settings: ApiSettings, keys: Path
) -> None:
    old = keys.read_text().strip()
    write_keys(keys, new_key(), old)
    assert token_of(node, settings, 1) != submitted.token
    assert (await submitted.say("complete", DONE)).status_code == 200
    write_keys(keys, new_key())
    assert (await submitted.say("complete", DONE)).status_code == 401


async def test_a_node_without_a_key_says_so(client: httpx2.AsyncClient, node: SingleNode) -> None:
    bare = ApiSettings(insecure=False)
    app = create_app(node, bare, Gateway(node, bare))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://node") as other:
        headers = {"Authorization": "Bearer cb_1_0_" + "x" * 43}
        reply = await other.post("/v1/runs/1/tasks/main/complete", json=DONE, headers=headers)
    assert (reply.status_code, "secrets.key_file" in reply.json()["detail"]) == (503, True)


async def test_after_a_restore_what_the_backup_knows_is_completed_and_the_rest_is_gone(
    submitted: Submitted, node: SingleNode, settings: ApiSettings
) -> None:
    unknown, later = token_of(node, settings, 4711), token_of(node, settings, 1, 1)
    reply = await submitted.say("complete", DONE, unknown)
    assert (reply.status_code, reply.json()["type"]) == (404, "/problems/not-found")
    renew_state(node)
    reply = await submitted.say("complete", DONE, unknown)
    assert (reply.status_code, reply.json()["type"]) == (410, "/problems/gone"), reply.text
    assert token_of(node, settings, 1, 1) == later != submitted.token  # the lineage is the same
    assert (await submitted.say("complete", DONE, later, dry_run=True)).status_code == 200
    assert (await submitted.say("complete", DONE)).status_code == 200


def renew_state(node: SingleNode) -> None:
    """The state is that of a cluster that was restored from it."""
    now_ms = node.now_ms()
    restores.create_tables(node.store)
    restores.insert(
        node.store,
        Restore(
            number=1, kind="restore", lineage=CLUSTER, former=CLUSTER, idx=0, run_floor=0, attempt_floor=0,
            run_base=1_000, attempt_base=1_000, stamp_ms=now_ms, hold_ms=0, catchup=0, phase=restores.DONE,
            taken_ms=now_ms, until_ms=now_ms,
        ),
    )  # fmt: skip
    node.store.execute("UPDATE state SET restores = 1 WHERE id = 1")
