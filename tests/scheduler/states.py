"""States of one node at a tenth of what they cost to make and to keep: tests begin with thousands of them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from scheduler.store.connection import Store


def opened(path: Path, cluster: str) -> Store:
    """The writer of the state at `path`. A new one begins as the copy of one that the product made, and
    nothing is synced: no test of these pulls the plug."""
    if not path.exists():
        path.write_bytes(_new(cluster))
    store = Store.create_or_open(path, cluster=cluster)
    store.execute("PRAGMA synchronous=OFF")
    return store


@lru_cache(maxsize=8)
def _new(cluster: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        Store.create_or_open(path, cluster=cluster).close()
        return path.read_bytes()
