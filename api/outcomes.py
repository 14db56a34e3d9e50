"""From the machine's refusals (`Outcome.code`) to problems."""

from __future__ import annotations

from collections.abc import Mapping

from api.problems import FieldError, Problem
from api.references import NOWHERE, Places
from scheduler.machine.rules import (
    owning,
    route_counts,
    shared_asks,
    substitutes,
    together,
)
from scheduler.store.connection import Store
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.namespaces import KIND
from scheduler.store.tables.refs import Named
from scheduler.words import sizes
from scheduler.words.commands import Apply, Command, PutJobs
from scheduler.words.outcomes import Code, Outcome

KIND_OF_CODE = {
    Code.NOT_FOUND: "not-found",
    Code.EXISTS: "exists",
    Code.MISSING: "validation",
    Code.CYCLE: "validation",
    Code.REFERRED: "conflict",
    Code.OWNED: "owned",
    Code.REVISION_MISMATCH: "revision-mismatch",
    Code.KEY_REUSED: "idempotency-key-reused",
    Code.CONFLICT: "conflict",
    Code.FORMAT: "conflict",
    Code.ENDED: "conflict",
    Code.INVALID: "validation",
    Code.SWITCHING: "unavailable",
    Code.LIMIT: "too-many-requests",
    Code.TOO_LARGE: "too-large",
    Code.TOO_MANY_TICKS: "validation",
    Code.QUOTA: "conflict",
    Code.NOT_ALLOWED: "validation",
    Code.REFERRED: "conflict",
}

FEWER_TICKS = (
    "Use longer periods or fewer triggers, or let one task do the work of many ticks. An administrator raises"
    " the limits: cronclave cluster tick-limits."
)

NO_CYCLE = "Leave one of these ends out, or say `allow_cycle: true` beside the `after` that closes it."

PLACED: Mapping[Code, Mapping[str, object]] = {
    Code.TOO_MANY_TICKS: {"pointer": "/triggers", "hint": FEWER_TICKS},
    Code.CYCLE: {"pointer": "/triggers", "hint": NO_CYCLE},
}
"""Where these are to be mended, and how."""


def need_proposable(
    command: Command, *, what: str, store: Store | None = None, places: Places = NOWHERE
) -> None:
    """What a dry run owes: raises the Problem that proposing this very command would end in. `store`: for
    jobs, whose triggers have to be within the limits of ticks, and whose secrets have to be granted."""
    written = sizes.written(command)
    if isinstance(written, Outcome):
        expect_ok(written, what=what)
    if isinstance(command, PutJobs | Apply) and store is not None:
        asked = [
            (job, job_rows.standing_named(store, job.namespace, job.name) is None) for job in command.jobs
        ]
        gone = _jobs_gone(store, command)
        objects, deletions = (command.objects, command.deletions) if isinstance(command, Apply) else ((), ())
        gone_names = [(each.kind, each.namespace, each.name) for each in deletions]
        beside = substitutes.put_with(objects, gone_names)
        refusal = together.judge(store, asked, gone, shared_asks.changes(store, beside) if beside else ())
        refusal = refusal or substitutes.judge(store, objects, beside)
        refusal = refusal or route_counts.judge(store, route_counts.change(store, objects, gone_names))
        refusal = refusal or _owned(store, command)
        if refusal is not None:
            expect_ok(refusal, what=what, places=places)


def _owned(store: Store, command: PutJobs | Apply) -> Outcome | None:
    """The refusal of an edit of what comes from a source."""
    objects, deletions = (command.objects, command.deletions) if isinstance(command, Apply) else ((), ())
    named = [("job", new.namespace, new.name, new.spec) for new in command.jobs]
    named += [(new.kind, new.namespace, new.name, new.spec) for new in objects]
    named += [(gone.kind, gone.namespace, gone.name, b"") for gone in deletions]
    for kind, namespace, name, spec in named:
        what = Named(kind, namespace, name)
        row = job_rows.find(store, namespace, name) if kind == "job" else object_rows.find(store, *what)
        if row is None or not row.source or row.spec == spec:
            continue
        if refusal := owning.judge(store, what, row.source, command.source):
            return refusal
    return None


def _jobs_gone(store: Store, command: PutJobs | Apply) -> list[Job]:
    """Those that it deletes."""
    deletions = command.deletions if isinstance(command, Apply) else ()
    found = (job_rows.find(store, each.namespace, each.name) for each in deletions if each.kind == "job")
    return [row for row in found if row is not None]


def expect_ok(
    outcome: Outcome, *, what: str, hint: str = "", places: Places = NOWHERE
) -> dict[str, object]:
    """The outcome's value; raises the Problem of a refusal, with the place that it is about: of several
    documents, in that of its name."""
    if outcome.ok:
        return dict(outcome.value or {})
    kind = KIND_OF_CODE.get(outcome.code, "conflict")
    extra = {"code": outcome.code, **({"value": outcome.value} if outcome.value else {})}
    detail = outcome.detail
    if outcome.code == Code.EXISTS and outcome.value and outcome.value.get("kind") != KIND:
        named = "{namespace}/{name}".format_map(outcome.value)
        noun = outcome.value.get("kind", "job")
        detail = f"a {noun} {named} exists already, at revision {outcome.value['revision']}"
    elif outcome.code == Code.REVISION_MISMATCH and outcome.value:
        detail = f"{what} is at revision {outcome.value.get('revision')}"
    elif outcome.code == Code.TOO_LARGE:
        detail = f"{what} is too large: {detail}"
    told = {**PLACED.get(outcome.code, {}), **(outcome.value or {})}
    hint = str(told.get("hint", hint))
    detail = detail or f"{what}: {outcome.code.replace('_', ' ')}"
    errors = []
    if "pointer" in told:
        who = Named(*(str(told.get(name, "job")) for name in Named._fields))
        place, pointer = places.get(who), str(told["pointer"])
        if place is None and places:  # of the one document that was sent, or of all of them together
            place = next(iter(places.values())) if len(places) == 1 else None
            pointer = pointer if place is not None else ""
        errors = [FieldError(pointer if place is None else place.of(pointer), detail, hint)]
    raise Problem(kind, detail, hint=hint, errors=errors, extra=extra)
