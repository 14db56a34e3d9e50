"""A backup: one SQLite file that any tool opens, with a table `backup` that says what it is a backup of.

Rules of this file:

1. The file is a whole state and nothing else but that table: tokens are in it as hashes, secrets as they are
   stored. It is out of WAL mode, so it can be opened from a read-only place.
2. What the manifest says is written after the copy, from the copy itself. `check` believes nothing: it
   compares the manifest with the rows, has SQLite look at every page and recomputes the ledger's chain.
3. The manifest cannot hold the checksum of the file that it is in: that goes beside it (FILE.sha256).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from scheduler import formats
from scheduler.store import connection, schema
from scheduler.store import state as state_rows
from scheduler.store.connection import Store
from scheduler.store.tables import restores
from scheduler.verify import verify_chain

COUNTED = ("jobs", "revisions", "triggers", "ledger", "runs", "tasks", "attempts", "agents", "tokens")
PROBLEMS_SHOWN = 10
_MAGIC = b"SQLite format 3\0"
_PAGE_BYTES_AT = 16
_PAGES_AT = 28


class BackupError(Exception):
    """The file is no sound backup: what is wrong, and where."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is a backup of."""

    cluster: str
    lineage: str
    restores: int
    node: str
    made_ms: int  #: that node's clock
    stamp_ms: int
    index: int
    epoch: int
    ledger_seq: int
    ledger_head: str
    state_hash: str
    format: int
    schema: int
    version: str

    def facts(self) -> dict[str, Any]:
        return asdict(self)


_FIELDS = {f.name: f.type for f in fields(Manifest)}


def seal(path: Path, *, node: str, version: str, made_ms: int) -> Manifest:
    """Write the manifest into a fresh copy of a state, sync it, and return it."""
    store = Store.open_alone(path)
    try:
        state = state_rows.load(store)
        manifest = Manifest(
            cluster=state.cluster,
            lineage=restores.lineage(store),
            restores=state.restores,
            node=node,
            made_ms=made_ms,
            stamp_ms=state.stamp_ms,
            index=state.idx,
            epoch=state.epoch,
            ledger_seq=state.ledger_seq,
            ledger_head=state.ledger_head.hex(),
            state_hash=state.hash.hex(),
            format=state.format,
            schema=schema.SCHEMA_VERSION,
            version=version,
        )
        store.begin()
        store.execute("DROP TABLE IF EXISTS backup")
        store.execute("CREATE TABLE backup (name TEXT PRIMARY KEY, value) WITHOUT ROWID")
        rows = {**manifest.facts(), **{f"rows of {table}": _count(store, table) for table in COUNTED}}
        for name, value in rows.items():
            store.execute("INSERT INTO backup (name, value) VALUES (?, ?)", (name, value))
        store.commit()
    finally:
        store.close()
    connection.sync(path)
    return manifest


def check(path: Path) -> Manifest:
    """The manifest of a sound backup. Raises BackupError with what is wrong and where."""
    _check_length(path)
    try:
        store = Store.open_reader(path, query_ms_max=None)
        try:
            return _check(path, store)
        finally:
            store.close()
    except connection.Error as error:
        raise BackupError(f"{path}: SQLite cannot read it: {error}") from error


def _check_length(path: Path) -> None:
    """A cut file, named with how much of it is there: SQLite would say "malformed" at best."""
    try:
        with path.open("rb") as file:
            head = file.read(100)
            size = file.seek(0, 2)
    except OSError as error:
        raise BackupError(f"{path}: cannot be read: {error.strerror}") from error
    if not head.startswith(_MAGIC) or len(head) < 100:
        raise BackupError(
            f"{path}: no SQLite file ({size} bytes): it is something else, or its start is gone"
        )
    page_bytes = int.from_bytes(head[_PAGE_BYTES_AT : _PAGE_BYTES_AT + 2], "big")
    page_bytes = 65_536 if page_bytes == 1 else page_bytes
    told = page_bytes * int.from_bytes(head[_PAGES_AT : _PAGES_AT + 4], "big")
    if size != told:
        raise BackupError(
            f"{path}: {size} bytes, its header says {told}: it was cut or added to at byte {min(size, told)}"
        )


def _check(path: Path, store: Store) -> Manifest:
    if store.value("PRAGMA application_id") != connection.APPLICATION_ID:
        raise BackupError(f"{path}: an SQLite file, but not of Cronclave")
    found = [str(row[0]) for row in store.rows(f"PRAGMA integrity_check({PROBLEMS_SHOWN})")]
    if found != ["ok"]:
        raise BackupError(f"{path}: damaged: {'; '.join(found)}")
    if store.value("SELECT 1 FROM sqlite_schema WHERE name = 'backup'") is None:
        raise BackupError(
            f"{path}: a node's state, but no backup: it has no manifest. Make backups with"
            " cronclave cluster backup; a node's own state.db lacks what is still in its log"
        )
    told: dict[str, Any] = dict(store.rows("SELECT name, value FROM backup ORDER BY name"))
    missing = [name for name in _FIELDS if name not in told]
    if missing:
        raise BackupError(f"{path}: table backup lacks {', '.join(missing)}: made by another version?")
    manifest = Manifest(**{name: told[name] for name in _FIELDS})
    if manifest.schema != schema.SCHEMA_VERSION or store.value("PRAGMA user_version") != manifest.schema:
        raise BackupError(
            f"{path}: schema {manifest.schema} of version {manifest.version}, this version knows"
            f" {schema.SCHEMA_VERSION}: use the version that made it"
        )
    if not formats.oldest() <= manifest.format <= formats.newest():
        raise BackupError(
            f"{path}: format {manifest.format} of version {manifest.version}, this version supports"
            f" {formats.supported()}: use the version that made it"
        )
    _compare(path, store, manifest, told)
    return manifest


def _compare(path: Path, store: Store, manifest: Manifest, told: dict[str, Any]) -> None:
    state = state_rows.load(store)
    stored = {
        "cluster": state.cluster, "restores": state.restores, "stamp_ms": state.stamp_ms, "index": state.idx,
        "epoch": state.epoch, "ledger_seq": state.ledger_seq, "ledger_head": state.ledger_head.hex(),
        "state_hash": state.hash.hex(), "format": state.format, "lineage": restores.lineage(store),
    }  # fmt: skip
    for name, value in stored.items():
        if told[name] != value:
            raise BackupError(f"{path}: table state says {name} {value}, table backup {told[name]}")
    for table in COUNTED:
        count = _count(store, table)
        if told.get(f"rows of {table}") != count:
            raise BackupError(
                f"{path}: table {table} has {count} rows, table backup says {told.get(f'rows of {table}')}"
            )
    chain = verify_chain(store)
    if not chain.ok:
        problem = chain.problems[0]
        raise BackupError(
            f"{path}: the ledger's chain is broken at entry {problem.seq} (job {problem.job}, trigger"
            f" {problem.trigger}): {problem.detail}"
        )


def _count(store: Store, table: str) -> int:
    return int(store.value(f"SELECT count(*) FROM {table}"))
