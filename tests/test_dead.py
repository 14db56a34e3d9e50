"""Nothing is kept that nobody sets or nobody reads: states, codes, columns, fields of messages.

What is planned comes with what uses it: a state that nothing enters, or a column that nothing writes, looks
to its reader like a promise.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scheduler import protocol
from scheduler.machine import Machine
from scheduler.machine.renewal import Renewal, renew
from scheduler.words.commands import ALL as COMMANDS
from scheduler.words.lifecycle import LIFECYCLES, Lifecycle
from scheduler.words.outcomes import Code
from tests.golden.log import CLUSTER, FOLDER, member_names, read
from tests.parsed import nodes
from tests.scheduler.states import opened
from tests.test_architecture import place, sources

pytestmark = pytest.mark.house

#: Columns that hold one value in every story of the golden logs, and why.
CONSTANT = {
    "state.id": "there is one row",
    "sealing.id": "as above",
    "difference.id": "as above",
    "state.format": "there is one format",
    "state.target_format": "there is one format",
    "state.migration_cursor": "there is one format, so nothing to migrate",
    "zone_data.id": "there is one row",
    "state.refused": "of frames that are none: tests/scheduler/machine/test_entry.py",
    "fanout_lists.items": "of one alone there are members to be made",
    "doomed.attempt": "filled beyond the room of an entry: tests/scheduler/machine/test_slices.py",
    "doomed.reason": "as above",
    "tells.told": "as above",
    "required.looked": "where more than 50 wait for one: tests/scheduler/machine/test_requires.py",
    "gatherings.missed": "of an end that the cluster before a restore may have seen: test_all_of.py",
    "stages.referrer": "where 2,000 refer to what is deleted: tests/scheduler/machine/test_stage_prune.py",
}
SELDOM = 32  #: entries between two looks at those


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[object]]:
    """Of each column of the state two of the values that it had in the golden stories; all of a state."""
    seen: dict[str, set[object]] = {}
    for log in sorted(FOLDER.glob("*/*.log"), key=lambda log: log.stat().st_size):  # most have had two soon
        store = opened(tmp_path_factory.mktemp("state") / "state.db", CLUSTER)
        machine = Machine(store, member_names)
        tables = store.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        found = {
            table: [name for (name,) in store.rows("SELECT name FROM pragma_table_info(?)", (table,))]
            for (table,) in tables
        }
        filled = f"SELECT {', '.join(f'EXISTS (SELECT 1 FROM {table})' for table in found)}"
        seen |= {f"{t}.{c}": seen.get(f"{t}.{c}", set()) for t, columns in found.items() for c in columns}
        for number, entry in enumerate(read(log)):
            if isinstance(entry, Renewal):
                renew(store, entry)
                machine = Machine(store, member_names)
            else:
                machine.apply_entry(applied=entry.applied, stamp_ms=entry.stamp_ms, frames=entry.frames)
            for (table, columns), has_rows in zip(found.items(), store.row(filled) or (), strict=True):
                for column in columns if has_rows else ():
                    name = f"{table}.{column}"
                    most = 20 if column in ("state", "outcome") else 2
                    if len(seen[name]) < most and not (name in CONSTANT and number % SELDOM):
                        rows = store.rows(f"SELECT DISTINCT {column} FROM {table} LIMIT {most}")
                        seen[name].update(value for (value,) in rows)
        store.close()
    return seen


@pytest.mark.parametrize("table", LIFECYCLES, ids=lambda table: table.noun)
def test_every_state_is_entered_by_something(table: Lifecycle[Any], columns: dict[str, set[object]]) -> None:
    if table.noun == "tick":
        entered = {"pending", *columns["ledger.outcome"]}  # it has no row before it is decided
    else:
        entered = columns[f"{table.noun}s.state"]
    assert entered == set(table.states)


def test_every_column_is_written_by_something(columns: dict[str, set[object]]) -> None:
    constant = {name for name, values in columns.items() if len(values) < 2}

    assert constant - CONSTANT.keys() == set(), "nothing writes it, or no golden story tells of what does"
    assert CONSTANT.keys() - constant == set(), "it is written: no exception is needed"


def test_every_column_is_read_by_something(columns: dict[str, set[object]]) -> None:
    read_off = attributes(sources())
    queries = [text for path in sources("scheduler") for text in texts(path) if "CREATE " not in text]

    unread = {
        name
        for name in columns
        for table, _, column in [name.partition(".")]
        if column not in read_off and not any(asks(query, table, column) for query in queries)
    }

    assert not unread


def test_every_code_is_the_outcome_of_something() -> None:
    said = "\n".join(
        path.read_text()
        for path in sources()
        if place(path) not in ("scheduler/words/outcomes.py", "api/outcomes.py")
    )
    assert not [code.name for code in Code if not re.search(rf"\bCode\.{code.name}\b", said)]


def test_every_field_of_a_message_is_read_by_who_gets_it() -> None:
    at = {"agent": attributes(sources("agent"), True), "api": attributes(sources("api"), True)}

    unread = {
        f"{message.__name__}.{field.name}"
        for message, tag in protocol.TAGS.items()
        for field in dataclasses.fields(message)
        if field.name not in at["agent" if tag >= 20 else "api"]
    }

    assert not unread


def test_every_field_of_a_command_is_read_by_the_machine() -> None:
    read_off = attributes(sources("scheduler/machine"), True)
    assert not {
        f"{command.__name__}.{field.name}"
        for command in COMMANDS
        for field in msgspec.structs.fields(command)
        if field.name not in read_off
    }


def attributes(paths: Iterator[Path], handed_on_too: bool = False) -> set[str]:
    """Names that something is asked for. To hand a value on under its own name says nothing of its use."""
    found: set[str] = set()
    for path in paths:
        handed_on = {
            id(node.value)
            for node in nodes(path)
            if isinstance(node, ast.keyword)
            and isinstance(node.value, ast.Attribute)
            and node.value.attr == node.arg
            and not handed_on_too
        }
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                found.update({node.attr} if id(node) not in handed_on else ())
            elif isinstance(node, ast.MatchClass):
                found.update(node.kwd_attrs)
    return found


def texts(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def asks(query: str, table: str, column: str) -> bool:
    """Whether the query decides by the column, or selects it."""
    asked = re.sub(r"\bSET .*?(?=\bWHERE\b|$)|INSERT INTO \w+ \([^)]*\)", "", query, flags=re.DOTALL)
    is_query = re.search(r"\b(SELECT|WHERE)\b", asked) and re.search(rf"\b{table}\b", asked)
    return bool(is_query and re.search(rf"\b{column}\b", asked))
