"""custom: work of an executor that somebody has installed on agents (docs/reference/executors.md). What it
means is known there alone: here it is data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.model.work.kind import Kind
from scheduler.model.work.process import FEATURES, with_surroundings


def _value() -> Any:
    from scheduler.model.custom import Custom

    return Custom


def _compiled(task: Mapping[str, Any]) -> dict[str, Any]:
    return with_surroundings({"with": task["custom"]["with"]}, task)


CUSTOM = Kind(
    name="custom",
    description="work of an executor that was installed on agents",
    example={"kind": "spark", "with": {"class": "Report"}},
    value=_value,
    compiled=_compiled,
    happens="agent",
    executor="",
    names_executor=True,
    features=FEATURES,
    other_words=("executor", "plugin", "operator", "driver"),
)
