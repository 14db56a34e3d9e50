"""`ssh` work, from the executor on, against real servers: what is told of its end is what became of it.

| what servers and the library do | held by |
| --- | --- |
| a link that dies gives no exit code: lost | `a_link_that_dies`, `what_held_the_link_dies` |
| signals are dropped: a second session ends it, and looks | `ended_is_ended_there`, `a_timeout_ends` |
| no environment by the protocol, none in a process list | `finds_its_variables`, `no_process_there` |
| bytes, standard input empty unless given | `output_is_bytes`, `finds_its_variables` |
| ten log in at once, others are dropped at random | `no_more_than_ten` |
| a peer that says nothing is no end either | `says_nothing_is_given_up` |
| a host's key is known, or nothing is begun | `what_never_began`, `another_key` |
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.executors import command
from agent.executors.command import CommandExecutor
from agent.executors.suite import Bench, Sample, hold, launch
from agent.exits import LINK_DIED, Exit
from agent.spool.wire import Secret
from agent.ssh import __main__ as program
from agent.ssh import session, there, turns
from agent.ssh.session import Remote, Unbegun, Unseen, code_of
from scheduler.model import remote as model
from scheduler.model import request
from scheduler.model.work import ssh as kind
from tests.agent.fake_node import DEADLINE_S
from tests.agent.host import alive, noted_pids
from tests.agent.ssh_server import SERVERS, SSHD, Keys, Served, serving

HAS = [which for which in SERVERS if which != "openssh" or SSHD]


@pytest.fixture(params=HAS)
async def served(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(request.param, tmp_path / "sshd") as made:
        yield made


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with Bench(tmp_path / "spool").at_work() as made:
        yield made


def begin(bench: Bench, served: Served, run: str, **others: Any) -> CommandExecutor:
    """`others`: of the attempt, its launch (told, kept, secrets), its work, and what that asks."""
    executor = CommandExecutor(bench)
    asked = served.asked(run, **others.pop("asked", {}))
    work = {"remote": asked, **others.pop("work", {})}
    made = launch(Sample("ssh", CommandExecutor, {}), 1, work)
    told = {"CRONCLAVE_JOB": "job", **work.get("env", {}), **others.pop("told", {})}
    environment = {**made.environment, **told}
    secrets = (Secret("KEY", served.keys.private, False), *others.pop("secrets", ()))
    kept = others.pop("kept", 1_000)
    whole = replace(made, environment=environment, secrets=secrets, output_bytes_max=kept)
    executor.launch([replace(whole, assign=replace(made.assign, **others))])
    return executor


async def end_of(bench: Bench) -> Exit:
    return (await bench.ended(1))[0]


async def test_it_passes_the_contract(served: Served, tmp_path: Path) -> None:
    class Known(CommandExecutor):
        def launch(self, launches: Any) -> None:
            key = (Secret("KEY", served.keys.private, False),)
            super().launch([replace(each, secrets=key) for each in launches])

    good, lasting = ({"remote": served.asked(run)} for run in ("true", "sleep 60"))
    await hold(Sample("ssh", Known, good, lasting, {"remote": "db1"}), tmp_path / "hold")


async def test_it_finds_its_variables_its_folder_and_its_input(served: Served, bench: Bench) -> None:
    odd = "it's\n\"$(id)\" `x` \\ ü "
    begin(
        bench, served,
        'pwd; cat; printf "%s|" "$ODD" "$CRONCLAVE_JOB" "$TOKEN" "${KEY-none}" "$HERE"; exit 3',
        work={"cwd": "/usr/share", "stdin": "one\ntwo\n", "env": {"ODD": odd}},
        told={"HERE": "not for there"}, secrets=(Secret("TOKEN", "s3cret", False),),
    )  # fmt: skip

    end = await end_of(bench)

    assert (end.exit_code, end.reason) == (3, "exit")
    assert end.tail.decode() == f"/usr/share\none\ntwo\n{odd}|job|***|none||"


async def test_no_process_there_shows_a_variable(served: Served, bench: Bench, tmp_path: Path) -> None:
    seen, value = tmp_path / "seen", "4f1c" + "9e70"
    begin(bench, served, f"ps -eo args >{seen}", work={"env": {"SHOWN": value}})

    end = await end_of(bench)

    assert end.exit_code == 0
    assert "ps -eo args" in seen.read_text()
    assert value not in seen.read_text()


async def test_output_is_bytes_and_errors_are_errors(served: Served, bench: Bench) -> None:
    begin(bench, served, "head -c 300000 /dev/zero; printf '\\377\\0'; echo bad >&2", work={"stderr": "warn"},
          kept=1 << 20)  # fmt: skip

    end = await end_of(bench)

    assert (end.exit_code, end.wrote_stderr, end.output_bytes) == (0, True, 300_006)


@pytest.mark.parametrize("how", ["cancel", "at once"])
async def test_what_is_ended_is_ended_there(served: Served, bench: Bench, tmp_path: Path, how: str) -> None:
    """All of its group, also what does not heed SIGTERM."""
    pids = tmp_path / "pids"
    deaf = f"(trap '' TERM; while :; do sleep 0.1; done) & echo $! >>{pids}"
    line = f"trap 'echo asked' TERM; {deaf}; echo $$ >>{pids}; while :; do sleep 0.1; done"
    executor = begin(bench, served, line, grace_ms=300)
    noted = await noted_pids(pids, 2)
    if how == "cancel":
        executor.cancel(1)
    elif how == "at once":
        bench.cancel_spooled(1, at_once=True)

    end = await end_of(bench)

    assert end.reason == "cancelled"
    assert not [pid for pid in noted if alive(pid)]
    assert (b"asked" in end.tail) is (how != "at once")


async def test_a_timeout_ends_it_there(bench: Bench, tmp_path: Path) -> None:
    async with serving("asyncssh", tmp_path) as served:
        pids = tmp_path / "pids"
        begin(bench, served, f"echo $$ >{pids}; sleep 600", grace_ms=300, timeout_ms=8_000)
        noted = await noted_pids(pids)

        end = await end_of(bench)

    assert end.reason == "timeout"
    assert not [pid for pid in noted if alive(pid)]


async def test_a_link_that_dies_is_no_end(served: Served, bench: Bench, tmp_path: Path) -> None:
    """returncode None: lost, whatever became of the work."""
    pids = tmp_path / "pids"
    begin(bench, served, f"echo $$ $PPID >{pids}.all; echo $PPID >{pids}; sleep 60")
    (parent,) = await noted_pids(pids)
    if not served.connections:
        os.kill(parent, signal.SIGKILL)
    for connection in served.connections:
        connection.abort()

    end = await end_of(bench)

    assert (end.reason, end.exit_code, end.signal) == ("gone", None, None)
    assert end.detail == LINK_DIED
    assert b"the connection broke off: how it ended there is not known" in end.tail


async def test_a_peer_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As one whose host has lost its power: no packet says that it is gone."""
    monkeypatch.setattr(session, "SILENT_S", 0.3)  # it is 15 s, three times
    async with serving("openssh", tmp_path) as served:
        pids = tmp_path / "pids"
        asked = served.asked(f"echo $PPID >{pids}; exec sleep 600", send=[], grace_ms=1_000)
        running = asyncio.create_task(Remote(program.asked_of(asked, {"KEY": served.keys.private})).run())
        (server,) = await noted_pids(pids)
        os.kill(server, signal.SIGSTOP)
        try:
            async with asyncio.timeout(DEADLINE_S):
                with pytest.raises(Unseen, match="the connection broke off"):
                    await running
        finally:
            for pid in (*children(server), server):
                os.kill(pid, signal.SIGKILL)


if SSHD is None:  # the other server is this process, which cannot be stopped; .ci/run says what is left out
    del test_a_peer_that_says_nothing_is_given_up


async def test_what_held_the_link_dies(served: Served, bench: Bench, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    begin(bench, served, f"echo $$ >{pids}; sleep 60")
    (there_pid,) = await noted_pids(pids)
    for pid in of_module("agent.ssh", bench.folder):
        os.kill(pid, signal.SIGKILL)

    end = await end_of(bench)

    assert (end.reason, end.detail) == ("gone", LINK_DIED)
    if alive(there_pid):
        os.killpg(there_pid, signal.SIGKILL)


async def test_a_signal_there_is_told_as_a_shell_does(served: Served, bench: Bench) -> None:
    begin(bench, served, "kill -KILL $$")

    end = await end_of(bench)

    assert (end.exit_code, end.reason) == (137, "exit")
    assert b"ended by signal KILL" in end.tail


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"known_hosts": ""}, "Host key is not trusted for host 127.0.0.1: the key of this host is not"),
        ({"key": "OTHER"}, "the user is not let in"),
        ({"port": 1}, "no connection: "),
        ({"host": "no-such-host.invalid"}, "no such host: "),
        ({"key": "CRONCLAVE_JOB"}, "No such file or directory"),
    ],
)
async def test_what_never_began_says_why(
    tmp_path: Path, bench: Bench, asked: dict[str, Any], said: str
) -> None:
    async with serving("asyncssh", tmp_path) as served:
        told = {"HOME": str(tmp_path), "OTHER": Keys().private}
        begin(bench, served, "echo it-ran", asked=asked, told=told)
        end = await end_of(bench)

    assert (end.exit_code, end.reason) == (there.UNBEGUN, "exit")
    assert said in end.tail.decode()
    assert b"it-ran" not in end.tail


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"key": "OTHER"}, "OTHER is not set"),
        ({"host": "${A}"}, "A is not set"),
        ({"host": "$${B}"}, "'${B}' is no host"),
        ({"host": "${B}"}, "'a b' is no host"),
        ({"user": "${B}"}, "'a b' is no user"),
        ({"send": ["a.b"]}, "the variable 'a.b' cannot be given to a shell"),
    ],
)
def test_what_its_variables_do_not_say_is_told(asked: dict[str, Any], said: str) -> None:
    whole = {"host": "h", "run": "x", "shell": "sh", "port": 22, "send": [], "grace_ms": 1, **asked}
    with pytest.raises(Unbegun, match=re.escape(said)):
        program.asked_of(whole, {"B": "a b", "a.b": ""})


async def test_another_key_than_the_known_one_is_refused(served: Served, bench: Bench) -> None:
    keys = served.keys
    other = served.known_hosts.replace(keys.public(keys.host), keys.public(keys.user))
    begin(bench, served, "echo it-ran", asked={"known_hosts": other})

    end = await end_of(bench)

    assert end.exit_code == there.UNBEGUN
    assert b"it-ran" not in end.tail


async def test_no_more_than_ten_connect_at_once() -> None:
    inside = most = 0

    async def connect() -> None:
        nonlocal inside, most
        async with turns.turn("host", 22):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*(connect() for _ in range(25)))
    assert (most, inside) == (turns.AT_ONCE, 0)


def test_both_sides_know_the_same() -> None:
    assert program._HOST.pattern == model._HOST.pattern
    assert program._VARIABLE.pattern == request.VARIABLE.pattern
    assert command._CREDENTIALS == kind.CREDENTIALS


# -- what PowerShell gets: no test here has a Windows


def test_what_powershell_gets_holds_nothing_of_the_job() -> None:
    opening = there.opening("powershell", "ab" * 16)
    words = base64.b64decode(opening.rpartition(" ")[2]).decode("utf-16-le")
    assert 'WriteLine("cronclave ' + "ab" * 16 + ' $PID")' in words
    assert re.findall(r"{{|}}", words) == []

    line = there.order("powershell", "Get-Date\n'x'", {"A": "ü"}, "C:\\x", has_stdin=False)
    assert line.endswith(b"\n")
    whole = json.loads(base64.b64decode(line))
    assert whole == {"environment": {"A": "ü"}, "cwd": "C:\\x", "run": "Get-Date\n'x'"}
    assert there.asking_to_end("powershell", 7) == ""
    ending = base64.b64decode(there.ending("powershell", 7).rpartition(" ")[2]).decode("utf-16-le")
    assert "taskkill /T /F /PID 7" in ending


@pytest.mark.parametrize(
    ("status", "by", "code"), [(0, "", 0), (256, "", 1), (3221225786, "", 1), (0, "X@y", 1)]
)
def test_no_odd_end_is_a_success(status: int, by: str, code: int) -> None:
    assert code_of(status, by) == code


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def of_module(name: str, folder: Path) -> list[int]:
    """Processes of this module whose output goes to a spooler under the folder: its children."""
    spooler = int((folder / "spooler.lock").read_text())
    argv = ["pgrep", "-P", str(spooler), "-f", name]
    found = subprocess.run(argv, capture_output=True, text=True, check=True)
    return [int(each) for each in found.stdout.split()]
