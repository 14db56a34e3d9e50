"""A divided task, as the commands tell of it: counts, members to look at, and the output of one."""

from __future__ import annotations

from scheduler.store.tables import tasks as task_rows
from scheduler.words.commands import Grant, Place
from tests.api.single_node import SingleNode
from tests.api.working import go_on
from tests.cli.conftest import Command
from tests.cli.test_following import a_run, away, end, must

DEFINITION = """
tasks:
  many: {run: ./one.sh, fanout: {foreach: [eu, us, ap]}, join: any}
"""


async def test_members_are_counted_listed_and_read(cronclave: Command, node: SingleNode) -> None:
    agent = away(node)
    run = await a_run(cronclave, DEFINITION)
    go_on(node)
    for member, code in (("0", 3), ("1", 0)):
        found = task_rows.newest(node.store, run, "many", member)
        assert found is not None
        attempt = int(must(node, Place(node.status().epoch, found.id, agent))["attempt"])
        must(node, Grant(attempt, agent, "s", "c"))
        end(node, attempt, agent, f"member {member}\n".encode(), code=code)

    shown = (await cronclave("run", "show", str(run))).out
    assert "1 of 3 members succeeded, 1 failed, 1 going" in shown
    worst = shown.partition("members of many to look at:")[2].splitlines()
    assert [line.split()[:3] for line in worst if line.startswith("0")] == [["0", "eu", "failed"]]
    listed = (await cronclave("run", "members", str(run), "many", "--state", "queued")).out
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [["2", "ap", "queued"]]
    log = await cronclave("run", "logs", str(run), "--task", "many", "--member", "1")
    assert (log.code, log.out) == (0, "member 1\n")
    for member, code in (("0", 10), ("1", 0)):  # they have ended, though the run goes on
        live = await cronclave("run", "logs", str(run), "--task", "many", "--member", member, "-f")
        assert (live.code, live.out) == (code, f"member {member}\n")
    whole = await cronclave("run", "logs", str(run))
    assert f"many is divided: cronclave run members {run} many" in whole.err
    followed = await cronclave("run", "logs", str(run), "--task", "many", "-f")
    assert (followed.code, "many is divided" in followed.err) == (0, True)
    skipped = await cronclave("run", "skip", str(run), "many", "--member", "2")
    assert "done to member 2 of task many of" in skipped.out
    assert "1 of 3 members succeeded, 1 failed, 1 skipped" in skipped.out
    wrong = await cronclave("run", "release", str(run), "--member", "2")
    assert "--member is of one task: name it" in wrong.err
