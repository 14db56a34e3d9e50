"""`run logs`: which attempt's output is shown, what of it is missing, and how following ends."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.instants import rfc3339
from cli import client as client_module
from cli.client import Client, path_of
from cli.target import Target
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import tasks as task_reads
from scheduler.store.tables import triggers as trigger_rows
from scheduler.words.commands import Command as Decision
from scheduler.words.commands.agents import ConnectAgent
from scheduler.words.commands.attempts import Finish, Grant
from scheduler.words.commands.runs import CancelRun, Continue
from scheduler.words.commands.tasks import Place, Wake
from scheduler.words.commands.ticks import Fire
from tests.api.single_node import ADMIN_TOKEN, SingleNode
from tests.cli.conftest import DEADLINE_S, PROJECT, Command
from tests.scheduler.story import KINDS

FIRST = b"the first attempt writes fifty-two bytes and fails.\n"
RETRY = "retry: {max: 1, first: 1ms, cap: 1ms, backoff: constant}\n"


@dataclass
class Follower:
    """`cronclave run logs …` while it runs."""

    process: asyncio.subprocess.Process
    out: bytes = b""
    err: bytes = b""
    readers: list[asyncio.Task[None]] = field(default_factory=list)

    async def shows(self, out: bytes = b"", err: bytes = b"") -> None:
        """Returns once it has shown that."""
        async with asyncio.timeout(DEADLINE_S):
            while out not in self.out or err not in self.err:
                assert self.process.returncode is None, (self.out, self.err)
                await asyncio.sleep(0.01)

    async def ends(self) -> int:
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*self.readers)
            return await self.process.wait()


STARTED: list[asyncio.subprocess.Process] = []


@pytest.fixture(autouse=True)
async def nobody_follows_on() -> AsyncIterator[None]:
    yield
    while STARTED:
        process = STARTED.pop()
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def following(command: Command, *arguments: str) -> Follower:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("CRONCLAVE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.main", "run", "logs", *arguments, cwd=command.folder,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**inherited, "PYTHONPATH": str(PROJECT), **command.environment},
    )  # fmt: skip
    STARTED.append(process)
    found = Follower(process)

    async def read(stream: asyncio.StreamReader, name: str) -> None:
        while data := await stream.read(65_536):
            setattr(found, name, getattr(found, name) + data)

    assert process.stdout is not None
    assert process.stderr is not None
    pairs = ((process.stdout, "out"), (process.stderr, "err"))
    found.readers = [asyncio.create_task(read(stream, name)) for stream, name in pairs]
    return found


def must(node: SingleNode, decision: Decision) -> dict[str, Any]:
    outcome = node.apply(decision)[0]
    assert outcome.ok, outcome
    return dict(outcome.value or {})


def away(node: SingleNode) -> int:
    """An agent on a node that nobody can ask: its output is what the state keeps."""
    hello = ConnectAgent(
        name="agent-1", installation="i", session="s", boot_id="b", zone="zone-a", pool="default",
        labels=b"{}", slots=4, version="0.1.0", node="node-2", kinds=KINDS,
    )  # fmt: skip
    return int(must(node, hello)["agent"])


async def a_run(cronclave: Command, definition: str) -> int:
    applied = await cronclave("job", "apply", "-", stdin=f"job: a\n{definition}")
    assert applied.code == 0, applied.err
    started = await cronclave("job", "run", "a")
    return int(started.out.split()[1])


def begin(node: SingleNode, run: int, agent: int, *, task: str = "main") -> int:
    """The attempt that was placed with the run, or the next one."""
    with node.read() as store:
        found = next(each for each in task_reads.of_runs(store, [run]) if each.name == task)
        tried = [each.attempt for each in attempt_reads.of_runs(store, [run])]
    placed = [each.id for each in tried if each.task == found.id]
    if found.state == "retry_wait":
        must(node, Wake(node.status().epoch, found.id, found.wake_ms or 0))
    if found.state != "active":
        placed.append(int(must(node, Place(node.status().epoch, found.id, agent))["attempt"]))
    must(node, Grant(placed[-1], agent, "s", "c"))
    return placed[-1]


def end(node: SingleNode, attempt: int, agent: int, output: bytes, *, code: int = 0, before: int = 0) -> None:
    now = node.now_ms()
    decision = Finish(
        attempt, agent, now, now + 5, code, "exit", tail=output, output_bytes=before + len(output)
    )
    must(node, decision)


async def test_following_shows_each_attempt_from_its_beginning(cronclave: Command, node: SingleNode) -> None:
    """The place in the first one's output was used in the second's: nothing of it was shown."""
    agent = away(node)
    run = await a_run(cronclave, f"run: x\n{RETRY}")
    end(node, begin(node, run, agent), agent, FIRST, code=1)
    follower = await following(cronclave, str(run), "-f")
    await follower.shows(out=FIRST)

    end(node, begin(node, run, agent), agent, b"two\nlines\n")

    assert await follower.ends() == 0
    assert (follower.out, follower.err) == (FIRST + b"two\nlines\n", b"attempt 2:\n")


async def test_an_attempt_that_leaves_a_sequence_open_hides_nothing_of_the_next(
    cronclave: Command, node: SingleNode
) -> None:
    agent = away(node)
    run = await a_run(cronclave, f"run: x\n{RETRY}")
    end(node, begin(node, run, agent), agent, b"one\x1b]0;title", code=1)
    follower = await following(cronclave, str(run), "-f", "--task", "main", "--no-raw")
    await follower.shows(out=b"one")

    end(node, begin(node, run, agent), agent, b"two")

    assert await follower.ends() == 0
    assert follower.out == b"onetwo"


async def test_following_a_run_that_waits_says_for_what_and_ends_with_it(
    cronclave: Command, node: SingleNode
) -> None:
    run = await a_run(cronclave, "run: x\n")
    follower = await following(cronclave, str(run), "-f")
    await follower.shows(err=b"waits for")

    must(node, CancelRun(run))

    assert await follower.ends() == 12
    lines = follower.err.decode().splitlines()
    assert lines[0].startswith(f"run {run} waits for an agent that can take it")
    assert lines[1:] == [f"error: run {run} cancelled"]
    assert follower.out == b""


async def test_following_says_what_its_run_stands_behind_and_then_shows_it(
    cronclave: Command, node: SingleNode
) -> None:
    agent = away(node)
    definition = "job: a\nrun: x\ntriggers: {every: 1s, id: t}\npolicies: {overlap: queue_all}\n"
    assert (await cronclave("job", "apply", "-", stdin=definition)).code == 0
    with node.read() as store:
        (trigger,) = trigger_rows.live(store, job_reads.ids(store, "default", "a")[0])
    first, epoch = trigger.next_due_ms, node.status().epoch
    assert first is not None
    before = int(must(node, Fire(epoch, trigger.id, first, first + 1_000, agent))["run"])
    run = int(must(node, Fire(epoch, trigger.id, first + 1_000, first + 2_000, agent))["run"])
    follower = await following(cronclave, str(run), "-f", "--task", "main")
    await follower.shows(err=f"run {run} waits for the end of run {before}".encode())

    end(node, begin(node, before, agent), agent, b"before\n")
    end(node, begin(node, run, agent), agent, b"after\n")

    assert await follower.ends() == 0
    assert follower.out == b"after\n"


async def test_following_a_run_that_fails_ends_with_its_code(cronclave: Command, node: SingleNode) -> None:
    agent = away(node)
    run = await a_run(cronclave, "run: x\n")
    end(node, begin(node, run, agent), agent, b"oh\n", code=3)

    followed = await cronclave("run", "logs", str(run), "-f")
    shown = await cronclave("run", "logs", str(run))

    assert (followed.code, followed.out) == (10, "oh\n")
    assert (shown.code, shown.out) == (0, "oh\n")


async def test_tasks_are_followed_in_the_order_in_which_they_begin(
    cronclave: Command, node: SingleNode
) -> None:
    agent = away(node)
    tasks = "tasks:\n  last: {run: x, needs: [first]}\n  first: {run: x}\n"
    run = await a_run(cronclave, tasks)
    follower = await following(cronclave, str(run), "-f")

    end(node, begin(node, run, agent, task="first"), agent, b"1\n")
    await follower.shows(out=b"1\n")
    end(node, begin(node, run, agent, task="last"), agent, b"2\n")

    assert await follower.ends() == 0
    assert follower.out == b"==> first <==\n1\n==> last <==\n2\n"


async def test_bytes_that_are_not_kept_are_told_and_not_left_out_in_silence(
    cronclave: Command, node: SingleNode
) -> None:
    agent = away(node)
    run = await a_run(cronclave, "run: x\n")
    end(node, begin(node, run, agent), agent, b"the end\n", before=1_000)

    shown = await cronclave("run", "logs", str(run))

    assert (shown.code, shown.out) == (0, "the end\n")
    assert shown.err == "bytes 0 to 999 of attempt 1 are not kept; its agent cannot be asked\n"


async def test_output_that_only_its_agent_has_is_told(cronclave: Command, node: SingleNode) -> None:
    agent = away(node)
    run = await a_run(cronclave, "run: x\n")
    attempt = begin(node, run, agent)
    shown = await cronclave("run", "logs", str(run))
    assert (shown.code, shown.out) == (0, "")
    assert shown.err == "what attempt 1 writes is not here: its agent is away\n"
    follower = await following(cronclave, str(run), "-f")

    end(node, attempt, agent, b"all of it\n")

    assert await follower.ends() == 0
    assert follower.out == b"all of it\n"


async def test_nothing_to_show_is_said(cronclave: Command) -> None:
    run = await a_run(cronclave, "run: x\n")
    shown = await cronclave("run", "logs", str(run))
    assert (shown.code, shown.out) == (0, "")
    assert shown.err.startswith("nothing has started: it waits for an agent that can take it")


async def test_what_keeps_a_task_of_a_group_is_told_not_that_the_group_goes_on(
    cronclave: Command, node: SingleNode
) -> None:
    """Nor that members have not ended: whoever reads it wants to know why."""
    away = "on: {pool: far}"
    many = f"many: {{run: x, {away}, fanout: {{n: 2}}, needs: [g]}}"
    for text in (
        f"tasks: {{a: {{run: x, {away}}}, {many}}}\ngroups: {{g: {{tasks: [a]}}}}\n",
        f"tasks: {{{many.replace(', needs: [g]', '')}}}\n",
    ):
        run = await a_run(cronclave, text)
        must(node, Continue(node.status().epoch, (run,)))
        shown = await cronclave("run", "show", str(run))
        assert "an agent that can take it: no connected agent has pool far" in shown.out


async def test_a_kept_connection_has_the_patience_of_each_request(
    cronclave: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had that of the first one: a request that waits longer ended with `no node answers`."""
    run = await a_run(cronclave, "run: x\n")
    monkeypatch.setattr(client_module, "REPLY_S", 3.0)
    client = Client(Target((cronclave.environment["CRONCLAVE_URL"],), ADMIN_TOKEN, "a test"), within_s=0.0)

    def ask() -> str | None:
        client.get(path_of("runs", run))
        response = client.open("GET", path_of("runs", run, "logs", follow=True, wait="5s"), wait_s=30.0)
        response.read()
        client.close()
        return response.headers["X-Cronclave-Log-Source"]

    assert await asyncio.to_thread(ask) == "none"


async def test_a_sleep_is_told_with_its_end(cronclave: Command, node: SingleNode) -> None:
    run = await a_run(cronclave, "tasks: {nap: {sleep: 1h}, after: {noop: true, needs: [nap]}}\n")
    with node.read() as store:
        until_ms = next(each.wake_ms for each in task_reads.of_runs(store, [run]) if each.name == "nap")
    assert until_ms is not None
    shown = await cronclave("run", "show", str(run))
    assert f"until {rfc3339(until_ms)}" in shown.out
    logs = await cronclave("run", "logs", str(run), "--task", "nap")
    assert "it waits for the end of its work in the state (cronclave run explain" in logs.err
    cancelled = await cronclave("run", "cancel", str(run))
    assert cancelled.out == f"run {run} cancelled\n"
