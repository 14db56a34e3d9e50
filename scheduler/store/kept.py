"""Rows that the machine keeps in memory beside the database: read without a query, written once an entry.

Rules of this file:

1. One owner: whoever reads or changes such a row does it through here (`Store.kept`). A statement that goes
   past it drops what is kept of the table that it changes, so a forgotten place costs time and nothing else.
2. A query finds each change: before a statement that names a table, what waits for that table is written, or
   what waits under its name where it asks by one (`first`); all of it before a commit. The running hash is
   told of each change at once, in the order of the changes.
3. Kept is what was read or written lately and may change again (`Table`), a bounded number of rows.
   What is not kept is read. Nobody shares it: readers have connections of their own, and keep nothing.
4. After any exception all of it is dropped, together with the transaction that it belongs to.
5. `differences` compares it with the tables: simulations and tests ask after every entry.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from scheduler.store import schema

R = TypeVar("R", bound=NamedTuple)
Parameters = Sequence[Any]
Key = int | str

EACH = object()
ROWS_MAX = 10_000  #: of a table
LETTERS_KEPT = 2_000  #: of a text that may be large, in a row that is kept
NOTES_MAX = 10_000  #: of a table


class Changing(NamedTuple):
    """Columns of a table."""

    places: tuple[int, ...]
    changed: int  #: a bit each by its place


class Table(Generic[R]):
    """Rows are told apart by their first column. `row` may have some of the columns alone: then its rows are
    read and changed here, and inserted by a statement. `ends`: the column that is set in a row which never
    changes again. `large`: one of which rows with a text longer than `LETTERS_KEPT` are not kept.
    """

    __slots__ = (
        "_updating", "changing", "columns", "ends", "insert", "large", "make", "name", "row", "select",
        "select_many",
    )  # fmt: skip

    def __init__(self, name: str, row: type[R], *, ends: str = "", large: str = "") -> None:
        columns = row._fields
        self.name = name
        self.row = row
        self.make: Callable[[Iterable[Any]], R] = functools.partial(tuple.__new__, row)  # `_make`, in C
        self.columns = columns
        self.changing: dict[tuple[str, ...], Changing] = {}  #: by the names that callers change together
        self.ends = columns.index(ends) if ends else None
        self.large = columns.index(large) if large else None
        self._updating: dict[int, tuple[str, Callable[[R], Parameters]]] = {}
        self.select = f"SELECT {', '.join(columns)} FROM {name} WHERE {columns[0]} = ?"
        self.select_many = self.select.removesuffix("= ?") + "IN (SELECT value FROM json_each(?))"
        self.insert = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"

    def changing_of(self, names: tuple[str, ...]) -> Changing:
        places = tuple(map(self.columns.index, names))
        self.changing[names] = found = Changing(places, sum(1 << place for place in places))
        return found

    def updating(self, changed: int) -> tuple[str, Callable[[R], Parameters]]:
        """The statement that writes these columns, a bit each by its place, and their values of a row, then
        its key."""
        known = self._updating.get(changed)
        if known is None:  # as many as the code has calls, and these together
            places = [place for place in range(len(self.columns)) if changed >> place & 1]
            sets = ", ".join(f"{self.columns[place]} = ?" for place in places)
            known = f"UPDATE {self.name} SET {sets} WHERE {self.columns[0]} = ?", itemgetter(*places, 0)
            self._updating[changed] = known
        return known

    def passing(self, known: Mapping[Key, R], keys: Iterable[Key]) -> list[Key]:
        """Those of which the row is not to be kept: it never changes again, or is large."""
        ends, large = self.ends, self.large
        return [
            key
            for key in keys
            if (ends is not None and known[key][ends] is not None)
            or (large is not None and len(known[key][large]) > LETTERS_KEPT)
        ]


def always(answer: Any) -> bool:
    """Of `Kept.note`: the answer is kept, whatever it is."""
    return True


def while_none(answer: Any) -> bool:
    """As long as nothing is found."""
    return answer is None


def once_found(answer: Any) -> bool:
    return answer is not None


class Connection(Protocol):
    """As much of SQLite as this needs."""

    def execute(self, sql: str, parameters: Parameters = ..., /) -> Any: ...

    def executemany(self, sql: str, parameters: Iterable[Parameters], /) -> Any: ...


Read = Callable[[str, Parameters], tuple[Any, ...] | None]


class _Rows:
    """What is kept of one table."""

    __slots__ = ("changed", "known", "later", "name", "named", "new", "notes", "table")

    def __init__(self, name: str) -> None:
        self.name = name
        self.table: Table[Any] | None = None  #: None: nothing but statements
        self.known: dict[Key, Any] = {}
        self.new: dict[Key, None] = {}  #: to be inserted
        self.changed: dict[Key, int] = {}  #: columns that are to be written, a bit each by its place
        self.later: dict[str, dict[object, Parameters]] = {}  #: statements that wait
        self.named: set[object] = set()  #: whose rows these are; EACH: of whomever
        self.notes: dict[tuple[str, Parameters], Any] = {}  #: what queries found


class Effects(NamedTuple):
    """Of a statement."""

    finds: tuple[str, ...]  #: tables whose rows it may look at, or change
    changes: tuple[str, ...]  #: those of whose rows it may change some that were there
    fills: bool  #: it may put rows into the tables that it names


_TABLES = tuple(re.findall(r"CREATE TABLE (\w+)", "".join(schema.STATEMENTS)))
_HARMLESS = re.compile(r"\s*(SELECT|WITH|BEGIN|COMMIT|ROLLBACK|PRAGMA|INSERT (OR IGNORE )?INTO)\b")


@functools.lru_cache(maxsize=4096)
def effects_of(sql: str) -> Effects:
    words = set(re.findall(r"\w+", sql))
    names = tuple(name for name in _TABLES if name in words)
    fills = "INSERT" in words or "REPLACE" in words
    if _HARMLESS.match(sql) and "DO UPDATE" not in sql:
        return Effects(names, (), fills)
    changed = re.match(r"\s*(?:UPDATE|DELETE FROM|INSERT (?:OR REPLACE )?INTO)\s+(\w+)", sql)
    if changed is None:
        return Effects(_TABLES, _TABLES, True)
    return Effects(names, (changed.group(1),), fills)


class Kept:
    """Of one connection. Until `begin` everything goes straight to the database."""

    def __init__(self, connection: Connection, read: Read) -> None:
        """`read`: the first row of a query, as the connection's owner asks for it."""
        self._connection = connection
        self._read_through = read
        self._is_on = False
        self._of: dict[str, _Rows] = {name: _Rows(name) for name in _TABLES}
        self._waiting: dict[str, _Rows] = {}
        self._empty: set[str] = set()  #: tables that are known to have no row
        self._full: set[str] = set()  #: or to have had one since anything was taken from them
        self.written: list[Parameters] | None = None
        """When a list: every value that is stored is appended to it, for the running hash of the state."""

    def begin(self) -> None:
        """Keep rows from now on: of the machine alone, which commits and drops."""
        self._is_on = True

    def forget(self) -> None:
        """Drop all of it, what waits too."""
        for rows in self._of.values():
            for part in (rows.known, rows.new, rows.changed, rows.later, rows.named, rows.notes):
                part.clear()
        self._waiting.clear()
        self._empty.clear()
        self._full.clear()

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
        if not table.passing({key: found}, (key,)):
            self._keep(rows, table, key, found)
        return found

    def insert(self, table: Table[R], row: R) -> None:
        if self.written is not None:
            self.written.append(row)
        if not self._is_on:
            self._connection.execute(table.insert, row)
            return
        rows = self._of[table.name]
        self._empty.discard(table.name)
        self._keep(rows, table, row[0], row)
        rows.new[row[0]] = None
        self._waiting[table.name] = rows

    def update(self, table: Table[R], key: Key, told: Parameters, **changes: Any) -> R | None:
        """The row as it is then; None, and nothing happens, where there is no such row. `told`: what the
        running hash is told."""
        if self.written is not None:
            self.written.append(told)
        rows = self._of[table.name]
        known = rows.known.get(key)
        before = self._read(table, key) if known is None else known
        if before is None:
            return None
        names = tuple(changes)
        places, changed = table.changing.get(names) or table.changing_of(names)
        values = list(before)
        for place, value in zip(places, changes.values(), strict=True):
            values[place] = value
        row = table.make(values)
        if not self._is_on:
            statement, values_of = table.updating(changed)
            self._connection.execute(statement, values_of(row))
            return row
        if known is None and key not in rows.known:
            self._keep(rows, table, key, row)
        rows.known[key] = row
        if key not in rows.new:
            rows.changed[key] = rows.changed.get(key, 0) | changed
        self._waiting[table.name] = rows
        return row

    def _keep(self, rows: _Rows, table: Table[R], key: Key, row: R) -> None:
        if len(rows.known) >= ROWS_MAX:
            self._flush(rows)
            for old in list(islice(rows.known, ROWS_MAX // 10)):
                del rows.known[old]
        rows.table = table
        rows.known[key] = row

    # -- statements -------------------------------------------------------------------------------

    def later(
        self, table: str, sql: str, parameters: Parameters, *, instead: object = None, name: object = EACH
    ) -> None:
        """A statement that adds rows, or drops what nobody asks for in between: together with others like it.
        `instead`: of the one that was given with this before. `name`: by which alone `first` finds them.
        """
        if self.written is not None:
            self.written.append(parameters)
        if not self._is_on:
            self._connection.execute(sql, parameters)
            return
        rows = self._of[table]
        self._empty.discard(table)
        waiting = rows.later.setdefault(sql, {})
        waiting[len(waiting) if instead is None else instead] = parameters
        rows.named.add(name)
        self._waiting[table] = rows

    def first(self, tables: tuple[str, ...], sql: str, name: Parameters) -> tuple[Any, ...] | None:
        """The first row that a query of these tables finds by a name. What waits is written before where it
        may be of that name: many that are put one after the other go in together."""
        if not self._is_on:
            return self._read_through(sql, name)
        for table in tables:
            rows = self._waiting.get(table)
            if rows is not None and (rows.changed or rows.new or name in rows.named or EACH in rows.named):
                self._flush(rows)
        row: tuple[Any, ...] | None = self._connection.execute(sql, name).fetchone()
        return row

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

    def are_empty(self, tables: frozenset[str]) -> bool:
        """Whether none of these has a row. What hardly anybody uses is asked for here in one step, and then
        by nobody: of tables without a row that is known until one comes."""
        return tables <= self._empty or (self._full.isdisjoint(tables) and self._look(tables))

    def _look(self, tables: frozenset[str]) -> bool:
        for name in sorted(tables - self._empty):
            if name in self._waiting:
                self._flush(self._waiting[name])
            is_empty = self._first(f"SELECT 1 FROM {name} LIMIT 1", ()) is None
            if self._is_on:
                (self._empty if is_empty else self._full).add(name)
            if not is_empty:
                return False
        return True

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
        if effects.fills:
            self._empty.difference_update(effects.finds)
        if self._waiting:
            for name in effects.finds:
                if name in self._waiting:
                    self._flush(self._waiting[name])
        for name in effects.changes:
            self._full.discard(name)
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
        rows.named.clear()
        table, known = rows.table, rows.known
        if table is None:
            return
        if rows.new:
            many(table.insert, [known[key] for key in rows.new])
        groups: dict[int, list[Any]] = {}
        for key, changed in rows.changed.items():
            groups.setdefault(changed, []).append(known[key])
        for changed, those in groups.items():
            statement, values = table.updating(changed)
            many(statement, map(values, those))
        for keys in (rows.new, rows.changed):
            for key in table.passing(known, keys) if keys else ():
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
        for name in sorted(self._empty):
            if self._first(f"SELECT 1 FROM {name} LIMIT 1", ()) is not None:
                found.append(f"{name}: known to be empty, and is not")
        return found

    def _stored(self, rows: _Rows, keys: list[Key]) -> dict[Key, tuple[Any, ...] | None]:
        """What the table has under these keys."""
        found: dict[Key, tuple[Any, ...] | None] = dict.fromkeys(keys)
        if rows.table is not None and keys:
            many = self._connection.execute(rows.table.select_many, (json.dumps(keys),))
            found.update((row[0], row) for row in many)
        return found
