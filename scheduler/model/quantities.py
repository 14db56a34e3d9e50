"""Durations ("90s", "1h30m", "7d"), sizes ("64KiB") and instants (RFC 3339) as people write them.

Inside, a duration is a whole number of milliseconds, a size one of bytes, an instant UTC milliseconds.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from scheduler.model.problems import shortened

DURATION_MS_MAX = 36_525 * 86_400_000
"""A hundred years."""
SIZE_BYTES_MAX = 1 << 40

_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_DURATION = re.compile("".join(f"(?:([0-9]{{1,12}}){unit})?" for unit in _UNITS_MS))
_LOOSE = re.compile(r"([0-9]+(?:\.[0-9]+)?) *(ms|s|m|h|d|w)")
_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SIZES |= {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_SIZES |= {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}  # as systemd, docker and -Xmx read them
_SIZE = re.compile(r"([0-9]{1,15}) *([A-Za-z]{0,3})")
_INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_IN_BRACKETS = re.compile(r"\[[A-Za-z0-9/_+=!-]{1,64}\]$")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4_096)
def parse_duration_ms(text: str) -> int:
    """Milliseconds of "1h30m"; raises ValueError with a reason. Units d, h, m, s, ms, in this order."""
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError(_duration_reason(text))
    total = sum(
        int(number) * unit_ms
        for number, unit_ms in zip(match.groups(), _UNITS_MS.values(), strict=True)
        if number is not None
    )
    if total <= 0:
        raise ValueError("a duration must be longer than zero")
    if total > DURATION_MS_MAX:
        raise ValueError("a duration may be a hundred years at most")
    return total


def _duration_reason(text: str) -> str:
    stripped = text.strip()
    if stripped.startswith("-"):
        return "a duration must not be negative"
    if stripped.isascii() and stripped.isdigit():
        return f"a duration needs a unit, such as {stripped[:12]}s or {stripped[:12]}m"
    if _LOOSE.fullmatch(stripped):
        return 'write whole numbers and the units d, h, m, s, ms without blanks, such as "1h30m"'
    return f'{shortened(text)} is no duration; write it like "90s", "15m", "1h30m" or "7d"'


@lru_cache(maxsize=1_024)
def format_duration(duration_ms: int) -> str:
    """The shortest text that `parse_duration_ms` reads back."""
    parts = []
    for unit, unit_ms in _UNITS_MS.items():
        count, duration_ms = divmod(duration_ms, unit_ms)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


@lru_cache(maxsize=1_024)  # jobs say few different ones, each in every task
def parse_size_bytes(text: str) -> int:
    """Bytes of "10MiB"; raises ValueError with a reason."""
    match = _SIZE.fullmatch(text)
    factor = _SIZES.get(match[2].upper()) if match else None
    if match is None or factor is None:
        raise ValueError(f'{shortened(text)} is no size; write it like "512KiB", "10MiB" or "1GB"')
    size = int(match[1]) * factor
    if not 1 <= size <= SIZE_BYTES_MAX:
        raise ValueError("a size must be from 1 byte to 1024 GiB")
    return size


@lru_cache(maxsize=1_024)
def format_size(size_bytes: int) -> str:
    """The shortest text that `parse_size_bytes` reads back."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size_bytes % factor == 0:
            return f"{size_bytes // factor}{unit}"
    return f"{size_bytes}B"


def parse_instant_ms(text: str) -> int:
    """UTC milliseconds of an RFC 3339 instant; raises ValueError with a reason."""
    match = _INSTANT.fullmatch(text)
    if match is None and (named := _IN_BRACKETS.search(text)):
        # The two may contradict each other, by the zone data of one day or of another (RFC 9557).
        raise ValueError(f"an instant names no zone, since its offset says all: leave {named[0]} out")
    if match is None:
        raise ValueError(f"{shortened(text)} is no instant; write it like 2026-12-31T23:00:00Z")
    if match[8] is None:
        raise ValueError("the instant has no offset: end it with Z, or one such as +01:00")
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    try:
        naive = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"no such instant: {error}") from error
    offset = timedelta(0)
    if match[8] not in "Zz":
        hours, minutes = int(match[8][1:3]), int(match[8][4:6])
        if hours > 23 or minutes > 59:
            raise ValueError("no such offset from UTC")
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if match[8][0] == "-" else 1)
    milliseconds = int((match[7] or "0").ljust(3, "0")[:3])
    instant_ms = (naive - _EPOCH - offset) // timedelta(milliseconds=1) + milliseconds
    if not 0 <= instant_ms < 253_370_764_800_000:
        raise ValueError("the instant must lie between the years 1970 and 9999")
    return instant_ms


def format_instant(instant_ms: int) -> str:
    """RFC 3339, UTC, `Z`; milliseconds only where there are any."""
    seconds, milliseconds = divmod(instant_ms, 1000)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{milliseconds:03d}Z" if milliseconds else f"{text}Z"
