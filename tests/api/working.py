"""An agent of a node in memory, and runs that it does: for tests of what the API tells of them."""

from __future__ import annotations

from typing import Any

from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.tables import runs as run_rows
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
