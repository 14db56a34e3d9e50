#!/bin/sh
# uvicorn 0.54.0, with its defaults: X-Forwarded-For is believed of whoever connects from 127.0.0.1, so that the
# application sees an address that the client chose; `proxy_headers=False` shows the connection's own.
# Why it matters: jobs run on the node's own host, and what is counted for each address (wrong tokens, say) is then
# counted for as many as a client likes: api/server.py turns it off.
# Succeeds while both hold, fails once they have changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "uvicorn==0.54.0" "httptools==0.9.0"
"$folder/venv/bin/python" - <<'PY'
import asyncio
import http.client

import uvicorn


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["client"][0].encode()})


def ask(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/", headers={"X-Forwarded-For": "192.0.2.7"})
    return connection.getresponse().read().decode()


async def address(**options):
    config = uvicorn.Config(app, port=0, http="httptools", lifespan="off", log_level="error", **options)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    seen = await asyncio.to_thread(ask, server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    await task
    return seen


usual, off = asyncio.run(address()), asyncio.run(address(proxy_headers=False))
print("usual:", usual, " proxy_headers=False:", off)
assert (usual, off) == ("192.0.2.7", "127.0.0.1")
PY
