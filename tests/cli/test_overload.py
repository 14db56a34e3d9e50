"""`cronclave cluster status` while more is due than can be started."""

from __future__ import annotations

from scheduler.words.commands import TellOverload
from tests.api.single_node import SingleNode
from tests.cli.conftest import Command


async def test_the_status_tells_of_an_overload(cronclave: Command, node: SingleNode) -> None:
    assert "overloaded" not in (await cronclave("cluster", "status")).out
    assert node.apply(TellOverload(node.machine.state.epoch, begins=True, late_ms=4_500, due=7))[0].ok

    told = (await cronclave("cluster", "status")).out

    assert "overloaded" in told
    assert "7 triggers were due, the first for 4.5 s" in told
