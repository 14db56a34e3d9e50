"""board: where tasks post notices by key, and others wait for them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from scheduler.model.fields import DurationMs, Name
from scheduler.model.objects.kind import Described, Kind

EXPIRES_MS = 7 * 86_400_000


class Board(Described):
    name: Annotated[Name, Field(alias="board")]
    expires_ms: Annotated[
        DurationMs, Field(alias="expires", description="how long a notice stays that does not say it itself")
    ] = EXPIRES_MS


BOARD = Kind(
    name="board",
    description="Where tasks post notices by key, and others wait for them.",
    example={"board": "stock", "expires": "2d"},
    model=Board,
    other_words=("noticeboard", "notice_board", "notices"),
)
