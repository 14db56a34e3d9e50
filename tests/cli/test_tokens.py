from __future__ import annotations

import json

from scheduler.store.tables.agents import occupy
from scheduler.words.commands import ConnectAgent
from tests.api.single_node import SingleNode
from tests.cli.conftest import Command
from tests.scheduler.story import KINDS


async def test_a_token_is_made_and_listed(cronclave: Command) -> None:
    made = await cronclave("token", "create", "--role", "viewer", "ann")
    assert made.code == 0, made.err
    secret = made.out.strip()
    assert len(secret) >= 43  # 256 bits
    assert (await cronclave("job", "list", CRONCLAVE_TOKEN=secret)).code == 0
    assert (await cronclave("token", "list", CRONCLAVE_TOKEN=secret)).code == 4
    listed = json.loads((await cronclave("token", "list", "-o", "json")).out)
    assert [(item["name"], item["role"]) for item in listed] == [("admin", "admin"), ("ann", "viewer")]
    assert (await cronclave("token", "create", "--role", "viewer", "ann")).code == 5
    assert (await cronclave("token", "create", "--role", "king", "bob")).code == 2


async def test_an_agents_token_is_for_the_agent_of_its_name_unless_told(cronclave: Command) -> None:
    bound = await cronclave("token", "create", "--role", "agent", "web-1")
    other = await cronclave("token", "create", "--role", "agent", "--agent", "web-2", "second")
    anybodys = await cronclave("token", "create", "--role", "agent", "--any-name", "--pool", "spot", "fleet")

    assert (bound.code, other.code, anybodys.code) == (0, 0, 0)
    assert (bound.err, other.err) == ("", "")
    assert "warning: who holds this token may come as any agent of pool spot" in anybodys.err
    assert len(anybodys.out.split()) == 1, "the secret alone, so that it can go into a file"
    listed = json.loads((await cronclave("token", "list", "-o", "json")).out)
    assert {item["name"]: item["holder"] for item in listed if item["role"] == "agent"} == {
        "web-1": "web-1",
        "second": "web-2",
        "fleet": None,
    }


async def test_an_agent_is_drained_and_resumed_by_commands(cronclave: Command, node: SingleNode) -> None:
    node.apply(ConnectAgent("web-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "0.1.0", "node-2", KINDS))

    assert (await cronclave("agents", "drain", "none")).code == 3
    assert (await cronclave("agents", "resume", "none")).code == 3
    assert (await cronclave("agents", "drain", "web-1", "--reason", "x" * 501)).code == 1
    assert (await cronclave("agents", "drain", "web-1", "--wait", "soon")).code == 2
    drained = await cronclave("agents", "drain", "web-1", "--reason", "new kernel", "--wait", "1m")
    assert (drained.code, drained.out) == (0, "web-1 is drained\n"), drained.err
    assert "connected, draining" in (await cronclave("agents", "list")).out
    shown = (await cronclave("agents", "show", "web-1")).out
    assert "draining" in shown
    assert "new kernel" in shown
    assert (await cronclave("agents", "drain", "web-1", "--until", "2100-01-01")).code == 0
    assert "drained until" in (await cronclave("agents", "show", "web-1")).out
    assert (await cronclave("agents", "resume", "web-1")).out == "web-1 takes work\n"
    assert "draining" not in (await cronclave("agents", "list")).out


async def test_who_waits_for_a_drain_hears_that_it_takes_longer(cronclave: Command, node: SingleNode) -> None:
    node.apply(ConnectAgent("web-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "0.1.0", "node-2", KINDS))
    (agent,) = node.store.rows("SELECT id FROM agents")
    occupy(node.store, agent[0])
    told = await cronclave("agents", "drain", "web-1", "--wait", "10ms")
    assert told.code == 7
    assert "1 still run on it" in told.out


async def test_a_name_is_released_by_a_command(cronclave: Command, node: SingleNode) -> None:
    node.apply(ConnectAgent("web-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "0.1.0", "node-2", KINDS))

    assert (await cronclave("agents", "release", "none")).code == 3
    assert (await cronclave("agents", "release", "web-1", "--installation", "another")).code == 5
    released = await cronclave("agents", "release", "web-1")

    assert released.code == 0, released.err
    assert "web-1 is free; installation i does not come back" in released.out
    assert (await cronclave("agents", "show", "web-1")).code == 3
