"""How durations, sizes and instants are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.quantities import (
    DURATION_MS_MAX,
    format_duration,
    format_instant,
    format_size,
    parse_duration_ms,
    parse_instant_ms,
    parse_size_bytes,
)


@pytest.mark.parametrize(
    ("text", "duration_ms"),
    [
        ("90s", 90_000),
        ("15m", 900_000),
        ("1h30m", 5_400_000),
        ("24h", 86_400_000),
        ("7d", 604_800_000),
        ("250ms", 250),
    ],
)
def test_durations(text: str, duration_ms: int) -> None:
    assert parse_duration_ms(text) == duration_ms


@pytest.mark.parametrize(
    "text",
    ["", "0s", "0h0m", "-1s", "90", "1.5h", "1h 30m", "30m1h", "5x", "1S", "9999999d", "m", "٣s", "5m\n"],
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_duration_ms(text)


@given(st.integers(1, DURATION_MS_MAX))
def test_durations_are_read_back(duration_ms: int) -> None:
    assert parse_duration_ms(format_duration(duration_ms)) == duration_ms


@given(st.integers(1, 1 << 40))
def test_sizes_are_read_back(size_bytes: int) -> None:
    assert parse_size_bytes(format_size(size_bytes)) == size_bytes


@given(st.integers(0, 253_370_764_799_999))
def test_instants_are_read_back(instant_ms: int) -> None:
    assert parse_instant_ms(format_instant(instant_ms)) == instant_ms


def test_instants_with_offsets() -> None:
    assert parse_instant_ms("2026-12-31T23:00:00+01:00") == parse_instant_ms("2026-12-31T22:00:00Z")
    assert parse_instant_ms("2026-12-31T23:00:00.5Z") % 1000 == 500


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01",
            "1969-01-01T00:00:00Z",
        ),
        *("2026-01-01T00:00:00", "2026-01-01T00:00:00+25:00", "0000-01-01T00:00:00Z", "now"),
    ],
)
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_instant_ms(text)


@pytest.mark.parametrize(
    ("text", "size"), [("512KiB", 524_288), ("10MB", 10**7), ("1GiB", 1 << 30), ("7", 7), ("7B", 7)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size_bytes(text) == size
