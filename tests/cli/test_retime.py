"""`cronclave cluster retime`, and the zone data in `cluster status`."""

from __future__ import annotations

from scheduler.ticks import tzdata_version
from scheduler.words.commands import KeepZones
from tests.api.single_node import SingleNode
from tests.api.test_retime import NOON, OLD
from tests.cli.conftest import Command


async def test_a_dry_run_says_who_moves_and_a_retime_what_is_in_force(
    cronclave: Command, node: SingleNode
) -> None:
    assert node.apply(KeepZones(OLD))[0].ok
    assert (await cronclave("job", "apply", "-", stdin=str(NOON).replace("True", "true"))).code == 0
    status = (await cronclave("cluster", "status")).out
    newest = tzdata_version()
    assert f"2020a; {newest} is installed: cronclave cluster retime --dry-run" in status

    trial = await cronclave("cluster", "retime", "--dry-run")
    assert trial.code == 0, trial.err
    assert f"2020a → {newest}: other clocks in Europe/Berlin" in trial.out
    assert "noon" in trial.out
    assert "T09:00:00Z" in trial.out
    assert "nothing was changed" in trial.out
    assert node.machine.state.tzdata == "2020a"

    wrong = await cronclave("cluster", "retime", "--to", "1999z")
    assert wrong.code == 5
    assert "not '1999z'" in wrong.err
    assert node.machine.state.tzdata == "2020a"


async def test_nothing_is_done_twice(cronclave: Command, node: SingleNode) -> None:
    assert node.apply(KeepZones(OLD))[0].ok
    done = await cronclave("cluster", "retime", "--yes")
    assert f"zone data {tzdata_version()} is in force, 2020a was before" in done.out
    again = await cronclave("cluster", "retime")
    assert f"zone data {tzdata_version()} is in force\n" in again.out
    said = await cronclave("cluster", "retime", "-o", "json")
    assert '"changed": false' in said.out


async def test_without_zones_there_is_nothing_to_bring(cronclave: Command) -> None:
    refused = await cronclave("cluster", "retime")
    assert refused.code == 5
    assert "no zone data is in force yet" in refused.err
