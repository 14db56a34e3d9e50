"""One place knows a table: its columns, and all that writes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from scheduler.store import schema, tables
from scheduler.store.tables.agents import Agent
from scheduler.store.tables.attempts import Attempt
from scheduler.store.tables.boots import Boot
from scheduler.store.tables.jobs import Job, Revision
from scheduler.store.tables.outbox import Effect
from scheduler.store.tables.pauses import Pause
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.store.tables.tokens import Token
from scheduler.store.tables.triggers import Trigger
from tests.scheduler.states import opened

ROWS: dict[str, Any] = {
    "agents": Agent, "attempts": Attempt, "boots": Boot, "jobs": Job, "outbox": Effect, "pauses": Pause,
    "revisions": Revision, "runs": Run, "tasks": Task, "tokens": Token, "triggers": Trigger,
}  # fmt: skip
STATEMENT = re.compile(
    r"\b(?:INSERT(?: OR \w+)? INTO|(?<!DO )UPDATE|DELETE FROM)\s+(\w+)\b(?! =)|\b(?:moved|Table)\(.(\w+)"
)


def test_a_table_is_written_in_one_file_alone() -> None:
    """So what is kept of its rows beside it has one place to be kept up to date in."""
    writers: dict[str, set[str]] = {}
    for path in Path(tables.__file__).parent.glob("*.py"):
        for named, moved in STATEMENT.findall(path.read_text()):
            writers.setdefault(named or moved, set()).add(path.stem)

    made = set(re.findall(r"CREATE TABLE (\w+)", "".join(schema.STATEMENTS)))
    assert set(writers) == made - {"state"} | {"restores", "awaited", "told_early"}
    assert {table: files for table, files in writers.items() if len(files) > 1} == {}


@pytest.mark.parametrize("table", ROWS)
def test_a_row_has_the_columns_of_its_table(table: str, tmp_path: Path) -> None:
    store = opened(tmp_path / "state.db", "")
    columns = store.rows("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,))
    store.close()

    assert ROWS[table]._fields == tuple(name for (name,) in columns)
