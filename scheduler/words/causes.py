"""Why a run exists: its kind, and the key by which the same cause is known again.

A cause makes one run at most, and ends in one entry of the ledger at most. Of a kind that no code makes yet
the key is agreed on already: what is recorded of it outlives the run, and no table changes for a new one.

Rules of this file:

1. A key is unique among the causes of one kind of one job. Where it begins with a trigger, that is the
   trigger's own key (its id, or the hash of its schedule), not an era's: so an edit that keeps the trigger
   makes nothing happen a second time.
2. The parts of a key are joined by slashes. A trigger's key holds none, and every part but the last is free
   of them by its own rules, so no two lists of parts give one text.
3. A tick is known by its era and its nominal instant, which each row has anyway. So it has no key in the
   rows, is unique by the compare-and-set that fires it, and its text is made when somebody reads it:
   `17@1800000000000`, and of a range of ticks that ended alike `17@1800000000000..1800000059000`, the first
   and the last of them. An instant belongs to one era, so no other tick lies in that range.
4. What was due, or came by itself, ends in a ledger entry (`LEDGERED`), with or without a run. What a person
   or another run asked for is answered to whoever asked and is no entry: it cannot be missed.

kind       key                                             entry   made by
tick       (era, nominal instant)                          yes     Fire, Account
catchup    the same tick, fired by its catch-up policy     yes     Fire
manual     none: each request is its own                   no      RunJob
rerun      the run that it repeats / its own id            no      RerunRun
orphan     the id of the run in the cluster before         no *    Adopt
startup    trigger / agent's installation / boot id        yes     FireStartups
delay      trigger / run that ended, 0: none / instant     yes     FireDelayed
after      trigger / the ids of the consumed runs, a,b,c   yes     FireDependents, FirePostponed
webhook    trigger / id of the delivery                    yes     Deliver
notice     trigger / board / serial of the notice          yes     FireNotices
file       trigger / serial that the state gave the file   yes
all_of     trigger / plan date                             yes     FireGathered, FireDependents, FireNotices
backfill   trigger / instant / the backfill                yes **  AdvanceBackfill
result     trigger / instant / number of this entry        yes **  none: it tells of a run that there was
nested     run / task / member / round                     no      Wake

* The tick that it proves ran ends in an entry of its own kind, which names the orphan as its run.

** Nobody was asked to decide it: such an entry says how the run ended, as its reason
   (`steps.backfilling`). It is of no era (trigger 0). Of a tick's own run there is one where it did not
   succeed, of a run that repeats it, and of a person's verdict, always.

A notice has its serial from the state when it is posted, a file when an agent first reports its identity
(scope, path, inode, birth time, mtime, size): once that was reported gone, the same identity is a new file.
Of a nested run no attempt is in the key: a task that is tried again finds the run that it began.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Kind(enum.StrEnum):
    TICK = "tick"
    CATCHUP = "catchup"
    MANUAL = "manual"
    RERUN = "rerun"
    ORPHAN = "orphan"
    STARTUP = "startup"
    DELAY = "delay"
    AFTER = "after"
    WEBHOOK = "webhook"
    NOTICE = "notice"
    FILE = "file"
    ALL_OF = "all_of"
    BACKFILL = "backfill"
    NESTED = "nested"
    RESULT = "result"


KINDS = {kind.value: kind for kind in Kind}
"""By the text in the rows."""

TICKS = frozenset({Kind.TICK, Kind.CATCHUP})
KEPT = frozenset({Kind.AFTER, Kind.NOTICE, Kind.FILE, Kind.ALL_OF})
"""What is kept here until there is room for its run; all else is kept by whoever has it, or ends."""
STAYS = frozenset({Kind.NOTICE, Kind.FILE})
"""What stays while its job is paused, and fires after that; all else ends."""
RESULTS = frozenset({Kind.BACKFILL, Kind.RESULT})
"""What an entry tells of a run that was there; nothing is decided by it."""
LEDGERED = TICKS | {Kind.STARTUP, Kind.DELAY, Kind.AFTER, Kind.WEBHOOK, Kind.NOTICE, Kind.FILE, Kind.ALL_OF}


class Cause(NamedTuple):
    kind: Kind
    key: str = ""  #: empty: of a tick, or of a person
    trigger: int = 0  #: the era that fired; 0: none
    tick_ms: int | None = None  #: the nominal instant of a tick


def rerun_key(source: int, run: int) -> str:
    """Of a run that repeats another one."""
    return f"{source}/{run}"


def backfill_key(trigger: str, at_ms: int, backfill: int) -> str:
    """Of the run that a backfill makes of an instant of this trigger."""
    return f"{trigger}/{at_ms}/{backfill}"


def backfilled(key: str) -> str:
    """The trigger and the instant that the run of a backfill is of."""
    return key.rpartition("/")[0]


def result_key(instant: str, entry: int) -> str:
    """Of an entry that tells how the run of an instant (trigger / instant) ended."""
    return f"{instant}/{entry}"


def booted(pool: str) -> str:
    """What a trigger waits for that fires when a host of this pool has booted."""
    return f"boot/{pool}"


def hooked(namespace: str, name: str) -> str:
    """What a trigger waits for that fires when this hook takes a delivery."""
    return f"hook/{namespace}/{name}"


def is_hooked(event: str) -> bool:
    return event.startswith("hook/")


def noticed(namespace: str, board: str) -> str:
    """What a trigger waits for that fires when a notice is posted on this board."""
    return f"notice/{namespace}/{board}"


def is_noticed(event: str) -> bool:
    return event.startswith("notice/")


def filed(pool: str) -> str:
    """What a trigger waits for that fires when a file is complete in a folder of agents of this pool."""
    return f"file/{pool}"


def is_filed(event: str) -> bool:
    return event.startswith("file/")


def text(key: str, trigger: int, first_ms: int | None, last_ms: int | None = None) -> str:
    """The key as people and other programs read it, of ticks too; empty: there is none."""
    if key or first_ms is None:
        return key
    span = "" if last_ms in (None, first_ms) else f"..{last_ms}"
    return f"{trigger}@{first_ms}{span}"
