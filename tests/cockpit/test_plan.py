"""The plan of a day: lanes by hour, beside another day, by calendars; a date closed, single ticks changed."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect

from tests.cockpit.accessibility import violations
from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab
from tests.cockpit.test_pages import confirm

pytestmark = IN_ONE_LOOP
BANK = {"calendar": "bank", "exclude": ["2099-12-25"]}


async def _put(client: httpx2.AsyncClient, name: str, *triggers: dict[str, Any]) -> None:
    made = await client.put(f"/v1/jobs/{name}", json={"noop": True, "triggers": list(triggers)})
    assert made.status_code == 201, made.text


async def test_a_day_is_seen_closed_and_a_single_tick_of_it_held(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    for name, hour in (("books", 9), ("letters", 14)):
        at = {"at": f"2099-12-25T{hour:02}:00:00Z", "id": "t"}
        made = await client.put(f"/v1/jobs/{name}", json={"noop": True, "triggers": [at]})
        assert made.status_code == 201
    page = await tab(f"{url}cockpit/plan?date=2099-12-24")
    await page.get_by_role("button", name="Next day").click()
    await expect(page).to_have_url(re.compile("date=2099-12-25"))
    books, letters = (page.get_by_role("row").filter(has_text=name) for name in ("books", "letters"))
    await expect(books).to_contain_text("pending")

    await books.get_by_text("Change").click()
    await books.get_by_role("button", name="Hold").click()
    await confirm(page, "Hold")
    await expect(books).to_contain_text("it is held by admin")
    await page.get_by_role("button", name="Close the date").click()
    await expect(page.get_by_role("dialog")).to_contain_text("2 ticks that are to come are skipped.")
    await confirm(page, "Close the date")

    await expect(letters).to_contain_text("skipped")
    assert await violations(page) == []
    told = (await client.get("/v1/plan?date=2099-12-25")).json()
    assert told["closed"]["actor"] == "admin"
    assert [(each["job"], each["changed"] is not None) for each in told["items"]] == [
        ("books", True), ("letters", False),
    ]  # fmt: skip
    await page.locator("#main").get_by_role("button", name="Open the date").click()
    await confirm(page, "Open the date")
    await expect(letters).to_contain_text("pending")


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (400, True)])
async def test_a_holiday_stands_beside_the_day_before_it(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, width: int, dark: bool
) -> None:
    assert (await client.post("/v1/apply", json={"objects": [BANK]})).status_code == 200
    await _put(client, "mail", {"cron": "0 9 * * *", "id": "daily"})
    await _put(client, "rates", {"cron": "0 10 * * *", "id": "open", "calendar": {"exclude": ["bank"]}})
    page = await tab(f"{url}cockpit/plan?date=2099-12-24", width=width, dark=dark)
    main = page.locator("#main")
    await expect(main.get_by_text("bank: working day")).to_be_visible()
    await page.get_by_label("Plan date").fill("2099-12-25")
    await expect(page).to_have_url(re.compile("date=2099-12-25"))
    await expect(main.get_by_text("bank: off")).to_be_visible()
    rests = page.get_by_role("region", name="What rests")
    await expect(rests).to_contain_text("off in calendar default/bank")

    await page.get_by_label("Another day beside it").select_option("-1")
    lanes = page.get_by_role("region", name="The day")
    await expect(lanes.locator(".lane.beside")).to_have_count(2)
    rates = lanes.locator(".lane", has_text="rates")
    await expect(rates.locator("a.span")).to_have_count(0)
    await expect(rates.locator("+ .beside a.span")).to_have_attribute("title", "rates, 10:00, pending")
    mail = lanes.locator(".lane", has_text="mail").locator("a.span")
    await expect(mail).to_have_class(re.compile("ahead"))
    assert await mail.evaluate("node => node.style.left") == "37.5%"  # nine hours of 24
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await mail.click()
    await expect(page).to_have_url(re.compile("/cockpit/jobs/default/mail/why"))


async def test_a_job_that_comes_often_is_one_line_until_it_is_opened(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    await _put(client, "often", {"cron": "*/20 * * * *", "id": "often"})
    await _put(client, "once", {"cron": "0 7 * * *", "id": "once"})
    page = await tab(f"{url}cockpit/plan?date=2099-12-25")
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(2)
    await expect(rows.nth(1)).to_contain_text("60+ ticks")
    await expect(page.locator(".span.hatched")).to_have_count(1)  # more than is told
    await page.get_by_role("button", name="often").click()
    await expect(page).to_have_url(re.compile("open=often"))
    await expect(rows).to_have_count(63)
    assert await violations(page) == []


async def test_a_date_that_closes_by_itself_says_when_and_then_that_it_did(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    declared = await client.put("/v1/namespaces/books", json={"plan": {"auto_close": "1d"}})
    assert declared.status_code == 201, declared.text
    page = await tab(f"{url}cockpit/plan?namespace=books&date=2099-12-25")
    await expect(page.locator(".title").get_by_text("closes by itself at")).to_contain_text("27")
    await page.get_by_role("link", name="books").click()
    await expect(page.locator("#main")).to_contain_text("closed 1d after their end")


async def test_who_may_change_nothing_is_offered_nothing(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    await _put(client, "mail", {"cron": "0 9 * * *", "id": "daily"})
    token = (await client.post("/v1/tokens", json={"name": "ann", "role": "viewer"})).json()["token"]
    page = await tab(f"{url}cockpit/plan?date=2099-12-24", token=token)
    await expect(page.get_by_role("row").filter(has_text="mail")).to_contain_text("pending")
    for name in ("Change", "Close the date"):
        await expect(page.get_by_text(name)).to_have_count(0)
    await page.goto(f"{url}cockpit/jobs/default/mail/why?at=2099-12-24T09:00:00Z")
    await expect(page.get_by_role("region", name="daily")).to_contain_text("revision 1 counts")
    await expect(page.get_by_role("button", name="Hold")).to_have_count(0)


async def test_a_day_of_very_much_is_shown_in_pages(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    names = [f"often-{number:02}" for number in range(12)]
    for name in names:
        await _put(client, name, {"cron": "* * * * *", "id": "often"})
    page = await tab(f"{url}cockpit/plan?date=2099-12-25")
    lanes = page.get_by_role("region", name="The day").locator("a.name")
    await expect(lanes).to_have_text(names[:10])
    await page.get_by_role("button", name="The next jobs").click()
    await expect(lanes).to_have_text(names[10:])
    await page.reload()
    await expect(lanes).to_have_text(names[10:])
    await page.get_by_role("button", name="Next day").click()  # from its first job on
    await expect(lanes).to_have_text(names[:10])
