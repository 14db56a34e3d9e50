"""Who comes with an older number than was seen is refused, and one is inside at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import cronclave
from cronclave.errors import CronclaveError, StaleFenceError

HOLD = """
import sys, cronclave
try:
    with cronclave.fence(sys.argv[1], number=int(sys.argv[2]), wait_s=float(sys.argv[3])) as fence:
        print("in", flush=True)
        sys.stdin.readline()
        fence.check()
        print("out", flush=True)
except Exception as error:
    print(type(error).__name__, flush=True)
"""


def holder(path: Path, number: int, wait_s: float = 60) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(path), str(number), str(wait_s)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def test_an_older_attempt_is_refused_and_the_same_passes(tmp_path: Path) -> None:
    path = tmp_path / "warehouse"
    with cronclave.fence(path, number=7) as held:
        assert held.number == 7
    with cronclave.fence(path, number=7):
        pass
    with cronclave.fence(path, number=1 << 40):  # as after a restore
        pass
    with pytest.raises(StaleFenceError) as caught, cronclave.fence(path, number=7):
        pytest.fail("it was let in")
    assert (caught.value.fence, caught.value.newest) == (7, 1 << 40)
    assert not path.exists(), "the resource itself is not touched"


def test_the_number_is_that_of_the_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CronclaveError, match="CRONCLAVE_FENCE"), cronclave.fence(tmp_path / "a"):
        pass
    monkeypatch.setenv("CRONCLAVE_FENCE", "41")
    with cronclave.fence(tmp_path / "a") as held:
        assert held.number == 41


def test_one_is_inside_at_a_time_and_a_killed_one_is_out(tmp_path: Path) -> None:
    path = tmp_path / "warehouse"
    old = holder(path, 5)
    assert said(old) == "in"
    newer = holder(path, 6)
    impatient = holder(path, 6, wait_s=0)
    assert said(impatient) == "TimeoutError"

    old.kill()
    old.communicate()
    assert said(newer) == "in"
    late = holder(path, 5)
    assert said(late) == "StaleFenceError", "while the newer one is inside"
    tell(newer)
    assert said(newer) == "out"
    for process in (newer, impatient, late):
        process.communicate()


def test_a_torn_or_foreign_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.fence").write_text("17 and a half")
    with pytest.raises(CronclaveError, match=r"a\.fence"), cronclave.fence(tmp_path / "a", number=9):
        pass


class Row:
    """A row of a database, with its version."""

    def __init__(self) -> None:
        self.number, self.version = 0, 0
        self.between: Any = None

    def load(self) -> tuple[int, int]:
        return self.number, self.version

    def swap(self, number: int, tag: int) -> bool:
        if self.between:
            act, self.between = self.between, None
            act()
        if tag != self.version:
            return False
        self.number, self.version = number, self.version + 1
        return True


def test_what_lies_elsewhere_is_fenced_by_comparison() -> None:
    row = Row()
    with cronclave.fence(row, number=3) as held:
        held.check()
        row.swap(4, row.version)
        with pytest.raises(StaleFenceError):
            held.check()
    with pytest.raises(StaleFenceError), cronclave.fence(row, number=3):
        pass


def test_of_two_that_come_at_once_the_newer_one_stays() -> None:
    row = Row()
    row.between = lambda: row.swap(9, row.version)
    with pytest.raises(StaleFenceError), cronclave.fence(row, number=8):
        pass
    assert row.number == 9
