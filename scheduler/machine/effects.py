"""Effects: what the leader's runner says of its tries, and what a person decides of them.

Rules of this file:

1. A report is a fact. It counts whoever leads by now, once: a row that is gone was sent, or dropped.
2. A failure is of one try. A late word of an earlier one changes nothing."""

from __future__ import annotations

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.rules import sending
from scheduler.machine.steps import outbox as outbox_steps
from scheduler.store.tables import outbox
from scheduler.words import events as e
from scheduler.words.commands import DropEffect, ReportSent, ReportUnsent, ResendEffect
from scheduler.words.outcomes import Code, Outcome


def _unknown(effect: int) -> Outcome:
    return refused(Code.NOT_FOUND, f"no effect {effect} in the outbox")


def report_sent(ctx: Context, command: ReportSent) -> Outcome:
    effect = outbox.get(ctx.store, command.effect)
    if effect is None:
        return _unknown(command.effect)
    outbox_steps.forget(ctx, effect)
    ctx.emit(e.EffectSent(effect.id, effect.kind, effect.namespace, effect.name, effect.run, effect.attempts))
    return OK


def report_unsent(ctx: Context, command: ReportUnsent) -> Outcome:
    effect = outbox.get(ctx.store, command.effect)
    if effect is None:
        return _unknown(command.effect)
    if effect.state != outbox.WAITING or command.attempt != effect.attempts + 1:
        return refused(Code.SUPERSEDED, f"{effect.attempts} tries of it failed, it is {effect.state}")
    reason = command.reason[: outbox_steps.REASON_LETTERS_MAX]
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


def resend(ctx: Context, command: ResendEffect) -> Outcome:
    effect = outbox.get(ctx.store, command.effect)
    if effect is None:
        return _unknown(command.effect)
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
