"""Runs with a warning, as the commands show them."""

from __future__ import annotations

import json
from pathlib import Path

from scheduler.words.commands import ConnectAgent, Finish, Grant
from tests.api.single_node import SingleNode
from tests.cli.conftest import Command
from tests.scheduler.story import KINDS


async def test_a_warning_is_shown_wherever_states_are(
    cronclave: Command, node: SingleNode, tmp_path: Path
) -> None:
    file = tmp_path / "fetch.yaml"
    file.write_text("job: fetch\nrun: ./fetch\nexit: {warn: [4]}\n")
    node.apply(ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 4, "1", "node-2", KINDS))
    await cronclave("job", "apply", str(file))
    for exit_code in (0, 4):
        run = json.loads((await cronclave("job", "run", "fetch", "-o", "json")).out)["id"]
        attempt, agent = node.store.rows("SELECT id, agent FROM attempts ORDER BY id DESC LIMIT 1")[0]
        node.apply(Grant(attempt, agent, "s", "c"))
        node.apply(Finish(attempt, agent, node.now_ms(), node.now_ms(), exit_code, "exit"))

    listed = json.loads((await cronclave("run", "list", "--warned", "-o", "json")).out)
    assert [item["id"] for item in listed] == [run]
    waited = await cronclave("run", "wait", str(run))
    assert (waited.code, waited.out) == (0, f"run {run} succeeded (warned)\n"), "a warning is no failure"
    for command in (("run", "show", str(run)), ("run", "list"), ("job", "get", "fetch"), ("job", "list")):
        assert "succeeded (warned)" in (await cronclave(*command)).out, command
    assert "exit code 4 is a warning" in (await cronclave("run", "show", str(run))).out
