"""`run rerun`: what it would do, what it does, and what is shown of both runs."""

from __future__ import annotations

from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.words.commands import Grant
from tests.api.single_node import SingleNode
from tests.api.working import go_on
from tests.cli.conftest import Command
from tests.cli.test_following import a_run, away, end, must
from tests.cli.test_rounds import does as placed_and_does

DEFINITION = """
tasks:
  extract: {run: ./extract.sh}
  load: {run: ./load.sh, needs: [extract]}
"""


def does(node: SingleNode, run: int, agent: int, task: str, output: bytes, code: int = 0) -> None:
    """The first task has its agent with the run."""
    found = task_rows.newest(node.store, run, task)
    attempt = None if found is None else attempt_rows.live_of_task(node.store, found.id)
    if attempt is None:
        return placed_and_does(node, run, agent, task, output, code)
    must(node, Grant(attempt.id, agent, "s", "c"))
    end(node, attempt.id, agent, output, code=code)


async def test_a_run_is_repeated_from_what_failed(cronclave: Command, node: SingleNode) -> None:
    agent = away(node)
    old = await a_run(cronclave, DEFINITION)
    going = await cronclave("run", "rerun", str(old))
    assert (going.code, f"run {old} is" in going.err) == (5, True)
    does(node, old, agent, "extract", b"7 rows\n")
    does(node, old, agent, "load", b"the disk is full\n", code=1)

    plan = await cronclave("run", "rerun", str(old), "--from-failed", "--dry-run")
    told = [" ".join(line.split()) for line in plan.out.splitlines()]
    assert {"done again load", "taken over extract", "left out none"} <= {*told}, told
    made = await cronclave("run", "rerun", str(old), "--from-failed", "--reason", "a larger disk")
    new = old + 1
    assert (made.code, made.out.split()[:2]) == (0, ["run", str(new)])
    does(node, new, agent, "load", b"loaded\n")

    logs = await cronclave("run", "logs", str(new))
    assert logs.out == f"==> extract, taken over from run {old} <==\n7 rows\n==> load <==\nloaded\n"
    one = await cronclave("run", "logs", str(new), "--task", "extract")
    assert (one.out, f"extract, taken over from run {old}:" in one.err) == ("7 rows\n", True)


async def test_what_cannot_be_is_said_with_what_to_do(cronclave: Command, node: SingleNode) -> None:
    agent = away(node)
    old = await a_run(cronclave, DEFINITION)
    does(node, old, agent, "extract", b"")
    does(node, old, agent, "load", b"")
    go_on(node)
    nothing = await cronclave("run", "rerun", str(old), "--from-failed")
    assert (nothing.code, "nothing of run" in nothing.err) == (5, True)
    wrong = await cronclave("run", "rerun", str(old), "--from", "laod")
    assert (wrong.code, "did you mean load?" in wrong.err) == (1, True)
    assert (await cronclave("run", "rerun", "999")).code == 3
