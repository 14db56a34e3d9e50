"""`cronclave notify`, on a terminal: who was told, what is muted, and who takes nothing."""

from __future__ import annotations

import json

import pytest

from scheduler.machine.effects import FAILING
from scheduler.words import commands as c
from tests.api.single_node import SingleNode
from tests.cli.conftest import Command
from tests.node.effects.parts import connect, fail_last

WORDS = """\
channel: ops
email: [ops@example.org]
---
route: loud
on: [failed]
to: [ops]
escalate: {after: 30m, to: [ops]}
---
job: loud
noop: true
"""


@pytest.fixture
async def told(node: SingleNode, cronclave: Command) -> Command:
    """A job failed, and a route tells of it."""
    connect(node)
    applied = await cronclave("apply", "-", stdin=WORDS)
    assert applied.code == 0, applied.err
    assert (await cronclave("job", "run", "loud")).code == 0
    fail_last(node)
    return cronclave


async def test_what_is_told_is_listed_seen_and_answered(told: Command, node: SingleNode) -> None:
    table = await told("notify", "list")
    listed = json.loads((await told("notify", "list", "-o", "json")).out)
    seen = await told("notify", "acknowledge", "1", "--until", "+4h", "--reason", "the disk is full")
    again = await told("notify", "resend", "1")
    node.apply(c.ReportSent(1))
    of_run = json.loads((await told("notify", "list", "--state", "all", "--run", "1", "-o", "json")).out)

    assert all(word in table.out for word in ("default/loud", "ops@example.org", "default/loud", "waiting"))
    assert [(one["id"], one["about"], one["state"]) for one in listed] == [(1, "failed", "waiting")]
    assert (seen.code, seen.out) == (0, "failed of default/loud is acknowledged\n")
    assert (again.code, again.out) == (0, "1 is sent to ops@example.org\n")
    assert [(one["state"], one["acknowledged"]["by"]) for one in of_run] == [("sent", "admin")]
    (mute,) = json.loads((await told("notify", "mutes", "-o", "json")).out)
    assert (mute["job"], mute["about"], mute["reason"]) == ("loud", "failed", "the disk is full")
    assert (await told("notify", "drop", "1")).out == "1 is dropped\n"
    assert (await told("notify", "acknowledge", "1")).code == 3


async def test_what_is_muted_has_an_end_and_may_be_ended(told: Command) -> None:
    muted = await told("notify", "mute", "loud", "--about", "failed", "--until", "+2h", "--reason", "moved")
    listed = await told("notify", "mutes")
    (mute,) = json.loads((await told("notify", "mutes", "-o", "json")).out)
    over = await told("notify", "unmute", str(mute["id"]))
    twice = await told("notify", "unmute", str(mute["id"]))

    assert muted.out.startswith(f"mute {mute['id']}: nobody is told of failed of default/loud until ")
    assert all(word in listed.out for word in ("failed of default/loud", "admin", "moved"))
    assert (over.code, over.out) == (0, f"mute {mute['id']} is over\n")
    assert twice.code == 3
    everything = await told("notify", "mute", "--everything", "--until", "+1h")
    assert "nobody is told of anything until" in everything.out
    for wrong in (("loud", "--everything"), ("--until", "2001-01-01T00:00:00Z"), ()):
        given = wrong if "--until" in wrong else (*wrong, "--until", "+1h")
        assert (await told("notify", "mute", *given)).code == 2, wrong
    past = await told("notify", "mute", "loud", "--until", "2001-01-01T00:00:00Z")
    assert past.code not in (0, 2)


async def test_a_channel_is_tried_and_a_receiver_that_takes_nothing_is_named(
    told: Command, node: SingleNode
) -> None:
    nobody = await told("notify", "receivers")
    tried = await told("notify", "test", "ops")
    effect = node.machine.state.last_effect
    for attempt in range(1, FAILING + 1):
        node.apply(c.ReportUnsent(effect, attempt, "connection refused"))
    failing = await told("notify", "receivers")
    absent = await told("notify", "test", "opps")

    assert nobody.code == 0
    said = f"sent as {effect}: cronclave notify list --state all tells whether it arrived\n"
    assert (tried.code, tried.out) == (0, said)
    assert all(word in failing.out for word in ("ops@example.org", "default/ops", "connection refused"))
    assert absent.code == 3
    seen = await told("notify", "acknowledge", str(effect))
    assert seen.out == "test of default is acknowledged\n", "it is of no job"
