"""sleep: some time passes between two tasks. It holds no slot and asks no agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from scheduler.model.problems import Refused
from scheduler.model.quantities import format_duration, parse_duration_ms
from scheduler.model.work.in_state import UNREAD
from scheduler.model.work.kind import Kind

SLEEP_MS_MAX = 366 * 86_400_000


def _value() -> Any:
    from pydantic import AfterValidator

    from scheduler.model.fields import DurationMs

    return Annotated[DurationMs, AfterValidator(_bounded)]


def _bounded(value: int) -> int:
    if value > SLEEP_MS_MAX:
        most = format_duration(SLEEP_MS_MAX)
        raise Refused(f"a sleep may be {most} at most", "what comes round each year is a trigger's")
    return value


def _compiled(task: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _lasts_ms(task: Mapping[str, Any]) -> int:
    return parse_duration_ms(task["sleep"])


def _drawn(span: str) -> str:
    return f"sleep {span}"


SLEEP = Kind(
    name="sleep",
    description="nothing, for so long: it holds no slot",
    example="10m",
    value=_value,
    compiled=_compiled,
    happens="state",
    shape="ellipse",
    drawn=_drawn,
    executor=None,
    meanwhile="sleeps",
    lasts_ms=_lasts_ms,
    unread=UNREAD,
    other_words=("delay", "pause", "wait_for", "timer"),
)
