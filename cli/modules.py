"""Job files that are written in Python: evaluated here, where the command runs, and never by a node.

Rules:

1. The file runs in a process of its own, which ends, with all that it began, when the time is over
   (CRONCLAVE_EVALUATE, 30s by default) or it has said more than a folder of YAML may hold.
2. It is the user's Python that runs it, where the client and what the file imports are installed:
   CRONCLAVE_PYTHON, else that of the environment that is activated, else this one.
3. What comes back are documents as those of a YAML file, with the lines in which they begin: whatever judges
   those judges these. A file that is named is evaluated; one that lies in a folder is not.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cli.exits import TIMED_OUT, USAGE, Failure
from cli.instants import span_s

if TYPE_CHECKING:
    from scheduler.model.documents import Document

SUFFIX = ".py"
WITHIN_S = 30.0
LOOK_S = 0.05
TOLD_BYTES_MAX = 64 << 20
ERRORS_SHOWN = 4_000
PROGRAM = """\
try:
    from cronclave.jobs import evaluate
except ImportError as error:
    if (error.name or "").partition(".")[0] != "cronclave":
        raise
    raise SystemExit(90)
evaluate.main()
"""
NO_CLIENT = 90  #: the client is not installed there


def documents_of(path: str) -> list[Document]:
    """What a file of Python defines. Raises Failure."""
    from scheduler.model.documents import Document

    told = _evaluated(path)
    if "fault" in told:
        fault = told["fault"]
        where = f"{path}:{fault['line']}:1"
        raise Failure("one problem; nothing was sent", details=[f"{where}: {fault['detail']}"])
    return [Document(each["document"], path, {"": (each["line"], 1)}) for each in told["documents"]]


def _evaluated(path: str) -> dict[str, Any]:
    (python, source), within_s = _python(), _within_s()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                [python, "-c", PROGRAM, path], stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Failure(f"{source}={python}: {error.strerror or error}", code=USAGE) from None
        code = _ended(process, path, out, within_s)
        if code == NO_CLIENT:
            raise Failure(
                f"{path} is Python, and cronclave-client is not installed for {python} ({source})",
                hint="pip install cronclave-client there, or name another interpreter: CRONCLAVE_PYTHON.",
            )
        out.seek(0)
        _show(errors)
        try:
            told: dict[str, Any] = json.loads(out.read())
        except ValueError:
            raise Failure(f"{path} ended before it had said what it defines: exit code {code}") from None
        return told


def _ended(process: subprocess.Popen[bytes], path: str, out: IO[bytes], within_s: float) -> int:
    """Its exit code; nothing of it goes on behind that."""
    deadline_s = time.monotonic() + within_s
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(LOOK_S)
            if time.monotonic() > deadline_s:
                raise Failure(
                    f"{path} has not ended within {within_s:g} s, and was stopped",
                    code=TIMED_OUT,
                    hint="It says what jobs are, and does no work. CRONCLAVE_EVALUATE=2m gives it longer.",
                )
            if os.fstat(out.fileno()).st_size > TOLD_BYTES_MAX:
                raise Failure(f"{path} defines more than {TOLD_BYTES_MAX} bytes, and was stopped")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _show(errors: IO[bytes]) -> None:
    """What it printed is for whoever called us: the end of it."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - ERRORS_SHOWN))
    sys.stderr.write(errors.read().decode(errors="replace"))


def _python() -> tuple[str, str]:
    """Which interpreter, and who says so."""
    if named := os.environ.get("CRONCLAVE_PYTHON"):
        return named, "CRONCLAVE_PYTHON"
    active = os.environ.get("VIRTUAL_ENV", "")
    own = Path(active, "bin", "python")
    if active and own.exists():
        return str(own), "VIRTUAL_ENV"
    return sys.executable, "the interpreter of this command"


def _within_s() -> float:
    text = os.environ.get("CRONCLAVE_EVALUATE")
    within_s = span_s(text) if text else WITHIN_S
    if within_s is None:
        raise Failure(f"CRONCLAVE_EVALUATE={text!r} is no duration", code=USAGE, hint="Write it as 30s.")
    return within_s
