"""The spooler's journal: what it knows, and what it therefore proves."""

from __future__ import annotations

import resource
from pathlib import Path

from agent.exits import Exit
from agent.spool.journal import SpoolJournal
from agent.work.recovery import proves
from tests.agent.test_spooler import Spool, command


def opened(path: Path, boot_id: str = "boot") -> SpoolJournal:
    """As a spooler does that starts."""
    journal = SpoolJournal(path, boot_id)
    journal.compact([["exit", *end.row()] for end in journal.left.exits.values()])
    return journal


def test_its_name_is_good_for_one_boot_and_for_as_long_as_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    name = opened(path).name
    assert name
    assert opened(path).name == name
    with path.open("ab") as file:
        file.write(b"torn")
    torn = opened(path).name
    other_boot = opened(path, "another").name
    path.unlink()
    lost = opened(path, "another").name
    assert len({name, torn, other_boot, lost, ""}) == 5


def test_without_a_name_it_proves_nothing() -> None:
    assert proves("a", "a")
    assert not proves("a", "b")
    assert not proves("", "")


def test_what_was_about_to_start_may_have_started(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    journal = opened(tmp_path / "s" / "spool.journal")
    journal.note(["about", 7, "fence"], ["about", 8, "fence"], ["about", 9, "fence"], ["forget", [9]])
    journal.note_exit(Exit.unstarted(8, "start_failed", "no such file", at_ms=1))
    assert journal.commit()

    spool = Spool(tmp_path / "s")
    spool.connect()
    state = spool.expect("state")
    assert {row[0]: row[5] for row in state[3]} == {7: "gone", 8: "start_failed"}
    assert state[4] == journal.name
    spool.tell(["forget", [7, 8]], ["end"])
    spool.process.wait(20)
    spool.socket.close()


def test_nothing_starts_whose_start_cannot_be_noted(tmp_path: Path) -> None:
    """Or a spooler that died then would be followed by one that says that it never started."""
    spool = Spool(tmp_path / "s")
    spool.connect()
    spool.expect("state")
    evidence = tmp_path / "evidence"
    full, room = (spool.data / "spool.journal").stat().st_size, resource.RLIM_INFINITY
    resource.prlimit(spool.process.pid, resource.RLIMIT_FSIZE, (full, room))
    spool.tell(command(1, f"touch {evidence}"))
    end = spool.expect("exit")
    assert (end[1], end[6]) == (1, "unstarted")
    assert "disk is full" in end[7]
    assert not evidence.exists()
    resource.prlimit(spool.process.pid, resource.RLIMIT_FSIZE, (room, room))
    spool.tell(command(2, f"touch {evidence}"))
    assert spool.expect("exit")[1] == 2
    assert evidence.exists()
    spool.tell(["forget", [1, 2]], ["end"])
    spool.process.wait(20)
    spool.socket.close()
