"""So many of something, in words."""

from __future__ import annotations

import pytest

from cli import output
from scheduler.words.counted import counted


@pytest.mark.parametrize(
    ("number", "words", "told"),
    [
        (0, ("run",), "0 runs"), (1, ("run",), "1 run"), (2, ("run",), "2 runs"),
        (1, ("task waits", "tasks wait"), "1 task waits"), (2, ("task waits", "tasks wait"), "2 tasks wait"),
    ],
)  # fmt: skip
def test_one_is_one(number: int, words: tuple[str, ...], told: str) -> None:
    assert counted(number, *words) == told == output.counted(number, *words)
