"""Who had paused what, when a tick was skipped for it.

Rules of this file:

1. Of pauses of everything and of namespaces there are rows that say when they ended, also by themselves. Of
   those of a job there is the audit, which tells of people alone: a pause that has ended, or one of another
   job that had the name, is not the one. Whom nothing names is not named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scheduler.store.connection import Store
from scheduler.store.reads import audit as audit_reads
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import pauses
from scheduler.store.tables.audit import Entry as Audited
from scheduler.store.tables.ledger import Entry
from scheduler.store.tables.pauses import Pause
from scheduler.store.tables.triggers import Trigger
from scheduler.words import reasons


@dataclass(frozen=True, slots=True)
class Paused:
    gate: str
    said: str
    words: str  #: the command that helps
    at_ms: int | None = None
    refs: Mapping[str, str | int] = field(default_factory=dict)


def paused_by(store: Store, era: Trigger, name: str, namespace: str, entry: Entry, due_ms: int) -> Paused:
    """Who had paused it when it was decided, where that is still known; and what helps now."""
    row = job_rows.standing(store, era.job)
    stands = row is not None and row.state == "paused"
    words = "job resume {job}" if stands else "job run {job}"
    whole = of_all(store, namespace, due_ms, entry.decided_ms)
    if whole is not None:
        kind = "namespace" if whole.namespace else "cluster"
        found = _audited(store, "pause", kind, whole.namespace, whole.namespace, None, entry.decided_ms)
        what = f"namespace {namespace}" if whole.namespace else "everything"
        by = (found.actor if found else whole.actor) or "somebody"
        why = found.reason if found else whole.reason
        at_ms = found.stamp_ms if found else whole.since_ms
        refs = {"audit": found.id} if found else {}
        return Paused("pause_all", f"{what} was paused by {by}: {why}", words, at_ms, refs)
    if stands and era.until_ms is None and _reason(store, era.job) == reasons.FAILURES:
        # A resume ends the eras that had ticks meanwhile: it is the pause that stands.
        return Paused("pause", "the job was paused after failures", words)
    found = _audited(store, "pause", "job", name, namespace, None, entry.decided_ms)
    if found is None or _is_over(store, era, name, namespace, found.stamp_ms, due_ms):
        return Paused("pause", "it came due while it was paused", words)
    why = f": {found.reason}" if found.reason else ""
    said = f"the job was paused by {found.actor or 'somebody'}{why}"
    return Paused("pause", said, words, found.stamp_ms, {"audit": found.id})


def of_all(store: Store, namespace: str, due_ms: int, decided_ms: int) -> Pause | None:
    """The pause of everything or of the namespace for which it was skipped; None: there was none."""
    for each in pauses.of(store, namespace):
        by_itself = each.lifted_ms is None or each.lifted_ms == each.until_ms
        end_ms = each.end_ms if by_itself else each.end_ms + 1  # it may be resumed in the very millisecond
        if each.since_ms <= due_ms < end_ms or due_ms < each.since_ms <= decided_ms < end_ms:
            return each
    return None


def _is_over(store: Store, era: Trigger, name: str, namespace: str, since_ms: int, due_ms: int) -> bool:
    """Whether the job's pause of this instant had ended when the tick came due, or was of another job."""
    before = max((job for job in job_reads.ids(store, namespace, name) if job < era.job), default=None)
    gone = None if before is None else job_reads.deletion(store, before)
    if gone is not None and since_ms <= gone.at_ms:
        return True
    if _audited(store, "resume", "job", name, namespace, since_ms, due_ms - 1) is not None:
        return True
    return ledger_reads.ran_since(store, era.id, since_ms, due_ms - era.jitter_ms)


def _reason(store: Store, job: int) -> str:
    row = job_rows.get(store, job)
    return "" if row is None else row.pause_reason


def _audited(
    store: Store, action: str, kind: str, name: str, namespace: str, after_ms: int | None, through_ms: int
) -> Audited | None:
    """The newest such decision of a person in (after, through]."""
    wanted = audit_reads.Wanted(
        actions=(action,), kind=kind, name=name, namespaces=[namespace],
        since_ms=None if after_ms is None else after_ms + 1, until_ms=through_ms + 1,
    )  # fmt: skip
    found, _ = audit_reads.page(store, wanted, limit=1)
    return found[0] if found else None
