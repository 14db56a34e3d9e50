"""Bearer tokens: stored by hash only.

Rules: a name is taken once. A join token has an end and a number of uses; each newcomer takes one, and is
from then on known by a credential of its own, `agent:NAME` or `node:NAME`, which is withdrawn by that name.
What has ended is removed when the next token comes. A token has a role in all namespaces, roles in single
ones, or both; what is of no namespace, such as an agent, has the former alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from scheduler.machine.context import OK, Context, refused
from scheduler.machine.steps import staging
from scheduler.store.tables import sessions as session_rows
from scheduler.store.tables import stages
from scheduler.store.tables import tokens as token_rows
from scheduler.store.tables.tokens import Limits, Token
from scheduler.words import events as e
from scheduler.words.commands import DeleteToken, PutToken, RedeemToken
from scheduler.words.lifecycle import StageEvent
from scheduler.words.outcomes import Code, Outcome

BOOTSTRAP = "bootstrap"
JOINS = {"join-agent": "agent", "join-node": "node"}
"""A join token's role, and the role of what it makes."""
PEOPLE = ("viewer", "operator", "submitter", "approver", "admin")
"""Roles that a token may have in single namespaces."""
ROLES = (*PEOPLE, "agent", *JOINS)
NAMESPACES_MAX = 100  #: in which one token has a role of its own
TOKENS_MAX = 20_000
SWEEP_MAX = 20
KEPT_MS = 86_400_000  #: an ended token is listed for a day more


def put_token(ctx: Context, command: PutToken) -> Outcome:
    roles = {each.namespace: each.role for each in command.roles}
    if command.role not in ROLES and (command.role or not roles):
        return refused(Code.INVALID, f"a token needs a role of {', '.join(ROLES)}")
    if not command.name or len(command.sha256) != 32:
        return refused(Code.INVALID, "a token needs a name and a SHA-256")
    if any(not namespace or role not in PEOPLE for namespace, role in roles.items()):
        return refused(Code.INVALID, f"in a namespace a token has a role of {', '.join(PEOPLE)}")
    if len(roles) != len(command.roles) or len(roles) > NAMESPACES_MAX:
        return refused(Code.INVALID, f"each namespace once, {NAMESPACES_MAX} at most")
    if command.role in JOINS and (command.uses < 1 or command.expires_ms <= ctx.stamp_ms):
        return refused(Code.INVALID, "a join token needs a number of uses and an end in the future")
    known = token_rows.find(ctx.store, command.name)
    if known is not None:
        same = known.sha256 == command.sha256 and known.role == command.role
        same = same and token_rows.roles(ctx.store, command.name) == roles
        return OK if same else refused(Code.EXISTS, f"token {command.name} exists")
    if command.name == BOOTSTRAP and token_rows.any_token(ctx.store):
        return refused(Code.EXISTS, "the bootstrap token comes before every other one")
    limits = Limits(command.expires_ms, command.uses, command.holder, command.pool)
    token = Token(command.name, command.sha256, command.role, ctx.stamp_ms)
    ctx.changed("token", _place(token, roles), token.name, None, _words(token, roles))
    return _insert(ctx, token, limits, tuple(sorted(roles.items())))


def redeem_token(ctx: Context, command: RedeemToken) -> Outcome:
    token = token_rows.find(ctx.store, command.token)
    if token is None or token.role not in JOINS:
        return refused(Code.NOT_FOUND, f"there is no join token {command.token}")
    limits = token_rows.limits(ctx.store, token.name)
    if limits.expires_ms <= ctx.stamp_ms:
        return refused(Code.ENDED, f"join token {token.name} has expired")
    if not command.holder or len(command.credential) != 32:
        return refused(Code.INVALID, "who joins needs a name and a credential")
    if limits.holder not in ("", command.holder):
        return refused(Code.CONFLICT, f"join token {token.name} is for {limits.holder}, not {command.holder}")
    if limits.pool and limits.pool != command.pool:
        return refused(Code.CONFLICT, f"join token {token.name} is for the pool {limits.pool}")
    role = JOINS[token.role]
    made = Token(f"{role}:{command.holder}", command.credential, role, ctx.stamp_ms)
    known = token_rows.find(ctx.store, made.name)
    if known is not None:
        same = known.sha256 == made.sha256 and known.role == role
        return (
            OK
            if same
            else refused(
                Code.EXISTS,
                f"{made.name} has joined already; withdraw that first: cronclave token revoke {made.name}",
            )
        )
    if limits.uses < 1:
        return refused(Code.ENDED, f"join token {token.name} is used up")
    if token_rows.by_digest(ctx.store, made.sha256) is not None:
        return refused(Code.INVALID, "this credential belongs to another token")
    outcome = _insert(ctx, made, Limits(holder=command.holder, pool=command.pool))
    if outcome.ok:
        token_rows.take_use(ctx.store, token.name)
        ctx.changed("token", "", made.name, None, role)
    return outcome


def delete_token(ctx: Context, command: DeleteToken) -> Outcome:
    token = token_rows.find(ctx.store, command.name)
    if token is None or (command.within and not _is_within(ctx, token, command.within)):
        return refused(Code.NOT_FOUND, f"there is no token {command.name}")
    if token_rows.administrators(ctx.store) == [command.name]:
        return refused(Code.CONFLICT, f"{command.name} is the last token of an administrator")
    roles = token_rows.roles(ctx.store, token.name)
    _delete(ctx, token.name)
    ctx.changed("token", _place(token, roles), token.name, _words(token, roles), None)
    ctx.emit(e.TokenWithdrawn(command.name))
    return OK


def _place(token: Token, roles: Mapping[str, str]) -> str:
    """The one namespace that a token is of; empty: of several, or of all."""
    return next(iter(roles)) if len(roles) == 1 and not token.role else ""


def _words(token: Token, roles: Mapping[str, str]) -> str:
    """Its roles, for the audit."""
    told = [f"{namespace}={role}" for namespace, role in sorted(roles.items())]
    return ", ".join([token.role, *told] if token.role else told)


def _is_within(ctx: Context, token: Token, namespaces: tuple[str, ...]) -> bool:
    return not token.role and token_rows.roles(ctx.store, token.name).keys() <= set(namespaces)


def _delete(ctx: Context, name: str) -> None:
    """With the browser sessions that came by it, and the staged applies that it opened, unless they go live:
    who gets its name next may have other rights than those by which they were laid down."""
    token_rows.delete(ctx.store, name)
    session_rows.delete_of(ctx.store, name)
    theirs = [stages.get(ctx.store, each.id) for each in stages.all_of(ctx.store) if each.actor == name]
    for stage in theirs:
        if stage is not None and stage.state in ("open", "checking"):
            ctx.changed("stage", "", stage.name, stage.state, "dropped", verb="drop")
            staging.move(ctx, stage, StageEvent.DROPPED, f"the token {name} is withdrawn")


def _insert(
    ctx: Context, token: Token, limits: Limits, roles: tuple[tuple[str, str], ...] = ()
) -> Outcome:
    for name in token_rows.expired(ctx.store, ctx.stamp_ms - KEPT_MS, SWEEP_MAX):
        _delete(ctx, name)
    if token_rows.count(ctx.store) >= TOKENS_MAX:
        return refused(Code.LIMIT, f"there are {TOKENS_MAX} tokens, the most that a cluster keeps")
    token_rows.insert(ctx.store, token, limits, roles)
    return OK
