"""The alarm of a write-ahead log that a reader keeps long."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from node import write_ahead
from node.write_ahead import WriteAhead
from scheduler.store.connection import Store

ROW = "x" * 30_000


def test_a_log_that_a_reader_keeps_long_is_said_once_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The helper thread is at work from `LONG_BYTES` on, and waits for that reader: long before the alarm."""
    monkeypatch.setattr(write_ahead, "LONG_BYTES", 1 << 20)
    monkeypatch.setattr(write_ahead, "ALARM_BYTES", 4 << 20)
    caplog.set_level(logging.ERROR)
    jobs: list[Callable[[], None]] = []
    store = Store.create_or_open(tmp_path / "state.db", cluster="c")
    store.execute("CREATE TABLE filler (text TEXT)")
    log = WriteAhead(store, jobs.append, pause=lambda s: None)
    reader = Store.open_reader(tmp_path / "state.db")

    def grow(size: int) -> None:
        while store.wal_bytes() <= size:
            store.execute("INSERT INTO filler VALUES (?)", (ROW,))
            log.look()

    with reader.snapshot():
        reader.value("SELECT idx FROM state")
        grow(3 << 20)
        assert len(jobs) == 1, "the helper was called"
        assert caplog.text == ""
        grow(8 << 20)
        assert caplog.text.count("write-ahead log has 4 MiB") == 1
        assert str(tmp_path / "state.db") in caplog.text
        assert len(caplog.records) == 1, "said once"
    jobs.pop()()
    log.look()
    reader.close()
    store.close()
