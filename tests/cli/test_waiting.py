"""`run wait`: its exit code for each way in which a run can end, as the documentation says it, line by
line."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from scheduler.words.commands import ConnectAgent, ExpireRun, Finish, Grant
from scheduler.words.lifecycle import RUN_ENDS
from tests.api.single_node import SingleNode
from tests.api.working import must
from tests.cli.conftest import PROJECT, Command
from tests.scheduler.story import KINDS

JOB = "job: j\nrun: ./j\nexit: {warn: [4]}\npolicies: {start_deadline: 10m}\n"
MINUTES_MS = 60_000
AGENT = ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 4, "1", "node-2", KINDS)

#: How each end is said in docs/reference/runs.md, in the command's help, and in the table of exit codes.
WORDS = {
    "succeeded": ("succeeded", "it succeeded", "done"),
    "failed": ("failed", "it failed", "what was waited for (a run, or what `run logs -f` follows) failed"),
    "timed_out": ("timed out", "it timed out", "it timed out"),
    "cancelled": ("cancelled", "it was cancelled", "it was cancelled, or skipped"),
    "lost": ("lost with its agent", "it was lost with its agent", "it was lost with its agent"),
    "expired": (
        "not started by its deadline", "it did not start by its deadline", "it did not start by its deadline",
    ),
    "": ("when it has not ended", "it has not ended within --timeout", "not within the time given"),
}  # fmt: skip

End = Callable[[Command, SingleNode, int], Awaitable[None]]


def reported(reason: str, exit_code: int | None) -> End:
    async def end(cronclave: Command, node: SingleNode, run: int) -> None:
        attempt, agent = node.store.rows("SELECT id, agent FROM attempts WHERE run = ?", (run,))[0]
        must(node, Grant(attempt, agent, "s", "c"))
        must(node, Finish(attempt, agent, node.now_ms(), node.now_ms(), exit_code, reason))

    return end


async def cancelled(cronclave: Command, node: SingleNode, run: int) -> None:
    assert (await cronclave("run", "cancel", str(run))).code == 0


async def expired(cronclave: Command, node: SingleNode, run: int) -> None:
    node.skew_ms += 11 * MINUTES_MS
    must(node, ExpireRun(node.machine.state.epoch, run))


async def nothing(cronclave: Command, node: SingleNode, run: int) -> None:
    """It goes on."""


def overridden(end: End, verdict: str) -> End:
    async def both(cronclave: Command, node: SingleNode, run: int) -> None:
        await end(cronclave, node, run)
        told = await cronclave("run", "override", str(run), "--as", verdict, "--reason", "seen by hand")
        assert told.code == 0, told.err

    return both


GOOD, BAD = reported("exit", 0), reported("exit", 1)
ENDS: dict[str, tuple[End, str, str]] = {  # how, the run's state, and what it counts as
    "succeeded": (GOOD, "succeeded", "succeeded"),
    "with a warning": (reported("exit", 4), "succeeded", "succeeded"),
    "failed": (BAD, "failed", "failed"),
    "timed out": (reported("timeout", None), "timed_out", "timed_out"),
    "lost": (reported("gone", None), "lost", "lost"),
    "cancelled": (cancelled, "cancelled", "cancelled"),
    "expired": (expired, "expired", "expired"),
    "goes on": (nothing, "pending", ""),
    "a failure that counts as a success": (overridden(BAD, "succeeded"), "failed", "succeeded"),
    "a success that counts as a failure": (overridden(GOOD, "failed"), "succeeded", "failed"),
}


def section(file: str, heading: str) -> str:
    text = (PROJECT / "docs" / "reference" / file).read_text()
    found = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return " ".join(found[1].split())


def documented(counts_as: str) -> set[int]:
    """The code of this end, as each of the three places says it."""
    in_runs, in_help, in_table = WORDS[counts_as]
    said = [
        re.search(rf"(\d+) {re.escape(in_runs)}", section("runs.md", "Waiting")),
        re.search(rf"(\d+): {re.escape(in_help)}", section("cli.md", "cronclave run wait")),
        re.search(rf"\| (\d+) \| {re.escape(in_table)} \|", section("cli.md", "Exit codes")),
    ]
    assert None not in said, said
    return {int(each[1]) for each in said if each is not None}


def test_every_end_of_a_run_is_here() -> None:
    assert {counts_as for _, _, counts_as in ENDS.values()} - {""} == set(RUN_ENDS)
    assert {state for _, state, _ in ENDS.values()} >= set(RUN_ENDS)
    codes = [documented(counts_as) for counts_as in WORDS]
    assert [len(each) for each in codes] == [1] * len(WORDS), "the three places agree"
    assert len(set().union(*codes)) == len(WORDS), "no two ends share a code"


@pytest.mark.parametrize("how", ENDS)
async def test_the_exit_code_says_how_the_run_ended(
    cronclave: Command, node: SingleNode, tmp_path: Path, how: str
) -> None:
    end, state, counts_as = ENDS[how]
    must(node, AGENT)
    assert (await cronclave("job", "apply", "-", stdin=JOB)).code == 0
    run = json.loads((await cronclave("job", "run", "j", "-o", "json")).out)["id"]
    await end(cronclave, node, run)

    patience = "1m" if counts_as else "50ms"
    waited = await cronclave("run", "wait", str(run), "--timeout", patience, "-o", "json")

    assert json.loads(waited.out)["state"] == state
    assert {waited.code} == documented(counts_as)
    assert (waited.err == "") == (waited.code == 0)
