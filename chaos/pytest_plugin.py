"""Fixtures and a marker for users' own tests: `pytest_plugins = ["chaos.pytest_plugin"]`.

    @pytest.mark.chaos(seed=7, actions=["leader-killed", "agent-cut-off"])
    def test_ours(chaos_run):
        judged = chaos_run()
        assert judged.verdict == "pass", judged.findings

`chaos_cluster` is a started cluster of three nodes and agents; `chaos_run` runs a plan of the marker's
actions on one of its own, judges it, and leaves report.html in the test's directory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos.actions import ACTIONS
from chaos.cluster import Cluster, Shape
from chaos.commands import usable_links
from chaos.plan import Plan, in_turn
from chaos.report import write_report
from chaos.run import run_plan
from chaos.scenarios import links_of
from chaos.suite import Judged, judge_directory

PORTS = (27_000, 28_000)
MARKER = "chaos(seed=0, actions=[…], links=None, ports=(27000, 28000)): what chaos_run breaks, and where"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def chaos_cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    """A started cluster; everything of it is gone at the end."""
    marker = request.node.get_closest_marker("chaos")
    told = marker.kwargs if marker is not None else {}
    shape = Shape(profile=told.get("links") or "direct", ports=told.get("ports", PORTS))
    with Cluster.lay_out(tmp_path / "cluster", shape) as cluster:
        cluster.start()
        yield cluster


@pytest.fixture
def chaos_run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Judged]:
    """Runs the plan of the test's marker and judges it."""
    marker = request.node.get_closest_marker("chaos")
    told = marker.kwargs if marker is not None else {}
    seed, ports = int(told.get("seed", 0)), told.get("ports", PORTS)
    actions = list(told.get("actions", ["leader-killed"]))
    unknown = [action for action in actions if action not in ACTIONS]
    if unknown:
        raise pytest.UsageError(f"marker chaos: no action {unknown[0]!r}; known: {', '.join(ACTIONS)}")

    def run() -> Judged:
        links = told.get("links") or links_of(seed, usable_links(ports))
        plan = Plan(request.node.name, "pytest", seed, links, in_turn(seed, actions))
        directory = tmp_path / "chaos"
        run_plan(plan, directory, shape=Shape(ports=ports))
        found = judge_directory(directory)
        write_report(directory, found)
        return found[0]

    return run
