"""A look at the whole state file beside the loop: when a node starts or has taken a copy, and when somebody
met something in it that SQLite cannot read.

Rules:

1. Until the look has ended the node takes no office and is not ready: damage would be served. It votes and
   follows meanwhile, since its journal is sound.
2. That lasts `HOLD_S` at most, so that a huge state on a slow disk does not keep a whole cluster waiting; the
   look goes on, and what it finds counts as well.
3. A look that the disk breaks off says nothing of the state: the error goes up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cluster.copies import Spawn
from scheduler.store import soundness
from scheduler.store.connection import DamagedError

HOLD_S = 30.0
AGAIN_S = 60.0  #: who suspects a file that was just suspected in vain is not heard

log = logging.getLogger("cronclave.core")


@dataclass(slots=True)
class _Look:
    """One stay of the helper thread, which sets `finished` last."""

    path: Path
    begun_s: float
    suspected: str
    holds_back: bool
    problems: list[str] = field(default_factory=list)
    error: Exception | None = None
    finished: bool = False

    def make(self) -> None:
        try:
            self.problems = soundness.problems(self.path)
        except Exception as error:  # raised again on the loop
            self.error = error
        finally:
            self.finished = True


class Inspection:
    """Of one node's state. Used by the loop."""

    def __init__(self, spawn: Spawn, clock: Callable[[], float] = time.monotonic) -> None:
        self._spawn, self._clock = spawn, clock
        self._look: _Look | None = None
        self._sound: tuple[Path | None, float] = (None, 0.0)

    def begin(self, path: Path, *, suspected: str = "", holds_back: bool = True) -> None:
        """Look at this file. `suspected`: who met what, if anybody did; `holds_back`: rule 1."""
        if suspected:
            sound, at_s = self._sound
            if self._look is not None or (sound == path and self._clock() - at_s < AGAIN_S):
                return
            log.error("the state may be damaged and is looked at: %s", suspected)
        look = self._look = _Look(path, self._clock(), suspected, holds_back)
        self._spawn(look.make)

    @property
    def is_on(self) -> bool:
        return self._look is not None

    @property
    def holds_back(self) -> bool:
        """Rule 1."""
        look = self._look
        return look is not None and look.holds_back and self._clock() - look.begun_s < HOLD_S

    def settle(self) -> None:
        """Take over what was found. Raises DamagedError, and what broke the look off."""
        look = self._look
        if look is None or not look.finished:
            return
        self._look = None
        if look.error is not None:
            raise look.error
        if look.problems:
            raise DamagedError(f"{look.path}: {'; '.join(look.problems)}")
        if look.suspected:
            log.warning("the state was looked at and is sound: %s", look.suspected)
            self._sound = (look.path, self._clock())
        took_s = self._clock() - look.begun_s
        if took_s > 1.0:
            log.info("the state was looked at in %.1f s and is sound", took_s)

    def forget(self) -> None:
        """The file is no longer the state."""
        self._look = None
