#!/bin/sh
# Linux (prctl(2), PR_SET_PDEATHSIG): "parent" is the thread that started the child. When that thread ends, the child
# gets its signal, though the parent's process lives on.
# Why it matters: programs that are to die with the harness, and are started by a pool's thread, die when the pool
# shrinks: one thread that lives as long as the process starts them all (chaos/programs.py).
# Succeeds while it holds, fails once it has changed. Nothing is installed.
set -eu
uname -sr
python3 - <<'PY'
import signal
import subprocess
import sys
import threading

CHILD = f"""
import ctypes, time
ctypes.CDLL(None).prctl(1, {int(signal.SIGTERM)}, 0, 0, 0)  # PR_SET_PDEATHSIG
print("ready", flush=True)
time.sleep(5)
"""
ready, go_on, children = threading.Event(), threading.Event(), {}


def start(by):
    children[by] = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE)
    children[by].stdout.readline()


def of_a_thread():
    start("a thread")
    ready.set()
    go_on.wait()


thread = threading.Thread(target=of_a_thread)
thread.start()
ready.wait()
start("the main thread")
go_on.set()
thread.join()
ends = {by: child.wait() for by, child in sorted(children.items())}
print("how the child of each ended:", ends)
assert ends == {"a thread": -signal.SIGTERM, "the main thread": 0}
PY
