"""Ticks of a job: what became of each, what is pending, and the proof of it."""

from __future__ import annotations

from typing import Any

import httpx2

from api.instants import rfc3339
from scheduler.store.reads import jobs as job_reads
from scheduler.store.tables import triggers as trigger_rows
from scheduler.words.commands import Account, Fire, FireStartups, PauseJob, SetAside
from tests.api.single_node import SingleNode
from tests.api.working import NOOP, connect, must, run_it


async def test_ticks_have_one_outcome_each_and_pending_ones_are_shown(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    node.skew_ms = -60_000
    await client.put(
        "/v1/jobs/job",
        json={**NOOP, "triggers": {"every": "1s", "id": "t"}, "policies": {"overlap": "allow"}},
    )
    node.skew_ms = 0
    agent = connect(node)
    with node.read() as store:
        trigger = trigger_rows.live(store, job_reads.ids(store, "default", "job")[0])[0]
    first = trigger.next_due_ms
    assert first is not None
    epoch = node.machine.state.epoch
    ran = must(node, Fire(epoch, trigger.id, first, first + 1_000, agent))["run"]
    must(
        node,
        Account(epoch, trigger.id, first + 1_000, first + 20_000, 20, first + 21_000, "missed", "window"),
    )
    pending = must(node, Fire(epoch, trigger.id, first + 21_000, first + 22_000, agent))["run"]
    run_it(node, ran, agent)

    query = {"from": rfc3339(first - 1), "to": rfc3339(first + 25_000)}
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        reply = await client.get("/v1/jobs/job/ticks", params={**query, **cursor, "limit": 4})
        assert reply.status_code == 200, reply.text
        seen += reply.json()["items"]
        if reply.json()["next_cursor"] is None:
            break
        cursor = {"cursor": reply.json()["next_cursor"]}
    assert [tick["at"] for tick in seen] == [rfc3339(first + 1_000 * n) for n in range(26)]
    assert [tick["outcome"] for tick in seen] == ["ran"] + ["missed"] * 20 + ["pending"] * 5
    assert (seen[0]["run"], seen[21]["run"], seen[22]["run"]) == (ran, pending, None)
    assert seen[1]["reason"] == "window"
    assert len(seen[0]["hash"]) == 64
    whole = (await client.get("/v1/jobs/job/ticks", params=query)).json()["items"]
    assert whole == seen
    # (from, to]: the first instant is out when it is `from`, the last in when it is `to`.
    edge = {"from": rfc3339(first), "to": rfc3339(first + 2_000)}
    assert len((await client.get("/v1/jobs/job/ticks", params=edge)).json()["items"]) == 2
    missed = (
        await client.get("/v1/jobs/job/ticks", params={**query, "outcome": "missed", "limit": 3})
    ).json()
    assert len(missed["items"]) == 3

    verdict = (await client.get("/v1/ledger/verify", params=query)).json()
    assert verdict["ok"] is True, verdict
    assert verdict["outcomes"]["ran"] == 1
    listed = (await client.get("/v1/jobs/job")).json()
    assert (listed["state"], listed["last_tick"]["outcome"]) == ("active", "missed")
    assert listed["last_run"]["id"] == pending

    await client.delete("/v1/jobs/job")
    after = (await client.get("/v1/jobs/job/ticks", params=query)).json()["items"]
    assert [tick["outcome"] for tick in after][:21] == ["ran"] + ["missed"] * 20


async def test_ticks_of_a_gap_that_wait_to_be_caught_up_are_pending_each_by_itself(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    node.skew_ms = -60_000
    policies = {"overlap": "skip", "catchup": {"mode": "all"}}
    await client.put(
        "/v1/jobs/job", json={**NOOP, "triggers": {"every": "1s", "id": "t"}, "policies": policies}
    )
    node.skew_ms = 0
    agent = connect(node)
    with node.read() as store:
        trigger = trigger_rows.live(store, job_reads.ids(store, "default", "job")[0])[0]
    first = trigger.next_due_ms
    assert first is not None
    epoch = node.machine.state.epoch

    def at(number: int) -> int:
        return first + number * 1_000

    must(node, SetAside(epoch, trigger.id, first, at(9), at(10)))
    with node.read() as store:
        (after,) = trigger_rows.live(store, job_reads.ids(store, "default", "job")[0])
    live = must(node, Fire(epoch, after.id, at(10), at(11), agent))["run"]
    run_it(node, live, agent)
    caught_up = must(node, Fire(epoch, trigger.id, first, at(1), agent, True))["run"]
    run_it(node, caught_up, agent)
    fired = must(node, Fire(epoch, trigger.id, at(1), at(2), agent, True))["run"]

    query = {"from": rfc3339(first - 1), "to": rfc3339(at(12))}
    expected = [("ran", caught_up), ("pending", fired), *[("pending", None)] * 8, ("ran", live)]
    expected += [("pending", None)] * 2
    for limit in (1, 2, 3, 100):
        seen: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        for _ in range(20):
            page = (
                await client.get("/v1/jobs/job/ticks", params={**query, **cursor, "limit": str(limit)})
            ).json()
            seen += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert [(tick["outcome"], tick["run"]) for tick in seen] == expected
        assert [tick["at"] for tick in seen] == [rfc3339(at(number)) for number in range(13)]
        assert {tick["trigger"] for tick in seen} == {"t"}
    waiting = {**query, "outcome": "pending", "limit": "3"}
    some = (await client.get("/v1/jobs/job/ticks", params=waiting)).json()["items"]
    assert [tick["at"] for tick in some] == [rfc3339(at(number)) for number in (1, 2, 3)]


async def test_a_forged_ledger_is_found_out(client: httpx2.AsyncClient, node: SingleNode) -> None:
    node.skew_ms = -10_000
    await client.put("/v1/jobs/job", json={**NOOP, "triggers": {"every": "1s"}})
    node.skew_ms = 0
    with node.read() as store:
        trigger = trigger_rows.live(store, job_reads.ids(store, "default", "job")[0])[0]
    first = trigger.next_due_ms
    assert first is not None
    epoch = node.machine.state.epoch
    must(node, Account(epoch, trigger.id, first, first + 3_000, 4, first + 4_000, "missed", "window"))
    node.store.execute("UPDATE ledger SET outcome = 'skipped'")
    verdict = (await client.get("/v1/ledger/verify")).json()
    assert verdict["ok"] is False
    assert "chain" in {problem["kind"] for problem in verdict["problems"]}


async def test_boots_stand_among_the_ticks_page_by_page(client: httpx2.AsyncClient, node: SingleNode) -> None:
    triggers = [{"startup": {"pool": "web"}, "id": "boot"}, {"at": "2999-01-01T00:00:00Z", "id": "once"}]
    await client.put("/v1/jobs/warm", json={"noop": True, "on": {"pool": "web"}, "triggers": triggers})
    agents = [connect(node, f"web-{n}", "web") for n in range(3)]
    for agent in agents[:2]:
        must(node, FireStartups(node.status().epoch, agent, "b", 0))
    must(node, PauseJob("default", "warm"))
    must(node, FireStartups(node.status().epoch, agents[2], "b", 0))
    run_it(node, 1, agents[0])

    found: list[dict[str, Any]] = []
    query: dict[str, Any] | None = {"limit": 1}
    while query is not None:
        page = (await client.get("/v1/jobs/warm/ticks", params=query)).json()
        found += page["items"]
        query = {"limit": 1, "cursor": page["next_cursor"]} if page["next_cursor"] else None
    told = {(t["trigger"], t["cause"], t["cause_key"], t["outcome"], t["reason"], t["run"]) for t in found}
    assert len(found) == 3
    assert told == {
        ("boot", "startup", "boot/web-0/b", "ran", None, 1),
        ("boot", None, "boot/web-1/b", "pending", None, 2),
        ("boot", "startup", "boot/web-2/b", "skipped", "paused", None),
    }
    run = (await client.get("/v1/runs/1")).json()
    assert (run["cause"], run["cause_key"], run["tick"]) == ("startup", "boot/web-0/b", None)
    proof = (await client.get("/v1/ledger/verify")).json()
    assert (proof["ok"], proof["events"], proof["due"]) == (True, 2, 0)
    coming = (await client.get("/v1/jobs/warm/next")).json()
    assert [tick["trigger"] for tick in coming["items"]] == ["once"]
