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
from api.problems import query_problem
from api.services import Services
from api.streaming import CutError
from scheduler.protocol import TailChunk
from scheduler.store.connection import Store
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import tasks as task_reads
from scheduler.store.reads.attempts import Output
from scheduler.store.tables import reruns
from scheduler.store.tables import runs as run_rows

log = logging.getLogger("cronclave.api")
logging.getLogger("httpx2").setLevel(logging.WARNING)  # else each question to another node is a line

CHUNK_BYTES = 64 << 10  #: what a reader that does not read holds, and one turn of the loop copies
PROXY_CONNECT_S = 2.0
PROXY_READ_S = 20.0
FORWARDED = "x-cronclave-forwarded"
SOURCE = "x-cronclave-log-source"
LIVE_STATES = frozenset({"assigned", "granted", "running", "cancelling"})  #: of attempts that may write more


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose output a reader wants."""

    run: int
    task: str | None
    member: str  #: empty: the whole task
    attempt: int | None  #: its number
    after: int | None  #: the first attempt after this number
    round: int | None = None  #: None: the newest


def find_target(services: Services, asked: Asked) -> Output | None:
    """The attempt; None: there is none. Raises Problem where the question is not clear. In the loop: some
    steps of an index, however many tasks and tries the run has."""
    with services.scheduler.read() as store:
        task = _task_of(store, asked)
        if task is None:
            return None
        taken = reruns.taken(store, task)  # whose end was taken over wrote in the run in which it had it
        written = task if taken is None else taken.origin
        return attempt_reads.output(store, written, number=asked.attempt, after=asked.after)


def may_come(services: Services, asked: Asked) -> bool:
    """Whether there may yet be an attempt where there is none."""
    with services.scheduler.read() as store:
        run, task = run_rows.get(store, asked.run), _task_of(store, asked)
        if run is None or run.finished_ms is not None:
            return False
        return task is None or not task_reads.has_ended(store, task)


def _task_of(store: Store, asked: Asked) -> int | None:
    """None: it is not made yet."""
    name = asked.task
    if name is None:
        names = task_reads.names(store, asked.run, 2)
        if len(names) > 1:
            detail = f"the run has several tasks, name one by ?task=: {_names(store, asked.run)}"
            raise query_problem("task", detail)
        if not names:
            return None
        name = names[0]
    task = task_reads.of_round(store, asked.run, name, asked.member, asked.round)
    if task is None and asked.round is not None:
        raise query_problem("round", f"task {name[:100]!r} of the run has no round {asked.round}")
    if task is None and asked.member:
        raise query_problem("member", f"task {name[:100]!r} has no member {asked.member[:100]!r}")
    if task is None:
        detail = f"the run has no task {name[:100]!r}, it has: {_names(store, asked.run)}"
        raise query_problem("task", detail)
    return task


def _names(store: Store, run: int) -> str:
    return ", ".join(task_reads.names(store, run, 100))[:500]


async def live_chunk(services: Services, target: Output, offset: int) -> TailChunk | None:
    """From the agent, when it hangs on this node and has the output; else None."""
    chunk = await services.gateway.tail(target.id, target.agent, offset, CHUNK_BYTES)
    if chunk is None or chunk.missing or (not chunk.size and target.output_bytes):
        return None
    return chunk


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
            raise CutError from None  # the other node is gone: the reader asks again from its offset
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


async def ask_other_node(
    services: Services, call: Call, target: Output, *, offset: int, follow: bool
) -> Proxied | None:
    """Ask the agent's node for the same; None: it cannot be reached or has not got it, or this request came
    from a node already."""
    node = target.node
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
            PROXY_READ_S, connect=PROXY_CONNECT_S, read=None if follow else PROXY_READ_S
        ),
    )
    headers = {**credentials(call.principal), FORWARDED: "1"}
    # The very attempt that was found here, once that node knows it too.
    query = {
        "attempt": str(target.number), "offset": str(offset), "follow": "true" if follow else "false",
        "min_index": str(services.scheduler.index),
    }  # fmt: skip
    query |= {name: call.query[name] for name in ("task", "member") if name in call.query}
    try:
        request = client.build_request("GET", url + call.path, params=query, headers=headers)
        response = await client.send(request, stream=True)
    except httpx2.HTTPError as error:
        log.warning("node %s does not give output at %s: %r", node, url, error)
        await client.aclose()
        return None
    proxied = Proxied(client, response)
    if response.status_code != 200 or response.headers.get(SOURCE) != "agent":
        await proxied.close()
        return None
    return proxied


def _url(services: Services, node: str) -> str:
    for peer in services.scheduler.status().peers:
        if peer.node == node and peer.url:
            return peer.url.rstrip("/")
    return services.settings.urls.get(node, "").rstrip("/")
