"""`python -m node.forecast STATE --days N [--changes FILE] [--lose ZONE@INSTANT_MS]`: what the days to come
bring, by a backup. STATE is changed: a copy that is thrown away. Prints JSON; 1 and why not."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from api.calendar_dates import calendars_of, schedules_of
from scheduler.model import Job
from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.model.problems import JobError
from scheduler.simulate import Finding, Simulation, simulate
from scheduler.store.connection import Store
from scheduler.words.commands import Apply, Command, PreparedJob, PreparedObject

DAY_MS = 86_400_000


def forecast(
    state: Path, days: int, documents: Sequence[Any], lose: tuple[str, int] | None, scratch: Path
) -> dict[str, Any]:
    """With changes also without them: what these bring anew is told apart. Raises ValueError, JobError."""
    before = _run(state, days, (), lose, scratch)
    if not documents:
        return {**before.facts(), "new": []}
    after = _run(state, days, documents, lose, scratch)
    known = {_key(each) for each in before.findings}
    new = [each for each in after.findings if _key(each) not in known]
    return {**after.facts(), "new": [each.kind + " " + each.subject for each in new]}


def _key(found: Finding) -> tuple[str, str]:
    return found.kind, found.subject


def _run(
    state: Path, days: int, documents: Sequence[Any], lose: tuple[str, int] | None, scratch: Path
) -> Simulation:
    copy = scratch / "state.db"
    shutil.copyfile(state, copy)
    store = Store.open_alone(copy)
    store.execute("PRAGMA synchronous=OFF")  # it is thrown away
    try:
        begun_ms = int(store.value("SELECT stamp_ms FROM state WHERE id = 1"))
        return simulate(
            store,
            begun_ms + days * DAY_MS,
            changes=lambda now_ms: changes(store, documents, now_ms),
            lose=lose,
        )
    finally:
        store.close()


def changes(store: Store, documents: Sequence[Any], now_ms: int) -> list[Command]:
    """One apply of all of them, as a front prepares it."""
    if not documents:
        return []
    parsed = [parse_document(each) for each in documents]
    new = [prepare_document(each, now_ms) for each in parsed if not isinstance(each, Job)]
    put = [each for each in new if isinstance(each, PreparedObject)]
    shared = schedules_of(store, put)
    jobs = [
        prepare_document(
            each, now_ms, calendars=calendars_of(store, list(each.refers), put), schedules=shared
        )
        for each in parsed
        if isinstance(each, Job)
    ]
    return [Apply(tuple(put), tuple(each for each in jobs if isinstance(each, PreparedJob)), (), now_ms)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="cronclave simulate")
    parser.add_argument("state", type=Path)
    parser.add_argument("--days", type=int, required=True)
    parser.add_argument("--changes", type=Path)
    parser.add_argument("--lose")
    arguments = parser.parse_args()
    documents = [] if arguments.changes is None else json.loads(arguments.changes.read_text())
    zone, _, at = (arguments.lose or "").rpartition("@")
    try:
        with tempfile.TemporaryDirectory() as scratch:
            lose = (zone, int(at)) if at else None
            found = forecast(arguments.state, arguments.days, documents, lose, Path(scratch))
    except (ValueError, JobError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
