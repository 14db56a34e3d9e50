"""`cronclave cluster pause` and `resume`."""

from __future__ import annotations

from scheduler.words.commands import ConnectAgent
from tests.api.single_node import SingleNode
from tests.cli.conftest import Command
from tests.scheduler.story import KINDS


async def test_everything_is_paused_shown_and_resumed(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: a\nrun: 'true'\n")
    await cronclave("job", "run", "a")

    paused = await cronclave("cluster", "pause", "--reason", "the database is moved", "--until", "+2h")
    status = await cronclave("cluster", "status")
    why = await cronclave("run", "explain", "1")
    listed = await cronclave("job", "list")
    shown = await cronclave("job", "get", "a")
    resumed = await cronclave("cluster", "resume")

    assert paused.code == 0, paused.err
    assert paused.out.startswith("everything is paused until 2")
    assert "the database is moved" in status.out
    assert "everything is paused by admin: the database is moved" in why.out
    assert "unplaceable (paused)" in listed.out
    assert "everything is paused until 2" in shown.out
    assert ": the database is moved" in shown.out
    assert resumed.out == "everything is resumed\n"
    assert "the database is moved" not in (await cronclave("cluster", "status")).out


async def test_a_namespace_is_paused_and_what_else_stands_is_said(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: a\nrun: 'true'\n")
    await cronclave("cluster", "pause", "--reason", "why")

    paused = await cronclave("cluster", "pause", "-n", "default", "--reason", "their move")
    resumed = await cronclave("cluster", "resume", "-n", "default")

    assert paused.out == "namespace default is paused; what runs goes on\n"
    assert "everything is paused all the same" in resumed.err
    assert (await cronclave("cluster", "pause", "-n", "defualt", "--reason", "x")).code == 3
    assert (await cronclave("cluster", "pause")).code == 2


async def test_who_looks_at_a_run_meanwhile_reads_that_everything_is_paused(
    cronclave: Command, node: SingleNode
) -> None:
    node.apply(ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "0.1", "node-2", KINDS))
    await cronclave("job", "apply", "-", stdin="job: a\nrun: 'true'\n")
    await cronclave("cluster", "pause", "--reason", "the database is moved")

    started = await cronclave("job", "run", "a")
    shown = await cronclave("run", "show", "1")
    logs = await cronclave("run", "logs", "1")

    why = "everything is paused by admin: the database is moved"
    assert why in started.err
    assert why in shown.out
    assert "a resume of everything" in logs.err


async def test_coming_ticks_that_a_pause_takes_are_said_to_be_skipped(cronclave: Command) -> None:
    await cronclave("job", "apply", "-", stdin="job: a\nnoop: true\ntriggers: {every: 1h}\n")
    assert (await cronclave("job", "next", "a")).err == ""

    await cronclave("cluster", "pause", "--reason", "their move", "-n", "default")
    until = "2199-01-01T00:00:00Z"
    await cronclave("cluster", "pause", "--reason", "the database is moved", "--until", until)

    said = (await cronclave("job", "next", "a")).err.splitlines()
    assert sorted(said) == [
        f"everything is paused (the database is moved): these before {until} will be skipped",
        "namespace default is paused (their move): these will be skipped",
    ]
