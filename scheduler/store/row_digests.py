"""Slices of all rows of the state, for nodes to compare: the same rows give the same digest on every node.

Rules:

1. Rows, not pages: which page a row lies on differs between nodes. Every table is gone through in the order
   of its key, and every index in its own order, so that a bit that flipped in an index's entry shows as well.
2. A digest is over names, types and bytes of the values. All keys are equal on all nodes, the implicit ones
   of SQLite too: they follow from what was written in which order, and a copy keeps them.
3. A slice ends at `ROWS_MAX` rows or `BYTES_MAX` bytes, wherever a table ends: a small state is one slice.
4. The one row of `state` is left out: each entry writes all of it from memory, and what consensus keeps there
   is its own.
5. It reads over a connection of its own, so from the file and not from what the writer remembers of it.
6. A place that means nothing here gives the same digest of nothing on all nodes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack

from scheduler.store.connection import Store

ROWS_MAX = 1_500
BYTES_MAX = 256 << 10
BEGIN = b""


@dataclass(frozen=True, slots=True)
class Slice:
    digest: bytes
    next: bytes  #: where the following one begins; BEGIN: this was the last
    rows: int
    first: str  #: table or index that it began in
    last: str


@dataclass(frozen=True, slots=True)
class _Object:
    """A table, or an index of one, and how to read it on from a key."""

    name: str
    columns: str
    source: str
    key: tuple[str, ...]

    def rows(self, store: Store, after: list[Any]) -> Iterator[tuple[Any, ...]]:
        """From behind a key; an empty one is the beginning. The key leads each row."""
        key = ", ".join(self.key)
        for beyond, parameters in _beyond(self.key, after):
            cursor = store.execute(
                f"SELECT {key}, {self.columns} FROM {self.source}{beyond} ORDER BY {key}", parameters
            )
            try:
                yield from cursor  # row by row: they may be large
            finally:
                cursor.close()


class Reader:
    """Of one state file. Used by one thread."""

    def __init__(self, path: Path) -> None:
        self._store = Store.open_reader(path, query_ms_max=None)
        self._store.take_any_text()
        self._objects: list[_Object] = []
        self._schema = -1

    def close(self) -> None:
        self._store.close()

    def slice(self, place: bytes) -> Slice:
        """The rows from this place on. Raises DamagedError and other sqlite3 errors."""
        with self._store.snapshot() as store:
            self._learn(store)
            return self._slice(store, *_unpack(place))

    def _slice(self, store: Store, name: str, after: list[Any]) -> Slice:
        digest = hashlib.sha256()
        rows = size = 0
        objects = [each for each in self._objects if each.name >= name]
        if after and (not objects or objects[0].name != name or len(objects[0].key) != len(after)):
            return Slice(digest.digest(), BEGIN, 0, name, name)
        for each in objects:
            digest.update(each.name.encode())
            for row in each.rows(store, after):
                packed = _pack(row)
                digest.update(packed)
                rows += 1
                size += len(packed)
                if rows >= ROWS_MAX or size >= BYTES_MAX:
                    following = _pack([each.name, list(row[: len(each.key)])])
                    return Slice(digest.digest(), following, rows, objects[0].name, each.name)
            after = []
        return Slice(digest.digest(), BEGIN, rows, objects[0].name if objects else "", "")

    def _learn(self, store: Store) -> None:
        """The tables and indices; again when a format brought others."""
        schema = store.value("PRAGMA schema_version")
        if schema != self._schema:
            found = store.rows(
                "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type IN ('table', 'index')"
                " AND name <> 'state' ORDER BY name"
            )
            without = {row[1] for row in found if row[0] == "table" and "WITHOUT ROWID" in row[3].upper()}
            self._objects = [
                _table(store, name, name not in without)
                if kind == "table"
                else _index(store, name, table, sql or "", table not in without)
                for kind, name, table, sql in found
                if not (table in without and name.startswith("sqlite_autoindex"))  # the table itself
            ]
            self._schema = schema


def slices_of(path: Path) -> list[Slice]:
    """All of them; nobody may write meanwhile."""
    reader = Reader(path)
    try:
        found = [reader.slice(BEGIN)]
        while found[-1].next != BEGIN:
            found.append(reader.slice(found[-1].next))
        return found
    finally:
        reader.close()


def _beyond(key: Sequence[str], after: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Conditions that together, in this order, are `key > after`. Each is a place in the index to SQLite; of
    the row value it would use the first columns alone, and go through all that are equal there."""
    if not after:
        yield "", []
    for depth in range(len(after), 0, -1):
        conditions = [f"{column} IS ?" for column in key[: depth - 1]]
        last = after[depth - 1]  # NULL comes before all else
        conditions.append(f"{key[depth - 1]} IS NOT NULL" if last is None else f"{key[depth - 1]} > ?")
        parameters = [*after[: depth - 1], *([] if last is None else [last])]
        yield "".join(f" AND {condition}" for condition in conditions), parameters


def _table(store: Store, name: str, has_rowid: bool) -> _Object:
    columns = store.rows("SELECT name, pk FROM pragma_table_info(?) ORDER BY cid", (name,))
    key = ["rowid"] if has_rowid else [c for c, pk in sorted(columns, key=lambda each: each[1]) if pk]
    return _Object(name, ", ".join(c for c, _ in columns), f"{name} WHERE 1", tuple(key))


def _index(store: Store, name: str, table: str, sql: str, has_rowid: bool) -> _Object:
    columns = store.rows("SELECT cid, name FROM pragma_index_xinfo(?) ORDER BY seqno", (name,))
    alias = store.value("SELECT name FROM pragma_table_info(?) WHERE pk = 1 AND type = 'INTEGER'", (table,))
    names = ["rowid" if cid == -1 else str(column) for cid, column in columns]
    key = tuple(n for n in names if n != "rowid" or not has_rowid or alias not in names)
    where = sql.partition(" WHERE ")[2] or "1"
    return _Object(name, key[0], f"{table} INDEXED BY {name} WHERE ({where})", key)


def _pack(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value, unicode_errors="surrogateescape")
    return packed


def _unpack(place: bytes) -> tuple[str, list[Any]]:
    if place == BEGIN:
        return "", []
    try:
        name, after = msgpack.unpackb(place, unicode_errors="surrogateescape")
        if isinstance(name, str) and isinstance(after, list) and all(_is_value(each) for each in after):
            return name, after
    except Exception:  # msgpack raises many types for malformed bytes
        pass
    return "\U0010ffff", [0]  # behind everything


def _is_value(value: object) -> bool:
    """Whether SQLite can compare with it."""
    if type(value) is int:
        return -(1 << 63) <= value < 1 << 63
    return value is None or type(value) in (float, str, bytes)
