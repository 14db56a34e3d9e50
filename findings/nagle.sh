#!/bin/sh
# asyncio (Python 3.11) switches Nagle's algorithm off only where the socket says that its protocol is TCP. One that
# was made as `socket.socket(AF_INET, SOCK_STREAM)`, as usual, says protocol 0, and so do the connections that it
# accepts: a server on it answers in two writes 40 ms late, since the client's kernel delays its acknowledgement.
# `create_server(host, port)` makes its own sockets with the protocol. uvloop 0.23.0 switches it off for all.
# The way around: socket.socket(family, SOCK_STREAM, IPPROTO_TCP).
# Succeeds while both hold, fails once they have changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "uvloop==0.23.0"
"$folder/venv/bin/python" - <<'PY'
import asyncio
import socket
import sys

import uvloop


async def nodelay(protocol):
    """Whether a connection that was accepted on a socket of this protocol waits for nobody."""
    accepted = asyncio.get_running_loop().create_future()

    class Seen(asyncio.Protocol):
        def connection_made(self, transport):
            found = transport.get_extra_info("socket")
            accepted.set_result(bool(found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
            transport.close()

    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
    listening.bind(("127.0.0.1", 0))
    server = await asyncio.get_running_loop().create_server(Seen, sock=listening)
    with socket.create_connection(listening.getsockname()):
        found = await accepted
    server.close()
    await server.wait_closed()
    return found


def each(new_loop):
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return tuple(runner.run(nodelay(protocol)) for protocol in (0, socket.IPPROTO_TCP))


told = {"asyncio": each(asyncio.SelectorEventLoop), "uvloop": each(uvloop.new_event_loop)}
print("TCP_NODELAY with protocol 0, with TCP:", told, "Python", sys.version.split()[0])
sys.exit(told != {"asyncio": (False, True), "uvloop": (True, True)})
PY
