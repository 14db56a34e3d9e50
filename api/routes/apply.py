"""POST /v1/apply: jobs and objects of every kind at once, all or none, with a diff of what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas, staging
from api.calendar_dates import TRIES, calendars_of, schedules_of
from api.call import Call, call_of, json_response, json_type
from api.cautioned import by_hand, warnings_of
from api.dropped import dropped
from api.edits import propose_edit
from api.jobs.asking import unmet
from api.jobs.bodies import documents, need_unspent
from api.moves import moves
from api.objects.judging import (
    Item,
    committed,
    diff,
    need_capable,
    need_of_all,
    need_possible,
    places,
    pruned,
)
from api.objects.secrets import need_serving
from api.outcomes import expect_ok
from api.parameters import EACH, need_no_body
from api.problems import FieldError, Problem, from_job_problems
from api.references import need_nameable, need_references
from api.reserving import give_back_of
from api.services import Services, services_of
from api.templates import need_followers, templates_of
from api.threads import LARGE_BYTES, in_thread, judge_body, write_of
from api.zone_data import keep_zones, need_zones
from scheduler.machine.rules.pruning import PRUNED_MAX
from scheduler.machine.rules.spent import spent
from scheduler.model import Job, JobError
from scheduler.model.known_dates import KIND, NO_CALENDARS, Calendars
from scheduler.model.known_schedules import KIND as SCHEDULE
from scheduler.model.known_schedules import NO_SCHEDULES, Schedules
from scheduler.model.objects.parsing import Definition, computes, parse_document, prepare_document
from scheduler.model.server_facts import definition_of
from scheduler.store.connection import Store
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables.refs import Named
from scheduler.words.commands import Apply, Deletion, PreparedJob, PreparedObject
from scheduler.words.outcomes import Code

router = APIRouter(tags=["jobs"], dependencies=EACH)

ITEMS_MAX = 1_000
LISTS = ("jobs", "objects")
FLAGS = ("dry_run", "prune")
FIELDS = frozenset({*LISTS, *FLAGS, "prune_max", "source"})
ERRORS_MAX = 200
STAGE_IT = "Lay it down in slices, with ?stage=NAME, which go live together."


class _Asked(NamedTuple):
    given: list[tuple[str, Any]]  #: the pointer of each document, and the document
    dry_run: bool
    prune: bool
    prune_max: int | None
    source: str


@router.post("/v1/apply", operation_id="applyJobs", openapi_extra=schemas.apply_jobs)
async def apply_jobs(request: Request) -> Response:
    """Create or change up to 1,000 jobs and objects of every kind, all or none, as one command of 1 MiB.
    They may refer to each other. `prune` deletes what the source owns and does not name any more. Replies
    with what was created, changed, unchanged, deleted.

    With `stage`: lay down a slice of up to 100,000 of them, which `commit` switches live, all or none; with
    `dry_run` it says what all of them together would change, with `prune` what would go too."""
    return await applied(services_of(request), call_of(request))


async def applied(services: Services, call: Call) -> Response:
    """As the route; raises Problem."""
    call.need(access.EDIT, namespace=access.Reach.ANY)
    staging.need_meaning(call)
    if call.flag("commit"):
        need_no_body(call)
        return await staging.commit(services, call)
    size = len(call.body)
    asked = await judge_body(size, lambda: _asked(call))
    if "stage" in call.query and asked.prune:
        raise _wrong("prune", staging.PRUNE_LATER)
    now_ms = services.scheduler.now_ms()
    weight = size if not any(computes(data) for _, data in asked.given) else LARGE_BYTES
    items = await judge_body(weight, lambda: _items(call, asked.given, now_ms))
    _need_ownable(asked, items)
    with services.scheduler.read() as store:
        need_serving(store, services.settings.vault, items)
    zoned = not asked.dry_run and any(_names_zone(item) for item in items)
    if zoned and await keep_zones(services.scheduler):
        items = await judge_body(weight, lambda: _items(call, asked.given, now_ms))
    for item in items:
        await need_zones(services.scheduler, item.parsed, trial=asked.dry_run)
    if asked.prune:  # what another node was told is the source's too
        await services.scheduler.catch_up(timeout_s=access.CATCH_UP_S)
    command = await in_thread(_command, services, call, asked, items, now_ms)

    def need_all_unspent(over: object) -> None:
        jobs = [item for item in items if isinstance(item.prepared, PreparedJob)]
        parsed = [item.parsed for item in jobs if isinstance(item.parsed, Job)]
        need_unspent(
            [item.data for item in jobs], parsed, over, now_ms, [item.pointer for item in jobs],
            calendars=_known(call, items)[0],
        )  # fmt: skip

    if asked.dry_run:

        def may_see(namespace: str) -> bool:
            return call.principal.may(access.READ, namespace)

        def judge() -> dict[str, Any]:
            with services.scheduler.read() as store:
                need_all_unspent(_spent(store, command.jobs, now_ms))
                need_possible(store, call, command, items, what="apply")
                told = moves(store, command, now_ms, may_see)
                told |= {"follow": need_followers(call, command)}
                told |= dropped(store, command.jobs, command.deletions, now_ms, may_see)
                return diff(store, command) | told

        told = await in_thread(judge)
        return json_response({"dry_run": True, **told, "warnings": _warnings(services, asked, items)})
    await in_thread(need_followers, call, command)
    if "stage" in call.query:
        return await staging.lay(services, call, command, _warnings(services, asked, items))
    await give_back_of(services.scheduler, command, call.actor)
    for left in reversed(range(TRIES)):
        async with write_of(sum(len(item.prepared.spec) for item in items)):
            outcome = await propose_edit(services.scheduler, command, timeout_s=30.0)
        if outcome.code != Code.SUPERSEDED or not left:
            break
        # A calendar was edited after the jobs had been prepared by it, or other zone data came into force.
        items = await judge_body(weight, lambda: _items(call, asked.given, now_ms))
        command = await in_thread(_command, services, call, asked, items, now_ms)
    if outcome.code == Code.PAST:
        need_all_unspent((outcome.value or {}).get("triggers"))
    if not outcome.ok:
        with services.scheduler.read() as store:
            need_references(store, call, outcome, places(items))
    value = expect_ok(outcome, what="apply", places=places(items))
    warnings = _warnings(services, asked, items)
    return json_response({"dry_run": False, **committed(value), "warnings": warnings})


def _need_ownable(asked: _Asked, items: Sequence[Item]) -> None:
    """Who may edit prunes what a label owns: nothing that takes more than that to put."""
    for item in items if asked.source else ():
        if not isinstance(item.parsed, Job) and item.parsed.kind.capability != access.EDIT:
            detail = f"{item.what.kind} {item.what.name} is an administrator's, and no label owns it"
            raise Problem(
                "validation", detail, hint="apply it without a source",
                errors=[FieldError(item.pointer, detail)],
            )  # fmt: skip


def _warnings(services: Services, asked: _Asked, items: Sequence[Item]) -> list[dict[str, Any]]:
    found = warnings_of(item.parsed for item in items if isinstance(item.parsed, Job))
    with services.scheduler.read() as store:
        return [*found, *by_hand(store, (item.what for item in items), asked.source)]


def _command(services: Services, call: Call, asked: _Asked, items: Sequence[Item], now_ms: int) -> Apply:
    deletions: tuple[Deletion, ...] = ()
    if asked.prune:
        with services.scheduler.read() as store:
            deletions = pruned(
                store, asked.source, [item.what for item in items], asked.prune_max,
                lambda namespace: call.need(access.EDIT, namespace=namespace),
            )  # fmt: skip
        if len(items) + len(deletions) > ITEMS_MAX:
            detail = f"{len(items)} documents and {len(deletions)} that are deleted, at most {ITEMS_MAX}"
            raise Problem("too-large", detail, hint=STAGE_IT)
    with services.scheduler.read() as store:
        need_of_all(store, call, items, deletions)
    key, body = call.idempotency()
    prepared = [item.prepared for item in items]
    return Apply(
        tuple(made for made in prepared if isinstance(made, PreparedObject)),
        tuple(made for made in prepared if isinstance(made, PreparedJob)),
        deletions, now_ms, call.actor, key, body, asked.source,
    )  # fmt: skip


def _asked(call: Call) -> _Asked:
    found = documents(call)
    flags = {name: call.flag(name) for name in FLAGS}
    source: object = call.query.get("source", "")
    most: object = None
    if "prune_max" in call.query:
        most = call.integer("prune_max", 0, least=0, most=PRUNED_MAX)
    lists = {"jobs": found[0] if len(found) == 1 and isinstance(found[0], list) else found}
    if len(found) == 1 and isinstance(found[0], dict) and any(name in found[0] for name in LISTS):
        head = found[0]
        _need_fields(head)
        flags = {name: given or head.get(name) is True for name, given in flags.items()}
        source, most = head.get("source", source), head.get("prune_max", most)
        lists = {name: head[name] for name in LISTS if name in head}
    if not isinstance(source, str) or len(source) > 500:
        raise Problem("validation", "source is a text of at most 500 letters")
    if most is not None and (type(most) is not int or not 0 <= most <= PRUNED_MAX):
        raise _wrong("prune_max", f"a whole number from 0 to {PRUNED_MAX}")
    if flags["prune"] and not source:
        raise _wrong("source", "prune deletes what a source owns: say which")
    given = [(f"/{name}/{place}", data) for name, items in lists.items() for place, data in enumerate(items)]
    if not given and not flags["prune"]:
        raise Problem("validation", "there is nothing in it", errors=[FieldError("/objects", "it is empty")])
    if len(given) > ITEMS_MAX:
        detail = f"{len(given)} documents at once, at most {ITEMS_MAX}"
        raise Problem("validation", detail, hint=STAGE_IT)
    return _Asked(given, flags["dry_run"], flags["prune"], most, source)


def _need_fields(head: dict[str, Any]) -> None:
    unknown = [name for name in head if name not in FIELDS]
    if unknown:
        errors = [FieldError(f"/{name[:100]}", "unknown field") for name in unknown[:20]]
        raise Problem("validation", f"unknown field {unknown[0][:100]!r}", errors=errors)
    for name in FLAGS:
        if type(head.get(name, False)) is not bool:
            raise _wrong(name, f"{name} is true or false")
    for name in LISTS:
        if not isinstance(head.get(name, []), list):
            raise _wrong(name, f"{name} is an array, not {json_type(head[name])}")


def _wrong(field: str, detail: str) -> Problem:
    return Problem("validation", detail, errors=[FieldError(f"/{field}", detail)])


def _items(call: Call, given: Sequence[tuple[str, Any]], now_ms: int) -> list[Item]:
    format = call.scheduler.status().format
    items: list[Item] = []
    first: dict[Named, str] = {}
    errors: list[Any] = []
    read: list[tuple[str, Any, Job | Definition]] = []
    given_by = templates_of(call, [data for _, data in given])
    for pointer, data in given:
        try:
            parsed = parse_document(
                data, namespace_default=call.namespace, format=format, defaults=call.defaults,
                templates=given_by,
            )  # fmt: skip
            need_capable(call, parsed)
            read.append((pointer, data, parsed))
        except JobError as error:
            errors += [problem.below(pointer) for problem in error.problems]
            if len(errors) > ERRORS_MAX:
                break
    # Jobs last: they are prepared by the calendars that come with them.
    known: tuple[Calendars, Schedules] | None = None
    for pointer, data, parsed in sorted(read, key=lambda each: isinstance(each[2], Job)):
        try:
            if isinstance(parsed, Job) and known is None:
                known = _known(call, items, [each for _, _, each in read if isinstance(each, Job)])
            gives = call.defaults(parsed.namespace)
            calendars, schedules = known or (NO_CALENDARS, NO_SCHEDULES)
            made = prepare_document(
                parsed, now_ms, format=format, given=gives, calendars=calendars, schedules=schedules
            )
        except JobError as error:
            errors += [problem.below(pointer) for problem in error.problems]
            continue
        item = Item(pointer, definition_of(data), parsed, made)
        before = first.setdefault(item.what, pointer)
        if before != pointer:
            errors.append(
                FieldError(f"{pointer}/{item.what.kind}", f"{item.what} is in it twice: also at {before}")
            )
        need_nameable(call, item.what, parsed.refers, pointer)
        items.append(item)
    errors += _unmet(call, items)
    if errors:
        raise from_job_problems(errors[:ERRORS_MAX], what="apply")
    return items


def _unmet(call: Call, items: Sequence[Item]) -> list[Any]:
    """Slices of a stage that were laid down before may change what objects have: nothing is said of these."""
    if "stage" in call.query:
        return []
    made = [item.prepared for item in items if isinstance(item.prepared, PreparedObject)]
    puts = {(put.kind, put.namespace, put.name): put.spec for put in made}
    found: list[Any] = []
    with call.scheduler.read() as store:
        for item in items:
            if isinstance(item.parsed, Job) and item.prepared.refers:
                found += [problem.below(item.pointer) for problem in unmet(store, item.parsed, puts)]
    return found


def _names_zone(item: Item) -> bool:
    return isinstance(item.parsed, Job) and item.parsed.names_zone


def _known(
    call: Call, items: Sequence[Item], jobs: Sequence[Job] | None = None
) -> tuple[Calendars, Schedules]:
    """As they are put with the jobs, were laid down before in the same stage, or are there. `jobs`: those
    that are asked for, else those among the items."""
    if jobs is None:
        jobs = [item.parsed for item in items if isinstance(item.parsed, Job)]
    refers = [target for job in jobs for target in job.refers if target.kind in (KIND, SCHEDULE)]
    if not refers and not any(job.names_zone for job in jobs):
        return NO_CALENDARS, NO_SCHEDULES
    puts = [item.prepared for item in items if isinstance(item.prepared, PreparedObject)]
    stage = call.query.get("stage", "")
    with call.scheduler.read() as store:
        known = schedules_of(store, puts, stage)
        found = {of: known(*of) for job in jobs for of in job.schedules}
        return calendars_of(store, refers, puts, stage), lambda namespace, name: found[namespace, name]


def _spent(store: Store, jobs: Sequence[PreparedJob], now_ms: int) -> list[list[int]]:
    """The (job, trigger) that would be refused."""
    over: list[list[int]] = []
    for place, job in enumerate(jobs):
        row = job_rows.find(store, job.namespace, job.name)
        over += [[place, each] for each in spent(store, job, None if row is None else row.id, now_ms)]
    return over[:ERRORS_MAX]
