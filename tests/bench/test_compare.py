"""Two builds beside each other: another revision runs its own code, and the table says what was found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgpack
import pytest

from bench import dkron, own
from bench.builds import UnknownRevisionError, check_out
from bench.cluster import DeadlineError, alive, process_cpu_s, processes_naming, wait_for
from bench.compare import compare, main, table
from bench.dkron import Dkron
from bench.figures import Figures, Row, Sample, UnmeasuredError, one
from bench.quota import quota

STANDIN = Path(__file__).with_name("dkron_standin.py")
AS_SOMEBODY = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose only package has the name of one of ours, with a revision `old` before its last."""
    if shutil.which("git") is None:
        pytest.skip("git is missing")
    project = tmp_path / "project"
    (project / "scheduler").mkdir(parents=True)

    def git(*arguments: str) -> None:
        subprocess.run(["git", *AS_SOMEBODY, *arguments], cwd=project, capture_output=True, check=True)

    git("init")
    for word in ("old", "new"):
        (project / "scheduler" / "__init__.py").write_text(f"WORD = {word!r}\n")
        git("add", ".")
        git("commit", "-m", word)
        git("tag", word)
    return project


def test_a_revision_runs_its_own_code_with_the_libraries_of_this_process(
    project: Path, tmp_path: Path
) -> None:
    build = check_out("old", tmp_path / "build", project)
    asked = "import scheduler, msgpack; print(scheduler.WORD, msgpack.__file__)"
    told = subprocess.run([build.python, "-c", asked], cwd="/", capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["old", msgpack.__file__]


@pytest.mark.parametrize("revision", ["no-such-revision", "--output=x", ""])
def test_an_unknown_revision_is_told(
    revision: str, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnknownRevisionError):
        check_out(revision, tmp_path / "build", project)
    assert not (project / "x").exists()
    assert main([f"--against={revision}", "--data", str(tmp_path), "idle"]) == 2
    assert "--against" in capsys.readouterr().err


class Told:
    """A contestant whose figures are known."""

    def __init__(self, name: str, *figures: Figures | Exception) -> None:
        self.name = name
        self._figures = iter(figures)

    def measure(self, benchmark: str, duration_s: float) -> Figures:
        found = next(self._figures)
        if isinstance(found, Exception):
            raise found
        return found


def test_the_table_tells_medians_and_the_range_of_the_ratios() -> None:
    ticks = [
        (Sample({"core": 2.0, "front": 2.0}), Sample({"core": 1.0, "front": 1.0})),
        (Sample({"core": 4.0, "front": 0.0}), Sample({"core": 3.0, "front": 1.0})),
        (Sample({"core": 1.0, "front": 3.0}), Sample({"core": 1.0, "front": 2.0})),
    ]
    rows = [Row("tick", "a tick"), Row("put", "nothing of it"), Row("rate", "a second", is_rate=True)]
    pairs = {"tick": ticks, "rate": [(one(0.0), one(3.0)), (one(0.0), one(1234.5))]}

    told = table(("old", "new"), rows, pairs).splitlines()[2:]

    assert told[0] == (
        "| a tick | 4 (4 to 4) | 3 (2 to 4) | × 0.75 (0.50 to 1.00) | core 2 → 1, front 2 → 1 |"
    )
    assert told[1:] == ["| a second (more is better) | 0 (0 to 0) | 619 (3 to 1,234) | - | - |"]


def test_pairs_take_turns_and_what_breaks_off_costs_its_own_pair_alone() -> None:
    first = Told("first", {"tick": one(1), "theirs": one(9)}, DeadlineError("slow"), {"tick": one(3)})
    second = Told("second", {"tick": one(2), "ours": one(9)}, {"tick": one(4)}, {"tick": one(6)})

    found, broken = compare((first, second), ["tick"], pairs=3, duration_s=0)

    assert [(a.total, b.total) for a, b in found.pop("tick")] == [(1, 2), (3, 6)]
    assert found == {}, "what one of them alone can tell is no row"
    assert broken == ["pair 2, tick: slow"]


def test_what_a_machine_cannot_show_is_said_once() -> None:
    first = Told("first", UnmeasuredError("no cgroup"))

    found, broken = compare((first, Told("second")), ["quota"], pairs=3, duration_s=0)

    assert (found, broken) == ({}, ["quota: not measured: no cgroup"])


def test_each_row_of_a_peer_is_one_of_ours() -> None:
    assert set(dkron.BENCHMARKS) <= set(own.BENCHMARKS)
    keys = [row.key for benchmark in own.BENCHMARKS.values() for row in benchmark.rows]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("peer", ["dkron", "dkron=/no/such/file", "cron=/bin/true", "="])
def test_a_peer_that_is_not_there_is_told(
    peer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"--peer={peer}", "--data", str(tmp_path), "put"]) == 2
    assert "--peer" in capsys.readouterr().err


def test_a_peer_cannot_do_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--peer=dkron=/bin/true", "--data", str(tmp_path), "idle"]) == 2
    assert "idle" in capsys.readouterr().err


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dkron:
    """What speaks as Dkron does, by the name of its program."""
    binary = tmp_path / "dkron"
    binary.write_text(f'#!/bin/bash\nexec -a dkron {sys.executable} {STANDIN} "$@"\n')
    binary.chmod(0o755)
    monkeypatch.setattr(dkron, "STAGGER_S", 0.0)
    monkeypatch.setattr(dkron, "WARM_UP_S", 0.0)
    monkeypatch.setattr(dkron, "INVENTORY", 50)
    monkeypatch.setattr(dkron, "LATE_JOBS", 3)
    return Dkron(binary, tmp_path)


def test_a_peer_is_measured_by_its_own_records(peer: Dkron) -> None:
    manual = peer.measure("manual", 0.5)
    assert set(manual) == {"manual", "manual-rate"}
    assert manual["manual"].each.keys() == {"server"}
    assert manual["manual-rate"].total > 0

    beside = peer.measure("put-beside", 0.5)
    assert set(beside) == {"put-beside", "put-beside-rate"}

    late = peer.measure("late", 3.0)
    assert [round(late[key].total, 3) for key in ("late", "late-p99")] == [250.123, 250.123]
    assert not [pid for pid in processes_naming(str(peer.binary)) if alive(pid)], "nothing of it is left"


def test_the_loss_of_a_peers_leader_is_told_from_its_own_records(
    peer: Dkron, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dkron, "LOSSES", 1)
    monkeypatch.setattr(dkron, "FAILOVER_JOBS", 2)

    monkeypatch.setattr(dkron, "NEXT_START_S", 0.5)

    with pytest.raises(DeadlineError, match="a start by the next leader"):  # of the stand-in none follows
        peer.measure("killed", 0)


def test_processes_get_a_share_of_the_cpu_where_there_are_cgroups() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        with suppress(UnmeasuredError), quota([busy.pid], 0.1 / (os.cpu_count() or 1)):
            spent_s, began_s = process_cpu_s(busy.pid), time.monotonic()
            wait_for(lambda: time.monotonic() - began_s > 2.0, 10, "two seconds")
            share = (process_cpu_s(busy.pid) - spent_s) / (time.monotonic() - began_s)
            assert share < 0.3, "a tenth of a core"
    finally:
        busy.kill()
        busy.wait()
