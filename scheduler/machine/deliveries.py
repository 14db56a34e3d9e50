"""Deliveries: what another system sends to a hook, and the runs that come of it.

Rules of this file:

1. The front has checked the signature and made each job's parameters of the body: it has the key of
   secrets, and knows jobs' schemas. Here is compared whether all that it looked at is still so; if not, it
   looks again.
2. All triggers of the hook take a delivery, or none does: where the queue of one of their jobs is full the
   delivery is refused before anything came of it, and its sender keeps it. What is paused takes it, and ends
   without a run: a pause is no reason for its sender to come again for days.
3. A delivery is known by its hook and its id, for KEPT_MS: sent again it is answered again. Of each trigger
   it is known for ever, since its cause ends in an entry of the ledger.
4. In a restored state nobody knows what the cluster before made of what was signed before: it is missed.
5. Bounded: so many triggers a hook (`rules.hooked`), so many deliveries that are remembered. Where one hook
   has more, the oldest go as soon as their signatures are too old; until then no other is taken.
"""

from __future__ import annotations

from scheduler.machine.context import ROW, Context, done, refused
from scheduler.machine.rules import secret_uses
from scheduler.machine.rules.hooked import TRIGGERS_MAX
from scheduler.machine.steps import arriving, firing, restoring
from scheduler.store.tables import deliveries, secrets
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.deliveries import Delivery, Firing
from scheduler.store.tables.refs import Named
from scheduler.words import causes
from scheduler.words import events as e
from scheduler.words.causes import Cause, Kind
from scheduler.words.commands import Deliver, HookFiring
from scheduler.words.outcomes import Code, Outcome

KEPT_MAX = 10_000
"""Deliveries of one hook that are remembered."""


def deliver(ctx: Context, command: Deliver) -> Outcome:
    known = deliveries.find(ctx.store, command.namespace, command.hook, command.delivery)
    if known is not None:
        return done(firings=known.firings, repeated=True)
    if changed := _changed(ctx, command):
        return refused(Code.SUPERSEDED, changed)
    serial = _serial(ctx, command)
    if serial is None:
        return refused(Code.LIMIT, f"more than {KEPT_MAX} deliveries came within the hook's tolerance")
    found = [(trigger_rows.firing(ctx.store, each.trigger), _params(each)) for each in command.firings]
    triggers = [(each, params) for each, params in found if each is not None]
    missed = restoring.missed(ctx, command.signed_ms)
    taken = [each for each in triggers if not arriving.never(ctx, each[0], ctx.stamp_ms, missed)]
    full = firing.without_room(ctx, taken)
    if full is not None:
        named = f"{full.namespace}/{full.name}"
        return refused(Code.LIMIT, f"as many runs of {named} wait as may", job=named)
    firings = [_fire(ctx, command, asked, missed) for asked in command.firings]
    row = Delivery(
        command.namespace, command.hook, serial, command.delivery, ctx.stamp_ms, command.safe_ms,
        deliveries.text_of(firings),
    )  # fmt: skip
    deliveries.insert(ctx.store, row)
    runs = sum(not each.outcome for each in firings)
    ctx.emit(e.Delivered(command.namespace, command.hook, command.delivery, runs))
    ctx.changed("hook", command.namespace, command.hook, after=command.delivery)
    return done(firings=row.firings, repeated=False)


def _changed(ctx: Context, command: Deliver) -> str:
    """What is otherwise than its proposer saw it; empty: nothing is."""
    revision = object_rows.revision_of(ctx.store, "hook", command.namespace, command.hook)
    if revision != command.hook_revision:
        return f"hook {command.namespace}/{command.hook} is at revision {revision or 0}"
    secret = secrets.find(ctx.store, command.secret_namespace, command.secret)
    if secret is None or secret.version != command.secret_version:
        return f"secret {command.secret_namespace}/{command.secret} has another value"
    hook = Named("hook", command.namespace, command.hook)
    if not secret_uses.serves(ctx.store, hook, secret.namespace, secret.name):
        return f"secret {command.secret_namespace}/{command.secret} is not granted to it"
    event = causes.hooked(command.namespace, command.hook)
    if trigger_rows.awaiting(ctx.store, event, TRIGGERS_MAX + 1) != [
        each.trigger for each in command.firings
    ]:
        return "it has other triggers"
    for each in command.firings:
        trigger = trigger_rows.firing(ctx.store, each.trigger)
        assert trigger is not None, "it is one of those that there are"
        if trigger.revision != each.revision:
            return f"job {trigger.namespace}/{trigger.name} is at revision {trigger.revision}"
    return ""


def _serial(ctx: Context, command: Deliver) -> int | None:
    """Of the next delivery, for which the oldest makes room; None: there is none."""
    newest = deliveries.newest(ctx.store, command.namespace, command.hook, None, 1)
    oldest = deliveries.oldest(ctx.store, command.namespace, command.hook)
    if not newest or oldest is None:
        return 1
    if newest[0].serial - oldest.serial + 1 >= KEPT_MAX:
        if oldest.safe_ms > ctx.stamp_ms:
            return None
        deliveries.drop(ctx.store, oldest)
    return newest[0].serial + 1


def _fire(ctx: Context, command: Deliver, asked: HookFiring, missed: str) -> Firing:
    ctx.room -= ROW
    trigger = trigger_rows.firing(ctx.store, asked.trigger)  # as it is behind another of the same job
    assert trigger is not None
    key = trigger_rows.key_of(ctx.store, trigger.id)
    cause = Cause(Kind.WEBHOOK, f"{key}/{command.delivery}", trigger.id)
    outcome = arriving.fire(ctx, cause, trigger, due_ms=ctx.stamp_ms, missed=missed, params=_params(asked))
    told = outcome.value or {}
    return Firing(
        trigger.job, trigger.name, key, int(str(told.get("run", 0))), str(told.get("outcome", "")),
        str(told.get("reason", "")),
    )  # fmt: skip


def _params(asked: HookFiring) -> str:
    return asked.params.decode("utf-8", "replace")
