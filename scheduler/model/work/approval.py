"""approval: the run waits until a person says yes or no. It holds no slot and asks no agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.model.quantities import parse_duration_ms
from scheduler.model.work.in_state import UNREAD
from scheduler.model.work.kind import ASKS, Kind


def _value() -> Any:
    from scheduler.model.approval import Approval

    return Approval


def _compiled(task: Mapping[str, Any]) -> dict[str, Any]:
    asked = task["approval"]
    return {
        "does": ASKS, "by": asked["by"], "four_eyes": asked["four_eyes"], "text": asked.get("text", ""),
    }  # fmt: skip


def _lasts_ms(task: Mapping[str, Any]) -> int:
    return parse_duration_ms(task["approval"]["expires"])


def _drawn(asked: Mapping[str, Any]) -> str:
    return f"approval by {', '.join(asked['by']) or 'anybody'}, within {asked['expires']}"


APPROVAL = Kind(
    name="approval",
    description="a person's yes or no: it holds no slot",
    example={"by": ["ann", "bob"], "expires": "1d", "four_eyes": True},
    value=_value,
    compiled=_compiled,
    happens="state",
    shape="hexagon",
    drawn=_drawn,
    executor=None,
    entries_max=4,
    lasts_ms=_lasts_ms,
    meanwhile="waits for a person",
    unread=UNREAD,
    # docs/decisions/0099-an-approval-is-not-divided.md
    instead={"fanout": "make an approval for each, and let what follows need them, with rule {n_of: 2} two"},
    other_words=("approve", "manual", "manual_approval", "confirm", "gate", "prompt"),
)
