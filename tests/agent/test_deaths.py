"""What survives when the agent, its spooler, its node, its host or its disk dies."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from scheduler.protocol import Assign, Claim, Finished, Goodbye, Grant, Leave, Ping, Running
from tests.agent.fake_node import DEADLINE_S, FakeNode, assign, shell
from tests.agent.host import Host, alive, noted_pids, until


def waits_for(go: Path, *, then: str = "exit 5") -> str:
    return f"echo $$ >> {go}.started; while [ ! -e {go} ]; do sleep 0.02; done; {then}"


async def test_work_survives_the_death_of_its_agent(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    go = host.folder / "go"
    await node.send(shell(1, waits_for(go)), shell(2, waits_for(go, then="exit 6")))
    await node.until(lambda: node.all(Running, 1) and node.all(Running, 2))
    pids = await noted_pids(Path(f"{go}.started"), 2)
    host.kill(signal.SIGKILL)
    go.touch()
    await until(lambda: not any(alive(pid) for pid in pids))
    host.start()
    await node.connected(2)
    assert dict(node.hellos[1].held) == {1: "exited", 2: "exited"}
    assert (await node.finished(1)).exit_code == 5
    assert (await node.finished(2)).exit_code == 6
    assert len(node.all(Finished)) == 2
    host.kill(signal.SIGTERM)
    host.start()
    await node.connected(3)
    assert node.hellos[2].held == ()
    assert node.hellos[2].installation == node.hellos[0].installation
    assert node.hellos[2].session != node.hellos[0].session


async def test_an_upgrade_leaves_the_work_alone(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    go = host.folder / "go"
    await node.send(shell(1, waits_for(go)))
    await node.until(lambda: node.all(Running, 1))
    assert host.kill(signal.SIGTERM) == 0
    await node.until(lambda: node.all(Goodbye))
    host.start()
    await node.connected(2)
    assert dict(node.hellos[1].held) == {1: "running"}
    go.touch()
    assert (await node.finished(1)).exit_code == 5
    assert (host.folder / "go.started").read_text().count("\n") == 1


async def test_an_agent_that_is_told_to_end_starts_what_it_was_granted_and_claims_no_more(
    host: Host, node: FakeNode
) -> None:
    host.start()
    await node.connected()
    go = host.folder / "go"
    await node.send(shell(1, waits_for(go), due_ms=node.now_ms() + 5_000))
    await node.until(lambda: node.all(Claim, 1))
    assert host.agent is not None
    host.agent.send_signal(signal.SIGTERM)
    await until(lambda: "told to end" in host.log())
    await node.send(shell(2, "true"))
    await until(lambda: host.agent is not None and host.agent.poll() is not None)
    assert host.agent.returncode == 0
    assert node.all(Goodbye)
    host.start()
    await node.connected(2)
    assert dict(node.hellos[1].held) == {1: "running"}
    go.touch()
    assert (await node.finished(1)).exit_code == 5
    assert (host.folder / "go.started").read_text().count("\n") == 1
    assert not node.all(Claim, 2)


async def test_an_end_does_not_wait_for_a_grant_that_does_not_come(host: Host, node: FakeNode) -> None:
    node.grants = False
    host.start()
    await node.connected()
    await node.send(shell(1, "true"))
    await node.until(lambda: node.all(Claim, 1))
    assert host.kill(signal.SIGTERM) == 0
    host.start()
    await node.connected(2)
    assert dict(node.hellos[1].held) == {1: "unstarted"}


@pytest.mark.parametrize(
    ("work", "loses", "word"),
    [
        ({"kind": "shell", "run": "true"}, "", "unstarted"),
        ({"kind": "shell", "run": "true"}, "spool.journal", "gone"),
        ({"kind": "noop"}, "", "gone"),
    ],
    ids=["proved", "the spooler's journal is lost", "not the spooler's"],
)
async def test_what_was_granted_and_waits_when_all_of_its_agent_is_killed(
    host: Host, node: FakeNode, work: dict[str, str], loses: str, word: str
) -> None:
    """That it never started is told where the spooler's journal proves it, and not by more than that."""
    host.start()
    await node.connected()
    await node.send(assign(1, work, due_ms=node.now_ms() + 60_000))
    await node.until(lambda: node.all(Claim, 1))
    await node.send(assign(2, {"kind": "noop"}))
    await node.finished(2)  # behind the grant of the first
    host.kill(signal.SIGKILL)
    os.kill(host.spooler_pid, signal.SIGKILL)
    if loses:
        (host.data / loses).unlink()
    host.start()
    await node.connected(2)
    assert dict(node.hellos[1].held)[1] == word


async def test_what_had_started_is_never_told_as_unstarted(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    started = host.folder / "started"
    await node.send(shell(1, f"echo $$ >> {started}; sleep 60"))
    await noted_pids(started)
    host.kill(signal.SIGKILL)
    os.kill(host.spooler_pid, signal.SIGKILL)
    host.start()
    await node.connected(2)
    assert dict(node.hellos[1].held) == {1: "exited"}
    assert (await node.finished(1)).reason == "gone"


async def test_ends_are_said_until_they_are_acknowledged(host: Host, node: FakeNode) -> None:
    node.acknowledges = False
    host.start()
    await node.connected()
    await node.send(shell(1, "exit 7"), assign(2, {"kind": "noop"}))
    await node.until(lambda: node.all(Finished, 1) and node.all(Finished, 2))
    host.kill(signal.SIGKILL)
    host.start()
    await node.until(lambda: len(node.all(Finished, 1)) == 2 and len(node.all(Finished, 2)) == 2)
    assert node.all(Finished, 1)[0] == node.all(Finished, 1)[1]
    assert dict(node.hellos[1].held) == {1: "exited", 2: "exited"}
    node.acknowledges = True
    await node.close_sockets()
    await node.until(lambda: len(node.all(Finished, 1)) == 3)
    await node.send(assign(3, {"kind": "noop"}))
    await node.finished(3)
    await node.close_sockets()
    await node.connected(4)
    assert node.hellos[3].held == ()


async def test_a_claim_that_never_started_is_told_so_by_the_next_session(host: Host, node: FakeNode) -> None:
    node.grants = False
    host.start()
    await node.connected()
    evidence = host.folder / "evidence"
    await node.send(shell(1, f"echo x >> {evidence}"))
    await node.until(lambda: node.all(Claim, 1))
    old = node.all(Claim, 1)[0]
    host.kill(signal.SIGKILL)
    host.start()
    await node.connected(2)
    assert dict(node.hellos[1].held) == {1: "unstarted"}
    # The grant of the old session starts nothing; a new assignment does, under a new claim.
    await node.send(Grant(1, old.claim, 1, 9))
    node.grants = True
    await node.send(shell(1, f"echo x >> {evidence}"))
    assert (await node.finished(1)).exit_code == 0
    assert evidence.read_text() == "x\n"
    assert node.all(Claim, 1)[-1].claim != old.claim


async def test_a_dead_spooler_takes_its_work_with_it(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    go = host.folder / "go"
    await node.send(shell(1, waits_for(go)), shell(2, f"setsid sh -c 'echo $$ > {go}.away; sleep 60'"))
    await node.until(lambda: node.all(Running, 1) and node.all(Running, 2))
    pids = [pid for name in ("started", "away") for pid in await noted_pids(Path(f"{go}.{name}"))]
    await node.send(shell(3, "exit 3"))
    await node.finished(3)
    os.kill(host.spooler_pid, signal.SIGKILL)
    for attempt in (1, 2):
        end = await node.finished(attempt)
        assert (end.reason, end.exit_code) == ("gone", None)
        assert "spooler" in end.detail
    assert not any(alive(pid) for pid in pids)
    await node.send(shell(4, "exit 4"))
    assert (await node.finished(4)).exit_code == 4
    assert [len(node.all(Finished, attempt)) for attempt in (1, 2, 3)] == [1, 1, 1]


async def test_agent_and_spooler_die_together(host: Host, node: FakeNode) -> None:
    node.acknowledges = False
    host.start()
    await node.connected()
    go = host.folder / "go"
    await node.send(shell(1, waits_for(go)), shell(2, "exit 2"))
    await node.until(lambda: node.all(Running, 1) and node.all(Finished, 2))
    (pid,) = await noted_pids(Path(f"{go}.started"))
    host.kill(signal.SIGKILL)
    os.kill(host.spooler_pid, signal.SIGKILL)
    node.acknowledges = True
    host.start()
    assert (await node.finished(1)).reason == "gone"
    assert not alive(pid)
    assert dict(node.hellos[1].held) == {1: "exited", 2: "exited"}
    assert {end.exit_code for end in node.all(Finished, 2)} == {2}


async def test_exits_outlive_agent_and_spooler(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    go = host.folder / "go"
    await node.send(shell(1, waits_for(go)))
    await node.until(lambda: node.all(Running, 1))
    await noted_pids(Path(f"{go}.started"))
    host.kill(signal.SIGKILL)
    journal = host.data / "spool.journal"
    size = journal.stat().st_size
    go.touch()
    await until(lambda: journal.stat().st_size > size)
    os.kill(host.spooler_pid, signal.SIGKILL)
    host.start()
    end = await node.finished(1)
    assert (end.reason, end.exit_code) == ("exit", 5)


async def test_after_a_reboot_nothing_runs_and_the_ends_are_kept(host: Host, node: FakeNode) -> None:
    node.acknowledges = False
    host.start()
    await node.connected()
    go = host.folder / "go"
    await node.send(shell(1, waits_for(go)), shell(2, "exit 2"))
    await node.until(lambda: node.all(Running, 1) and node.all(Finished, 2))
    (pid,) = await noted_pids(Path(f"{go}.started"))
    host.kill(signal.SIGKILL)
    host.boot_id_file.write_text("boot-2\n")
    node.acknowledges = True
    host.start()
    end = await node.finished(1)
    assert end.reason == "gone"
    assert not alive(pid)
    assert node.hellos[1].boot_id == "boot-2"
    await node.until(lambda: len(node.all(Finished, 2)) == 2)
    assert node.all(Finished, 2)[1].exit_code == 2
    go.touch()
    await node.send(shell(3, "true"))
    assert (await node.finished(3)).exit_code == 0


async def test_the_lease_kills_what_may_be_started_elsewhere(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    go = host.folder / "go"
    await node.send(
        shell(1, waits_for(go), kill_on_lease_end=True),
        shell(2, waits_for(Path(f"{go}2")), kill_on_lease_end=False),
    )
    await node.until(lambda: node.all(Running, 1) and node.all(Running, 2))
    (doomed,) = await noted_pids(Path(f"{go}.started"))
    (spared,) = await noted_pids(Path(f"{go}2.started"))
    host.kill(signal.SIGKILL)  # nobody renews the lease of 20 s; the spooler holds it
    await until(lambda: not alive(doomed))
    assert alive(spared)
    host.start()
    end = await node.finished(1)
    assert end.reason == "gone"
    assert "lease" in end.detail
    assert dict(node.hellos[1].held)[2] == "running"
    Path(f"{go}2").touch()
    assert (await node.finished(2)).exit_code == 5


async def test_the_end_of_the_development_supervisor_ends_everything(host: Host, node: FakeNode) -> None:
    with subprocess.Popen(["sleep", "600"]) as supervisor:
        host.settings["parent_pid"] = str(supervisor.pid)
        host.start()
        await node.connected()
        go = host.folder / "go"
        await node.send(
            shell(1, waits_for(go)),
            shell(2, f"trap '' TERM; setsid sleep 600 & echo $! > {go}.away; {waits_for(go)}"),
        )
        await node.until(lambda: node.all(Running, 1) and node.all(Running, 2))
        pids = [
            *await noted_pids(Path(f"{go}.started"), 2), *await noted_pids(Path(f"{go}.away")),
        ]  # fmt: skip
        spooler = host.spooler_pid
        supervisor.kill()
        supervisor.wait()
    await until(lambda: not any(alive(pid) for pid in [*pids, spooler]))
    assert len(pids) == 3
    assert host.agent is not None
    assert host.agent.wait(DEADLINE_S) == 0


async def test_another_node_takes_over(host: Host, node: FakeNode) -> None:
    async with FakeNode() as other:
        host.nodes.append(other.url)
        host.start()
        await node.connected()
        go = host.folder / "go"
        node.acknowledges = False
        await node.send(shell(1, waits_for(go)), shell(2, "exit 2"))
        await node.until(lambda: node.all(Running, 1) and node.all(Finished, 2))
        index = node.index
        await node.send(Leave("no_quorum"))
        await other.connected()
        assert dict(other.hellos[0].held) == {1: "running", 2: "exited"}
        assert other.hellos[0].index <= index
        assert (await other.finished(2)) == node.all(Finished, 2)[0]
        go.touch()
        assert (await other.finished(1)).exit_code == 5
        assert not node.all(Finished, 1)


async def test_a_silent_node_is_left(host: Host, node: FakeNode) -> None:
    async with FakeNode() as other:
        node.addresses = (node.url, other.url)
        host.start()
        await node.connected()
        node.pongs = False
        await other.connected()
        assert len(node.hellos) == 1


async def test_a_node_of_another_cluster_is_refused(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    host.kill(signal.SIGTERM)
    async with FakeNode() as stranger:
        stranger.cluster = "cluster-b"
        host.nodes = [stranger.url]
        host.start()
        await stranger.until(lambda: len(stranger.hellos) >= 2)
        assert not stranger.all(Ping)
        assert stranger.hellos[0].cluster == "cluster-a"
        await until(lambda: "cluster-b" in host.log())
        stranger.restores = 1  # restored, but from another cluster's backup
        hellos = len(stranger.hellos)
        await stranger.until(lambda: len(stranger.hellos) >= hellos + 2)
        assert not stranger.all(Ping)
        stranger.lineage = "cluster-a"  # from a backup of its own: a new uid, a higher number
        await stranger.connected()
        assert "cluster-b" in (host.data / "identity.json").read_text()


async def test_a_fenced_agent_ends(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    await node.send(Leave("fenced"))
    assert host.agent is not None
    await until(lambda: host.agent is not None and host.agent.poll() is not None)
    assert host.agent.returncode == 3


async def test_what_a_node_said_last_is_heard_though_nothing_can_be_sent_to_it(
    host: Host, node: FakeNode
) -> None:
    host.start()
    await node.connected()
    node.grants = False
    for attempt in range(1, 41):
        await node.send(shell(attempt, "true"))  # each is answered by a claim
    await node.send(Leave("fenced"))
    await node.close_sockets()
    await until(lambda: host.agent is not None and host.agent.poll() is not None)
    assert host.agent is not None
    assert host.agent.returncode == 3


async def test_one_agent_a_data_directory(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    first = host.agent
    host.start()
    assert host.agent is not None
    assert host.agent.wait(DEADLINE_S) == 4
    host.agent = first


@pytest.fixture
def small_disk(host: Host) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    host.data.mkdir(mode=0o700)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(host.data)], check=False)
    if made.returncode:
        pytest.skip("no file system can be mounted here")
    yield host.data
    host.close()
    subprocess.run(["umount", "-l", str(host.data)], check=True)


async def test_a_full_disk_takes_no_new_work_and_loses_no_end(
    small_disk: Path, host: Host, node: FakeNode
) -> None:
    host.start()
    await node.connected()
    go = host.folder / "go"
    await node.send(shell(1, waits_for(go)), shell(2, "true"))
    await node.until(lambda: node.all(Running, 1) and node.all(Finished, 2))
    ballast = small_disk / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        block = b"x" * 4096
        try:
            while file.write(block) == len(block):
                pass
        except OSError:
            pass
    work = [assign(a, {"kind": "noop"}, job="j" * 200) for a in range(10, 410)]
    sent: list[Assign] = []

    def more_pings(than: int) -> bool:
        return len(node.all(Ping)) > than or not node.hellos[-1].slots

    # The journal's last page has room for some records; then it is full.
    while node.hellos[-1].slots:
        if work:
            sent += [work.pop() for _ in range(20)]
            await node.send(*sent[-20:])
        count = len(node.all(Ping))
        await node.until(partial(more_pings, count))
    # It registers anew, for nothing; what was sent meanwhile is pushed again, as a node does.
    await node.connected(len(node.hellos))
    await node.send(*sent, shell(3, f"touch {go}.never"))
    go.touch()
    (pid,) = await noted_pids(Path(f"{go}.started"))
    await until(lambda: not alive(pid))
    count = len(node.all(Ping))
    await node.until(lambda: len(node.all(Ping)) > count + 1)
    assert not node.all(Claim, 3)
    assert not node.all(Finished, 1)
    assert "disk full" in host.log()
    ballast.unlink()
    assert (await node.finished(1)).exit_code == 5
    await node.finished(3)
    for given in sent:
        await node.finished(given.attempt)
    await node.until(lambda: node.hellos[-1].slots > 0)


async def test_a_stopped_spooler_is_noticed_and_nothing_starts_twice(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    lines = host.folder / "lines"
    await node.send(shell(1, f"echo one >> {lines}"))
    await node.finished(1)
    spooler = host.spooler_pid
    os.kill(spooler, signal.SIGSTOP)
    # Granted before anybody could know.
    await node.send(shell(2, f"echo two >> {lines}"))
    await node.until(lambda: node.all(Claim, 2))

    await node.until(lambda: node.hellos[-1].slots == 0)
    assert "the spooler does not answer" in host.log()
    await node.connected(len(node.hellos))
    await node.send(shell(3, f"echo three >> {lines}"))
    count = len(node.all(Ping))
    await node.until(lambda: len(node.all(Ping)) > count + 1)
    assert not node.all(Claim, 3)
    assert host.spooler_pid == spooler
    assert lines.read_text().split() == ["one"]

    os.kill(spooler, signal.SIGCONT)
    await node.until(lambda: node.hellos[-1].slots > 0)
    await node.connected(len(node.hellos))
    await node.send(shell(3, f"echo three >> {lines}"))
    await node.finished(3)
    # In time or not at all: a grant is void after ten seconds.
    assert (await node.finished(2)).reason in ("exit", "gone")
    ran_two = node.all(Finished, 2)[0].reason == "exit"
    assert sorted(lines.read_text().split()) == sorted(["one", "three", *["two"] * ran_two])


async def test_what_the_lease_must_kill_dies_with_its_spooler(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    go = host.folder / "go"
    await node.send(shell(1, waits_for(go), kill_on_lease_end=True))
    await node.until(lambda: node.all(Running, 1))
    (doomed,) = await noted_pids(Path(f"{go}.started"))
    host.kill(signal.SIGKILL)
    os.kill(host.spooler_pid, signal.SIGKILL)
    await until(lambda: not alive(doomed))  # and no agent is there to see to it
    host.start()
    assert (await node.finished(1)).reason == "gone"
