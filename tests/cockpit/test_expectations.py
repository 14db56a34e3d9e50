"""What does not hold: in the overview, on the job's and the run's page, and acknowledged there."""

from __future__ import annotations

import re

import httpx2
from playwright.async_api import expect

from scheduler.words import commands as c
from tests.api.single_node import SingleNode
from tests.cockpit.accessibility import violations
from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab
from tests.cockpit.test_pages import confirm
from tests.node.effects.parts import connect

pytestmark = IN_ONE_LOOP


async def test_what_does_not_hold_is_seen_and_acknowledged(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, node: SingleNode
) -> None:
    connect(node)
    document = {"noop": True, "expect": {"output_within": "1m", "duration": {"max": "2h"}}}
    assert (await client.put("/v1/jobs/quiet", json=document)).status_code in (200, 201)
    run = (await client.post("/v1/jobs/quiet/runs")).json()["id"]
    state = node.machine.state
    node.apply(c.Place(state.epoch, state.last_task, 1))
    node.apply(c.Grant(state.last_attempt, 1, "s", "claim"))
    node.apply(c.ReportRunning(state.last_attempt, 1, node.now_ms()))
    (outcome,) = node.apply(c.ReportSilence(state.last_attempt, 1, node.now_ms() - 60_000, True))
    assert outcome.ok, outcome

    page = await tab(f"{url}cockpit?span=")
    needs = page.get_by_role("region", name="Needs you")
    await expect(needs).to_contain_text("had written nothing for 1m")
    await needs.get_by_role("link", name="quiet").click()
    told = page.get_by_role("region", name="Not as expected")
    await expect(told).to_contain_text("stalled")
    await expect(page.get_by_text("Long from")).to_be_visible()
    assert await violations(page) == []
    await told.get_by_role("button", name="Acknowledge").click()
    await page.get_by_label("Why").fill("it computes")
    await confirm(page, "Acknowledge")
    await expect(told).to_contain_text(re.compile("Acknowledged by admin until .*: it computes"))

    await page.goto(f"{url}cockpit/jobs/default/quiet")
    await expect(page.get_by_role("region", name="Not as expected")).to_contain_text("it computes")
    assert await violations(page) == []
    found = (await client.get("/v1/expectations")).json()["items"]
    assert [(each["run"], each["acknowledged"]["reason"]) for each in found] == [(run, "it computes")]
