"""One SQLite connection; the only file of the product's domain that imports sqlite3.

Rules of this file:

1. The log is the durability (docs/architecture.md, "State"): commits are not synced (`synchronous=NORMAL` in
   WAL mode), `checkpoint` makes everything applied so far durable, and only then may the log be trimmed.
2. Any sqlite3 error or failed fsync goes up to the caller, which stops the node. Nothing here is retried.
3. The database file is never opened and closed by anything but SQLite in a process that has it open: closing
   a second descriptor of a file drops all POSIX locks of the process on it. The `-wal` file carries no locks.
4. `time` is used here alone in scheduler/, and only to break off a reader's query and to space the steps of a
   copy: no clock reaches a result.
"""

from __future__ import annotations

import itertools
import math
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scheduler import formats
from scheduler.store import schema, state
from scheduler.store.kept import Kept, Key
from scheduler.store.standstill import Standstill

Row = tuple[Any, ...]
Parameters = Sequence[Any]

Error = sqlite3.Error
"""What goes up when the disk or SQLite fails."""

APPLICATION_ID = 0x43524E43
QUERY_MS_MAX = 2_000
SNAPSHOT_MS_MAX = 20_000
"""Of a reader with limited queries: while a snapshot is held, the write-ahead log only grows."""
CHECKPOINT_PAGES = 1_000
WAL_KEPT_BYTES = 6 << 20
"""A write-ahead log that grew beyond this is cut when it starts anew. Its usual size is 4 MiB."""
_STEPS_BETWEEN_LOOKS = 20_000
_COPY_PAGES = 256  #: the writer's commits wait for as many at most
_COPY_STEPS_SYNCED = 2
_COPY_PAUSE_S = 0.004
_COPY_BUSY_S = 0.001  #: while a commit is under way
_CACHE_KIB = {True: 65_536, False: 8_192}


class StoreError(Exception):
    """The file is not the state of this cluster, or of a schema that this version does not know."""


class QueryTooLongError(Exception):
    """A reader's query took longer than its limit and was broken off."""


class DamagedError(sqlite3.DatabaseError):
    """The file is damaged: SQLite met something in it that it never wrote."""


_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_DAMAGE_WORDS = ("unsupported file format", "Could not decode to UTF-8")  #: of errors without such a code
_DISK = (
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM,
)  # fmt: skip


def is_damage(error: BaseException) -> bool:
    """Whether this error says that the file is damaged."""
    if isinstance(error, DamagedError):
        return True
    return isinstance(error, sqlite3.Error) and (
        _code(error) in _DAMAGE or str(error).startswith(_DAMAGE_WORDS)
    )


def is_of_disk(error: BaseException) -> bool:
    """Whether the disk is full, gone or locked, or the memory short: nothing is said of the file."""
    return isinstance(error, OSError) or (isinstance(error, sqlite3.Error) and _code(error) in _DISK)


def _code(error: sqlite3.Error) -> int:
    """Without what extends it; 0 for an error of the module's own."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


class Store:
    """A thin class over one connection. Used by one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection, *, writer: bool) -> None:
        self.path = path
        self._wal = Path(f"{path}-wal")
        self._wal_name = str(self._wal)  #: asked for after each commit
        self.writer = writer
        self._connection = connection
        self._deadline_s = 0.0
        self._standstill = Standstill(path, self._commits_move)
        self.kept = Kept(connection, self.row)

    # -- making and ending ----------------------------------------------------------------------

    @classmethod
    def create_or_open(cls, path: Path | str, *, cluster: str) -> Store:
        """The writer of the state at `path`, made if there is none. Raises StoreError for a foreign file,
        and DamagedError."""
        path = Path(path)
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        store = cls(path, connection, writer=True)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA temp_store=MEMORY")
            connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB[True]}")
            connection.execute(f"PRAGMA journal_size_limit={WAL_KEPT_BYTES}")
            store.checkpoint_at_commits(True)
            if store.value("SELECT count(*) FROM sqlite_schema") == 0:
                store._create(cluster)
            store._check(cluster)
        except BaseException as error:
            connection.close()
            if is_damage(error):
                raise DamagedError(f"{path}: {error}") from error
            raise
        return store

    @classmethod
    def open_reader(
        cls,
        path: Path | str,
        *,
        query_ms_max: int | None = QUERY_MS_MAX,
        on_damage: Callable[[str], None] = lambda what: None,
        is_live: bool = True,
    ) -> Store:
        """A read-only connection; each query is broken off after `query_ms_max` with QueryTooLongError. What
        SQLite cannot read is told to `on_damage` and raised as DamagedError. A file that is not `is_live` has
        no write-ahead log, and gets none: nobody writes to it."""
        path = Path(path)
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro{'' if is_live else '&immutable=1'}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        store = cls(path, connection, writer=False)
        store._on_damage = on_damage
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB[False]}")
        if query_ms_max is not None:
            store._limit(query_ms_max / 1_000)
        return store

    @classmethod
    def open_alone(cls, path: Path | str) -> Store:
        """A file that no node has open, to be changed: a backup, a state that is being restored. Leaves it
        without a write-ahead log beside it. Every commit is synced."""
        path = Path(path)
        connection = sqlite3.connect(path, isolation_level=None)
        store = cls(path, connection, writer=True)
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("PRAGMA synchronous=FULL")
        except BaseException:
            connection.close()
            raise
        return store

    def close(self) -> None:
        """A copy that a helper thread makes meanwhile ends with StoreError."""
        self._standstill.close(self._connection.close)

    def _create(self, cluster: str) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for statement in schema.STATEMENTS:
            self._connection.execute(statement)
        state.create(self, cluster)
        self._connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        self._connection.execute(f"PRAGMA user_version={schema.SCHEMA_VERSION}")
        self._connection.execute("COMMIT")

    def _check(self, cluster: str) -> None:
        if self.value("PRAGMA application_id") != APPLICATION_ID:
            raise StoreError(f"{self.path}: not a Cronclave state")
        version = self.value("PRAGMA user_version")
        if version != schema.SCHEMA_VERSION:
            by = "a version that was never released; begin anew with an empty data directory"
            if version > schema.SCHEMA_VERSION:
                by = "a newer version; start this node with that one"
            raise StoreError(
                f"{self.path}: schema {version}, this version knows {schema.SCHEMA_VERSION}: made by {by}"
            )
        owner, format, target = self.row("SELECT cluster, format, target_format FROM state WHERE id = 1") or (
            "nobody", 0, 0
        )  # fmt: skip
        if cluster and owner != cluster:
            raise StoreError(f"{self.path}: the state of cluster {owner}, not {cluster}")

        if target > formats.newest():
            raise StoreError(
                f"{self.path}: the state is of format {target}, this version supports {formats.supported()}:"
                " an activated format has no way back; start this node with the version that wrote the state"
            )
        if format < formats.oldest():
            raise StoreError(
                f"{self.path}: the state is of format {format}, this version supports {formats.supported()}:"
                " start it with an older version first, and activate a newer format there"
            )

    def _limit(self, limit_s: float) -> None:
        def late() -> int:
            return 1 if time.monotonic() > self._deadline_s else 0

        self._limit_s = limit_s
        self._connection.set_progress_handler(late, _STEPS_BETWEEN_LOOKS)

    _limit_s: float | None = None
    _on_damage: Callable[[str], None] = staticmethod(lambda what: None)
    _snapshot_until_s = math.inf

    # -- asking and telling ---------------------------------------------------------------------

    def execute(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        """Any statement. Rows that are fetched later fall under the same time limit; prefer `rows`."""
        if self._limit_s is None:
            self.kept.before(sql)
            return self._connection.execute(sql, parameters)
        now_s = time.monotonic()
        if now_s > self._snapshot_until_s:
            raise QueryTooLongError(f"reading at one instant broken off after {SNAPSHOT_MS_MAX // 1000} s")
        self._deadline_s = min(now_s + self._limit_s, self._snapshot_until_s)
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.DatabaseError as error:
            raise self._named(error) from error

    def write(self, sql: str, parameters: Parameters = (), *, row: tuple[str, Key] | None = None) -> int:
        """Change rows within the open transaction; returns how many. What is stored joins the state's hash.
        `row`: it changes this row of a table alone, by its key.
        """
        if self.kept.written is not None:
            self.kept.written.append(parameters)
        self.kept.before(sql, row)
        return self._connection.execute(sql, parameters).rowcount

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        cursor = self.execute(sql, parameters)
        try:
            return cursor.fetchall()
        except sqlite3.DatabaseError as error:
            raise self._named(error) from error

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row, or None."""
        cursor = self.execute(sql, parameters)
        try:
            found: Row | None = cursor.fetchone()
        except sqlite3.DatabaseError as error:
            raise self._named(error) from error
        # A statement with rows left keeps its read lock, and with it the snapshot.
        cursor.close()
        return found

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row, or None."""
        found = self.row(sql, parameters)
        return None if found is None else found[0]

    def take_any_text(self) -> None:
        """Read text that is none as well, without an error."""
        self._connection.text_factory = lambda raw: str(raw, "utf-8", "surrogateescape")

    def begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.kept.settle()
        self._connection.execute("COMMIT")

    @property
    def is_in_snapshot(self) -> bool:
        return self._connection.in_transaction

    @contextmanager
    def snapshot(self) -> Iterator[Store]:
        """Every read inside sees the state of one instant. May be nested."""
        if self._connection.in_transaction:
            yield self
            return
        self._connection.execute("BEGIN")
        if self._limit_s is not None:
            self._snapshot_until_s = time.monotonic() + SNAPSHOT_MS_MAX / 1000
        try:
            yield self
        finally:
            self._snapshot_until_s = math.inf
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _named(self, error: sqlite3.DatabaseError) -> Exception:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return QueryTooLongError(f"query broken off after {self._limit_s} s")
        if is_damage(error) and not self.writer:
            self._on_damage(str(error))
            return DamagedError(f"{self.path}: {error}")
        return error

    # -- durability and copies --------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Make everything committed before the call durable. A helper thread may call it beside the commits.

        A passive checkpoint never waits for readers; what it could not move is in the write-ahead log, so
        syncing that file is what makes all of it durable.
        """
        self.checkpoint_aside()
        with suppress(FileNotFoundError):
            sync(self._wal)
        sync(self.path.parent)

    def checkpoint_aside(self) -> tuple[int, int]:
        """Move what readers allow from the write-ahead log to the file, over a connection of its own; gives
        the pages that the log holds, and how many of them are moved.
        """
        with self._standstill.moving:
            return self._move()

    def _move(self) -> tuple[int, int]:
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            _, frames, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            return frames, moved
        finally:
            connection.close()

    def checkpoint_at_commits(self, on: bool) -> None:
        """Whether a commit moves the write-ahead log once it is long, which is SQLite's usual way. While a
        copy needs the file to stand still, none does."""
        self._standstill.at_commits(on)

    def _commits_move(self, on: bool) -> None:
        self._connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES if on else 0}")

    def wal_bytes(self) -> int:
        try:
            return os.stat(self._wal_name).st_size
        except FileNotFoundError:
            return 0

    def file_bytes(self) -> int:
        """Size of the database, without its write-ahead log."""
        return int(self.value("PRAGMA page_count")) * int(self.value("PRAGMA page_size"))

    def copy_to(self, path: Path | str) -> state.State:
        """Write a consistent copy to the new file `path` and sync it; returns the state row of the copy.

        A helper thread calls this while the owner commits. It syncs a stretch at a time with pauses: the
        leader's longest gap was 141 ms without and 8 ms with.

        The writer copies the file while it stands still (`standstill`). Where a reader holds its snapshot
        for long, or the write-ahead log grows too long meanwhile, it copies page by page over its own
        connection: then SQLite brings pages that are changed behind the copy's back up to date in the copy,
        which so is as of its end, and nothing keeps the log from starting anew. A reader has to hold its
        snapshot, as any commit of another connection would start its copy anew.
        """
        path = Path(path)
        if not self.writer or not self._standstill.copy(
            path, move=self._move, log_bytes=self.wal_bytes, pause=time.sleep
        ):
            self._copy_by_pages(path)
        sync(path)
        sync(path.parent)
        return _state_of_copy(path)

    def _copy_by_pages(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        target = sqlite3.connect(path, isolation_level=None)
        try:
            target.execute("PRAGMA journal_mode=OFF")
            target.execute("PRAGMA synchronous=OFF")
            # What is copied goes to the file, where it is synced by stretches, and not to a cache first.
            target.execute(f"PRAGMA cache_size={_COPY_PAGES}")
            if self.writer:
                with self._standstill.calling:
                    self._copy_pages(target, path)
            else:
                source = Store.open_reader(self.path, query_ms_max=None)
                try:
                    with source.snapshot():
                        source.row("SELECT 1 FROM state")
                        source._copy_pages(target, path)
                finally:
                    source.close()
        finally:
            target.close()

    def _copy_pages(self, target: sqlite3.Connection, path: Path) -> None:
        self._refuse_closed()
        descriptor = os.open(path, os.O_RDONLY)

        steps = itertools.count(1)

        def pause(status: int, remaining: int, total: int) -> None:
            self._refuse_closed()
            if next(steps) % _COPY_STEPS_SYNCED == 0:
                os.fdatasync(descriptor)
                time.sleep(_COPY_PAUSE_S)

        try:
            self._connection.backup(target, pages=_COPY_PAGES, progress=pause, sleep=_COPY_BUSY_S)
        finally:
            # Ours alone: no other connection of this process has the new file open.
            os.close(descriptor)

    def _refuse_closed(self) -> None:
        if self._standstill.is_closed():
            raise StoreError(f"{self.path}: closed while it was copied")


def _state_of_copy(path: Path) -> state.State:
    """Read without a trace: opening the file as usual would make a write-ahead log beside it."""
    store = Store.open_reader(path, query_ms_max=None, is_live=False)
    try:
        return state.load(store)
    finally:
        store.close()


def sync(path: Path) -> None:
    """Make a file, or the names in a directory, durable. Never one that this process has open as a database
    (rule 3)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
