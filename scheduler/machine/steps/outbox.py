"""Something is to leave the cluster: a row of the outbox, in the very entry that is its cause.

Rules of this file:

1. Nothing is sent from here, and nothing waits for it: what happens in the cluster never depends on the
   world outside. Where no room is left, an effect is born given up: seen, and never silently lost.
2. What a person muted has its row as well, with who muted it: that nobody was told can be seen.
3. What is to be told together, or is more than its receiver is to be told one by one, is gathered: as the
   time of the first of it has come, all of it is one effect. Whoever is told by escalation is told of that
   one, not of each: silence counts from when it was told.
4. Of those that were given up the newest are kept (`rules.sending`), and for a time what was sent."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from scheduler.machine.context import Context
from scheduler.machine.rules import routing, sending
from scheduler.machine.rules.routing import Receiver
from scheduler.store.tables import mutes, outbox
from scheduler.store.tables.mutes import Mute
from scheduler.store.tables.outbox import GATHERED, GIVEN_UP, MUTED, SENT, TO_SEND, TOGETHER, WAITING, Effect
from scheduler.words import events as e

REASON_LETTERS_MAX = 500
DIGEST = "digest"
TOGETHER_MAX = 100  #: in one effect
MUTES = frozenset({"mutes"})


def put(
    ctx: Context, receiver: Receiver, *, about: str, namespace: str, name: str, run: int,
    facts: dict[str, Any], alone: bool = False,
) -> None:  # fmt: skip
    """`facts`: whatever the effect's kind needs, a few KiB at most. `alone`: whatever else is told."""
    state, stamp_ms = ctx.state, ctx.state.stamp_ms
    state.last_effect += 1
    number = state.last_effect
    become, next_ms, until_ms, reason = WAITING, stamp_ms, stamp_ms + sending.LIVES_MS, ""
    mute = None if alone else _muted(ctx, namespace, name, about)
    if mute is not None:
        become, until_ms, reason = MUTED, stamp_ms + sending.KEPT_MS, _said(mute)
    elif full := sending.why_full(state.outbox_waiting, outbox.waiting_for(ctx.store, receiver.target)):
        become, until_ms, reason = GIVEN_UP, stamp_ms + sending.KEPT_MS, full
    elif not alone and (at_ms := _gathered_until_ms(ctx, receiver)) is not None:
        become, next_ms, until_ms = GATHERED, at_ms, at_ms + sending.LIVES_MS
    escalates = receiver.escalate_ms is not None and mute is None and become != GATHERED
    payload = b"{}" if mute else json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()
    effect = Effect(
        id=number, kind=receiver.kind, target=receiver.target, about=about, namespace=namespace, name=name,
        run=run, payload=payload, state=become, created_ms=stamp_ms, attempts=0, next_ms=next_ms,
        until_ms=until_ms, reason=reason, channel=receiver.channel, route=receiver.route,
        escalate_ms=stamp_ms + (receiver.escalate_ms or 0) if escalates else None,
    )  # fmt: skip
    outbox.insert(ctx.store, effect)
    if mute is not None:
        ctx.emit(e.EffectMuted(number, namespace, name, run, about, mute.id))
    elif become == GIVEN_UP:
        _bury(ctx, effect, reason)
    else:
        state.outbox_waiting += 1
        if become == WAITING:
            ctx.emit(e.EffectQueued(number, receiver.kind, namespace, name, run, about))


def _muted(ctx: Context, namespace: str, name: str, about: str) -> Mute | None:
    if ctx.store.kept.are_empty(MUTES):
        return None
    return mutes.covering(ctx.store, namespace, name, about, ctx.stamp_ms)


def _said(mute: Mute) -> str:
    why = f": {mute.reason}" if mute.reason else ""
    return f"muted by {mute.actor or 'somebody'}{why}"[:REASON_LETTERS_MAX]


def _gathered_until_ms(ctx: Context, receiver: Receiver) -> int | None:
    """When it is told together with others; None: at once, alone."""
    if not receiver.gather_ms and not receiver.most:
        return None
    under_way = outbox.gathered_until_ms(ctx.store, receiver.target, receiver.route)
    if under_way is not None:
        return under_way
    if receiver.gather_ms:
        return ctx.stamp_ms + receiver.gather_ms
    nth_ms = outbox.nth_newest_ms(ctx.store, receiver.target, receiver.route, receiver.most)
    return None if nth_ms is None or nth_ms + receiver.per_ms <= ctx.stamp_ms else nth_ms + receiver.per_ms


def tell_together(ctx: Context, first: Effect) -> int:
    """Of what is gathered for the same receiver by the same route the oldest, in one effect; how many."""
    told = outbox.gathered(ctx.store, first.target, first.route, TOGETHER_MAX)
    items = [_item(each) for each in told]
    by = dict(sorted(Counter(each.about for each in told).items()))
    facts = {
        "about": DIGEST, "of": DIGEST, "namespace": first.namespace, "job": None, "owner": None, "run": None,
        "criticality": "normal", "count": len(items), "by": by,
        "first_ms": told[0].created_ms, "last_ms": told[-1].created_ms, "items": items,
    }  # fmt: skip
    ctx.state.outbox_waiting -= len(told)
    silent = any(each.acknowledged_ms is None for each in told)
    after_ms = routing.escalates_after_ms(ctx.store, first.route) if silent else None
    receiver = Receiver(first.kind, first.target, first.channel, first.route, escalate_ms=after_ms)
    put(ctx, receiver, about=DIGEST, namespace=first.namespace, name="", run=0, facts=facts, alone=True)
    for each in told:
        outbox.tell(
            ctx.store, each.id, state=TOGETHER, until_ms=ctx.stamp_ms + sending.KEPT_MS,
            reason=f"told together with others, in {ctx.state.last_effect}",
        )  # fmt: skip
    return len(told)


def _item(effect: Effect) -> dict[str, Any]:
    """In a line, what the whole would say."""
    facts = json.loads(effect.payload)
    unmet = {"unmet": facts["unmet"]} if "unmet" in facts else {}
    return {
        **unmet, "effect": effect.id, "about": effect.about, "namespace": effect.namespace,
        "job": effect.name, "run": effect.run or None, "at_ms": effect.created_ms,
        "reason": str(facts.get("reason") or facts.get("what") or "")[:200],
    }  # fmt: skip


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


def sent(ctx: Context, effect: Effect) -> None:
    """The world outside has it: it stays for people to look at, if it is not too long ago."""
    if effect.state in TO_SEND:
        ctx.state.outbox_waiting -= 1
    if effect.id <= ctx.state.last_effect - outbox.TOLD_MAX:
        outbox.delete(ctx.store, effect.id)
    else:
        outbox.tell(ctx.store, effect.id, state=SENT, until_ms=ctx.stamp_ms + sending.KEPT_MS)


def forget(ctx: Context, effect: Effect) -> None:
    """Its row goes."""
    outbox.delete(ctx.store, effect.id)
    if effect.state in TO_SEND:
        ctx.state.outbox_waiting -= 1
