"""How an attempt ended, as executors and the spooler say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

UNSTARTED = "unstarted"
"""In place of `gone`, as scheduler.protocol.UNSTARTED: it surely never started, and never will."""
#: Why an end is not known: nothing else on the host may say how a process ended.
SPOOLER_DIED = "its spooler died, the agent's process that starts and watches it: how it ended is not known"

LINK_DIED = (
    "the link to the other host or the process that held it died, or the host could not be reached to end "
    "it: how it ended there is not known, its output may say more"
)


@dataclass(frozen=True, slots=True)
class Exit:
    """How an attempt ended. `reason`: exit | timeout | cancelled | start_failed | before_failed | gone |
    unstarted."""

    attempt: int
    started_ms: int | None
    finished_ms: int
    exit_code: int | None
    signal: int | None
    reason: str
    detail: str
    tail: bytes
    output_bytes: int | None  #: where the output ends, as agent.spool.child has it; None: nobody knows
    wrote_stderr: bool | None = None  #: None: nobody looked
    outputs: bytes = b""  #: as scheduler.protocol.Finished has them, and the next
    outputs_wrong: str = ""

    @classmethod
    def unstarted(cls, attempt: int, reason: str, detail: str, *, at_ms: int) -> Exit:
        """No process was made for it, and none will be."""
        return cls(attempt, None, at_ms, None, None, reason, detail, b"", 0)

    @classmethod
    def unseen(cls, attempt: int, reason: str, detail: str, *, at_ms: int) -> Exit:
        """It had been started, and nobody saw its end."""
        return cls(attempt, None, at_ms, None, None, reason, detail, b"", None)

    def row(self) -> list[Any]:
        return [
            self.attempt, self.started_ms, self.finished_ms, self.exit_code, self.signal, self.reason,
            self.detail, self.tail, self.output_bytes, self.wrote_stderr,
            *([self.outputs, self.outputs_wrong] if self.outputs or self.outputs_wrong else []),
        ]  # fmt: skip
