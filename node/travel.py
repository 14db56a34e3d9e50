"""`python -m node.travel state|diff`: a state of an earlier index or instant, by backups and a log.

Rules:

1. It begins with the latest state at or before the place that is asked for: a backup, the state of a node's
   data directory, or the empty one of a log that nothing was ever cut off. From there the machine applies
   what the log holds, to a copy.
2. It goes no further than the node's own state has come: what its log holds behind that may never have been
   committed. The ledger that comes out must be the beginning of that state's.
3. Between the commands of one log entry no node shows a state: that of an index is as of its entry's end.
4. The directory of the node, which may run, is looked at and never written.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.history import FOUNDED, behind, continues, founding, looked_at
from cluster.journal import Journal, JournalError
from cluster.machine import Applied, Entry, Position
from cluster.renewal import member_names
from durable.files import replace_file
from node.backup import verify
from node.identity import JOURNAL, software_version
from node.state import FILE, current_generation
from scheduler import past
from scheduler.backup import BackupError, seal
from scheduler.machine import Machine
from scheduler.model.quantities import format_instant
from scheduler.store import state as state_rows
from scheduler.store.connection import Error, Store, StoreError
from scheduler.store.state import State
from scheduler.words.counted import counted

REMEDY = (
    "A backup that was made before it, and the log of a node (--data) that goes back as far as that backup,"
    " reach all that is between"
)


class TravelError(Exception):
    """Why that state cannot be had."""


@dataclass(frozen=True, slots=True)
class Place:
    """An index, an instant, a backup's own state, or the latest that there is."""

    kind: str  #: index | time | file | end
    value: str

    @classmethod
    def read(cls, text: str) -> Place:
        kind, _, value = text.partition(":")
        return cls(kind, value)

    def is_reached(self, state: State) -> bool:
        """Whether nothing behind this state belongs to it."""
        return self.kind == "index" and state.idx >= int(self.value)

    def is_passed(self, entry: Entry) -> bool:
        return self.kind == "time" and entry.stamp_ms > int(self.value)

    def holds(self, state: State) -> bool:
        """Whether this state is of it or of an earlier one."""
        if self.kind == "index":
            return state.idx <= int(self.value)
        return self.kind == "end" or state.stamp_ms <= int(self.value)

    def __str__(self) -> str:
        if self.kind == "time":
            return format_instant(int(self.value))
        return f"index {self.value}" if self.kind == "index" else "the latest state"


@dataclass(frozen=True, slots=True)
class Base:
    said: str
    path: Path | None  #: None: the empty state before a log's first entry
    state: State
    is_live: bool = False

    @property
    def position(self) -> Position:
        return FOUNDED if self.path is None else Position(self.state.raft_index, self.state.raft_term)


@dataclass(frozen=True, slots=True)
class Arrived:
    path: Path
    by: str  #: out of what it was made


class Sources:
    """What states can be made of."""

    def __init__(self, backups: Sequence[Path], data: Path | None, scratch: Path) -> None:
        self._scratch, self._made = scratch, 0
        self._bases = [_backup(path) for path in backups]
        self._journal: Journal | None = None
        self._live: Base | None = None
        if data is not None:
            self._look(data)
        self._bases.sort(key=lambda base: (base.state.restores, base.state.idx, base.is_live))

    def _look(self, data: Path) -> None:
        folder = data if (data / "state").is_dir() else data / "data"  # of `cronclave dev`
        if not (folder / "state").is_dir():
            raise TravelError(f"{data}: no data directory of a node: there is no folder state in it")
        try:
            path = folder / "state" / str(current_generation(folder / "state")) / FILE
            state = _state_of(path)  # before the log: what a state has applied stands in a log read later
            self._journal = looked_at(folder / JOURNAL)
        except JournalError as error:
            raise TravelError(f"{data}: its log cannot be read: {error}") from error
        except (OSError, ValueError) as error:
            raise TravelError(f"{data}: no data directory of a node: {error}") from error
        live = self._live = Base(f"the state of {data}", path, state, is_live=True)
        self._bases.append(live)
        if self._journal.first_index == FOUNDED.index and not live.state.restores:
            store = Store.create_or_open(self._scratch / "empty.db", cluster=live.state.cluster)
            empty = state_rows.load(store)
            store.close()
            self._bases.append(Base(f"the log of {data}", None, empty))

    def at(self, place: Place) -> Arrived:
        """That state, as a file of the caller's own. Raises TravelError."""
        # A cluster's clock may be ahead of the one of this host.
        latest_ms = max([time.time_ns() // 1_000_000, *(base.state.stamp_ms for base in self._bases)])
        if place.kind == "time" and int(place.value) > latest_ms:
            said = f"{place} is yet to come: it is {format_instant(latest_ms)}"
            raise TravelError(f"{said}. cronclave simulate tells of what comes")
        if place.kind == "file":
            base = _backup(Path(place.value))
            return Arrived(self._copy(base), base.said)
        early = [base for base in self._bases if place.holds(base.state)]
        for base in reversed(early):
            if base.is_live or (place.kind == "index" and base.state.idx == int(place.value)):
                self._need_past(place, base)
                return Arrived(self._copy(base), base.said)
            if self._leads_on(base):
                return self._go(base, place)
        if place.kind == "end" and early:
            return Arrived(self._copy(early[-1]), early[-1].said)
        raise self._out_of_reach(place)

    def _need_past(self, place: Place, base: Base) -> None:
        if place.kind == "index" and base.state.idx < int(place.value):
            raise self._out_of_reach(place)

    def _leads_on(self, base: Base) -> bool:
        live, journal = self._live, self._journal
        return (
            live is not None
            and journal is not None
            and (base.state.cluster, base.state.restores) == (live.state.cluster, live.state.restores)
            and continues(journal, base.position)
            and journal.last_index >= live.state.raft_index
        )

    def _go(self, base: Base, place: Place) -> Arrived:
        live, journal = self._live, self._journal
        assert live is not None
        assert journal is not None
        path = self._copy(base)
        store = Store.create_or_open(path, cluster=live.state.cluster)
        try:
            store.execute("PRAGMA synchronous=OFF")  # who breaks it off makes it anew
            machine, count = Machine(store, member_names), 0
            # Of members only the names are asked for, where the format changes.
            members = base.state.members or founding(live.state.members)
            for entry in behind(journal, Applied(base.position, base.position, members)):
                if (
                    entry.applied.position.index > live.state.raft_index
                    or place.is_reached(machine.state)
                    or place.is_passed(entry)
                ):
                    break
                applied = entry.applied
                machine.apply_entry(
                    applied=(
                        applied.position.index, applied.position.term, applied.previous.index,
                        applied.previous.term, applied.members,
                    ),
                    stamp_ms=entry.stamp_ms, frames=entry.proposals,
                )  # fmt: skip
                count += 1
            _need_same(store, live)
        finally:
            store.close()
        said = "" if base.path is None else " and the log behind it"
        return Arrived(path, f"{base.said}{said}, {counted(count, 'entry', 'entries')}")

    def _copy(self, base: Base) -> Path:
        self._made += 1
        path = self._scratch / f"{self._made}.db"
        if base.path is None:
            shutil.copyfile(self._scratch / "empty.db", path)
        elif base.is_live:
            reader = Store.open_reader(base.path, query_ms_max=None)
            try:
                reader.copy_to(path)
            finally:
                reader.close()
        else:
            shutil.copyfile(base.path, path)
        return path

    def _out_of_reach(self, place: Place) -> TravelError:
        last = max((base.state.idx for base in self._bases), default=0)
        if place.kind == "index" and int(place.value) > last and self._live is not None:
            return TravelError(f"{place} is not there yet: the latest is index {last}")
        return TravelError(f"{place} is out of reach. {self._reach()}. {REMEDY}")

    def _reach(self) -> str:
        parts = []
        for base in self._bases:
            here = f"index {base.state.idx} at {format_instant(base.state.stamp_ms)}"
            if base.path is None:
                here = "the very beginning"
            elif base.is_live:
                parts.append(f"{here} ({base.said}, the latest)")
                continue
            leads = ""
            if self._live is not None and self._leads_on(base):
                leads = f", and from there to index {self._live.state.idx}"
            parts.append(f"{here} ({base.said}){leads}")
        return f"What was given reaches {'; '.join(parts)}" if parts else "Nothing was given that reaches it"


def _backup(path: Path) -> Base:
    try:
        verify(path, unsummed=True)
        return Base(str(path), path, _state_of(path, is_live=False))
    except BackupError as error:
        raise TravelError(str(error)) from error


def _state_of(path: Path, *, is_live: bool = True) -> State:
    try:
        store = Store.open_reader(path, query_ms_max=None, is_live=is_live)
        try:
            return state_rows.load(store)
        finally:
            store.close()
    except Error as error:
        raise TravelError(f"{path}: SQLite cannot read it: {error}") from error


def _need_same(store: Store, live: Base) -> None:
    """The ledger came to what it was there."""
    assert live.path is not None
    state = state_rows.load(store)
    if not state.ledger_seq:
        return
    reader = Store.open_reader(live.path, query_ms_max=None)
    try:
        found = reader.value("SELECT hash FROM ledger WHERE seq = ?", (state.ledger_seq,))
    finally:
        reader.close()
    if found != state.ledger_head:
        raise TravelError(
            f"at index {state.idx} the ledger is another than it was in {live.path}: this version does not"
            " apply the log as that did which wrote it, or the state was changed since"
        )


# -- what is printed ------------------------------------------------------------------------------


def state(sources: Sources, at: Place, namespace: str, save: Path | None) -> dict[str, Any]:
    arrived = sources.at(at)
    found = _asked(arrived.path, lambda store: past.told(store, namespace))
    if save is not None:
        found["saved"] = _save(arrived.path, save)
    return {"asked": str(at), "by": arrived.by, **found}


def _asked(path: Path, ask: Callable[[Store], dict[str, Any]]) -> dict[str, Any]:
    store = Store.open_reader(path, query_ms_max=None)
    try:
        return ask(store)
    finally:
        store.close()


def _save(path: Path, to: Path) -> str:
    """As a backup, which whatever takes one takes."""
    part = to.with_name(f"{to.name}.part")
    shutil.copyfile(path, part)
    part.chmod(0o600)
    seal(part, node="state", version=software_version(), made_ms=time.time_ns() // 1_000_000)
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    part.replace(to)
    replace_file(to.absolute().with_name(f"{to.name}.sha256"), f"{digest}  {to.name}\n".encode())
    return str(to)


def difference(sources: Sources, start: Place, end: Place, namespace: str) -> dict[str, Any]:
    before, after = sources.at(start), sources.at(end)
    found = _asked(
        before.path,
        lambda old: _asked(after.path, lambda new: past.difference(old, new, namespace)),
    )
    return {"by": {"from": before.by, "to": after.by}, **found}


def main() -> int:
    parser = argparse.ArgumentParser(prog="cronclave state")
    parser.add_argument("kind", choices=("state", "diff"))
    parser.add_argument("--backup", type=Path, action="append", default=[])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--at", type=Place.read, default=Place("end", ""))
    parser.add_argument("--from", dest="start", type=Place.read)
    parser.add_argument("--namespace", default="")
    parser.add_argument("--save", type=Path)
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            sources = Sources(arguments.backup, arguments.data, Path(scratch))
            if arguments.kind == "state":
                found = state(sources, arguments.at, arguments.namespace, arguments.save)
            else:
                found = difference(sources, arguments.start, arguments.at, arguments.namespace)
    except (TravelError, StoreError, Error, JournalError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
