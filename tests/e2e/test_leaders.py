"""Leaders die and freeze under load: each due tick ran exactly once, and the ledger can prove it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from bench.cluster import Cluster, Node, wait_for
from bench.evidence import Every, instant, milliseconds
from bench.failover import lose_leader, lose_leaders
from bench.jobs import every_second
from bench.rows import spread
from chaos.senders import secret_of, signed
from tests.e2e.cluster import (
    DEADLINE_S,
    command_line,
    delete_jobs,
    judge_file,
    knob,
    run_of,
    start_run,
    steady_load,
    verified,
    wait_lines,
    wait_run,
)
from tests.e2e.starvation import no_election

pytestmark = pytest.mark.cluster

KILLS = knob("KILLS", 3)
STOPS = knob("STOPS", 1)
JOBS = knob("JOBS", 40)
CLOCKS_MS = 1_000  #: as far may the clock that plans be from the one that stamps
NAP_MS = 10_000  #: time enough to look, and to lose a leader


def test_no_tick_is_lost_or_doubled_when_leaders_are_killed_and_stopped(cluster: Cluster) -> None:
    began_ms = int(time.time() * 1000)

    losses = lose_leaders(cluster, kills=KILLS, stops=STOPS, noop_jobs=0, shell_jobs=JOBS)

    print(f"killed -> next start: {spread([r.started_ms for r in losses.killed], 'ms')}")
    print(f"stopped -> next start: {spread([r.started_ms for r in losses.stopped], 'ms')}")
    assert losses.problems == []
    assert losses.payload is not None
    assert losses.payload.due >= JOBS * (KILLS + STOPS)
    assert losses.payload.clean, losses.payload
    # Each new leader said how long it had not heard the one before: later than what that one decided last.
    led = cluster.client.get("/v1/overview")["leaderships"][: KILLS + STOPS]
    assert any(one["vacant_since"] > one["last_decision_before"] for one in led), led
    assert_ledger_agrees(cluster, began_ms, [Every(f"shell-{i}", 1_000) for i in range(JOBS)])


def assert_ledger_agrees(cluster: Cluster, began_ms: int, jobs: list[Every]) -> None:
    """`verify` finds nothing wrong, by API and command, and all nodes hold the same chain of hashes."""
    now_ms = int(time.time() * 1000)
    found = verified(cluster, began_ms, now_ms)
    assert found["problem_count"] == 0, found
    assert found["due"] > 0
    assert set(found["outcomes"]) <= {"ran", "pending"}, found
    told = command_line(cluster, "verify", "-o", "json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["problem_count"] == 0
    delete_jobs(cluster, jobs)
    heads = cluster.equal_heads()
    assert len({(state, head) for _, state, head in heads.values()}) == 1, heads
    assert all(set(head) != {"0"} for _, _, head in heads.values())


def test_a_dead_front_costs_no_tick_and_off_the_leader_no_election(cluster: Cluster) -> None:
    jobs, file, from_ms = steady_load(cluster)

    leader = cluster.leader()
    with no_election(cluster):
        lose_front(cluster, next(node for node in cluster.nodes if node is not leader), file)
    # On the leader it may cost the leadership, when the front takes longer than a second to come back.
    lose_front(cluster, leader, file)

    judgement = judge_file(jobs, file, from_ms=from_ms, until_ms=int(time.time() * 1000))
    assert judgement.clean, judgement


def lose_front(cluster: Cluster, node: Node, file: Path) -> None:
    """SIGKILL the front, wait for another and for some more ticks."""
    killed = node.kill_front()
    wait_for(lambda: node.pids().get("front", killed) != killed, DEADLINE_S, "another front")
    cluster.wait_ready()
    wait_lines(file, len(file.read_text().splitlines()) + 30)


def test_a_frozen_front_loses_the_leadership_and_no_tick(cluster: Cluster) -> None:
    jobs, file, from_ms = steady_load(cluster)
    frozen = cluster.leader()

    front = frozen.pids()["front"]
    os.kill(front, signal.SIGSTOP)
    try:
        cluster.leader(other_than=frozen.name)
        wait_lines(file, len(file.read_text().splitlines()) + 30)
    finally:
        os.kill(front, signal.SIGCONT)
    cluster.wait_ready()
    wait_lines(file, len(file.read_text().splitlines()) + 30)

    judgement = judge_file(jobs, file, from_ms=from_ms, until_ms=int(time.time() * 1000))
    assert judgement.clean, judgement


def test_a_leader_that_is_told_to_go_hands_over(cluster: Cluster) -> None:
    jobs, file, from_ms = steady_load(cluster)
    before = cluster.leader().name

    cluster.client.ask("POST", "/v1/cluster/transfer", {})

    assert cluster.leader(other_than=before).name != before
    wait_lines(file, len(file.read_text().splitlines()) + 30)
    judgement = judge_file(jobs, file, from_ms=from_ms, until_ms=int(time.time() * 1000))
    assert judgement.clean, judgement


def test_requests_are_answered_by_followers_while_a_leader_is_replaced(cluster: Cluster) -> None:
    cluster.client.apply([every_second("steady", {"noop": True})[0]])

    lose_leader(cluster, stop=False)

    cluster.client.ask("PUT", "/v1/jobs/after-loss", {"job": "after-loss", "noop": True})
    for number in range(len(cluster.nodes)):
        reply = cluster.client.send("GET", "/v1/jobs/after-loss", node=number)
        assert reply.status == 200, reply.body


def test_a_run_that_sleeps_survives_its_leader_ends_once_and_takes_no_slot(cluster: Cluster) -> None:
    file = cluster.root / "behind-the-sleep.txt"
    cluster.client.apply([{
        "job": "sleeper",
        "tasks": {
            "first": {"noop": True},
            "nap": {"sleep": f"{NAP_MS}ms", "needs": ["first"]},
            "last": {"run": f"echo over >> {file}", "needs": ["nap"]},
        },
    }])  # fmt: skip
    run = start_run(cluster, "sleeper")

    def sleeps() -> bool:
        """While it does, no agent has anything to do."""
        is_busy = any(agent["busy"] for agent in cluster.client.items("/v1/agents"))
        return not is_busy and bool(run_of(cluster, run)["tasks"]["nap"]["state"] == "active")

    wait_for(sleeps, DEADLINE_S, "a sleep without a slot", 0.1)
    leader = cluster.leader()
    leader.kill()
    cluster.leader(other_than=leader.name)

    ended = wait_run(cluster, run)
    nap = ended["tasks"]["nap"]
    assert (ended["state"], nap["state"], nap["attempts"]) == ("succeeded", "succeeded", [])
    assert milliseconds(nap["finished"]) - milliseconds(nap["started"]) >= NAP_MS - CLOCKS_MS
    assert [attempt["number"] for attempt in ended["tasks"]["last"]["attempts"]] == [1]
    assert file.read_text() == "over\n"
    leader.start()
    cluster.wait_ready()
    assert len({(state, head) for _, state, head in cluster.equal_heads().values()}) == 1


def test_a_pause_outlives_its_leader_and_nothing_of_it_is_made_up_for(cluster: Cluster) -> None:
    jobs, file, _ = steady_load(cluster, 5)
    leader = cluster.leader()
    until_ms = int(time.time() * 1000) + 8_000
    body = {"reason": "the database is moved", "until": instant(until_ms)}

    since = cluster.client.ask("POST", "/v1/pause", body).json()["pause"]["since"]
    waits = start_run(cluster, "steady-0")
    leader.kill()
    cluster.leader(other_than=leader.name)

    ended = wait_run(cluster, waits)  # by itself, at the end of the pause
    assert ended["state"] == "succeeded"
    assert milliseconds(ended["started"]) >= until_ms
    wait_lines(file, len(file.read_text().splitlines()) + len(jobs))  # ticks run again
    for number in range(len(jobs)):
        # What was fired before the pause was known to the planner ran; it is decided so long ahead at most.
        first_ms = milliseconds(since) + 1_000
        told = cluster.client.get(
            f"/v1/jobs/steady-{number}/ticks?from={instant(first_ms)}&to={instant(until_ms - 1)}"
        )["items"]
        assert len(told) >= 5
        assert {(tick["outcome"], tick["reason"]) for tick in told} == {("skipped", "paused")}
    found = verified(cluster, milliseconds(since), int(time.time() * 1000))
    assert found["problem_count"] == 0, found


def test_what_happens_inside_a_run_survives_its_leader_and_each_thing_once(cluster: Cluster) -> None:
    """A task waits for a run of another job while the leader dies; then come a notice, an end, a clean-up."""
    done = cluster.root / "inside.txt"
    heir = {"job": "heir", "run": f"echo heard >> {done}", "triggers": [{"notice": {"board": "inside"}}]}
    work = {"needs": ["nap"], "run": f"echo child >> {done}"}
    child = {"job": "child", "tasks": {"nap": {"sleep": "3s"}, "work": work}}
    tasks = {
        "child": {"job": {"name": "child"}},
        "tell": {"needs": ["child"], "post": {"board": "inside", "key": "plan_date"}},
        "ill": {"needs": ["tell"], "finish": "failed"},
        "tidy": {"run": f'echo "rest $CRONCLAVE_REST" >> {done}'},
    }
    parent = {"job": "parent", "tasks": tasks, "finally": ["tidy"]}
    objects = [{"board": "inside"}, heir, child, parent]
    cluster.client.ask("POST", "/v1/apply", {"objects": objects})
    run = start_run(cluster, "parent")
    wait_for(lambda: run_of(cluster, run)["tasks"]["child"]["run"], DEADLINE_S, "the child", 0.05)
    leader = cluster.leader()
    leader.kill()
    leader.start()

    ended = wait_run(cluster, run)
    assert (ended["state"], ended["reason"]) == ("failed", "finished by ill")
    below = run_of(cluster, ended["tasks"]["child"]["run"])
    assert (below["state"], below["parent"]["run"]) == ("succeeded", run)
    assert sorted(wait_lines(done, 3)) == ["child", "heard", "rest failed"]
    assert len(list(cluster.client.items("/v1/boards/inside/notices"))) == 1
    cluster.wait_ready()
    cluster.client.ask("DELETE", "/v1/jobs/parent")  # as long as it is there the other one stays


SEED = 7  #: of the secret by which deliveries are signed
DELIVERIES = 12


def deliver(cluster: Cluster, over: threading.Event) -> None:
    """Each under one id, to one node after the other, until it is taken."""
    for number in range(DELIVERIES):
        name = f"push-{number}"
        body = json.dumps({"word": name}).encode()
        urls = itertools.cycle(node.url for node in cluster.nodes)
        while not over.wait(0.1):
            with suppress(httpx2.HTTPError):
                headers = signed(SEED, name, body)
                if httpx2.post(f"{next(urls)}/v1/hooks/pushes", content=body, headers=headers).is_success:
                    break


def test_deliveries_and_edits_of_a_schedule_outlive_their_leader_and_come_once(cluster: Cluster) -> None:
    file = cluster.root / "pushed.txt"
    each = {"every": "1s", "id": "each"}
    work = f'echo "$CRONCLAVE_PARAM_WORD" >> {file}'
    words = {"word": {"type": "string", "required": True}}
    objects = [
        {"hook": "pushes", "secret": "push-key"},
        {"schedule": "beat", "triggers": [each]},
        {"job": "pushed", "run": work, "params": words, "triggers": {"webhook": "pushes", "id": "p"}},
        {"job": "beats", "noop": True, "policies": {"overlap": "allow"}, "triggers": {"schedule": "beat"}},
    ]
    cluster.client.ask("PUT", "/v1/secrets/push-key", {"value": secret_of(SEED)})
    cluster.client.ask("POST", "/v1/apply", {"objects": objects})
    from_ms = int(time.time() * 1000)
    leader, over = cluster.leader(), threading.Event()
    others = cluster.client_without(leader)
    sender = threading.Thread(target=deliver, args=(cluster, over), daemon=True)
    try:
        sender.start()
        wait_lines(file, 2)
        for number in range(8):
            rare = {"cron": f"{number} 3 29 2 *", "id": "rare"}
            others.ask("PUT", "/v1/schedules/beat", {"triggers": [each, rare]})
            if number == 2:
                leader.kill()
        leader.start()
        wait_lines(file, DELIVERIES)
        sender.join(DEADLINE_S)
    finally:
        over.set()
        others.close()
    cluster.wait_ready()

    pushed = [run for run in cluster.client.items("/v1/runs", {"job": "pushed"})]
    assert sorted(run["cause_key"] for run in pushed) == sorted(f"p/push-{n}" for n in range(DELIVERIES))
    assert sorted(file.read_text().split()) == sorted(f"push-{n}" for n in range(DELIVERIES))

    def beats() -> list[int]:
        query = {"from": instant(from_ms), "to": instant(int(time.time() * 1000) - 1_000)}
        ticks = cluster.client.items("/v1/jobs/beats/ticks", query)
        return sorted(milliseconds(tick["at"]) // 1_000 for tick in ticks if tick["at"])

    wait_for(lambda: len(beats()) >= 4, DEADLINE_S, "four seconds, edits and loss among them", 0.2)
    seconds = beats()
    assert seconds == list(range(seconds[0], seconds[-1] + 1)), "each second once"
    assert verified(cluster, from_ms, int(time.time() * 1000))["problem_count"] == 0
