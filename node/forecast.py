"""`python -m node.forecast STATE --days N [--from INSTANT_MS] [--changes FILE] [--lose ZONE@INSTANT_MS]
[--namespace NAME] [--tzdata WHEEL] [--holidays WHEEL] [--far FILE]`: what the days to come bring, by a
backup, of which a copy is changed and thrown away. Prints JSON; 1 and why not. FILE of --far tells meanwhile
how far it is."""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.calendar_dates import calendars_of, schedules_of
from api.jobs.asking import unmet
from api.retiming import prepared_by
from node.wheels import take
from scheduler.machine.rules import templates
from scheduler.model import Job
from scheduler.model.given import Given
from scheduler.model.objects.parsing import Definition, parse_document, prepare_document
from scheduler.model.problems import JobError
from scheduler.model.quantities import format_instant
from scheduler.model.server_facts import SERVER_FACTS
from scheduler.model.templates import KIND
from scheduler.simulate import Discarded, Finding, Simulation, simulate
from scheduler.store.connection import Error, Store
from scheduler.store.state import format_of
from scheduler.store.tables import namespaces
from scheduler.words.commands import NOBODY, Apply, Command, PreparedJob, PreparedObject

DAY_MS = 86_400_000
GARBAGE_EVERY = 100_000  #: objects: a simulation makes millions, and hardly any circle


@dataclass(frozen=True, slots=True)
class Asked:
    """What is different in the days to come from what is there, and which days."""

    days: int
    from_ms: int | None = None  #: None: from where the state ends
    documents: Sequence[Any] = ()
    namespace: str = "default"
    lose: tuple[str, int] | None = None
    rezoned: bool = False  #: this process' tzdata is in force
    redated: bool = False  #: calendars are computed anew, by this process' holidays
    far: Callable[[int], None] = field(default=lambda now_ms: None)

    @property
    def moves(self) -> bool:
        """Whether ticks of jobs that are as they were may move."""
        return self.rezoned or self.redated


def forecast(state: Path, asked: Asked, scratch: Path) -> dict[str, Any]:
    """With changes also without them: what these bring anew is told apart. Raises ValueError, JobError."""
    without = Asked(asked.days, asked.from_ms, lose=asked.lose, far=asked.far)
    before = _run(state, without, scratch, instants=asked.moves)
    if not (asked.documents or asked.moves):
        return {**before.facts(), "new": []}
    after = _run(state, asked, scratch, instants=asked.moves)
    if asked.moves:
        after.findings[:0] = after.moves_from(before)
    known = {_key(each) for each in before.findings}
    new = [each for each in map(_key, after.findings) if each not in known]
    return {
        **after.facts(new=frozenset(new)),
        "new": [f"{kind} {subject}" for kind, subject in dict.fromkeys(new)],
    }


def _key(found: Finding) -> tuple[str, str]:
    return found.kind, found.subject


def _run(state: Path, asked: Asked, scratch: Path, *, instants: bool) -> Simulation:
    copy = scratch / "state.db"
    shutil.copyfile(state, copy)
    store = Discarded.of(copy)
    try:
        begun_ms = int(store.value("SELECT stamp_ms FROM state WHERE id = 1"))
        from_ms = begun_ms if asked.from_ms is None else asked.from_ms
        return simulate(
            store,
            from_ms + asked.days * DAY_MS,
            from_ms=from_ms,
            changes=lambda now_ms: _changes(store, asked, now_ms),
            lose=asked.lose,
            instants=instants,
            far=asked.far,
        )
    finally:
        store.close()


def _changes(store: Store, asked: Asked, now_ms: int) -> list[Command]:
    commands: list[Command] = []
    if asked.rezoned:
        retime = prepared_by(lambda: nullcontext(store), now_ms, NOBODY).command
        commands += [] if retime is None else [retime]
    if asked.redated:
        commands += redated(store, now_ms)
    return commands + changes(store, asked.documents, now_ms, asked.namespace)


def redated(store: Store, now_ms: int) -> list[Command]:
    """Each calendar that names holidays, put once more: its dates are computed by what is installed."""
    rows = store.rows("SELECT spec FROM objects WHERE kind = 'calendar' ORDER BY namespace, name")
    shapes = [json.loads(row[0]) for row in rows]
    named = [
        {key: value for key, value in shape.items() if key not in SERVER_FACTS}
        for shape in shapes
        if shape.get("holidays")
    ]
    put = [prepare_document(parse_document(each), now_ms) for each in named]
    new = tuple(each for each in put if isinstance(each, PreparedObject))
    return [Apply(new, (), (), now_ms)] if new else []


def changes(store: Store, documents: Sequence[Any], now_ms: int, namespace: str = "default") -> list[Command]:
    """One apply of all of them, as a front prepares it: in this format, with what namespaces give to jobs."""
    if not documents:
        return []
    format = format_of(store)

    def given(of: str) -> Given | None:
        row = namespaces.allowance(store, of)
        return Given.of(row.defaults_revision, row.defaults) if row and row.defaults_revision > 0 else None

    beside = {
        (each.namespace, each.name): each.public()["gives"]
        for data in documents
        if isinstance(data, dict) and KIND in data
        and isinstance(each := parse_document(data, namespace_default=namespace), Definition)
        and each.kind.name == KIND
    }
    stored = templates.of(store)

    def gives_of(of: str, name: str) -> dict[str, Any] | None:
        return beside[of, name] if (of, name) in beside else stored(of, name)

    parsed = [
        parse_document(each, namespace_default=namespace, format=format, defaults=given, templates=gives_of)
        for each in documents
    ]
    new = [prepare_document(each, now_ms) for each in parsed if not isinstance(each, Job)]
    put = [each for each in new if isinstance(each, PreparedObject)]
    puts = {(each.kind, each.namespace, each.name): each.spec for each in put}
    shared = schedules_of(store, put)
    jobs = []
    for each in parsed:
        if not isinstance(each, Job):
            continue
        if problems := unmet(store, each, puts):
            raise JobError(tuple(problems))
        calendars = calendars_of(store, list(each.refers), put)
        gives = given(each.namespace)
        jobs.append(
            prepare_document(each, now_ms, format=format, given=gives, calendars=calendars, schedules=shared)
        )
    return [Apply(tuple(put), tuple(each for each in jobs if isinstance(each, PreparedJob)), (), now_ms)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="cronclave simulate")
    parser.add_argument("state", type=Path)
    parser.add_argument("--days", type=int, required=True)
    parser.add_argument("--from", dest="from_ms", type=int)
    parser.add_argument("--changes", type=Path)
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--lose")
    parser.add_argument("--tzdata")
    parser.add_argument("--holidays")
    parser.add_argument("--far", type=Path)
    arguments = parser.parse_args()
    documents = [] if arguments.changes is None else json.loads(arguments.changes.read_text())
    zone, _, at = (arguments.lose or "").rpartition("@")
    gc.set_threshold(GARBAGE_EVERY, 50, 50)

    def far(now_ms: int) -> None:
        if arguments.far is not None:
            arguments.far.write_text(format_instant(now_ms)[:10])

    try:
        with tempfile.TemporaryDirectory() as scratch:
            wheels = {
                package: take(package, wanted, Path(scratch))
                for package in ("tzdata", "holidays")
                if (wanted := getattr(arguments, package)) is not None
            }
            asked = Asked(
                arguments.days, arguments.from_ms, documents, arguments.namespace,
                (zone, int(at)) if at else None, "tzdata" in wheels, "holidays" in wheels, far,
            )  # fmt: skip
            found = {**forecast(arguments.state, asked, Path(scratch)), "by": wheels}
    except (ValueError, JobError, Error) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
