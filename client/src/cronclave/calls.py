"""What a program asks of a cluster, each once, for both clients: talks that give records.

An argument of None is left to the cluster. A job is named by its name, by `namespace/name`, or is an object
with both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from cronclave.conversation import Request, Session, json_body, path_of
from cronclave.effects import Give, Sleep, Talk
from cronclave.errors import RunFailedError, WaitTimeoutError
from cronclave.records import Member, Notice, Output, Run

WAIT_S = 25.0  #: of one request; longer waits ask again
FIRST_WAIT_S = 1.0
AGAIN_S = 0.2
PAGE = 500


@runtime_checkable
class Named(Protocol):
    """A job that was written in Python."""

    @property
    def name(self) -> str: ...

    @property
    def namespace(self) -> str: ...


Job = str | Named


def where(job: Job, namespace: str) -> tuple[str, str]:
    """Namespace and name."""
    if not isinstance(job, str):
        return job.namespace, job.name
    of, slash, name = job.partition("/")
    return (of, name) if slash else (namespace, job)


def number(run: int | Run) -> int:
    return run.id if isinstance(run, Run) else run


def _given(**fields: Any) -> dict[str, Any]:
    return {
        name.rstrip("_"): value for name, value in fields.items() if value is not None and value is not False
    }


# -- jobs -----------------------------------------------------------------------------------------------


def job(session: Session, name: Job, namespace: str) -> Talk[dict[str, Any]]:
    of, name = where(name, namespace)
    found: dict[str, Any] = yield from session.json(Request("GET", path_of("jobs", name, namespace=of)))
    return found


def hand_on_job(
    session: Session, name: Job, namespace: str, what: str, **fields: Any
) -> Talk[dict[str, Any]]:
    of, name = where(name, namespace)
    path = path_of("jobs", name, what, namespace=of)
    found: dict[str, Any] = yield from session.json(Request("POST", path, json_body(_given(**fields))))
    return found


# -- runs -----------------------------------------------------------------------------------------------


def submit(
    session: Session, name: Job, namespace: str, params: Mapping[str, Any] | None, key: str, **fields: Any
) -> Talk[Run]:
    of, name = where(name, namespace)
    body = json_body(_given(params=None if params is None else dict(params), **fields))
    path = path_of("jobs", name, "runs", namespace=of)
    return Run.of((yield from session.json(Request("POST", path, body, key))))


def run(session: Session, run_id: int) -> Talk[Run]:
    return Run.of((yield from session.json(Request("GET", path_of("runs", run_id)))))


def runs(session: Session, most: int | None, query: Mapping[str, Any]) -> Talk[None]:
    yield from _pages(session, "runs", Run.of, most, query)


def wait(session: Session, run_id: int, timeout_s: float | None, *, check: bool) -> Talk[Run]:
    """The run once it has ended. Raises WaitTimeoutError, and with `check` RunFailedError."""
    deadline_s = None if timeout_s is None else session.now() + timeout_s
    while True:
        left_s = WAIT_S if deadline_s is None else min(WAIT_S, deadline_s - session.now())
        wait_s = max(0.001, left_s)
        path = path_of("runs", run_id, wait=f"{int(wait_s * 1000) or 1}ms")
        found = Run.of((yield from session.json(Request("GET", path, wait_s=wait_s))))
        if found.ended:
            if check and not found.succeeded:
                raise RunFailedError(found)
            return found
        if deadline_s is not None and session.now() >= deadline_s:
            raise WaitTimeoutError(found)


def hand_on_run(session: Session, run_id: int, what: str, *, key: str = "", **fields: Any) -> Talk[Run]:
    """Cancel, rerun, suspend, resume, release, override."""
    path = path_of("runs", run_id, what)
    return Run.of((yield from session.json(Request("POST", path, json_body(_given(**fields)), key))))


def hand_on_task(
    session: Session, run_id: int, task: str, what: str, member: str | None, **fields: Any
) -> Talk[dict[str, Any]]:
    """Complete, progress, approve, reject."""
    path = path_of("runs", run_id, "tasks", task, what, member=member)
    found: dict[str, Any] = yield from session.json(Request("POST", path, json_body(_given(**fields))))
    return found


# -- boards ---------------------------------------------------------------------------------------------


def post_notice(
    session: Session, board: str, namespace: str, notice: str, key: str, **fields: Any
) -> Talk[Notice]:
    path = path_of("boards", board, "notices", namespace=namespace)
    body = json_body(_given(key=notice, **fields))
    return Notice.of((yield from session.json(Request("POST", path, body, key))))


def notices(session: Session, board: str, namespace: str) -> Talk[None]:
    yield from _pages(session, f"boards/{board}/notices", Notice.of, None, {"namespace": namespace})


def take_down(session: Session, board: str, namespace: str, serial: int) -> Talk[None]:
    path = path_of("boards", board, "notices", serial, namespace=namespace)
    yield from session.json(Request("DELETE", path))


def _pages(session: Session, what: str, made: Any, most: int | None, query: Mapping[str, Any]) -> Talk[None]:
    """Give each item of a list over as many pages as there are, or as are asked for."""
    cursor: str | None = None
    given = 0
    while most is None or given < most:
        limit = PAGE if most is None else min(PAGE, most - given)
        path = path_of(*what.split("/"), limit=limit, cursor=cursor, **query)
        page = yield from session.json(Request("GET", path))
        for item in page["items"]:
            given += 1
            yield Give(made(item))
        cursor = page["next_cursor"]
        if cursor is None:
            return


# -- output ---------------------------------------------------------------------------------------------


def output(
    session: Session, run_id: int, task: str | None, attempt: int | None, member: str | None
) -> Talk[bytes]:
    """What one attempt, by default the latest, has written so far, as far as it is kept."""
    path = path_of("runs", run_id, "logs", task=task, attempt=attempt, member=member)
    _, _, data = yield from session.whole(Request("GET", path))
    return data


def members(session: Session, run_id: int, task: str, state: str | None) -> Talk[None]:
    yield from _pages(session, f"runs/{run_id}/tasks/{task}/members", Member.of, None, {"state": state})


def follow(session: Session, run_id: int, task: str | None, member: str | None) -> Talk[None]:
    """Give the output of a task (of one of its members) through all of its attempts; without `task` of all of
    them, in the order in which they begin, until the run has ended. What is divided is passed over there."""
    if task is not None:
        yield from _follow_task(session, run_id, task, None, member)
        return
    done: set[tuple[str, int]] = set()
    pause_s = AGAIN_S
    while True:
        found = yield from run(session, run_id)
        begun = [
            (attempt.id, name, attempt.round)
            for name, each in found.tasks.items()
            for attempt in each.attempts
            if attempt.member is None and (name, attempt.round) not in done
        ]
        if begun:
            _, name, round = min(begun)
            yield from _follow_task(session, run_id, name, round, None)
            done.add((name, round))
            pause_s = AGAIN_S
        elif found.ended:
            return
        else:
            yield Sleep(pause_s)
            pause_s = min(2.0, 1.5 * pause_s)


def _follow_task(
    session: Session, run_id: int, task: str, round: int | None, member: str | None
) -> Talk[None]:
    """A place belongs to one attempt: what broke off is asked for again from there, a newer attempt is read
    from its own beginning, and what ended in good order is whole."""
    attempt, offset, is_over, wait_s = 0, 0, True, FIRST_WAIT_S
    while True:
        path = path_of(
            "runs", run_id, "logs", task=task, round=round, member=member,
            attempt=None if is_over else attempt, after_attempt=attempt if is_over else None,
            offset=None if is_over else offset, follow=True,
            wait=f"{int(wait_s * 1000)}ms",
        )  # fmt: skip
        reply = yield from session.open(Request("GET", path, wait_s=wait_s))
        told = reply.headers.get("x-cronclave-attempt")
        if told is None:
            yield from reply.whole()
            if (yield from _is_over(session, run_id, task, round, member)):
                return
            wait_s = WAIT_S
            continue
        if int(told) != attempt:
            attempt, offset = int(told), 0
        is_over = False
        offset = int(reply.headers.get("x-cronclave-log-offset", offset))
        try:
            while data := (yield from reply.read()):
                yield Give(Output(task, round or 0, attempt, offset, data, member))
                offset += len(data)
        except OSError:
            yield Sleep(AGAIN_S)
            continue
        finally:
            reply.close()
        if offset < int(reply.headers.get("x-cronclave-log-bytes", 0)):
            continue
        # `0-`: there may be more at an agent that is away.
        if reply.headers.get("x-cronclave-log-missing", "").endswith("-"):
            tried = yield from _tried(session, run_id, task, member)
            if any(each["number"] == attempt and each["finished"] is None for each in tried):
                continue
        is_over = True


def _is_over(
    session: Session, run_id: int, task: str, round: int | None, member: str | None
) -> Talk[bool]:
    """There is no further attempt yet: whether there will be none."""
    found = yield from run(session, run_id)
    of = found.tasks.get(task)
    if found.ended or of is None:
        return found.ended
    if member is not None:
        told = yield from _member(session, run_id, task, member)
        return told is not None and told["finished"] is not None
    return of.finished is not None or (round is not None and round < (of.raw.get("round") or 0))


def _tried(session: Session, run_id: int, task: str, member: str | None) -> Talk[list[dict[str, Any]]]:
    if member is None:
        found = yield from run(session, run_id)
        return [dict(each.raw) for each in found.tasks[task].attempts]
    told = yield from _member(session, run_id, task, member)
    return [told["attempt"]] if told is not None and told["attempt"] else []


def _member(session: Session, run_id: int, task: str, member: str) -> Talk[dict[str, Any] | None]:
    path = path_of("runs", run_id, "tasks", task, "members", member=member)
    page = yield from session.json(Request("GET", path))
    return next(iter(page["items"]), None)
