#!/bin/sh
# uvloop 0.23.0: a server takes one connection in each turn of the loop, however many wait in the kernel's queue
# (libuv does); asyncio's own loop takes as many as its backlog in one turn. Where each turn has 10 ms of work, whoever
# comes behind 1,000 others waits for 10 s before it is seen. The way around: accept in a reader of the listening
# socket, then connect_accepted_socket.
# Succeeds while both hold, fails once they have changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "uvloop==0.23.0"
"$folder/venv/bin/python" - <<'PY'
import asyncio
import collections
import socket

import uvloop

CLIENTS = 100


async def story():
    loop = asyncio.get_running_loop()
    turn = 0
    accepted = collections.Counter()
    all_there = asyncio.Event()

    class Counted(asyncio.Protocol):
        def connection_made(self, transport):
            accepted[turn] += 1
            if accepted.total() == CLIENTS:
                all_there.set()

    def next_turn():
        nonlocal turn
        turn += 1
        loop.call_soon(next_turn)

    server = await loop.create_server(Counted, "127.0.0.1", 0, backlog=1_000)
    clients = [socket.create_connection(server.sockets[0].getsockname()) for _ in range(CLIENTS)]
    loop.call_soon(next_turn)
    await asyncio.wait_for(all_there.wait(), 30)
    server.close()
    for client in clients:
        client.close()
    return max(accepted.values())


def on(factory):
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(story())


plain, fast = on(asyncio.new_event_loop), on(uvloop.new_event_loop)
print("asyncio: of 100 that wait,", plain, "in one turn")
print("uvloop: ", "of 100 that wait,", fast, "in one turn")
assert plain == CLIENTS
assert fast == 1
PY
