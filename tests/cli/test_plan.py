"""`cronclave plan`: a day, as a table and as JSON."""

from __future__ import annotations

import json

from tests.cli.conftest import Command

JOBS = """\
job: b
noop: true
triggers: {cron: "0 9 * * *", id: t}
---
job: a
noop: true
triggers: {cron: "30 8 * * *", id: t}
policies: {blackout: [{from: 2099-12-25T00:00:00Z, until: 2099-12-26T00:00:00Z, reason: holiday}]}
"""


async def test_a_day_in_order_of_time(cronclave: Command) -> None:
    assert (await cronclave("job", "apply", "-", stdin=JOBS)).code == 0

    told = await cronclave("plan", "show", "2099-12-25")
    items = json.loads((await cronclave("plan", "show", "2099-12-25", "-o", "json")).out)

    first, second = told.out.splitlines()[1:]
    assert first.split()[:4] == ["2099-12-25T08:30:00Z", "a", "t", "skipped(blackout)"]
    assert "holiday" in first
    at = "2099-12-25T09:00:00Z"
    assert second.split() == [at, "b", "t", "runs", "-", f"~{at}", "-", "-", "-", "-"]
    assert [item["job"] for item in items] == ["a", "b"]


async def test_near_days_have_names_and_what_is_none_is_refused(cronclave: Command) -> None:
    assert (await cronclave("job", "apply", "-", stdin=JOBS)).code == 0

    today = json.loads((await cronclave("plan", "show", "-o", "json")).out)
    tomorrow = json.loads((await cronclave("plan", "show", "tomorrow", "-o", "json")).out)
    wrong = await cronclave("plan", "show", "2026-13-01")

    assert {each["plan_date"] for each in today} < {each["plan_date"] for each in [*today, *tomorrow]}
    assert wrong.code == 2
    assert "write 2026-12-31" in wrong.err


async def test_a_date_is_closed_and_opened(cronclave: Command) -> None:
    assert (await cronclave("job", "apply", "-", stdin=JOBS)).code == 0

    closed = await cronclave("plan", "close", "2099-12-25", "--reason", "bank holiday")
    refused = await cronclave("job", "run", "b", "--plan-date", "2099-12-25")
    meant = await cronclave("job", "run", "b", "--plan-date", "2099-12-25", "--closed")
    shown = await cronclave("plan", "show", "2099-12-25")
    opened = await cronclave("plan", "open", "2099-12-25")

    assert closed.out == "plan date 2099-12-25 of namespace default is closed; what was made for it goes on\n"
    assert refused.code == 5
    assert "bank holiday" in refused.err
    assert meant.code == 0
    assert shown.out.count("skipped(plan_closed)") == 2
    assert opened.out == "plan date 2099-12-25 of namespace default is open\n"


async def test_single_ticks_are_held_skipped_moved_and_released(cronclave: Command) -> None:
    parameters = "job: c\nnoop: true\nparams: {n: {type: integer, default: 1}}\n"
    jobs = f"{JOBS}---\n{parameters}triggers: {{at: 2099-12-25T10:00:00Z, id: t}}\n"
    assert (await cronclave("job", "apply", "-", stdin=jobs)).code == 0
    b, c = ("b", "2099-12-25T09:00:00Z"), ("c", "2099-12-25T10:00:00Z")

    held = await cronclave("plan", "hold", *b, "--reason", "late")
    moved = await cronclave("plan", "move", *c, "2099-12-25T11:00:00Z")
    given = await cronclave("plan", "params", *c, "-p", "n=2")
    shown = await cronclave("plan", "show", "2099-12-25")
    coming = await cronclave("job", "next", "c")
    skipped = await cronclave("plan", "skip", *b)
    released = await cronclave("plan", "release", *b)
    none = await cronclave("plan", "hold", "b", "2099-12-25T09:00:01Z")

    assert held.out == "the tick of default/b at 2099-12-25T09:00:00Z is held\n"
    assert "it is held by admin: late" in shown.out
    assert "~2099-12-25T11:00:00Z" in shown.out
    assert coming.err == "the tick at 2099-12-25T10:00:00Z is moved to 2099-12-25T11:00:00Z\n"
    assert moved.out.endswith("is moved to 2099-12-25T11:00:00Z\n")
    assert (given.code, skipped.code, released.code, none.code) == (0, 0, 0, 3)


async def test_dates_that_close_by_themselves_are_told_with_the_plan(cronclave: Command) -> None:
    assert (await cronclave("job", "apply", "-", stdin=JOBS)).code == 0
    declared = "namespace: default\nplan: {auto_close: 2h}\n"

    before = await cronclave("plan", "show", "2099-12-25")
    foretold = await cronclave("namespace", "apply", "-", "--dry-run", stdin=declared)
    assert (await cronclave("namespace", "apply", "-", stdin=declared)).code == 0
    past = await cronclave("plan", "show", "2026-01-02")
    coming = await cronclave("plan", "show", "2099-12-25")
    data = await cronclave("plan", "show", "2099-12-25", "-o", "json")

    day = "plan date 2099-12-25, 2099-12-25T00:00:00Z to 2099-12-26T00:00:00Z, is open"
    assert before.err == f"{day}\n"
    assert foretold.out.splitlines()[1].endswith(" close at once, by auto_close")
    assert past.err.endswith("is closed: by itself (plan.auto_close)\n")
    assert coming.err == f"{day} until 2099-12-26T02:00:00Z, when it closes by itself\n"
    assert data.err == ""
