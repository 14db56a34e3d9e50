"""What a function that applies a command is given: the open transaction, the state's one row, the stamp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from scheduler.machine.rules.graphs import Graph, Graphs
from scheduler.store.connection import Store
from scheduler.store.state import State
from scheduler.store.tables import audit, ledger, triggers, zones
from scheduler.ticks import rules_of
from scheduler.words.causes import Cause
from scheduler.words.events import Event
from scheduler.words.outcomes import Code, Outcome
from scheduler.words.record import Actor

OK = Outcome(Code.OK)


class Change(NamedTuple):
    """What a person's command changed. `before`, `after`: revisions are numbers, small values texts, never
    anything secret; None: there was nothing, or there is nothing to say."""

    kind: str  #: of the object
    namespace: str  #: empty: it is the cluster's
    name: str
    before: int | str | None
    after: int | str | None
    run: int
    reason: str
    verb: str  #: what was done; empty: what the command is named for


ROW, EDGE = 25, 1
"""What the row of a task that is written, and one need that is looked at, take of the room."""
CONDITION = 2 * ROW
"""What a condition that is judged takes of it: it looks up some tasks."""
ROOM = 500 * ROW
"""Of all commands of a frame: some 10 ms of CPU on a slow core."""
AHEAD_MS = 60_000
"""What is due is decided at most so long before: of a later tick the zone data in force is that of its
era."""
LEAST_ROOM = 4 * ROW
"""Of each command, whatever those before it took: what belongs to small graphs is done at once."""


def refused(code: Code, detail: str = "", **value: object) -> Outcome:
    return Outcome(code, detail, value or None)


def done(**value: object) -> Outcome:
    return Outcome(Code.OK, "", value)


class Context:
    """One per machine, used for every command."""

    __slots__ = (
        "changes", "compared", "emit", "events", "graph", "graphs", "has_end", "members_of", "reporter",
        "room", "room_whole", "stamp_ms", "state", "store",
    )  # fmt: skip

    def __init__(
        self, store: Store, state: State, members_of: Callable[[bytes], Sequence[str]], room: int = ROOM
    ) -> None:
        self.store = store
        self.members_of = members_of
        self.state = state
        self.stamp_ms = state.stamp_ms  #: of the entry that is applied
        self.graphs = Graphs(store)
        self.graph: Callable[[int, str, str, int], Graph] = self.graphs.get
        self.events: list[Event] = []
        self.emit: Callable[[Event], None] = self.events.append
        self.changes: list[Change] = []  #: that the command made, if a person sent it
        self.has_end = False  #: whether the command ended a run of which triggers hear
        self.reporter = 0  #: the agent of whose attempt the command tells the end
        self.compared: bytes | None = None  #: the place of the entry's latest Compare
        self.room_whole = room
        self.room = room  #: left to the frame that is applied (see `machine.steps.walking`)

    def members(self) -> Sequence[str]:
        """Names of the cluster's members at the entry that is applied."""
        return self.members_of(self.state.members)

    def take_rows(self, wanted: int, *, least: int) -> int:
        """As many rows as there is room for, at least `least` of those wanted."""
        taken = min(wanted, max(least, self.room // ROW))
        self.room -= taken * ROW
        return taken

    def changed(
        self, kind: str, namespace: str, name: str, before: int | str | None = None,
        after: int | str | None = None, *, run: int = 0, reason: str = "", verb: str = "",
    ) -> None:  # fmt: skip
        """For the audit: every command of a person that is accepted says what it changed."""
        self.changes.append(Change(kind, namespace, name, before, after, run, reason, verb))

    def note(self, actor: Actor, verb: str) -> None:
        """In the audit: who made these changes. The one place that writes there."""
        state = self.state
        for change in self.changes:
            state.last_audit += 1
            entry = audit.Entry(
                state.last_audit, state.idx, state.stamp_ms, actor.name, actor.address, int(actor.by_session),
                change.verb or verb, change.kind, change.namespace, change.name, change.run, change.before,
                change.after, change.reason,
            )  # fmt: skip
            audit.append(self.store, entry)
        self.changes.clear()

    def write_ledger(
        self,
        *,
        job: int,
        cause: Cause,
        first_ms: int,
        last_ms: int,
        count: int,
        outcome: str,
        reason: str = "",
        run: int = 0,
        into_ms: int | None = None,
    ) -> int:
        """Append an entry; returns its seq."""
        state = self.state
        state.ledger_seq += 1
        entry = ledger.Entry(
            state.ledger_seq, job, cause.trigger, str(cause.kind), cause.key, first_ms, last_ms, count,
            outcome, reason, run, into_ms, state.stamp_ms, state.epoch, state.idx,
            state.tzdata if first_ms > state.retimed_ms + AHEAD_MS else self._tzdata_of(cause.trigger),
        )  # fmt: skip
        state.ledger_head = ledger.append(self.store, entry, state.ledger_head)
        return state.ledger_seq

    def _tzdata_of(self, trigger: int) -> str:
        """The zone data by which this era is due: of one that ended with a Retime, the former."""
        era = triggers.get(self.store, trigger)
        rules = None if era is None else rules_of(era.spec)
        return (rules and zones.version_of(self.store, rules[1])) or self.state.tzdata
