"""Notices: whom a job tells of what becomes of it. One file for each way to tell, exactly one of these a
notice.

Promise: whoever needs to know about ways asks `KINDS` and finds there all that one is: its field and what is
refused of it, and the target that stands in the outbox. The check of a job, its JSON Schema, the reference
and the compiled form go through `KINDS`. What sends it is the file of the same name in node/effects.

Reading order: kind.py (what a way says of itself), webhook.py, email.py, channel.py; ../notice.py joins them.

Nothing here loads pydantic before `Kind.value` is called: the core compiles jobs and never judges them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.model.expected import AT_RISK, LONG, SHORT, STALLED, TOO_FEW
from scheduler.model.notify.channel import CHANNEL
from scheduler.model.notify.email import EMAIL
from scheduler.model.notify.kind import Kind
from scheduler.model.notify.webhook import WEBHOOK

__all__ = [
    "ABOUT", "FAILED", "HELD", "KINDS", "LATE", "MISSED", "NAMES", "ONE_OF", "ONE_WAY", "OUTPUT", "RECOVERED",
    "SKIPPED", "WAITING", "WARNED", "WAYS", "Kind", "compiled_targets", "kind_meant",
]  # fmt: skip

FAILED, WARNED, RECOVERED = "failed", "warned", "recovered"
MISSED, SKIPPED = "missed", "skipped"
LATE = "late"
WAITING, HELD, OUTPUT = "waiting", "held", "output"
ABOUT = {
    FAILED: "run", WARNED: "run", RECOVERED: "run", MISSED: "tick", SKIPPED: "tick",
    LATE: "run", AT_RISK: "run", LONG: "run", SHORT: "run", STALLED: "run", TOO_FEW: "job",
    WAITING: "run", HELD: "run", OUTPUT: "run",
}  # fmt: skip
"""What a notice can be about, and of what that is said."""

WAYS: tuple[Kind, ...] = (WEBHOOK, EMAIL)
"""Those that reach somebody themselves, and that a channel may be."""
KINDS: tuple[Kind, ...] = (*WAYS, CHANNEL)
NAMES = tuple(kind.name for kind in KINDS)
ONE_OF = f"one of {', '.join(NAMES)}"
ONE_WAY = f"one of {', '.join(kind.name for kind in WAYS)}"

_MEANT = {word: kind.name for kind in KINDS for word in kind.other_words}


def compiled_targets(notice: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Kind and target, of each receiver of a notice of a canonical job."""
    for kind in KINDS:
        if kind.name in notice:
            return [(kind.name, target) for target in kind.targets(notice)]
    raise KeyError("no way to tell")


def kind_meant(word: str) -> str | None:
    """The way that other schedulers call so."""
    return _MEANT.get(word.casefold())
