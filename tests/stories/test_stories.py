"""Every story comes out as it is written. After a change that is meant: python -m tests.stories.record"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories.record import FOLDER
from tests.stories.teller import WORDS, told

STORIES = sorted(FOLDER.glob("*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_comes_out_as_it_is_written(path: Path, tmp_path: Path) -> None:
    text = path.read_text()
    assert told(text, tmp_path / "state.db") == text


def test_every_word_is_told_somewhere() -> None:
    lines = [line for path in STORIES for line in path.read_text().splitlines()]
    assert {line.split()[0] for line in lines if line[:1].isalpha()} == set(WORDS)
