"""docs/guarantees.md names real tests, and every acceptance test stands behind a promise there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.house

FOLDER = Path(__file__).parent
PAGE = (FOLDER.parent.parent / "docs" / "guarantees.md").read_text()


def promises_tested() -> dict[str, set[str]]:
    """The test functions of each file of this folder."""
    return {
        file.name: {
            node.name
            for node in ast.parse(file.read_text()).body
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        }
        for file in FOLDER.glob("test_*.py")
        if file != Path(__file__)
    }


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)(?:::(\w+))?", PAGE)
    here = promises_tested()

    assert len(named) > 15
    assert [
        f"{file}::{test}" for file, test in named if file not in here or (test and test not in here[file])
    ] == []


def test_every_acceptance_test_is_named_on_the_page() -> None:
    missing = [
        f"{file}::{test}"
        for file, tests in promises_tested().items()
        for test in tests
        if f"`{file}::{test}`" not in PAGE and f"`{file}`" not in PAGE
    ]

    assert missing == []


def test_every_attack_is_named_on_the_page() -> None:
    attacks = {f"tests/hostile/{file.name}" for file in (FOLDER.parent / "hostile").glob("test_*.py")}

    assert {attack for attack in attacks if attack not in PAGE} == set()
    assert set(re.findall(r"tests/hostile/test_\w+\.py", PAGE)) <= attacks
