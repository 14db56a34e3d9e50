"""What a front knows of the defaults of namespaces: read once, and again after a change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import httpx2

from api.known_defaults import KnownDefaults
from api.ports import Committed, Scheduler
from scheduler.store.connection import Store
from scheduler.store.tables.namespaces import KIND
from scheduler.words.events import ObjectPut
from tests.api.single_node import SingleNode


class Reads:
    """The node's, counted; `meanwhile` comes between a read and what is kept of it."""

    def __init__(self, node: SingleNode) -> None:
        self._node = node
        self.count = 0
        self.meanwhile: Callable[[], None] | None = None

    @contextmanager
    def read(self) -> Iterator[Store]:
        self.count += 1
        with self._node.read() as store:
            yield store
        if self.meanwhile is not None:
            self.meanwhile()


async def test_they_are_read_again_after_a_change_that_came_meanwhile(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    """Large bodies ask beside the loop, which hears of commits."""
    await client.put("/v1/namespaces/finance", json={"defaults": {"policies": {"on_failure": "hold"}}})
    reads = Reads(node)
    known = KnownDefaults(cast(Scheduler, reads))
    change = Committed(9, 0, [(9, 0, ObjectPut(KIND, "finance", "finance", 2, created=False))])
    reads.meanwhile = lambda: known.on_commit(change)
    given = known.of("finance")
    assert given is not None
    reads.meanwhile = None
    assert [known.of("finance") for _ in range(3)] == [given] * 3
    assert reads.count == 2, "what was read before the change is not kept"
    known.on_commit(change)
    known.of("finance")
    reads.meanwhile = known.on_gap
    known.of("elsewhere")
    reads.meanwhile = None
    known.of("elsewhere")
    assert reads.count == 5
