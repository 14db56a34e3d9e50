"""A node's processes: how often a core may be followed by another, and what a front's death costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from node.supervisor import ANEW_MAX, ANEW_WITHIN_S, begins_anew
from tests.cluster.members import free_port
from tests.node.test_config import GOOD, write

DEADLINE_S = 60.0


def test_another_core_follows_three_times_within_the_hour_and_no_more() -> None:
    times_s = [100.0 * n for n in range(ANEW_MAX + 1)]

    assert all(begins_anew(times_s[: n + 1]) for n in range(ANEW_MAX))
    assert not begins_anew(times_s)


def test_what_is_an_hour_ago_counts_no_more() -> None:
    assert begins_anew([0.0] * ANEW_MAX + [ANEW_WITHIN_S])


def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def test_a_front_comes_again_where_its_number_cannot_be_written_down(tmp_path: Path) -> None:
    """As on a full disk: the node ended with it, and a majority's disks fill together."""
    text = GOOD.replace("127.0.0.1:8322", f"127.0.0.1:{free_port()}")
    config = write(tmp_path, text.replace("127.0.0.1:8321", f"127.0.0.1:{free_port()}"))
    told = tmp_path / "data" / "processes.json"
    node = subprocess.Popen([sys.executable, "-m", "node", "--config", str(config)])
    try:
        until(lambda: told.exists() and json.loads(told.read_text())["front"] is not None)
        first = json.loads(told.read_text())
        told.with_name(told.name + ".new").mkdir()  # even root cannot write it now
        os.kill(first["front"], signal.SIGKILL)
        until(lambda: len(children(node.pid) - {first["front"]}) == 2)

        assert first["core"] in children(node.pid)
        assert node.poll() is None
    finally:
        node.terminate()
        assert node.wait(DEADLINE_S) == 0
