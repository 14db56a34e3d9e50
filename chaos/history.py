"""What happened, as the harness saw it: JSON lines on one monotonic clock.

Rules:
1. The clock is CLOCK_BOOTTIME, in seconds: payloads read the same one (/proc/uptime), so what the harness
   asked and what ran on a host stand on one line. Wall time comes in as anchors and is used for nothing but
   to say when a tick was due.
2. An operation is an `invoke` and then exactly one of `ok` (it happened), `fail` (it did not happen), `info`
   (nobody knows: it may happen any time later). Without one of these the harness itself died: info.
3. Nothing is ever rewritten. A line that was torn by the harness's own death is left out when read, and told.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias

Entry: TypeAlias = dict[str, Any]
Outcome: TypeAlias = Literal["ok", "fail", "info"]

HISTORY = "history.jsonl"


def now_s() -> float:
    """Seconds on the harness's clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class History:
    """The writing end; any thread may use it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self.anchor()

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, kind: str, **fields: Any) -> float:
        """One line; gives its time."""
        with self._lock:
            at_s = now_s()
            line = json.dumps({"t": round(at_s, 4), "kind": kind, **fields}, separators=(",", ":"))
            if not self._file.closed:  # a thread that did not end in time has nothing more to say
                self._file.write(line + "\n")
        return at_s

    def anchor(self) -> None:
        """Say what the wall clock shows now."""
        self.write("anchor", wall_s=round(time.time(), 4))

    def invoke(self, process: str, op: str, **arguments: Any) -> int:
        """An operation begins; gives its id."""
        with self._lock:
            number = next(self._ids)
        self.write("invoke", id=number, process=process, op=op, **arguments)
        return number

    def end(self, operation: int, outcome: Outcome, **result: Any) -> None:
        self.write(outcome, id=operation, **result)

    def close(self) -> None:
        with self._lock:
            self._file.close()


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation from its invocation to its end."""

    id: int
    process: str
    op: str
    arguments: Mapping[str, Any]
    began_s: float
    ended_s: float | None = None  #: None: never
    outcome: Outcome = "info"
    result: Mapping[str, Any] = field(default_factory=dict)


def read_lines(path: Path, damage: list[str] | None = None) -> list[Entry]:
    """Every whole JSON line of a file, empty where there is no file. What is no such line is named in
    `damage`."""
    if not path.exists():
        return []
    entries = []
    found: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").split("\n"), 1):
        try:
            entry = json.loads(line) if line else None
        except ValueError:
            found.append(f"{path.name} line {number} is no JSON")
            continue
        if isinstance(entry, dict):
            entries.append(entry)
        elif line:
            found.append(f"{path.name} line {number} is no object")
    if damage is not None:
        damage += found
    return entries


def operations(entries: Iterable[Entry]) -> list[Operation]:
    """The operations of a history, in the order of their invocations."""
    found: dict[int, Operation] = {}
    for entry in entries:
        kind = entry["kind"]
        rest = {key: value for key, value in entry.items() if key not in ("t", "kind", "id", "process", "op")}
        if kind == "invoke":
            found[entry["id"]] = Operation(entry["id"], entry["process"], entry["op"], rest, entry["t"])
        elif kind in ("ok", "fail", "info") and entry["id"] in found:
            op = found[entry["id"]]
            ended_s = None if kind == "info" else entry["t"]
            found[op.id] = Operation(op.id, op.process, op.op, op.arguments, op.began_s, ended_s, kind, rest)
    return list(found.values())
