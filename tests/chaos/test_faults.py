"""Faults as records."""

from __future__ import annotations

import json

import pytest

from chaos.faults import (
    KINDS,
    ClockSkew,
    Cut,
    DiskFull,
    Fault,
    Kill,
    Lossy,
    Narrow,
    Pause,
    Refused,
    RollingRestart,
    Slow,
    SyncError,
    TornTail,
    ZoneFlap,
    ZoneLoss,
    both_ways,
    from_json,
    kind,
    one_way,
    to_json,
)

PAIRS = both_ways(["node-1"], ["node-2", "client"])
ALL: list[Fault] = [
    Cut(PAIRS),
    Slow(PAIRS, 1_000, jitter_ms=20),
    Lossy(PAIRS, loss=0.3, duplicate=0.1),
    Narrow(PAIRS, 64),
    Refused(PAIRS),
    Kill(("node-1", "agent-1/host")),
    Pause(("node-1/core",)),
    RollingRestart(("node-1", "node-2")),
    ZoneLoss(("zone-a",)),
    ZoneFlap("zone-b", period_ms=500),
    DiskFull("node-1", left_bytes=4096),
    SyncError("node-2"),
    TornTail("node-3", 100, garble=True),
    ClockSkew("node-1", -3_600_000),
]


@pytest.mark.parametrize("fault", ALL, ids=kind)
def test_a_fault_survives_a_plan_on_disk(fault: Fault) -> None:
    assert from_json(json.loads(json.dumps(to_json(fault)))) == fault


def test_every_kind_is_tried_here() -> None:
    assert {kind(fault) for fault in ALL} == set(KINDS)


@pytest.mark.parametrize(
    ("record", "named"),
    [
        ({"kind": "earthquake"}, "earthquake"),
        ({"kind": "slow", "pairs": [], "delay": 3}, "'delay'"),
        ({"kind": "slow", "pairs": []}, "delay_ms"),
        ({"pairs": []}, "None"),
    ],
)
def test_a_record_that_is_none_is_refused_by_name(record: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        from_json(record)


def test_pairs_of_a_bridge() -> None:
    assert one_way(["a"], ["b", "c"]) == (("a", "b"), ("a", "c"))
    assert both_ways(["a"], ["b"]) == (("a", "b"), ("b", "a"))
    assert one_way(["a", "b"], ["a", "b"]) == (("a", "b"), ("b", "a")), "nobody is cut from itself"
