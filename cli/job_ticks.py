"""`cronclave ticks --job FILE`: the instants of all triggers of job files, as they would be from now on.

What a job names (schedules and what takes their place, calendars) is taken from the files; what is in none of
them is asked of the cluster, which is reached for that alone.
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from cli.client import Client, path_of
from cli.exits import NOT_FOUND, Failure
from cli.files import check, read_documents

if TYPE_CHECKING:
    from scheduler.model.known_schedules import InForce

PAGE = 5_000


class Prepared(Protocol):
    """A trigger as the log would have it."""

    @property
    def key(self) -> str: ...
    @property
    def spec(self) -> bytes: ...
    @property
    def jitter_ms(self) -> int: ...


class Due(NamedTuple):
    at_ms: int  #: the tick
    due_ms: int  #: with its jitter
    job: str
    trigger: str


class WithoutInstants(NamedTuple):
    job: str
    trigger: str
    why: str


def triggers_of(
    paths: Sequence[str], namespace: str, now_ms: int, reach: Callable[[], Client]
) -> list[tuple[str, Prepared]]:
    """Of each job of these files, by namespace and name. Raises Failure."""
    from scheduler.model.job import Job, prepare_triggers
    from scheduler.model.objects.parsing import parse_document, prepare_object
    from scheduler.model.problems import JobError

    documents = read_documents(paths)
    check(documents, namespace)  # every mistake with its place
    jobs: list[Job] = []
    objects: dict[tuple[str, str, str], bytes] = {}
    for document in documents:
        parsed = parse_document(document.data, namespace_default=namespace)
        if isinstance(parsed, Job):
            jobs.append(parsed)
            continue
        try:
            made = prepare_object(parsed, now_ms)
        except JobError as error:
            raise Failure("\n".join(str(problem) for problem in error.problems)) from None
        objects[made.kind, made.namespace, made.name] = made.spec
    if not jobs:
        raise Failure(f"no job in {', '.join(paths)}", hint="--schedule FILE is for what jobs name.")
    known = _Known(objects, reach, now_ms)
    return [
        (f"{job.namespace}/{job.name}", trigger)
        for job in jobs
        for trigger in prepare_triggers(job, now_ms, known.calendar, known.schedule)
    ]


def due(
    triggers: Sequence[tuple[str, Prepared]], after_ms: int, until_ms: int | None
) -> Iterator[Due]:
    """What is due in (after, until], in order of their ticks; None: without end."""
    return heapq.merge(*(_of(job, each, after_ms, until_ms) for job, each in triggers))


def _of(job: str, trigger: Prepared, after_ms: int, until_ms: int | None) -> Iterator[Due]:
    from scheduler.ticks import anchored, is_anchored, schedule

    spec = trigger.spec
    if not is_anchored(spec):  # its start is an instant of it
        spec, after_ms = anchored(spec, after_ms), after_ms - 1
    instants = schedule(spec)
    size = 1
    while True:
        part = (
            instants.upcoming(after_ms, size)
            if until_ms is None
            else instants.between(after_ms, until_ms, size)
        )
        if not part:
            return
        for at_ms in part:
            yield Due(at_ms, at_ms + trigger.jitter_ms, job, trigger.key)
        after_ms, size = part[-1], min(2 * size, PAGE)


def without_instants(triggers: Sequence[tuple[str, Prepared]]) -> list[WithoutInstants]:
    from scheduler.ticks import DELAY, event_of

    found = []
    for job, trigger in triggers:
        if event := event_of(trigger.spec):
            why = "counts from the end of the last run" if event == DELAY else "waits for an event"
            found.append(WithoutInstants(job, trigger.key, why))
    return found


class _Known:
    """What the files say of schedules and calendars, and what the cluster does of those that they do not."""

    def __init__(
        self, objects: dict[tuple[str, str, str], bytes], reach: Callable[[], Client], now_ms: int
    ) -> None:
        self._objects, self._reach, self._now_ms = objects, reach, now_ms
        self._client: Client | None = None
        self._schedules: dict[tuple[str, str], InForce] = {}
        self._calendars: dict[tuple[str, str], dict[str, Any]] = {}

    def calendar(self, namespace: str, name: str) -> dict[str, Any]:
        from scheduler.model.known_dates import KIND, NO_CALENDARS, dates_of

        of = namespace, name
        if not namespace:  # a zone, by the packaged tzdata
            return NO_CALENDARS(*of)
        if of not in self._calendars:
            spec: Any = self._objects.get((KIND, *of))
            spec = self._ask("calendars", *of) if spec is None else spec
            self._calendars[of] = dates_of(*of, spec)
        return self._calendars[of]

    def schedule(self, namespace: str, name: str) -> InForce:
        from scheduler.model.known_schedules import KIND, in_force

        of = namespace, name
        if of not in self._schedules:
            spec = self._objects.get((KIND, *of))
            beside = {
                found[2]: text
                for found, text in self._objects.items()
                if found[:2] == (KIND, namespace) and _stands_for(text) == name
            }
            if spec is None:
                spec = self._asked_schedule(*of)
                for who in self._referrers(namespace, name):
                    if who["kind"] == KIND and (KIND, namespace, who["name"]) not in self._objects:
                        beside[who["name"]] = self._asked_schedule(namespace, who["name"])
            self._schedules[of] = in_force(namespace, name, spec, "", beside)
        return self._schedules[of]

    def _asked_schedule(self, namespace: str, name: str) -> bytes:
        from scheduler.model.objects.parsing import Definition, parse_document, prepare_object
        from scheduler.model.server_facts import definition_of

        parsed = parse_document(definition_of(self._ask("schedules", namespace, name)))
        assert isinstance(parsed, Definition)
        return prepare_object(parsed, self._now_ms).spec

    def _referrers(self, namespace: str, name: str) -> list[dict[str, Any]]:
        """After `_ask` of the schedule itself: its jobs come first, and may be very many."""
        assert self._client is not None
        path = path_of("schedules", name, "referrers", namespace=namespace)
        return self._client.items(path, sys.maxsize)[0]

    def _ask(self, plural: str, namespace: str, name: str) -> dict[str, Any]:
        try:
            self._client = self._client or self._reach()
            told: dict[str, Any] = self._client.get(path_of(plural, name, namespace=namespace))
        except Failure as error:
            if error.exit_code != NOT_FOUND:
                said = f"{plural[:-1]} {namespace}/{name} is in none of the files, and no cluster says it"
                hint = "Give it with --schedule FILE."
                raise Failure(f"{said}: {error}", code=error.exit_code, hint=hint) from None
            detail = f"there is no {plural[:-1]} {namespace}/{name}, in the files or in the cluster"
            raise Failure(detail, code=NOT_FOUND, hint="Give it with --schedule FILE.") from None
        return told


def _stands_for(spec: bytes) -> str:
    import json

    text: str = json.loads(spec).get("substitute") or ""
    return text.rpartition("/")[2]
