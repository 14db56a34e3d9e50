"""An agent of a node in memory, and runs that it does: for tests of what the API tells of them."""

from __future__ import annotations

from typing import Any

import httpx2

from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import jobs as job_reads
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import triggers
from scheduler.words.commands import Command, ConnectAgent, Continue, Finish, Grant
from tests.api.single_node import SingleNode
from tests.scheduler.story import KINDS

NOOP: dict[str, Any] = {"noop": True}


def connect(node: SingleNode, name: str = "agent-1", pool: str = "default") -> int:
    command = ConnectAgent(
        name=name, installation=name, session="s", boot_id="b", zone="zone-a", pool=pool,
        labels=b'{"os":"linux"}', slots=4, version="0.1.0", node="node-1", kinds=KINDS,
    )  # fmt: skip
    value = must(node, command)
    agent = value["agent"]
    assert isinstance(agent, int)
    return agent


def must(node: SingleNode, command: Command) -> dict[str, Any]:
    outcome = node.apply(command)[0]
    assert outcome.ok, outcome
    return dict(outcome.value or {})


async def every_second(
    client: httpx2.AsyncClient, node: SingleNode, **policies: Any
) -> tuple[triggers.Trigger, int]:
    """The trigger of a job `job` that was put a minute ago and has not fired since; and its first instant."""
    node.skew_ms = -60_000
    job = {**NOOP, "triggers": {"every": "1s", "id": "t"}, "policies": policies}
    assert (await client.put("/v1/jobs/job", json=job)).status_code == 201
    node.skew_ms = 0
    with node.read() as store:
        trigger = triggers.live(store, job_reads.ids(store, "default", "job")[0])[0]
    assert trigger.next_due_ms is not None
    return trigger, trigger.next_due_ms


def go_on(node: SingleNode) -> None:
    """As a planner does: with what commands left of the work on runs."""
    while left := run_rows.unfinished(node.store, 0, 1):
        must(node, Continue(node.machine.state.epoch, tuple(left)))


def run_it(node: SingleNode, run: int, agent: int, exit_code: int = 0) -> None:
    """What the agent would report of the run's first task."""
    with node.read() as store:
        attempt = attempt_reads.of_runs(store, [run])[-1].attempt.id
    must(node, Grant(attempt, agent, "s", "c"))
    now = node.now_ms()
    must(node, Finish(attempt, agent, now, now + 5, exit_code, "exit", tail=b"bye\n"))
