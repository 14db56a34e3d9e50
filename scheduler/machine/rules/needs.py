"""When a task that needs others may start, by counts of those that ended. Pure.

A failure that is allowed counts as a success for `all_success`; a skipped need is none, so it skips too. The
`any_*` rules start as early as they can.
"""

from __future__ import annotations

READY, NEVER, WAITS = "ready", "never", "waits"
TASK_FAILURES = frozenset({"failed", "timed_out", "lost", "expired"})


def met_by_rule(state: str, *, may_fail: bool) -> dict[str, int]:
    """For each rule 1 when a need that ended like this is what the rule asks for, else 0."""
    succeeded, failed = state == "succeeded", state in TASK_FAILURES
    return {
        "all_success": int(succeeded or (failed and may_fail)),
        "any_success": int(succeeded),
        "any_failed": int(failed),
        "all_done": 1,
    }


def verdict(rule: str, *, of: int, open_needs: int, met: int) -> str:
    """READY, NEVER or WAITS, for a task with `of` needs of which `open_needs` have not ended and `met` ended
    as the rule asks.
    """
    if rule.startswith("any_"):
        if met:
            return READY
        return WAITS if open_needs else NEVER
    if met + open_needs < of:
        return NEVER
    return WAITS if open_needs else READY
