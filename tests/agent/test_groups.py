"""Control groups of attempts: real ones, where this machine lets its user make them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from agent.clock import boot_ms
from agent.spool import groups
from agent.spool.groups import Groups
from tests.agent.fake_node import DEADLINE_S
from tests.agent.host import alive
from tests.agent.test_spooler import Spool, command, living, marked

T = TypeVar("T")
ARE_POSSIBLE = groups.are_possible()


def has_groups(test: T) -> T | None:
    """Nothing is collected where this user may make no control groups of version 2: .ci/run says so."""
    return test if ARE_POSSIBLE else None


HOPS = """\
echo x >>"$1"
setsid env -i sh "$0" "$1" </dev/null >/dev/null 2>&1 &
"""
"""Each is a new process in a session of its own, without a variable, and has ended before one can look."""


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "s")
    made.connect()
    yield made
    if made.process.poll() is None:
        made.tell(["end"])  # in good order: no folder of a group is left
        made.process.wait(DEADLINE_S)
    made.socket.close()


def hopping(spool: Spool, *, storm: int = 1) -> tuple[str, Path]:
    """A line that starts such, and where they leave their traces."""
    script, traces = spool.data / "hops.sh", spool.data / "traces"
    script.write_text(HOPS)
    traces.touch()
    return f"for i in $(seq {storm}); do sh {script} {traces} & done; sleep 600", traces


def grown(file: Path, by: int) -> None:
    """It goes on."""
    size, until = file.stat().st_size, time.monotonic() + DEADLINE_S
    while file.stat().st_size < size + by:
        assert time.monotonic() < until
        time.sleep(0.01)


def has_ended(spool: Spool, file: Path) -> bool:
    """Whether no hop comes any more, while 150 other shells start and end."""
    size = file.stat().st_size
    for number in range(3):
        spool.tell(command(900 + number, "for i in $(seq 50); do sh -c :; done"))
        spool.expect("exit")
    return file.stat().st_size == size


@has_groups
@pytest.mark.parametrize(("ended", "storm"), [("cancel", 10), ("timeout", 1), ("lease", 1)])
def test_nothing_of_an_attempt_survives_what_ends_it(spool: Spool, ended: str, storm: int) -> None:
    line, traces = hopping(spool, storm=storm)
    timeout_ms = 1_500 if ended == "timeout" else None
    lease = ended == "lease"
    if lease:
        spool.tell(["lease", boot_ms() + 1_500])
    spool.tell(command(1, line, environment=marked(spool, 11), timeout_ms=timeout_ms, grace_ms=50,
                       kill_on_lease_end=lease))  # fmt: skip
    grown(traces, 20)
    if ended == "cancel":
        spool.tell(["cancel", 1])

    end = spool.expect("exit")

    assert end[6] == {"cancel": "cancelled", "timeout": "timeout", "lease": "gone"}[ended]
    assert has_ended(spool, traces)


@has_groups
def test_the_next_spooler_ends_what_a_dead_one_left(spool: Spool) -> None:
    line, traces = hopping(spool)
    spool.tell(command(1, line, environment=marked(spool, 11)))
    grown(traces, 20)
    spool.process.kill()
    spool.process.wait()
    spool.socket.close()

    spool.start()
    spool.connect()

    assert [(row[0], row[5]) for row in spool.expect("state")[3]] == [(1, "gone")]
    assert has_ended(spool, traces)


@has_groups
def test_what_lives_on_after_a_normal_end_is_left_and_its_group_goes_with_it(spool: Spool) -> None:
    mark = f"{6_400 + os.getpid() / 1e7:.7f}"
    spool.tell(command(1, f"setsid sleep {mark} >/dev/null 2>&1 &", environment=marked(spool, 11)))
    assert spool.expect("exit")[6] == "exit"
    (daemon,) = living(mark)
    folder = Path(Groups(groups.name_of(spool.data.name, spool.data))._root)
    assert [each.name for each in folder.iterdir() if each.is_dir()] == ["11"]

    os.kill(daemon, signal.SIGKILL)
    until = time.monotonic() + DEADLINE_S
    while alive(daemon):
        assert time.monotonic() < until
        time.sleep(0.01)
    for attempt in (2, 3):
        spool.tell(command(attempt, "true", environment=marked(spool, attempt)))
        spool.expect("exit")
    left = [each.name for each in folder.iterdir() if each.is_dir()]
    assert left == ["3"], "and the one that the spooler is in"
    spool.tell(["end"])
    spool.process.wait(DEADLINE_S)
    assert not folder.exists()


@has_groups
def test_the_spooler_is_in_no_group_that_it_kills(tmp_path: Path) -> None:
    """It steps in to start what is born there, and out before it kills."""
    own = Groups(f"test-{os.getpid()}")
    group = own.made("1")
    try:
        own.enter(group)
        child = os.posix_spawn("/bin/sleep", ["sleep", "600"], {})
        pids = Path(group, "cgroup.procs").read_text().split()
        assert {str(child), str(os.getpid())} <= set(pids)

        while not own.kill(group):
            time.sleep(0.005)

        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    finally:
        own.remove(group)
        own.close()
    assert not Path(group).exists()


def test_where_nobody_may_make_a_group_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in ("", str(tmp_path / "missing"), str(tmp_path)):  # the last is no control group
        monkeypatch.setattr(groups, "_own_folder", lambda folder=folder: folder)
        none = Groups("test")
        assert (none.are_there(), none.made("1")) == (False, "")
        none.enter("")
        none.leave()
        assert none.kill("")
        none.end(["1"])
        none.remove("")
        none.close()


@has_groups
def test_a_group_that_is_there_already_is_nobody_elses() -> None:
    own = Groups(f"test-{os.getpid()}")
    group = own.made("1")
    try:
        assert own.made("1") == ""
        assert own.made("2")
    finally:
        own.remove(os.path.join(own._root, "2"))
        own.remove(group)
        own.close()
