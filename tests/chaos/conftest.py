"""Clusters for tests of the harness: their ports are no other suite's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from chaos.cluster import Cluster, Shape

PORTS = (31_000, 31_900)


class NewCluster(Protocol):
    def __call__(self, **shape: Any) -> Cluster: ...


@pytest.fixture
def new_cluster(tmp_path: Path) -> Iterator[NewCluster]:
    """Lays clusters out; everything of them is gone at the end."""
    made: list[Cluster] = []

    def make(**shape: Any) -> Cluster:
        made.append(Cluster.lay_out(tmp_path / f"cluster-{len(made)}", Shape(ports=PORTS, **shape)))
        return made[-1]

    yield make
    for cluster in made:
        cluster.stop()
