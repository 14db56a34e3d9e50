"""Free space: when a node calls its disk low, and what becomes of the ballast."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from node.storage import BALLAST_BYTES, CRITICAL_BYTES, LOOK_S, LOW_BYTES, Storage

Usage = namedtuple("Usage", "total used free")


def test_the_ballast_is_given_up_before_the_disk_is_full_and_laid_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [LOW_BYTES * 2]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 40, 0, free[0]))
    found, now_s = Storage(tmp_path), 0.0
    ballast = tmp_path / "ballast"

    def look(free_bytes: int) -> bool:
        nonlocal now_s
        free[0], now_s = free_bytes, now_s + LOOK_S
        space = found.look(now_s)
        assert space.free_bytes == free_bytes
        return space.low

    assert not look(LOW_BYTES * 2)
    assert ballast.stat().st_blocks * 512 >= BALLAST_BYTES, "kept for real, no hole"
    assert look(LOW_BYTES - 1), "outside writes are refused from here on"
    assert look(CRITICAL_BYTES)
    assert ballast.exists()
    assert look(CRITICAL_BYTES - 1)
    assert not ballast.exists(), "what is under way can end"
    assert look(LOW_BYTES - 1)
    assert not ballast.exists(), "not before there is room enough"
    assert not look(LOW_BYTES + 1)
    assert ballast.exists()
