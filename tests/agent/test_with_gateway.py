"""A real agent process on a real gateway, machine and store: both sides keep to the protocol alike."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.ports import ApiSettings
from scheduler.store.reads import tasks as task_reads
from scheduler.store.tables import agents as agent_rows
from scheduler.words.commands import CancelRun, Place, PutToken
from tests.agent.fake_node import DEADLINE_S
from tests.agent.host import Host, until
from tests.api.served import served
from tests.api.single_node import ADMIN_TOKEN, SingleNode


@pytest.fixture
async def single(tmp_path: Path) -> AsyncIterator[SingleNode]:
    folder = tmp_path / "node"
    folder.mkdir()
    found = SingleNode(folder)
    found.apply(PutToken("agent", hashlib.sha256(b"secret").digest(), "admin"))
    yield found
    found.close()


@pytest.fixture
async def api(single: SingleNode) -> AsyncIterator[Api]:
    settings = ApiSettings(insecure=False, urls={})
    app = create_app(single, settings, Gateway(single, settings))
    app.start()
    yield app
    await app.close()


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with served(api) as address:
        yield address


@pytest.fixture
def real(tmp_path: Path, url: str) -> Iterator[Host]:
    made = Host(tmp_path, [url])
    yield made
    made.close()


@pytest.fixture
async def client(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=DEADLINE_S) as found:
        yield found


async def agent_id(single: SingleNode) -> int:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            with single.read() as store:
                row = agent_rows.get(store, 1)
            if row is not None and row.node:
                return 1
            await asyncio.sleep(0.01)


async def run(client: httpx2.AsyncClient, single: SingleNode, line: str, **fields: Any) -> int:
    """A run of that line, placed on the agent: what the planner would decide."""
    put = await client.put("/v1/jobs/job", json={"run": line, **fields})
    assert put.status_code in (200, 201), put.text
    made = await client.post("/v1/jobs/job/runs", json={})
    assert made.status_code == 201, made.text
    number: int = made.json()["id"]
    with single.read() as store:
        task = task_reads.of_runs(store, [number])[0]
    if task.state == "queued":
        outcome = single.apply(Place(single.machine.state.epoch, task.id, await agent_id(single)))[0]
        assert outcome.ok, outcome
    return number


async def state(client: httpx2.AsyncClient, number: int, *wanted: str) -> dict[str, Any]:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            read: dict[str, Any] = (await client.get(f"/v1/runs/{number}")).json()
            if read["state"] in wanted or read["tasks"]["main"]["attempts"][-1:][0]["state"] in wanted:
                return read
            await asyncio.sleep(0.02)


async def test_a_run_through_the_gateway(real: Host, single: SingleNode, client: httpx2.AsyncClient) -> None:
    real.start()
    await agent_id(single)
    number = await run(client, single, 'echo "fence $CRONCLAVE_FENCE run $CRONCLAVE_RUN"; exit 3')
    ended = await state(client, number, "failed")
    assert ended["exit_code"] == 3
    logs = (await client.get(f"/v1/runs/{number}/logs")).text
    assert f"run {number}\n" in logs
    assert "fence 0" not in logs


async def test_a_run_that_writes_nothing_is_stalled_until_it_does(
    real: Host, single: SingleNode, client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    real.start()
    await agent_id(single)
    line = f"while [ ! -e {go} ]; do sleep 0.02; done; echo on; while [ -e {go} ]; do sleep 0.02; done"
    number = await run(client, single, line, expect={"output_within": "1s"})

    async def told(of: str) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                found = (await client.get("/v1/expectations", params={"run": number, "state": of})).json()
                if found["items"]:
                    item: dict[str, Any] = found["items"][0]
                    return item
                await asyncio.sleep(0.02)

    stalled = await told("unmet")
    assert (stalled["what"], stalled["run"], stalled["wanted"]) == ("stalled", number, 1_000)
    go.touch()
    assert (await told("over"))["id"] == stalled["id"]
    go.unlink()
    await state(client, number, "succeeded")


async def test_a_namespace_s_words_around_an_attempt_are_those_of_its_grant(
    real: Host, single: SingleNode, client: httpx2.AsyncClient
) -> None:
    real.start()
    await agent_id(single)
    around = {"before": 'echo "before $CRONCLAVE_JOB"', "after": 'echo "after $CRONCLAVE_STATE"'}
    assert (await client.put("/v1/namespaces/default", json=around)).status_code == 201
    first = await run(client, single, "echo work; exit 3")
    await state(client, first, "failed")
    assert (await client.get(f"/v1/runs/{first}/logs")).text == "before job\nwork\nafter failed\n"

    assert (await client.put("/v1/namespaces/default", json={"before": "exit 9"})).status_code == 200
    second = await run(client, single, "echo work")
    ended = await state(client, second, "failed")
    attempt = ended["tasks"]["main"]["attempts"][0]
    assert (ended["exit_code"], attempt["reason"]) == (None, "before_failed: before: ended with exit code 9")

    assert (await client.put("/v1/namespaces/default", json={})).status_code == 200
    assert (await state(client, await run(client, single, "true"), "succeeded"))["exit_code"] == 0


async def test_an_agent_that_dies_reports_afterwards(
    real: Host, single: SingleNode, client: httpx2.AsyncClient
) -> None:
    real.start()
    await agent_id(single)
    go = real.folder / "go"
    line = f"echo x >> {go}.evidence; while [ ! -e {go} ]; do sleep 0.02; done; exit 4"
    number = await run(client, single, line)
    await until(Path(f"{go}.evidence").exists)  # granted is "running" already
    real.kill()
    go.touch()
    real.start()
    ended = await state(client, number, "failed", "lost", "succeeded")
    assert (ended["state"], ended["exit_code"]) == ("failed", 4)
    assert Path(f"{go}.evidence").read_text() == "x\n"


async def test_a_reboot_ends_the_run_as_lost(
    real: Host, single: SingleNode, client: httpx2.AsyncClient
) -> None:
    real.start()
    await agent_id(single)
    number = await run(client, single, "sleep 600")
    await state(client, number, "running")
    real.kill()
    real.boot_id_file.write_text("boot-2")
    real.start()
    assert (await state(client, number, "lost"))["state"] == "lost"
    assert (await state(client, await run(client, single, "true"), "succeeded"))["exit_code"] == 0


async def test_cancel_through_the_gateway(real: Host, single: SingleNode, client: httpx2.AsyncClient) -> None:
    real.start()
    await agent_id(single)
    number = await run(client, single, "sleep 600")
    await state(client, number, "running")
    await single.propose(CancelRun(number))
    assert (await state(client, number, "cancelled"))["state"] == "cancelled"


async def test_what_a_task_writes_is_a_variable_of_those_that_need_it(
    real: Host, single: SingleNode, client: httpx2.AsyncClient
) -> None:
    real.start()
    agent = await agent_id(single)
    told = 'printf \'{"rows": 42, "path": "a b"}\' > "$CRONCLAVE_OUTPUT"'
    show = 'echo "$CRONCLAVE_OUTPUT_EXTRACT_ROWS/$CRONCLAVE_OUTPUT_EXTRACT_PATH/"'
    tasks = {
        "extract": {"run": told, "outputs": ["rows", "path"]},
        "load": {"needs": ["extract"], "when": "extract.outputs.rows > 41", "run": show},
        "after": {"needs": ["load"], "run": show},
    }
    assert (await client.put("/v1/jobs/graph", json={"tasks": tasks})).status_code == 201
    number = (await client.post("/v1/jobs/graph/runs", json={})).json()["id"]
    async with asyncio.timeout(DEADLINE_S):
        while (found := (await client.get(f"/v1/runs/{number}")).json())["state"] in ("pending", "running"):
            with single.read() as store:
                queued = [task for task in task_reads.of_runs(store, [number]) if task.state == "queued"]
            for task in queued:
                single.apply(Place(single.machine.state.epoch, task.id, agent))
            await asyncio.sleep(0.02)
    assert found["state"] == "succeeded"
    assert found["tasks"]["extract"]["outputs"] == {"rows": 42, "path": "a b"}
    assert found["tasks"]["load"]["outputs"] is None
    logs = [(await client.get(f"/v1/runs/{number}/logs?task={name}")).text for name in ("load", "after")]
    assert logs == ["42/a b/\n", "//\n"]
