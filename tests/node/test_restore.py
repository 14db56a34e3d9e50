"""Offline: a backup becomes the data directory of a new cluster's first node, or nothing changes."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path

import pytest

from cluster import raft
from cluster.batcher import pack_entry
from cluster.disk import FileDisk
from cluster.journal import Journal
from cluster.restore import unpack_members
from node.backup import verify
from node.config import load_config
from node.identity import lock_data
from node.restore import RestoreError, Wishes, recover, restore, survey
from scheduler.backup import BackupError, seal
from scheduler.model import parse_job, prepare
from scheduler.store import state as state_rows
from scheduler.store.connection import Store
from scheduler.store.tables.restores import SPAN
from scheduler.words import codec
from scheduler.words.commands import PutJobs
from tests.node.damaged import INDEX_LEAF, PAGE_BYTES, flip, pages_of
from tests.node.test_config import GOOD, write
from tests.scheduler.story import START_MS, Story, job

WISHES = Wishes("restore", hold_ms=1_000, catchup=False, number=None)


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A backup of cluster `story`."""
    folder = tmp_path / "source"
    folder.mkdir()
    story = Story(folder / "state.db")
    story.lead()
    story.put(job("kept"))
    path = tmp_path / "backup.db"
    story.store.copy_to(path)
    story.close()
    seal(path, node="node-a", version="1", made_ms=0)
    summed(path)
    return path


def summed(path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".sha256").write_text(f"{digest}  {path.name}\n")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write(tmp_path, GOOD)


def state_in(data: Path) -> state_rows.State:
    store = Store.open_reader(data / "state" / "1" / "state.db")
    try:
        return state_rows.load(store)
    finally:
        store.close()


def test_a_restored_directory_is_a_node_of_a_new_cluster(backup: Path, config: Path, tmp_path: Path) -> None:
    facts = restore(backup, config, WISHES)
    data = tmp_path / "data"
    state = state_in(data)
    assert (state.cluster, state.restores) == ("c1", 1)  # the configuration named another uid than the backup
    assert state.idx > SPAN
    assert json.loads((data / "identity.json").read_text())["cluster"] == "c1"
    assert (facts["former"], facts["index"], facts["rewritten"]) == ("story", state.idx, False)
    journal = Journal(FileDisk(data / "log"))
    assert (journal.last_index, journal.term) == (state.raft_index, state.raft_term + 1)
    journal.close()
    assert not list(tmp_path.glob("data.*"))


def test_a_configuration_with_the_old_uid_gets_the_new_one(
    backup: Path, config: Path, tmp_path: Path
) -> None:
    config.write_text(GOOD.replace('"c1"', '"story"  # ours'))
    before = config.read_text()
    facts = restore(backup, config, WISHES)
    cluster = load_config(config, {}).cluster
    assert cluster == facts["cluster"] == state_in(tmp_path / "data").cluster
    assert cluster != "story"
    assert config.read_text() == before.replace('"story"', f'"{cluster}"')
    assert (tmp_path / "node.toml.before-restore-1").read_text() == before


def test_a_uid_of_several_founders_is_not_taken(backup: Path, config: Path, tmp_path: Path) -> None:
    other = '\n[members.n2]\nraft = "127.0.0.1:8422"\nzone = "b"\nurl = "http://127.0.0.1:8421"\n'
    config.write_text(GOOD + other)
    with pytest.raises(RestoreError, match=r"other founders, n2, which would found an empty cluster"):
        restore(backup, config, WISHES)
    assert not (tmp_path / "data").exists()
    config.write_text(GOOD.replace('"c1"', '"story"') + other)  # a uid that nobody has
    assert restore(backup, config, WISHES)["rewritten"]


def test_nothing_is_restored_over_something(backup: Path, config: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "state").mkdir()
    with pytest.raises(RestoreError, match=r"data: not empty \(state\)"):
        restore(backup, config, WISHES)
    assert [entry.name for entry in data.iterdir()] == ["state"]


@pytest.mark.parametrize(
    ("number", "says"), [(1, None), (2, None), (0, "take a higher one"), (-1, "take a higher one")]
)
def test_the_number_may_be_higher_but_never_lower(
    backup: Path, config: Path, tmp_path: Path, number: int, says: str | None
) -> None:
    wishes = Wishes("restore", 1_000, catchup=False, number=number)
    if says is None:
        restore(backup, config, wishes)
        assert state_in(tmp_path / "data").idx // SPAN == number
        return
    with pytest.raises(RestoreError, match=says):
        restore(backup, config, wishes)
    assert not list(tmp_path.glob("data*"))


def test_a_damaged_backup_changes_nothing(backup: Path, config: Path, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for damaged, says in ((whole[:-1], "at byte"), (bytes(flipped), "SHA-256"), (b"other", "no SQLite file")):
        backup.write_bytes(damaged)
        with pytest.raises(RestoreError, match=says):
            restore(backup, config, WISHES)
    assert not list(tmp_path.glob("data*"))


def test_a_backup_without_its_checksum_needs_a_word(backup: Path) -> None:
    backup.with_name("backup.db.sha256").unlink()
    with pytest.raises(BackupError, match="--no-checksum"):
        verify(backup)
    assert verify(backup, unsummed=True).cluster == "story"
    backup.with_name("backup.db.sha256").write_text("nonsense\n")
    with pytest.raises(BackupError, match="no line of sha256sum"):
        verify(backup)


def test_a_checksum_that_is_given_counts_before_the_one_beside_it(backup: Path) -> None:
    digest = hashlib.sha256(backup.read_bytes()).hexdigest()
    assert verify(backup, sha256=digest).cluster == "story"
    with pytest.raises(BackupError, match="SHA-256 is"):
        verify(backup, sha256="0" * 64)


def test_the_new_node_is_nobody_that_was_there_before_and_alone(
    backup: Path, config: Path, tmp_path: Path
) -> None:
    uids = []
    for kind in ("restore", "recover"):
        wishes = Wishes(kind, 1_000, catchup=False, number=None)
        restore(backup, config, wishes) if kind == "restore" else recover(config, wishes)
        uids.append(json.loads((tmp_path / "data" / "identity.json").read_text())["uid"])
        membership, _ = unpack_members(state_in(tmp_path / "data").members)
        assert [(m.name, m.uid, m.voter) for m in membership.members] == [("n1", uids[-1], True)]
    assert uids[0] != uids[1]


def test_the_configuration_changes_last(
    backup: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the node of the directory is not that of the configuration, and does not start."""
    config.write_text(GOOD.replace('"c1"', '"story"'))
    before, replace = config.read_text(), os.replace

    def fail(source: Path, target: Path) -> None:
        if Path(target) == tmp_path / "data":
            raise OSError("the disk went away")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(RestoreError, match=r"the disk went away: what was made is in .*data\.restoring"):
        restore(backup, config, WISHES)
    assert config.read_text() == before
    monkeypatch.undo()
    facts = restore(backup, config, WISHES)  # what the first left is no obstacle
    assert load_config(config, {}).cluster == facts["cluster"]


def test_a_uid_that_cannot_be_written_is_asked_for_before_anything_is_made(
    backup: Path, config: Path, tmp_path: Path
) -> None:
    config.write_text(GOOD.replace('cluster = "c1"', 'cluster = """story"""'))
    with pytest.raises(RestoreError, match='the line cluster = "story" was not found as such'):
        restore(backup, config, WISHES)
    assert not list(tmp_path.glob("data*"))


def test_only_the_line_of_the_clusters_own_uid_is_rewritten(
    backup: Path, config: Path, tmp_path: Path
) -> None:
    config.write_text(GOOD.replace('"c1"', '"story"').replace("[node]", '# cluster = "story", once\n[node]'))
    facts = restore(backup, config, WISHES)
    assert facts["rewritten"]
    assert '# cluster = "story", once' in config.read_text()


def test_recover_and_its_survey_refuse_a_directory_of_another_node_or_one_that_runs(
    backup: Path, config: Path, tmp_path: Path
) -> None:
    restore(backup, config, WISHES)
    assert survey(config)["others"] == []
    held = lock_data(tmp_path / "data")
    with pytest.raises(RestoreError, match="works on a node that is stopped"):
        survey(config)
    os.close(held)
    config.write_text(GOOD.replace('"c1"', '"another"'))
    with pytest.raises(RestoreError, match="belongs to node 'n1' of cluster c1"):
        recover(config, Wishes("recover", 1_000, catchup=False, number=None))
    assert not list(tmp_path.glob("data.*"))


def test_what_is_restored_is_on_disk_before_it_takes_its_place(
    backup: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    restore(backup, config, WISHES)
    made = tmp_path / "data.restoring"
    assert str(made / "state" / "1" / "state.db") in synced
    assert synced.index(str(made / "state" / "1")) < synced.index(str(tmp_path))


def test_recover_keeps_the_old_directory_and_works_on_a_stopped_node_alone(
    backup: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wishes = Wishes("recover", 1_000, catchup=False, number=None)
    with pytest.raises(RestoreError, match="no node ever ran here"):
        recover(config, wishes)
    restore(backup, config, WISHES)
    data = tmp_path / "data"
    held = lock_data(data)
    with pytest.raises(RestoreError, match="works on a node that is stopped"):
        recover(config, wishes)
    os.close(held)
    before = state_in(data)
    begun: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", begun.append)
    facts = recover(config, wishes)
    assert not begun, "it may still have the file open that is opened alone next"
    state = state_in(data)
    assert (state.restores, state.idx) == (2, before.idx + SPAN)
    assert state.cluster == load_config(config, {}).cluster != "c1"
    assert state_in(Path(str(facts["kept"]))) == before


def test_recover_makes_no_cluster_of_a_damaged_state(backup: Path, config: Path, tmp_path: Path) -> None:
    restore(backup, config, WISHES)
    state = next((tmp_path / "data" / "state").glob("*/state.db"))
    for page in pages_of(state, INDEX_LEAF):
        flip(state, page * PAGE_BYTES, 7)

    with pytest.raises(RestoreError, match=r"damaged.*another survivor, or restore a backup"):
        recover(config, Wishes("recover", 1_000, catchup=False, number=None))


def test_recover_applies_what_the_log_holds_behind_the_state(
    backup: Path, config: Path, tmp_path: Path
) -> None:
    restore(backup, config, WISHES)
    data = tmp_path / "data"
    before = state_in(data)
    journal = Journal(FileDisk(data / "log"))
    for number, name in enumerate(("first", "second"), 1):
        put = PutJobs((prepare(parse_job(job(name)), START_MS),), START_MS)
        frame = codec.encode_frame(codec.Frame("front", number, number, (codec.encode_command(put),)))
        entry = bytes([raft.REGULAR]) + pack_entry(START_MS, [frame])
        journal.append(entry, before.raft_index + number, before.raft_term + 1)
    journal.sync()
    journal.close()

    facts = recover(config, Wishes("recover", 1_000, catchup=False, number=None))
    assert facts["replayed"] == 2
    assert state_in(data).idx == before.idx + 2 + SPAN
    store = Store.open_reader(data / "state" / "1" / "state.db")
    assert store.rows("SELECT name FROM jobs ORDER BY name") == [("first",), ("kept",), ("second",)]
    store.close()


def test_a_data_directory_that_is_a_mount_point_is_filled_in_place(
    backup: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "lost+found").mkdir()
    inode = data.stat().st_ino
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == data)
    restore(backup, config, WISHES)
    before = state_in(data)
    facts = recover(config, Wishes("recover", 1_000, catchup=False, number=None))
    assert data.stat().st_ino == inode
    assert state_in(data).restores == 2
    assert state_in(Path(str(facts["kept"]))) == before
    assert Path(str(facts["kept"])).parent == data
    assert sorted(entry.name for entry in data.iterdir() if entry.name != "lock") == [
        "before-recover-1", "identity.json", "log", "lost+found", "started", "state"
    ]  # fmt: skip
