"""What agent and spooler keep from their own jobs and from everybody else on the host. Standard library only.

1. Their files are theirs alone, whatever umask the service manager or a shell gave them. Jobs get that umask
   all the same: what a job writes is the job's business.
2. The kernel shows nobody their environment, memory and descriptors (`PR_SET_DUMPABLE`, proc(5)): a token in
   CRONCLAVE_AGENT_TOKEN cannot be read at /proc/PID/environ. A job that runs as their user can still read
   their files; only `run_as` under an agent that is root keeps it from that.
"""

from __future__ import annotations

import ctypes
import os

UMASK = 0o077
_PR_SET_DUMPABLE = 4


def keep_private() -> int:
    """Called first thing in a process; the umask that it was started with, for its jobs."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return os.umask(UMASK)
