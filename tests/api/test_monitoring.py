"""What deploy/ shows and alerts of is what a node tells: /metrics has each of these names and labels."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx2
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = re.compile(r"cronclave_[a-z_]+")
LABELS = re.compile(r"(cronclave_[a-z_]+)\{([^}]*)\}")
LATER = {"cronclave_commit_lag_seconds", "cronclave_core_turn_seconds_bucket"}
"""Told once a leader was heard of, and turns were counted, which a node without a core does not."""


def expressions() -> list[str]:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    board = json.loads((DEPLOY / "grafana" / "cronclave.json").read_text())
    alerts = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    return alerts + [target["expr"] for panel in board["panels"] for target in panel["targets"]]


@pytest.fixture
async def told(client: httpx2.AsyncClient) -> dict[str, set[str]]:
    """The label names of each metric."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families((await client.get("/metrics")).text):
        found.setdefault(family.name + ("_total" if family.type == "counter" else ""), set())
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


async def test_every_metric_of_the_alerts_and_the_dashboard_is_told(told: dict[str, set[str]]) -> None:
    named = {name for text in expressions() for name in NAME.findall(text)}

    assert len(named) > 20
    assert named - LATER - told.keys() == set()


async def test_what_is_chosen_by_a_label_has_it(told: dict[str, set[str]]) -> None:
    for text in expressions():
        for name, inside in LABELS.findall(text):
            asked = set(re.findall(r"([a-z_]+)[=!]", inside)) - {"job", "instance"}
            assert asked <= told.get(name, asked), text


def test_each_alert_says_what_it_means_and_what_helps() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        assert rule["labels"]["severity"] in ("call", "ticket"), rule["alert"]
        assert rule["annotations"].keys() == {"summary", "help"}, rule["alert"]
