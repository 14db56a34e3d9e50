"""The mutation gate can be believed: every text still fits, the bug is really in the process, and a text that
does not fit ends it. The gate itself is `make mutations`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutations.__main__ import environment
from tests.mutations.mutants import MUTANTS, Mutant

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_its_text_occurs_once_and_what_comes_instead_is_python(mutant: Mutant) -> None:
    sources: dict[str, str] = {}
    for module, old, new in mutant.edits:
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        source = sources.setdefault(module, Path(spec.origin).read_text())
        assert source.count(old) == 1, f"{module}: {old!r}"
        sources[module] = source.replace(old, new)
    for module, source in sources.items():
        compile(source, module, "exec")


def ask(mutant: Mutant, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment(mutant)}, cwd=PROJECT,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_bug_is_in_the_process() -> None:
    mutant = Mutant("m", (("node.planner", "LEAD_MS_MIN = 50\n", "LEAD_MS_MIN = 4321\n"),), (), frozenset())

    told = ask(mutant, "import node.planner; print(node.planner.LEAD_MS_MIN)")

    assert told.stdout == "4321\n", told.stderr


def test_a_text_that_does_not_fit_ends_the_process() -> None:
    mutant = Mutant("m", (("node.planner", "no such text", ""),), (), frozenset())

    told = ask(mutant, "import node.planner")

    assert told.returncode == 1
    assert "occurs 0 times" in told.stderr


def test_what_catches_each_stands_in_the_table() -> None:
    table = (PROJECT / "docs/chaos.md").read_text()
    assert [mutant.name for mutant in MUTANTS if f"`{mutant.name}`" not in table] == []


def test_there_are_at_least_twelve_and_each_has_a_name_of_its_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 12
