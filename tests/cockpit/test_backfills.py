"""Runs of a job for instants that are past: begun after a dry run, seen as they go, cancelled."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from playwright.async_api import expect

from scheduler.words.commands import Finish
from tests.api.single_node import SingleNode
from tests.cockpit.accessibility import violations
from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab
from tests.cockpit.house import furnish, grant
from tests.cockpit.test_pages import confirm

pytestmark = IN_ONE_LOOP
JOB = {"run": "true", "triggers": [{"cron": "0 */6 * * *", "id": "six"}]}


def _day(node: SingleNode, back: int) -> str:
    return (datetime.fromtimestamp(node.now_ms() / 1000, UTC) - timedelta(days=back)).date().isoformat()


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (400, True)])
async def test_a_backfill_is_tried_begun_and_followed(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, node: SingleNode, width: int, dark: bool
) -> None:
    await furnish(node, client)
    assert (await client.put("/v1/jobs/load", json=JOB)).status_code == 201
    page = await tab(f"{url}cockpit/jobs/default/load", width=width, dark=dark)
    await page.get_by_role("link", name="Backfills").click()
    await expect(page.get_by_text("None of this job.")).to_be_visible()
    assert await violations(page) == []

    await page.get_by_role("button", name="Fill the past").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("From").fill(_day(node, 3))
    await dialog.get_by_label("To", exact=True).fill(_day(node, 2))
    trial = dialog.locator(".trial")
    await expect(trial).to_contain_text("8 runs would be made, of 8 instants")
    await dialog.get_by_label("Runs at a time").fill("2")
    await dialog.get_by_label("Why").fill("the disk was full")
    assert await violations(page) == []
    await dialog.get_by_text("The same by command line").click()
    cli = f"job backfill load --from {_day(node, 3)} --to {_day(node, 2)} --missing-only --max-active 2"
    await expect(dialog).to_contain_text(cli)
    await confirm(page, "Fill the past")

    await expect(page).to_have_url(re.compile(r"/jobs/default/load/backfills/\d+$"))
    for _ in range(3):
        grant(node)
    attempt, agent = node.store.rows("SELECT id, agent FROM attempts ORDER BY id DESC LIMIT 1")[0]
    node.apply(Finish(attempt, agent, node.now_ms(), node.now_ms(), 0, "exit"))
    await expect(page.get_by_role("region", name="How far it is")).to_contain_text("1 succeeded")
    await expect(page.get_by_role("region", name="How far it is")).to_contain_text("1 of 8")
    runs = page.get_by_role("navigation", name="Its runs").get_by_role("link")
    await expect(runs.first).to_be_visible()
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    await page.get_by_role("button", name="Cancel backfill").click()
    await page.get_by_role("dialog").get_by_label("also cancel its runs that go on").check()
    await confirm(page, "Cancel backfill")
    await expect(page.locator("h1 + .status")).to_have_text("cancelled")
    (told,) = (await client.get("/v1/jobs/load/backfills")).json()["items"]
    assert (told["state"], told["reason"]) == ("cancelled", "the disk was full")
    await page.get_by_role("link", name="Backfills").click()
    await expect(page.get_by_role("row", name=re.compile("the disk was full"))).to_contain_text("cancelled")


async def test_what_cannot_be_filled_is_said_before_it_is_begun(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, node: SingleNode, complaints: list[str]
) -> None:
    assert (await client.put("/v1/jobs/load", json=JOB)).status_code == 201
    page = await tab(f"{url}cockpit/jobs/default/load/backfills")
    await page.get_by_role("button", name="Fill the past").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("To", exact=True).fill(_day(node, -2))
    await expect(dialog.get_by_role("alert")).to_contain_text("that date is yet to come")
    await page.keyboard.press("Escape")
    await page.goto("about:blank")  # by when the console has been heard
    complaints.clear()  # of the refusals


async def test_who_may_not_run_it_is_not_offered_to(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    assert (await client.put("/v1/jobs/load", json=JOB)).status_code == 201
    token = (await client.post("/v1/tokens", json={"name": "ann", "role": "viewer"})).json()["token"]
    page = await tab(f"{url}cockpit/jobs/default/load/backfills", token=token)
    await expect(page.get_by_text("None of this job.")).to_be_visible()
    await expect(page.get_by_role("button", name="Fill the past")).to_have_count(0)
