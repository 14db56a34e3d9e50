"""The fault shim on small programs: what it breaks is broken as the kernel would, and nothing else is."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaos.nemesis.shim import Control, build

HOUR_MS = 3_600_000


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = build(tmp_path_factory.mktemp("shim"))
    if isinstance(made, str):
        pytest.skip(made)
    return made


@pytest.fixture
def control(tmp_path: Path) -> Control:
    return Control(tmp_path / "control")


def run(
    library: Path, control: Control, program: str, *arguments: object
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import os, sys, time\n{program}", *map(str, arguments)],
        env={**os.environ, **control.environment(library)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_wall_clock_is_wrong_and_monotonic_time_is_not(library: Path, control: Control) -> None:
    control.skew(-HOUR_MS)
    told = run(
        library,
        control,
        "import datetime; print(time.time(), time.monotonic(), datetime.datetime.now().timestamp())",
    )
    wall, monotonic, stamp = map(float, told.stdout.split())

    assert abs(wall - (time.time() - 3_600)) < 60
    assert abs(stamp - (time.time() - 3_600)) < 60
    assert 0 <= time.monotonic() - monotonic < 60
    assert control.skew_ms == -HOUR_MS


def test_clock_is_switched_while_the_program_runs(library: Path, control: Control) -> None:
    program = "\nfor line in sys.stdin: print(time.time(), flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys, time{program}"],
        env={**os.environ, **control.environment(library)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask() -> float:
            process.stdin.write("\n")  # type: ignore[union-attr]  # asserted above
            process.stdin.flush()  # type: ignore[union-attr]  # as above
            return float(process.stdout.readline())  # type: ignore[union-attr]  # as above

        offsets = []
        for skew_ms in (0, HOUR_MS, -HOUR_MS, 0):
            control.skew(skew_ms)
            offsets.append(round((ask() - time.time()) / 60))
        process.stdin.close()

    assert offsets == [0, 60, -60, 0]


def test_sync_fails_for_the_named_files_alone(library: Path, control: Control, tmp_path: Path) -> None:
    program = """
for path in sys.argv[1:]:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    for sync in (os.fsync, os.fdatasync):
        try:
            sync(descriptor)
            print(0)
        except OSError as e:
            print(e.errno)
"""
    control.fail_syncs(tmp_path / "bad")
    told = run(library, control, program, tmp_path / "bad-1", tmp_path / "good")

    assert told.stdout.split() == [str(errno.EIO), str(errno.EIO), "0", "0"]
    assert control.faults == 2


def test_writes_fail_after_those_that_are_let_pass(library: Path, control: Control, tmp_path: Path) -> None:
    program = """
descriptor = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)
for write in (os.write, lambda fd, data: os.pwrite(fd, data, 0), lambda fd, data: os.ftruncate(fd, 1)):
    try:
        print(write(descriptor, b"abc"))
    except OSError as e:
        print(e.errno)
"""
    control.fail_writes(tmp_path / "file", error=errno.ENOSPC, let_pass=1)
    told = run(library, control, program, tmp_path / "file")

    assert told.stdout.split() == ["3", str(errno.ENOSPC), str(errno.ENOSPC)]
    assert (tmp_path / "file").read_bytes() == b"abc"


def test_short_write_says_how_much_it_took(library: Path, control: Control, tmp_path: Path) -> None:
    control.shorten_writes(tmp_path / "file", bytes_max=2)
    told = run(
        library,
        control,
        "print(os.write(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), b'abcdef'))",
        tmp_path / "file",
    )

    assert told.stdout.split() == ["2"]
    assert (tmp_path / "file").read_bytes() == b"ab"


def test_torn_write_leaves_its_first_bytes_and_a_dead_process(
    library: Path, control: Control, tmp_path: Path
) -> None:
    control.tear_write(tmp_path / "file", after_bytes=4)
    program = (
        "d = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY); os.write(d, b'ab'); os.write(d, b'cdefghij')"
    )
    died = run(library, control, program, tmp_path / "file")

    assert died.returncode == -signal.SIGKILL
    assert (tmp_path / "file").read_bytes() == b"abcdef"


def test_healed_disk_works(library: Path, control: Control, tmp_path: Path) -> None:
    control.fail_writes(tmp_path / "file")
    control.heal_disk()
    told = run(
        library, control, "os.write(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), b'a')", tmp_path / "file"
    )

    assert told.returncode == 0, told.stderr
    assert control.faults == 0


def test_database_of_a_broken_disk_says_so(library: Path, control: Control, tmp_path: Path) -> None:
    """SQLite reaches its files through the same calls."""
    program = """
import sqlite3
database = sqlite3.connect(sys.argv[1], isolation_level=None)
print(*database.execute("PRAGMA journal_mode=WAL").fetchone())
try:
    database.execute("CREATE TABLE t (a)")
except sqlite3.OperationalError as e:
    print(e)
"""
    control.fail_writes(tmp_path / "state.db-wal")
    told = run(library, control, program, tmp_path / "state.db")

    assert told.stdout.splitlines() == ["wal", "disk I/O error"]


def test_missing_control_file_is_told(library: Path, tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", "print(1)"],
        env={**os.environ, "LD_PRELOAD": str(library), "CRONCLAVE_SHIM": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "no faults" in told.stderr
    assert told.stdout == "1\n"


def test_no_compiler_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    reason = build(tmp_path)

    assert isinstance(reason, str)
    assert "gcc" in reason


def test_relative_prefix_is_refused(control: Control) -> None:
    with pytest.raises(ValueError, match="absolute"):
        control.fail_syncs("data")
