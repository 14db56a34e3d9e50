"""Sources: what the leader found there, and what a person asks for.

Rules of this file:

1. A report is a fact: it counts whoever leads by now. One of a source that was edited since is of another.
2. What it says is applied by a staged apply like any other; the report only tells of it.
"""

from __future__ import annotations

import json

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.rules.pruning import PRUNED_MAX
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import sources
from scheduler.words import events as e
from scheduler.words.commands import ReportSource, SyncSource
from scheduler.words.outcomes import Code, Outcome

TOLD_MAX = 100
LETTERS_MAX = 500


def sync_source(ctx: Context, command: SyncSource) -> Outcome:
    if not object_rows.exists(ctx.store, sources.KIND, command.namespace, command.name):
        return refused(Code.NOT_FOUND, f"no source {command.namespace}/{command.name}")
    if command.prune_max is not None and not 0 <= command.prune_max <= PRUNED_MAX:
        return refused(Code.INVALID, f"prune_max is from 0 to {PRUNED_MAX}")
    row = sources.get(ctx.store, command.namespace, command.name)
    row = row._replace(asked=row.asked + 1, dry_run=int(command.dry_run), prune_max=command.prune_max)
    sources.put(ctx.store, row)
    ctx.changed(sources.KIND, command.namespace, command.name, None, "dry run" if command.dry_run else "sync")
    ctx.emit(e.SourceAsked(command.namespace, command.name, command.dry_run))
    return done(asked=row.asked)


def report_source(ctx: Context, command: ReportSource) -> Outcome:
    revision = object_rows.revision_of(ctx.store, sources.KIND, command.namespace, command.name)
    if revision != command.of_revision:
        return refused(Code.SUPERSEDED, f"source {command.namespace}/{command.name} is another by now")
    if command.state not in sources.STATES:
        return refused(Code.INVALID, f"{command.state[:40]!r} is no state of a source")
    before = sources.get(ctx.store, command.namespace, command.name)
    is_applied = command.live_idx != before.live_idx or command.revision != before.revision
    row = sources.become(before, command.state)._replace(
        seen=command.seen[:LETTERS_MAX], looked_ms=ctx.stamp_ms, of_revision=revision,
        detail=command.detail[:LETTERS_MAX],
        problems=json.dumps([each[:LETTERS_MAX] for each in command.problems[:TOLD_MAX]]),
        drift=json.dumps(command.drift[:TOLD_MAX]), drifted=command.drifted,
        answered=max(before.answered, min(command.answers, before.asked)),
    )  # fmt: skip
    if is_applied:
        row = row._replace(
            revision=command.revision[:LETTERS_MAX], live_idx=command.live_idx, live_ms=ctx.stamp_ms,
            documents=command.documents, created=command.created, changed=command.changed,
            deleted=command.deleted,
        )  # fmt: skip
    sources.put(ctx.store, row)
    ctx.emit(
        e.SourceReported(
            row.namespace, row.name, row.state, row.revision, command.created, command.changed,
            command.deleted, row.drifted, command.rewritten, row.detail,
        )
    )  # fmt: skip
    return OK
