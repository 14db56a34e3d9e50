"""Activate and Migrate: how the state comes to a newer format.

Rules of this file:

1. Activate counts only for the members that its proposer saw: was one added or removed since, it is refused,
   since nobody asked that one what it supports.
2. A node that would have to obey an Activate beyond what it knows stops before it: it was replaced by an
   older version after it was asked. It never applies a rule that it does not know.
3. The format rises where the last slice of its migration is applied, or with Activate where there is none: at
   one index, the same on every node.
"""

from __future__ import annotations

from collections.abc import Sequence

from scheduler import formats
from scheduler.machine.context import Context, done, refused
from scheduler.words import events as e
from scheduler.words.commands import Activate, Migrate
from scheduler.words.outcomes import Code, Outcome


def activate(ctx: Context, command: Activate) -> Outcome:
    state = ctx.state
    ctx.changed("format", "", "", str(state.target_format), str(command.format))
    if command.format == state.target_format:
        return done(format=state.format, target=state.target_format, changed=False)
    if command.format < state.target_format:
        return refused(Code.CONFLICT, f"format {state.target_format} is activated; formats are never lowered")
    seen, now = [name for name, _, _ in command.members], ctx.members()
    if seen != sorted(now):
        came, gone = sorted(set(now) - set(seen)), sorted(set(seen) - set(now))
        told = [f"{name} joined" for name in came] + [f"{name} was removed" for name in gone]
        return refused(Code.CONFLICT, f"the members changed meanwhile ({', '.join(told)}): ask again")
    for name, least, most in command.members:
        if not least <= command.format <= most:
            detail = f"{name} supports {formats.span(least, most)}, not format {command.format}"
            return refused(Code.CONFLICT, detail, node=name)
    if command.format > formats.newest():
        raise formats.NewerFormatError(
            f"the cluster activates format {command.format}, and this version supports {formats.supported()}:"
            " start this node with the version that the other nodes run"
        )
    state.target_format = command.format
    ctx.emit(e.FormatActivated(command.format, command.actor.name))
    _go_on(ctx)
    return done(format=state.format, target=state.target_format, changed=True)


def migrate(ctx: Context, command: Migrate) -> Outcome:
    state = ctx.state
    if state.target_format == state.format or command.cursor != state.migration_cursor:
        at = f"{state.migration_cursor!r}, format {state.format}"
        return refused(Code.STALE_DUE, f"the migration is at {at}")
    if not 1 <= command.rows <= formats.SLICE_ROWS_MAX:
        return refused(Code.INVALID, f"a slice has 1 to {formats.SLICE_ROWS_MAX} rows")
    migration = formats.get(state.format + 1).migration
    assert migration is not None  # else the format would have been raised already
    cursor = migration.move(ctx.store, state.migration_cursor, command.rows)
    if cursor is None:
        _execute(ctx, migration.finish)
        _raise_format(ctx)
        _go_on(ctx)
    else:
        state.migration_cursor = cursor
    return done(format=state.format, cursor=state.migration_cursor)


def _go_on(ctx: Context) -> None:
    """Raise the format up to the one that needs a migration, and begin that."""
    state = ctx.state
    while state.format < state.target_format:
        migration = formats.get(state.format + 1).migration
        if migration is not None:
            _execute(ctx, migration.begin)
            return
        _raise_format(ctx)


def _execute(ctx: Context, statements: Sequence[str]) -> None:
    """The statements join the state's hash: versions that migrate differently are found at once."""
    for statement in statements:
        ctx.store.write(statement)
        if ctx.store.kept.written is not None:
            ctx.store.kept.written.append((statement,))


def _raise_format(ctx: Context) -> None:
    ctx.state.format += 1
    ctx.state.migration_cursor = ""
    ctx.emit(e.FormatRaised(ctx.state.format))
