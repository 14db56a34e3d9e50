#!/bin/sh
# uvloop 0.23.0: a protocol that calls transport.pause_reading() in connection_made() gets data all the same, since the
# transport begins to read right after that call; asyncio's own transports stay paused. So `loop.start_tls` from a
# task that connection_made() starts loses the client's first bytes, and the handshake times out. uvloop's transports
# are no asyncio.Transport either: isinstance() says False. The way around: accept, then connect_accepted_socket(ssl=…).
# Succeeds while both hold, fails once they have changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "uvloop==0.23.0"
"$folder/venv/bin/python" - <<'PY'
import asyncio

import uvloop


async def story():
    seen = {}

    class Paused(asyncio.Protocol):
        def connection_made(self, transport):
            seen["is a Transport"] = isinstance(transport, asyncio.Transport)
            transport.pause_reading()

        def data_received(self, data):
            seen["was given"] = data

    server = await asyncio.get_running_loop().create_server(Paused, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    writer.write(b"hello")
    await asyncio.sleep(0.5)
    writer.close()
    server.close()
    return seen


def on(factory):
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(story())


plain, fast = on(asyncio.new_event_loop), on(uvloop.new_event_loop)
print("asyncio:", plain)
print("uvloop: ", fast)
assert plain == {"is a Transport": True}
assert fast == {"is a Transport": False, "was given": b"hello"}
PY
