"""One log entry: one transaction over all its frames.

Rules of this file:

1. Each (front, seq) is applied once. Its outcomes are remembered until the front waits for them no more; a
   frame sent again does nothing and gets the same answer.
2. The index goes up by one for each command, refused ones included. The stamp never goes back.
3. The running hash covers every frame, its outcomes and events, and each value written, frame by frame: it
   does not depend on how frames were joined into entries. Nodes compare it.
4. A command of an unknown tag, or with surplus fields, is of a newer format: NewerFormatError, the node must
   stop. Bytes that are no record at all do nothing, the same on all nodes, and are counted.
5. After any exception the machine refuses to go on: its memory and the file may differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count, repeat

from scheduler.formats import NewerFormatError
from scheduler.machine import dispatch
from scheduler.machine.context import LEAST_ROOM, ROOM, Context
from scheduler.store import state as state_rows
from scheduler.store.connection import Store
from scheduler.store.state import State
from scheduler.store.tables import fronts
from scheduler.words import codec
from scheduler.words.events import Event
from scheduler.words.outcomes import Code, Outcome
from scheduler.words.record import INTEGER_LIMIT

AppliedFrame = tuple[str, int, list[Outcome]]
"""What came of one frame: its front, its seq, its outcomes."""


@dataclass(frozen=True, slots=True)
class AppliedEntry:
    index: int  #: of the last command applied so far
    stamp_ms: int
    frames: list[AppliedFrame]  #: in the order of the entry
    events: list[tuple[int, int, Event]]  #: (index of the command, number within it, event)
    encoded: list[bytes]  #: the same, as codec.encode_events packed them frame by frame
    compared: bytes | None = None  #: the place whose rows are to be compared at this entry


class Machine:
    """The state's only writer."""

    def __init__(
        self,
        store: Store,
        members_of: Callable[[bytes], Sequence[str]] = lambda members: (),
        *,
        room: int = ROOM,
    ) -> None:
        """`members_of`: the names in what consensus stores as `members`, which is opaque here. `room`: of a
        frame (`steps.walking`); another one gives another state, so only tests and simulations give it.
        """
        self.store = store
        self._context = Context(store, state_rows.load(store), members_of, room)
        self._failed = False
        store.kept.begin()

    @property
    def state(self) -> State:
        """The current row. Read only."""
        return self._context.state

    def apply_entry(
        self, *, applied: tuple[int, int, int, int, bytes], stamp_ms: int, frames: Sequence[bytes]
    ) -> AppliedEntry:
        """Apply one committed entry. `applied`: Raft index, term, previous index, previous term, members.

        Raises NewerFormatError and sqlite3 errors; both end this machine.
        """
        if self._failed:
            raise RuntimeError("the machine failed before")
        self._failed = True
        try:
            entry = self._apply_entry(applied, stamp_ms, frames)
        except BaseException:
            self.store.kept.forget()
            raise
        self._failed = False
        return entry

    def _apply_entry(
        self, applied: tuple[int, int, int, int, bytes], stamp_ms: int, frames: Sequence[bytes]
    ) -> AppliedEntry:
        state = self._context.state
        self.store.begin()
        if stamp_ms > state.stamp_ms:
            state.before_ms, state.stamp_ms = state.stamp_ms, stamp_ms
            self._context.stamp_ms = stamp_ms
        (
            state.raft_index,
            state.raft_term,
            state.previous_index,
            state.previous_term,
            state.members,
        ) = applied
        answered: list[AppliedFrame] = []
        events: list[tuple[int, int, Event]] = []
        packed_events: list[bytes] = []
        for data in frames:
            frame = self._apply_frame(data, events, packed_events)
            if frame is not None:
                answered.append(frame)
        state_rows.save(self.store, state)
        self.store.commit()
        compared, self._context.compared = self._context.compared, None
        return AppliedEntry(state.idx, state.stamp_ms, answered, events, packed_events, compared)

    def _apply_frame(
        self, data: bytes, events: list[tuple[int, int, Event]], packed_events: list[bytes]
    ) -> AppliedFrame | None:
        state, store = self._context.state, self.store
        try:
            frame: codec.Frame | None = codec.decode_frame(data)
        except codec.UnknownRecordError:
            frame = None
        if frame is None or not 0 <= frame.lowest <= frame.seq < INTEGER_LIMIT:
            state.refused += 1
            self._hash(data, b"", b"", [])
            return None
        low = fronts.lowest(store, frame.front)
        if low is not None and frame.seq < low:
            return frame.front, frame.seq, []
        known = fronts.outcomes(store, frame.front, frame.seq)
        if known is not None:
            return frame.front, frame.seq, codec.decode_outcomes(known)
        written: list[Sequence[object]] = []
        store.kept.written = written
        self._context.room = self._context.room_whole
        outcomes: list[Outcome] = []
        first = len(events)
        for encoded in frame.commands:
            outcomes.append(self._apply_command(encoded, events))
        packed = codec.encode_outcomes(outcomes)
        fronts.remember(store, frame.front, frame.seq, packed)
        if low is None or frame.lowest > low:
            fronts.advance(store, frame.front, frame.lowest, state.stamp_ms)
        store.kept.written = None
        told = codec.encode_events(events[first:]) if len(events) > first else b""
        if told:
            packed_events.append(told)
        self._hash(data, packed, told, written)
        return frame.front, frame.seq, outcomes

    def _apply_command(self, encoded: bytes, events: list[tuple[int, int, Event]]) -> Outcome:
        context = self._context
        context.state.idx += 1
        context.room = max(context.room, min(LEAST_ROOM, context.room_whole))
        try:
            command = codec.decode_command(encoded)
        except codec.NewerRecordError as error:
            raise NewerFormatError(str(error)) from error
        except codec.UnknownRecordError:
            return Outcome(Code.INVALID, "not a command")
        except codec.MisshapenError as error:
            return Outcome(Code.INVALID, str(error))
        outcome = dispatch.apply(context, command)
        if context.events:
            events.extend(zip(repeat(context.state.idx), count(), context.events, strict=False))
            context.events.clear()
        return outcome

    def _hash(
        self,
        data: bytes,
        outcomes: bytes,
        events: bytes,
        written: Sequence[Sequence[object]],
    ) -> None:
        state = self._context.state
        digest = hashlib.sha256(state.hash)
        digest.update(data)
        digest.update(outcomes)
        digest.update(events)
        digest.update(codec.encode(written))
        digest.update(state.ledger_head)
        state.hash = digest.digest()

