"""`cronclave cluster status` while more is due than can be started, or the ledger differs."""

from __future__ import annotations

from scheduler.words.commands import TellOverload, TellProof
from tests.api.single_node import SingleNode
from tests.cli.conftest import Command


async def test_the_status_tells_of_an_overload(cronclave: Command, node: SingleNode) -> None:
    assert "overloaded" not in (await cronclave("cluster", "status")).out
    assert node.apply(TellOverload(node.machine.state.epoch, begins=True, late_ms=4_500, due=7))[0].ok

    told = (await cronclave("cluster", "status")).out

    assert "overloaded" in told
    assert "7 triggers were due, the first for 4.5 s" in told


async def test_the_status_and_the_doctor_tell_of_a_ledger_that_differs(
    cronclave: Command, node: SingleNode
) -> None:
    epoch = node.machine.state.epoch
    assert node.apply(TellProof(epoch, 2, "missing", 0, 1_800_000_000_000, "no outcome"))[0].ok

    told = (await cronclave("cluster", "status")).out
    said = "in 2 places, since"
    assert "LEDGER DIFFERS" in told
    assert said in told
    assert "first missing, 2027-01-15T08:00:00Z: no outcome. What helps: cronclave verify" in told
    assert "it differs from what was due" in (await cronclave("doctor")).out
