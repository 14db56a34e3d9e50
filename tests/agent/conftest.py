from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.agent.fake_node import FakeNode
from tests.agent.host import Host


@pytest.fixture
async def node() -> AsyncIterator[FakeNode]:
    async with FakeNode() as running:
        yield running


@pytest.fixture
def host(tmp_path: Path, node: FakeNode) -> Iterator[Host]:
    made = Host(tmp_path, [node.url])
    yield made
    made.close()
