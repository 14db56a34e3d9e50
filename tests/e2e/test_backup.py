"""Backups of a working cluster, and what becomes of one: a new cluster that the agents follow."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.cluster import Cluster, Node, wait_for
from bench.evidence import instant
from bench.jobs import every_second
from tests.e2e.cluster import (
    DEADLINE_S,
    NewCluster,
    command_line,
    start_run,
    verified,
    wait_lines,
    wait_run,
)

pytestmark = pytest.mark.cluster

JOBS = 6
SPAN = 1 << 40
EXIT_REFUSED = 78


def evidence_of(file: Path) -> dict[str, Any]:
    """A payload that writes what it is, and with which fence."""
    line = '"$CRONCLAVE_JOB $CRONCLAVE_TICK $CRONCLAVE_FENCE"'
    return {"run": f"echo {line} >> {shlex.quote(str(file))}"}


def lasting(file: Path, gate: Path) -> dict[str, Any]:
    """A job that runs until the gate is opened."""
    note = f"echo $CRONCLAVE_FENCE >> {shlex.quote(str(file))}"
    return {"job": "lasting", "run": f"{note}; until test -e {shlex.quote(str(gate))}; do sleep 0.1; done"}


def lines_of(file: Path) -> list[tuple[str, str, int]]:
    return [
        (job, tick, int(fence))
        for job, tick, fence in (line.split() for line in file.read_text().splitlines())
    ]


def backed_up(cluster: Cluster, file: Path) -> None:
    done = command_line(cluster, "cluster", "backup", str(file))
    assert done.returncode == 0, done.stderr
    assert "sound" in done.stdout


def offline(cluster: Cluster, *arguments: str) -> str:
    done = command_line(cluster, "cluster", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def restored(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.client.get("/v1/cluster")["restore"]
    return found


def outcomes(cluster: Cluster, job: str, from_ms: int, to_ms: int) -> dict[str, tuple[str, str | None]]:
    query = {"from": instant(from_ms), "to": instant(to_ms)}
    return {
        t["at"]: (t["outcome"], t["reason"]) for t in cluster.client.items(f"/v1/jobs/{job}/ticks", query)
    }


def start_alone(cluster: Cluster, node: Node) -> None:
    node.start()
    cluster.set_nodes([node])
    cluster.wait_ready()
    cluster.wait_agents()


def test_a_restored_cluster_adopts_what_agents_ran_and_fences_the_old_one(
    new_cluster: NewCluster,
) -> None:
    cluster = new_cluster(slots=200)
    cluster.start()
    file, gate = cluster.root / "ticks.txt", cluster.root / "gate"
    jobs = [every_second(f"tick-{i}", evidence_of(file), offset_ms=i * 150)[0] for i in range(JOBS)]
    started = cluster.root / "started.txt"
    from_ms = int(time.time() * 1000)
    cluster.client.apply([*jobs, lasting(started, gate)])
    wait_lines(file, 2 * JOBS)
    copy = cluster.root / "copy.db"
    backed_up(cluster, copy)
    run = start_run(cluster, "lasting")
    wait_lines(started, 1)
    wait_lines(file, len(lines_of(file)) + 3 * JOBS)

    cluster.kill_nodes()
    wait_for(lambda: all("left" in agent.log_tail() for agent in cluster.agents), DEADLINE_S, "agents alone")
    first, *others = cluster.nodes
    shutil.move(first.data, first.directory / "old")
    told = offline(cluster, "restore", str(copy), "--config", str(first.config), "--hold", "20s")
    assert "restores  1" in told
    before = lines_of(file)
    start_alone(cluster, first)
    taken_ms = int(time.time() * 1000)
    wait_for(lambda: restored(cluster)["phase"] == "done", DEADLINE_S, "the restore settled", 0.2)

    # The run that was going on at the loss is adopted, and its end is known.
    adopted = cluster.client.get(f"/v1/runs/{run}")
    assert (adopted["cause"], adopted["state"], adopted["job"]) == ("orphan", "running", "lasting")
    gate.touch()
    assert wait_run(cluster, run)["state"] == "succeeded"
    assert len(started.read_text().splitlines()) == 1

    # What ran after the backup is `ran`, once; what nobody ran is missed(restored); new ticks run.
    wait_lines(file, len(before) + 3 * JOBS)
    ran = Counter((job, tick) for job, tick, _ in lines_of(file))
    assert max(ran.values()) == 1, [key for key, count in ran.items() if count > 1]
    found = {job["job"]: outcomes(cluster, job["job"], from_ms, taken_ms) for job in jobs}
    for job, tick, _ in before:
        assert found[job][tick] == ("ran", None), (job, tick)
    reasons = Counter(outcome for ticks in found.values() for outcome in ticks.values())
    assert reasons["missed", "restored"] > 0
    for job, ticks in found.items():
        for tick, (outcome, reason) in ticks.items():
            assert (outcome == "ran") == ((job, tick) in ran) or (outcome, reason) == ("pending", None)
    # Fences never go back: each grant of the new cluster is above all that the old one gave.
    fences = [fence for *_, fence in lines_of(file)]
    assert len(set(fences)) == len(fences)
    assert max(fences[: len(before)]) < SPAN < min(fences[len(before) :])
    check = verified(cluster, from_ms, taken_ms)
    assert check["ok"], check["problems"]

    # The old majority comes back: it gets neither the new cluster's node nor its agents.
    for node in others:
        node.start()
    wait_for(
        lambda: any("this is cluster" in node.log_tail() for node in [first, *others]),
        DEADLINE_S,
        "refused by uid",
    )
    first.kill()
    cluster.set_nodes(others)
    cluster.wait_ready()
    wait_for(
        lambda: all("wrong_cluster" in agent.log_tail() for agent in cluster.agents),
        DEADLINE_S,
        "agents refuse",
    )
    assert all(fence > SPAN for *_, fence in lines_of(file)[len(before) :])


def test_a_survivor_recovers_alone_with_all_that_it_knew(new_cluster: NewCluster) -> None:
    cluster = new_cluster(agents=1, slots=200)
    cluster.start()
    file, gate, started = cluster.root / "ticks.txt", cluster.root / "gate", cluster.root / "started.txt"
    jobs = [every_second(f"tick-{i}", evidence_of(file), offset_ms=i * 300)[0] for i in range(3)]
    from_ms = int(time.time() * 1000)
    cluster.client.apply([*jobs, lasting(started, gate)])
    wait_lines(file, 6)
    run = start_run(cluster, "lasting")
    wait_lines(started, 1)
    survivor = cluster.leader()  # it has all that was acknowledged
    cluster.client.apply([{"job": "last-word", "run": "true"}])
    done = command_line(cluster, "cluster", "recover", "--config", str(survivor.config), "--yes")
    assert done.returncode != 0
    assert "another node runs on this data directory" in done.stderr
    cluster.kill_nodes()

    told = offline(cluster, "recover", "--config", str(survivor.config), "--yes", "--hold", "20s")
    assert all(node.name in told for node in cluster.nodes)
    before = lines_of(file)  # the agent started what it had been granted ahead
    others = [node for node in cluster.nodes if node is not survivor]
    start_alone(cluster, survivor)
    taken_ms = int(time.time() * 1000)
    wait_for(lambda: restored(cluster)["phase"] == "done", DEADLINE_S, "the recovery settled", 0.2)

    assert cluster.client.get("/v1/jobs/last-word")["revision"] == 1
    assert cluster.client.get(f"/v1/runs/{run}")["state"] == "running"
    gate.touch()
    assert wait_run(cluster, run)["state"] == "succeeded"
    wait_lines(file, len(before) + 6)
    ran = Counter((job, tick) for job, tick, _ in lines_of(file))
    assert max(ran.values()) == 1
    fences = [fence for *_, fence in lines_of(file)]
    assert max(fences[: len(before)]) < SPAN < min(fences[len(before) :])
    check = verified(cluster, from_ms, taken_ms)
    assert check["ok"], check["problems"]
    old_peer = others[0]
    old_peer.start()
    cluster.nodes += others  # killed at the end
    uid = cluster.client.get("/v1/cluster")["cluster"]
    wait_for(lambda: f"this is cluster {uid}" in old_peer.log_tail(), DEADLINE_S, "the old peer is refused")
    no_empty_cluster_beside(others, cluster.uid, uid)


def no_empty_cluster_beside(others: list[Node], former: str, uid: str) -> None:
    """The other founders, given the new uid and empty directories, meet the node that has the state."""
    for node in others:
        node.kill()
        shutil.rmtree(node.data)
        node.config.write_text(node.config.read_text().replace(former, uid))
    for node in others:
        node.start()
    for node in others:
        process = node.process
        assert process is not None
        wait_for(lambda ended=process: ended.poll() is not None, DEADLINE_S, f"{node.name} ends by itself")
        assert process.returncode == EXIT_REFUSED, node.log_tail()
        assert "was restored (number 1)" in node.log_tail()


def test_each_state_of_a_running_node_is_found_again_by_its_log(new_cluster: NewCluster) -> None:
    """While it goes on, across a change of leader; by the files of each node the same."""
    cluster = new_cluster()
    cluster.start()
    put = int(cluster.client.ask("PUT", "/v1/jobs/kept", {"run": "true"}).headers["x-cronclave-index"])
    wait_run(cluster, start_run(cluster, "kept"))
    told = [cluster.client.get("/v1/cluster")]  # a node's word of itself is of a moment before

    def knows() -> bool:
        told[0] = cluster.client.get("/v1/cluster")
        return bool(told[0]["index"] >= put)

    wait_for(knows, DEADLINE_S, "a node that tells of the job")
    first, seen = cluster.leader(), told[0]
    index = seen["index"]
    cluster.client.ask("PUT", "/v1/jobs/kept", {"run": "false"})
    first.kill()
    wait_run(cluster, start_run(cluster, "kept"))
    first.start()
    cluster.wait_ready()
    for node in cluster.nodes:
        shown = command_line(cluster, "state", "--at", str(index), "--data", str(node.data), "-o", "json")
        assert shown.returncode == 0, shown.stderr
        found = json.loads(shown.stdout)
        assert (found["index"], found["state_hash"]) == (index, seen["state_hash"])
        (kept,) = [each for each in found["objects"] if each["name"] == "kept"]
        assert kept["definition"]["tasks"]["main"]["run"] == "true"
    differs = command_line(cluster, "diff", "--from", str(index), "--data", str(cluster.nodes[0].data))
    assert "-    run: \"true\"\n+    run: \"false\"" in differs.stdout, differs.stderr
    now = json.loads(command_line(cluster, "state", "-o", "json").stdout)
    assert [(each["name"], each["revision"]) for each in now["objects"]] == [("kept", 2)]
