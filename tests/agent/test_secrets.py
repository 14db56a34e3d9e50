"""Secrets on their agent: in the work's environment or a file of its own, and nowhere else."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.spool import secret_files
from agent.spool.wire import Command, Secret
from scheduler.protocol import Claim, Grant
from tests.agent.fake_node import assign
from tests.agent.test_executors import Remote
from tests.agent.test_grants import Desk
from tests.agent.test_spooler import Spool, command

VALUE = "correct horse 7"
MULTILINE = "first of two\nsecond of two\n"


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / f"s{os.getpid()}")
    made.connect()
    made.expect("state")
    yield made
    made.socket.close()
    made.process.kill()
    made.process.wait()


def left(spool: Spool) -> list[Path]:
    """The folders of secrets that there are of this installation."""
    root = Path(secret_files._root())
    return list(root.glob(f"cronclave-secrets-{spool.data.name}-*"))


def test_they_come_in_variables_and_files_and_go_with_the_attempt(spool: Spool) -> None:
    line = (
        'test "$A" = "correct horse 7" && test "$(cat "$B")" = "$(printf "first of two\\nsecond of two")"'
        ' && stat -c %a "$B" && echo "$A" && cat "$B" && echo "$B" >&2'
    )
    spool.tell(command(1, line, secrets=(Secret("A", VALUE, False), Secret("B", MULTILINE, True))))
    end = spool.expect("exit")
    assert end[4] == 0, end
    mode, *shown, path = end[8].decode().splitlines()
    assert (mode, shown) == ("600", ["***", "***"])
    assert not Path(path).exists()
    assert left(spool) == []


def test_output_is_masked_however_slowly_it_comes(spool: Spool) -> None:
    line = 'printf "before correct"; sleep 0.05; printf " hor"; sleep 0.05; echo "se 7 after"; printf "corr"'
    spool.tell(command(1, line, secrets=(Secret("A", VALUE, False),)))
    assert spool.expect("exit")[8] == b"before *** after\ncorr"
    assert (spool.data / "output" / "0" / "1.log").read_bytes() == b"before *** after\ncorr"


def test_each_stream_is_masked_by_itself(spool: Spool) -> None:
    line = 'printf "a correct"; printf "b correct" >&2; sleep 0.1; printf " horse 7" >&2; printf " horse 7"'
    spool.tell(command(1, line, secrets=(Secret("A", VALUE, False),), looks_at_stderr=True))
    shown = spool.expect("exit")[8]
    assert (shown.count(b"*"), shown.replace(b"*", b"")) in ((6, b"a b "), (6, b"b a "))


def test_nothing_of_the_agents_files_has_one(spool: Spool) -> None:
    secrets = (Secret("A", VALUE, False), Secret("B", MULTILINE, True))
    spool.tell(command(1, 'echo "$A"; cat "$B"; exit 3', secrets=secrets))
    spool.expect("exit")
    spool.tell(command(2, "exit 0", cwd="/no/such/folder", secrets=secrets))
    assert spool.expect("exit")[6] == "start_failed"
    assert left(spool) == []
    files = [path for path in spool.data.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"spool.journal", "1.log"}
    forms = [b"correct horse", b"first of two", b"second of two", base64.b64encode(VALUE.encode())]
    assert [path for path in files for form in forms if form in path.read_bytes()] == []


def test_what_a_spooler_that_died_left_goes_with_the_next(spool: Spool) -> None:
    go = spool.data / "go"
    line = f"touch {go}; sleep 60"
    spool.tell(command(1, line, secrets=(Secret("B", MULTILINE, True),)))
    spool.expect("started")
    assert len(left(spool)) == 1
    spool.process.kill()
    spool.process.wait()
    spool.socket.close()
    spool.start()
    spool.connect()
    assert [row[5] for row in spool.expect("state")[3]] == ["gone"]
    assert left(spool) == []


def test_a_spooler_of_before_reads_a_command_without_any() -> None:
    row: list[Any] = command(1, "true")
    assert Command(*row[1:]).secrets == ()
    assert Command.of_row(command(1, "true", secrets=(Secret("A", "b", True),))[1:]).secrets == (
        Secret("A", "b", True),
    )


def test_no_words_about_one_have_its_value() -> None:
    secret = Secret("A", VALUE, False)
    grant = Grant(1, "c", 1, 1, {}, ((*secret,),))
    for thing in (secret, [secret], grant, Command.of_row(command(1, "true", secrets=(secret,))[1:])):
        assert "correct" not in f"{thing!r} {thing}"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    yield made
    await made.journal.close()


async def test_work_that_nothing_can_be_run_around_does_not_start(desk: Desk) -> None:
    desk.worker._starting._executors["remote"] = Remote(desk.worker._starting)
    desk.worker.receive(assign(1, {"kind": "remote", "lasts": False}))
    desk.worker.receive(assign(2, {"kind": "noop"}))
    await desk.until(lambda: len(desk.said) == 2)
    for claim in desk.said[:2]:
        assert isinstance(claim, Claim)
        desk.worker.receive(Grant(claim.attempt, claim.claim, 7, 7, after="true"))
    await desk.until(lambda: len(desk.ends()) == 2)
    ends = {end.attempt: end for end in desk.ends()}
    assert ends[1].detail == "the executor of remote work cannot run what its namespace wants around it"
    assert (ends[1].reason, ends[2].reason) == ("start_failed", "exit")


@pytest.mark.parametrize(
    ("secrets", "unable", "said"),
    [
        ((), "there is no secret default/A", "there is no secret default/A"),
        ((("A", VALUE, False),), "", "executor of noop work cannot keep secrets"),
    ],
)
async def test_a_task_that_cannot_be_given_its_secrets_does_not_start(
    desk: Desk, secrets: Any, unable: str, said: str
) -> None:
    desk.worker.receive(assign(1, {"kind": "noop"}))
    await desk.until(lambda: desk.said)
    assert isinstance(desk.said[0], Claim)
    desk.worker.receive(Grant(1, desk.said[0].claim, 7, 7, {}, secrets, unable))
    await desk.until(desk.ends)
    end = desk.ends()[0]
    assert (end.reason, end.started_ms) == ("start_failed", None)
    assert said in end.detail
