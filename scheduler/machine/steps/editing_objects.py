"""An object that jobs refer to is put or deleted: the same of it as `editing` is of jobs.

`judge` writes nothing, and what it passed `put` writes without a refusal. An unchanged spec makes no
revision; revisions go on counting per name, through deletion too.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.machine.context import Context
from scheduler.machine.rules import owning, revisions
from scheduler.machine.rules.routing import ROUTE, compiled_route
from scheduler.machine.steps import redating
from scheduler.machine.steps.editing import Edit
from scheduler.model.known_schedules import KIND as SCHEDULE
from scheduler.model.templates import KIND as TEMPLATE
from scheduler.store.tables import notices, refs, routes, sources, template_changes
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables.objects import Object, ObjectRevision
from scheduler.store.tables.refs import Named
from scheduler.words import events as e
from scheduler.words.commands import PreparedObject
from scheduler.words.outcomes import Outcome

OWN_PINS = (TEMPLATE, sources.KIND)
"""Kinds whose pins no trigger holds."""


class Judged(NamedTuple):
    new: PreparedObject
    stored: Object | None

    @property
    def is_same(self) -> bool:
        return self.stored is not None and self.stored.spec == self.new.spec


def named(record: PreparedObject) -> Named:
    return Named(record.kind, record.namespace, record.name)


def judge(ctx: Context, new: PreparedObject, source: str) -> Judged | Outcome:
    """`source`: where it comes from; empty: a person's hand."""
    stored = object_rows.find(ctx.store, *named(new))
    refusal = revisions.judge(named(new), stored and stored.revision, new.if_revision)
    if refusal is None and stored is not None and stored.source and stored.spec != new.spec:
        refusal = owning.judge(ctx.store, named(new), stored.source, source)
    if refusal is None and new.pin and new.kind not in OWN_PINS and (stored is None or stored.pin != new.pin):
        refusal = redating.refuse_edit_of_object(ctx, named(new), new)
    return refusal or Judged(new, stored)


def put(ctx: Context, edit: Edit, judged: Judged) -> dict[str, object]:
    """What became of it."""
    new, stored = judged
    what = named(new)
    if stored is not None and judged.is_same:
        if edit.source and edit.source != stored.source:
            object_rows.own(ctx.store, *what, edit.source)
        return {**what._asdict(), "revision": stored.revision, "created": False, "changed": False}
    moved = redating.concerned(ctx, what) if stored is not None and what.kind == SCHEDULE else []
    last = object_rows.last_revision(ctx.store, *what) if stored is None else stored.revision
    created_ms = edit.at_ms if stored is None else stored.created_ms
    source = edit.source if stored is None else owning.kept(stored.source, edit.source)
    object_rows.put(
        ctx.store,
        Object(
            *what, last + 1, new.labels, source, created_ms, edit.at_ms, edit.actor, new.spec, new.pin,
            new.per_day,
        ),
    )
    _revise(ctx, edit, what, last + 1, new.spec, deleted=0)
    refs.set_of(ctx.store, what, new.refers)
    was = None if stored is None else stored.revision
    ctx.changed(*what, was, last + 1, reason=edit.source, verb="put")
    ctx.emit(e.ObjectPut(*what, last + 1, stored is None))
    if what.kind == ROUTE:
        everywhere = compiled_route(new.spec).everywhere
        routes.put(ctx.store, what.namespace, what.name, everywhere=everywhere)
    if what.kind == TEMPLATE:
        if stored is not None and stored.pin != new.pin:
            template_changes.begin(ctx.store, what.namespace, what.name, ctx.state.idx)
    elif what.kind == sources.KIND:
        pass
    elif what.kind == SCHEDULE:
        if stored is None or stored.pin != new.pin:
            redating.follow(ctx, [*moved, *redating.concerned(ctx, what)], edit.at_ms)
    elif stored is not None and stored.pin != new.pin:
        redating.begin(ctx, what, new.pin, edit.at_ms)
    return {**what._asdict(), "revision": last + 1, "created": stored is None, "changed": True}


def delete(ctx: Context, edit: Edit, stored: Object) -> int:
    """Returns the revision that ends it."""
    what = Named(stored.kind, stored.namespace, stored.name)
    moved = redating.concerned(ctx, what)[1:] if what.kind == SCHEDULE else []
    object_rows.delete(ctx.store, *what)
    if what.kind == TEMPLATE:
        template_changes.drop(ctx.store, what.namespace, what.name)
    elif what.kind == sources.KIND:
        sources.drop(ctx.store, what.namespace, what.name)
    elif what.kind == ROUTE:
        routes.drop(ctx.store, what.namespace, what.name)
    refs.set_of(ctx.store, what, ())
    redating.follow(ctx, moved, edit.at_ms)
    if what.kind == notices.KIND:  # one of that name that comes later shows none of these
        notices.take_down_all(ctx.store, f"{what.namespace}/{what.name}")
    _revise(ctx, edit, what, stored.revision + 1, b"", deleted=1)
    ctx.changed(*what, stored.revision, None, reason=edit.source, verb="delete")
    ctx.emit(e.ObjectDeleted(*what))
    return stored.revision + 1


def _revise(ctx: Context, edit: Edit, what: Named, revision: int, spec: bytes, *, deleted: int) -> None:
    object_rows.insert_revision(
        ctx.store, ObjectRevision(*what, revision, spec, edit.at_ms, edit.idx, edit.actor, deleted)
    )
