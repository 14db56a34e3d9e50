"""`python -m node.forecast STATE --days N [--changes FILE] [--lose ZONE@INSTANT_MS]
[--namespace NAME]`: what the days to come
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
from api.jobs.asking import unmet
from scheduler.model import Job
from scheduler.model.given import Given
from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.model.problems import JobError
from scheduler.simulate import Finding, Simulation, simulate
from scheduler.store.connection import Error, Store
from scheduler.store.state import format_of
from scheduler.store.tables import namespaces
from scheduler.words.commands import Apply, Command, PreparedJob, PreparedObject

DAY_MS = 86_400_000


def forecast(
    state: Path,
    days: int,
    documents: Sequence[Any],
    lose: tuple[str, int] | None,
    scratch: Path,
    namespace: str = "default",
) -> dict[str, Any]:
    """With changes also without them: what these bring anew is told apart. Raises ValueError, JobError."""
    before = _run(state, days, (), lose, scratch)
    if not documents:
        return {**before.facts(), "new": []}
    after = _run(state, days, documents, lose, scratch, namespace)
    known = {_key(each) for each in before.findings}
    new = [each for each in map(_key, after.findings) if each not in known]
    return {
        **after.facts(new=frozenset(new)),
        "new": [f"{kind} {subject}" for kind, subject in dict.fromkeys(new)],
    }


def _key(found: Finding) -> tuple[str, str]:
    return found.kind, found.subject


def _run(
    state: Path,
    days: int,
    documents: Sequence[Any],
    lose: tuple[str, int] | None,
    scratch: Path,
    namespace: str = "default",
) -> Simulation:
    copy = scratch / "state.db"
    shutil.copyfile(state, copy)
    store = Store.open_alone(copy)
    store.execute("PRAGMA synchronous=OFF")  # it is thrown away
    store.execute("PRAGMA journal_mode=MEMORY")
    try:
        begun_ms = int(store.value("SELECT stamp_ms FROM state WHERE id = 1"))
        return simulate(
            store,
            begun_ms + days * DAY_MS,
            changes=lambda now_ms: changes(store, documents, now_ms, namespace),
            lose=lose,
        )
    finally:
        store.close()


def changes(store: Store, documents: Sequence[Any], now_ms: int, namespace: str = "default") -> list[Command]:
    """One apply of all of them, as a front prepares it: in this format, with what namespaces give to jobs."""
    if not documents:
        return []
    format = format_of(store)

    def given(of: str) -> Given | None:
        row = namespaces.allowance(store, of)
        return Given.of(row.defaults_revision, row.defaults) if row and row.defaults_revision > 0 else None

    parsed = [
        parse_document(each, namespace_default=namespace, format=format, defaults=given) for each in documents
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
    parser.add_argument("--changes", type=Path)
    parser.add_argument("--namespace", default="default")
    parser.add_argument("--lose")
    arguments = parser.parse_args()
    documents = [] if arguments.changes is None else json.loads(arguments.changes.read_text())
    zone, _, at = (arguments.lose or "").rpartition("@")
    try:
        with tempfile.TemporaryDirectory() as scratch:
            lose = (zone, int(at)) if at else None
            found = forecast(
                arguments.state, arguments.days, documents, lose, Path(scratch), arguments.namespace
            )
    except (ValueError, JobError, Error) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
