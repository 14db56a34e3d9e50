"""Secrets: put, deleted, granted, encrypted anew.

Rules of this file:

1. Nothing here can read one. That a value belongs to its name and version is bound into its encryption; the
   version is the proposer's, and another one is refused.
2. New values are encrypted with one key on all nodes, that of the first secret, until a rotation names
   another: a node that was given a wrong key is told so before anything depends on it.
"""

from __future__ import annotations

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.rules import references
from scheduler.machine.rules.secret_uses import near
from scheduler.model.secret_uses import GRANTS_MAX, PATTERN_HINT, is_pattern
from scheduler.store.tables import secrets
from scheduler.store.tables.refs import Named
from scheduler.store.tables.secrets import Secret, grants_text
from scheduler.words import events as e
from scheduler.words.commands import DeleteSecret, GrantSecret, PutSecret, ResealSecrets
from scheduler.words.outcomes import Code, Outcome

SECRETS_MAX = 1_000  #: of a namespace
SEALED_BYTES_MAX = 17 << 10  #: the longest value, its nonce and its tag
TOLD_LETTERS_MAX = 1_000
RESEALED_MAX = 30  #: in one command


def put_secret(ctx: Context, command: PutSecret) -> Outcome:
    where = f"{command.namespace}/{command.name}"
    if not 0 < len(command.sealed) <= SEALED_BYTES_MAX or not command.key:
        return refused(Code.INVALID, f"{where}: no encrypted value of at most {SEALED_BYTES_MAX} bytes")
    known = secrets.find(ctx.store, command.namespace, command.name)
    version = 0 if known is None else known.version
    if command.version != version + 1:
        return refused(Code.REVISION_MISMATCH, f"{where} is at version {version}", revision=version)
    current = secrets.key(ctx.store)
    if current is not None and current != command.key:
        return refused(Code.CONFLICT, f"the node's key is {command.key}, the cluster's {current}")
    if known is None and len(secrets.names(ctx.store, command.namespace, SECRETS_MAX)) >= SECRETS_MAX:
        return refused(
            Code.LIMIT, f"namespace {command.namespace} has {SECRETS_MAX} secrets, the most there may be"
        )
    patterns = [*([] if known is None else known.patterns), *command.grants]
    if wrong := _why_not(patterns):
        return wrong
    if current is None:
        secrets.set_key(ctx.store, command.key)
    created_ms = ctx.stamp_ms if known is None else known.created_ms
    secret = Secret(
        command.namespace, command.name, command.version, command.key, grants_text(patterns), created_ms,
        ctx.stamp_ms, command.actor.name,
    )  # fmt: skip
    secrets.put(ctx.store, secret, command.sealed)
    ctx.emit(e.SecretChanged(secret.namespace, secret.name, secret.version, command.actor.name))
    ctx.changed("secret", secret.namespace, secret.name, version or None, secret.version)
    return done(version=secret.version, created=known is None)


def _why_not(patterns: list[str]) -> Outcome | None:
    wrong = next((pattern for pattern in patterns if not is_pattern(pattern)), None)
    if wrong is not None:
        return refused(Code.INVALID, f"{wrong[:200]!r} is no pattern of jobs: {PATTERN_HINT}")
    if len(dict.fromkeys(patterns)) > GRANTS_MAX:
        return refused(Code.LIMIT, f"a secret is granted by {GRANTS_MAX} patterns at most")
    return None


def delete_secret(ctx: Context, command: DeleteSecret) -> Outcome:
    known = secrets.find(ctx.store, command.namespace, command.name)
    if known is None:
        return _unknown(ctx, command.namespace, command.name)
    if referred := references.judge(ctx.store, {}, {Named("secret", known.namespace, known.name): known}):
        return referred
    secrets.delete(ctx.store, command.namespace, command.name)
    ctx.emit(e.SecretDeleted(command.namespace, command.name, command.actor.name))
    ctx.changed("secret", command.namespace, command.name, known.version, None)
    return OK


def _unknown(ctx: Context, namespace: str, name: str) -> Outcome:
    meant = near(ctx.store, namespace, name)
    return refused(Code.NOT_FOUND, f"there is no secret {namespace}/{name}{meant}")


def grant_secret(ctx: Context, command: GrantSecret) -> Outcome:
    known = secrets.find(ctx.store, command.namespace, command.name)
    if known is None:
        return _unknown(ctx, command.namespace, command.name)
    patterns = [each for each in (*known.patterns, *command.add) if each not in command.remove]
    if wrong := _why_not(patterns):
        return wrong
    text = grants_text(patterns)
    if text != known.grants:
        changed = known._replace(grants=text, changed_ms=ctx.stamp_ms, actor=command.actor.name)
        secrets.set_grants(ctx.store, changed)
        ctx.emit(e.SecretChanged(known.namespace, known.name, known.version, command.actor.name))
    ctx.changed("secret", known.namespace, known.name, _told(known.patterns), _told(patterns))
    return OK


def _told(patterns: list[str]) -> str:
    """In the audit: the first ones, where they are many."""
    text = ", ".join(sorted(dict.fromkeys(patterns)))
    return text if len(text) <= TOLD_LETTERS_MAX else f"{text[:TOLD_LETTERS_MAX]}…"


def reseal_secrets(ctx: Context, command: ResealSecrets) -> Outcome:
    if not command.key or len(command.secrets) > RESEALED_MAX:
        return refused(Code.INVALID, f"a key, and {RESEALED_MAX} secrets at most")
    if any(len(each.sealed) > SEALED_BYTES_MAX for each in command.secrets):
        return refused(Code.INVALID, f"an encrypted value of more than {SEALED_BYTES_MAX} bytes")
    ctx.changed("secret-key", "", "", secrets.key(ctx.store), command.key)
    secrets.set_key(ctx.store, command.key)
    for each in command.secrets:
        secrets.reseal(
            ctx.store, each.namespace, each.name, version=each.version, key=command.key, sealed=each.sealed
        )
    return OK
