"""The policies of a job at a glance: who says each, how it stands for the next tick, and pictures of them."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from playwright.async_api import expect

from scheduler.words.commands import Finish
from tests.api.single_node import SingleNode
from tests.cockpit.accessibility import violations
from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab
from tests.cockpit.house import furnish, grant

pytestmark = IN_ONE_LOOP
NEVER = ["Mon-Fri 20:00-06:00", "Sat,Sun 00:00-24:00", "Fri-Mon 12:00-12:30"]
BOOKS: dict[str, Any] = {
    "noop": True,
    "triggers": [{"at": "2099-12-25T09:00:00Z", "id": "yearly"}],
    "policies": {
        "admission": {"windows": NEVER, "tz": "Europe/Berlin", "at_end": "terminate"},
        "blackout": [
            {"from": "2099-12-24T00:00:00Z", "until": "2100-01-02T00:00:00Z", "reason": "freeze"},
            {"from": "2020-12-24T00:00:00Z", "until": "2021-01-02T00:00:00Z", "reason": "long ago"},
        ],
    },
    "requires": [{"job": "rates"}],
}


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (400, True)])
async def test_each_policy_says_where_it_comes_from_and_how_it_stands(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, width: int, dark: bool
) -> None:
    defaults = {"policies": {"overlap": "queue_one"}}
    declared = await client.put("/v1/namespaces/finance", json={"defaults": defaults})
    assert declared.status_code == 201, declared.text
    for name, job in (("rates", {"noop": True}), ("books", BOOKS)):
        made = await client.put(f"/v1/jobs/{name}?namespace=finance", json=job)
        assert made.status_code == 201, made.text
    paused = await client.post("/v1/namespaces/finance/pause", json={"reason": "stocktaking"})
    assert paused.status_code == 200, paused.text
    page = await tab(f"{url}cockpit/jobs/finance/books", width=width, dark=dark)
    policies = page.get_by_role("region", name="Policies in effect")
    rows = policies.get_by_role("row")
    await expect(policies).to_contain_text("stocktaking")
    await expect(rows.filter(has_text="overlap")).to_contain_text("namespace finance")
    await expect(rows.filter(has_text="admission")).to_contain_text("the job")
    await expect(rows.filter(has_text="blackout").first).to_contain_text("never")
    await expect(rows.filter(has_text="requires")).to_contain_text("asked when its run is made")
    await policies.get_by_text("as built in").first.click()
    await expect(rows.filter(has_text="priority")).to_contain_text("as built in")
    blackouts = policies.get_by_role("listitem")
    await expect(blackouts.filter(has_text="freeze")).to_contain_text("to come")
    await expect(blackouts.filter(has_text="long ago")).to_contain_text("over")
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_windows_are_a_picture_of_the_week(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    await client.put("/v1/jobs/rates", json={"noop": True})
    assert (await client.put("/v1/jobs/books", json=BOOKS)).status_code == 201
    page = await tab(f"{url}cockpit/jobs/default/books")
    days = page.get_by_role("group", name="When runs may start").get_by_role("img")
    await expect(days).to_have_count(7)
    told = [await day.get_attribute("aria-label") for day in await days.all()]
    # What goes over midnight goes on the next morning; "Fri-Mon" goes over the end of the week.
    assert told == [
        "Mon: 20:00–24:00, 12:00–12:30", "Tue: 00:00–06:00, 20:00–24:00", "Wed: 00:00–06:00, 20:00–24:00",
        "Thu: 00:00–06:00, 20:00–24:00", "Fri: 00:00–06:00, 20:00–24:00, 12:00–12:30",
        "Sat: 00:00–06:00, 00:00–24:00, 12:00–12:30", "Sun: 00:00–24:00, 12:00–12:30",
    ]  # fmt: skip
    await expect(page.locator(".week .now")).to_have_count(1)


async def test_the_step_that_holds_after_failures_is_marked(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, node: SingleNode
) -> None:
    await furnish(node, client)
    failures = {"1": "10s", "3": "1m", "20": "pause"}
    made = await client.put("/v1/jobs/often", json={"run": "false", "policies": {"failures": failures}})
    assert made.status_code == 201, made.text
    run = int((await client.post("/v1/jobs/often/runs")).json()["id"])
    grant(node)
    attempt, agent = node.store.rows("SELECT id, agent FROM attempts WHERE run = ?", (run,))[0]
    node.apply(Finish(attempt, agent, node.now_ms(), node.now_ms(), 1, "exit"))
    page = await tab(f"{url}cockpit/jobs/default/often")
    steps = page.locator(".steps li")
    await expect(steps).to_have_count(3)
    await expect(steps.nth(2)).to_contain_text("the job is paused")
    await expect(page.locator(".steps [aria-current=step]")).to_have_text("after 1: the next waits 10s")
