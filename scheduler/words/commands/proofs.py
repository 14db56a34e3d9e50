"""What the leader's own look at the ledger has found."""

from __future__ import annotations

from scheduler.words.record import ByPlanner, command


@command(158)
class TellProof(ByPlanner):
    """The ledger differs from what was due, and where first; `problems` 0: it does no longer."""

    problems: int
    kind: str = ""  #: of `verify`
    job: int = 0
    at_ms: int = 0
    detail: str = ""
