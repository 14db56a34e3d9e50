"""Conditions and outputs of tasks, as the commands show them."""

from __future__ import annotations

import json
from pathlib import Path

from scheduler.words.commands import ConnectAgent, Finish, Grant
from tests.api.single_node import SingleNode
from tests.cli.conftest import Command
from tests.scheduler.story import KINDS

LOAD = """
job: load
params: {region: {type: string, default: eu}}
tasks:
  extract: {run: ./extract.sh, outputs: [rows, path]}
  full: {needs: [extract], when: "extract.outputs.rows > 10 and params.region == 'us'", run: ./load.sh}
"""


async def test_a_run_shows_what_was_written_and_why_a_branch_was_not_taken(
    cronclave: Command, node: SingleNode, tmp_path: Path
) -> None:
    file = tmp_path / "load.yaml"
    file.write_text(LOAD)
    node.apply(ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 4, "1", "node-2", KINDS))
    await cronclave("job", "apply", str(file))
    run = str(json.loads((await cronclave("job", "run", "load", "-o", "json")).out)["id"])
    (attempt, agent), *_ = node.store.rows("SELECT id, agent FROM attempts")
    outputs = json.dumps({"rows": "42", "path": "/data/" + "x" * 100}).encode()
    node.apply(Grant(attempt, agent, "s", "c"))
    before = (await cronclave("run", "explain", run)).out
    node.apply(Finish(attempt, agent, 1, 2, 0, "exit", outputs=outputs))

    assert "its condition is judged when all that it needs and asks has ended" in before
    shown = (await cronclave("run", "show", run)).out
    assert "rows    42" in shown
    assert "x… (106 letters)" in shown
    explained = [line.split() for line in (await cronclave("run", "explain", run)).out.splitlines()]
    assert ["extract.outputs.rows", "42"] in explained
    assert ["params.region", "==", "'us'", "false"] in explained
    assert ["is", "false"] in explained


async def test_a_condition_that_means_nothing_is_refused_with_its_place(cronclave: Command) -> None:
    wrong = LOAD.replace("extract.outputs.rows", "extract.outputs.row")
    refused = await cronclave("job", "apply", "-", stdin=wrong)

    assert refused.code == 1
    assert "at 1: extract has no output 'row'" in refused.err
    assert "did you mean extract.outputs.rows?" in refused.err
