"""Whether a board takes one more notice, and how long that stays. Reads, and writes nothing."""

from __future__ import annotations

import json

from scheduler.model.quantities import parse_duration_ms
from scheduler.store.connection import Store
from scheduler.store.tables import notices
from scheduler.store.tables import objects as object_rows
from scheduler.words.outcomes import Code, Outcome

STANDING_MAX = 1_000
"""Notices of one board."""


def full(store: Store, board: str) -> Outcome | None:
    """The refusal of one more; None: there is room."""
    if notices.count(store, board, STANDING_MAX) < STANDING_MAX:
        return None
    return Outcome(Code.LIMIT, f"{STANDING_MAX} notices stand on board {board}, as many as may")


def lasts_ms(store: Store, namespace: str, name: str) -> int | None:
    """How long a notice stays on it that does not say it itself; None: there is no such board."""
    board = object_rows.find(store, "board", namespace, name)
    return None if board is None else parse_duration_ms(json.loads(board.spec)["expires"])
