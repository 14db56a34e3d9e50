"""Fixtures of the acceptance tests: clusters that are gone at the end, and their logs where a test fails."""

from __future__ import annotations

import base64
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from bench.client import RefusedError
from bench.cluster import Cluster, free_base_port, layout, write_node_config
from tests.e2e.cluster import PORTS, NewCluster
from tests.e2e.forked import forking

CLUSTERS: pytest.StashKey[list[Cluster]] = pytest.StashKey()
NODES_MAX = 5  #: port pairs that a cluster may come to use


@pytest.fixture
def new_cluster(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NewCluster]:
    """Makes the files of a cluster; the test starts it. Everything is killed at the end, by pid."""
    made = request.node.stash.setdefault(CLUSTERS, [])

    def make(*, nodes: int = 3, agents: int = 2, slots: int = 64, boot_ids: bool = False) -> Cluster:
        root = tmp_path / f"cluster-{len(made) + 1}"
        base_port = free_base_port(*PORTS, NODES_MAX)
        cluster = layout(
            root, base_port=base_port, nodes=nodes, agents=agents, slots=slots, boot_ids=boot_ids
        )
        made.append(forking(cluster))
        return cluster

    yield make
    for cluster in made:
        cluster.stop()


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for all tests of a module that leave its members and its state as they should be."""
    root = tmp_path_factory.mktemp("founded") / "cluster"
    made = forking(layout(root, base_port=free_base_port(*PORTS, 3), agents=2, slots=500, boot_ids=True))
    key = root / "secrets.key"
    key.touch(0o600)
    key.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    for node in made.nodes:
        extra = {"secrets": {"key_file": str(key)}}
        write_node_config(node, made.nodes, uid=made.uid, token=made.token, extra=extra)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def _cancel(cluster: Cluster, run: int) -> None:
    """It may end by itself meanwhile."""
    try:
        cluster.client.ask("POST", f"/v1/runs/{run}/cancel", {})
    except RefusedError as refused:
        if refused.reply.json().get("code") != "ended":
            raise


@pytest.fixture
def cluster(founded: Cluster, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The module's cluster, whole and without jobs; the test may kill and freeze what it likes."""
    request.node.stash.setdefault(CLUSTERS, []).append(founded)
    founded.start()
    yield founded
    for node in founded.nodes:
        node.thaw()
    for agent in founded.agents:
        agent.thaw()
    founded.start()
    for job in founded.client.items("/v1/jobs"):
        founded.client.ask("DELETE", f"/v1/jobs/{job['name']}")
    for run in founded.client.items("/v1/runs"):
        if run["finished"] is None:
            _cancel(founded, run["id"])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The last lines of each process's log belong to a failure's report."""
    report = yield
    if report.failed and report.when != "setup":
        for cluster in item.stash.get(CLUSTERS, []):
            try:
                told = "\n".join(f"{name}: {status}" for name, status in cluster.statuses().items())
            except Exception as error:  # the test may have left its nodes and its client at odds
                told = f"not asked: {error!r}"
            report.sections.append(("what the nodes say", told))
            report.sections += [(f"log of {name}", tail) for name, tail in cluster.logs()]
    return report
