"""Agents die, freeze, and their hosts reboot: runs end in a truthful state, nothing runs twice."""

from __future__ import annotations

import secrets
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from bench.cluster import Agent, Cluster, wait_for
from tests.e2e.cluster import (
    DEADLINE_S,
    attempts_of,
    run_of,
    start_run,
    wait_lines,
    wait_run,
)

pytestmark = pytest.mark.cluster

RUNNING = frozenset({"running"})
LEASE_S = 30.0  #: lease, kill grace and margin, as documented


def put(cluster: Cluster, name: str, script: str, *, zone: str = "zone-a", **policies: Any) -> None:
    job = {"job": name, "run": script, "on": {"zone": zone}, "policies": policies}
    cluster.client.ask("PUT", f"/v1/jobs/{name}", job)


def gated(file: Path, gate: Path) -> str:
    """A script that writes a line, waits for the gate file, writes another line, and exits with 3."""
    at, go = shlex.quote(str(file)), shlex.quote(str(gate))
    return f"echo started >> {at}; while [ ! -e {go} ]; do sleep 0.05; done; echo ended >> {at}; exit 3"


def test_a_run_survives_the_kill_of_its_agent_and_is_reported_right(cluster: Cluster, tmp_path: Path) -> None:
    file, gate, agent = tmp_path / "evidence", tmp_path / "gate", cluster.agents[0]
    put(cluster, "long", gated(file, gate))
    run = start_run(cluster, "long")
    wait_run(cluster, run, RUNNING)
    wait_lines(file, 1)

    agent.kill()
    gate.touch()
    assert wait_lines(file, 2) == ["started", "ended"]
    agent.start()

    ended = wait_run(cluster, run)
    assert (ended["state"], ended["exit_code"]) == ("failed", 3)
    assert [a["number"] for a in attempts_of(ended)] == [1]
    assert file.read_text().split() == ["started", "ended"]


def test_an_exit_while_the_agent_was_frozen_arrives_afterwards(cluster: Cluster, tmp_path: Path) -> None:
    file, gate, agent = tmp_path / "evidence", tmp_path / "gate", cluster.agents[0]
    put(cluster, "long", gated(file, gate))
    run = start_run(cluster, "long")
    wait_lines(file, 1)

    agent.freeze()
    wait_connected(cluster, agent, False)
    gate.touch()
    wait_lines(file, 2)
    assert run_of(cluster, run)["state"] == "running"
    agent.thaw()

    ended = wait_run(cluster, run)
    assert (ended["state"], ended["exit_code"]) == ("failed", 3)
    assert file.read_text().split() == ["started", "ended"]


def test_an_exit_while_no_node_was_there_arrives_afterwards(cluster: Cluster, tmp_path: Path) -> None:
    file, gate = tmp_path / "evidence", tmp_path / "gate"
    put(cluster, "long", gated(file, gate))
    run = start_run(cluster, "long")
    wait_lines(file, 1)

    cluster.kill_nodes()
    gate.touch()
    wait_lines(file, 2)
    cluster.start()

    ended = wait_run(cluster, run)
    assert (ended["state"], ended["exit_code"]) == ("failed", 3)
    assert len(attempts_of(ended)) == 1
    assert file.read_text().split() == ["started", "ended"]


def test_a_reboot_of_the_host_loses_the_run_truthfully_and_never_repeats_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    file, agent = tmp_path / "evidence", cluster.agents[0]
    put(cluster, "long", gated(file, tmp_path / "never"))
    run = start_run(cluster, "long")
    wait_run(cluster, run, RUNNING)
    wait_lines(file, 1)

    reboot(agent)

    ended = wait_run(cluster, run)
    assert ended["state"] == "lost"
    assert [a["state"] for a in attempts_of(ended)] == ["lost"]
    assert file.read_text().split() == ["started"]


def test_an_idempotent_job_is_tried_again_after_a_reboot(cluster: Cluster, tmp_path: Path) -> None:
    file, gate, agent = tmp_path / "evidence", tmp_path / "gate", cluster.agents[0]
    put(cluster, "again", gated(file, gate), on_lost="retry", idempotent=True)
    run = start_run(cluster, "again")
    wait_run(cluster, run, RUNNING)
    wait_lines(file, 1)

    reboot(agent)
    wait_lines(file, 2)
    gate.touch()

    ended = wait_run(cluster, run)
    assert [a["state"] for a in attempts_of(ended)] == ["lost", "failed"]
    assert file.read_text().split() == ["started", "started", "ended"]


def test_a_boot_runs_what_waits_for_it_on_that_host_and_a_restart_of_the_agent_does_not(
    cluster: Cluster, tmp_path: Path
) -> None:
    file, (first, second) = tmp_path / "evidence", cluster.agents[:2]
    script = f'echo "$CRONCLAVE_AGENT" >> {shlex.quote(str(file))}'
    job = {"job": "warm", "run": script, "triggers": {"startup": {"pool": "default"}, "id": "boot"}}
    cluster.client.ask("PUT", "/v1/jobs/warm", job)

    first.kill()
    first.start()
    wait_connected(cluster, first, True)
    reboot(second)
    wait_lines(file, 1)
    reboot(first)

    assert wait_lines(file, 2) == [second.name, first.name]
    ended = [wait_run(cluster, run["id"]) for run in cluster.client.items("/v1/runs", {"job": "warm"})]
    assert [(run["cause"], run["state"]) for run in ended] == [("startup", "succeeded")] * 2
    proof = cluster.client.get("/v1/ledger/verify")
    assert (proof["ok"], proof["events"]) == (True, 2)
    cluster.client.ask("DELETE", "/v1/jobs/warm")


def test_each_file_makes_one_run_though_agents_and_the_leader_die_while_they_come(
    cluster: Cluster, tmp_path: Path
) -> None:
    folder, done = tmp_path / "in", tmp_path / "done"
    folder.mkdir()
    done.mkdir()
    asked = {
        "dir": str(folder), "match": "*.csv", "scope": "shared", "stable": "300ms", "as": "path",
        "then": {"move": str(done)},
    }  # fmt: skip
    job = {
        "job": "take-in", "run": "true", "params": {"path": {"type": "string"}},
        "triggers": {"file": asked, "id": "in"}, "policies": {"overlap": "allow"},
    }  # fmt: skip
    cluster.client.ask("PUT", "/v1/jobs/take-in", job)
    names = [f"{number}.csv" for number in range(12)]
    for number, name in enumerate(names):
        (folder / name).write_text("x")
        if number == 5:
            for agent in cluster.agents:
                agent.kill()
            leader = cluster.leader()
            leader.kill()
            leader.start()
            for agent in cluster.agents:
                agent.start()

    def moved() -> bool:
        return sorted(each.name for each in done.iterdir()) == sorted(names)

    wait_for(moved, DEADLINE_S, "all files are moved")
    runs = [wait_run(cluster, run["id"]) for run in cluster.client.items("/v1/runs", {"job": "take-in"})]
    told = sorted(Path(run["params"]["path"]).name for run in runs)
    assert (told, {run["state"] for run in runs}) == (sorted(names), {"succeeded"})
    assert cluster.client.get("/v1/ledger/verify")["ok"]
    cluster.client.ask("DELETE", "/v1/jobs/take-in")


def test_a_killed_spooler_takes_its_work_with_it_and_says_so(cluster: Cluster, tmp_path: Path) -> None:
    file, agent = tmp_path / "evidence", cluster.agents[0]
    beats = shlex.quote(str(file))
    put(cluster, "beating", f"while :; do echo beat >> {beats}; sleep 0.1; done")
    run = start_run(cluster, "beating")
    wait_lines(file, 3)

    agent.kill_spooler()

    assert wait_run(cluster, run)["state"] == "lost"
    assert beats_stopped(file)


def test_with_on_lost_fail_the_work_is_dead_before_the_run_is_called_lost(
    cluster: Cluster, tmp_path: Path
) -> None:
    file, agent = tmp_path / "evidence", cluster.agents[0]
    beats = shlex.quote(str(file))
    put(cluster, "beating", f"while :; do date +%s%3N >> {beats}; sleep 0.1; done", on_lost="fail")
    run = start_run(cluster, "beating")
    wait_run(cluster, run, RUNNING)
    wait_lines(file, 3)

    agent.freeze()
    ended = wait_run(cluster, run, deadline_s=10 * LEASE_S)
    called_lost_ms = time.time() * 1000

    assert ended["state"] == "lost"
    assert int(file.read_text().split()[-1]) < called_lost_ms
    assert beats_stopped(file)
    agent.thaw()
    wait_connected(cluster, agent, True)
    assert run_of(cluster, run)["state"] == "lost"


def test_under_on_lost_wait_the_run_is_unreachable_until_a_person_resolves_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    file, agent = tmp_path / "evidence", cluster.agents[0]
    put(cluster, "long", gated(file, tmp_path / "never"))
    run = start_run(cluster, "long")
    wait_run(cluster, run, RUNNING)
    wait_lines(file, 1)

    agent.kill()
    wait_for(
        lambda: attempts_of(run_of(cluster, run))[0]["unreachable"], 10 * LEASE_S, "it is unreachable", 0.5
    )
    assert run_of(cluster, run)["state"] == "running"
    cluster.client.ask("POST", f"/v1/runs/{run}/resolve", {})

    assert wait_run(cluster, run)["state"] == "lost"


def test_cancel_ends_the_whole_process_group(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "evidence"
    beats = shlex.quote(str(file))
    put(cluster, "family", f"(while :; do echo beat >> {beats}; sleep 0.1; done) & wait")
    run = start_run(cluster, "family")
    wait_lines(file, 3)

    cluster.client.ask("POST", f"/v1/runs/{run}/cancel", {})

    assert wait_run(cluster, run)["state"] == "cancelled"
    assert beats_stopped(file)


def wait_connected(cluster: Cluster, agent: Agent, expected: bool) -> None:
    def told() -> bool:
        return any(
            a["name"] == agent.name and a["connected"] is expected for a in cluster.client.items("/v1/agents")
        )

    wait_for(told, DEADLINE_S, f"{agent.name} connected: {expected}", 0.1)


def reboot(agent: Agent) -> None:
    """What a reboot does: every process of the host is gone at once, and the boot id is another one."""
    agent.kill_host()
    (agent.directory / "boot_id").write_text(secrets.token_hex(16))
    agent.start()


def beats_stopped(file: Path) -> bool:
    """Whether no line comes any more within many times the payload's period."""
    size, until_s = file.stat().st_size, time.monotonic() + 1.0

    def seen() -> str:
        if file.stat().st_size > size:
            return "grown"
        return "quiet" if time.monotonic() > until_s else ""

    return wait_for(seen, DEADLINE_S, "a second passes") == "quiet"
