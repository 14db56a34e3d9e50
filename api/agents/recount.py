"""An agent of the cluster that this one was restored from tells what it ran, before it registers.

Rules: page by page, pulled, so that a long history cannot flood a node; each page is committed before the
next is asked for; what is malformed ends the talk. Judging is the machine's (machine.adopted).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from api.agents.bounds import is_code, is_count, is_flag, is_instant, is_text, or_none
from api.agents.effects import Commit, NoOutcome, Talk, ask
from scheduler import protocol as p
from scheduler.store.tables.restores import Restore
from scheduler.words.commands import Adopt, RanAttempt

AT_ONCE = 100
PAGES_MAX = 10_000
TRIES_MAX = 1_000
CLOCKS_MS = 300_000
"""What ended up to so long before the backup is told as well: clocks of hosts differ."""

_FIELDS: dict[str, Callable[[Any], bool]] = {
    "attempt": is_count,
    "run": is_count,
    "namespace": is_text,
    "job": is_text,
    "task": is_text,
    "member": is_text,
    "round": is_count,
    "number": is_count,
    "tick_ms": or_none(is_instant),
    "due_ms": is_instant,
    "ended": is_flag,
    "started_ms": or_none(is_instant),
    "finished_ms": is_instant,
    "exit_code": or_none(is_code),
    "reason": is_text,
    "signal": or_none(is_code),
    "detail": is_text,
    "wrote_stderr": or_none(is_flag),
}


def needed(hello: p.Hello, restore: Restore | None) -> bool:
    """Whether this agent has something to tell: it was some cluster's before, and has not told this one."""
    return restore is not None and hello.cluster != "" and hello.told < restore.number


def recount(
    hello: p.Hello,
    cluster: str,
    restore: Restore,
    page_of: Callable[[p.Recount], Talk[p.Ran | None]],
) -> Talk[str | None]:
    """Why the agent has to leave, or None: all is told. `page_of` gives None where no right answer came."""
    for page in range(PAGES_MAX):
        told = yield from page_of(
            p.Recount(
                cluster, restore.number, restore.lineage, restore.attempt_floor,
                restore.stamp_ms - CLOCKS_MS, page,
            )
        )  # fmt: skip
        if told is None:
            return "no answer to Recount"
        rows = _rows(told)
        if rows is None:
            return "what it ran is told in another shape"
        slices = [rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)] or [[]]
        for number, part in enumerate(slices):
            last = not told.more and number == len(slices) - 1
            adopt = Adopt(
                restore.number, hello.installation, hello.name, hello.zone, hello.pool, tuple(part), last,
                told.running if last else (),
            )  # fmt: skip
            refusal = yield from _tell(adopt)
            if refusal is not None:
                return refusal
        if not told.more:
            return None
    return f"more than {PAGES_MAX} pages"


def _tell(adopt: Adopt) -> Talk[str | None]:
    """Until it is judged: tasks of large runs may have to be made first, some with each try."""
    for _ in range(TRIES_MAX):
        outcome = yield from ask(Commit(adopt))
        if isinstance(outcome, NoOutcome):
            return outcome.detail
        if not outcome.ok:
            return f"what it ran is refused: {outcome.detail or outcome.code}"
        if not (outcome.value or {}).get("again"):
            return None
    return "what it ran is of runs whose tasks are still being made"


def _rows(told: p.Ran) -> list[RanAttempt] | None:
    if len(told.attempts) > p.RAN_ROWS_MAX:
        return None
    try:
        rows = [RanAttempt(*row) for row in told.attempts]
    except TypeError:
        return None
    sound = all(check(getattr(row, name)) for row in rows for name, check in _FIELDS.items())
    return rows if sound else None
