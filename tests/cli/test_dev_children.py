"""Nothing is left: processes that detach twice are found and ended too."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.cli.conftest import DEADLINE_S, PROJECT

DETACHED = """
import os, subprocess, sys, time
from pathlib import Path
from cli.dev.children import Child, become_subreaper, descendants, end_all

become_subreaper()
here = Path(sys.argv[1])
child = Child("node-1", "node", here / "none.toml", here)
# Its child goes into a session of its own and loses its parent: as an agent's spooler does.
script = "setsid sleep 100 & setsid sh -c 'sleep 101 & wait' & exit 0"
child.process = subprocess.Popen(["sh", "-c", script])
child.process.wait()
deadline = time.monotonic() + 30
while len(descendants()) < 3:
    assert time.monotonic() < deadline, descendants()
    time.sleep(0.01)
print(*descendants())
print("left", end_all([child], within_s=1.0))
"""

DIES = """
import os, signal, sys
from pathlib import Path
import cli.dev.children as children

children.module_command = lambda module, *rest: ["sleep", "100"]
child = children.Child("agent-1", "agent", Path("none.toml"), Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids: list[int]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline_s, f"still there: {[pid for pid in pids if alive(pid)]}"
        time.sleep(0.01)


def start(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        capture_output=True, text=True, timeout=DEADLINE_S, check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip


def test_the_end_finds_what_detached(tmp_path: Path) -> None:
    result = start(DETACHED, tmp_path)

    assert result.returncode == 0, result.stderr
    pids, left = result.stdout.splitlines()
    assert left == "left []"
    wait_until_gone([int(pid) for pid in pids.split()])


def test_the_kernel_ends_children_of_a_killed_dev(tmp_path: Path) -> None:
    result = start(DIES, tmp_path)

    assert result.returncode == -9
    wait_until_gone([int(result.stdout)])
