"""Several scenarios at once: each in a process of its own, all of them gone with the one that asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.abreast import abreast
from chaos.commands import main
from chaos.programs import alive, wait_for

DEADLINE_S = 60.0
PROJECT = Path(__file__).parents[2]


def _meet(task: tuple[Path, str, str]) -> tuple[str, int]:
    """Ends once the other one has begun; gives its name and its process."""
    folder, name, other = task
    (folder / name).touch()
    wait_for((folder / other).exists, DEADLINE_S, f"{other} runs beside {name}")
    return name, os.getpid()


def test_two_run_beside_each_other_in_processes_of_their_own(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []

    found = abreast(
        _meet, [(tmp_path, "left", "right"), (tmp_path, "right", "left")], at_once=2, tell=told.append
    )

    assert [name for name, _ in found] == ["left", "right"]
    assert sorted(told) == sorted(found)
    assert len({os.getpid(), *(pid for _, pid in found)}) == 3


def _name_of(task: tuple[Path, int]) -> int:
    folder, number = task
    (folder / f"{number}-ended").touch()
    return number


def test_a_task_is_taken_up_when_there_is_room_for_it(tmp_path: Path) -> None:
    """A soak's plans never end: it looks at the time before each."""
    ended_before: list[int] = []

    def tasks() -> Iterator[tuple[Path, int]]:
        for number in range(5):
            ended_before.append(len(list(tmp_path.glob("*-ended"))))
            yield tmp_path, number

    assert abreast(_name_of, tasks(), at_once=2) == [0, 1, 2, 3, 4]
    assert all(ended >= number - 1 for number, ended in enumerate(ended_before))


def _stay(folder: Path) -> None:
    (folder / "begun").write_text(str(os.getpid()))
    wait_for(lambda: False, DEADLINE_S, "nothing: this process is to be killed")


def test_the_processes_end_with_the_one_that_asked(tmp_path: Path) -> None:
    asks = (
        "from pathlib import Path\n"
        "from chaos.abreast import abreast\n"
        "from tests.chaos.test_abreast import _stay\n"
        f"abreast(_stay, [Path({str(tmp_path)!r})], at_once=2)"
    )
    asker = subprocess.Popen([sys.executable, "-c", asks], cwd=PROJECT)
    begun = tmp_path / "begun"
    pid = int(wait_for(lambda: begun.read_text() if begun.exists() else "", DEADLINE_S, "it has begun"))
    assert alive(pid)

    asker.send_signal(signal.SIGKILL)
    asker.wait()

    wait_for(lambda: not alive(pid), DEADLINE_S, "the process is gone with its parent")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--profile", "ci", "--at-once", "7"], "--at-once 7: 1 to 6"),
        (["--profile", "ci", "--at-once", "0"], "--at-once 0: 1 to 6"),
        (["--profile", "soak", "--at-once", "2"], "only scenarios of the ci profile"),
    ],
)
def test_more_than_there_are_is_refused(
    arguments: list[str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--out", str(tmp_path / "new"), *arguments]) == 3

    assert why in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
