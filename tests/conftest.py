"""Rules for all tests: with CI set a skip is a failure, what starts a cluster is marked `cluster`, and no
property is judged by the clock.

A skipped test is a promise that nobody checked. On a developer's machine that is fine (no browser, not root);
in CI it would go unnoticed for ever.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Hypothesis fails an example that took 200 ms, and data that are made too slowly: on a machine that is
# shared that says nothing of what is tested.
settings.register_profile("cronclave", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cronclave")

#: Fixtures that start a cluster: who uses one is marked, so that it never runs beside other tests.
_CLUSTERS = {"new_cluster", "besieged", "founded"}
#: What stands in a file with such tests: one without it is not even imported where they alone are asked for.
_SIGNS = {
    "house": re.compile(r"mark\.house"),
    "cluster": re.compile(rf"mark\.(cluster|alone)|\b(cluster|{'|'.join(sorted(_CLUSTERS))}): "),
}
_IN_CI = os.environ.get("CI", "").lower() not in {"", "0", "false", "no"}


@cache
def _says(path: Path, sign: re.Pattern[str]) -> bool:
    return sign.search(path.read_text()) is not None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    first, *others = config.option.markexpr.split() or [""]
    sign = None if "or" in others else _SIGNS.get(first)
    if sign is None or not collection_path.match("test_*.py"):
        return None
    return None if _says(collection_path, sign) else True


def _has_sign(item: pytest.Item, marker: str) -> bool:
    return item.get_closest_marker(marker) is None or _says(item.path, _SIGNS[marker])


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if _CLUSTERS.intersection(fixtures):
            item.add_marker("cluster")
        if "besieged" in fixtures:
            item.add_marker("alone")
    # So none is passed over when they alone are asked for.
    hidden = {item.nodeid for item in items for marker in _SIGNS if not _has_sign(item, marker)}
    assert not hidden, f"nothing in these files says what they are (tests/conftest.py, _SIGNS): {hidden}"
    # The quick ones first: a broken unit is seen before minutes of clusters.
    items.sort(key=lambda item: item.get_closest_marker("cluster") is not None)


def _fail_skip(report: pytest.TestReport | pytest.CollectReport, where: str) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"{where}: skipped in CI, where a skip is a failure. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if _IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        _fail_skip(report, item.nodeid)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if _IN_CI and report.skipped:
        _fail_skip(report, collector.nodeid)
    return report


@pytest.fixture(autouse=True)
def _no_inherited_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own cluster must never be touched by a test."""
    for name in [name for name in os.environ if name.startswith("CRONCLAVE_")]:
        monkeypatch.delenv(name)
