"""What becomes of a tick, a run, a task, an attempt and a stage: of each a table, state and event to the next
state.

Rules of this file:

1. Who writes a state names what happened, and the table says what follows: the rows of runs, tasks, attempts
   and stages change their state in one function each (`move` in the noun's file of scheduler/store/tables),
   and are made in the state that the table begins with. What an event cannot be followed by is a mistake of
   ours, never a refusal of a command.
2. A state without a way out is terminal, and stays as it is for ever. (The rows of an adopted run are no
   states but a reconstruction, see `machine.steps.reconstruct`.)
3. docs/lifecycle.md is generated from these tables (`markdown`); a test holds it equal. Others hold that
   nothing else writes a state, and that every state and event comes about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

START = ""
"""The state before the first one."""

E = TypeVar("E", bound=StrEnum)


class IllegalTransitionError(AssertionError):
    """The machine told of an event that cannot come in that state."""


@dataclass(frozen=True, slots=True)
class Lifecycle(Generic[E]):
    noun: str
    events: Mapping[E, str]  #: what happened, in words
    table: Mapping[str, Mapping[E, str]]  #: state → event → the state after it

    def after(self, state: str, event: E) -> str:
        """The state that follows. Raises IllegalTransitionError."""
        try:
            return self.table[state][event]
        except KeyError:
            raise IllegalTransitionError(f"{self.noun}: {event.value} in {state or 'start'}") from None

    @property
    def states(self) -> tuple[str, ...]:
        return tuple(state for state in self.table if state != START)

    @property
    def terminal(self) -> frozenset[str]:
        return frozenset(state for state in self.states if not self.table[state])


# -- ticks ----------------------------------------------------------------------------------------


class TickEvent(StrEnum):
    DUE = "due"
    RAN = "ran"
    SKIPPED = "skipped"
    COALESCED = "coalesced"
    MISSED = "missed"


TICK = Lifecycle(
    "tick",
    {
        TickEvent.DUE: "its instant is in sight",
        TickEvent.RAN: "the first grant of its run is committed, or its first work in the state begins",
        TickEvent.SKIPPED: "overlap, pause, closed plan date, blackout, admission window or cancellation",
        TickEvent.COALESCED: "a later tick runs for it, by the catch-up policy or under overload",
        TickEvent.MISSED: "window, deadline, full buffer, overload or lost before any start",
    },
    {
        START: {TickEvent.DUE: "pending"},
        "pending": {
            TickEvent.RAN: "ran",
            TickEvent.SKIPPED: "skipped",
            TickEvent.COALESCED: "coalesced",
            TickEvent.MISSED: "missed",
        },
        "ran": {},
        "skipped": {},
        "coalesced": {},
        "missed": {},
    },
)

# -- runs -----------------------------------------------------------------------------------------


class RunEvent(StrEnum):
    MADE = "made"
    HELD = "held"
    ADOPTED = "adopted"
    STARTED = "started"
    SUSPENDED = "suspended"
    RELEASED = "released"
    RESUMED = "resumed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"
    EXPIRED = "expired"


_UNBEGUN = {
    RunEvent.CANCELLED: "cancelled",
    RunEvent.EXPIRED: "expired",
    RunEvent.FAILED: "failed",
    RunEvent.LOST: "lost",
    RunEvent.SUCCEEDED: "succeeded",
}
_BEGUN = {**_UNBEGUN, RunEvent.TIMED_OUT: "timed_out"}

RUN = Lifecycle(
    "run",
    {
        RunEvent.MADE: "a tick fires or a person asks",
        RunEvent.HELD: "a person asks for one that is to wait until it is released",
        RunEvent.ADOPTED: "an agent tells of it after a restore",
        RunEvent.STARTED: "the first grant of an attempt is committed, or the first work in the state begins",
        RunEvent.SUSPENDED: "a person lets nothing more of it start",
        RunEvent.RELEASED: "a person lets it go on, and it had not begun",
        RunEvent.RESUMED: "a person lets it go on, and it had begun",
        RunEvent.SUCCEEDED: "all tasks ended well or were skipped by their rules, or one finished it so",
        RunEvent.FAILED: "a task failed and may not, or finished it so, or nothing could run",
        RunEvent.TIMED_OUT: "its timeout passed, or a task's did, or its admission window ended",
        RunEvent.CANCELLED: "a person, or a newer tick under overlap: cancel_running",
        RunEvent.LOST: "a task was lost, or it ends without any start",
        RunEvent.EXPIRED: "the start deadline passes, of the run or of a task",
    },
    {
        START: {RunEvent.MADE: "pending", RunEvent.HELD: "held", RunEvent.ADOPTED: "running"},
        "pending": {RunEvent.STARTED: "running", RunEvent.SUSPENDED: "suspended", **_UNBEGUN},
        "running": {RunEvent.SUSPENDED: "suspended", **_BEGUN},
        # After a restore an agent may tell that it had begun all the same: that is not forgotten.
        "held": {RunEvent.RELEASED: "pending", RunEvent.STARTED: "suspended", **_UNBEGUN},
        "suspended": {
            RunEvent.RELEASED: "pending",
            RunEvent.RESUMED: "running",
            RunEvent.STARTED: "suspended",
            **_BEGUN,
        },
        "succeeded": {},
        "failed": {},
        "timed_out": {},
        "cancelled": {},
        "lost": {},
        "expired": {},
    },
)

# -- tasks ----------------------------------------------------------------------------------------


class TaskEvent(StrEnum):
    HELD_UP = "held_up"
    KEPT_BACK = "kept_back"
    HELD = "held"
    READY = "ready"
    PLACED = "placed"
    BEGUN = "begun"
    ADOPTED = "adopted"
    TAKEN_BACK = "taken_back"
    RETRY_LEFT = "retry_left"
    WAITED = "waited"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SKIPPED = "skipped"


TASK = Lifecycle(
    "task",
    {
        TaskEvent.HELD_UP: "it needs others, or its run waits",
        TaskEvent.KEPT_BACK: "its run is suspended, or its window ends, before any grant of an attempt",
        TaskEvent.HELD: "a person lets it wait before its start, or it failed under on_failure: hold",
        TaskEvent.READY: "nothing holds it up (any more)",
        TaskEvent.PLACED: "an assignment is committed",
        TaskEvent.BEGUN: "its work in the state begins; a group does, or another round of it",
        TaskEvent.ADOPTED: "an agent tells after a restore that it started it before",
        TaskEvent.TAKEN_BACK: "its attempt was revoked before the grant, or never started",
        TaskEvent.RETRY_LEFT: "its attempt ended badly and a retry remains; a group has another round",
        TaskEvent.WAITED: "the wait for the retry is over",
        TaskEvent.SUCCEEDED: "its attempt, or that of a run before, succeeded; or work in the state is over",
        TaskEvent.FAILED: "its attempt failed and no retry remains, or it waits in a deadlock",
        TaskEvent.TIMED_OUT: "its attempt timed out and no retry remains",
        TaskEvent.LOST: "its attempt was lost and no retry remains",
        TaskEvent.CANCELLED: "its run stops, or a person stops it; its attempt was stopped or taken back",
        TaskEvent.EXPIRED: "the start deadline passes before any grant, or a restore gives it up",
        TaskEvent.SKIPPED: "its rule or condition (`when`) says no, its exit code or a person skips it",
    },
    {
        START: {
            TaskEvent.HELD_UP: "blocked",
            TaskEvent.READY: "queued",
            TaskEvent.PLACED: "active",
            TaskEvent.ADOPTED: "active",
            TaskEvent.SKIPPED: "skipped",
            # Of a run that repeats another: as it had ended there.
            TaskEvent.SUCCEEDED: "succeeded",
            TaskEvent.FAILED: "failed",
            TaskEvent.TIMED_OUT: "timed_out",
            TaskEvent.LOST: "lost",
        },
        "blocked": {
            TaskEvent.HELD: "held",
            TaskEvent.READY: "queued",
            TaskEvent.PLACED: "active",
            TaskEvent.BEGUN: "active",
            TaskEvent.ADOPTED: "active",
            TaskEvent.SKIPPED: "skipped",
            TaskEvent.CANCELLED: "cancelled",
            TaskEvent.EXPIRED: "expired",
        },
        "queued": {
            TaskEvent.KEPT_BACK: "blocked",
            TaskEvent.HELD: "held",
            TaskEvent.SKIPPED: "skipped",
            TaskEvent.PLACED: "active",
            TaskEvent.BEGUN: "active",
            TaskEvent.ADOPTED: "active",
            TaskEvent.FAILED: "failed",
            TaskEvent.CANCELLED: "cancelled",
            TaskEvent.EXPIRED: "expired",
        },
        "active": {
            TaskEvent.SUCCEEDED: "succeeded",
            TaskEvent.FAILED: "failed",
            TaskEvent.TIMED_OUT: "timed_out",
            TaskEvent.LOST: "lost",
            TaskEvent.CANCELLED: "cancelled",
            TaskEvent.EXPIRED: "expired",
            TaskEvent.TAKEN_BACK: "queued",
            TaskEvent.KEPT_BACK: "blocked",
            TaskEvent.HELD: "held",
            TaskEvent.RETRY_LEFT: "retry_wait",
            TaskEvent.SKIPPED: "skipped",
        },
        "retry_wait": {
            TaskEvent.WAITED: "queued",
            TaskEvent.BEGUN: "active",
            TaskEvent.KEPT_BACK: "blocked",
            TaskEvent.HELD: "held",
            TaskEvent.SKIPPED: "skipped",
            TaskEvent.ADOPTED: "active",
            TaskEvent.CANCELLED: "cancelled",
            TaskEvent.EXPIRED: "expired",
        },
        "held": {
            TaskEvent.HELD_UP: "blocked",
            TaskEvent.READY: "queued",
            TaskEvent.WAITED: "queued",
            TaskEvent.BEGUN: "active",
            TaskEvent.ADOPTED: "active",
            TaskEvent.FAILED: "failed",
            TaskEvent.TIMED_OUT: "timed_out",
            TaskEvent.LOST: "lost",
            TaskEvent.SKIPPED: "skipped",
            TaskEvent.CANCELLED: "cancelled",
            TaskEvent.EXPIRED: "expired",
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

# -- attempts -------------------------------------------------------------------------------------


class AttemptEvent(StrEnum):
    PLACED = "placed"
    ADOPTED = "adopted"
    GRANTED = "granted"
    TAKEN_BACK = "taken_back"
    RUNS = "runs"
    AWAITED = "awaited"
    ASKED_TO_STOP = "asked_to_stop"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    STOPPED = "stopped"
    LOST = "lost"
    UNSTARTED = "unstarted"


_REPORTED = {
    AttemptEvent.SUCCEEDED: "succeeded",
    AttemptEvent.FAILED: "failed",
    AttemptEvent.TIMED_OUT: "timed_out",
    AttemptEvent.LOST: "lost",
}
"""A real exit wins the race with a wish to stop it."""

ATTEMPT = Lifecycle(
    "attempt",
    {
        AttemptEvent.PLACED: "a placement is committed",
        AttemptEvent.ADOPTED: "an agent tells of it after a restore",
        AttemptEvent.GRANTED: "its agent's claim is committed",
        AttemptEvent.TAKEN_BACK: "it is revoked, or its agent refuses it, before any grant",
        AttemptEvent.RUNS: "its agent reports it running",
        AttemptEvent.AWAITED: "its process ended well, and somebody outside is to complete it (`async`)",
        AttemptEvent.ASKED_TO_STOP: "the run stops",
        AttemptEvent.SUCCEEDED: "its agent reports a good end, or it was completed so",
        AttemptEvent.FAILED: "its agent reports a bad end, or it was completed so",
        AttemptEvent.TIMED_OUT: "its agent reports that its timeout passed, or nobody completed it in time",
        AttemptEvent.STOPPED: "its agent stopped it; where nobody asked for that, its lease had ended. Of one"
        " that awaits its completion: it is not to go on",
        AttemptEvent.LOST: "proof of death, a lease over under on_lost: fail or retry, or a person's word",
        AttemptEvent.UNSTARTED: "its agent proves that it never started",
    },
    {
        START: {AttemptEvent.PLACED: "assigned", AttemptEvent.ADOPTED: "running"},
        "assigned": {AttemptEvent.GRANTED: "granted", AttemptEvent.TAKEN_BACK: "revoked"},
        "granted": {
            AttemptEvent.RUNS: "running",
            AttemptEvent.AWAITED: "awaiting",
            AttemptEvent.ASKED_TO_STOP: "cancelling",
            AttemptEvent.STOPPED: "lost",
            AttemptEvent.UNSTARTED: "unstarted",
            **_REPORTED,
        },
        "running": {
            AttemptEvent.RUNS: "running",
            AttemptEvent.AWAITED: "awaiting",
            AttemptEvent.ASKED_TO_STOP: "cancelling",
            AttemptEvent.STOPPED: "lost",
            **_REPORTED,
        },
        "cancelling": {
            AttemptEvent.RUNS: "cancelling",
            AttemptEvent.STOPPED: "cancelled",
            **_REPORTED,
        },
        # No process is left of it: nothing is asked to stop, and nothing can be lost.
        "awaiting": {
            AttemptEvent.SUCCEEDED: "succeeded",
            AttemptEvent.FAILED: "failed",
            AttemptEvent.TIMED_OUT: "timed_out",
            AttemptEvent.STOPPED: "cancelled",
        },
        "succeeded": {},
        "failed": {},
        "timed_out": {},
        "cancelled": {},
        "lost": {},
        "revoked": {},
        "unstarted": {},
    },
)

# -- staged applies -------------------------------------------------------------------------------


class StageEvent(StrEnum):
    OPENED = "opened"
    COMMITTED = "committed"
    PASSED = "passed"
    JUDGED = "judged"
    REFUSED = "refused"
    SWITCHED = "switched"
    DROPPED = "dropped"
    EXPIRED = "expired"


STAGE = Lifecycle(
    "stage",
    {
        StageEvent.OPENED: "its first slice is laid down",
        StageEvent.COMMITTED: "a person asks for it to go live: from here on edits wait; or for a dry run",
        StageEvent.PASSED: "nothing is in the way of any item: it counts from this entry on",
        StageEvent.JUDGED: "nothing is in the way of any item, and it was a dry run: nothing has changed",
        StageEvent.REFUSED: "something is in the way of an item: nothing has changed",
        StageEvent.SWITCHED: "the last item has had its turn",
        StageEvent.DROPPED: "a person's word, or a restore",
        StageEvent.EXPIRED: "nobody committed it in its time",
    },
    {
        START: {StageEvent.OPENED: "open"},
        "open": {
            StageEvent.COMMITTED: "checking",
            StageEvent.DROPPED: "dropped",
            StageEvent.EXPIRED: "expired",
        },
        "checking": {
            StageEvent.PASSED: "switching",
            StageEvent.JUDGED: "judged",
            StageEvent.REFUSED: "refused",
            StageEvent.DROPPED: "dropped",
        },
        "switching": {StageEvent.SWITCHED: "done"},
        "done": {},
        "judged": {},
        "refused": {},
        "dropped": {},
        "expired": {},
    },
)

LIFECYCLES: tuple[Lifecycle[Any], ...] = (TICK, RUN, TASK, ATTEMPT, STAGE)

KEPT_BACK = frozenset({"held", "suspended"})
"""States of a run of which nothing starts until a person says so."""

RUN_ENDS = RUN.terminal
TASK_ENDS = TASK.terminal
ATTEMPT_ENDS = ATTEMPT.terminal
AWAITING = "awaiting"
"""Of an attempt without a process: it has no slot, and ends when somebody outside says how."""
STAGE_ENDS = STAGE.terminal

RUN_END: Mapping[str, RunEvent] = {state: RunEvent(state) for state in sorted(RUN_ENDS)}
TASK_END: Mapping[str, TaskEvent] = {state: TaskEvent(state) for state in sorted(TASK_ENDS)}
"""An end is brought about by the event of its name."""


def in_words(state: str) -> str:
    """A state within a sentence for people."""
    return "about to be tried again" if state == "retry_wait" else state.replace("_", " ")


def markdown() -> str:
    """The text of docs/lifecycle.md."""
    parts = [
        "# Lifecycles\n",
        "Generated from `scheduler/words/lifecycle.py` "
        "(`python -m scheduler.words.lifecycle > docs/lifecycle.md`), whose tables the machine follows. "
        "States that lead to the final dot never change again.\n",
    ]
    for lifecycle in LIFECYCLES:
        parts.append(f"## {lifecycle.noun.capitalize()}\n")
        lines = ["```mermaid", "stateDiagram-v2"]
        for before, steps in lifecycle.table.items():
            by_target: dict[str, list[str]] = {}
            for event, after in steps.items():
                by_target.setdefault(after, []).append(event.value)
            start = before or "[*]"
            lines.extend(f"    {start} --> {after}: {', '.join(told)}" for after, told in by_target.items())
        lines.extend(f"    {state} --> [*]" for state in lifecycle.states if state in lifecycle.terminal)
        lines.append("```\n")
        parts.append("\n".join(lines))
        rows = ["| event | what happened | from → to |", "| --- | --- | --- |"]
        for event, said in lifecycle.events.items():
            moves = [
                f"{before or 'start'} → {steps[event]}"
                for before, steps in lifecycle.table.items()
                if event in steps
            ]
            rows.append(f"| {event.value} | {said} | {', '.join(moves)} |")
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(markdown(), end="")
