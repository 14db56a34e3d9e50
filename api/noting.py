"""What people decide beside the log has its entry in the audit before it is done: none is done without, and
one that fails then has one too."""

from __future__ import annotations

from api.call import Call
from api.outcomes import expect_ok
from scheduler.words.commands import Note


async def note(
    call: Call, deed: str, name: str = "", *, before: str | None = None, after: str | None = None,
    timeout_s: float = 10.0,
) -> None:  # fmt: skip
    """Raises NoLeaderError, Problem: then it must not be done."""
    command = Note(deed, name, before, after, call.actor)
    outcome = await call.scheduler.propose(command, timeout_s=timeout_s)
    expect_ok(outcome, what=f"to {deed} {name}".rstrip())
