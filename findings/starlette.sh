#!/bin/sh
# starlette 1.10.0: two routes of one path with other methods: what neither takes is answered 405 with an Allow of the
# first route's methods alone, though RFC 9110 (15.5.6) wants all that the resource takes.
# Why it matters: a client that asks what it may do is told half; api/app.py adds the others up.
# Succeeds while it holds, fails once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "starlette==1.10.0"
"$folder/venv/bin/python" - <<'PY'
import asyncio

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def answer(request):
    return PlainTextResponse("yes")


app = Starlette(routes=[Route("/jobs", answer, methods=["PUT"]), Route("/jobs", answer, methods=["DELETE"])])


async def ask(method):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": "/jobs", "headers": [], "query_string": b"", "root_path": ""}
    await app(scope, receive, send)
    headers = {name: value for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers.get(b"allow", b"").decode()


seen = {method: asyncio.run(ask(method)) for method in ("PUT", "DELETE", "PATCH")}
print(seen)
assert seen["PUT"][0] == seen["DELETE"][0] == 200
assert seen["PATCH"] == (405, "PUT")
PY
