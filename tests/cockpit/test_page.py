"""The cockpit in a real browser: sign in by the address, see, act, stay live."""

from __future__ import annotations

import re

import httpx2
import pytest
from playwright.async_api import expect

from api.app import Api
from scheduler.words.commands import ConnectAgent
from tests.api.served import served
from tests.api.single_node import ADMIN_TOKEN, SingleNode
from tests.cockpit.accessibility import violations
from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab
from tests.scheduler.story import KINDS

pytestmark = IN_ONE_LOOP


async def test_the_address_signs_in_and_the_page_lives(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, node: SingleNode
) -> None:
    node.apply(ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "0.1", "node-1", KINDS))
    document = {"noop": True, "triggers": {"cron": "0 2 * * *"}, "description": "the nightly copy"}
    await client.put("/v1/jobs/backup", json=document)
    page = await tab(url)
    body = page.locator("body")
    for word in (
        "backup", "Healthy", "node-1", "node-2", "zone-c", "agent-1", "0 2 * * *", "leader",
        "the nightly copy",
    ):  # fmt: skip
        await expect(body).to_contain_text(word)
    assert ADMIN_TOKEN not in page.url
    assert ADMIN_TOKEN not in await page.evaluate("document.cookie")

    # Another client's change arrives by the stream.
    await expect(page.locator("#live")).to_have_text("Live")
    await client.put("/v1/jobs/second", json={"noop": True})
    await expect(body).to_contain_text("second")

    # A pause of everything is seen by everybody.
    await client.post("/v1/pause", json={"reason": "the database is moved"})
    await expect(body).to_contain_text("everything is paused: the database is moved")
    await client.post("/v1/resume")
    await expect(body).not_to_contain_text("everything is paused")

    # A write carries the CSRF token.
    await page.get_by_role("button", name="Pause backup").click()
    await expect(page.get_by_role("button", name="Resume backup")).to_be_visible()
    assert (await client.get("/v1/jobs/backup")).json()["state"] == "paused"
    await page.get_by_role("button", name="Run second now").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Run 1 of second")


async def test_a_quorum_that_is_lost_is_said(url: str, tab: OpenTab, node: SingleNode) -> None:
    page = await tab(url)
    await expect(page.locator("body")).to_contain_text("Healthy")
    node.quorum = False
    await expect(page.locator("body")).to_contain_text("No quorum")
    await expect(page).to_have_title(re.compile("No quorum"))


async def test_a_node_that_falls_silent_is_not_called_healthy(
    api: Api, tab: OpenTab, complaints: list[str]
) -> None:
    async with served(api) as address:
        page = await tab(f"{address}/")
        body = page.locator("body")
        await expect(body).to_contain_text("Healthy")
    await expect(body).to_contain_text("does not answer")
    await expect(body).to_contain_text("No answer")
    await expect(body).not_to_contain_text("Healthy")
    complaints.clear()  # of refused connections


@pytest.mark.parametrize(("width", "dark"), [(400, False), (1400, True)])
async def test_it_fits_and_works_by_keys(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, width: int, dark: bool
) -> None:
    assert (await client.put(f"/v1/jobs/{'long-name-' * 8}x", json={"noop": True})).status_code == 201
    await client.put("/v1/jobs/short", json={"noop": True})
    page = await tab(url, width=width, dark=dark)
    await expect(page.locator("body")).to_contain_text("short")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    await page.keyboard.press("/")
    await expect(page.locator("#filter")).to_be_focused()
    await page.keyboard.press("h")
    await expect(page).to_have_url(re.compile(r"\?q=h$"))
    await expect(page.locator("#jobs-body tr")).to_have_count(1)


async def test_without_a_session_it_asks_for_a_token(
    url: str, tab: OpenTab, complaints: list[str]
) -> None:
    page = await tab(url, token="")
    await page.get_by_label("Token").fill("wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#login-error")).to_contain_text("not known")
    await page.get_by_label("Token").fill(ADMIN_TOKEN)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#overview")).to_be_visible()
    complaints.clear()  # of the 401s, which a browser writes down as errors


@pytest.mark.parametrize("dark", [False, True])
async def test_nothing_of_it_is_out_of_reach(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, dark: bool
) -> None:
    await client.put("/v1/jobs/backup", json={"noop": True, "triggers": {"cron": "0 2 * * *"}})
    page = await tab(url, dark=dark)
    await expect(page.locator("body")).to_contain_text("backup")
    assert await violations(page) == []
