"""A file is replaced whole or not at all: on a full disk, under a kill at any step, by many at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from durable import files
from durable.files import PRIVATE, replace_file

PROJECT = Path(__file__).parents[2]
OLD, NEW = b"old" * 1_000, b"newer" * 5_000
STEPS_MAX = 200

FULL = """
import errno, os, sys
from pathlib import Path
from durable.files import replace_file
here = Path(sys.argv[1]) / "it"
replace_file(here, b"o" * 40_000)
for size in (40_000, 60_000, 1_000_000):
    try:
        replace_file(here, b"n" * size)
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
    else:
        raise SystemExit("it fitted?")
    assert here.read_bytes() == b"o" * 40_000
    assert os.listdir(here.parent) == ["it"], os.listdir(here.parent)
replace_file(here, b"n" * 10_000)
assert here.read_bytes() == b"n" * 10_000
"""


def test_a_full_disk_costs_the_new_bytes_alone(tmp_path: Path) -> None:
    """A file system of 64 KiB: a write is short, the next one finds no room."""
    script = 'mount -t tmpfs -o size=64k none "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", str(tmp_path), sys.executable, FULL],
        cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


def _killed_at(step: int, path: Path) -> bool:
    """Replace the file in a process that is killed before its line of this number; False: it came to its
    end."""
    child = os.fork()
    if child == 0:
        left = step

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal left
            if frame.f_code.co_filename != files.__file__:
                return None
            if event == "line":
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
            return trace

        try:
            sys.settrace(trace)
            replace_file(path, NEW)
            sys.settrace(None)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_kill_at_any_line_leaves_the_old_or_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "it"
    seen = []
    for step in range(STEPS_MAX):
        path.write_bytes(OLD)
        was_killed = _killed_at(step, path)
        seen.append(path.read_bytes())
        assert seen[-1] in (OLD, NEW), f"killed before line {step}"
        assert {entry.name for entry in tmp_path.iterdir()} <= {"it", "it.new"}
        if not was_killed:
            break
        replace_file(path, b"next")  # what the dead one left is in nobody's way
        assert path.read_bytes() == b"next"
        assert [entry.name for entry in tmp_path.iterdir()] == ["it"]

    assert len(seen) > 15
    assert seen == sorted(seen, key=lambda content: content == NEW), "once it is new it stays new"
    assert seen[-1] == NEW


def test_the_bytes_are_durable_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    sync, rename = os.fsync, os.replace

    def fsync(handle: int) -> None:
        told.append(f"sync {os.readlink(f'/proc/self/fd/{handle}')}")
        sync(handle)

    def replace(source: Path, target: Path) -> None:
        told.append(f"rename to {target}")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    replace_file(tmp_path / "it", NEW)

    assert told == [f"sync {tmp_path}/it.new", f"rename to {tmp_path}/it", f"sync {tmp_path}"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_rights_are_private_or_those_of_the_file(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "it"
    path.write_bytes(OLD)
    path.chmod(mode)

    replace_file(path, NEW, mode=None)
    kept = path.stat().st_mode & 0o777
    replace_file(path, NEW)
    replace_file(tmp_path / "other", NEW, mode=None)

    assert kept == mode
    assert path.stat().st_mode & 0o777 == PRIVATE
    assert (tmp_path / "other").stat().st_mode & 0o777 == PRIVATE


def test_what_lies_beside_gives_its_rights_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "it.new").write_bytes(b"left over, and longer than what comes" * 1_000)
    (tmp_path / "it.new").chmod(0o666)

    replace_file(tmp_path / "it", NEW)

    assert (tmp_path / "it").read_bytes() == NEW
    assert (tmp_path / "it").stat().st_mode & 0o777 == PRIVATE

    (tmp_path / "it.new").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic links"):
        replace_file(tmp_path / "it", OLD)
    assert not (tmp_path / "target").exists()


def test_many_at_once_never_mix_their_bytes(tmp_path: Path) -> None:
    path = tmp_path / "it"
    contents = [bytes([number]) * 100_000 for number in range(8)]
    replace_file(path, contents[0])
    failed: list[BaseException] = []

    def write(content: bytes) -> None:
        try:
            for _ in range(5):
                replace_file(path, content)
                assert path.read_bytes() in contents
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failed
    assert path.read_bytes() in contents
    assert [entry.name for entry in tmp_path.iterdir()] == ["it"]
