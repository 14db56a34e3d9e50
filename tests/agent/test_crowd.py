"""The crowd of agents that measurements use, on a real gateway, machine and store: it keeps to the protocol
as an agent does."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import httpx2

from agent.crowd import members, run
from api.app import Api
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts
from scheduler.words.commands import CancelRun, Place, RunJob
from tests.agent.fake_node import DEADLINE_S
from tests.agent.test_with_gateway import api, client, single, url
from tests.api.single_node import SingleNode

__all__ = ["api", "client", "single", "url"]
AGENTS = 5


def connected(single: SingleNode) -> list[int]:
    with single.read() as store:
        return [row.id for row in agent_rows.connected(store)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def begun(single: SingleNode, agent: int, *, due_ms: int = 0) -> int:
    """A run whose task that agent has."""
    outcome = single.apply(RunJob("default", "job", b"{}", due_ms or single.now_ms()))[0]
    assert outcome.ok, outcome
    assert outcome.value is not None
    number = int(str(outcome.value["run"]))
    if not single.store.value("SELECT count(*) FROM attempts WHERE run = ?", (number,)):
        task = single.store.value("SELECT id FROM tasks WHERE run = ?", (number,))
        assert single.apply(Place(single.machine.state.epoch, task, agent))[0].ok
    return number


def states(single: SingleNode) -> list[str]:
    with single.read() as store:
        return [row[0] for row in store.rows("SELECT state FROM runs ORDER BY id")]


async def test_a_crowd_does_what_it_is_given_once(
    single: SingleNode, api: Api, url: str, client: httpx2.AsyncClient
) -> None:
    stop = asyncio.Event()
    crowd = asyncio.create_task(run(members(AGENTS, [url], "secret"), stop))
    await until(lambda: len(connected(single)) == AGENTS)
    policies = {"overlap": "allow"}
    assert (await client.put("/v1/jobs/job", json={"noop": True, "policies": policies})).status_code == 201
    agents = connected(single)
    for agent in agents * 3:
        begun(single, agent)
    later = begun(single, agents[0], due_ms=single.now_ms() + 3_600_000)
    await until(lambda: states(single).count("succeeded") == AGENTS * 3)
    await until(lambda: attempts.of_run(single.store, later)[0].fence is not None)
    assert states(single)[-1] == "running"
    assert single.apply(CancelRun(later))[0].ok
    await until(lambda: states(single)[-1] == "cancelled")
    tries = single.store.value("SELECT count(*) FROM attempts")
    assert tries == AGENTS * 3 + 1
    stop.set()
    await crowd
    await until(lambda: not connected(single))


def test_a_crowd_without_a_token_says_so() -> None:
    asked = [sys.executable, "-m", "agent.crowd", "--nodes", "http://127.0.0.1:1"]
    told = subprocess.run(asked, env={}, capture_output=True, text=True, timeout=60, check=False)
    assert (told.returncode, "CRONCLAVE_TOKEN" in told.stderr) == (1, True)
