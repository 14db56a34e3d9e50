"""Groups that are begun anew, as the commands and the API tell of them: which round, and what that wrote."""

from __future__ import annotations

import json

import httpx2

from scheduler.store.tables import tasks as task_rows
from scheduler.words.commands import Grant, Place, Wake
from tests.api.single_node import ADMIN_TOKEN, SingleNode
from tests.api.working import go_on
from tests.cli.conftest import Command
from tests.cli.test_following import a_run, away, end, following, must

DEFINITION = """
tasks:
  fetch: {run: ./fetch.sh}
  check: {run: ./check.sh, needs: [fetch]}
  load: {run: ./load.sh, needs: [feed]}
groups:
  feed: {tasks: [fetch, check], retry: {delays: [1m]}}
"""


def does(node: SingleNode, run: int, agent: int, task: str, output: bytes, code: int = 0) -> None:
    """What a planner and an agent do of it."""
    go_on(node)
    found = task_rows.newest(node.store, run, task)
    assert found is not None
    attempt = node.store.value("SELECT id FROM attempts WHERE task = ? AND live = 1", (found.id,))
    if attempt is None:  # it did not follow an end on this agent
        attempt = int(must(node, Place(node.status().epoch, found.id, agent))["attempt"])
    must(node, Grant(attempt, agent, "s", "c"))
    end(node, attempt, agent, output, code=code)


def first_round(node: SingleNode, run: int, agent: int) -> None:
    does(node, run, agent, "fetch", b"fetched 1\n")
    does(node, run, agent, "check", b"bad sum\n", code=1)


def second_round(node: SingleNode, run: int, agent: int) -> None:
    group = task_rows.newest(node.store, run, "feed")
    assert group is not None
    must(node, Wake(node.status().epoch, group.id, group.wake_ms or 0))
    does(node, run, agent, "fetch", b"fetched 2\n")
    does(node, run, agent, "check", b"good sum\n")


async def test_each_round_is_shown_with_what_it_wrote(cronclave: Command, node: SingleNode) -> None:
    agent = away(node)
    run = await a_run(cronclave, DEFINITION)
    first_round(node, run, agent)
    waits = (await cronclave("run", "show", str(run))).out
    second_round(node, run, agent)

    shown = await cronclave("run", "show", str(run))
    rows = [line.split()[:5] for line in shown.out.splitlines() if line.startswith("feed ")]
    assert rows == [
        ["feed", "1", "fetch", "succeeded", "1"], ["feed", "2", "fetch", "succeeded", "1"],
        ["feed", "1", "check", "succeeded", "1"], ["feed", "2", "check", "succeeded", "1"],
    ]  # fmt: skip
    assert "retry_wait" in waits
    newest = await cronclave("run", "logs", str(run), "--task", "check")
    assert (newest.code, newest.out) == (0, "good sum\n")
    older = await cronclave("run", "logs", str(run), "--task", "check", "--round", "1")
    assert (older.code, older.out) == (0, "bad sum\n")
    followed = await cronclave("run", "logs", str(run), "--task", "check", "--round", "1", "-f")
    assert (followed.code, followed.out) == (10, "bad sum\n"), "this round failed, whatever came of the task"
    whole = await cronclave("run", "logs", str(run))
    assert "fetched 2\n" in whole.out
    assert "feed" not in whole.out, "a group writes nothing itself"
    for arguments, said in (
        (("--task", "check", "--round", "3"), f"task check of run {run} has 2 rounds, and no round 3"),
        (("--task", "check", "--round", "0"), "0 is not in the range x>=1"),
        (("--round", "1"), "--round is of one task: name it with --task"),
        (("--task", "feed"), "feed is a group, which writes nothing itself: name one of its tasks"),
        (("--task", "feed", "-f"), "check\n"),
    ):
        refused = await cronclave("run", "logs", str(run), *arguments)
        assert refused.code != 0
        assert said in refused.err


async def test_following_a_run_shows_each_round(cronclave: Command, node: SingleNode) -> None:
    agent = away(node)
    run = await a_run(cronclave, DEFINITION)
    follower = await following(cronclave, str(run), "-f")
    first_round(node, run, agent)
    await follower.shows(out=b"==> check <==\nbad sum\n")
    second_round(node, run, agent)
    await follower.shows(out=b"==> check, round 2 <==\ngood sum\n")
    does(node, run, agent, "load", b"loaded\n")
    assert await follower.ends() == 0
    headings = ("fetch", "check", "fetch, round 2", "check, round 2", "load")
    assert [line for line in follower.out.decode().splitlines() if line.startswith("==>")] == [
        f"==> {each} <==" for each in headings
    ]


async def test_the_api_tells_the_newest_round_and_of_each_attempt_which_it_was(
    cronclave: Command, node: SingleNode
) -> None:
    agent = away(node)
    run = await a_run(cronclave, DEFINITION)
    first_round(node, run, agent)
    second_round(node, run, agent)
    url, headers = cronclave.environment["CRONCLAVE_URL"], {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers) as client:
        tasks = (await client.get(f"/v1/runs/{run}")).json()["tasks"]
        check = tasks["check"]
        assert (check["group"], check["round"], check["exit_code"]) == ("feed", 1, 0)
        assert [(each["round"], each["exit_code"]) for each in tasks["check"]["attempts"]] == [(0, 1), (1, 0)]
        assert (tasks["feed"]["state"], tasks["feed"]["group"], tasks["feed"]["attempts"]) == (
            "succeeded", None, []
        )  # fmt: skip
        for round, written in (("", "good sum\n"), ("0", "bad sum\n"), ("1", "good sum\n")):
            query = {"task": "check", **({"round": round} if round else {})}
            assert (await client.get(f"/v1/runs/{run}/logs", params=query)).text == written
        for wrong in ("2", "-1", "x", str(1 << 70)):
            reply = await client.get(f"/v1/runs/{run}/logs", params={"task": "check", "round": wrong})
            assert reply.status_code == 422, reply.text
            assert json.loads(reply.text)["errors"][0]["pointer"] == "?round"
