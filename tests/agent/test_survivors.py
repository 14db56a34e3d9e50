"""What a dead spooler left is found and dead before anybody says that it is gone."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from agent.spool.survivors import _sessions_and_starts, kill_survivors, survivors
from tests.agent.fake_node import DEADLINE_S

#: Its first thread ends, another one goes on writing: /proc calls such a process a zombie.
HEADLESS = """
import ctypes, sys, threading, time

def write():
    while True:
        with open(sys.argv[1], "a") as file:
            file.write("x")
        time.sleep(0.01)

threading.Thread(target=write).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_process_whose_first_thread_ended_lives_as_long_as_any_other(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    evidence.touch()
    work = subprocess.Popen([sys.executable, "-c", HEADLESS, str(evidence)], start_new_session=True)
    try:
        until = time.monotonic() + DEADLINE_S
        while state(work.pid) != "Z" or not evidence.stat().st_size:
            assert time.monotonic() < until
            time.sleep(0.01)
        started = next(at for pid, _, at in _sessions_and_starts() if pid == work.pid)

        assert survivors({work.pid: started}, "of nobody", set()) == [work.pid]
        assert kill_survivors({work.pid: started}, "of nobody", set()) == 1

        written = evidence.stat().st_size
        assert work.wait(DEADLINE_S) == -9
        assert evidence.stat().st_size == written
    finally:
        work.kill()
        work.wait()
