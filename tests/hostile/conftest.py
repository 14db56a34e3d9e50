"""One cluster for all attacks that must not harm it; `new_cluster` for those that may."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.cluster import Cluster, free_base_port, layout
from tests.e2e.cluster import PORTS
from tests.e2e.conftest import CLUSTERS
from tests.e2e.conftest import cluster as cluster
from tests.e2e.conftest import founded as founded
from tests.e2e.conftest import new_cluster as new_cluster
from tests.e2e.conftest import pytest_runtest_makereport as pytest_runtest_makereport
from tests.e2e.forked import forking
from tests.hostile.siege import siege


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes and two agents that stay up from the first attack to the last."""
    cluster = forking(layout(tmp_path_factory.mktemp("hostile"), base_port=free_base_port(*PORTS, 3)))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def besieged(target: Cluster, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The shared cluster; after the test it stands as it stood before (tests/hostile/siege.py)."""
    request.node.stash.setdefault(CLUSTERS, []).append(target)
    with siege(target):
        yield target
