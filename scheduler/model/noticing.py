"""Which notices of its board a trigger waits for. Read from its spec, on each node the same; no pydantic."""

from __future__ import annotations

import json
from functools import lru_cache

from scheduler.ticks import plan_days
from scheduler.words.json_text import json_text

PLAN_DATE = "plan_date"
"""As a key: the plan date of the notice itself."""


def notice_spec(event: str, key: str | None) -> bytes:
    return json_text({"event": event} | ({} if key is None else {"key": key}))


@lru_cache(maxsize=4_096)
def asked_key(spec: bytes) -> str | None:
    """None: it waits for any notice."""
    found = json.loads(spec).get("key")
    return found if isinstance(found, str) else None


def written(key: str, plan_day: int) -> str:
    """The key that a notice of this plan date has, or is asked for."""
    return plan_days.text_of(plan_day) if key == PLAN_DATE else key


def is_meant(spec: bytes, notice: str, plan_day: int) -> bool:
    asked = asked_key(spec)
    return asked is None or written(asked, plan_day) == notice
