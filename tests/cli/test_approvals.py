"""What waits for a person, as the commands tell of it and answer it."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.api.single_node import SingleNode
from tests.api.test_namespaces import token
from tests.cli.conftest import Command
from tests.cli.test_following import a_run

DEFINITION = """
tasks:
  load: {sleep: 1ms}
  approve: {approval: {by: [ann], expires: 1d, text: "Pay out?"}}
  other: {approval: {by: [ann, bob], expires: 1d}}
  pay: {needs: [approve, other], sleep: 1ms}
"""


async def test_what_waits_is_listed_shown_and_answered(cronclave: Command, node: SingleNode) -> None:
    run = str(await a_run(cronclave, DEFINITION))
    token(node, "ann", "approver")
    ann = replace(cronclave, environment={**cronclave.environment, "CRONCLAVE_TOKEN": "ann"})
    listed = (await ann("run", "approvals", "--mine")).out
    assert [line.split()[:4] for line in listed.splitlines()[1:]] == [
        [run, "default", "a", "other"], [run, "default", "a", "approve"],
    ]  # fmt: skip
    assert (await cronclave("run", "approvals", "--mine")).out.count("\n") <= 1  # nobody asked the admin
    items = json.loads((await cronclave("run", "approvals", "-o", "json")).out)
    assert [(each["task"], each["may"]) for each in items] == [("other", False), ("approve", False)]
    shown = (await cronclave("run", "show", run)).out
    assert "asks ann until " in shown
    assert ": Pay out?" in shown

    several = await ann("run", "approve", run)
    assert (several.code, "several tasks of run" in several.err) == (2, True)
    yes = await ann("run", "approve", run, "approve", "--reason", "it is right")
    assert (yes.code, yes.out) == (0, f"task approve of run {run} succeeded, approved by ann: it is right\n")
    no = await ann("run", "reject", run)  # the one that is left
    assert (no.code, no.out.splitlines()[0]) == (0, f"task other of run {run} failed, rejected by ann")
    late = await ann("run", "approve", run, "other")
    assert "was rejected by ann" in late.err
    assert "It counts once" in late.err
    again = await ann("run", "approve", run)  # nothing waits any more: the same once more, of the same person
    assert (again.code, again.out.splitlines()[0]) == (0, yes.out.rstrip())
    other = await cronclave("run", "approve", run)
    assert (other.code, "was approved by ann" in other.err) == (5, True)
    none = await ann("run", "approve", str(await a_run(cronclave, "sleep: 1ms")))
    assert (none.code, "waits for an answer" in none.err) == (3, True)
    refused = await cronclave("run", "approve", run, "approve")
    assert refused.code != 0
