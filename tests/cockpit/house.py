"""A node with something to look at: agents in three zones, a graph that failed, work that goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import httpx2

from scheduler.plan import PlanCache, plan
from scheduler.words.commands import ConnectAgent, Finish, Grant
from tests.api.single_node import SingleNode
from tests.scheduler.story import KINDS

AGENTS = (("zone-a", "default", 8), ("zone-a", "db", 2), ("zone-b", "default", 8), ("zone-c", "gpu", 1))
TASKS = {
    "extract-orders": {"run": "true"},
    "extract-users": {"run": "true"},
    "transform": {"needs": ["extract-orders", "extract-users"], "run": "true"},
    "load": {"needs": ["transform"], "run": "true"},
    "mail": {"needs": ["load"], "run": "true"},
}
TAIL = (
    b"".join(b"\x1b[2m02:00:%02d\x1b[0m \x1b[32mINFO\x1b[0m read %d rows\n" % (i, i * 97) for i in range(60))
    + b"\x1b[33mWARN\x1b[0m retrying \x1b[1mshop-db-2\x1b[0m\n\x1b[1;31mERROR\x1b[0m too many connections\n"
)


@dataclass(frozen=True, slots=True)
class House:
    failed: int  #: a run of nightly-report whose task load failed
    running: int  #: a run of hello, held by an agent


async def furnish(node: SingleNode, client: httpx2.AsyncClient) -> House:
    """Agents hang on another node, so that nothing here tells them anything."""
    for i, (zone, pool, slots) in enumerate(AGENTS, 1):
        labels = json.dumps({"os": "linux", "rack": f"r{i}"}).encode()
        name, own, session = f"agent-{i}", f"i{i}", f"s{i}"
        node.apply(ConnectAgent(name, own, session, "b", zone, pool, labels, slots, "1", "node-2", KINDS))
    document = {"triggers": {"cron": "0 2 * * *"}, "params": {"day": {"type": "string", "default": "today"}}}
    await client.put("/v1/jobs/nightly-report", json={**document, "tasks": TASKS})
    await client.put("/v1/jobs/hello", json={"run": "true"})
    made = await client.post("/v1/jobs/nightly-report/runs", json={"params": {"day": "2026-11-28"}})
    failed = int(made.json()["id"])
    _work(node, failed, lambda task: int(task == "load"))
    running = int((await client.post("/v1/jobs/hello/runs")).json()["id"])
    grant(node)
    return House(failed, running)


def grant(node: SingleNode) -> None:
    """What is due is decided and placed, what is placed is granted."""
    commands = plan(
        node.store, node.now_ms(), epoch=node.machine.state.epoch, lead_ms=0, cache=PlanCache()
    )
    if commands:
        node.apply(*commands)
    for attempt, agent, session in node.store.rows(
        "SELECT a.id, a.agent, g.session FROM attempts a JOIN agents g ON g.id = a.agent "
        "WHERE a.state = 'assigned' ORDER BY a.id"
    ):
        node.apply(Grant(attempt, agent, session, f"claim {attempt}"))


def _work(node: SingleNode, run: int, exit_code: Callable[[str], int]) -> None:
    for _ in TASKS:
        grant(node)
        for attempt, agent, task in node.store.rows(
            "SELECT a.id, a.agent, t.name FROM attempts a JOIN tasks t ON t.id = a.task "
            "WHERE a.run = ? AND a.live = 1 ORDER BY a.id",
            (run,),
        ):
            now_ms = node.now_ms()
            node.apply(
                Finish(
                    attempt, agent, now_ms - 700, now_ms, exit_code(task), "exit",
                    tail=TAIL, output_bytes=len(TAIL),
                )
            )  # fmt: skip
