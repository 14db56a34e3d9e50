"""Backups: what a manifest says, and what is refused with what and where."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from scheduler.backup import BackupError, check, seal
from scheduler.store.connection import Store
from tests.scheduler.story import Story, job


@pytest.fixture
def backup(story: Story, tmp_path: Path) -> Path:
    story.connect()
    story.put(*[job(f"job-{i}", trigger={"every": "10s"}) for i in range(200)])
    for _ in range(3):
        story.now_ms += 10_000
        story.settle()
    path = tmp_path / "backup.db"
    story.store.copy_to(path)
    seal(path, node="node-a", version="1.2", made_ms=5)
    return path


def test_a_backup_is_one_file_that_says_what_it_is_of(backup: Path, story: Story) -> None:
    manifest = check(backup)
    state = story.machine.state
    assert (manifest.cluster, manifest.lineage, manifest.restores) == ("story", "story", 0)
    assert (manifest.index, manifest.ledger_seq, manifest.epoch) == (state.idx, state.ledger_seq, state.epoch)
    assert (manifest.state_hash, manifest.ledger_head) == (state.hash.hex(), state.ledger_head.hex())
    assert (manifest.node, manifest.version, manifest.made_ms) == ("node-a", "1.2", 5)
    # Any tool opens it, from a read-only place too: it is out of WAL mode.
    with sqlite3.connect(f"{backup.as_uri()}?mode=ro&immutable=1", uri=True) as tool:
        assert tool.execute("PRAGMA journal_mode").fetchone() != ("wal",)
        assert dict(tool.execute("SELECT * FROM backup"))["rows of jobs"] == 200
    tool.close()
    assert list(backup.parent.glob("backup.db-*")) == []


def test_a_cut_backup_is_refused_wherever_it_was_cut(backup: Path) -> None:
    whole = backup.read_bytes()
    for length in (0, 10, 99, 4_095, 4_096, len(whole) // 2, len(whole) - 1):
        backup.write_bytes(whole[:length])
        with pytest.raises(BackupError, match=r"byte|no SQLite file"):
            check(backup)
    backup.write_bytes(whole + b"more")
    with pytest.raises(BackupError, match=f"at byte {len(whole)}"):
        check(backup)


def test_a_damaged_page_is_refused(backup: Path) -> None:
    whole = backup.read_bytes()
    damaged = bytearray(whole)
    page = len(whole) // 4_096 // 2 * 4_096
    damaged[page : page + 64] = bytes(64)
    backup.write_bytes(damaged)
    with pytest.raises(BackupError, match=r"damaged|cannot read"):
        check(backup)


def change(path: Path, sql: str) -> None:
    store = Store.open_alone(path)
    store.execute("PRAGMA writable_schema = ON")
    store.begin()
    store.execute(sql)
    store.commit()
    store.close()


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE ledger SET outcome = 'missed' WHERE seq = 17", "broken at entry 17"),
        ("DELETE FROM ledger WHERE seq = 20", "table ledger has"),
        ("UPDATE state SET idx = idx + 1", "table state says index"),
        ("DELETE FROM jobs WHERE name = 'job-3'", "table jobs has 199 rows, table backup says 200"),
        ("DELETE FROM backup WHERE name = 'index'", "table backup lacks index"),
        ("DROP TABLE backup", "no backup: it has no manifest"),
        ("UPDATE backup SET value = 99 WHERE name = 'schema'", "schema 99 of version 1.2"),
        ("UPDATE backup SET value = 99 WHERE name = 'format'", "format 99 of version 1.2"),
        ("PRAGMA application_id = 7", "not of Cronclave"),
        ("PRAGMA user_version = 2", "schema .* of version 1.2"),
        ("UPDATE sqlite_schema SET rootpage = 999999 WHERE name = 'ledger_job'", "cannot read it: malformed"),
    ],
)
def test_a_backup_that_was_changed_is_refused(backup: Path, sql: str, says: str) -> None:
    change(backup, sql)
    with pytest.raises(BackupError, match=says):
        check(backup)


@pytest.mark.parametrize(
    "fact",
    [
        "cluster",
        "lineage",
        "restores",
        "stamp_ms",
        "index",
        "epoch",
        "ledger_seq",
        "ledger_head",
        "state_hash",
    ],
)
def test_no_fact_of_a_manifest_is_believed(backup: Path, fact: str) -> None:
    change(backup, f"UPDATE backup SET value = 'other' WHERE name = '{fact}'")
    with pytest.raises(BackupError, match=f"table state says {fact} .*, table backup other"):
        check(backup)


def test_what_was_a_backup_before_gets_one_manifest_of_its_own(backup: Path) -> None:
    seal(backup, node="node-b", version="1.3", made_ms=6)
    manifest = check(backup)
    assert (manifest.node, manifest.version, manifest.made_ms) == ("node-b", "1.3", 6)


def test_a_backup_is_synced_with_its_manifest(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced, fsync = tmp_path / "backup.db", [], os.fsync

    def note(descriptor: int) -> None:
        synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), os.fstat(descriptor).st_size))
        fsync(descriptor)

    story.lead()
    story.store.copy_to(path)
    monkeypatch.setattr(os, "fsync", note)
    seal(path, node="node-a", version="1.2", made_ms=5)
    assert synced[-1] == (str(path), path.stat().st_size)


def test_a_backup_of_the_largest_pages_is_sound(backup: Path) -> None:
    """SQLite writes 65,536 as 1."""
    with sqlite3.connect(backup) as tool:
        tool.execute("PRAGMA page_size = 65536")
        tool.execute("VACUUM")
    tool.close()
    assert check(backup).cluster == "story"


def test_an_index_that_differs_from_its_table_is_refused(backup: Path) -> None:
    whole, name = backup.read_bytes(), b"job-137"
    refused = []
    at = whole.find(name)
    while at >= 0:
        backup.write_bytes(whole[:at] + b"job-138" + whole[at + len(name) :])
        try:
            check(backup)
        except BackupError as error:
            refused.append(str(error))
        at = whole.find(name, at + 1)
    assert any("damaged: row" in error and "index" in error for error in refused), refused


def test_something_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("hello " * 100)
    with pytest.raises(BackupError, match="no SQLite file"):
        check(other)
    with pytest.raises(BackupError, match="cannot be read: No such file"):
        check(tmp_path / "none")
