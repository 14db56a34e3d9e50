"""Why something ran, did not, or waits: the next tick of a job, any instant, a run, who waits for a lock."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.api.single_node import SingleNode
from tests.cockpit.accessibility import violations
from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab
from tests.cockpit.house import House, furnish, grant
from tests.cockpit.test_pages import confirm

pytestmark = IN_ONE_LOOP
AT = "2099-12-25T09:00:00Z"
FREEZE = {"from": "2099-12-24T00:00:00Z", "until": "2100-01-02T00:00:00Z", "reason": "freeze"}
BOOKS: dict[str, Any] = {
    "noop": True,
    "params": {"region": {"type": "string", "enum": ["eu", "us"], "default": "eu"}},
    "triggers": [{"at": AT, "id": "yearly"}],
    "policies": {"blackout": [FREEZE]},
}


@pytest_asyncio.fixture(loop_scope="module")
async def house(node: SingleNode, client: httpx2.AsyncClient) -> House:
    return await furnish(node, client)


async def _put(client: httpx2.AsyncClient, name: str, job: dict[str, Any]) -> None:
    reply = await client.put(f"/v1/jobs/{name}", json=job)
    assert reply.status_code == 201, reply.text


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (400, True)])
async def test_a_job_says_what_its_next_tick_has_to_pass_and_any_instant_is_asked_for(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, width: int, dark: bool
) -> None:
    await _put(client, "books", BOOKS)
    page = await tab(f"{url}cockpit/jobs/default/books", width=width, dark=dark)
    why = page.get_by_role("region", name="What the next tick has to pass")
    closed = why.locator(".closed-gate").first
    await expect(closed).to_contain_text("a blackout of its job")
    await expect(closed).to_contain_text("freeze")
    await expect(closed.locator(".status")).to_have_text(re.compile("blackout, never$"))  # read aloud, too
    await expect(why.get_by_text("gates were open").first).to_be_visible()
    await expect(why.locator(".helps code")).to_have_text(re.compile("^cronclave job "))
    assert await violations(page) == []

    await why.get_by_label("Why at another time").fill("2099-12-25T09:00:01")
    await why.get_by_role("button", name="Why then?").click()
    await expect(page).to_have_url(re.compile(r"/jobs/default/books/why\?at=2099-12-25T09%3A00%3A01Z$"))
    await expect(page.locator(".banner-of")).to_contain_text("no trigger of the job has this instant")
    await page.get_by_role("link", name="the one before").click()
    await expect(page.get_by_role("region", name="yearly")).to_contain_text("revision 1 counts")
    await page.reload()  # all of it stands in the address
    await expect(page.locator(".closed-gate").first).to_contain_text("freeze")
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_person_says_of_one_coming_tick_what_becomes_of_it(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    await _put(client, "books", BOOKS)

    async def said() -> dict[str, Any]:
        (line,) = (await client.get("/v1/plan?date=2099-12-25")).json()["items"]
        changed: dict[str, Any] = line["changed"] or {"act": None, "to": None, "params": None}
        return changed

    page = await tab(f"{url}cockpit/jobs/default/books/why?at={AT}")
    tick = page.get_by_role("region", name="yearly")
    await tick.get_by_role("button", name="Hold").click()
    await page.get_by_label("Why (others will read it)").fill("figures are late")
    await confirm(page, "Hold")
    await expect(tick.locator(".chain")).to_contain_text("figures are late")
    assert (await said())["act"] == "held"

    await tick.get_by_role("button", name="Release").click()
    await confirm(page, "Release")
    await expect(tick.get_by_role("button", name="Release")).to_have_count(0)
    assert (await said())["act"] is None

    await tick.get_by_role("button", name="Move").click()
    await page.get_by_label("New time (yours)").fill("2099-12-26T10:30:00")
    await page.get_by_role("dialog").get_by_text("The same by command line").click()
    await expect(page.get_by_role("dialog")).to_contain_text(f"plan move books {AT} 2099-12-26T10:30:00Z")
    await confirm(page, "Move")
    await expect(tick.get_by_role("button", name="Release")).to_be_visible()
    assert ((await said())["act"], (await said())["to"]) == ("moved", "2099-12-26T10:30:00Z")

    await tick.get_by_role("button", name="Parameters").click()
    await page.get_by_label("Why (others will read it)").fill("only the states")
    await page.get_by_label("region").select_option("us")
    await expect(page.get_by_label("Why (others will read it)")).to_have_value("only the states")
    await confirm(page, "Parameters")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert (await said())["params"] == {"region": "us"}

    await tick.get_by_role("button", name="Skip").click()
    await confirm(page, "Skip")
    await expect(tick.locator(".chain")).to_contain_text("skipped by admin")
    assert (await said())["act"] == "skipped"


async def test_what_cannot_be_is_refused_in_the_dialog(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, complaints: list[str]
) -> None:
    await _put(client, "books", BOOKS)
    page = await tab(f"{url}cockpit/jobs/default/books/why?at={AT}")
    await page.get_by_role("button", name="Move").click()
    await page.get_by_label("New time (yours)").fill("2101-01-01T00:00:00")
    await confirm(page, "Move")
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("35 days")
    await page.keyboard.press("Escape")
    await page.goto("about:blank")  # by when the console has been heard
    complaints.clear()  # of the refusal


async def test_a_decided_tick_tells_which_gate_closed_and_leads_to_the_run_in_the_way(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, house: House, node: SingleNode
) -> None:
    await _put(client, "often", {"run": "true", "triggers": [{"every": "1s", "id": "often"}]})
    async with asyncio.timeout(60):
        while not node.store.value("SELECT count(*) FROM ledger WHERE reason = 'overlap'"):
            grant(node)
            await asyncio.sleep(0.1)
    page = await tab(f"{url}cockpit/jobs/default/often")
    await page.get_by_role("listbox", name="Ledger").focus()
    await page.keyboard.press("Home")
    skipped = page.locator(".told", has_text="skipped")
    while not await skipped.count():
        await page.keyboard.press("ArrowRight")
    await skipped.get_by_role("link", name="Why?").click()
    closed = page.locator(".closed-gate")
    await expect(closed).to_contain_text("of the job was in the way")
    await closed.get_by_role("link").click()
    await expect(page).to_have_url(re.compile(r"/cockpit/runs/\d+$"))
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Run ")


async def test_who_waits_for_a_resource_says_who_holds_it_on_its_page_and_on_that_of_the_resource(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, house: House, node: SingleNode
) -> None:
    objects = [{"resource": "warehouse", "count": 1}]
    assert (await client.post("/v1/apply", json={"objects": objects})).status_code == 200
    await _put(client, "load", {"run": "true", "locks": ["warehouse"]})
    holder, waiter = [(await client.post("/v1/jobs/load/runs")).json()["id"] for _ in range(2)]
    grant(node)
    page = await tab(f"{url}cockpit/runs/{waiter}")
    why = page.get_by_role("region", name="What it waits for")
    await expect(why.locator(".closed-gate")).to_contain_text(f"held by run {holder}")
    await expect(why.locator(".helps code")).to_have_text(re.compile("^cronclave "))
    assert await violations(page) == []

    await page.goto(f"{url}cockpit/objects/resources/default/warehouse")
    waits = page.get_by_role("region", name="Who waits")
    await expect(waits).to_contain_text(f"#{waiter}")
    await waits.get_by_text("Why?").click()
    await expect(waits.locator(".closed-gate")).to_contain_text(f"held by run {holder}")
    assert await violations(page) == []


async def test_a_trigger_that_waits_for_other_jobs_shows_its_expression_part_by_part(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    for name in ("extract", "load-eu"):
        await _put(client, name, {"noop": True})
    after = "extract.succeeded and (load-eu.succeeded or load-eu.failed)"
    await _put(client, "report", {"noop": True, "triggers": [{"after": after, "id": "all"}]})
    page = await tab(f"{url}cockpit/jobs/default/report")
    awaits = page.get_by_role("region", name="What its triggers wait for")
    whole = awaits.locator(".tree > li").first
    await expect(whole).to_contain_text(after)
    inner = whole.locator("> .tree > li")
    await expect(inner).to_have_count(2)
    await expect(inner.nth(0)).to_contain_text("unknown")
    await expect(inner.nth(1).locator(".tree > li")).to_have_count(2)
    assert await violations(page) == []


async def test_an_address_that_means_nothing_says_so(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, complaints: list[str]
) -> None:
    await _put(client, "books", BOOKS)
    page = await tab(f"{url}cockpit/jobs/default/books/why?at=yesterday")
    for path, text in {
        "": "yesterday",
        "cockpit/jobs/default/none/why": "there is no job 'none'",
        "cockpit/plan?date=2026-13-01": "'2026-13-01' is no date",
        "cockpit/plan?date=2099-12-25&beside=many&after=x": "cursor",
        "cockpit/jobs/default/books/backfills/x": "has no backfill x",
    }.items():
        if path:
            await page.goto(f"{url}{path}")
        await expect(page.locator("main .error").first).to_contain_text(text)
        await expect(page.locator("main h1")).to_be_attached()
    await page.goto("about:blank")  # by when the console has been heard
    complaints.clear()  # of the refusals
