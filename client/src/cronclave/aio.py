"""The client for asyncio: the same calls as `client.Client`, to be awaited; lists and output by `async for`.

Whoever is cancelled leaves its connection, and nothing else: what it had asked for may be done all the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cronclave import applying, calls
from cronclave.applying import Definitions
from cronclave.calls import Job
from cronclave.conversation import PATIENCE_S, Request, Session, json_body
from cronclave.effects import Connect, Effect, Give, Receive, Result, Send, Sleep, Talk
from cronclave.records import Applied, Member, Notice, Output, Run
from cronclave.target import find_target
from cronclave.version import USER_AGENT

CHUNK_BYTES = 65_536
Value = TypeVar("Value")


class _Stream:
    """A connection of asyncio."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def close(self) -> None:
        # What is not sent will never be: a close that waits for it would leave it open.
        self.writer.transport.abort()


class AsyncClient:
    """Drives one cluster from asyncio. Arguments as of `cronclave.Client`."""

    def __init__(
        self, urls: str | Iterable[str] | None = None, token: str | None = None, *, ca: str | None = None,
        context: str | None = None, namespace: str = "default", within_s: float = PATIENCE_S,
        meet: bool = True,
    ) -> None:  # fmt: skip
        target = find_target(urls, token, ca, context)
        self.namespace = namespace
        self._trust = target.trust() if any(url.startswith("https") for url in target.urls) else None
        self._session = Session(target, time.monotonic, within_s=within_s, agent=USER_AGENT, meet=meet)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections that are open."""
        self._session.close()

    @property
    def nodes(self) -> tuple[str, ...]:
        """Addresses of nodes that are known: those that were given, and what they told of others."""
        return tuple(self._session.urls)

    # -- jobs -------------------------------------------------------------------------------------------

    async def apply(
        self, definitions: Definitions, *, dry_run: bool = False, source: str | None = None,
        prune: bool = False, key: str = "", namespace: str | None = None,
    ) -> Applied:  # fmt: skip
        """Create or change jobs and objects, all or none: those written in Python, or dicts as in YAML. With
        `prune`, what came from the same `source` and is no longer among them is deleted."""
        return await self._do(
            applying.apply(
                self._session,
                definitions,
                self._in(namespace),
                dry_run=dry_run,
                source=source,
                prune=prune,
                key=key,
            )
        )

    async def job(self, job: Job, *, namespace: str | None = None) -> dict[str, Any]:
        """The job, as the API tells it."""
        return await self._do(calls.job(self._session, job, self._in(namespace)))

    async def pause(
        self, job: Job, *, reason: str = "", until: str | datetime | None = None, namespace: str | None = None
    ) -> None:
        """Its ticks are skipped until it is resumed, or until then."""
        await self._do(
            calls.hand_on_job(
                self._session, job, self._in(namespace), "pause", reason=reason or None, until=until
            )
        )

    async def resume(self, job: Job, *, namespace: str | None = None) -> None:
        await self._do(calls.hand_on_job(self._session, job, self._in(namespace), "resume"))

    # -- runs -------------------------------------------------------------------------------------------

    async def submit(
        self, job: Job, params: Mapping[str, Any] | None = None, *, key: str = "",
        namespace: str | None = None, plan_date: str | date | None = None, held: bool = False,
        reason: str | None = None, ignore_admission: bool = False, closed: bool = False,
    ) -> Run:  # fmt: skip
        """Run a job now. It is made once, however often the request had to be sent. `key`: whoever submits
        with the same key again, within a day, is given the same run, also from another process; with other
        params it is refused. `held`: it waits until it is released. `closed`: also where its plan date is
        closed."""
        return await self._do(
            calls.submit(
                self._session, job, self._in(namespace), params, key, plan_date=plan_date, held=held,
                reason=reason, ignore_admission=ignore_admission, closed=closed,
            )
        )  # fmt: skip

    async def run(self, run: int | Run) -> Run:
        """The run as it is now."""
        return await self._do(calls.run(self._session, calls.number(run)))

    def runs(
        self, *, job: str | None = None, state: str | None = None, namespace: str | None = None,
        most: int | None = None, **query: Any,
    ) -> AsyncIterator[Run]:  # fmt: skip
        """Runs, newest first; `query`: any other filter of GET /v1/runs, such as cause, labels or since_."""
        return self._each(
            calls.runs(self._session, most, {"job": job, "state": state, "namespace": namespace, **query})
        )

    async def wait(self, run: int | Run, timeout_s: float | None = None, *, check: bool = True) -> Run:
        """The run, once it has ended. Raises WaitTimeoutError, and unless `check` is false RunFailedError
        where it did not succeed."""
        return await self._do(calls.wait(self._session, calls.number(run), timeout_s, check=check))

    def members(self, run: int | Run, task: str, *, state: str | None = None) -> AsyncIterator[Member]:
        """The parts of a task that is divided, in their order."""
        return self._each(calls.members(self._session, calls.number(run), task, state))

    def follow(
        self, run: int | Run, task: str | None = None, *, member: str | None = None
    ) -> AsyncIterator[Output]:
        """What the run's tasks write, as it comes, until it has ended; what was written before comes first.
        Breaks of connections and changes of leaders are not seen. A task that is divided over members is
        passed over, unless it is asked for one of them."""
        return self._each(calls.follow(self._session, calls.number(run), task, member))

    async def output(
        self, run: int | Run, task: str | None = None, *, attempt: int | None = None,
        member: str | None = None,
    ) -> bytes:  # fmt: skip
        """What an attempt, by default the latest, has written so far. `task`: where the run has several."""
        return await self._do(calls.output(self._session, calls.number(run), task, attempt, member))

    async def cancel(self, run: int | Run) -> Run:
        """Drop what waits, stop what runs."""
        return await self._do(calls.hand_on_run(self._session, calls.number(run), "cancel"))

    async def rerun(
        self, run: int | Run, *, from_failed: bool = False, from_task: str | None = None,
        until_task: str | None = None, params: Mapping[str, Any] | None = None, key: str = "",
        reason: str | None = None, held: bool = False,
    ) -> Run:  # fmt: skip
        """Repeat a run that has ended: a new run. With `from_failed` and `from_task` what ended well is
        taken over."""
        return await self._do(
            calls.hand_on_run(
                self._session, calls.number(run), "rerun", key=key, from_failed=from_failed, from_=from_task,
                until=until_task, params=None if params is None else dict(params), reason=reason, held=held,
            )
        )  # fmt: skip

    async def suspend(self, run: int | Run, *, reason: str | None = None) -> Run:
        """Nothing more of it starts until it is resumed (`resume_run`)."""
        return await self._do(calls.hand_on_run(self._session, calls.number(run), "suspend", reason=reason))

    async def resume_run(self, run: int | Run, *, reason: str | None = None) -> Run:
        return await self._do(calls.hand_on_run(self._session, calls.number(run), "resume", reason=reason))

    async def release(self, run: int | Run, *, reason: str | None = None) -> Run:
        """A held run may start."""
        return await self._do(calls.hand_on_run(self._session, calls.number(run), "release", reason=reason))

    # -- what waits for somebody ------------------------------------------------------------------------

    async def complete(
        self, run: int | Run, task: str, *, failed: bool = False, message: str | None = None,
        outputs: Mapping[str, Any] | None = None, member: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """End an async task whose process has handed its work on."""
        return await self._do(
            calls.hand_on_task(
                self._session, calls.number(run), task, "complete", member,
                outcome="failed" if failed else "succeeded", message=message,
                outputs=None if outputs is None else dict(outputs),
            )
        )  # fmt: skip

    async def progress(
        self, run: int | Run, task: str, *, percent: int | None = None, text: str | None = None,
        member: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Tell how far an async task is; at most every five seconds."""
        return await self._do(
            calls.hand_on_task(
                self._session, calls.number(run), task, "progress", member, percent=percent, text=text
            )
        )

    async def approve(self, run: int | Run, task: str, *, reason: str | None = None) -> dict[str, Any]:
        return await self._do(
            calls.hand_on_task(self._session, calls.number(run), task, "approve", None, reason=reason)
        )

    async def reject(self, run: int | Run, task: str, *, reason: str | None = None) -> dict[str, Any]:
        return await self._do(
            calls.hand_on_task(self._session, calls.number(run), task, "reject", None, reason=reason)
        )

    # -- boards -----------------------------------------------------------------------------------------

    async def post_notice(
        self, board: str, notice: str, *, expires: str | timedelta | None = None,
        plan_date: str | date | None = None,
        key: str = "", namespace: str | None = None,
    ) -> Notice:  # fmt: skip
        """Post a notice: what waits for it runs. `notice`: its key; `plan_date` as a key stands for its plan
        date."""
        return await self._do(
            calls.post_notice(
                self._session, board, self._in(namespace), notice, key, expires=expires, plan_date=plan_date
            )
        )

    def notices(self, board: str, *, namespace: str | None = None) -> AsyncIterator[Notice]:
        """What stands on a board, the newest first."""
        return self._each(calls.notices(self._session, board, self._in(namespace)))

    async def take_down(self, board: str, notice: int | Notice, *, namespace: str | None = None) -> None:
        """Who has not heard of it never does."""
        serial = notice.serial if isinstance(notice, Notice) else notice
        await self._do(calls.take_down(self._session, board, self._in(namespace), serial))

    # -- all else ---------------------------------------------------------------------------------------

    async def ask(
        self, method: str, path: str, document: Any = None, *, key: str = "", wait_s: float = 0.0
    ) -> Any:
        """Any route of the API (docs/reference/api.md): `path` with its query, `document` as JSON."""
        body = b"" if document is None else json_body(document)
        return await self._do(self._session.json(Request(method, path, body, key, wait_s)))

    def _in(self, namespace: str | None) -> str:
        return self.namespace if namespace is None else namespace

    async def _do(self, talk: Talk[Result]) -> Result:
        answer, error = None, None
        try:
            while True:
                effect = talk.send(answer) if error is None else talk.throw(error)
                answer, error = await self._performed(effect)
        except StopIteration as end:
            result: Result = end.value
            return result
        finally:
            talk.close()

    async def _each(self, talk: Talk[None]) -> AsyncIterator[Any]:
        answer, error = None, None
        try:
            while True:
                effect = talk.send(answer) if error is None else talk.throw(error)
                if isinstance(effect, Give):
                    yield effect.item
                    answer, error = None, None
                else:
                    answer, error = await self._performed(effect)
        except StopIteration:
            return
        finally:
            talk.close()

    async def _performed(self, effect: Effect) -> tuple[Any, OSError | None]:
        try:
            return await self._perform(effect), None
        except asyncio.TimeoutError:  # another class before 3.11
            return None, TimeoutError("it did not answer in time")
        except OSError as error:
            return None, error

    async def _perform(self, effect: Effect) -> Any:
        match effect:
            case Connect(url, within_s):
                return await _within(self._connect(url), within_s)
            case Send(_Stream() as wire, data, within_s):
                wire.writer.write(data)
                return await _within(wire.writer.drain(), within_s)
            case Receive(_Stream() as wire, within_s):
                return await _within(wire.reader.read(CHUNK_BYTES), within_s)
            case Sleep(seconds):
                return await asyncio.sleep(seconds)
        raise TypeError(effect)

    async def _connect(self, url: str) -> _Stream:
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if is_tls else 80)
        return _Stream(*await asyncio.open_connection(host, port, ssl=self._trust if is_tls else None))


async def _within(what: Coroutine[Any, Any, Value], seconds: float) -> Value:
    """Its value, or TimeoutError. `asyncio.timeout` came with 3.11, and `wait_for` loses cancellations
    there."""
    task = asyncio.ensure_future(what)
    try:
        await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.done():
        return task.result()
    task.cancel()
    raise TimeoutError("it did not answer in time")
