"""States of the past: each is what the machine made of that very entry, whatever it is made of now."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cluster import raft
from cluster.batcher import pack_entry
from cluster.disk import FileDisk
from cluster.journal import Journal
from cluster.membership import Membership
from cluster.renewal import member_names
from cluster.restore import pack_members
from cluster.settings import Founder
from node.restore import Wishes, restore
from node.state import FILE
from node.travel import Place, Sources, TravelError, difference, main, state
from scheduler import past
from scheduler.backup import seal
from scheduler.machine import Machine
from scheduler.model.quantities import format_instant
from scheduler.store.connection import Store
from scheduler.words import commands as c
from tests.golden import log
from tests.node.test_config import GOOD, write
from tests.scheduler.story import START_MS, Story, job

MEMBERS = Membership.founded(Founder(f"node-{i}", "127.0.0.1:1") for i in range(3)).encode()
TERM = 1
MINUTE_MS = 60_000
SYNC_EVERY = 20


class Seen(NamedTuple):
    idx: int
    stamp_ms: int
    hash: str


class Node:
    """The files of one that applied these entries."""

    def __init__(self, folder: Path, entries: list[tuple[int, tuple[bytes, ...]]], cluster: str) -> None:
        self.data, self.cluster, self.seen = folder, cluster, list[Seen]()
        (folder / "state" / "1").mkdir(parents=True)
        (folder / "state" / "CURRENT").write_text("1")
        journal = Journal(FileDisk(folder / "log"), segment_bytes=4096)
        journal.reset(1, 0)
        store = Store.create_or_open(folder / "state" / "1" / FILE, cluster=cluster)
        machine = Machine(store, member_names)
        for number, (stamp_ms, frames) in enumerate(entries, 2):
            journal.append(bytes([raft.REGULAR]) + pack_entry(stamp_ms, list(frames)), number, TERM)
            if number % SYNC_EVERY == 0:
                journal.sync()
            before = (number - 1, TERM if number > 2 else 0)
            machine.apply_entry(
                applied=(number, TERM, *before, pack_members(MEMBERS, stamp_ms)),
                stamp_ms=stamp_ms, frames=frames,
            )  # fmt: skip
            found = machine.state
            self.seen.append(Seen(found.idx, found.stamp_ms, found.hash.hex()))
        # What no majority ever had, behind all that was applied.
        journal.append(bytes([raft.REGULAR]) + pack_entry(2 * START_MS, []), len(entries) + 2, TERM)
        journal.close()
        store.close()

    def backup(self, path: Path) -> Path:
        reader = Store.open_reader(self.data / "state" / "1" / FILE)
        reader.copy_to(path)
        reader.close()
        seal(path, node="node-1", version="1", made_ms=0)
        return path

    def at(self, place: str, scratch: Path, *backups: Path, data: bool = True) -> dict[str, Any]:
        scratch.mkdir(exist_ok=True)
        sources = Sources(backups, self.data if data else None, scratch)
        return state(sources, Place.read(place), "", None)

    def trimmed(self) -> None:
        journal = Journal(FileDisk(self.data / "log"), segment_bytes=4096)
        middle = journal.entries[len(journal.entries) // 2][1]
        assert journal.trim(middle, 0)
        journal.close()


def entries_of(name: str) -> list[tuple[int, tuple[bytes, ...]]]:
    found = log.read(log.FOLDER / "format-1" / f"{name}.log")
    return [(each.stamp_ms, each.frames) for each in found if isinstance(each, log.Entry)]


def of(story: Story) -> list[tuple[int, tuple[bytes, ...]]]:
    return [(stamp_ms, (frame,)) for stamp_ms, frame in story.frames]


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Node:
    return Node(tmp_path_factory.mktemp("golden") / "data", entries_of("every-command"), log.CLUSTER)


def test_each_state_of_a_golden_log_is_found_again(golden: Node, tmp_path: Path) -> None:
    """By index and by instant, from the log alone."""
    for wanted in golden.seen[:: len(golden.seen) // 3]:
        first = next(seen for seen in golden.seen if seen.idx >= wanted.idx)
        found = golden.at(f"index:{wanted.idx}", tmp_path / "scratch")
        assert (found["index"], found["state_hash"]) == (first.idx, first.hash)
        last = [seen for seen in golden.seen if seen.stamp_ms <= wanted.stamp_ms][-1]
        then = golden.at(f"time:{wanted.stamp_ms}", tmp_path / "scratch")
        assert (then["at"], then["state_hash"]) == (format_instant(last.stamp_ms), last.hash)
    assert golden.at("end:", tmp_path / "scratch")["state_hash"] == golden.seen[-1].hash


def test_what_the_node_never_applied_is_no_state(golden: Node, tmp_path: Path) -> None:
    with pytest.raises(TravelError, match=r"yet to come: it is 2027.* cronclave simulate"):
        golden.at(f"time:{3 * START_MS}", tmp_path / "a")
    with pytest.raises(TravelError, match=f"not there yet: the latest is index {golden.seen[-1].idx}"):
        golden.at(f"index:{golden.seen[-1].idx + 1}", tmp_path / "b")


def test_nothing_of_the_node_is_changed(golden: Node, tmp_path: Path) -> None:
    def files() -> dict[str, bytes]:
        return {
            str(path.relative_to(golden.data)): path.read_bytes()
            for path in sorted(golden.data.rglob("*"))
            if path.is_file() and not path.name.endswith(("-wal", "-shm"))
        }

    with max((golden.data / "log").glob("*.seg")).open("ab") as end:
        end.write(b"torn")  # the node is just writing
    before = files()
    golden.at(f"index:{golden.seen[len(golden.seen) // 2].idx}", tmp_path / "scratch")
    assert files() == before


class Told(NamedTuple):
    node: Node
    backup: Path
    early: int  #: index of the backup
    edited: int


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """A node with a backup of an earlier time: since then a job was edited, one came, one went, one ran."""
    story = Story(tmp_path / "told.db")
    story.lead()
    agent = story.connect()
    story.put(job("kept"), job("gone"), {"job": "edited", "run": "true"})
    for number in range(30):
        story.now_ms += MINUTE_MS
        story.put(job(f"filler-{number}", description="x" * 400))
    early = Node(tmp_path / "early", of(story), story.machine.state.cluster)
    backup = early.backup(tmp_path / "monday.db")
    index = story.machine.state.idx
    story.now_ms += MINUTE_MS
    story.put({"job": "edited", "run": "false"})
    edited = story.machine.state.idx
    story.now_ms += MINUTE_MS
    story.put(job("new"))
    story.tell_ok(c.DeleteJob("default", "gone", actor=c.Actor("ann")))
    story.tell_ok(c.PauseJob("default", "kept", reason="moved"))
    run = int(story.value(c.RunJob("default", "edited", b"{}", story.now_ms), "run"))
    story.plan_and_apply()
    attempt = story.attempts(run)[0].id
    story.claim(attempt)
    story.now_ms += MINUTE_MS
    story.tell_ok(c.Finish(attempt, agent, story.now_ms, story.now_ms, 1, "exit"))
    story.value(c.RunJob("default", "new", b"{}", story.now_ms), "run")
    node = Node(tmp_path / "node", of(story), story.machine.state.cluster)
    story.close()
    return Told(node, backup, index, edited)


def test_between_a_backup_and_now_each_state_is_reached_by_the_log(told: Told, tmp_path: Path) -> None:
    told.node.trimmed()
    wanted = next(seen for seen in told.node.seen if seen.idx == told.edited)
    found = told.node.at(f"index:{told.edited}", tmp_path / "a", told.backup)
    assert found["state_hash"] == wanted.hash
    assert found["by"].startswith(f"{told.backup} and the log behind it, ")
    names = {each["name"]: each for each in found["objects"]}
    assert names["edited"]["definition"]["tasks"]["main"]["run"] == "false"
    assert "new" not in names
    then = told.node.at(f"time:{wanted.stamp_ms - 1}", tmp_path / "b", told.backup)
    assert {each["name"]: each["revision"] for each in then["objects"]}["edited"] == 1


def test_what_is_out_of_reach_says_what_the_reach_is(told: Told, tmp_path: Path) -> None:
    told.node.trimmed()
    latest = told.node.seen[-1].idx
    with pytest.raises(TravelError) as refused:
        told.node.at("index:3", tmp_path / "a", told.backup)
    said = str(refused.value)
    assert said.startswith("index 3 is out of reach. What was given reaches ")
    assert f"index {told.early} at " in said
    assert f"{told.backup}), and from there to index {latest}" in said
    assert "A backup that was made before it" in said
    with pytest.raises(TravelError, match=r"2027-01-15T08:00:00Z is out of reach"):
        told.node.at(f"time:{START_MS}", tmp_path / "b", told.backup)
    with pytest.raises(TravelError, match="is out of reach"):
        told.node.at(f"index:{told.edited}", tmp_path / "c")  # the log alone begins too late
    with pytest.raises(TravelError, match="is out of reach"):
        told.node.at(f"index:{told.edited}", tmp_path / "d", told.backup, data=False)
    assert told.node.at(f"index:{told.early}", tmp_path / "e", told.backup, data=False)["index"] == told.early


def test_a_backup_of_another_cluster_leads_nowhere(told: Told, golden: Node, tmp_path: Path) -> None:
    told.node.trimmed()
    other = golden.backup(tmp_path / "other.db")
    with pytest.raises(TravelError, match="is out of reach"):
        told.node.at(f"index:{told.edited}", tmp_path / "a", other)
    (tmp_path / "b").mkdir()
    with pytest.raises(ValueError, match="two clusters"):
        difference(
            Sources([], None, tmp_path / "b"), Place("file", str(other)), Place("file", str(told.backup)), ""
        )


def test_a_log_that_does_not_lead_to_the_nodes_ledger_is_told(tmp_path: Path) -> None:
    story = Story(tmp_path / "other.db")
    story.lead()
    story.connect()
    story.put(job("kept", trigger={"every": "1m", "id": "t"}))
    story.now_ms += 5 * MINUTE_MS
    story.plan_and_apply()
    node = Node(tmp_path / "node", of(story), story.machine.state.cluster)
    story.close()
    store = Store.open_alone(node.data / "state" / "1" / FILE)
    assert store.execute("UPDATE ledger SET hash = x'00'").rowcount
    store.close()
    with pytest.raises(TravelError, match="the ledger is another than it was"):
        node.at(f"index:{node.seen[-1].idx - 1}", tmp_path / "a")


def test_what_became_between_two_states(told: Told, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    sources = Sources([], told.node.data, scratch)
    found = difference(sources, Place("file", str(told.backup)), Place("end", ""), "")
    changes = {(each["name"], each["change"]): each for each in found["objects"]}
    assert set(changes) == {
        ("edited", "changed"), ("gone", "removed"), ("kept", "changed"), ("new", "added")
    }  # fmt: skip
    text = [line for line in changes["edited", "changed"]["text"] if line[0] in "+-"]
    assert text[-2:] == ['-    run: "true"', '+    run: "false"']
    assert changes["kept", "changed"]["state"] == ["active", "paused"]
    assert [(by["actor"], by["deleted"]) for by in changes["gone", "removed"]["by"]] == [("ann", True)]
    assert [(run["job"], run["state"]) for run in found["began"]] == [
        ("edited", "failed"), ("new", "pending")
    ]  # fmt: skip
    assert [(run["job"], run["exit_code"]) for run in found["ended"]] == [("edited", 1)]
    assert [(each["change"], each["job"]) for each in found["pauses"]] == [("begun", "kept")]
    assert ("delete", "gone", "ann") in [(e["action"], e["name"], e["actor"]) for e in found["audit"]]
    assert found["counts"] == {"objects": 4, "began": 2, "ended": 1}
    with pytest.raises(ValueError, match="give the earlier one first"):
        difference(sources, Place("end", ""), Place("file", str(told.backup)), "")


def test_a_saved_state_is_a_backup_of_that_moment(told: Told, tmp_path: Path) -> None:
    """Restored, it is the cluster as it was right before the edit."""
    scratch, saved = tmp_path / "scratch", tmp_path / "before.db"
    scratch.mkdir()
    state(Sources([], told.node.data, scratch), Place("index", str(told.edited - 1)), "", saved)
    facts = restore(saved, write(tmp_path, GOOD), Wishes("restore", 1, catchup=False, number=None))
    assert facts["backup_index"] == told.edited - 1
    made = Store.open_reader(next(Path(str(facts["data"])).glob("state/*/state.db")))
    assert made.value("SELECT revision FROM jobs WHERE name = 'edited'") == 1
    made.close()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda data: shutil.rmtree(data / "state"), "no data directory of a node: there is no folder state"),
        (lambda data: shutil.rmtree(data / "log"), "there is no log"),
        (lambda data: (data / "state" / "CURRENT").write_text("x"), "no data directory of a node"),
        (lambda data: max((data / "log").glob("*.seg")).unlink(), "copy: its log cannot be read: "),
    ],
)
def test_what_is_no_data_directory_is_refused_with_words(
    golden: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    damage: Any, why: str,
) -> None:  # fmt: skip
    copy = tmp_path / "copy"
    shutil.copytree(golden.data, copy)
    damage(copy)
    monkeypatch.setattr("sys.argv", ["travel", "state", "--data", str(copy), "--at", "index:1"])
    assert main() == 1
    told = capsys.readouterr()
    assert why in told.err
    assert not told.out


def test_the_program_prints_json(
    golden: Node, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["travel", "diff", "--data", str(golden.data), "--from", "index:1"])
    assert main() == 0
    assert json.loads(capsys.readouterr().out)["to"]["index"] == golden.seen[-1].idx


def test_ticks_that_had_come_and_were_not_decided_are_pending(tmp_path: Path) -> None:
    story = Story(tmp_path / "state.db")  # with no agent: nothing starts
    story.lead()
    story.put(job("j", trigger={"every": "1h", "id": "t"}, policies={"overlap": "allow"}))
    story.tell_ok(c.ChangeTick("default", "j", "t", START_MS + 3_600_000, "hold"))
    for _ in range(2):
        story.now_ms += 3_600_000
        story.settle()

    assert past.told(story.store)["ticks"] == {"pending": 2}
    assert past.told(story.store, "web")["ticks"] == {}
