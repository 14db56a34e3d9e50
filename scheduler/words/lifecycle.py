"""The legal transitions of tick, run, task and attempt, as tables.

Rules of this file:

1. Every change of a state in `scheduler.machine` goes through `step`, which refuses what a table does not
   hold: an illegal transition is a mistake of ours, never a refusal of a command.
2. A state without a way out is terminal, and stays as it is for ever.
3. docs/lifecycle.md is generated from these tables (`markdown`); a test holds it equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

START = ""
"""The state before the first one."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """`steps[state]` names the states that may follow, each with what brings it about."""

    noun: str
    steps: Mapping[str, Mapping[str, str]]

    @property
    def states(self) -> tuple[str, ...]:
        return tuple(state for state in self.steps if state != START)

    @property
    def terminal(self) -> frozenset[str]:
        return frozenset(state for state in self.states if not self.steps[state])


TICK = Lifecycle(
    "tick",
    {
        START: {"pending": "it is due"},
        "pending": {
            "ran": "the first grant of its run is committed, or its first work in the state begins",
            "skipped": "overlap, pause or cancellation",
            "coalesced": "the catch-up policy runs a later tick for it",
            "missed": "window, deadline, full buffer or lost before any start",
        },
        "ran": {},
        "skipped": {},
        "coalesced": {},
        "missed": {},
    },
)

RUN = Lifecycle(
    "run",
    {
        START: {"pending": "a tick fires or a person asks"},
        "pending": {
            "running": "the first grant of an attempt is committed, or the first work in the state begins",
            "cancelled": "a person, or a newer tick under overlap: cancel_running, before any start",
            "expired": "the start deadline passes",
            "failed": "it ends without any start because nothing could run",
            "lost": "it ends without any start",
            "succeeded": "every task was skipped by its rule",
        },
        "running": {
            "succeeded": "all tasks ended well",
            "failed": "a task failed and may not",
            "timed_out": "its timeout passed, or a task's did",
            "cancelled": "a person, or a newer tick under overlap: cancel_running",
            "lost": "a task was lost",
            "expired": "a task expired",
        },
        "succeeded": {},
        "failed": {},
        "timed_out": {},
        "cancelled": {},
        "lost": {},
        "expired": {},
    },
)

TASK = Lifecycle(
    "task",
    {
        START: {"blocked": "it needs others, or its run waits", "queued": "nothing holds it up"},
        "blocked": {
            "queued": "its needs and its rule are met, or its run is admitted",
            "skipped": "its rule cannot be met any more",
            "cancelled": "the run stops",
            "expired": "the start deadline passes",
        },
        "queued": {
            "active": "an assignment is committed, or its work in the state begins",
            "cancelled": "the run stops",
            "expired": "the start deadline passes",
        },
        "active": {
            "succeeded": "its attempt succeeded, or its work in the state is over",
            "failed": "its attempt failed and no retry remains",
            "timed_out": "its attempt timed out and no retry remains",
            "cancelled": "the run stops: its attempt was cancelled or taken back, or it is in the state",
            "lost": "its attempt was lost and no retry remains",
            "expired": "the start deadline passes before the grant; in the state: a restore gives it up",
            "queued": "its attempt was revoked before the grant",
            "retry_wait": "its attempt ended badly and a retry remains",
        },
        "retry_wait": {
            "queued": "the wait is over",
            "cancelled": "the run stops",
            "expired": "the start deadline passes",
        },
        "succeeded": {},
        "failed": {},
        "timed_out": {},
        "cancelled": {},
        "skipped": {},
        "lost": {},
        "expired": {},
    },
)

ATTEMPT = Lifecycle(
    "attempt",
    {
        START: {"assigned": "a placement is committed"},
        "assigned": {
            "granted": "its agent's claim is committed",
            "revoked": "it is taken back, or its agent refuses it, before any grant",
        },
        "granted": {
            "running": "its agent reports it running",
            "cancelling": "the run stops",
            "succeeded": "report",
            "failed": "report",
            "timed_out": "report",
            "lost": "proof of death, or the lease is over under on_lost: fail | retry, or a person says so",
        },
        "running": {
            "cancelling": "the run stops",
            "succeeded": "report",
            "failed": "report",
            "timed_out": "report",
            "lost": "proof of death, or the lease is over under on_lost: fail | retry, or a person says so",
        },
        "cancelling": {
            "cancelled": "its agent stopped it",
            "succeeded": "a real exit wins the race",
            "failed": "a real exit wins the race",
            "timed_out": "its own timeout wins the race",
            "lost": "proof of death, or the lease is over, or a person says so",
        },
        "succeeded": {},
        "failed": {},
        "timed_out": {},
        "cancelled": {},
        "lost": {},
        "revoked": {},
    },
)

LIFECYCLES = (TICK, RUN, TASK, ATTEMPT)

RUN_ENDS = RUN.terminal
TASK_ENDS = TASK.terminal
ATTEMPT_ENDS = ATTEMPT.terminal


class IllegalTransitionError(AssertionError):
    """The machine tried a transition that its table does not hold."""


def step(lifecycle: Lifecycle, before: str, after: str) -> str:
    """`after`, when it may follow `before`. Raises IllegalTransitionError (not under `python -O`)."""
    if __debug__ and after not in lifecycle.steps[before]:
        raise IllegalTransitionError(f"{lifecycle.noun}: {before or 'start'} -> {after}")
    return after


def markdown() -> str:
    """The text of docs/lifecycle.md."""
    parts = [
        "# Lifecycles\n",
        "Generated from `scheduler/words/lifecycle.py` "
        "(`python -m scheduler.words.lifecycle > docs/lifecycle.md`). "
        "States that lead to the final dot never change again.\n",
    ]
    for lifecycle in LIFECYCLES:
        parts.append(f"## {lifecycle.noun.capitalize()}\n")
        lines = ["```mermaid", "stateDiagram-v2"]
        for before, steps in lifecycle.steps.items():
            lines.extend(f"    {before or '[*]'} --> {after}" for after in steps)
        lines.extend(f"    {state} --> [*]" for state in lifecycle.states if state in lifecycle.terminal)
        lines.append("```\n")
        parts.append("\n".join(lines))
        rows = ["| from | to | by |", "| --- | --- | --- |"]
        for before, steps in lifecycle.steps.items():
            rows.extend(f"| {before or '–'} | {after} | {by} |" for after, by in steps.items())
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(markdown(), end="")
