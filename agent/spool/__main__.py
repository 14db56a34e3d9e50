"""`python -m agent.spool --data DIR …`: the spooler, where there is none yet."""

from __future__ import annotations

import argparse
import fcntl
import os
import socket
import sys
from pathlib import Path

from agent.privacy import keep_private
from agent.spool.server import IDLE_MS, Spooler


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m agent.spool")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--boot-id", required=True)
    parser.add_argument("--installation", required=True)
    parser.add_argument("--parent-pid", type=int, default=0)
    parser.add_argument("--idle-ms", type=float, default=IDLE_MS)
    options = parser.parse_args()
    job_umask = keep_private()
    lock = os.open(options.data / "spooler.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0  # there is one already
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    os.chdir("/")
    path = options.data / "spooler.socket"
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Through /proc/self/fd: a data directory may be longer than the 107 bytes of a socket's address.
    folder = os.open(options.data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    listener.bind(f"/proc/self/fd/{folder}/spooler.socket")
    spooler = Spooler(
        options.data, options.boot_id, options.installation, listener,
        job_umask=job_umask, idle_ms=options.idle_ms,
    )  # fmt: skip
    listener.listen(8)
    listener.setblocking(False)
    if options.parent_pid:
        spooler.watch_parent(options.parent_pid)
    spooler.run()
    path.unlink(missing_ok=True)
    return 0



if __name__ == "__main__":
    sys.exit(main())
