"""Whether a state file is whole, as far as the file alone can tell.

Rules:

1. `PRAGMA quick_check` walks every page once: the trees, the order of their keys, the free pages. A bit that
   flipped in a value or in an index's entry is none of its business; that shows when nodes compare their rows
   (`slices`).
2. It looks over a connection of its own, in one call that holds no lock of the interpreter: a helper thread
   may run it beside a loop. It holds a snapshot meanwhile, so the write-ahead log grows.
3. An error of the disk, or a file that is locked, is no damage: it goes up.
"""

from __future__ import annotations

from pathlib import Path

from scheduler.store.connection import DamagedError, Error, Store, is_damage

PROBLEMS_TOLD = 5


def refuse_damaged(copy: Path) -> None:
    """Of a copy that was just made: it must not be given to anybody. Raises DamagedError, and as below."""
    if found := problems(copy, is_live=False):
        raise DamagedError(f"the state is damaged, and so is the copy of it: {'; '.join(found)}")


def problems(path: Path, *, is_live: bool = True) -> list[str]:
    """What is wrong with the file, in SQLite's words; empty: nothing. Raises OSError and sqlite3 errors."""
    try:
        store = Store.open_reader(path, query_ms_max=None, is_live=is_live)
        try:
            found = [str(row[0]) for row in store.rows(f"PRAGMA quick_check({PROBLEMS_TOLD})")]
        finally:
            store.close()
    except UnicodeDecodeError as error:  # by the sqlite3 module, of a name in the schema
        return [f"its schema holds names that are no text: {error}"]
    except Error as error:
        if not is_damage(error):
            raise
        return [str(error)]
    lines = [line for each in found for line in each.splitlines() if not line.startswith("***")]
    return [] if lines == ["ok"] else lines[:PROBLEMS_TOLD]
