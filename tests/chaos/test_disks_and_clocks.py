"""Disks that are full, fail to sync or lose their tail, and clocks that are wrong: on a real cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from chaos.cluster import Cluster
from chaos.faults import ClockSkew, DiskFull, Fault, SyncError, TornTail, kind
from chaos.nemesis import NemesisError
from chaos.nemesis.arsenal import Arsenal, arsenal
from chaos.nemesis.disk import why_no_own_disks
from chaos.programs import wait_for
from tests.chaos.conftest import NewCluster

pytestmark = pytest.mark.cluster
DEADLINE_S = 60.0
HOUR_MS = 3_600_000


def put_jobs(cluster: Cluster, count: int) -> None:
    """Something to be synced by every node."""
    with httpx2.Client(headers={"authorization": f"Bearer {cluster.token}"}, trust_env=False) as client:
        for number in range(count):
            name = f"job-{number}"
            reply = client.put(f"{cluster.leader().url}/v1/jobs/{name}", json={"job": name, "noop": True})
            assert reply.status_code in (200, 201), reply.text


def break_it(weapons: Arsenal, fault: Fault) -> None:
    assert weapons.why_not(type(fault)) is None, weapons.why_not(type(fault))
    assert weapons.verify(fault).real is False, kind(fault)
    weapons.inject(fault)
    seen = weapons.verify(fault)
    assert seen.real is True, f"{kind(fault)}: {seen.evidence}"


def mend(weapons: Arsenal, fault: Fault) -> None:
    weapons.heal(fault)
    wait_for(lambda: weapons.verify(fault).real is False, DEADLINE_S, f"{kind(fault)} is over")


@pytest.fixture
def cluster(new_cluster: NewCluster) -> Cluster:
    reason = why_no_own_disks()
    if reason is not None:
        pytest.skip(str(reason))
    made = new_cluster(agents={})
    made.start()
    return made


def test_faults_of_disks_and_clocks_are_real_and_end(cluster: Cluster) -> None:
    """One cluster for all faults: its start is most of the time."""
    weapons = arsenal(cluster)
    put_jobs(cluster, 3)
    leader = cluster.leader().name

    full = DiskFull(leader)
    break_it(weapons, full)
    cluster.leader(other_than=leader, deadline_s=DEADLINE_S)
    mend(weapons, full)

    leader = cluster.leader().name
    skew = ClockSkew(leader, HOUR_MS)
    break_it(weapons, skew)
    cluster.leader(other_than=leader, deadline_s=DEADLINE_S)
    mend(weapons, skew)

    follower = next(node for node in cluster.nodes if node.name != cluster.leader().name)
    no_sync = SyncError(follower.name)
    break_it(weapons, no_sync)
    put_jobs(cluster, 3)
    wait_for(lambda: not follower.running, DEADLINE_S, "a node that cannot sync ends")
    assert weapons.verify(no_sync).real is True
    mend(weapons, no_sync)
    assert follower.running, "it is started again"
    wait_for(lambda: cluster.ready(follower), DEADLINE_S, "and is ready")

    for torn in (TornTail(follower.name, 5), TornTail(follower.name, 7, garble=True)):
        break_it(weapons, torn)
        assert not follower.running
        mend(weapons, torn)


def test_what_was_not_laid_out_to_break_says_so(new_cluster: NewCluster) -> None:
    cluster = new_cluster(agents={}, breakable=False)
    weapons = arsenal(cluster)

    for fault in (DiskFull("node-1"), SyncError("node-1"), ClockSkew("node-1", 5)):
        assert weapons.why_not(type(fault)) is not None
        with pytest.raises(NemesisError):
            weapons.inject(fault)
    assert weapons.why_not(TornTail) is None


def test_small_disks_are_gone_with_the_cluster(new_cluster: NewCluster) -> None:
    reason = why_no_own_disks()
    if reason is not None:
        pytest.skip(str(reason))
    with new_cluster(agents={}) as cluster:
        assert all(os.path.ismount(node.data) for node in cluster.nodes)
    assert not any(os.path.ismount(node.data) for node in cluster.nodes)


def test_small_disks_are_gone_with_a_harness_that_was_killed(tmp_path: Path) -> None:
    reason = why_no_own_disks()
    if reason is not None:
        pytest.skip(str(reason))
    script = f"""
import os, pathlib, signal
from chaos.nemesis.disk import SmallDisks
from chaos.nodes import Node
node = Node("node-1", "zone-a", pathlib.Path({str(tmp_path)!r}), ())
disks = SmallDisks([node], size_bytes=1 << 20)
assert os.path.ismount(node.data)
os.kill(os.getpid(), signal.SIGKILL)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert told.returncode == -signal.SIGKILL, told.stderr
    wait_for(lambda: not os.path.ismount(tmp_path / "data"), DEADLINE_S, "the guard unmounts it")
