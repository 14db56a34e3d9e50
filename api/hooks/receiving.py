"""A delivery, from the request to its answer.

Rules of this file:

1. Until its signature is found right it is told one thing, that it is not signed: also where there is no such
   hook. Wrong ones are limited by address; a right one is taken from whatever address.
2. A node that has not heard of a hook, or of its secret's new value, asks the leader before it says no.
3. Parameters are made here, where jobs' schemas are known; the machine compares that nothing has changed, and
   if something has, all is looked at again.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from starlette.responses import Response

from api.access import CATCH_UP_S
from api.call import Call, json_response, json_type, parse_json
from api.edits import propose_edit
from api.hooks import signatures
from api.hooks.signatures import Signed, Unsigned, Unusable
from api.outcomes import expect_ok, need_proposable
from api.ports import Vault, VaultError
from api.problems import FieldError, Problem, from_job_problems
from api.secrets import place
from api.services import Services
from api.threads import judge_body
from scheduler.machine.rules import secret_uses
from scheduler.machine.rules.hooked import TRIGGERS_MAX
from scheduler.model import JobError
from scheduler.model.hook_secrets import secret_bytes
from scheduler.model.named import resolved
from scheduler.model.param_values import check_params, declared_params
from scheduler.model.quantities import parse_duration_ms
from scheduler.store.connection import Store
from scheduler.store.reads import secrets as secret_reads
from scheduler.store.reads.secrets import Sealed
from scheduler.store.tables import deliveries
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.deliveries import Firing
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.objects import Object
from scheduler.store.tables.refs import Named
from scheduler.words import causes
from scheduler.words.commands import Actor, Deliver, HookFiring
from scheduler.words.outcomes import Code

log = logging.getLogger("cronclave.api")

TRIES = 5  #: while jobs, the hook or its secret are changed
RETRY_S = 5
CHALLENGE = {"WWW-Authenticate": 'Signature realm="cronclave"'}
FORM = b"payload="


class _Hook(NamedTuple):
    row: Object
    shape: Mapping[str, Any]
    secret: Sealed


async def receive(services: Services, call: Call, name: str) -> Response:
    """POST /v1/hooks/{name}"""
    own_id = uuid.uuid4().hex  # where its sender gives it none
    for left in reversed(range(TRIES)):
        signed, hook = await _signed(services, call, name)
        if not hook.shape["enabled"]:
            hint = "Enable it: enabled: true in its definition."
            raise Problem("forbidden", f"hook {call.namespace}/{name} is disabled", hint=hint)
        signed = signed if signed.id else signed._replace(id=own_id)
        fields = await judge_body(len(call.body), lambda: _fields(call.body))
        command = _command(services, call, name, hook, signed, fields)
        if call.flag("dry_run"):
            need_proposable(command, what=f"the delivery to hook {name}")
            return json_response(_dry_run(services, call, name, command))
        outcome = await propose_edit(services.scheduler, command)
        if outcome.code != Code.SUPERSEDED or not left:
            break
        await services.scheduler.catch_up(timeout_s=CATCH_UP_S)
    if outcome.code in (Code.SUPERSEDED, Code.LIMIT):
        kind = "unavailable" if outcome.code == Code.SUPERSEDED else "too-many-requests"
        hint = "Nothing came of it: send it again."
        raise Problem(kind, outcome.detail, hint=hint, headers={"Retry-After": str(RETRY_S)})
    value = expect_ok(outcome, what=f"the delivery to hook {name}")
    firings = deliveries.firings_of(str(value["firings"]))
    told = {"hook": name, "namespace": call.namespace, "delivery": signed.id, "repeated": value["repeated"]}
    return json_response({**told, "firings": [firing_json(each) for each in firings]}, 202)


def firing_json(firing: Firing) -> dict[str, Any]:
    return {
        "job": firing.name,
        "trigger": firing.trigger,
        "run": firing.run or None,
        "outcome": firing.outcome or None,
        "reason": firing.reason or None,
    }


async def _signed(services: Services, call: Call, name: str) -> tuple[Signed, _Hook]:
    """Raises Problem."""
    failures, now_s = services.unsigned, time.monotonic()
    try:
        try:
            return _look(services, call, name)
        except Unsigned:
            failures.look(call.client, now_s)
            await services.scheduler.catch_up(timeout_s=CATCH_UP_S)
            return _look(services, call, name)
    except Unsigned as error:
        failures.note(call.client, now_s)
        log.info("a delivery to hook %.200r is not signed: %s", f"{call.namespace}/{name}", error)
        raise Problem("not-signed", "it is not signed as its hook asks", headers=CHALLENGE) from None


def _look(services: Services, call: Call, name: str) -> tuple[Signed, _Hook]:
    """The delivery and its hook, as this node has it. Raises Unsigned, Problem."""
    with services.scheduler.read() as store:
        row = object_rows.find(store, "hook", call.namespace, name)
        if row is None:
            raise Unsigned("there is no such hook")
        shape = json.loads(row.spec)
        named = resolved(shape["secret"], call.namespace)
        sealed = secret_reads.sealed(store, *named)
        if sealed is None or not secret_uses.serves(store, Named("hook", call.namespace, name), *named):
            raise Unsigned("its secret is not there, or is not granted to it")
        secret = _secret(services, store, services.settings.vault, sealed, shape["scheme"])
    try:
        signed = signatures.check(
            shape["scheme"], secret, call.headers, call.body, now_ms=services.scheduler.now_ms(),
            tolerance_ms=parse_duration_ms(shape["tolerance"]),
        )  # fmt: skip
    except Unusable as error:
        raise Problem("validation", error.detail, hint=error.hint) from None
    return signed, _Hook(row, shape, sealed)


def _secret(services: Services, store: Store, vault: Vault, sealed: Sealed, scheme: str) -> bytes:
    """Raises Unsigned for one that nothing can be signed with, Problem where this node cannot read it."""
    try:
        value = vault.open(place(store, *sealed[:3]), sealed.key, sealed.sealed)
    except VaultError as error:
        node = services.scheduler.status().node
        log.error("hook secret %s/%s: node %s: %s", sealed.namespace, sealed.name, node, error)
        headers = {"Retry-After": str(RETRY_S)}
        raise Problem("unavailable", "this node cannot check signatures now", headers=headers) from None
    try:
        return secret_bytes(scheme, value.decode())
    except ValueError as error:
        named = f"{sealed.namespace}/{sealed.name}"
        raise Unsigned(f"secret {named} is none of scheme {scheme}: {error}") from None


def _fields(body: bytes) -> Mapping[str, Any]:
    """What the body says. Raises Problem."""
    if not body.strip():
        return {}
    if body.startswith(FORM):
        raise Problem(
            "unsupported-media-type", "the body is a form", hint="Let the sender send application/json."
        )
    document = parse_json(body)
    if not isinstance(document, dict):
        detail = f"a JSON object was expected, not {json_type(document)}"
        raise Problem("validation", detail, errors=[FieldError("", detail)])
    return document


def _command(
    services: Services, call: Call, name: str, hook: _Hook, signed: Signed, fields: Mapping[str, Any]
) -> Deliver:
    """Raises Problem for a body that is not what one of its jobs declares."""
    firings: list[HookFiring] = []
    errors: list[Any] = []
    with services.scheduler.read() as store:
        event = causes.hooked(call.namespace, name)
        for trigger in trigger_rows.awaiting(store, event, TRIGGERS_MAX + 1):
            era = trigger_rows.get(store, trigger)
            job = None if era is None else job_rows.get(store, era.job)
            if era is None or job is None:
                continue
            try:
                firings.append(HookFiring(trigger, job.revision, _params(services, job, era.key, fields)))
            except JobError as error:
                errors += [
                    replace(each, detail=f"{each.detail} (job {job.name})") for each in error.problems
                ]
    if errors:
        raise from_job_problems(errors, what="the body")
    actor = Actor(f"hook {call.namespace}/{name}", call.client)
    secret = hook.secret
    return Deliver(
        call.namespace, name, hook.row.revision, secret.namespace, secret.name, secret.version, signed.id,
        signed.signed_ms, signed.safe_ms, tuple(firings), actor,
    )  # fmt: skip


def _params(services: Services, job: Job, trigger: str, fields: Mapping[str, Any]) -> bytes:
    """Of a run: what the body says of what its job declares, over what the trigger gives. Raises JobError."""
    compiled = services.compiled.get(job.id, job.revision, lambda: job.spec)
    declared = declared_params(job.spec)
    said = {param: fields[param] for param in declared.params if fields.get(param) is not None}
    return check_params(declared, {**json.loads(compiled.params_of(trigger)), **said})


def _dry_run(services: Services, call: Call, name: str, command: Deliver) -> dict[str, Any]:
    with services.scheduler.read() as store:
        known = deliveries.find(store, call.namespace, name, command.delivery)
        eras = [trigger_rows.get(store, each.trigger) for each in command.firings]
        jobs = [None if era is None else job_rows.get(store, era.job) for era in eras]
    return {
        "dry_run": True, "hook": name, "namespace": call.namespace, "delivery": command.delivery,
        "repeated": known is not None, "jobs": [job.name for job in jobs if job is not None],
    }  # fmt: skip
