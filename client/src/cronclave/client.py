"""The client that blocks: one loop that performs effects on sockets, and what a program calls.

A client may be used by several threads at a time: each call takes a connection of its own.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Any
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


class Client:
    """Drives one cluster through any of its nodes.

    `urls`: of a node or several, as a list or with commas; without them, and without a
    `context`, what the command `cronclave` would talk to. `ca`: the PEM file of the cluster's authorities.
    `namespace`: of jobs that name none. `within_s`: how long a request goes on while nodes die and leaders
    change. `meet`: look at a node's version first, and learn from it where the others are. Calls raise a
    CronclaveError (cronclave.errors) where the answer is no.
    """

    def __init__(
        self, urls: str | Iterable[str] | None = None, token: str | None = None, *, ca: str | None = None,
        context: str | None = None, namespace: str = "default", within_s: float = PATIENCE_S,
        meet: bool = True,
    ) -> None:  # fmt: skip
        target = find_target(urls, token, ca, context)
        self.namespace = namespace
        self._trust = target.trust() if any(url.startswith("https") for url in target.urls) else None
        self._session = Session(target, time.monotonic, within_s=within_s, agent=USER_AGENT, meet=meet)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are open."""
        self._session.close()

    @property
    def nodes(self) -> tuple[str, ...]:
        """Addresses of nodes that are known: those that were given, and what they told of others."""
        return tuple(self._session.urls)

    # -- jobs -------------------------------------------------------------------------------------------

    def apply(
        self, definitions: Definitions, *, dry_run: bool = False, source: str | None = None,
        prune: bool = False, key: str = "", namespace: str | None = None,
    ) -> Applied:  # fmt: skip
        """Create or change jobs and objects, all or none: those written in Python, or dicts as in YAML. With
        `prune`, what came from the same `source` and is no longer among them is deleted."""
        return self._do(
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

    def job(self, job: Job, *, namespace: str | None = None) -> dict[str, Any]:
        """The job, as the API tells it."""
        return self._do(calls.job(self._session, job, self._in(namespace)))

    def pause(
        self, job: Job, *, reason: str = "", until: str | datetime | None = None, namespace: str | None = None
    ) -> None:
        """Its ticks are skipped until it is resumed, or until then."""
        self._do(
            calls.hand_on_job(
                self._session, job, self._in(namespace), "pause", reason=reason or None, until=until
            )
        )

    def resume(self, job: Job, *, namespace: str | None = None) -> None:
        self._do(calls.hand_on_job(self._session, job, self._in(namespace), "resume"))

    # -- runs -------------------------------------------------------------------------------------------

    def submit(
        self, job: Job, params: Mapping[str, Any] | None = None, *, key: str = "",
        namespace: str | None = None, plan_date: str | date | None = None, held: bool = False,
        reason: str | None = None, ignore_admission: bool = False, closed: bool = False,
    ) -> Run:  # fmt: skip
        """Run a job now. It is made once, however often the request had to be sent. `key`: whoever submits
        with the same key again, within a day, is given the same run, also from another process; with other
        params it is refused. `held`: it waits until it is released. `closed`: also where its plan date is
        closed."""
        return self._do(
            calls.submit(
                self._session, job, self._in(namespace), params, key, plan_date=plan_date, held=held,
                reason=reason, ignore_admission=ignore_admission, closed=closed,
            )
        )  # fmt: skip

    def run(self, run: int | Run) -> Run:
        """The run as it is now."""
        return self._do(calls.run(self._session, calls.number(run)))

    def runs(
        self, *, job: str | None = None, state: str | None = None, namespace: str | None = None,
        most: int | None = None, **query: Any,
    ) -> Iterator[Run]:  # fmt: skip
        """Runs, newest first; `query`: any other filter of GET /v1/runs, such as cause, labels or since_."""
        return self._each(
            calls.runs(self._session, most, {"job": job, "state": state, "namespace": namespace, **query})
        )

    def wait(self, run: int | Run, timeout_s: float | None = None, *, check: bool = True) -> Run:
        """The run, once it has ended. Raises WaitTimeoutError, and unless `check` is false RunFailedError
        where it did not succeed."""
        return self._do(calls.wait(self._session, calls.number(run), timeout_s, check=check))

    def members(self, run: int | Run, task: str, *, state: str | None = None) -> Iterator[Member]:
        """The parts of a task that is divided, in their order."""
        return self._each(calls.members(self._session, calls.number(run), task, state))

    def follow(
        self, run: int | Run, task: str | None = None, *, member: str | None = None
    ) -> Iterator[Output]:
        """What the run's tasks write, as it comes, until it has ended; what was written before comes first.
        Breaks of connections and changes of leaders are not seen. A task that is divided over members is
        passed over, unless it is asked for one of them."""
        return self._each(calls.follow(self._session, calls.number(run), task, member))

    def output(
        self, run: int | Run, task: str | None = None, *, attempt: int | None = None,
        member: str | None = None,
    ) -> bytes:  # fmt: skip
        """What an attempt, by default the latest, has written so far. `task`: where the run has several."""
        return self._do(calls.output(self._session, calls.number(run), task, attempt, member))

    def cancel(self, run: int | Run) -> Run:
        """Drop what waits, stop what runs."""
        return self._do(calls.hand_on_run(self._session, calls.number(run), "cancel"))

    def rerun(
        self, run: int | Run, *, from_failed: bool = False, from_task: str | None = None,
        until_task: str | None = None, params: Mapping[str, Any] | None = None, key: str = "",
        reason: str | None = None, held: bool = False,
    ) -> Run:  # fmt: skip
        """Repeat a run that has ended: a new run. With `from_failed` and `from_task` what ended well is
        taken over."""
        return self._do(
            calls.hand_on_run(
                self._session, calls.number(run), "rerun", key=key, from_failed=from_failed, from_=from_task,
                until=until_task, params=None if params is None else dict(params), reason=reason, held=held,
            )
        )  # fmt: skip

    def suspend(self, run: int | Run, *, reason: str | None = None) -> Run:
        """Nothing more of it starts until it is resumed (`resume_run`)."""
        return self._do(calls.hand_on_run(self._session, calls.number(run), "suspend", reason=reason))

    def resume_run(self, run: int | Run, *, reason: str | None = None) -> Run:
        return self._do(calls.hand_on_run(self._session, calls.number(run), "resume", reason=reason))

    def release(self, run: int | Run, *, reason: str | None = None) -> Run:
        """A held run may start."""
        return self._do(calls.hand_on_run(self._session, calls.number(run), "release", reason=reason))

    # -- what waits for somebody ------------------------------------------------------------------------

    def complete(
        self, run: int | Run, task: str, *, failed: bool = False, message: str | None = None,
        outputs: Mapping[str, Any] | None = None, member: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """End an async task whose process has handed its work on."""
        return self._do(
            calls.hand_on_task(
                self._session, calls.number(run), task, "complete", member,
                outcome="failed" if failed else "succeeded", message=message,
                outputs=None if outputs is None else dict(outputs),
            )
        )  # fmt: skip

    def progress(
        self, run: int | Run, task: str, *, percent: int | None = None, text: str | None = None,
        member: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Tell how far an async task is; at most every five seconds."""
        return self._do(
            calls.hand_on_task(
                self._session, calls.number(run), task, "progress", member, percent=percent, text=text
            )
        )

    def approve(self, run: int | Run, task: str, *, reason: str | None = None) -> dict[str, Any]:
        return self._do(
            calls.hand_on_task(self._session, calls.number(run), task, "approve", None, reason=reason)
        )

    def reject(self, run: int | Run, task: str, *, reason: str | None = None) -> dict[str, Any]:
        return self._do(
            calls.hand_on_task(self._session, calls.number(run), task, "reject", None, reason=reason)
        )

    # -- boards -----------------------------------------------------------------------------------------

    def post_notice(
        self, board: str, notice: str, *, expires: str | timedelta | None = None,
        plan_date: str | date | None = None,
        key: str = "", namespace: str | None = None,
    ) -> Notice:  # fmt: skip
        """Post a notice: what waits for it runs. `notice`: its key; `plan_date` as a key stands for its plan
        date."""
        return self._do(
            calls.post_notice(
                self._session, board, self._in(namespace), notice, key, expires=expires, plan_date=plan_date
            )
        )

    def notices(self, board: str, *, namespace: str | None = None) -> Iterator[Notice]:
        """What stands on a board, the newest first."""
        return self._each(calls.notices(self._session, board, self._in(namespace)))

    def take_down(self, board: str, notice: int | Notice, *, namespace: str | None = None) -> None:
        """Who has not heard of it never does."""
        serial = notice.serial if isinstance(notice, Notice) else notice
        self._do(calls.take_down(self._session, board, self._in(namespace), serial))

    # -- all else ---------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, document: Any = None, *, key: str = "", wait_s: float = 0.0) -> Any:
        """Any route of the API (docs/reference/api.md): `path` with its query, `document` as JSON."""
        body = b"" if document is None else json_body(document)
        return self._do(self._session.json(Request(method, path, body, key, wait_s)))

    def _in(self, namespace: str | None) -> str:
        return self.namespace if namespace is None else namespace

    def _do(self, talk: Talk[Result]) -> Result:
        answer, error = None, None
        try:
            while True:
                effect = talk.send(answer) if error is None else talk.throw(error)
                answer, error = self._performed(effect)
        except StopIteration as end:
            result: Result = end.value
            return result
        finally:
            talk.close()

    def _each(self, talk: Talk[None]) -> Iterator[Any]:
        answer, error = None, None
        try:
            while True:
                effect = talk.send(answer) if error is None else talk.throw(error)
                if isinstance(effect, Give):
                    yield effect.item
                    answer, error = None, None
                else:
                    answer, error = self._performed(effect)
        except StopIteration:
            return
        finally:
            talk.close()

    def _performed(self, effect: Effect) -> tuple[Any, OSError | None]:
        try:
            return self._perform(effect), None
        except OSError as error:
            return None, error

    def _perform(self, effect: Effect) -> Any:
        match effect:
            case Connect(url, within_s):
                return self._connect(url, within_s)
            case Send(socket.socket() as wire, data, within_s):
                wire.settimeout(within_s)
                return wire.sendall(data)
            case Receive(socket.socket() as wire, within_s):
                wire.settimeout(within_s)
                return wire.recv(CHUNK_BYTES)
            case Sleep(seconds):
                return time.sleep(seconds)
        raise TypeError(effect)

    def _connect(self, url: str, within_s: float) -> socket.socket:
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        host, port = parts.hostname or "", parts.port or (443 if is_tls else 80)
        wire = socket.create_connection((host, port), within_s)
        try:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if is_tls and self._trust is not None:
                return self._trust.wrap_socket(wire, server_hostname=host)
        except BaseException:
            wire.close()
            raise
        return wire
