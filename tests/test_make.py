"""Which interpreter `make` takes for .venv: of several the first that was built with optimisations."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SHOW = "show: ; @echo $(PYTHON)"


def chosen(folder: Path, *names: str, **environment: str) -> str:
    if shutil.which("make") is None:
        pytest.skip("make is missing")
    told = subprocess.run(
        ["make", "-s", "--no-print-directory", f"--eval={SHOW}", f"PYTHONS={' '.join(names)}", "show"],
        cwd=PROJECT, env={"PATH": f"{folder}:{os.environ['PATH']}", **environment},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return told.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plain one, two that were built with optimisations, and what is there and does not run."""
    for name, code in {"plain": 1, "quick": 0, "quicker": 0, "broken": 127}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (("plain", "quick", "quicker"), "quick"),
        (("broken", "missing", "quicker"), "quicker"),
        (("plain", "broken"), "python3"),
        ((), "python3"),
    ],
)
def test_the_first_that_was_built_with_optimisations_is_taken(
    folder: Path, there: tuple[str, ...], taken: str
) -> None:
    assert chosen(folder, *there) == taken


def test_who_says_which_gets_that_one(folder: Path) -> None:
    assert chosen(folder, "quick", PYTHON="plain") == "plain"
