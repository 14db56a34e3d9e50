"""Where an attempt's output is: at its agent, live, through the node that the agent hangs on; else the
stored tail.

httpx2 is imported here alone in api/: one node asks another with the caller's own token, once, never in a
chain. The other node is known by the cluster's own authorities or public ones, and the token goes straight to
it: no proxy of the environment is obeyed.
"""

from __future__ import annotations

import functools
import logging
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2

from api.access import credentials
from api.call import Call
from api.services import Services
from scheduler.store import pages
from scheduler.store.connection import Store

log = logging.getLogger("cronclave.api")
logging.getLogger("httpx2").setLevel(logging.WARNING)  # else each question to another node is a line

CHUNK_BYTES = 64 << 10  #: what a reader that does not read holds, and one turn of the loop copies
PROXY_CONNECT_S = 2.0
PROXY_READ_S = 20.0
FORWARDED = "x-cronclave-forwarded"
LIVE_STATES = frozenset({"assigned", "granted", "running", "cancelling"})


@dataclass(frozen=True, slots=True)
class Target:
    """The attempt whose output is asked for."""

    attempt: int
    agent: int
    node: str  #: that the agent hangs on; empty: none
    state: str
    tail: bytes

    @property
    def live(self) -> bool:
        return self.state in LIVE_STATES


def find_target(services: Services, run: int, task: str | None, number: int | None) -> Target | str | None:
    """The attempt; None: nothing has started yet; a text: why the question is not clear. In the loop: some
    steps of an index, however many tasks and tries the run has."""
    with services.scheduler.read() as store:
        tasks = pages.tasks_named(store, run, task, 2)
        if not tasks and task is not None:
            return f"the run has no task {task[:100]!r}, it has: {_names(store, run)}"
        if len(tasks) > 1:
            return f"the run has several tasks, name one by ?task=: {_names(store, run)}"
        last = pages.latest_attempt(store, tasks[0][0], number) if tasks else None
        if last is None:
            return None if number is None else f"there is no attempt {number}"
        attempt, agent_id, state = last
        agent = pages.agent(store, agent_id)
        node = agent.node if agent else ""
        return Target(attempt, agent_id, node, state, pages.stored_tail(store, attempt))


def _names(store: Store, run: int) -> str:
    return ", ".join(name for _, name in pages.tasks_named(store, run, None, 100))[:500]


async def live_chunk(services: Services, target: Target, offset: int) -> tuple[bytes, bool] | None:
    """(data, ended) from the agent, when it hangs on this node and has the output; else None."""
    chunk = await services.gateway.tail(target.attempt, target.agent, offset, CHUNK_BYTES)
    if chunk is None or chunk.missing:
        return None
    return chunk.data, chunk.ended


class Proxied:
    """The reply of the node that holds the agent."""

    def __init__(self, client: httpx2.AsyncClient, response: httpx2.Response) -> None:
        self._client = client
        self._response = response
        self.headers = response.headers

    async def body(self) -> AsyncIterator[bytes]:
        try:
            async for data in self._response.aiter_raw():
                yield data
        except httpx2.HTTPError:
            return  # the other node is gone: the stream ends, the reader asks again from its offset
        finally:
            await self.close()

    async def close(self) -> None:
        await self._response.aclose()
        await self._client.aclose()


@functools.lru_cache(maxsize=2)
def _tls(ca: Path | None, changed_ns: int) -> ssl.SSLContext:
    """Whom this node trusts, with the bundle as it was changed last; kept, since reading all CAs keeps the
    loop for tens of milliseconds."""
    context = ssl.create_default_context()
    if ca is not None:
        context.load_verify_locations(cafile=ca)
    return context


def _trust(services: Services) -> ssl.SSLContext:
    ca = services.settings.ca
    return _tls(ca, ca.stat().st_mtime_ns if ca is not None else 0)


async def ask_other_node(services: Services, call: Call, node: str) -> Proxied | None:
    """Ask `node` the same; None: it cannot be reached, or this request came from a node already."""
    url = _url(services, node)
    if not url or call.headers.get(FORWARDED):
        return None
    try:
        trust = _trust(services)
    except OSError as error:
        log.warning("output at node %s cannot be asked for: %s: %s", node, services.settings.ca, error)
        return None
    client = httpx2.AsyncClient(
        verify=trust,
        trust_env=False,
        timeout=httpx2.Timeout(
            PROXY_READ_S, connect=PROXY_CONNECT_S, read=None if call.flag("follow") else PROXY_READ_S
        ),
    )
    headers = {**credentials(call.principal), FORWARDED: "1"}
    query = {key: value for key, value in call.query.items() if key not in ("index", "min_index", "wait")}
    query["consistency"] = "stale"
    try:
        request = client.build_request("GET", url + call.path, params=query, headers=headers)
        response = await client.send(request, stream=True)
    except httpx2.HTTPError as error:
        log.warning("node %s does not give output at %s: %r", node, url, error)
        await client.aclose()
        return None
    proxied = Proxied(client, response)
    if response.status_code != 200:
        await proxied.close()
        return None
    return proxied


def _url(services: Services, node: str) -> str:
    for peer in services.scheduler.status().peers:
        if peer.node == node and peer.url:
            return peer.url.rstrip("/")
    return services.settings.urls.get(node, "").rstrip("/")
