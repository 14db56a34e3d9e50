"""Something is to leave the cluster: a row of the outbox, in the very entry that is its cause.

Rules of this file:

1. Nothing is sent from here, and nothing waits for it: what happens in the cluster never depends on the
   world outside. Where no room is left, an effect is born given up: seen, and never silently lost.
2. Of those that were given up the newest are kept (`rules.sending`)."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import sending
from scheduler.store.tables import outbox
from scheduler.store.tables.outbox import GIVEN_UP, WAITING, Effect
from scheduler.words import events as e

REASON_LETTERS_MAX = 500


def put(
    ctx: Context, *, kind: str, target: str, about: str, namespace: str, name: str, run: int, payload: bytes
) -> None:
    """`kind`: of node/effects. `payload`: whatever that needs, a few KiB at most."""
    state = ctx.state
    state.last_effect += 1
    full = sending.why_full(state.outbox_waiting, outbox.waiting_for(ctx.store, target))
    effect = Effect(
        id=state.last_effect, kind=kind, target=target, about=about, namespace=namespace, name=name, run=run,
        payload=payload, state=GIVEN_UP if full else WAITING, created_ms=state.stamp_ms, attempts=0,
        next_ms=state.stamp_ms, until_ms=state.stamp_ms + (sending.KEPT_MS if full else sending.LIVES_MS),
        reason=full,
    )  # fmt: skip
    outbox.insert(ctx.store, effect)
    if full:
        _bury(ctx, effect, full)
        return
    state.outbox_waiting += 1
    ctx.emit(e.EffectQueued(effect.id, kind, namespace, name, run, about))


def give_up(ctx: Context, effect: Effect, *, attempts: int, reason: str) -> None:
    """Of one that waits."""
    until_ms = ctx.stamp_ms + sending.KEPT_MS
    outbox.give_up(ctx.store, effect.id, attempts=attempts, until_ms=until_ms, reason=reason)
    ctx.state.outbox_waiting -= 1
    _bury(ctx, effect, reason)


def _bury(ctx: Context, effect: Effect, reason: str) -> None:
    ctx.emit(
        e.EffectGivenUp(effect.id, effect.kind, effect.namespace, effect.name, effect.run, reason)
    )
    if outbox.given_up(ctx.store) > sending.GIVEN_UP_MAX:
        outbox.drop_given_up(ctx.store, 1)


def forget(ctx: Context, effect: Effect) -> None:
    """Its row goes."""
    outbox.delete(ctx.store, effect.id)
    if effect.state == WAITING:
        ctx.state.outbox_waiting -= 1
