"""What may be broken in a development cluster: it is down while that is wished, comes back when it is taken
back, and a node asks for it by a socket. The programs are `sleep` here; tests/cockpit has the real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cli.dev.children as children_module
from api.ports import DemonstrationError
from cli.dev.children import Child
from cli.dev.clocks import Clocks
from cli.dev.demonstration import Demonstration, Server
from cli.dev.layout import DEMONSTRATION, AgentPlan, NodePlan
from node.demonstration import DevDemonstration
from tests.cli.conftest import DEADLINE_S

ZONES = ("zone-a", "zone-b", "zone-c")


class House:
    """Three nodes, two agents, and what the supervisor's loop does of it."""

    def __init__(self, root: Path, clocks: Clocks) -> None:
        self.nodes = [NodePlan(f"node-{i}", z, root / f"node-{i}", 1, 2) for i, z in enumerate(ZONES, 1)]
        self.agents = [AgentPlan(f"agent-{i}", z, root / f"agent-{i}") for i, z in enumerate(ZONES[:2], 1)]
        self.children = {}
        plans: list[NodePlan | AgentPlan] = [*self.nodes, *self.agents]
        for plan in plans:
            plan.directory.mkdir()
            module = "node" if plan in self.nodes else "agent"
            self.children[plan.name] = Child(plan.name, module, plan.config, plan.directory)
        self.demonstration = Demonstration(self.children, self.nodes, self.agents, clocks)

    def look(self) -> None:
        self.demonstration.carry_out()
        for child in self.children.values():
            child.reap(restart=False)
            if child.again_s is not None and time.monotonic() >= child.again_s:
                child.start()

    def until(self, reached: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while not reached():
            assert time.monotonic() < deadline_s
            self.look()
            time.sleep(0.01)

    def down(self) -> set[str]:
        return {name for name, child in self.children.items() if child.process is None}

    def wish(self, kind: str, target: str, stands: bool) -> dict[str, Any]:
        return self.demonstration.answer({"kind": kind, "target": target, "stands": stands})

    def stands(self) -> set[tuple[str, str]]:
        faults = self.demonstration.answer(None)["faults"]
        return {(fault["kind"], fault["target"]) for fault in faults if fault["stands"]}


@pytest.fixture(scope="module")
def clocks(tmp_path_factory: pytest.TempPathFactory) -> Clocks:
    return Clocks(tmp_path_factory.mktemp("clocks"), ["node-1", "node-2", "node-3"])


@pytest.fixture
def house(tmp_path: Path, clocks: Clocks, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    # The folder is in the command line, as it is in that of the real programs.
    program = "trap 'kill $!' TERM; sleep 300 & wait"
    monkeypatch.setattr(children_module, "module_command", lambda _, *rest: ["sh", "-c", program, *rest])
    made = House(tmp_path, clocks)
    for child in made.children.values():
        child.start()
    yield made
    for child in made.children.values():  # these alone: `end_all` ends whatever is below its process
        for pid in child.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if child.process is not None:
            child.process.wait()


def test_what_is_lost_stays_down_until_it_is_taken_back(house: House) -> None:
    house.wish("lose-zone", "zone-b", True)
    house.wish("stop-agent", "agent-1", True)
    house.until(lambda: house.down() == {"node-2", "agent-2", "agent-1"})
    assert house.stands() == {("lose-zone", "zone-b"), ("stop-agent", "agent-1")}
    house.wish("kill-node", "node-2", True)  # down already, and for two reasons now
    house.until(lambda: house.children["node-2"].lost)

    house.wish("lose-zone", "zone-b", False)
    house.until(lambda: house.down() == {"node-2", "agent-1"})
    house.wish("kill-node", "node-2", False)
    house.wish("stop-agent", "agent-1", False)
    house.until(lambda: not house.down())
    assert house.stands() == set()


def test_a_lost_zone_loses_what_runs_there(house: House) -> None:
    house.until(lambda: len(house.children["agent-2"].processes()) == 2)  # the shell, and its sleep

    house.wish("lose-zone", "zone-b", True)

    house.until(lambda: not house.children["agent-2"].processes())


def test_a_node_is_always_left(house: House) -> None:
    house.wish("lose-zone", "zone-a", True)
    house.wish("kill-node", "node-2", True)
    assert "no node would be left" in house.wish("lose-zone", "zone-c", True)["refused"]
    assert house.stands() == {("lose-zone", "zone-a"), ("kill-node", "node-2")}
    assert "there is no" in house.wish("lose-zone", "zone-z", True)["refused"]
    assert "a wish is" in house.demonstration.answer(["lose-zone"])["refused"]


def test_a_clock_jumps_and_is_put_right(house: House, clocks: Clocks) -> None:
    if clocks.missing:
        pytest.skip(clocks.missing)
    told = "import time; print(time.time())"

    def ahead_s() -> float:
        environment = {**os.environ, **clocks.environment("node-1")}
        command = [sys.executable, "-c", told]
        return float(subprocess.check_output(command, env=environment, timeout=DEADLINE_S)) - time.time()

    house.wish("jump-clock", "node-1", True)
    house.until(lambda: ahead_s() > 3_500)
    assert house.down() == set()
    house.wish("jump-clock", "node-1", False)
    house.until(lambda: ahead_s() < 60)


async def test_a_node_asks_by_the_socket(house: House, tmp_path: Path) -> None:
    node = DevDemonstration(tmp_path / DEMONSTRATION)
    with pytest.raises(DemonstrationError, match="does not answer"):
        await node.ask(None)
    Server(tmp_path, house.demonstration.answer).start()
    assert (tmp_path / DEMONSTRATION).stat().st_mode & 0o077 == 0

    assert not any(fault["stands"] for fault in await node.ask(None))
    after = await node.ask({"kind": "kill-node", "target": "node-1", "stands": True})
    assert [fault["parts"] for fault in after if fault["stands"]] == [["node-1"]]
    await node.ask({"kind": "kill-node", "target": "node-2", "stands": True})
    with pytest.raises(DemonstrationError, match="no node would be left"):
        await node.ask({"kind": "kill-node", "target": "node-3", "stands": True})
    await asyncio.to_thread(house.until, lambda: house.down() == {"node-1", "node-2"})
