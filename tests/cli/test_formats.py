"""`cronclave cluster activate`, and the formats in `cluster status`."""

from __future__ import annotations

import pytest

from scheduler import formats
from scheduler.machine import dispatch
from tests import next_format
from tests.api.single_node import SingleNode, peer
from tests.cli.conftest import Command

NEXT = next_format.NUMBER


@pytest.fixture(autouse=True)
def _next_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", list(formats.FORMATS))
    monkeypatch.setattr(dispatch, "APPLY", dict(dispatch.APPLY))
    next_format.learn()


async def test_a_member_that_does_not_support_it_stops_the_activation(
    cronclave: Command, node: SingleNode
) -> None:
    result = await cronclave("cluster", "activate", "--format", str(NEXT), "--dry-run")
    assert result.code == 5
    assert "node-2 supports format 1" in result.err
    said = await cronclave("cluster", "activate")
    assert said.code == 0
    assert f"format {NEXT - 1} is active" in said.out
    assert "node-2: 1\n" in said.out


async def test_an_activation_says_what_it_changes(cronclave: Command, node: SingleNode) -> None:
    node.peers = tuple(peer(each.node, each.zone, format_max=NEXT) for each in node.peers)
    planned = await cronclave("cluster", "activate", "--dry-run")
    assert next_format.FORMAT.changes in planned.out
    assert "nothing was changed" in planned.out
    assert node.machine.state.target_format == NEXT - 1

    done = await cronclave("cluster", "activate", "--yes")
    assert f"format {NEXT} is activated" in done.out
    assert "activated already" in (await cronclave("cluster", "activate")).out
    status = (await cronclave("cluster", "status")).out
    assert f"{NEXT - 1}, on its way to {NEXT}" in status
    assert f"1–{NEXT}" in status
