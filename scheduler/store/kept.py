"""Rows that the machine keeps in memory beside the database: read without a query, written once an entry.

Rules of this file:

1. One owner: whoever reads or changes such a row does it through here (`Store.kept`). A statement that goes
   past it drops what is kept of the table that it changes, so a forgotten place costs time and nothing else.
2. A query finds each change: before a statement that names a table, what waits for that table is written; all
   of it before a commit. The running hash is told of each change at once, in the order of the changes.
3. Kept is what was read or written lately and may change again (`Table.keeps`), a bounded number of rows.
   What is not kept is read. Nobody shares it: readers have connections of their own, and keep nothing.
4. After any exception all of it is dropped, together with the transaction that it belongs to.
5. `differences` compares it with the tables: simulations and tests ask after every entry.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from scheduler.store import schema

R = TypeVar("R", bound=NamedTuple)
Parameters = Sequence[Any]
Key = int | str

ROWS_MAX = 10_000  #: of a table
NOTES_MAX = 10_000  #: of a table


class Table(Generic[R]):
    """Rows are told apart by their first column. `row` may have some of the columns alone: then its rows are
    read and changed here, and inserted by a statement. `keeps`: whether a row may change again.
    """

    __slots__ = ("_updating", "insert", "keeps", "make", "name", "places", "row", "select", "select_many")

    def __init__(self, name: str, row: type[R], keeps: Callable[[R], bool] = lambda row: True) -> None:
        columns = row._fields
        self.name = name
        self.row = row
        self.keeps = keeps
        self.make: Callable[[Iterable[Any]], R] = functools.partial(tuple.__new__, row)  # `_make`, in C
        self.places = {column: place for place, column in enumerate(columns)}
        self._updating: dict[tuple[str, ...], tuple[str, Callable[[R], Parameters]]] = {}
        self.select = f"SELECT {', '.join(columns)} FROM {name} WHERE {columns[0]} = ?"
        self.select_many = self.select.removesuffix("= ?") + "IN (SELECT value FROM json_each(?))"
        self.insert = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"

    def updating(self, columns: tuple[str, ...]) -> tuple[str, Callable[[R], Parameters]]:
        """The statement that writes these columns, and their values of a row, then its key."""
        known = self._updating.get(columns)
        if known is None:  # as many as the code has calls, and these together
            sets = ", ".join(f"{column} = ?" for column in columns)
            values = itemgetter(*(self.places[column] for column in columns), 0)
            known = f"UPDATE {self.name} SET {sets} WHERE {self.row._fields[0]} = ?", values
            self._updating[columns] = known
        return known


class Connection(Protocol):
    """As much of SQLite as this needs."""

    def execute(self, sql: str, parameters: Parameters = ..., /) -> Any: ...

    def executemany(self, sql: str, parameters: Iterable[Parameters], /) -> Any: ...


Read = Callable[[str, Parameters], tuple[Any, ...] | None]


class _Rows:
    """What is kept of one table."""

    __slots__ = ("changed", "known", "later", "name", "new", "notes", "table")

    def __init__(self, name: str) -> None:
        self.name = name
        self.table: Table[Any] | None = None  #: None: nothing but statements
        self.known: dict[Key, Any] = {}
        self.new: dict[Key, None] = {}  #: to be inserted
        self.changed: dict[Key, tuple[str, ...]] = {}  #: columns that are to be written
        self.later: dict[str, dict[object, Parameters]] = {}  #: statements that wait
        self.notes: dict[tuple[str, Parameters], Any] = {}  #: what queries found


class Effects(NamedTuple):
    """Of a statement."""

    finds: tuple[str, ...]  #: tables whose rows it may look at, or change
    changes: tuple[str, ...]  #: those of whose rows it may change some that were there


_TABLES = tuple(re.findall(r"CREATE TABLE (\w+)", "".join(schema.STATEMENTS)))
_HARMLESS = re.compile(r"\s*(SELECT|WITH|BEGIN|COMMIT|ROLLBACK|PRAGMA|INSERT (OR IGNORE )?INTO)\b")


@functools.lru_cache(maxsize=4096)
def effects_of(sql: str) -> Effects:
    words = set(re.findall(r"\w+", sql))
    names = tuple(name for name in _TABLES if name in words)
    if _HARMLESS.match(sql) and "DO UPDATE" not in sql:
        return Effects(names, ())
    changed = re.match(r"\s*(?:UPDATE|DELETE FROM|INSERT (?:OR REPLACE )?INTO)\s+(\w+)", sql)
    return Effects(_TABLES, _TABLES) if changed is None else Effects(names, (changed.group(1),))


class Kept:
    """Of one connection. Until `begin` everything goes straight to the database."""

    def __init__(self, connection: Connection, read: Read) -> None:
        """`read`: the first row of a query, as the connection's owner asks for it."""
        self._connection = connection
        self._read_through = read
        self._is_on = False
        self._of: dict[str, _Rows] = {name: _Rows(name) for name in _TABLES}
        self._waiting: dict[str, _Rows] = {}
        self.written: list[Parameters] | None = None
        """When a list: every value that is stored is appended to it, for the running hash of the state."""

    def begin(self) -> None:
        """Keep rows from now on: of the machine alone, which commits and drops."""
        self._is_on = True

    def forget(self) -> None:
        """Drop all of it, what waits too."""
        for rows in self._of.values():
            for part in (rows.known, rows.new, rows.changed, rows.later, rows.notes):
                part.clear()
        self._waiting.clear()

    # -- rows -------------------------------------------------------------------------------------

    def get(self, table: Table[R], key: Key) -> R | None:
        found: R | None = self._of[table.name].known.get(key)
        return self._read(table, key) if found is None else found

    def _read(self, table: Table[R], key: Key) -> R | None:
        if not self._is_on:
            row = self._read_through(table.select, (key,))
            return None if row is None else table.row._make(row)
        rows = self._of[table.name]
        if rows.later or rows.new:
            self._flush(rows)
        row = self._connection.execute(table.select, (key,)).fetchone()
        if row is None:
            return None
        found: R = table.row._make(row)
        if table.keeps(found):
            self._keep(rows, table, key, found)
        return found

    def insert(self, table: Table[R], row: R) -> None:
        if self.written is not None:
            self.written.append(row)
        if not self._is_on:
            self._connection.execute(table.insert, row)
            return
        rows = self._of[table.name]
        self._keep(rows, table, row[0], row)
        rows.new[row[0]] = None
        self._waiting[table.name] = rows

    def update(self, table: Table[R], key: Key, told: Parameters, **changes: Any) -> None:
        """Nothing happens where there is no such row. `told`: what the running hash is told."""
        if self.written is not None:
            self.written.append(told)
        rows = self._of[table.name]
        row = rows.known.get(key)
        if row is None:
            row = self._read(table, key)
            if row is None:
                return
        values = list(row)
        places = table.places
        for column, value in changes.items():
            values[places[column]] = value
        row = table.make(values)
        columns = tuple(changes)
        if not self._is_on:
            statement, values_of = table.updating(columns)
            self._connection.execute(statement, values_of(row))
            return
        if key not in rows.known:
            self._keep(rows, table, key, row)
        rows.known[key] = row
        if key not in rows.new:
            before = rows.changed.get(key)
            if before is not None and before != columns:
                columns = tuple(dict.fromkeys(before + columns))
            rows.changed[key] = columns
        self._waiting[table.name] = rows

    def _keep(self, rows: _Rows, table: Table[R], key: Key, row: R) -> None:
        if len(rows.known) >= ROWS_MAX:
            self._flush(rows)
            for old in list(islice(rows.known, ROWS_MAX // 10)):
                del rows.known[old]
        rows.table = table
        rows.known[key] = row

    # -- statements -------------------------------------------------------------------------------

    def later(self, table: str, sql: str, parameters: Parameters, *, instead: object = None) -> None:
        """A statement that adds rows, or drops what nobody asks for in between: together with others like it.
        `instead`: of the one that was given with this before.
        """
        if self.written is not None:
            self.written.append(parameters)
        if not self._is_on:
            self._connection.execute(sql, parameters)
            return
        rows = self._of[table]
        waiting = rows.later.setdefault(sql, {})
        waiting[len(waiting) if instead is None else instead] = parameters
        self._waiting[table] = rows

    def note(self, table: str, sql: str, parameters: Parameters, *, keeps: Callable[[Any], bool]) -> Any:
        """The first value that a query of this table finds, or None, asked once. Of what `keeps` says: who
        changes the answer through here says so (`unnote`), any other statement drops it."""
        if not self._is_on:
            row = self._read_through(sql, parameters)
            return None if row is None else row[0]
        rows = self._of[table]
        key = (sql, parameters)
        if key in rows.notes:
            return rows.notes[key]
        if table in self._waiting:
            self._flush(rows)
        value = self._first(sql, parameters)
        if keeps(value):
            if len(rows.notes) >= NOTES_MAX:
                rows.notes.clear()
            rows.notes[key] = value
        return value

    def unnote(self, table: str, sql: str, parameters: Parameters) -> None:
        self._of[table].notes.pop((sql, parameters), None)

    def renote(self, table: str, sql: str, parameters: Parameters, value: Any) -> None:
        """The answer is this from now on."""
        notes = self._of[table].notes
        if (sql, parameters) in notes:
            notes[sql, parameters] = value

    def tell(self, parameters: Parameters) -> None:
        """The running hash, of a change that is known to find no row."""
        if self.written is not None:
            self.written.append(parameters)

    def _first(self, sql: str, parameters: Parameters) -> Any:
        row = self._connection.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    def before(self, sql: str, row: tuple[str, Key] | None = None) -> None:
        """A statement that goes to the database: write what it has to find, drop what it may change. `row`:
        it changes this one alone."""
        if not self._is_on:
            return
        effects = effects_of(sql)
        if self._waiting:
            for name in effects.finds:
                if name in self._waiting:
                    self._flush(self._waiting[name])
        for name in effects.changes:
            kept = self._of.get(name)
            if kept is None:
                continue
            if row is None:
                kept.known.clear()
            elif row[0] == name:
                kept.known.pop(row[1], None)
            kept.notes.clear()

    def settle(self) -> None:
        """Write all that waits."""
        while self._waiting:
            self._flush(next(iter(self._waiting.values())))

    def _flush(self, rows: _Rows) -> None:
        many = self._connection.executemany
        self._waiting.pop(rows.name, None)
        for sql, waiting in rows.later.items():
            many(sql, waiting.values())
        rows.later.clear()
        table, known = rows.table, rows.known
        if table is None:
            return
        if rows.new:
            many(table.insert, [known[key] for key in rows.new])
        groups: dict[tuple[str, ...], list[Any]] = {}
        for key, columns in rows.changed.items():
            groups.setdefault(columns, []).append(known[key])
        for columns, changed in groups.items():
            statement, values = table.updating(columns)
            many(statement, [values(row) for row in changed])
        for keys in (rows.new, rows.changed):
            for key in keys:
                if not table.keeps(known[key]):
                    del known[key]
            keys.clear()

    # -- comparing --------------------------------------------------------------------------------

    def differences(self, most: int = ROWS_MAX) -> list[str]:
        """Where what is kept is not what the tables say, of a table the `most` that came last. Between two
        entries, when nothing waits."""
        found = [f"{name}: written by no one" for name in self._waiting]
        for name, rows in self._of.items():
            if rows.known:
                stored = self._stored(rows, list(islice(reversed(rows.known), most)))
                for key, row in stored.items():
                    if row != rows.known[key]:
                        found.append(f"{name}: kept {rows.known[key]}, stored {row}")
            for sql, parameters in islice(reversed(rows.notes), most):
                value, answer = rows.notes[sql, parameters], self._first(sql, parameters)
                if answer != value:
                    found.append(f"{name}: noted {value} for {sql} {parameters}, found {answer}")
        return found

    def _stored(self, rows: _Rows, keys: list[Key]) -> dict[Key, tuple[Any, ...] | None]:
        """What the table has under these keys."""
        found: dict[Key, tuple[Any, ...] | None] = dict.fromkeys(keys)
        if rows.table is not None and keys:
            many = self._connection.execute(rows.table.select_many, (json.dumps(keys),))
            found.update((row[0], row) for row in many)
        return found
