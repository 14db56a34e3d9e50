"""Staged applies: what is too much for one command comes in slices, and goes live by one word.

A slice that is sent again counts once, and so does the word: whoever lost a reply sends it again, to any
node. What stands in the way of a commit is told when all was checked, by kind and name.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

from starlette.responses import Response

from api import access
from api.call import Call, json_response
from api.connection import leave_if_gone
from api.edits import propose_edit
from api.instants import rfc3339
from api.objects.judging import DIFF, diff
from api.outcomes import expect_ok
from api.problems import Problem, query_problem
from api.reserving import give_back_staged
from api.services import Services
from api.threads import in_thread, write_of
from scheduler.machine.rules.pruning import PRUNED_MAX
from scheduler.machine.stages import ITEMS_MAX, NAME_LETTERS_MAX, SLICE_ITEMS_MAX
from scheduler.store.connection import Store
from scheduler.store.tables import stages
from scheduler.store.tables.refs import Named
from scheduler.store.tables.stages import MOVING, Stage
from scheduler.words.commands import Apply, CommitStage, DropStage, StageSlice

COMMIT_WAIT_S = 20.0  #: then the reply is 202, and the stage goes on
LOOK_S = 0.1
CHANGES = ("created", "changed", "deleted")
PRUNE_LATER = "said with the commit of a staged apply: it is of all slices"


def stage_name(call: Call) -> str:
    """Raises Problem."""
    name = call.query.get("stage", "")
    if not 1 <= len(name) <= NAME_LETTERS_MAX or not name.isprintable():
        raise query_problem("stage", f"a name of 1 to {NAME_LETTERS_MAX} letters, that its client makes up")
    return name


def need_meaning(call: Call) -> None:
    """Raises Problem for a parameter that means nothing beside the others."""
    surplus: tuple[str, ...]
    if "stage" not in call.query:
        surplus, said = ("slice", "slices", "commit"), "only with `stage`: the name of a staged apply"
    elif call.flag("commit"):
        surplus, said = ("slice",), "a commit is of all slices: `slices` says how many were sent"
        if "source" in call.query:
            surplus, said = ("source",), "a stage has the source that its first slice named"
        elif "prune_max" in call.query and not call.flag("prune"):
            surplus, said = ("prune_max",), "only with `prune`: how many may be deleted"
    else:
        surplus, said = ("slices",), "only with `commit`: how many slices were sent"
        if "prune" in call.query or "prune_max" in call.query:
            surplus, said = ("prune", "prune_max"), PRUNE_LATER
    for name in surplus:
        if name in call.query:
            raise query_problem(name, said)


async def lay(
    services: Services, call: Call, asked: Apply, warnings: list[dict[str, Any]]
) -> Response:
    """Lay down one slice: what it asks for, and what that would change by itself, as things are now."""
    name, number = stage_name(call), call.integer("slice", 0, least=0, most=ITEMS_MAX)
    items = len(asked.objects) + len(asked.jobs) + len(asked.deletions)
    if items > SLICE_ITEMS_MAX:
        detail = f"{items} documents in one slice, at most {SLICE_ITEMS_MAX}"
        raise Problem("validation", detail, hint="Lay them down in more slices.")
    command = StageSlice(
        name, number, asked.objects, asked.jobs, asked.deletions, asked.after_ms, asked.actor,
        hashlib.sha256(call.body).digest(), asked.source,
    )  # fmt: skip
    size = sum(len(each.spec) for each in asked.objects) + sum(len(each.spec) for each in asked.jobs)
    async with write_of(size):
        outcome = await services.scheduler.propose(command, timeout_s=30.0)
    expect_ok(outcome, what=f"slice {number} of {name}")

    def answer() -> dict[str, Any]:
        with services.scheduler.read() as store:
            return {**document(_need(store, name)), "diff": diff(store, asked), "warnings": warnings}

    return json_response(await in_thread(answer))


async def commit(services: Services, call: Call) -> Response:
    """Check all of it and switch it live, or say what that would change: the reply comes when that is done,
    or 202 with how far it is."""
    name = stage_name(call)
    if "slices" not in call.query:
        raise query_problem("slices", "say how many slices were sent")
    slices = call.integer("slices", 0, least=1, most=ITEMS_MAX)
    prune = call.flag("prune")
    most = call.integer("prune_max", 0, least=0, most=PRUNED_MAX) if "prune_max" in call.query else None
    may_in = call.principal.where(access.EDIT) if prune else None
    command = CommitStage(name, slices, call.actor, call.flag("dry_run"), prune, most, may_in)
    if not command.dry_run:
        await give_back_staged(services.scheduler, name, call.actor, prune=prune)
    expect_ok(await propose_edit(services.scheduler, command), what=f"stage {name}")
    until_s = asyncio.get_running_loop().time() + COMMIT_WAIT_S
    while (told := _read(services, name))["state"] in MOVING:
        if asyncio.get_running_loop().time() >= until_s:
            return json_response(told, status=202)
        leave_if_gone()
        await asyncio.sleep(LOOK_S)
    if told["state"] not in ("done", "judged"):
        first = told["problems"][0]["detail"] if told["problems"] else told["reason"]
        raise Problem("conflict", f"stage {name} is {told['state']}: {first}", extra={"stage": told})
    return json_response(told)


def show(services: Services, call: Call) -> Response:
    with services.scheduler.read() as store:
        return json_response(document(_need_own(store, call)))


async def drop(services: Services, call: Call) -> Response:
    with services.scheduler.read() as store:
        row = _need_own(store, call)
    if call.flag("dry_run"):
        return json_response({"dry_run": True, "name": row.name, "namespace": "", "change": "dropped"})
    expect_ok(await services.scheduler.propose(DropStage(row.name, call.actor)), what=f"stage {row.name}")
    return Response(status_code=204)


def _need_own(store: Store, call: Call) -> Stage:
    """Of the caller, else of whom may edit everything: it may hold items of any namespace."""
    name = stage_name(call)
    row = stages.named(store, name)
    if row is None or row.actor != call.actor.name:
        call.need(access.EDIT, namespace=access.Reach.ALL)
    return _need(store, name)


def _read(services: Services, name: str) -> dict[str, Any]:
    with services.scheduler.read() as store:
        return document(_need(store, name))


def _need(store: Store, name: str) -> Stage:
    row = stages.named(store, name)
    if row is None:
        hint = "One that has ended is told of for an hour."
        raise Problem("not-found", f"there is no stage {name!r}", hint=hint)
    return row


def _names(row: Stage) -> dict[str, list[dict[str, str]]]:
    """Of those that would change the first, by kind, namespace and name."""
    first = json.loads(row.names)
    return {word: [Named._make(each)._asdict() for each in first.get(word, ())] for word in CHANGES}


def document(row: Stage) -> dict[str, Any]:
    has_begun = row.state in MOVING
    return {
        "stage": row.name,
        "state": row.state,
        "reason": row.reason,
        "actor": row.actor,
        "source": row.source,
        "slices": row.slices,
        "items": row.items,
        "bytes": row.bytes,
        "gone_through": row.items - row.left_items if has_begun else 0,
        "dry_run": bool(row.dry_run),
        **{word: row.total(word) for word in DIFF},
        "kinds": {kind: {word: counts.get(word, 0) for word in DIFF} for kind, counts in row.counts.items()},
        "names": _names(row),
        "owned": row.owned,
        "pruned": row.pruned,
        "opened_at": rfc3339(row.created_ms),
        "until": rfc3339(row.until_ms),
        "live_at": rfc3339(row.at_ms),
        "problems": json.loads(row.problems),
    }
