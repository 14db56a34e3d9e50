"""Why a run exists: its kind, and the key by which the same cause is known again.

A cause makes one run at most. Of a kind that no code makes yet the key is agreed on already, since what is
recorded of it outlives the run.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Kind(enum.StrEnum):
    TICK = "tick"  #: trigger and nominal instant
    CATCHUP = "catchup"  #: the same, fired by the catch-up policy
    MANUAL = "manual"  #: none: each request is its own
    ORPHAN = "orphan"  #: the id of the run in the cluster before the restore
    AFTER = "after"  #: trigger and the ids of the consumed runs
    WEBHOOK = "webhook"  #: trigger and the id of the delivery
    NOTICE = "notice"  #: trigger, board, key and serial
    FILE = "file"  #: trigger, scope and identity of the file
    STARTUP = "startup"  #: trigger and the host's boot id
    ALL_OF = "all_of"  #: trigger and plan date
    BACKFILL = "backfill"  #: trigger and nominal instant
    NESTED = "nested"  #: the attempt, or the task, that started it


class Cause(NamedTuple):
    kind: Kind
    key: str = ""
