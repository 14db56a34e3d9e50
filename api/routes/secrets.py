"""Secrets: put, granted, deleted, encrypted anew. A value comes in and is told to nobody but the tasks that
are given it: not here, not in a refusal, not to an administrator.

Rules: a value is encrypted before it is proposed, so the log never has it; and no request of these is
remembered by an Idempotency-Key: the hash of a body would tell a short secret to whoever has the state. All
of them may be repeated as they are.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of, json_response
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.edits import propose_edit
from api.objects.secrets import need_serving_all
from api.outcomes import expect_ok
from api.parameters import EACH
from api.ports import VaultError
from api.problems import Problem
from api.references import need_references
from api.secrets import fields_of, need_names, need_secret, need_value, patterns_of, place, secret_json
from api.services import Services, services_of
from scheduler.machine.rules import references
from scheduler.machine.secrets import RESEALED_MAX
from scheduler.store.connection import Store
from scheduler.store.reads import secrets as secret_reads
from scheduler.store.reads.secrets import Sealed
from scheduler.store.tables import secrets
from scheduler.store.tables.refs import Named
from scheduler.words.commands import DeleteSecret, GrantSecret, PutSecret, Resealed, ResealSecrets
from scheduler.words.outcomes import Code, Outcome

router = APIRouter(tags=["secrets"], dependencies=EACH)

TRIES = 5  #: of a new value, while others put theirs under the same name
COMMANDS_MAX = 10  #: of one request that encrypts anew


@router.get(
    "/v1/secrets", operation_id="listSecrets", openapi_extra=schemas.read, responses=schemas.secrets_replies
)
async def list_secrets(
    request: Request,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Items on one page.")] = 100,
) -> Response:
    """Which secrets there are, by name: who changed each last, which jobs may use it, never a value."""
    services, call = services_of(request), call_of(request)
    namespaces = call.need_listed(access.READ)
    key = read_cursor("secrets", cursor, str, str) or ["", ""]
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        rows = secret_reads.page(
            store, after=(str(key[0]), str(key[1])), limit=limit + 1, namespaces=namespaces
        )
    shown = rows[:limit]
    more = make_cursor("secrets", shown[-1].namespace, shown[-1].name) if len(rows) > limit else None
    return json_response({"items": [secret_json(row) for row in shown], "next_cursor": more})


@router.get(
    "/v1/secrets/{name}",
    operation_id="getSecret",
    openapi_extra=schemas.read,
    responses=schemas.secret_replies,
)
async def get_secret(request: Request, name: str) -> Response:
    """One secret, without its value."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    await settle(call, services.commits)
    return _told(services, call, name)


@router.put("/v1/secrets/{name}", operation_id="putSecret", openapi_extra=schemas.put_secret)
async def put_secret(request: Request, name: str) -> Response:
    """Give it a value: attempts that are granted from now on get this one. What `grants` names may use it,
    beside those that may already."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=call.namespace)
    need_names(call, name)
    document = fields_of(call, ("value", "grants"))
    value, grants = need_value(document), patterns_of(document, "grants")
    with services.scheduler.read() as store:
        need_serving_all(store, call.namespace, name, value.decode())
    for _ in range(TRIES):
        with services.scheduler.read() as store:
            known = secrets.find(store, call.namespace, name)
            version = 1 if known is None else known.version + 1
            key = _need_key(services, store)
            sealed = _seal(services, store, Sealed(call.namespace, name, version, key, b""), value)
        if call.flag("dry_run"):
            return json_response(
                {"namespace": call.namespace, "name": name, "version": version, "dry_run": True}
            )
        command = PutSecret(call.namespace, name, version, *sealed, grants, call.actor)
        outcome = await services.scheduler.propose(command)
        if outcome.code != Code.REVISION_MISMATCH:
            break
    made = expect_ok(outcome, what=f"secret {name}")
    return _told(services, call, name, 201 if made["created"] else 200)


def _told(services: Services, call: Call, name: str, status: int = 200) -> Response:
    with services.scheduler.read() as store:
        return json_response(secret_json(need_secret(store, call.namespace, name)), status)


def _need_key(services: Services, store: Store) -> str:
    """The key of this node, if it is the cluster's. Raises Problem."""
    node, current = services.scheduler.status().node, secrets.key(store)
    own = next(iter(services.settings.vault.keys()), None)
    if own is None:
        raise Problem(
            "conflict", f"node {node} has no key for secrets",
            hint="Give all nodes the same keys: secrets.key_file or secrets.key_command in their settings.",
        )  # fmt: skip
    if current not in (None, own):
        raise Problem(
            "conflict", f"node {node} encrypts with the key {own}, the cluster with {current}",
            hint="Give all nodes the same keys. To change the cluster's: cronclave secret rotate-key.",
        )  # fmt: skip
    return own


def _seal(services: Services, store: Store, row: Sealed, value: bytes) -> tuple[str, bytes]:
    try:
        return services.settings.vault.seal(place(store, row.namespace, row.name, row.version), value)
    except VaultError as error:
        raise _of_vault(services, error) from None


def _of_vault(services: Services, error: VaultError) -> Problem:
    return Problem("conflict", f"node {services.scheduler.status().node}: {error}")


@router.post(
    "/v1/secrets/{name}/grants", operation_id="grantSecret", openapi_extra=schemas.grant_secret,
    responses=schemas.secret_replies,
)  # fmt: skip
async def grant_secret(request: Request, name: str) -> Response:
    """Say which jobs may use it: patterns to `add` and to `remove`. A job that may no longer fails at its
    next attempt, and says why."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=call.namespace)
    document = fields_of(call, ("add", "remove"))
    add, remove = patterns_of(document, "add"), patterns_of(document, "remove")
    if not call.flag("dry_run"):
        command = GrantSecret(call.namespace, name, add, remove, call.actor)
        expect_ok(await services.scheduler.propose(command), what=f"secret {name}")
    return _told(services, call, name)


@router.delete(
    "/v1/secrets/{name}", operation_id="deleteSecret", openapi_extra=schemas.change_secret, status_code=204
)
async def delete_secret(request: Request, name: str) -> Response:
    """Delete it, for good. Refused while a job or an object names it."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=call.namespace)
    gone = Named("secret", call.namespace, name)
    with services.scheduler.read() as store:
        known = need_secret(store, call.namespace, name)
        refusal = references.judge(store, {}, {gone: known})
    if call.flag("dry_run"):
        outcome = refusal or Outcome(Code.OK)
    else:
        outcome = await propose_edit(services.scheduler, DeleteSecret(call.namespace, name, call.actor))
    if not outcome.ok:
        with services.scheduler.read() as store:
            need_references(store, call, outcome, {})
    expect_ok(outcome, what=f"secret {name}")
    return Response(status_code=204)


@router.post(
    "/v1/cluster/secret-key", operation_id="rotateSecretKey", openapi_extra=schemas.rotate_secret_key
)
async def rotate_secret_key(request: Request) -> Response:
    """Encrypt what is encrypted with another key with the first key of this node, which is the cluster's from
    then on. Some hundred in one request: `left` says whether it is to be sent again."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=access.Reach.ALL)
    key = next(iter(services.settings.vault.keys()), "")
    resealed = 0
    for _ in range(COMMANDS_MAX):
        with services.scheduler.read() as store:
            if not key:
                _need_key(services, store)
            rows = secret_reads.of_other_keys(store, key, RESEALED_MAX)
            again = tuple([_resealed(services, store, row) for row in rows])
            if not rows and secrets.key(store) == key:
                break
        if call.flag("dry_run"):
            return json_response({"key": key, "resealed": 0, "left": bool(rows)})
        expect_ok(await services.scheduler.propose(ResealSecrets(key, again, call.actor)), what="the key")
        resealed += len(again)
    with services.scheduler.read() as store:
        left = bool(secret_reads.of_other_keys(store, key, 1))
    return json_response({"key": key, "resealed": resealed, "left": left})


def _resealed(services: Services, store: Store, row: Sealed) -> Resealed:
    try:
        bound = place(store, row.namespace, row.name, row.version)
        value = services.settings.vault.open(bound, row.key, row.sealed)
    except VaultError as error:
        raise _of_vault(services, error) from None
    return Resealed(row.namespace, row.name, row.version, _seal(services, store, row, value)[1])
