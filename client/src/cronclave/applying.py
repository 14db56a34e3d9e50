"""Definitions on their way to a cluster: in one request where they fit, else laid down in slices that are
judged together and go live as one act. All or none, either way."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from cronclave.conversation import Request, Session, json_body, path_of
from cronclave.effects import Sleep, Talk
from cronclave.errors import ConflictError, CronclaveError
from cronclave.records import Applied

OBJECTS_A_REQUEST = 1_000  #: the server's own limit
OBJECTS_A_SLICE = 250  #: each slice is an entry of the log, and ticks wait behind it
BYTES_A_REQUEST = 900_000  #: below its limit of 1 MiB
LOOK_S = 0.5


@runtime_checkable
class Documented(Protocol):
    """What can be applied: a job or an object written in Python."""

    def to_dict(self) -> dict[str, Any]: ...


Definitions = Mapping[str, Any] | Documented | Iterable[Mapping[str, Any] | Documented]


def apply(
    session: Session, definitions: Definitions, namespace: str, *, dry_run: bool, source: str | None,
    prune: bool, key: str,
) -> Talk[Applied]:  # fmt: skip
    """Raises CronclaveError; then nothing was applied."""
    documents = _documents(definitions)
    query: dict[str, Any] = {"namespace": namespace, "source": source}
    (first, *more) = _slices(documents, OBJECTS_A_REQUEST)
    if not more:
        path = path_of("apply", **query, dry_run=dry_run, prune=prune)
        return Applied.of((yield from session.json(Request("POST", path, first, key))))
    stage = f"client-{key or uuid.uuid4().hex}"
    try:
        parts = []
        for number, body in enumerate(_slices(documents, OBJECTS_A_SLICE)):
            path = path_of("apply", **query, stage=stage, slice=number)
            laid = yield from session.json(Request("POST", path, body))
            parts.append(laid["diff"])
        told = yield from _commit(session, stage, len(parts), dry_run=dry_run, prune=prune)
    except CronclaveError:
        yield from _drop(session, stage)
        raise
    sorts = ("created", "changed", "unchanged")
    whole = {sort: [one for part in parts for one in part[sort]] for sort in sorts}
    return Applied.of({**told, **whole, "deleted": told["names"]["deleted"]})


def _documents(definitions: Definitions) -> list[dict[str, Any]]:
    if isinstance(definitions, Mapping | Documented):
        definitions = [definitions]
    return [dict(each) if isinstance(each, Mapping) else each.to_dict() for each in definitions]


def _slices(documents: Iterable[dict[str, Any]], most: int) -> Iterator[bytes]:
    """Bodies of requests; one at least."""
    part: list[bytes] = []
    size = 0
    for document in documents:
        data = json_body(document)
        if part and (len(part) == most or size + len(data) > BYTES_A_REQUEST):
            yield _body(part)
            part, size = [], 0
        part.append(data)
        size += len(data) + 1
    yield _body(part)


def _body(part: list[bytes]) -> bytes:
    return b'{"objects":[' + b",".join(part) + b"]}"


def _commit(session: Session, stage: str, slices: int, *, dry_run: bool, prune: bool) -> Talk[dict[str, Any]]:
    path = path_of("apply", stage=stage, commit=True, slices=slices, dry_run=dry_run, prune=prune)
    look = Request("GET", path_of("apply", stage=stage, consistency="stale"))
    told: dict[str, Any]
    try:
        told = yield from session.json(Request("POST", path))
    except ConflictError:  # refused: with all that is in the way
        told = yield from session.json(look)
        if told["state"] == "open":
            raise
    while told["state"] in ("checking", "switching"):
        yield Sleep(LOOK_S)
        told = yield from session.json(look)
    if told["state"] not in ("done", "judged"):
        faults = [
            {"pointer": f"{each['namespace']}/{each['name']}", "detail": each["detail"]}
            for each in told["problems"]
        ]
        why = {"title": "nothing was applied", "detail": told["reason"] or told["state"], "errors": faults}
        raise ConflictError({"type": "/problems/conflict", **why}, 409)
    return told


def _drop(session: Session, stage: str) -> Talk[None]:
    """As far as the cluster can be reached: what is left expires."""
    try:
        yield from session.json(Request("DELETE", path_of("apply", stage=stage)))
    except CronclaveError:
        return
