"""`cronclave job apply FILE.py`: what it says is applied, what is wrong is told, nothing of it goes on."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command

JOB = "from cronclave.jobs import Job\n"
GOOD = """
from cronclave.jobs import Board, Job, cron, job

print("said by the file")
stock = Board("stock", expires="1d")

@job(triggers=[cron("0 2 * * *")])
def nightly(job: Job, region: str = "eu") -> None:
    extract = job.task("extract", run="./extract.sh")
    job.task("load", run="./load.sh", needs=[extract], when=region == "eu")

@nightly.function(needs=["load"])
def transform():
    return {}

_hidden = Job("hidden", noop=True)
several = [Job(f"part-{n}", noop=True) for n in range(2)]
"""


async def test_what_a_file_defines_is_applied(cronclave: Command) -> None:
    (cronclave.folder / "pipeline.py").write_text(GOOD)

    dry = await cronclave("job", "apply", "pipeline.py", "--dry-run")
    assert "4 would be created" in dry.out
    assert "said by the file" in dry.err
    assert "said by" not in dry.out
    result = await cronclave("job", "apply", "pipeline.py", "-o", "json")
    assert (result.code, result.out.count('"revision"')) == (0, 4)
    again = await cronclave("apply", "pipeline.py")
    assert "4 unchanged" in again.out

    told = (await cronclave("job", "get", "nightly", "--definition")).out
    assert "python: pipeline:transform" in told
    assert "when: params.region == 'eu'" in told
    assert not list(cronclave.folder.glob("*.pyc"))


async def test_a_file_of_python_in_a_folder_is_not_evaluated(cronclave: Command) -> None:
    folder = cronclave.folder / "jobs"
    folder.mkdir()
    (folder / "evil.py").write_text("raise SystemExit('evaluated')")
    (folder / "a.yaml").write_text("{job: a, noop: true}")
    result = await cronclave("job", "apply", "jobs")
    assert (result.code, "1 created" in result.out) == (0, True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = (\n\n", "bad.py:1:1: SyntaxError"),
        ("\n\n1 / 0\n", "bad.py:3:1: ZeroDivisionError: division by zero"),
        ("import nowhere\n", "bad.py:1:1: ModuleNotFoundError: No module named 'nowhere'"),
        ("import sys\nsys.exit(3)\n", "bad.py:2:1: SystemExit: 3"),
        (f"{JOB}\na = Job('a', runn='x')\n", "bad.py:3:1: a job has no field 'runn' (Did you"),
        ("from cronclave.jobs import Retry\nRetry(mx=3)\n", "bad.py:2:1: TypeError"),
        (f"{JOB}\na = Job('a', run='x', timeout='soon')\n", "bad.py:3:1"),
        (f"{JOB}a = Job('a', noop=True)\nb = Job('a', noop=True)\n", "a is defined already at bad.py:2:1"),
        (f"{JOB}a = Job('a', run='x', triggers=[{{'cron': '99 * * * *'}}])\n", "/triggers/0"),
        ("x = 3\n", "no jobs in bad.py"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_with_its_line(cronclave: Command, text: str, told: str) -> None:
    (cronclave.folder / "bad.py").write_text(text)
    result = await cronclave("job", "apply", "bad.py")
    assert result.code == 1
    assert told in result.err
    assert "[]" in (await cronclave("job", "list", "-o", "json")).out, "nothing was applied"


async def test_a_file_that_does_not_end_is_stopped_with_all_that_it_began(cronclave: Command) -> None:
    pid = cronclave.folder / "pid"
    text = (
        "import os, subprocess\n"
        f"child = subprocess.Popen(['sleep', '1000'])\nopen({str(pid)!r}, 'w').write(str(child.pid))\n"
        "while True: pass\n"
    )
    (cronclave.folder / "endless.py").write_text(text)
    result = await cronclave("job", "apply", "endless.py", CRONCLAVE_EVALUATE="2s")
    assert result.code == 7
    assert "not ended within 2 s" in result.err
    assert not _goes_on(int(pid.read_text()))
    wrong = await cronclave("job", "apply", "endless.py", CRONCLAVE_EVALUATE="soon")
    assert (wrong.code, "is no duration" in wrong.err) == (2, True)
    assert not _processes_in(cronclave.folder)


def _processes_in(folder: Path) -> list[int]:
    """Whose working directory it is, but for this one."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended, or is another user's
            if int(each.name) != os.getpid() and (each / "cwd").readlink() == folder.resolve():
                found.append(int(each.name))
    return found


def _goes_on(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_thread_of_the_file_keeps_nothing(cronclave: Command) -> None:
    (cronclave.folder / "threads.py").write_text(
        "import threading, time\nfrom cronclave.jobs import Job\n"
        "threading.Thread(target=time.sleep, args=(1000,)).start()\na = Job('a', noop=True)\n"
    )
    result = await cronclave("job", "apply", "threads.py")
    assert (result.code, "1 created" in result.out) == (0, True)


async def test_the_python_that_is_meant_is_told_where_it_lacks_the_client(cronclave: Command) -> None:
    (cronclave.folder / "a.py").write_text("from cronclave.jobs import Job\na = Job('a', noop=True)\n")
    bare = cronclave.folder / "bare"
    bare.write_text(f"#!/bin/sh\nexec {sys.executable} -I -S \"$@\"\n")
    bare.chmod(0o755)
    result = await cronclave("job", "apply", "a.py", CRONCLAVE_PYTHON=str(bare))
    assert result.code == 1
    assert "cronclave-client is not installed" in result.err
    missing = await cronclave("job", "apply", "a.py", CRONCLAVE_PYTHON="/nowhere/python")
    assert (missing.code, "CRONCLAVE_PYTHON=/nowhere/python" in missing.err) == (2, True)


async def test_a_file_with_the_name_of_a_module_is_refused(cronclave: Command) -> None:
    for name in ("json.py", "two words.py", "cronclave.py"):
        (cronclave.folder / name).write_text("x = 1\n")
        result = await cronclave("job", "apply", name)
        assert result.code == 1
        assert name in result.err
