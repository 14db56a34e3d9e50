"""An object is put or deleted: judged, proposed, and answered as it is then."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from api import access
from api.call import Call, json_response
from api.edits import propose_edit
from api.jobs.bodies import one_document, placed
from api.jobs.writing import precondition
from api.moves import moves
from api.objects.judging import Item, diff, need_capable, need_of_all, need_possible, places
from api.objects.reading import find_object, named, object_json
from api.objects.secrets import need_serving
from api.outcomes import expect_ok
from api.problems import FieldError, Problem, from_job_problems
from api.references import need_nameable, need_references
from api.reserving import give_back_of
from api.services import Services
from api.templates import need_followers
from api.threads import BODIES, in_thread, judge_body, write_of
from api.zone_data import need_zones
from scheduler.model import JobError
from scheduler.model.objects import kind_of
from scheduler.model.objects.parsing import parse_object, prepare_object
from scheduler.model.server_facts import definition_of
from scheduler.model.templates import KIND
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables.refs import Named
from scheduler.words.commands import Apply, Deletion
from scheduler.words.outcomes import Code, Outcome


async def put_object(services: Services, call: Call, plural: str, name: str) -> Response:
    call.need(access.EDIT, namespace=access.Reach.ANY)
    what = named(plural, call.namespace, name)
    if_revision = _precondition(services, call, what)
    now_ms = services.scheduler.now_ms()

    def judge() -> Item:
        return _item(call, what, now_ms, if_revision)

    computes = kind_of(what.kind).computed is not None
    item = await (BODIES.run(judge) if computes else judge_body(len(call.body), judge))
    need_capable(call, item.parsed)
    what = item.what
    need_nameable(call, what, item.parsed.refers)
    with services.scheduler.read() as store:
        need_of_all(store, call, [item])
        need_serving(store, services.settings.vault, [item])
    await need_zones(services.scheduler, item.parsed, trial=call.flag("dry_run"))
    key, body = call.idempotency()
    command = Apply((item.prepared,), (), (), now_ms, call.actor, key, body)  # type: ignore[arg-type]  # no job
    follow = await in_thread(need_followers, call, command)
    if call.flag("dry_run"):
        with services.scheduler.read() as store:
            need_possible(store, call, command, [item], what=str(what))
            (word,) = (word for word, found in diff(store, command).items() if found)
            stored = object_rows.find(store, *what)
            told = moves(store, command, now_ms, lambda of: call.principal.may(access.READ, of))
        revision = None if stored is None else stored.revision
        answer = {"dry_run": True, "name": name, "namespace": what.namespace, "change": word}
        told |= {"follow": follow} if what.kind == KIND else {}
        return json_response({**answer, "revision": revision, **told})
    await give_back_of(services.scheduler, command, call.actor)
    async with write_of(len(item.prepared.spec)):
        outcome = await propose_edit(services.scheduler, command)
    value = _accepted(services, call, outcome, what, [item])
    (put,) = value["objects"]
    with services.scheduler.read() as store:
        row = object_rows.find(store, *what)
    if row is None:  # deleted again before this answer, and the write was made
        raise Problem("conflict", f"{what} was put at revision {put['revision']}, and is deleted by now")
    headers = {"ETag": f'"{put["revision"]}"'}
    if put["created"]:
        headers["Location"] = f"/v1/{plural}/{name}?namespace={what.namespace}"
    return json_response(object_json(row), 201 if put["created"] else 200, headers)


async def delete_object(services: Services, call: Call, plural: str, name: str) -> Response:
    what = named(plural, call.namespace, name)
    call.need(kind_of(what.kind).capability, namespace=call.namespace)
    if_revision = _precondition(services, call, what)
    key, body = call.idempotency()
    gone = Deletion(*what, if_revision)
    with services.scheduler.read() as store:
        need_of_all(store, call, [], [gone])
    command = Apply((), (), (gone,), services.scheduler.now_ms(), call.actor, key, body)
    if call.flag("dry_run"):
        with services.scheduler.read() as store:
            row = find_object(store, what)
            if if_revision not in (None, row.revision):
                detail = f"revision {if_revision} was expected, found {row.revision}"
                raise Problem("revision-mismatch", detail)
            need_possible(store, call, command, [], what=str(what))
        answer = {"dry_run": True, "name": name, "namespace": what.namespace, "change": "deleted"}
        return json_response(answer)
    await give_back_of(services.scheduler, command, call.actor)
    outcome = await propose_edit(services.scheduler, command)
    if outcome.code == Code.NOT_FOUND:
        with services.scheduler.read() as store:
            find_object(store, what)
    _accepted(services, call, outcome, what, [])
    return Response(status_code=204)


def _accepted(
    services: Services, call: Call, outcome: Outcome, what: Named, items: list[Item]
) -> dict[str, Any]:
    if not outcome.ok:
        with services.scheduler.read() as store:
            need_references(store, call, outcome, places(items))
    return expect_ok(outcome, what=f"{what.kind} {what.name}")


def _precondition(services: Services, call: Call, what: Named) -> int | None:
    if_revision = precondition(call)
    if if_revision is None and call.headers.get("if-match") == "*":
        with services.scheduler.read() as store:
            if not object_rows.exists(store, *what):
                raise Problem("revision-mismatch", f"If-Match: *, but there is no {what.kind} {what.name!r}")
    return if_revision


def _item(call: Call, what: Named, now_ms: int, if_revision: int | None) -> Item:
    """The body's object; the path's name must be its own, or is filled in."""
    document = one_document(call, what.kind)
    data = definition_of(document)
    for field, own, asked in ((what.kind, what.name, "path"), ("namespace", what.namespace, "query")):
        given = data.get(field)
        if field == "namespace" and not call.query.get("namespace"):
            continue
        if isinstance(given, str) and given != own:
            detail = f"the body's {field} is {given[:100]!r}, the {asked}'s {own[:100]!r}"
            raise Problem("validation", detail, errors=[FieldError(f"/{field}", detail)])
    data.setdefault(what.kind, what.name)
    try:
        parsed = parse_object(kind_of(what.kind), data, namespace_default=call.namespace)
        return Item("", document, parsed, prepare_object(parsed, now_ms, if_revision))
    except JobError as error:
        raise from_job_problems(placed(call, error.problems), what=f"the {what.kind}") from None
