"""An error of SQLite stops the node at once: nothing is answered for that entry, and nothing is tried again.
With room it goes on with all that it acknowledged."""

from __future__ import annotations

from pathlib import Path

import pytest

from scheduler.store import connection
from tests.node.lone_node import LoneNode

TOKENS_MAX = 5_000


def test_a_database_without_room_stops_the_node_and_loses_nothing(tmp_path: Path) -> None:
    node = LoneNode(tmp_path / "data")
    node.lead()
    node.commit("first")
    store = node.state.machine.store
    store.execute(f"PRAGMA max_page_count={store.value('PRAGMA page_count')}")  # of this connection alone
    acknowledged = ["first"]

    def fill() -> None:
        for number in range(TOKENS_MAX):
            node.commit(f"token-{number}")
            acknowledged.append(f"token-{number}")

    with pytest.raises(connection.Error, match="full"):
        fill()
    refused = f"token-{len(acknowledged) - 1}"
    assert refused not in node.tokens(), "half of an entry was kept"
    node.abandon()

    again = LoneNode(tmp_path / "data", life=2)
    again.lead()
    found = again.tokens()
    assert set(acknowledged) <= found
    assert found - set(acknowledged) <= {refused}, "it was in the journal: that it is done now is no lie"
    again.commit("goes-on")
    again.close()
