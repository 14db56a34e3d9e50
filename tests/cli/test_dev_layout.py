"""What `cronclave dev` puts into its folder: the programs' own configuration readers are the judges."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import agent.config
import node.config
from cli.dev.children import Child
from cli.dev.facts import Facts
from cli.dev.layout import (
    Identity,
    open_identity,
    plan_agents,
    plan_nodes,
    save_identity,
    taken_ports,
    write_configurations,
)
from cli.dev.opening import Opening
from cli.dev.pools import POOL
from cli.dev.samples import SAMPLES
from cli.exits import CONFLICT, USAGE, Failure
from scheduler.model import parse_job
from tests.cli.conftest import Command

BASE = 24_400


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return open_identity(tmp_path, nodes=3, base_port=BASE)


def test_starting_again_continues_the_cluster(tmp_path: Path, identity: Identity) -> None:
    assert open_identity(tmp_path, nodes=None, base_port=None) == identity
    save_identity(tmp_path, Identity(identity.uid, identity.token, 3, BASE, sampled=True))
    assert open_identity(tmp_path, nodes=3, base_port=BASE).sampled


@pytest.mark.parametrize(("nodes", "base_port"), [(5, None), (None, BASE + 100)])
def test_another_shape_is_refused(
    tmp_path: Path, identity: Identity, nodes: int | None, base_port: int | None
) -> None:
    with pytest.raises(Failure, match="was made with") as caught:
        open_identity(tmp_path, nodes=nodes, base_port=base_port)
    assert caught.value.exit_code == CONFLICT


def test_nodes_read_their_configuration(tmp_path: Path, identity: Identity) -> None:
    nodes = plan_nodes(tmp_path, identity)
    write_configurations(identity, nodes, [], slots=8, parent_pid=os.getpid())

    configs = [node.config.load_config(plan.config, {}) for plan in nodes]

    assert [c.name for c in configs] == ["node-1", "node-2", "node-3"]
    assert [c.zone for c in configs] == ["zone-a", "zone-b", "zone-c"]
    assert [c.http.port for c in configs] == [BASE, BASE + 10, BASE + 20]
    assert [c.raft.port for c in configs] == [BASE + 1, BASE + 11, BASE + 21]
    assert {c.cluster for c in configs} == {identity.uid}
    assert all(sorted(c.members) == ["node-1", "node-2", "node-3"] for c in configs)
    assert all(c.data.is_relative_to(tmp_path) for c in configs)


def test_agents_read_their_configuration(tmp_path: Path, identity: Identity) -> None:
    nodes = plan_nodes(tmp_path, identity)
    agents = plan_agents(tmp_path, {POOL: 4}, len(nodes))
    write_configurations(identity, nodes, agents, slots=8, parent_pid=os.getpid())

    configs = [agent.config.load(["--config", str(plan.config)], {}) for plan in agents]

    assert [c.zone for c in configs] == ["zone-a", "zone-b", "zone-c", "zone-a"]
    assert [c.nodes[0] for c in configs] == [nodes[i].url for i in (0, 1, 2, 0)]
    assert all(sorted(c.nodes) == sorted(n.url for n in nodes) for c in configs)
    assert [c.token_file for c in configs] == [plan.token for plan in agents]
    assert {(c.slots, c.parent_pid) for c in configs} == {(8, os.getpid())}


def test_agents_of_pools_are_called_by_them_and_spread_over_the_zones(
    tmp_path: Path, identity: Identity
) -> None:
    nodes = plan_nodes(tmp_path, identity)
    agents = plan_agents(tmp_path, {POOL: 1, "web": 4, "db": 2}, len(nodes))
    write_configurations(identity, nodes, agents, slots=8, parent_pid=os.getpid())

    configs = [agent.config.load(["--config", str(plan.config)], {}) for plan in agents]

    assert [(c.name, c.pool) for c in configs] == [
        ("agent-1", POOL), ("web-1", "web"), ("web-2", "web"), ("web-3", "web"), ("web-4", "web"),
        ("db-1", "db"), ("db-2", "db"),
    ]  # fmt: skip
    assert [c.zone for c in configs[1:5]] == ["zone-a", "zone-b", "zone-c", "zone-a"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["web"], "a number of agents is 0 to 64"), (["web=65"], "a number of agents is 0 to 64"),
        (["web=-1"], "a number of agents is 0 to 64"), (["node=1"], "'node' cannot be a pool here"),
        (["=1"], "'' cannot be a pool here"), (["../x=1"], "'../x' cannot be a pool here"),
        (["web=1", "web=2"], "a pool is named twice"), (["web=40", "25"], "there are 65 agents, 64 may be"),
    ],
)  # fmt: skip
async def test_pools_that_cannot_be_are_refused_before_anything_starts(
    offline: Command, asked: list[str], said: str
) -> None:
    result = await offline("dev", *(word for each in asked for word in ("--agents", each)))

    assert result.code == USAGE
    assert said in result.err
    assert not (offline.folder / ".cronclave").exists()


def test_secrets_are_private(tmp_path: Path, identity: Identity) -> None:
    nodes, agents = plan_nodes(tmp_path, identity), plan_agents(tmp_path, {POOL: 1}, 3)
    write_configurations(identity, nodes, agents, slots=8, parent_pid=os.getpid())
    children = {
        name: Child(name, "node", config, directory)
        for name, config, directory in [
            *((plan.name, plan.config, plan.directory) for plan in nodes),
            *((plan.name, plan.config, plan.directory) for plan in agents),
        ]
    }
    Facts(tmp_path / "dev.json", identity, nodes, agents).keep(children)

    holders = [f for f in tmp_path.rglob("*") if f.is_file() and identity.token in f.read_text()]

    assert {f.name for f in holders} == {"cluster.json", "dev.json"}, "no agent holds it"
    assert {stat.S_IMODE(f.stat().st_mode) for f in holders} == {0o600}


def test_taken_ports_are_found(tmp_path: Path, identity: Identity) -> None:
    import socket

    nodes = plan_nodes(tmp_path, identity)
    assert taken_ports(nodes) == []
    with socket.create_server(("127.0.0.1", BASE + 11)):
        assert taken_ports(nodes) == [(BASE + 11, "node-2 Raft")]


async def test_a_taken_port_stops_dev_before_anything_starts(offline: Command) -> None:
    import socket

    with socket.create_server(("127.0.0.1", BASE + 50)):
        result = await offline("dev", "--base-port", str(BASE + 50), "--no-browser")

    assert result.code == CONFLICT
    assert f"port {BASE + 50} is taken" in result.err
    assert not (offline.folder / ".cronclave" / "node-1").exists()


async def test_a_second_dev_is_refused(offline: Command) -> None:
    import fcntl

    (offline.folder / ".cronclave").mkdir()
    with (offline.folder / ".cronclave" / "dev.lock").open("w") as lock:
        lock.write("4242")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = await offline("dev", "--base-port", str(BASE + 60), "--no-browser")

    assert result.code == CONFLICT
    assert "4242" in result.err


def test_the_sample_jobs_are_jobs() -> None:
    assert [parse_job(sample).name for sample in SAMPLES] == [sample["job"] for sample in SAMPLES]
    assert any(len(sample.get("tasks", ())) == 3 for sample in SAMPLES)


@pytest.mark.parametrize("jobs", [True, False])
def test_what_it_tells_to_type_first_is_there(tmp_path: Path, identity: Identity, *, jobs: bool) -> None:
    nodes = plan_nodes(tmp_path, identity)
    opening = Opening(tmp_path, identity, nodes, [], jobs=jobs, browser=False, admitted=print)

    assert ("job run greet" in opening.banner(1.0)) == jobs
