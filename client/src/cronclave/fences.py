"""Fences: what keeps an attempt that was given up from touching what its successor has in hand.

Each grant of an attempt has a number, larger than those of all grants before it (CRONCLAVE_FENCE). An
attempt may hang for longer than its lease, be given up, and wake beside the next one. Nobody can stop it
from trying; the resource can refuse it, if it remembers the newest number that it has seen:

    with cronclave.fence("/shared/warehouse") as fence:
        ...                      # nobody with another number is in here
        fence.check()            # before each step that cannot be taken back

Rules:

1. Who enters with a number below the newest one is refused with StaleFenceError. Equal numbers pass: it is
   the same attempt.
2. The newest number is written, and is on the disk, before the block begins.
3. One is inside at a time. A newer one waits for the older to leave, as long as `wait_s` says.
4. What is fenced must be touched inside of such blocks alone, by everybody.

`fence(PATH)` keeps the number in the file PATH.fence, under a lock of the kernel that ends with its process.
For what lies elsewhere (a database, an object store) a `Shelf` keeps it: `load` and `swap` with a
comparison, nothing else. There rule 3 is not to be had: check before each step, and let the last one be
conditional on the shelf's own tag.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from cronclave.errors import CronclaveError, StaleFenceError

WAIT_S = 60.0
PAUSE_S = 0.05
TRIES_MAX = 100
DIGITS_MAX = 20
SUFFIX = ".fence"


@runtime_checkable
class Shelf(Protocol):
    """Where the newest number of a resource is kept. `swap` writes it only where `tag` is still that of
    `load`."""

    def load(self) -> tuple[int, Any]:
        """The newest number, 0 if there is none, and a tag of this very version."""

    def swap(self, number: int, tag: Any) -> bool:
        """Whether it was written: False where the tag is another one by now."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Held inside of the block. `number` is the fencing token."""

    resource: str
    number: int
    _shelf: Shelf

    def check(self) -> None:
        """Raises StaleFenceError where somebody newer has come."""
        newest, _ = self._shelf.load()
        if newest > self.number:
            raise StaleFenceError(self.resource, self.number, newest)


def own_number() -> int:
    """The number of this attempt's grant. Raises CronclaveError outside of one."""
    text = os.environ.get("CRONCLAVE_FENCE", "")
    if not (text.isascii() and text.isdigit()):
        raise CronclaveError(
            "there is no fence: CRONCLAVE_FENCE is not set",
            hint="Tasks of Cronclave have it. Elsewhere say which number: fence(resource, number=…).",
        )
    return int(text)


@contextmanager
def fence(
    resource: str | os.PathLike[str] | Shelf, *, number: int | None = None, wait_s: float = WAIT_S
) -> Iterator[Fence]:
    """Hold a resource: a path, whose number is kept beside it, or a `Shelf`. `number`: the attempt's own by
    default. Raises StaleFenceError, and TimeoutError where another one is inside for longer than
    `wait_s`."""
    own = own_number() if number is None else number
    if isinstance(resource, Shelf):
        yield _taken(resource, type(resource).__name__, own)
        return
    path = Path(os.fspath(resource) + SUFFIX)
    with _locked(path, own, wait_s) as shelf:
        yield _taken(shelf, os.fspath(resource), own)


def _taken(shelf: Shelf, resource: str, own: int) -> Fence:
    for _ in range(TRIES_MAX):
        newest, tag = shelf.load()
        if newest > own:
            raise StaleFenceError(resource, own, newest)
        if newest == own or shelf.swap(own, tag):
            return Fence(resource, own, shelf)
    raise CronclaveError(f"{resource}: its newest fence changed {TRIES_MAX} times while it was written")


@dataclass(frozen=True, slots=True)
class _File:
    """A shelf that is a file, whose lock is held."""

    path: Path
    descriptor: int

    def load(self) -> tuple[int, None]:
        text = os.pread(self.descriptor, DIGITS_MAX + 1, 0).decode("ascii", errors="replace").strip()
        if text and not (text.isascii() and text.isdigit()):
            raise CronclaveError(
                f"{self.path} does not hold a fence: {text[:DIGITS_MAX]!r}",
                hint="Nobody else may write it. Who knows that nothing old is at work removes it.",
            )
        return int(text or 0), None

    def swap(self, number: int, tag: None) -> bool:
        # All digits in one write: numbers only grow, so a torn one is never larger.
        os.pwrite(self.descriptor, f"{number:0{DIGITS_MAX}d}".encode(), 0)
        os.fsync(self.descriptor)
        return True


@contextmanager
def _locked(path: Path, own: int, wait_s: float) -> Iterator[_File]:
    import fcntl

    deadline_s = time.monotonic() + wait_s
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                newest, _ = _File(path, descriptor).load()
                if newest > own:
                    raise StaleFenceError(str(path)[: -len(SUFFIX)], own, newest) from None
                if time.monotonic() >= deadline_s:
                    raise TimeoutError(
                        f"{path}: fence {newest} is held for longer than {wait_s:g} s"
                    ) from None
                time.sleep(PAUSE_S)
        yield _File(path, descriptor)
    finally:
        os.close(descriptor)
