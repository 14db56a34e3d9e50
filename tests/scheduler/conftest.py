from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scheduler.story import Story


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """A led cluster's state, without jobs or agents."""
    told = Story(tmp_path / "state.db")
    told.lead()
    yield told
    told.close()
