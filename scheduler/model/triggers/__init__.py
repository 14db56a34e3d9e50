"""Kinds of triggers: what makes a job due, exactly one of these a trigger. One file a kind.

Promise: whoever needs to know about kinds asks `KINDS` and finds there all that a kind is: its fields and
what is refused of them, what decides its instants (and so the trigger's identity), the spec that
`scheduler.ticks` reads, and what is said of one that never fires again. Nothing else in scheduler/, api/ or
cli/ decides by a kind's name (a test looks for it), but `scheduler.ticks.schedule`, which reads the specs.

Reading order: kind.py (what a kind says of itself), cron.py, every.py, iso8601.py, at.py (time; zoned.py
is what some of them share), schedule.py (those of an
object), startup.py, after.py, webhook.py, notice.py, file.py (events), all_of.py (several of those);
../trigger.py joins them.
"""

from __future__ import annotations

from typing import Any

from scheduler.model.triggers.after import AFTER
from scheduler.model.triggers.all_of import ALL_OF
from scheduler.model.triggers.at import AT
from scheduler.model.triggers.cron import CRON
from scheduler.model.triggers.every import EVERY
from scheduler.model.triggers.file import FILE
from scheduler.model.triggers.iso8601 import ISO8601
from scheduler.model.triggers.kind import Kind
from scheduler.model.triggers.notice import NOTICE
from scheduler.model.triggers.schedule import SCHEDULE
from scheduler.model.triggers.startup import STARTUP
from scheduler.model.triggers.webhook import WEBHOOK

__all__ = ["KINDS", "NAMES", "ONE_OF", "PLANNED", "Kind", "kind_meant"]

_Kinds = tuple[Kind[Any], ...]

KINDS: _Kinds = (CRON, EVERY, ISO8601, AT, SCHEDULE, STARTUP, AFTER, WEBHOOK, NOTICE, FILE, ALL_OF)
NAMES = tuple(kind.name for kind in KINDS)
ONE_OF = f"one of {', '.join(NAMES)}"
PLANNED: tuple[str, ...] = ()
"""Kinds of the job semantics that this version cannot do."""

_MEANT = {word: kind.name for kind in KINDS for word in kind.other_words}


def kind_meant(word: str) -> str | None:
    """The kind that other schedulers call so."""
    return _MEANT.get(word.casefold())
