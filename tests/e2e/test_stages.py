"""Leaders die in each phase of a staged apply: all of it counts afterwards or none, and no tick is lost."""

from __future__ import annotations

import shlex
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, NamedTuple

import pytest

from bench.client import Client
from bench.cluster import Cluster, Node, wait_for
from bench.evidence import Every
from bench.jobs import every_second
from tests.e2e.cluster import DEADLINE_S, NewCluster, delete_jobs, judge_file, knob, verified, wait_lines

pytestmark = pytest.mark.cluster

OBJECTS = knob("OBJECTS", 200)
JOBS = 4
SLICES = 4
TRIES_MAX = 10  #: a leader that died a moment too soon or too late is lost once more
SMALL_STEPS = "tests.small_steps.node"


class Seen(NamedTuple):
    """A stage as the state of one node has it."""

    state: str
    items: int
    left: int

    @property
    def is_over(self) -> bool:
        return not self.left

    def is_in_the_middle_of(self, state: str) -> bool:
        return self.state == state and 0.1 * self.items < self.left < 0.9 * self.items


def look(node: Node, stage: str) -> Seen | None:
    """Into its file."""
    (file,) = (node.data / "state").rglob("state.db")
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as store:
        row = store.execute("SELECT state, items, left_items FROM stages WHERE name = ?", (stage,)).fetchone()
    return None if row is None else Seen(*row)


class Inventory:
    """Vars and jobs that all say of which generation they are, each generation a staged apply."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.generation, self._stages = cluster, 0, 0
        self.ticks, self.pairs = cluster.root / "ticks.txt", cluster.root / "pairs.txt"
        self.oracles = [Every(f"reads-{number}", 1_000, number * 200) for number in range(JOBS)]

    def client(self) -> Client:
        """Of a thread's own."""
        return Client(self.cluster.client.urls, self.cluster.token)

    def next_stage(self) -> str:
        self._stages += 1
        return f"stage-{self._stages}"

    def slices(self, generation: int) -> Iterator[list[dict[str, Any]]]:
        """The vars that each run reads have the first turn and the last of all vars."""
        names = ["first", *(f"filler-{number:04}" for number in range(OBJECTS)), "last"]
        found = [{"vars": name, "values": {name.replace("-", "_"): generation}} for name in names]
        work = (
            f'echo "$CRONCLAVE_JOB $CRONCLAVE_TICK" >> {shlex.quote(str(self.ticks))}\n'
            f'echo "$CRONCLAVE_VAR_FIRST $CRONCLAVE_VAR_LAST" >> {shlex.quote(str(self.pairs))}'
        )
        for oracle in self.oracles:
            job, _ = every_second(oracle.job, {"run": work}, offset_ms=oracle.offset_ms)
            found.append({**job, "vars": ["first", "last"], "description": str(generation)})
        each = -(-len(found) // SLICES)
        return (found[start : start + each] for start in range(0, len(found), each))

    def lay(self, stage: str, *, at_slice: Callable[[int], object] = lambda number: None) -> None:
        """The next generation; a slice whose answer is lost is sent again. `at_slice`: before each."""
        with closing(self.client()) as client:
            for number, documents in enumerate(self.slices(self.generation + 1)):
                at_slice(number)
                path = f"/v1/apply?stage={stage}&slice={number}"
                client.ask("POST", path, {"objects": documents}, deadline_s=DEADLINE_S)

    def commit(self, stage: str) -> None:
        """Until it is done, whoever leads: the word may be sent again."""
        path = f"/v1/apply?stage={stage}&commit=true&slices={SLICES}"
        with closing(self.client()) as client:
            wait_for(
                lambda: client.ask("POST", path, deadline_s=DEADLINE_S).json()["state"] == "done",
                DEADLINE_S, f"{stage} is done",
            )  # fmt: skip
        self.generation += 1

    def generations(self) -> set[int]:
        """Of all that is there."""
        client = self.cluster.client
        found = {value for each in client.items("/v1/vars") for value in each["values"].values()}
        return found | {int(job["description"]) for job in client.items("/v1/jobs")}


def lose_leader(cluster: Cluster) -> None:
    cluster.leader().kill()


def die_between_slices(inventory: Inventory) -> bool:
    cluster, stage = inventory.cluster, inventory.next_stage()
    inventory.lay(stage, at_slice=lambda number: lose_leader(cluster) if number == 2 else None)
    assert {row.state for node in cluster.nodes if (row := look(node, stage))} == {"open"}
    assert inventory.generations() == {inventory.generation}, "what is only laid down counts"
    inventory.commit(stage)
    return True


def die_at_the_word(inventory: Inventory) -> bool:
    stage = inventory.next_stage()
    inventory.lay(stage)
    with ThreadPoolExecutor(1) as thread:
        committed = thread.submit(inventory.commit, stage)
        lose_leader(inventory.cluster)
        committed.result()
    return True


def die_while(state: str, inventory: Inventory, ends: Callable[[str], None]) -> bool:
    """Whether the leader died in the middle of it. `ends` tells the stage what leads there."""
    cluster, stage = inventory.cluster, inventory.next_stage()
    inventory.lay(stage)
    leader = cluster.leader()

    def seen() -> bool:
        row = look(leader, stage)
        return row is not None and (row.is_in_the_middle_of(state) or row.is_over)

    with ThreadPoolExecutor(1) as thread:
        ended = thread.submit(ends, stage)
        wait_for(seen, DEADLINE_S, f"{stage} is {state}", 0.002)
        leader.kill()
        # The next leader does not lead yet: by what the others know it goes on where they are.
        rows = [look(node, stage) for node in cluster.nodes if node is not leader]
        ended.result()
    return all(row is not None and row.is_in_the_middle_of(state) for row in rows)


def test_a_leader_that_dies_in_any_phase_of_a_staged_apply_leaves_all_of_it_or_none(
    new_cluster: NewCluster,
) -> None:
    cluster = new_cluster(slots=100)
    for node in cluster.nodes:
        node.launcher = SMALL_STEPS
    cluster.start()
    began_ms = int(time.time() * 1000)
    inventory = Inventory(cluster)
    stage = inventory.next_stage()
    inventory.lay(stage)
    inventory.commit(stage)
    from_ms = int(time.time() * 1000) + 1_000
    wait_lines(inventory.ticks, 2 * JOBS)

    def drop(stage: str) -> None:
        with closing(inventory.client()) as client:
            client.ask("DELETE", f"/v1/apply?stage={stage}")

    def survive(phase: str, died: Callable[[], bool]) -> None:
        """Until a leader died in this phase: each time all or none, on every node."""
        for number in range(1, TRIES_MAX + 1):
            was = died()
            cluster.start()
            assert inventory.generations() == {inventory.generation}, phase
            if was:
                print(f"{phase}: at try {number}")
                return
        raise AssertionError(f"no leader died in the phase {phase!r}")

    survive("open", lambda: die_between_slices(inventory))
    survive("commit", lambda: die_at_the_word(inventory))
    survive("checking", lambda: die_while("checking", inventory, inventory.commit))
    survive("switching", lambda: die_while("switching", inventory, inventory.commit))
    survive("dropped", lambda: die_while("dropped", inventory, drop))

    judgement = judge_file(
        inventory.oracles, inventory.ticks, from_ms=from_ms, until_ms=int(time.time() * 1000)
    )
    assert judgement.clean, judgement
    mixed = [line for line in inventory.pairs.read_text().splitlines() if len(set(line.split())) != 1]
    assert not mixed, "runs read values of two generations"
    found = verified(cluster, began_ms, int(time.time() * 1000))
    assert found["problem_count"] == 0, found
    delete_jobs(cluster, inventory.oracles)
    heads = cluster.equal_heads()
    assert len({(state, head) for _, state, head in heads.values()}) == 1, heads
