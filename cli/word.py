"""A word shown at the Raft address of a node that joins: the cluster looks for it before it admits the name.

For this moment only: the node itself listens there once it is started.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
from collections.abc import Iterator

from cli.exits import CONFLICT, Failure

GREETING = "cronclave-join "
SEND_S = 5.0


@contextlib.contextmanager
def shown_at(address: str) -> Iterator[str]:
    """The word, for as long as it is shown. Raises Failure where nothing can listen at this address."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    word = secrets.token_urlsafe(24)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, int(port)), family=family)
    except OSError as error:
        raise Failure(
            f"nothing can listen at {address}: {error.strerror or error}",
            code=CONFLICT,
            hint="Give --raft an address of this machine that the members reach, with a free port.",
        ) from None
    shows = threading.Thread(target=_show, args=(listener, f"{GREETING}{word}".encode()), daemon=True)
    shows.start()
    try:
        yield word
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # it ends the wait for a caller
        listener.close()
        shows.join(SEND_S)


def _show(listener: socket.socket, words: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            caller, _ = listener.accept()
            with caller, contextlib.suppress(OSError):
                caller.settimeout(SEND_S)
                caller.sendall(words)
