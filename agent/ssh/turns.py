"""Who connects when: at most ten of an agent's user at once to one host.

A server drops connections at random once ten are logging in (OpenSSH: MaxStartups 10:30:100), and a fan-out
begins hundreds in one moment. A place is the name of a socket of Linux's abstract namespace, which goes with
its process: no file is left, and nobody waits for the dead.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_ONCE = 10
WAIT_S = 300.0  #: then it goes all the same: whoever holds the places for ever is no reason never to connect
_LOOK_S = 0.05


@asynccontextmanager
async def turn(host: str, port: int) -> AsyncIterator[None]:
    """While it is connecting."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + WAIT_S
    with socket.socket(socket.AF_UNIX) as place:
        while not _taken(place, host, port) and loop.time() < until_s:
            await asyncio.sleep(_LOOK_S * random.uniform(0.5, 1.5))
        yield


def _taken(place: socket.socket, host: str, port: int) -> bool:
    for number in range(AT_ONCE):
        try:
            place.bind(f"\0cronclave-ssh-{os.geteuid()}-{number}-{port}-{host}"[:107])
        except OSError:
            continue
        return True
    return False
