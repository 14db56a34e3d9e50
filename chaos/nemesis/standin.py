"""A stand-in for toxiproxy-server where that cannot be had: the same HTTP API, asyncio, the standard
library alone.
    python -m chaos.nemesis.standin -host 127.0.0.1 -port 8474 [-seed N]

It passes the suite that the real server passes (tests/chaos/test_conformance.py). It is slower (one core
for everything), and removing a latency toxic from a link whose reader stalls works, which in the real one
does not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from typing import Any
from urllib.parse import unquote

from chaos.nemesis.standin_proxy import Proxy
from chaos.nemesis.standin_toxics import ATTRIBUTES, Toxic

VERSION = "2.12.0-standin"
BODY_BYTES_MAX = 1 << 20
Answer = tuple[int, Any]


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Api:
    """What the HTTP API does, without HTTP."""

    def __init__(self, seed: int | None) -> None:
        self._dice = random.Random(seed)
        self._proxies: dict[str, Proxy] = {}

    async def answer(self, method: str, path: str, body: bytes) -> Answer:
        # The links' own names have a `>` ("node-1>node-2"), which clients write as %3E.
        parts = tuple(unquote(part) for part in path.partition("?")[0].split("/") if part)
        given = _json(body) if method in ("POST", "PATCH") and parts != ("reset",) else {}
        changes = method in ("POST", "PATCH")
        match parts:
            case ("version",) if method == "GET":
                return 200, {"version": VERSION}
            case ("reset",) if method == "POST":
                for proxy in self._proxies.values():
                    await _start(proxy)
                    for toxic in list(proxy.toxics):
                        proxy.remove(toxic)
                return 204, None
            case ("populate",) if method == "POST":
                return 201, {"proxies": await self._populate(given)}
            case ("proxies",) if method == "GET":
                return 200, {name: proxy.json() for name, proxy in self._proxies.items()}
            case ("proxies",) if method == "POST":
                return 201, (await self._create(given)).json()
            case ("proxies", name):
                return await self._one(method, self._proxy(name), given)
            case ("proxies", name, "toxics") if method == "GET":
                return 200, self._proxy(name).json()["toxics"]
            case ("proxies", name, "toxics") if method == "POST":
                return 200, _add(self._proxy(name), given).json()
            case ("proxies", name, "toxics", toxic_name) if changes or method in ("GET", "DELETE"):
                return _one_toxic(method, self._proxy(name), toxic_name, given)
        raise Refused(404, "404 page not found")

    def _proxy(self, name: str) -> Proxy:
        if name not in self._proxies:
            raise Refused(404, "proxy not found")
        return self._proxies[name]

    def _made(self, given: Any, at: str = "") -> Proxy:
        for key in ("name", "upstream"):
            if not isinstance(given, dict) or not given.get(key):
                raise Refused(400, f"missing required field: {key}{at}")
        return Proxy(given["name"], given["upstream"], given.get("listen") or "", self._dice)

    async def _create(self, given: Any) -> Proxy:
        proxy = self._made(given)
        if proxy.name in self._proxies:
            raise Refused(409, "proxy already exists")
        if given.get("enabled", True):
            await _start(proxy)
        self._proxies[proxy.name] = proxy
        return proxy

    async def _populate(self, given: Any) -> list[dict[str, Any]]:
        if not isinstance(given, list):
            raise Refused(400, "bad request body: a list of proxies is expected")
        made = [self._made(one, f" at proxy {i + 1}") for i, one in enumerate(given)]
        for proxy, one in zip(made, given, strict=True):
            old = self._proxies.get(proxy.name)
            if old is not None and (old.listen, old.upstream) == (proxy.listen, proxy.upstream):
                continue
            if old is not None:
                old.stop()
            if one.get("enabled", True):
                await _start(proxy)
            self._proxies[proxy.name] = proxy
        return [self._proxies[proxy.name].json() for proxy in made]

    async def _one(self, method: str, proxy: Proxy, given: Any) -> Answer:
        if method == "DELETE":
            proxy.stop()
            del self._proxies[proxy.name]
            return 204, None
        if method in ("POST", "PATCH"):
            listen, upstream = given.get("listen", proxy.listen), given.get("upstream", proxy.upstream)
            enabled = given.get("enabled", proxy.enabled)
            if (listen, upstream) != (proxy.listen, proxy.upstream):
                proxy.stop()
                proxy.listen, proxy.upstream = listen, upstream
            if enabled:
                await _start(proxy)
            else:
                proxy.stop()
        elif method != "GET":
            raise Refused(405, "method not allowed")
        return 200, proxy.json()


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise Refused(400, f"bad request body: {error if body else 'EOF'}") from None


async def _start(proxy: Proxy) -> None:
    try:
        await proxy.start()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Refused(500, f"listen tcp {proxy.listen}: {why}") from None


def _attributes(kind: str, given: Any) -> dict[str, int]:
    """Those that this kind has; others are ignored, as by the real one."""
    values = given.get("attributes") or {}
    known = {key: value for key, value in values.items() if key in ATTRIBUTES[kind]}
    if any(not isinstance(value, int) for value in known.values()):
        raise Refused(400, "bad request body: attributes must be whole numbers")
    return known


def _add(proxy: Proxy, given: Any) -> Toxic:
    kind, stream = given.get("type") or "", given.get("stream") or "downstream"
    if not isinstance(stream, str) or stream.lower() not in ("upstream", "downstream"):
        raise Refused(400, "stream was invalid, can be either upstream or downstream")
    if kind not in ATTRIBUTES:
        raise Refused(400, "invalid toxic type")
    name = given.get("name") or f"{kind}_{stream}"
    if any(toxic.name == name for toxic in proxy.toxics):
        raise Refused(409, "toxic already exists")
    attributes = {**ATTRIBUTES[kind], **_attributes(kind, given)}
    toxic = Toxic(name, kind, stream, given.get("toxicity", 1.0), attributes)
    proxy.add(toxic)
    return toxic


def _one_toxic(method: str, proxy: Proxy, name: str, given: Any) -> Answer:
    toxic = next((toxic for toxic in proxy.toxics if toxic.name == name), None)
    if toxic is None:
        raise Refused(404, "toxic not found")
    if method == "DELETE":
        proxy.remove(toxic)
        return 204, None
    if method != "GET":
        toxic.attributes.update(_attributes(toxic.kind, given))
        toxic.toxicity = given.get("toxicity", toxic.toxicity)
        proxy.toxics_changed(toxic)
    return 200, toxic.json()


async def _serve(api: Api, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """HTTP/1.1 with keep-alive, as much of it as clients of this API use."""
    try:
        while line := (await reader.readline()).decode("latin-1"):
            method, path, _ = line.split()
            headers: dict[str, str] = {}
            while header := (await reader.readline()).decode("latin-1").strip():
                key, _, value = header.partition(":")
                headers[key.lower()] = value.strip()
            size = int(headers.get("content-length", 0))
            if size > BODY_BYTES_MAX:
                break
            body = await reader.readexactly(size)
            try:
                if headers.get("user-agent", "").startswith("Mozilla/"):
                    raise Refused(403, "User agent not allowed")
                status, answer = await api.answer(method, path, body)
            except Refused as refused:
                status, answer = refused.status, {"error": str(refused), "status": refused.status}
            told = b"" if answer is None else json.dumps(answer).encode() + b"\n"
            length = b"" if status == 204 else b"Content-Length: %d\r\n" % len(told)
            writer.write(
                b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\n%s\r\n%s" % (status, length, told)
            )
            await writer.drain()
    except (OSError, ValueError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def serve(host: str, port: int, seed: int | None) -> None:
    api = Api(seed)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _serve(api, reader, writer)

    server = await asyncio.start_server(talk, host, port)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chaos.nemesis.standin")
    parser.add_argument("-host", default="127.0.0.1")
    parser.add_argument("-port", type=int, default=8474)
    parser.add_argument("-seed", type=int)
    given = parser.parse_args()
    asyncio.run(serve(given.host, given.port, given.seed))


if __name__ == "__main__":
    main()
