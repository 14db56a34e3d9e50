"""Ports of loopback for one run, which other runs on the same machine keep out of.

A port counts as taken while somebody listens on it, and while the process that took it lives: the port of a
node that is dead for the moment looks free to everybody. The claim is a lock on a file in the folder for
temporary files; it ends with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path

LOOPBACK = "127.0.0.1"

_claimed: dict[int, int] = {}
"""Port to the descriptor of its lock."""


def claim(port: int) -> bool:
    """Take it for as long as this process lives. False: another process has it."""
    if port not in _claimed:
        file = os.open(Path(tempfile.gettempdir()) / f"cronclave-port-{port}.lock", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        _claimed[port] = file
    return True


def is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


class Ports:
    """Those in [low, high), each given once."""

    def __init__(self, low: int, high: int) -> None:
        self._range = f"{low}-{high}"
        self._left = iter(range(low, high))

    def take(self) -> int:
        for port in self._left:
            if claim(port) and is_free(port):
                return port
        raise RuntimeError(f"no free port is left in {self._range}; give another range")
