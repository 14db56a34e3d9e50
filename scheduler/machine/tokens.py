"""Bearer tokens: stored by hash only."""

from __future__ import annotations

from scheduler.commands import Outcome, PutToken
from scheduler.machine.context import OK, Context, refused
from scheduler.store import tokens as token_rows
from scheduler.store.tokens import Token

BOOTSTRAP = "bootstrap"
ROLES = ("viewer", "operator", "submitter", "admin", "agent")
TOKENS_MAX = 1_000


def put_token(ctx: Context, command: PutToken) -> Outcome:
    if command.role not in ROLES or not command.name or len(command.sha256) != 32:
        return refused("invalid", f"a token needs a name, a SHA-256 and a role of {', '.join(ROLES)}")
    known = token_rows.find(ctx.store, command.name)
    if known is not None:
        same = known.sha256 == command.sha256 and known.role == command.role
        return OK if same else refused("exists", f"token {command.name} exists")
    if command.name == BOOTSTRAP and token_rows.any_token(ctx.store):
        return refused("exists", "the bootstrap token comes before every other one")
    if token_rows.count(ctx.store) >= TOKENS_MAX:
        return refused("limit", f"there are {TOKENS_MAX} tokens, the most that a cluster keeps")
    token_rows.insert(ctx.store, Token(command.name, command.sha256, command.role, ctx.stamp_ms))
    return OK
