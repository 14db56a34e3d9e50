"""What applying a command came to."""

from __future__ import annotations

import enum

from scheduler.words.record import Record


class Code(enum.StrEnum):
    """OK, or why a command was refused: stable words, which clients see."""

    OK = "ok"
    INVALID = "invalid"  #: it could not be, whatever the state
    FORMAT = "format"  #: the state's format is too old for it
    LIMIT = "limit"  #: there are as many as there may be
    QUOTA = "quota"  #: its namespace would have more than it may
    NOT_ALLOWED = "not_allowed"  #: it asks for what its namespace may not have
    TOO_MANY_TICKS = "too_many_ticks"  #: more would be asked for in a second than the limits allow
    PAST = "past"  #: new triggers would never fire
    TOO_LARGE = "too_large"  #: no log could hold it; said before it is proposed
    NOT_FOUND = "not_found"
    EXISTS = "exists"
    MISSING = "missing"  #: it refers to what does not exist
    CYCLE = "cycle"  #: jobs would wait for their own ends
    OWNED = "owned"  #: it comes from a source, which alone changes it
    REFERRED = "referred"  #: something refers to it, so it stays
    REVISION_MISMATCH = "revision_mismatch"
    KEY_REUSED = "key_reused"  #: its Idempotency-Key was used for another request
    CONFLICT = "conflict"  #: with something else that the state holds
    SWITCHING = "switching"  #: a staged apply goes live: ask again when it is done
    ENDED = "ended"  #: what it is about has ended
    STALE_EPOCH = "stale_epoch"  #: of a leadership that is over
    STALE_DUE = "stale_due"  #: the planner saw another instant than the trigger is at
    SUPERSEDED = "superseded"  #: something newer has taken the place of what it is about
    REVOKED = "revoked"  #: the attempt was taken back
    NOT_CONNECTED = "not_connected"  #: the agent is not
    FENCED = "fenced"  #: a newer session of the agent exists, or its name was taken from it
    NAME_TAKEN = "name_taken"  #: another installation is connected under the agent's name


class Outcome(Record, frozen=True):
    """What applying a command came to. A refusal is a value, never an exception.

    `value` holds plain msgpack data, such as {"run": 17} or {"revision": 3, "created": True}.
    """

    code: Code
    detail: str = ""
    value: dict[str, object] | None = None

    @property
    def ok(self) -> bool:
        return self.code == Code.OK
