"""What a command ends with. Scripts rely on these numbers; they are in docs/reference/cli.md.

Click itself ends with 2 for wrong usage and with 1 where the user aborts.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

import click

from cli.terminal import plain

OK = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
DENIED = 4
CONFLICT = 5
NO_LEADER = 6
TIMED_OUT = 7
RUN_FAILED, RUN_TIMED_OUT, RUN_CANCELLED, RUN_LOST, RUN_EXPIRED = 10, 11, 12, 13, 14

MEANINGS = {
    OK: "done",
    FAILED: "failed: refused by the cluster, invalid input, or an error",
    USAGE: "wrong usage of the command line",
    NOT_FOUND: "no such job, run, node…",
    DENIED: "no token, a wrong one, or one that may not do this",
    CONFLICT: "the state does not allow it: the name is taken, the revision is another one",
    NO_LEADER: "no leader or no quorum, or no node answers",
    TIMED_OUT: "not within the time given",
    RUN_FAILED: "what was waited for (a run, or what `run logs -f` follows) failed",
    RUN_TIMED_OUT: "it timed out",
    RUN_CANCELLED: "it was cancelled, or skipped",
    RUN_LOST: "it was lost with its agent",
    RUN_EXPIRED: "it did not start by its deadline",
}
_OF_STATE = {
    "succeeded": OK, "timed_out": RUN_TIMED_OUT, "cancelled": RUN_CANCELLED, "skipped": RUN_CANCELLED,
    "lost": RUN_LOST, "expired": RUN_EXPIRED,
}  # fmt: skip


def of_state(state: str) -> int:
    """Of a run, a task or an attempt that has ended."""
    return _OF_STATE.get(state, RUN_FAILED)


def of_run(run: Mapping[str, Any]) -> int:
    """Of one that has ended: as what it counts, where a person has laid a verdict over it."""
    verdict = run.get("override")
    return of_state(verdict["as"] if verdict else run["state"])


class Failure(click.ClickException):
    """An expected failure: a line that says what, more lines that say where, and a hint that says what to
    do.
    """

    #: the fields that a problem+json found fault with, as it named them
    errors: Sequence[Mapping[str, Any]]
    kind: str  #: the problem's type, as in /problems/KIND; empty: it is none of the API's

    def __init__(
        self, message: str, *, code: int = FAILED, details: Sequence[str] = (), hint: str = ""
    ) -> None:
        super().__init__(message)
        self.errors, self.kind = (), ""
        self.exit_code = code  # type: ignore[misc]  # one class for all codes
        self.details = tuple(details)
        self.hint = hint

    def show(self, file: IO[Any] | None = None) -> None:
        stream = sys.stderr if file is None else file
        # What the server says may quote a stranger's text.
        click.echo(f"{click.style('error:', fg='red', bold=True)} {plain(self.message)}", file=stream)
        for detail in self.details:
            click.echo(f"  {plain(detail)}", file=stream)
        if self.hint:
            click.echo(f"{click.style('hint:', fg='cyan', bold=True)} {plain(self.hint)}", file=stream)
