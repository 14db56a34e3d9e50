"""post: a notice on a board, for all triggers that wait for it. It lasts no time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.model.quantities import parse_duration_ms
from scheduler.model.work.in_state import UNREAD
from scheduler.model.work.kind import POSTS, Kind, Refers


def _value() -> Any:
    from scheduler.model.posting import Posted

    return Posted


def _compiled(task: Mapping[str, Any]) -> dict[str, Any]:
    post = task["post"]
    lasts_ms = parse_duration_ms(post["expires"]) if "expires" in post else None
    return {"does": POSTS, "board": post["board"], "key": post["key"], "lasts_ms": lasts_ms}


def _refers(post: Any) -> list[Refers]:
    return [Refers("board", post.board, "board", "run")]


def _drawn(post: Mapping[str, Any]) -> str:
    return f"notice on {post['board']}"


POST = Kind(
    name="post",
    description="a notice on a board",
    example={"board": "stock", "key": "plan_date"},
    value=_value,
    compiled=_compiled,
    happens="state",
    shape="flag",
    drawn=_drawn,
    executor=None,
    entries_max=3,
    lasts_ms=lambda task: 0,
    refers=_refers,
    unread=UNREAD,
    other_words=("post_notice", "postnotices", "publish"),
)
