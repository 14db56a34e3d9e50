"""What a namespace runs before and after the work of an attempt, in a real spooler."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from agent.clock import boot_ms
from agent.exits import Exit
from agent.records import parse
from agent.spool import around
from agent.spool.around import Ended, said, told_after
from agent.spool.wire import Secret
from tests.agent.fake_node import DEADLINE_S
from tests.agent.test_spooler import Spool, command

TELL = 'echo "after $CRONCLAVE_STATE/$CRONCLAVE_EXIT_CODE/$CRONCLAVE_SIGNAL"'


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "s")
    made.connect()
    yield made
    made.socket.close()
    made.process.kill()
    made.process.wait()


def end_of(spool: Spool, line: str, **changes: Any) -> Exit:
    spool.tell(command(1, line, **changes))
    return Exit(*spool.expect("exit")[1:])


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path.name}"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("line", "changes", "reason", "code", "output"),
    [
        ("echo work", {"before": "echo before", "after": TELL}, "exit", 0, "before|work|after succeeded/0/"),
        ("exit 3", {"after": TELL}, "exit", 3, "after failed/3/"),
        ("kill -9 $$", {"after": TELL}, "exit", None, "after failed//9"),
        ("echo work", {"before": "echo a", "after": ""}, "exit", 0, "a|work"),
        ("sleep 60", {"after": TELL, "timeout_ms": 100}, "timeout", None, "after timed_out//15"),
        ("echo work", {"before": "exit 7", "after": TELL}, "before_failed", None, "after failed//"),
        ("", {"before": "sleep 60", "after": TELL, "timeout_ms": 99}, "timeout", None, "after timed_out//"),
        ("", {"before": "echo b; exit 7", "environment": {"SHELL": "/bin/true"}}, "before_failed", None, "b"),
        ("cat", {"before": "cat; echo x", "stdin": "told\n"}, "exit", 0, "x|told"),
    ],
)  # fmt: skip
def test_an_attempt_is_what_its_work_comes_to_between_the_two(
    spool: Spool, line: str, changes: dict[str, Any], reason: str, code: int | None, output: str
) -> None:
    end = end_of(spool, line, **changes)
    assert (end.reason, end.exit_code, end.tail.decode().splitlines()) == (reason, code, output.split("|"))
    assert end.output_bytes == len(end.tail)
    assert end.started_ms is not None
    assert end.started_ms <= end.finished_ms


def test_a_before_that_fails_says_so_and_what_it_came_to(spool: Spool) -> None:
    work = spool.data / "work"
    assert end_of(spool, f"touch {work}", before="exit 7").detail == "before: ended with exit code 7"
    assert not work.exists()


def test_work_that_cannot_start_behind_a_before_is_followed_by_the_after(spool: Spool) -> None:
    end = end_of(spool, "", argv=["/no/such/program"], before="true", after=TELL)
    assert (end.reason, end.exit_code, end.tail) == ("start_failed", None, b"after failed//\n")
    assert "/no/such/program" in end.detail


def test_an_after_that_fails_changes_nothing_and_is_told(spool: Spool) -> None:
    end = end_of(spool, "exit 0", after="exit 9")
    assert (end.reason, end.exit_code, end.detail) == ("exit", 0, "after: ended with exit code 9")


def test_a_cancel_ends_the_work_and_then_comes_the_after(spool: Spool) -> None:
    begun = spool.data / "begun"
    spool.tell(command(1, f"touch {begun}; sleep 60", after=TELL))
    wait_for(begun)
    spool.tell(["cancel", 1])
    end = Exit(*spool.expect("exit")[1:])
    assert (end.reason, end.tail) == ("cancelled", b"after cancelled//15\n")


def test_a_cancel_in_the_before_lets_no_work_begin(spool: Spool) -> None:
    begun, work = spool.data / "begun", spool.data / "work"
    spool.tell(command(1, f"touch {work}", before=f"touch {begun}; sleep 60 & wait", after=TELL))
    wait_for(begun)
    spool.tell(["cancel", 1])
    end = Exit(*spool.expect("exit")[1:])
    assert (end.reason, end.exit_code, end.tail) == ("cancelled", None, b"after cancelled//\n")
    assert not work.exists()


def test_an_after_that_does_not_end_is_ended_by_a_cancel_and_the_work_s_end_stands(spool: Spool) -> None:
    begun = spool.data / "begun"
    spool.tell(command(1, "exit 4", after=f"trap '' TERM; touch {begun}; sleep 60", grace_ms=100))
    wait_for(begun)
    spool.tell(["cancel", 1])
    end = Exit(*spool.expect("exit")[1:])
    assert (end.reason, end.exit_code) == ("exit", 4)
    assert end.detail == "after: killed by signal 9 (SIGKILL), since its time was over or it was cancelled"


def test_an_after_has_its_own_time_though_the_attempt_s_is_over(spool: Spool) -> None:
    end = end_of(spool, "sleep 60", after="sleep 0.3; echo late", timeout_ms=100)
    assert (end.reason, end.tail) == ("timeout", b"late\n")


@pytest.mark.parametrize("cause", ["lease", "end"])
def test_nothing_follows_once_the_lease_or_the_spooler_ends(spool: Spool, cause: str) -> None:
    begun, after = spool.data / "begun", spool.data / "after"
    line = f"trap '' TERM; touch {begun}; sleep 60"
    spool.tell(
        ["lease", boot_ms() + (1_000 if cause == "lease" else 60_000)],
        command(1, line, after=f"touch {after}", kill_on_lease_end=True, grace_ms=100),
    )
    wait_for(begun)
    if cause == "end":
        spool.tell(["end"])
    assert Exit(*spool.expect("exit")[1:]).reason == "gone"
    assert not after.exists()


def test_the_lease_ends_an_after_too(spool: Spool) -> None:
    begun = spool.data / "begun"
    spool.tell(
        ["lease", boot_ms() + 1_000],
        command(1, "exit 5", after=f"touch {begun}; sleep 60", kill_on_lease_end=True, grace_ms=100),
    )
    wait_for(begun)
    end = Exit(*spool.expect("exit")[1:])
    assert (end.reason, end.exit_code) == ("exit", 5)


def test_the_lease_waits_for_no_longer_grace_of_a_cancel(spool: Spool) -> None:
    """The leader gives the attempt to another agent by then."""
    begun = spool.data / "begun"
    line = f"trap '' TERM; touch {begun}; sleep 600"
    spool.tell(
        ["lease", boot_ms() + 1_500], command(1, line, kill_on_lease_end=True, grace_ms=3_600_000)
    )
    wait_for(begun)
    spool.tell(["cancel", 1])
    assert Exit(*spool.expect("exit")[1:]).reason == "cancelled"


def test_work_that_the_host_cannot_start_behind_a_before_ends_nobody_else_s(spool: Spool) -> None:
    go = spool.data / "go"
    wait = f"while [ ! -e {go} ]; do sleep 0.02; done"
    spool.tell(command(1, wait + "; sleep 0.1; echo other"), command(2, "cat", before=wait, stdin="told"))
    spool.expect("started")
    spool.expect("started")
    hard = resource.prlimit(spool.process.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(spool.process.pid, resource.RLIMIT_NOFILE, (3, hard))
    go.touch()
    ends = {end.attempt: end for end in (Exit(*spool.expect("exit")[1:]) for _ in range(2))}
    assert (ends[1].reason, ends[1].exit_code) == ("exit", 0)
    assert (ends[2].reason, ends[2].exit_code) == ("start_failed", None)
    assert ends[2].detail.startswith("the agent's host: ")


def test_what_is_left_of_the_before_s_group_is_gone_when_the_work_begins(spool: Spool) -> None:
    left = spool.data / "left"
    before = f"(trap '' TERM; echo $$ > {left}; exec sleep 60) & while ! test -s {left}; do :; done"
    end = end_of(spool, f"kill -0 $(cat {left}) && echo alive || echo gone", before=before)
    assert end.tail.decode().splitlines()[-1] == "gone"


def test_its_secrets_are_there_for_all_three_and_masked(spool: Spool) -> None:
    secrets = (Secret("WORD", "hush-hush", False),)
    line = 'test "$WORD" = hush-hush && echo "[$WORD]"'
    end = end_of(spool, line, before=line, after=line, secrets=secrets)
    assert b"hush" not in end.tail
    assert end.tail.count(b"[") == 3


def test_a_spooler_that_dies_in_the_after_knows_what_the_work_came_to(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s")
    spool.connect()
    begun = spool.data / "begun"
    spool.tell(command(1, "exit 6", after=f"touch {begun}; sleep 60"))
    wait_for(begun)
    rows = [msgpack.unpackb(each) for each in parse((spool.data / "spool.journal").read_bytes())[0]]
    # However early it dies: that `after` has begun may not be noted yet.
    assert [row[0] for row in rows][:4] == ["name", "about", "start", "known"]
    spool.process.send_signal(signal.SIGKILL)
    spool.process.wait()
    again = Spool(spool.data)
    again.connect()
    (end,) = again.expect("state")[3]
    assert (Exit(*end).reason, Exit(*end).exit_code) == ("exit", 6)
    again.tell(["forget", [1]], ["end"])
    assert again.process.wait(DEADLINE_S) == 0
    again.socket.close()
    spool.socket.close()


def test_no_descriptor_is_left(spool: Spool) -> None:
    def opened() -> int:
        return len(os.listdir(f"/proc/{spool.process.pid}/fd"))

    end_of(spool, "true", before="true", after="true")
    before = opened()
    for attempt in range(2, 12):
        argv = ["/no/such/program"] if attempt % 3 == 0 else ["true"]
        around_it = {"before": "exit 1" if attempt % 2 else "true", "after": "true"}
        spool.tell(command(attempt, "", argv=argv, **around_it))
        spool.expect("exit")
    assert opened() == before


def test_the_words_of_ends() -> None:
    assert said("after", Ended(50, True, 0), cut=False) == "after: killed by signal 50"
    assert told_after("", None, unmet=False)[around.STATE] == "failed"
