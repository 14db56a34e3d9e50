"""A notice is posted on a board: by a person or another system (`machine.notices`), or by a task
(`steps.acting`)."""

from __future__ import annotations

from scheduler.machine.context import Context, done
from scheduler.machine.rules import boards
from scheduler.model import required as required_names
from scheduler.model.noticing import written
from scheduler.store.tables import hearers, notices, required
from scheduler.store.tables.notices import Notice
from scheduler.words import events as e
from scheduler.words.outcomes import Outcome


def post(
    ctx: Context, namespace: str, name: str, key: str, *, lasts_ms: int, plan_day: int, poster: str
) -> Outcome:
    """The notice with its serial, or why it is not posted. The board exists."""
    board = f"{namespace}/{name}"
    if (refusal := boards.full(ctx.store, board)) is not None:
        return refusal
    notice = Notice(
        notices.last(ctx.store) + 1, board, written(key, plan_day), poster, ctx.stamp_ms,
        ctx.stamp_ms + lasts_ms, plan_day, 0,
    )  # fmt: skip
    notices.insert(ctx.store, notice)
    hearers.tell(ctx.store, board, ctx.stamp_ms)
    if required.is_required(ctx.store, of_board := required_names.of_board(board)):
        required.change(ctx.store, of_board)
    ctx.emit(e.NoticePosted(namespace, name, notice.serial, notice.key, notice.expires_ms))
    return done(serial=notice.serial, key=notice.key)
