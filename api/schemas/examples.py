"""Examples for the published API description."""

from __future__ import annotations

from typing import Any

PARAMS: dict[str, Any] = {"region": "eu"}
JOB: dict[str, Any] = {
    "job": "nightly-report",
    "labels": {"team": "data"},
    "triggers": [{"id": "nightly", "cron": "0 2 * * 1-5", "tz": "Europe/Berlin"}],
    "params": {"region": {"type": "string", "default": "eu"}},
    "run": 'report --day "$CRONCLAVE_TICK"',
}
