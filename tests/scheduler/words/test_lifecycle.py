"""The tables of states: they are whole, the machine follows them, and nothing else writes a state."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos.checkers import lifecycle as harness
from scheduler.words import lifecycle
from scheduler.words.lifecycle import ATTEMPT, RUN, START, AttemptEvent, Lifecycle, RunEvent
from tests.test_architecture import place, sources

ROOT = Path(lifecycle.__file__).parents[2]
NOUNS = {"runs": "Run", "tasks": "Task", "attempts": "Attempt"}
#: Functions whose statements write a state, by file.
WRITERS = {
    "scheduler/store/kept.py": {"updating"},  # what is given by `update`
}


def test_the_document_is_generated_from_the_tables() -> None:
    assert (ROOT / "docs" / "lifecycle.md").read_text() == lifecycle.markdown()


@pytest.mark.parametrize("table", lifecycle.LIFECYCLES, ids=lambda table: table.noun)
def test_every_state_is_reached_and_every_step_leads_to_a_state(table: Lifecycle[Any]) -> None:
    reached = {after for steps in table.table.values() for after in steps.values()}
    assert reached == set(table.states)
    assert table.terminal
    begun = {START}
    while more := {after for state in begun for after in table.table[state].values()} - begun:
        begun |= more
    assert begun == {START, *table.states}


@pytest.mark.parametrize("table", lifecycle.LIFECYCLES, ids=lambda table: table.noun)
def test_every_event_is_told_in_words_and_leads_somewhere(table: Lifecycle[Any]) -> None:
    led = {event for steps in table.table.values() for event in steps}
    kind: Any = type(next(iter(table.events)))
    assert led == set(table.events) == set(kind)


@pytest.mark.parametrize("state", sorted(lifecycle.RUN_ENDS))
def test_terminal_states_never_change(state: str) -> None:
    for event in RunEvent:
        with pytest.raises(lifecycle.IllegalTransitionError, match=f"{event.value} in {state}"):
            RUN.after(state, event)


def test_an_event_leads_to_the_state_that_its_table_names() -> None:
    assert ATTEMPT.after("assigned", AttemptEvent.GRANTED) == "granted"
    assert ATTEMPT.after("running", AttemptEvent.STOPPED) == "lost", "nobody asked for it"
    assert ATTEMPT.after("cancelling", AttemptEvent.STOPPED) == "cancelled"


def test_an_illegal_step_is_refused_by_an_optimized_python_too() -> None:
    told = subprocess.run(
        [
            sys.executable, "-O", "-c",
            "from scheduler.words.lifecycle import RUN, RunEvent; RUN.after('lost', RunEvent.STARTED)",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert told.returncode != 0
    assert "IllegalTransitionError: run: started in lost" in told.stderr


def test_the_machine_names_every_event() -> None:
    """One that nobody names is a promise, as a state that nobody enters is."""
    named = {
        (node.value.id, node.attr)
        for path in sources("scheduler")
        if path != Path(lifecycle.__file__)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    by_their_end = {*lifecycle.RUN_END.values(), *lifecycle.TASK_END.values()}

    unnamed = [
        f"{type(event).__name__}.{event.name}"
        for table in lifecycle.LIFECYCLES
        for event in table.events
        if (type(event).__name__, event.name) not in named and event not in by_their_end
    ]

    # A tick has no row before it is decided, and is decided by the word of its outcome.
    assert [name for name in unnamed if not name.startswith("TickEvent.")] == []


def test_a_state_is_written_in_one_place_alone() -> None:
    writers = {
        (place(path), function)
        for path in sources("scheduler")
        for function, text in texts(ast.parse(path.read_text()))
        if re.search(r"UPDATE (runs|tasks|attempts) SET .*\bstate\b|UPDATE \{\} SET", text.split("WHERE")[0])
    }
    assert writers == {(where, name) for where, names in WRITERS.items() for name in names}

    movers = {
        (place(path), function)
        for path in sources("scheduler")
        for function, call in calls(ast.parse(path.read_text()))
        if isinstance(call.func, ast.Attribute) and call.func.attr == "update"
        and any(keyword.arg == "state" for keyword in call.keywords)
    } - {("scheduler/store/tables/jobs.py", "set_state")}  # jobs have two states, and no table
    assert movers == {
        (f"scheduler/store/tables/{noun}.py", name)
        for noun in NOUNS
        for name in ("move", "rebuild")
        if (noun, name) != ("attempts", "rebuild")
    }


def test_a_row_is_made_in_the_state_that_its_table_begins_with() -> None:
    made = [
        (f"{place(path)}:{call.lineno}", ast.unparse(keyword.value))
        for path in sources("scheduler/machine")
        for _, call in calls(ast.parse(path.read_text()))
        if isinstance(call.func, ast.Name) and call.func.id in NOUNS.values()
        for keyword in call.keywords
        if keyword.arg == "state"
    ]
    assert len(made) >= 6
    first = re.compile(r"(RUN|TASK|ATTEMPT)\.after\(START, ")
    assert [where for where, value in made if not first.match(value)] == []
    replaced = [
        f"{place(path)}:{call.lineno}"
        for path in sources("scheduler/machine")
        for _, call in calls(ast.parse(path.read_text()))
        if isinstance(call.func, ast.Attribute) and call.func.attr == "_replace"
        for keyword in call.keywords
        if keyword.arg == "state"
    ]
    assert replaced == []


def test_an_adopted_runs_rows_alone_are_written_without_a_table() -> None:
    rebuilt = {
        place(path)
        for path in sources("scheduler")
        for _, call in calls(ast.parse(path.read_text()))
        if isinstance(call.func, ast.Attribute)
        and call.func.attr == "rebuild"
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id.endswith("_rows")
    }
    assert rebuilt == {"scheduler/machine/steps/reconstruct.py"}


def test_the_harness_knows_the_same_steps() -> None:
    """Its tables are its own. Of an attempt that stops it may be told anew that it runs."""

    def steps(table: Any) -> set[tuple[str, str]]:
        return {(before, after) for before, many in table.items() if before for after in many}

    assert steps(harness.RUN) == {
        (before, after) for before, many in RUN.table.items() if before for after in many.values()
    }
    ours = {(before, after) for before, many in ATTEMPT.table.items() if before for after in many.values()}
    assert steps(harness.ATTEMPT) - ours == {("cancelling", "running")}
    assert ours <= steps(harness.ATTEMPT)


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node


def texts(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Every text in a function, without what is filled in."""
    for name, function in functions(tree):
        for node in ast.walk(function):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
                yield name, "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield name, node.value


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for name, function in functions(tree):
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                yield name, node
