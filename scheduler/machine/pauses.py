"""Everything is paused, or one namespace, and goes on again. What that means is `rules.gates.paused_all`."""

from __future__ import annotations

from scheduler.machine.context import OK, Context, refused
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import namespaces, pauses
from scheduler.store.tables.pauses import ALL, KEPT_MAX
from scheduler.words import events as e
from scheduler.words.commands import EndPause, Pause, Resume
from scheduler.words.outcomes import Code, Outcome

REASON_LETTERS_MAX = 500


def pause(ctx: Context, command: Pause) -> Outcome:
    if not command.reason or len(command.reason) > REASON_LETTERS_MAX:
        return refused(Code.INVALID, f"a reason of 1 to {REASON_LETTERS_MAX} letters")
    if command.until_ms is not None and command.until_ms <= ctx.stamp_ms:
        return refused(Code.INVALID, "it would be over before it begins")
    standing = pauses.standing_of(ctx.store, command.namespace)
    if standing is None and not (known := _need_namespace(ctx, command.namespace)).ok:
        return known
    if standing is None and len(pauses.standing(ctx.store)) >= KEPT_MAX:
        return refused(Code.LIMIT, f"{KEPT_MAX} namespaces are paused, the most at a time")
    if standing is not None and not standing.stands(ctx.stamp_ms):
        _lift(ctx, standing, standing.end_ms, "")
        standing = None
    since_ms = ctx.stamp_ms if standing is None else standing.since_ms
    pauses.put(
        ctx.store,
        pauses.Pause(command.namespace, since_ms, command.until_ms, None, command.reason, command.actor.name),
    )
    pauses.forget(ctx.store)
    ctx.state.paused_through_ms = pauses.through_ms(ctx.store)
    ctx.emit(e.Paused(command.namespace, command.reason, command.until_ms, command.actor.name))
    _note(ctx, command.namespace, "active" if standing is None else "paused", "paused", command.reason)
    return OK


def resume(ctx: Context, command: Resume) -> Outcome:
    standing = pauses.standing_of(ctx.store, command.namespace)
    if standing is not None:
        _lift(ctx, standing, min(ctx.stamp_ms, standing.end_ms), command.actor.name)
    elif not (known := _need_namespace(ctx, command.namespace)).ok:
        return known
    _note(ctx, command.namespace, "active" if standing is None else "paused", "active")
    return OK


def _note(ctx: Context, namespace: str, before: str, after: str, reason: str = "") -> None:
    """In the audit; what is of all namespaces is the cluster's."""
    kind = "cluster" if namespace == ALL else "namespace"
    ctx.changed(kind, namespace, namespace, before, after, reason=reason)


def _need_namespace(ctx: Context, namespace: str) -> Outcome:
    declared = namespace == ALL or namespaces.allowance(ctx.store, namespace) is not None
    if declared or job_rows.any_in(ctx.store, namespace):
        return OK
    return refused(Code.NOT_FOUND, f"no namespace {namespace} is declared, and no job is in it")


def end_pause(ctx: Context, command: EndPause) -> Outcome:
    standing = pauses.standing_of(ctx.store, command.namespace)
    if standing is None or standing.since_ms != command.since_ms or standing.stands(ctx.stamp_ms):
        return refused(Code.SUPERSEDED, "that pause is lifted already, or its time is not over")
    _lift(ctx, standing, standing.end_ms, "")
    return OK


def _lift(ctx: Context, standing: pauses.Pause, lifted_ms: int, actor: str) -> None:
    pauses.lift(ctx.store, standing, lifted_ms)
    ctx.state.paused_through_ms = pauses.through_ms(ctx.store)
    ctx.emit(e.Resumed(standing.namespace, actor))
