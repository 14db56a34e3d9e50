"""An agent whose cluster was restored: what it tells, whom it follows, what it drops."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from agent.history import FILE_BYTES, History, RanRow, Work
from agent.recount import pages
from scheduler.protocol import Claim, Ping, Ran, Recount, decode, encode
from scheduler.words.commands import RanAttempt
from tests.agent.fake_node import FakeNode, shell
from tests.agent.host import Host, until

TICK_MS = 1_800_000_000_000


def follower(old: FakeNode, node: FakeNode) -> FakeNode:
    """The cluster that was restored from the old one's backup."""
    node.cluster, node.lineage, node.restores, node.recounts = "cluster-b", old.cluster, 1, True
    return node


def told(node: FakeNode) -> dict[int, RanAttempt]:
    return {row[0]: RanAttempt(*row) for page in node.all(Ran) for row in page.attempts}


async def test_it_tells_what_it_ran_and_what_runs_and_follows(
    host: Host, node: FakeNode, tmp_path: Path
) -> None:
    gate, evidence = tmp_path / "gate", tmp_path / "evidence"
    far_ms = time.time_ns() // 1_000_000 + 600_000
    host.start()
    await node.connected()
    await node.send(shell(7, "exit 3", job="ended", run=70, number=2, due_ms=5, tick_ms=TICK_MS))
    await node.finished(7)
    await node.send(
        shell(8, f"echo one >> {evidence}; until test -e {gate}; do sleep 0.05; done", job="lasting")
    )
    await node.send(shell(9, f"echo early >> {evidence}", due_ms=far_ms, job="granted"))
    await until(lambda: evidence.exists())
    host.kill()  # its history and its claims are on disk
    await node.close_sockets()

    async with FakeNode() as other:
        restored = follower(node, other)
        host.nodes = [restored.url, node.url]
        host.start()
        await restored.connected()
        attempts = told(restored)
        assert sorted(attempts) == [7, 8]  # what was granted and had not started is no more
        assert attempts[7].ended
        found = attempts[7]
        assert (found.job, found.run, found.number, found.tick_ms, found.due_ms) == (
            "ended",
            70,
            2,
            TICK_MS,
            5,
        )
        assert (found.exit_code, found.reason) == (3, "exit")
        assert (attempts[8].job, attempts[8].ended) == ("lasting", False)
        assert restored.all(Ran)[-1].running == (8,)
        gate.touch()
        assert (await restored.finished(8)).exit_code == 0

        # From now on the old cluster is refused, by this process and by the next.
        host.kill(signal.SIGTERM)
        hellos, pings = len(node.hellos), len(node.all(Ping))
        host.nodes = [node.url]
        host.start()
        await node.until(lambda: len(node.hellos) >= hellos + 2)
        assert node.hellos[-1].cluster == "cluster-b"
        assert (node.hellos[-1].restores, node.hellos[-1].told) == (1, 1)
        await until(lambda: "fenced" in host.log())
        assert len(node.all(Ping)) == pings
    assert evidence.read_text() == "one\n"


async def test_what_the_old_cluster_granted_and_had_not_started_never_starts(
    host: Host, node: FakeNode, tmp_path: Path
) -> None:
    evidence = tmp_path / "evidence"
    other = follower(node, FakeNode())
    host.nodes = [node.url, other.url]
    host.start()
    await node.connected()
    due_ms = time.time_ns() // 1_000_000 + 8_000  # it follows within a second; a grant is good for ten
    await node.send(shell(9, f"echo granted >> {evidence}", due_ms=due_ms))
    await node.until(lambda: node.all(Claim, 9))
    node.addresses = (other.url,)
    node.cluster = "cluster-z"  # nobody it would come back to
    async with other:
        await node.close_sockets()
        await other.connected()
        assert told(other) == {}
        await other.send(shell(10, f"echo new >> {evidence}", due_ms=due_ms + 200))
        await other.finished(10)
        assert not other.all(Claim, 9)
    assert evidence.read_text() == "new\n"


async def test_another_clusters_question_gets_no_answer(host: Host, node: FakeNode) -> None:
    host.start()
    await node.connected()
    host.kill(signal.SIGTERM)
    async with FakeNode() as other:
        stranger = follower(node, other)
        stranger.lineage = "another"
        host.nodes = [stranger.url]
        host.start()
        await stranger.until(lambda: len(stranger.hellos) >= 2)
        assert not stranger.all(Ran)
        assert '"cluster": "cluster-a"' in (host.data / "identity.json").read_text()


def ran(attempt: int, detail: str = "") -> RanRow:
    work = Work(1, "default", "j", "main", "", 0, 1, None, 0)
    return RanRow(attempt, *work, True, 1, attempt, 0, "exit", None, detail)


def test_what_was_run_is_told_in_the_fields_that_the_command_has() -> None:
    assert RanRow._fields == RanAttempt.__struct_fields__


def test_a_history_is_told_page_by_page_from_the_backup_on() -> None:
    asked = Recount("b", 1, "a", attempt_floor=1_000, since_ms=50, page=0)
    rows = [ran(n) for n in range(1, 2_000)]
    found = pages(rows, [5], asked)
    assert [page.page for page in found] == list(range(len(found)))
    assert [page.more for page in found] == [True] * (len(found) - 1) + [False]
    assert [row[0] for page in found for row in page.attempts] == list(range(50, 2_000))
    assert found[-1].running == (5,)
    assert decode(encode([found[-1]])) == [found[-1]]
    assert [page.more for page in pages([], [], asked)] == [False]


def test_a_history_is_bounded_and_survives(tmp_path: Path) -> None:
    history = History(tmp_path)
    row = ran(1, "x" * 100_000)
    for _ in range(3 * FILE_BYTES // 100_000):
        history.add(row)
        history.write(history.take())
    history.add(ran(2, "last"))
    history.write(history.take())
    history.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2.1 * FILE_BYTES
    again = History(tmp_path)
    assert again.read()[-1] == ran(2, "last")
    again.close()
