"""What people said of single ticks that an apply would drop, since they are no ticks any more: a dry run
tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from api.days import change_json
from api.instants import rfc3339
from scheduler.machine.rules.changing import OF_JOB_MAX
from scheduler.store.connection import Store
from scheduler.store.tables import changed_ticks
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.changed_ticks import FIRED, ChangedTick
from scheduler.ticks import anchored, as_written, event_of, schedule
from scheduler.words.commands import Deletion, PreparedJob

JOB = "job"
TOLD_MAX = 200


def dropped(
    store: Store, jobs: Sequence[PreparedJob], gone: Sequence[Deletion], now_ms: int,
    may_see: Callable[[str], bool],
) -> dict[str, Any]:  # fmt: skip
    """Of jobs that are put or deleted; nothing where nobody has said anything of a tick."""
    if not changed_ticks.any_of_all(store):
        return {}
    told = []
    after: dict[tuple[str, str], PreparedJob | None] = {(job.namespace, job.name): job for job in jobs}
    after |= {(each.namespace, each.name): None for each in gone if each.kind == JOB}
    for (namespace, name), job in after.items():
        row = job_rows.standing_named(store, namespace, name) if may_see(namespace) else None
        for change in _of(store, row.id, job, now_ms) if row is not None else ():
            said = {"trigger": change.key, "at": rfc3339(change.at_ms), "changed": change_json(change)}
            told.append({"namespace": namespace, "job": name, **said})
    return {"dropped": told[:TOLD_MAX]} if told else {}


def _of(store: Store, job: int, after: PreparedJob | None, now_ms: int) -> Iterator[ChangedTick]:
    live = {era.key: bytes(era.spec) for era in trigger_rows.live(store, job)}
    specs = {} if after is None else {each.key: bytes(each.spec) for each in after.triggers}
    for change in changed_ticks.of_job(store, job, OF_JOB_MAX):
        if change.passed or change.act == FIRED:  # its trigger has come to it, or it came before: it stays
            continue
        spec = specs.get(change.key)
        if spec is not None and change.key in live and as_written(live[change.key])[0] == spec:
            continue
        at_ms = change.at_ms
        if not spec or event_of(spec) or not schedule(anchored(spec, now_ms)).between(at_ms - 1, at_ms, 1):
            yield change
