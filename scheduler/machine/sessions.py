"""Browser sessions: a cookie carries a secret of their own, never the token that opened them.

Rules: a session belongs to one token, can do what that token can do at the time, and ends with it, by its own
end, or when it is closed. Only its hash is stored. Each token has a number of them, and so has the cluster: a
new one takes the place of the oldest.
"""

from __future__ import annotations

import hmac

from scheduler.machine.context import OK, Context, done, refused
from scheduler.store.tables import sessions as session_rows
from scheduler.store.tables import tokens as token_rows
from scheduler.words import events as e
from scheduler.words.commands import CloseSession, OpenSession
from scheduler.words.outcomes import Code, Outcome

LIFE_MS = 12 * 3_600_000
PER_TOKEN_MAX = 50
SESSIONS_MAX = 10_000


def open_session(ctx: Context, command: OpenSession) -> Outcome:
    if len(command.sha256) != 32:
        return refused(Code.INVALID, "a session needs a SHA-256")
    token = token_rows.find(ctx.store, command.token)
    if token is None or not hmac.compare_digest(token.sha256, command.token_sha256):
        return refused(Code.NOT_FOUND, f"there is no token {command.token} with this secret")
    if session_rows.find(ctx.store, command.sha256) is not None:
        return refused(Code.EXISTS, "this session exists")
    if session_rows.count(ctx.store, token.name) >= PER_TOKEN_MAX:
        session_rows.drop_oldest(ctx.store, token.name)
    if session_rows.count(ctx.store) >= SESSIONS_MAX:
        session_rows.drop_oldest(ctx.store)
    ctx.changed("session", "", token.name)
    expires_ms = ctx.stamp_ms + LIFE_MS
    session_rows.insert(ctx.store, command.sha256, token.name, created_ms=ctx.stamp_ms, expires_ms=expires_ms)
    return done(expires_ms=expires_ms)


def close_session(ctx: Context, command: CloseSession) -> Outcome:
    token = session_rows.find(ctx.store, command.sha256)
    if token is None:
        return refused(Code.NOT_FOUND, "there is no such session")
    session_rows.delete(ctx.store, command.sha256)
    ctx.emit(e.SessionClosed(token))
    ctx.changed("session", "", token)
    return OK
