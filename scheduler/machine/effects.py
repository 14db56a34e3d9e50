"""Effects: what the leader's runner says of its tries, and what people say of what is told.

Rules of this file:

1. A report is a fact. It counts whoever leads by now, once: what was sent is sent, a row that is gone was
   dropped.
2. A failure is of one try. A late word of an earlier one changes nothing.
3. A receiver that failed FAILING tries in a row is told to be failing, once, until it takes something.
4. Who acknowledges an effect saw what it tells of: whoever else was told of the same need not see it too. Of
   a digest that is each notice in it.
5. Of what is over by itself (the job succeeded again, the expectation holds) nobody is told by escalation."""

from __future__ import annotations

import json
from typing import Any

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.rules import hands, routing, sending, verdicts
from scheduler.machine.steps import outbox as outbox_steps
from scheduler.model.notify import ABOUT, FAILED
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import mutes, outbox, receivers, unmet
from scheduler.store.tables.mutes import Mute as MuteRow
from scheduler.store.tables.outbox import Effect
from scheduler.store.tables.receivers import Receiver
from scheduler.words import events as e
from scheduler.words.commands import (
    AcknowledgeEffect,
    DropEffect,
    Escalate,
    Mute,
    ReportSent,
    ReportUnsent,
    ResendEffect,
    TellChannel,
    TellTogether,
    Unmute,
)
from scheduler.words.outcomes import Code, Outcome

FAILING = 5
MUTES_MAX = 1_000
MUTE_MS_MAX = 366 * 86_400_000
FACTS_BYTES_MAX = 256 * 1024
TOLD_BY_PERSONS = ("test", "report")
_TOGETHER = 200  #: ids that effects of one thing lie apart at most


def _unknown(effect: int) -> Outcome:
    return refused(Code.NOT_FOUND, f"no effect {effect} in the outbox")


def report_sent(ctx: Context, command: ReportSent) -> Outcome:
    effect = outbox.get(ctx.store, command.effect)
    if effect is None:
        return _unknown(command.effect)
    if effect.state == outbox.SENT:
        return refused(Code.SUPERSEDED, "it was sent, and that is known")
    outbox_steps.sent(ctx, effect)
    ctx.emit(e.EffectSent(effect.id, effect.kind, effect.namespace, effect.name, effect.run, effect.attempts))
    failing = receivers.get(ctx.store, effect.target)
    if failing is not None:
        receivers.drop(ctx.store, effect.target)
        if failing.failures >= FAILING:
            ctx.emit(
                e.ReceiverRecovered(effect.id, effect.kind, effect.namespace, effect.name, effect.channel)
            )
    return OK


def report_unsent(ctx: Context, command: ReportUnsent) -> Outcome:
    effect = outbox.get(ctx.store, command.effect)
    if effect is None:
        return _unknown(command.effect)
    if effect.state != outbox.WAITING or command.attempt != effect.attempts + 1:
        return refused(Code.SUPERSEDED, f"{effect.attempts} tries of it failed, it is {effect.state}")
    reason = command.reason[: outbox_steps.REASON_LETTERS_MAX]
    _fail(ctx, effect, reason)
    next_ms = sending.next_ms(
        effect.id, command.attempt, now_ms=ctx.stamp_ms, until_ms=effect.until_ms,
        wait_ms=command.wait_ms, is_final=command.is_final,
    )  # fmt: skip
    if next_ms is None:
        outbox_steps.give_up(ctx, effect, attempts=command.attempt, reason=reason)
        return done(given_up=True)
    outbox.wait(
        ctx.store, effect.id, attempts=command.attempt, next_ms=next_ms, until_ms=effect.until_ms,
        reason=reason,
    )  # fmt: skip
    return done(next_ms=next_ms)


def _fail(ctx: Context, effect: Effect, reason: str) -> None:
    before = receivers.get(ctx.store, effect.target)
    failures = 1 if before is None else before.failures + 1
    since_ms = ctx.stamp_ms if before is None else before.since_ms
    receivers.put(
        ctx.store,
        Receiver(
            effect.target, effect.kind, effect.channel, effect.namespace, effect.name, failures, since_ms,
            ctx.stamp_ms, reason,
        ),
    )  # fmt: skip
    if failures == FAILING:
        ctx.emit(
            e.ReceiverFailing(
                effect.id, effect.kind, effect.namespace, effect.name, effect.channel, failures, reason
            )
        )


def resend(ctx: Context, command: ResendEffect) -> Outcome:
    effect = outbox.get(ctx.store, command.effect)
    if effect is None:
        return _unknown(command.effect)
    if effect.state not in (outbox.WAITING, outbox.GIVEN_UP):
        return refused(Code.CONFLICT, f"effect {effect.id} is {effect.state}: there is nothing to send again")
    if effect.state == outbox.GIVEN_UP:
        full = sending.why_full(ctx.state.outbox_waiting, outbox.waiting_for(ctx.store, effect.target))
        if full:
            return refused(Code.LIMIT, full)
        ctx.state.outbox_waiting += 1
    # Its number of tries goes on: a word of one that is under way must not count as one of the next.
    outbox.wait(
        ctx.store, effect.id, attempts=effect.attempts, next_ms=ctx.stamp_ms,
        until_ms=ctx.stamp_ms + sending.LIVES_MS, reason=effect.reason,
    )  # fmt: skip
    ctx.emit(e.EffectQueued(effect.id, effect.kind, effect.namespace, effect.name, effect.run, effect.about))
    ctx.changed("effect", effect.namespace, str(effect.id), effect.state, outbox.WAITING, run=effect.run)
    return OK


def drop(ctx: Context, command: DropEffect) -> Outcome:
    effect = outbox.get(ctx.store, command.effect)
    if effect is None:
        return _unknown(command.effect)
    outbox_steps.forget(ctx, effect)
    ctx.emit(
        e.EffectDropped(effect.id, effect.kind, effect.namespace, effect.name, effect.run, command.actor.name)
    )
    ctx.changed("effect", effect.namespace, str(effect.id), effect.state, None, run=effect.run)
    return OK


def acknowledge(ctx: Context, command: AcknowledgeEffect) -> Outcome:
    effect = outbox.get(ctx.store, command.effect)
    if effect is None:
        return _unknown(command.effect)
    if refusal := hands.of_reason(command.reason):
        return refusal
    if command.until_ms is not None:
        if effect.about not in ABOUT:
            detail = f"a {effect.about} is not of one job: acknowledge it without an end, and mute jobs"
            return refused(Code.INVALID, detail)
        mute = Mute(
            effect.namespace, effect.name, effect.about, command.until_ms, command.reason, command.actor
        )
        outcome = _mute(ctx, mute)
        if not outcome.ok:
            return outcome
    actor = command.actor.name
    for same in [*_same(ctx, effect), *_in(effect)]:
        outbox.see(ctx.store, same, at_ms=ctx.stamp_ms, actor=actor)
    ctx.emit(
        e.EffectAcknowledged(
            effect.id, effect.namespace, effect.name, effect.run, effect.about, actor, command.reason
        )
    )  # fmt: skip
    ctx.changed(
        "effect", effect.namespace, str(effect.id), effect.about, "acknowledged", run=effect.run,
        reason=command.reason,
    )  # fmt: skip
    return done(effect=effect.id)


def _same(ctx: Context, effect: Effect) -> list[int]:
    """Those that tell of the same. Digests of one instant may be of different things."""
    same = outbox.of_same(ctx.store, effect, _TOGETHER)
    if effect.about != outbox_steps.DIGEST:
        return same
    told, found = _things(effect), [effect.id]
    for number in same:
        other = outbox.get(ctx.store, number) if told and number != effect.id else None
        if other is not None and _things(other) == told:
            found += [other.id, *_in(other)]
    return found


def _items(effect: Effect) -> list[dict[str, Any]]:
    """What a digest tells together; of one that was sent, and of which nobody else is told, no more."""
    items: list[dict[str, Any]] = json.loads(effect.payload).get("items", [])
    return items if effect.about == outbox_steps.DIGEST else []


def _in(effect: Effect) -> list[int]:
    return [item["effect"] for item in _items(effect)]


def _things(effect: Effect) -> list[tuple[Any, ...]]:
    return [tuple(value for name, value in item.items() if name != "effect") for item in _items(effect)]


def mute(ctx: Context, command: Mute) -> Outcome:
    return hands.of_reason(command.reason) or _mute(ctx, command)


def _mute(ctx: Context, command: Mute) -> Outcome:
    if command.until_ms <= ctx.stamp_ms:
        return refused(Code.INVALID, "it would be over before it begins")
    if command.until_ms > ctx.stamp_ms + MUTE_MS_MAX:
        return refused(Code.INVALID, "for 366 days at most: what is never to be told is left out of `on`")
    if command.about and command.about not in ABOUT:
        return refused(Code.INVALID, f"{command.about!r} is nothing that is told of")
    if command.job and not command.namespace:
        return refused(Code.INVALID, "a job is one of a namespace")
    if mutes.count(ctx.store) >= MUTES_MAX:
        return refused(Code.LIMIT, f"{MUTES_MAX} mutes stand already")
    row = MuteRow(
        ctx.state.idx, command.namespace, command.job, command.about, ctx.stamp_ms, command.until_ms,
        command.actor.name, command.reason,
    )  # fmt: skip
    mutes.insert(ctx.store, row)
    ctx.emit(
        e.Muted(row.id, row.namespace, row.job, row.about, row.until_ms, row.actor, row.reason)
    )
    ctx.changed("mute", row.namespace, row.job or str(row.id), None, row.about or "all", reason=row.reason)
    return done(mute=row.id)


def unmute(ctx: Context, command: Unmute) -> Outcome:
    row = mutes.get(ctx.store, command.mute)
    if row is None:
        return refused(Code.NOT_FOUND, f"no mute {command.mute}")
    mutes.drop(ctx.store, row.id)
    ctx.emit(e.Unmuted(row.id, row.namespace, row.job, row.about, command.actor.name))
    ctx.changed("mute", row.namespace, row.job or str(row.id), row.about or "all", None)
    return OK


def tell_together(ctx: Context, command: TellTogether) -> Outcome:
    effect = outbox.get(ctx.store, command.effect)
    if effect is None or effect.state != outbox.GATHERED or effect.next_ms > ctx.stamp_ms:
        return refused(Code.SUPERSEDED, f"effect {command.effect} waits for nothing now")
    return done(told=outbox_steps.tell_together(ctx, effect))


def escalate(ctx: Context, command: Escalate) -> Outcome:
    effect = outbox.get(ctx.store, command.effect)
    if effect is None or (effect.escalate_ms or 0) > ctx.stamp_ms:
        return refused(Code.SUPERSEDED, f"nobody else is to be told of effect {command.effect} now")
    if effect.escalate_ms is None:  # somebody saw it, or another one of the same, planned with it, told on
        return done(told=0)
    for same in _same(ctx, effect):  # of several who were told of it by this route one tells on
        row = outbox.get(ctx.store, same)
        if row is not None and row.route == effect.route:
            outbox.escalate(ctx.store, same)
    facts = json.loads(effect.payload)
    if all(_is_over(ctx, each) for each in _items(effect) or [facts]):
        return done(told=0)
    others = routing.escalated(ctx.store, effect.route)
    facts |= {"escalated": effect.id, "silent_ms": ctx.stamp_ms - effect.created_ms}
    for other in others:
        outbox_steps.put(
            ctx, other, about=effect.about, namespace=effect.namespace, name=effect.name, run=effect.run,
            facts=facts, alone=effect.about == outbox_steps.DIGEST,
        )  # fmt: skip
    ctx.emit(
        e.EffectEscalated(
            effect.id, effect.namespace, effect.name, effect.run, effect.about, len(others)
        )
    )
    return done(told=len(others))


def _is_over(ctx: Context, told: dict[str, Any]) -> bool:
    number = told.get("unmet")
    if isinstance(number, int):
        row = unmet.get(ctx.store, number)
        return row is None or row.over_ms is not None or row.is_acknowledged(ctx.stamp_ms)
    if told["about"] == FAILED:
        job = job_rows.find(ctx.store, told["namespace"], told["job"])
        return job is None or not job_rows.is_failing(ctx.store, job.id, verdicts.RUN_FAILURES)
    return False


def tell_channel(ctx: Context, command: TellChannel) -> Outcome:
    if command.about not in TOLD_BY_PERSONS or len(command.facts) > FACTS_BYTES_MAX:
        return refused(Code.INVALID, f"{command.about!r} is nothing that a person has told")
    ways = routing.of_channel(ctx.store, command.namespace, command.channel)
    if not ways:
        return refused(Code.NOT_FOUND, f"no channel {command.namespace}/{command.channel}")
    facts = json.loads(command.facts)
    for way in ways:
        outbox_steps.put(
            ctx, way, about=command.about, namespace=command.namespace, name="", run=0, facts=facts,
            alone=True,
        )  # fmt: skip
    ctx.changed("channel", command.namespace, command.channel, None, command.about, verb="tell")
    last = ctx.state.last_effect
    return done(effects=list(range(last - len(ways) + 1, last + 1)))
