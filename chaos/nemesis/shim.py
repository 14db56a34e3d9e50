"""The fault shim: a small C library that is loaded into a process before all others, and its control file.

Rules:
1. `build` compiles it with the C compiler that is there, or says why it cannot. Nothing is downloaded.
2. A process is born with the shim (`Control.environment`); what it suffers is switched live by writing the
   control file, which belongs to one process tree alone.
3. `Control.faults` tells how often a fault struck: only then did one.

What it can do is told at the top of shim.c.
"""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
LIBRARY = "shim.so"
CONTROL_BYTES = 4096
_MAGIC, _VERSION = 0x464E5243, 1
_COMPILE_S = 60.0

# Offsets in struct control of shim.c.
_SKEW_NS = 8
_SYNC_ERRNO, _SYNC_DELAY_MS, _WRITE_ERRNO, _SHORT_BYTES, _TEAR, _TEAR_BYTES, _PASS, _TRACE = range(16, 48, 4)
_FAULTS = 48
_PREFIX, _TRACE_PATH = 120, 1144
_PATH_BYTES_MAX = 1023


def build(directory: Path) -> Path | str:
    """The library, compiled into `directory` unless it is there already; else the reason why not."""
    if os.uname().sysname != "Linux":
        return f"the fault shim needs Linux, not {os.uname().sysname}"
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        return "no C compiler (cc, gcc or clang) on the path; on Debian: apt-get install gcc libc6-dev"
    library = directory / LIBRARY
    if library.exists() and library.stat().st_mtime >= SOURCE.stat().st_mtime:
        return library
    directory.mkdir(parents=True, exist_ok=True)
    made = directory / f"{LIBRARY}.{os.getpid()}"
    command = [compiler, "-O2", "-Wall", "-shared", "-fPIC", "-o", str(made), str(SOURCE), "-ldl"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_COMPILE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        return f"{' '.join(command)}: {e}"
    if result.returncode != 0:
        return f"{' '.join(command)}: {result.stderr.strip()}"
    os.replace(made, library)
    return library


class Control:
    """The faults of one process tree. Each method holds from the next call of that process on; only one
    disk fault at a time, as all share the prefix."""

    def __init__(self, path: Path) -> None:
        self.path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            is_new = os.fstat(descriptor).st_size < CONTROL_BYTES
            if is_new:
                os.ftruncate(descriptor, CONTROL_BYTES)
            self._map = mmap.mmap(descriptor, CONTROL_BYTES)
        finally:
            os.close(descriptor)
        if is_new:
            struct.pack_into("<II", self._map, 0, _MAGIC, _VERSION)

    def environment(self, library: Path) -> dict[str, str]:
        """What a process must be started with, beside its own environment."""
        return {"LD_PRELOAD": str(library), "CRONCLAVE_SHIM": str(self.path)}

    # ---- the wall clock

    @property
    def skew_ms(self) -> int:
        found: int = struct.unpack_from("<q", self._map, _SKEW_NS)[0]
        return found // 1_000_000

    def skew(self, ms: int) -> None:
        """The wall clock is off by so much; 0 puts it right."""
        struct.pack_into("<q", self._map, _SKEW_NS, ms * 1_000_000)

    # ---- the disk: files whose absolute path starts with `prefix`, after `let_pass` calls

    def fail_syncs(self, prefix: Path | str, *, error: int = errno.EIO, let_pass: int = 0) -> None:
        self._disk(prefix, let_pass, {_SYNC_ERRNO: error})

    def slow_syncs(self, prefix: Path | str, *, delay_ms: int, let_pass: int = 0) -> None:
        self._disk(prefix, let_pass, {_SYNC_DELAY_MS: delay_ms})

    def fail_writes(self, prefix: Path | str, *, error: int = errno.EIO, let_pass: int = 0) -> None:
        self._disk(prefix, let_pass, {_WRITE_ERRNO: error})

    def shorten_writes(self, prefix: Path | str, *, bytes_max: int, let_pass: int = 0) -> None:
        """The disk takes at most so many bytes at once, and says so."""
        self._disk(prefix, let_pass, {_SHORT_BYTES: bytes_max})

    def tear_write(self, prefix: Path | str, *, after_bytes: int, let_pass: int = 0) -> None:
        """The next write of more bytes leaves these on the disk, and the process dies in it."""
        self._disk(prefix, let_pass, {_TEAR_BYTES: after_bytes, _TEAR: 1})

    def heal_disk(self) -> None:
        for offset in (_TEAR, _SYNC_ERRNO, _SYNC_DELAY_MS, _WRITE_ERRNO, _SHORT_BYTES, _TEAR_BYTES, _PASS):
            self._put(offset, 0)

    def trace(self, prefix: Path | str, to: Path) -> None:
        """Write down from now on what reaches these files: the format is in shim.c."""
        self._put_path(_PREFIX, prefix)
        self._put_path(_TRACE_PATH, to)
        self._put(_TRACE, 1)

    # ---- what struck

    @property
    def faults(self) -> int:
        """How many calls a disk fault struck so far."""
        found: int = struct.unpack_from("<Q", self._map, _FAULTS)[0]
        return found

    def close(self) -> None:
        self._map.close()

    def _disk(self, prefix: Path | str, let_pass: int, fields: dict[int, int]) -> None:
        self.heal_disk()
        self._put_path(_PREFIX, prefix)
        self._put(_PASS, let_pass)
        for offset, value in fields.items():
            self._put(offset, value)

    def _put(self, offset: int, value: int) -> None:
        struct.pack_into("<i", self._map, offset, value)

    def _put_path(self, offset: int, path: Path | str) -> None:
        encoded = os.fsencode(path)
        if not encoded.startswith(b"/") or len(encoded) > _PATH_BYTES_MAX:
            raise ValueError(f"{path}: an absolute path of at most {_PATH_BYTES_MAX} bytes")
        struct.pack_into(f"{_PATH_BYTES_MAX + 1}s", self._map, offset, encoded)


def main(arguments: list[str]) -> int:
    """`build DIR CONTROL…`: prints the library, and no process with such a control file suffers anything;
    `skew CONTROL MS`. For a program that does not import this one."""
    match arguments:
        case ["build", directory, *controls]:
            library = build(Path(directory))
            for path in controls:
                _skew(path, 0)
            print(library, file=sys.stdout if isinstance(library, Path) else sys.stderr)
            return 0 if isinstance(library, Path) else 1
        case ["skew", path, ms]:
            _skew(path, int(ms))
            return 0
        case _:
            print("build DIR CONTROL… | skew CONTROL MS", file=sys.stderr)
            return 2


def _skew(path: str, ms: int) -> None:
    control = Control(Path(path))
    control.skew(ms)
    control.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
