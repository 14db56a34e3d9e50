"""What a source says goes live by the API's own staged apply, in the source's own name.

Rules of this file:

1. One way in: documents are judged by the same code as a person's, under a principal that may edit in the
   namespaces of the source and nowhere else.
2. A stage is named by what it holds and what was live before. Whoever leads after this one comes to the same
   name, lays the same slices (which count once), or finds it committed and waits for its end.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from api import staging
from api.access import Principal
from api.call import Call
from api.problems import Problem
from api.routes import apply
from api.services import Services
from node.effects.sources.contract import UnreachableError, WrongError
from node.effects.sources.reading import Read
from scheduler.store.tables import stages
from scheduler.store.tables.sources import owner
from scheduler.store.tables.stages import MOVING, Stage

SLICE_ITEMS, SLICE_BYTES = 250, 900_000
LOOK_S = 0.1
ROLE = "submitter"
_POINTER = re.compile("/jobs/([0-9]+)(/.*)?", re.DOTALL)
PASSING = frozenset({"unavailable", "overloaded", "no-leader", "too-many-requests", "storage-low", "behind"})
"""Problems of the cluster, not of what is applied."""


class Applied(NamedTuple):
    idx: int  #: of the entry at which it went live; of a dry run 0
    created: int
    changed: int
    deleted: int
    names: tuple[tuple[str, str, str, str], ...]  #: kind, namespace, name, word: the first


class Owner(NamedTuple):
    """Whose word it is."""

    namespace: str
    name: str
    reach: Sequence[str]

    @property
    def marked(self) -> str:
        return owner(self.namespace, self.name)


class Prune(NamedTuple):
    most: int


async def go_live(
    services: Services, who: Owner, given: Sequence[Read], *, key: str, prune: Prune | None,
    dry_run: bool = False,
) -> Applied:
    """Raises WrongError with all that is in the way, UnreachableError where the cluster cannot now. `key`:
    what else makes it another stage."""
    said = hashlib.sha256(f"{who.marked} {key} {prune} {dry_run}".encode())
    for each in given:
        said.update(each.digest)
    name = f"source {said.hexdigest()[:32]}"
    try:
        row = _row(services, name)
        if row is None or row.state == "open":
            await _lay(services, who, name, given)
        slices = len(list(_slices(given)))
        query = {"stage": name, "commit": "true", "slices": str(slices), "dry_run": str(dry_run).lower()}
        if prune is not None:
            query |= {"prune": "true", "prune_max": str(prune.most)}
        row = await _committed(services, who, name, query)
    except Problem as problem:
        if problem.kind in PASSING:
            raise UnreachableError(f"the cluster could not take it: {problem.detail}") from None
        raise WrongError(problem.detail) from None
    if row.state not in ("done", "judged"):
        raise _refused(row)
    names = json.loads(row.names)
    told = tuple((*what, word) for word in staging.CHANGES for what in names.get(word, ()))
    created, changed, deleted = (row.total(word) for word in staging.CHANGES)
    return Applied(row.at_idx or 0, created, changed, deleted, told[:100])


async def _lay(services: Services, who: Owner, name: str, given: Sequence[Read]) -> None:
    """Raises Problem, and WrongError of the documents, with their places."""
    place = 0
    for number, slice_ in enumerate(_slices(given)):
        query = {"stage": name, "slice": str(number), "source": who.marked}
        try:
            await apply.applied(services, _call(services, who, query, slice_))
        except Problem as problem:
            if problem.kind in PASSING:
                raise
            await _drop(services, who, name)
            raise _placed(problem, given[place:]) from None
        place += len(slice_)


async def _committed(services: Services, who: Owner, name: str, query: dict[str, str]) -> Stage:
    """As it ends, refused or not."""
    try:
        await staging.commit(services, _call(services, who, query))
    except Problem as problem:
        if "stage" not in problem.extra:
            raise
    while True:
        row = _row(services, name)
        if row is None:
            raise Problem("unavailable", "its stage is forgotten")
        if row.state not in MOVING:
            return row
        await asyncio.sleep(LOOK_S)


async def _drop(services: Services, who: Owner, name: str) -> None:
    try:
        await staging.drop(services, _call(services, who, {"stage": name}))
    except Problem:
        return  # it was never laid, or expires


def _row(services: Services, name: str) -> Stage | None:
    with services.scheduler.read() as store:
        return stages.named(store, name)


def _call(
    services: Services, who: Owner, query: dict[str, str], slice_: Sequence[bytes] = ()
) -> Call:
    principal = Principal(f"source {who.marked}", "", "", roles=dict.fromkeys(who.reach, ROLE))
    return Call(
        services.scheduler, services.settings, "POST", "/v1/apply", {"namespace": who.namespace, **query},
        {"content-type": "application/json"}, principal, body=b'{"jobs":[%s]}' % b",".join(slice_),
        known_defaults=services.known_defaults,
    )  # fmt: skip


def _slices(given: Sequence[Read]) -> Iterator[list[bytes]]:
    body: list[bytes] = []
    size = 0
    for each in given:
        data = json.dumps(each.document.data, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if body and (len(body) == SLICE_ITEMS or size + len(data) > SLICE_BYTES):
            yield body
            body, size = [], 0
        body.append(data)
        size += len(data) + 1
    yield body


def _placed(problem: Problem, given: Sequence[Read]) -> WrongError:
    """With the places in the files instead of pointers into a request."""
    told = []
    for error in problem.errors:
        match = _POINTER.match(error.pointer)
        if match is None or int(match[1]) >= len(given):
            told.append(error.detail)
            continue
        pointer = match[2] or ""
        hint = f" ({error.hint})" if error.hint else ""
        told.append(f"{given[int(match[1])].where(pointer)} {pointer}: {error.detail}{hint}")
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    return WrongError(f"{told[0]}{more}" if told else problem.detail, told)


def _refused(row: Stage) -> WrongError:
    problems: list[dict[str, Any]] = json.loads(row.problems)
    told = [
        f"{each['kind']} {each['namespace']}/{each['name']}: {each['detail']}" if each["name"]
        else str(each["detail"])
        for each in problems
    ]  # fmt: skip
    return WrongError(told[0] if told else row.reason or f"its stage is {row.state}", told)
