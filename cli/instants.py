"""Instants and durations as people write them, and as the API does."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(
    "(?:([0-9]{1,6})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m(?!s))?"
    r"(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)s)?(?:([0-9]{1,12})ms)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def span_s(text: str) -> float | None:
    """Seconds of `1h30m`; None where it is no duration."""
    match = _SPAN.fullmatch(text)
    if not match or not any(match.groups()):
        return None
    days, hours, minutes, seconds, millis = match.groups()
    whole = int(days or 0) * 86_400 + int(hours or 0) * 3600 + int(minutes or 0) * 60
    return whole + float(seconds or 0) + int(millis or 0) / 1000


def milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def rfc3339(ms: int) -> str:
    """UTC with Z, and milliseconds where they are not zero: as the API writes instants."""
    seconds, rest = divmod(ms, 1000)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:03d}Z" if rest else f"{text}Z"
