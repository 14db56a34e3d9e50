"""Cronclave from Python.

The promise: what a program asks for is done once, whichever node answers and whoever leads; what cannot be
done is an exception that says what, where and what to do. Nothing of the scheduler is imported, and nothing
of a program is imported by it.

    with cronclave.Client() as client:
        run = client.submit("nightly-report", {"region": "eu"}, key="report-2026-12-01")
        for part in client.follow(run):
            sys.stdout.buffer.write(part.data)
        client.wait(run)

Reading order: effects (what is asked of the world) → conversation (which node, which bytes, what is asked
again) → calls and applying (each question once) → client and aio (two loops that perform it); records,
errors; fences, callbacks; jobs (definitions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronclave.callbacks import Callback
from cronclave.client import Client
from cronclave.errors import (
    ConflictError,
    CronclaveError,
    DefinitionError,
    DeniedError,
    FieldFault,
    InvalidError,
    NoLeaderError,
    NotFoundError,
    ProblemError,
    RunFailedError,
    StaleFenceError,
    UnreachableError,
    VersionError,
    WaitTimeoutError,
)
from cronclave.fences import Fence, Shelf, fence
from cronclave.records import Applied, Attempt, Member, Notice, Output, Run, Task
from cronclave.version import VERSION

if TYPE_CHECKING:
    from cronclave.aio import AsyncClient

__version__ = VERSION
__all__ = [
    "Applied", "AsyncClient", "Attempt", "Callback", "Client", "ConflictError", "CronclaveError",
    "DefinitionError", "DeniedError", "Fence", "FieldFault", "InvalidError", "Member", "NoLeaderError",
    "NotFoundError", "Notice", "Output", "ProblemError", "Run", "RunFailedError", "Shelf", "StaleFenceError",
    "Task", "UnreachableError", "VersionError", "WaitTimeoutError", "fence",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """asyncio costs more to load than all else: it is, where it is asked for."""
    if name == "AsyncClient":
        from cronclave.aio import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
