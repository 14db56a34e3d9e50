"""What an act on objects and jobs would do, by the state as it is here: for dry runs, and for prune."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from api import access
from api.call import Call
from api.outcomes import need_proposable
from api.problems import FieldError, Problem
from api.references import Place, Places, need_targets
from scheduler.machine.rules import pruning
from scheduler.model import Job
from scheduler.model.objects import NAMES, kind_of
from scheduler.model.objects.parsing import JOB, Definition
from scheduler.store.connection import Store
from scheduler.store.reads import objects as object_reads
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables.refs import Named
from scheduler.words.commands import Apply, Deletion, PreparedJob, PreparedObject

DIFF = ("created", "changed", "unchanged", "deleted")
OWNED_MAX = 100_000


class Item(NamedTuple):
    """One document of a request."""

    pointer: str  #: to it, in the body; empty: it is the body
    data: dict[str, Any]
    parsed: Job | Definition
    prepared: PreparedJob | PreparedObject

    @property
    def what(self) -> Named:
        made = self.prepared
        return Named(made.kind if isinstance(made, PreparedObject) else JOB, made.namespace, made.name)


def need_capable(call: Call, parsed: Job | Definition) -> None:
    """Raises Problem forbidden for what the caller may not put: of a kind that acts in several namespaces, in
    each of them."""
    if isinstance(parsed, Job):
        call.need(access.EDIT, namespace=parsed.namespace)
        return
    reach = parsed.kind.reach
    for namespace in (parsed.namespace,) if reach is None else reach(parsed.given):
        call.need(parsed.kind.capability, namespace=namespace)


def need_of_all(store: Store, call: Call, items: Sequence[Item], gone: Sequence[Deletion] = ()) -> None:
    """Raises Problem forbidden for what concerns all namespaces, or did until now, where the caller may not
    edit in all of them."""
    if call.principal.may(access.EDIT, access.Reach.ALL):
        return
    given = {item.what: item for item in items if isinstance(item.prepared, PreparedObject)}
    errors = []
    for what in (*given, *(Named(each.kind, each.namespace, each.name) for each in gone)):
        of_all = kind_of(what.kind).of_all if what.kind in NAMES else None
        if of_all is None:
            continue
        item, row = given.get(what), object_rows.find(store, *what)
        specs = [*([] if item is None else [item.prepared.spec]), *([] if row is None else [row.spec])]
        if any(of_all(json.loads(spec)) for spec in specs):
            errors.append(FieldError("" if item is None else item.pointer, f"{what} concerns all namespaces"))
    if errors:
        detail = f"{errors[0].detail}: to put, change or delete it needs 'edit' in all of them"
        hint = "Ask for a role in all namespaces, or leave it out."
        raise Problem("forbidden", detail, hint=hint, errors=errors)


def places(items: Sequence[Item]) -> Places:
    return {item.what: Place(item.pointer, item.parsed) for item in items}


def need_possible(store: Store, call: Call, command: Apply, items: Sequence[Item], *, what: str) -> None:
    """Raises the Problem that proposing this very command would end in: of its size, its ticks, and what
    refers to what. Of triggers in the past see `jobs.bodies`, of revisions `diff`."""
    need_proposable(command, what=what, store=store, places=places(items))
    puts = {item.what: item.prepared.refers for item in items}
    gone = {Named(each.kind, each.namespace, each.name): each for each in command.deletions}
    need_targets(store, call, puts, gone, places(items))


def diff(store: Store, command: Apply) -> dict[str, list[dict[str, Any]]]:
    """What would become of each."""
    found: dict[str, list[dict[str, Any]]] = {word: [] for word in DIFF}
    put: tuple[PreparedObject | PreparedJob, ...] = (*command.objects, *command.jobs)
    for new in put:
        what = Named(getattr(new, "kind", JOB), new.namespace, new.name)
        row = job_rows.find(store, *what[1:]) if what.kind == JOB else object_rows.find(store, *what)
        revision = None if row is None else row.revision
        if new.if_revision is not None and new.if_revision != (revision or 0):
            _refuse_revision(what, revision, new.if_revision)
        same = row is not None and bytes(row.spec) == new.spec
        word = "created" if row is None else "unchanged" if same else "changed"
        found[word].append({**what._asdict(), "revision": revision})
    for each in command.deletions:
        what = Named(each.kind, each.namespace, each.name)
        found["deleted"].append({**what._asdict(), "revision": each.if_revision})
    return found


def _refuse_revision(what: Named, revision: int | None, expected: int) -> None:
    if expected == 0:
        raise Problem("exists", f"there is a {what.kind} {what.name!r} already", extra={"dry_run": True})
    found = "none" if revision is None else str(revision)
    raise Problem("revision-mismatch", f"revision {expected} was expected, found {found}")


def committed(value: dict[str, object]) -> dict[str, list[dict[str, Any]]]:
    """The diff as the log decided it."""
    found: dict[str, list[dict[str, Any]]] = {word: [] for word in DIFF}
    for part in ("objects", "jobs", "deleted"):
        rows: Any = value.get(part)
        for row in rows or ():
            made = row.get("created")
            word = "deleted" if made is None else "created" if made else _changed(row)
            kind = row.get("kind", JOB)
            found[word].append({"kind": kind, **{key: row[key] for key in ("namespace", "name", "revision")}})
    return found


def _changed(row: dict[str, Any]) -> str:
    return "changed" if row["changed"] else "unchanged"


def pruned(
    store: Store, source: str, kept: Sequence[Named], most: int | None, need: Callable[[str], None]
) -> tuple[Deletion, ...]:
    """What the source owns and does not name any more. Raises Problem for more than a slip should cost, and
    `need`, before that, for a namespace that the caller may not edit: what is there is not counted to him."""
    owned = object_reads.owned_by(store, source, OWNED_MAX)
    names = dict.fromkeys(kept)
    gone = [each for each in owned if Named(*each[:3]) not in names]
    for namespace in dict.fromkeys(each.namespace for each in gone):
        need(namespace)
    if refusal := pruning.refusal(source, len(owned), len(gone), most):
        raise Problem("conflict", refusal, hint=pruning.hint(len(gone)))
    return tuple(Deletion(*each) for each in gone)
