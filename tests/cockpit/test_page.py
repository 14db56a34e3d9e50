"""The cockpit in a real browser: sign in by the address, see, act, stay live, survive its node."""

from __future__ import annotations

import asyncio
import re

import httpx2
import pytest
from playwright.async_api import Locator, Route, expect

from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.ports import ApiSettings
from scheduler.words.commands import ConnectAgent
from tests.api.served import served
from tests.api.single_node import ADMIN_TOKEN, SingleNode, peer
from tests.cockpit.accessibility import violations
from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab
from tests.scheduler.story import KINDS

pytestmark = IN_ONE_LOOP
_JOB = "cockpit/jobs/default/backup"
PATHS = ("", "cockpit/jobs", "cockpit/runs", _JOB, f"{_JOB}/edit")
GREETED = """new MutationObserver(() => {
  window.greeted ||= document.body?.innerText.includes("You are on another node now, with the same view");
}).observe(document, {subtree: true, childList: true})"""
UNSEEN = "Object.defineProperty(document, 'hidden', { value: true, configurable: true })"
SEEN = "delete document.hidden, document.dispatchEvent(new Event('visibilitychange'))"
LIVE = ".live.live:not(.away):not(.off)"


async def test_the_address_signs_in_and_the_page_lives(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, node: SingleNode
) -> None:
    node.apply(ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "0.1", "node-2", KINDS))
    document = {"noop": True, "triggers": {"cron": "0 2 * * *"}, "description": "the nightly copy"}
    await client.put("/v1/jobs/backup", json=document)
    page = await tab(url)
    body = page.locator("body")
    for word in ("Healthy", "node-1", "node-2", "zone-c", "agent-1", "leader"):
        await expect(body).to_contain_text(word)
    assert ADMIN_TOKEN not in page.url
    assert ADMIN_TOKEN not in await page.evaluate("document.cookie")
    await page.get_by_role("link", name="Jobs", exact=True).click()
    await expect(page).to_have_url(re.compile("/cockpit/jobs$"))
    for word in ("backup", "0 2 * * *", "the nightly copy"):
        await expect(body).to_contain_text(word)

    # Another client's change arrives by the stream.
    await expect(page.locator(".live")).to_have_text("Live")
    await client.put("/v1/jobs/second", json={"noop": True})
    await expect(body).to_contain_text("second")

    # A pause of everything is seen by everybody.
    await client.post("/v1/pause", json={"reason": "the database is moved"})
    await expect(body).to_contain_text("Everything is paused")
    await expect(body).to_contain_text("the database is moved")
    await client.post("/v1/resume")
    await expect(body).not_to_contain_text("Everything is paused")


async def test_an_action_says_what_it_will_do_and_is_undone(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    await client.put("/v1/jobs/backup", json={"noop": True})
    page = await tab(f"{url}cockpit/jobs")
    await page.get_by_role("button", name="Pause backup").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("are skipped from now on")
    await dialog.get_by_text("The same by command line and API").click()
    await expect(dialog).to_contain_text("cronclave job pause backup")
    await expect(dialog).to_contain_text("curl -X POST")
    await expect(dialog).not_to_contain_text(ADMIN_TOKEN)
    assert (await client.get("/v1/jobs/backup")).json()["state"] != "paused"
    await dialog.get_by_role("button", name="Pause", exact=True).click()  # a write carries the CSRF token
    await expect(page.get_by_role("button", name="Resume backup")).to_be_visible()
    assert (await client.get("/v1/jobs/backup")).json()["state"] == "paused"
    await page.locator(".toast").get_by_role("button", name="Resume", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Resume", exact=True).click()
    await expect(page.get_by_role("button", name="Pause backup")).to_be_visible()
    await page.get_by_role("button", name="Run backup now").click()
    await page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    await expect(page.get_by_role("heading", name="Run 1")).to_be_visible()


async def test_a_run_is_asked_for_its_parameters(url: str, tab: OpenTab, client: httpx2.AsyncClient) -> None:
    params = {"day": {"type": "string", "required": True}, "count": {"type": "integer", "default": 3}}
    assert (await client.put("/v1/jobs/needy", json={"noop": True, "params": params})).status_code == 201
    page = await tab(f"{url}cockpit/jobs")
    await page.get_by_role("button", name="Run needy now").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("day").fill("monday")
    await dialog.get_by_label("count").fill("7")
    await dialog.get_by_text("The same by command line and API").click()
    await expect(dialog).to_contain_text("cronclave job run needy --param day=monday --param count=7")
    await dialog.get_by_role("button", name="Run", exact=True).click()
    await expect(page.get_by_role("heading", name="Run 1")).to_be_visible()
    assert (await client.get("/v1/runs/1")).json()["params"] == {"day": "monday", "count": 7}


async def test_who_may_only_look_is_offered_nothing_else(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    await client.put("/v1/jobs/backup", json={"noop": True})
    made = await client.post("/v1/tokens", json={"name": "eyes", "role": "viewer"})
    page = await tab(f"{url}cockpit/jobs", token=made.json()["token"])
    await expect(page.get_by_role("link", name="backup")).to_be_visible()
    await expect(page.get_by_role("button", name="Run backup now")).to_have_count(0)
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("option", name="Jobs")).to_be_visible()
    await expect(page.get_by_role("option", name="Pause everything")).to_have_count(0)
    await page.goto(f"{url}cockpit/cluster")
    await expect(page.locator("main")).to_contain_text("cronclave cluster backup")
    await expect(page.get_by_role("link", name="Download a backup")).to_have_count(0)


async def test_a_quorum_that_is_lost_is_said_with_what_to_do(
    url: str, tab: OpenTab, node: SingleNode
) -> None:
    page = await tab(url)
    await expect(page.locator("body")).to_contain_text("Healthy")
    node.quorum = False
    await expect(page.locator("body")).to_contain_text("No quorum")
    await expect(page).to_have_title(re.compile("No quorum"))
    await expect(page.get_by_role("alert")).to_contain_text("nothing is lost")
    await expect(page.get_by_role("alert")).to_contain_text("cronclave cluster recover")


async def test_a_dialog_says_that_there_is_no_quorum_and_waits_for_it(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, node: SingleNode
) -> None:
    await client.put("/v1/jobs/backup", json={"noop": True})
    page = await tab(f"{url}cockpit/jobs")
    await page.get_by_role("button", name="Run backup now").click()
    dialog = page.get_by_role("dialog")
    run = dialog.get_by_role("button", name="Run", exact=True)
    await expect(run).to_be_enabled()
    node.quorum = False
    await expect(dialog.get_by_role("alert")).to_contain_text("No quorum: the cluster cannot decide now")
    await expect(run).to_be_disabled()
    node.quorum = True
    await expect(dialog.get_by_role("alert")).to_have_count(0)
    await run.click()
    await expect(page.get_by_role("heading", name="Run 1")).to_be_visible()
    assert len((await client.get("/v1/runs")).json()["items"]) == 1


async def test_what_was_sent_and_is_not_answered_is_told_at_once(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, node: SingleNode
) -> None:
    """The quorum goes after the button was pressed: the dialog looks by itself, often, and says so. The page
    does not, here: it believes that nobody sees it."""
    await client.put("/v1/jobs/backup", json={"noop": True})
    page = await tab(f"{url}cockpit/jobs")
    await expect(page.locator(".bar .health")).to_contain_text("Healthy")
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    await page.evaluate(UNSEEN)
    await page.route(re.compile("/v1/jobs/backup/runs.*(?<!dry_run=true)$"), hold)
    await page.get_by_role("button", name="Run backup now").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Run", exact=True).click()
    await expect(dialog.get_by_role("status")).to_contain_text("Sent; no answer yet")
    node.quorum = False
    await expect(dialog.get_by_role("alert")).to_contain_text("No quorum: it was sent")
    node.quorum = True
    await page.evaluate(SEEN)
    held.set()
    await expect(page.get_by_role("heading", name="Run 1")).to_be_visible()


async def test_a_refusal_is_of_a_kind_that_a_german_reads(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, complaints: list[str]
) -> None:
    page = await tab(f"{url}cockpit/jobs/default/none")
    error = page.get_by_role("alert")
    await expect(error).to_contain_text("there is no job 'none'")
    await expect(error).not_to_contain_text("There is no such thing")
    await page.get_by_text("admin", exact=True).click()
    await page.get_by_label("Language").select_option("de")
    await expect(error).to_contain_text("So etwas gibt es nicht: there is no job 'none'")
    assert await error.locator(".told").get_attribute("lang") == "en"
    await client.put("/v1/jobs/backup", json={"triggers": {"every": "1h"}, "noop": True})
    await page.goto(f"{url}cockpit/jobs/default/backup")
    why = page.get_by_role("region", name="Was der nächste Tick passieren muss")
    said = why.get_by_text("it is not due yet; opens with its instant", exact=True)
    assert await said.get_attribute("lang") == "en"
    complaints.clear()  # of the 404


async def test_two_tabs_are_one_session_and_the_back_button_goes_back(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, complaints: list[str]
) -> None:
    await client.put("/v1/jobs/backup", json={"noop": True})
    first = await tab(f"{url}cockpit/jobs")
    await expect(first.get_by_role("link", name="backup")).to_be_visible()
    second = await first.context.new_page()  # no token in its address: the cookie is of both
    await second.goto(f"{url}cockpit/jobs/default/backup")
    await expect(second.get_by_role("heading", name="backup")).to_be_visible()

    # What one does, the other sees, by the stream that they share.
    await first.get_by_role("button", name="Pause backup").click()
    await first.get_by_role("dialog").get_by_role("button", name="Pause", exact=True).click()
    await expect(second.locator("main .head .status").first).to_have_text(re.compile("paused"))

    # Back and forth through what was looked at, each with its filter; the other tab stays where it is.
    await first.get_by_label("State of jobs").select_option("paused")
    await expect(first).to_have_url(re.compile(r"\?state=paused$"))
    await first.get_by_role("link", name="backup").click()
    await expect(first).to_have_url(re.compile("/jobs/default/backup$"))
    await first.go_back()
    await expect(first).to_have_url(re.compile(r"/jobs\?state=paused$"))
    await expect(first.get_by_role("link", name="backup")).to_be_visible()
    await first.go_back()
    await expect(first).to_have_url(re.compile("/cockpit/jobs$"))
    await first.go_forward()
    await first.go_forward()
    await expect(first.get_by_role("heading", name="backup")).to_be_visible()
    await expect(second).to_have_url(re.compile("/jobs/default/backup$"))

    # Who signs out is out in both.
    await second.get_by_text("admin", exact=True).click()
    await second.get_by_role("button", name="Sign out").click()
    await expect(second.get_by_label("Token")).to_be_visible()
    await first.reload()
    await expect(first.get_by_label("Token")).to_be_visible()
    complaints.clear()  # of the 401


async def test_a_node_that_falls_silent_is_not_called_healthy(
    api: Api, tab: OpenTab, complaints: list[str]
) -> None:
    async with served(api) as address:
        page = await tab(f"{address}/")
        body = page.locator("body")
        await expect(body).to_contain_text("Healthy")
        own = page.locator(".node", has_text="node-1")
        await expect(own).to_contain_text("leader")
    await expect(own).to_contain_text("unreachable")
    await expect(body).to_contain_text("does not answer")
    await expect(body).to_contain_text("No answer")
    await expect(body).not_to_contain_text("Healthy")
    complaints.clear()  # of refused connections


async def test_the_view_goes_on_at_another_node_when_its_own_dies(
    node: SingleNode, tab: OpenTab, complaints: list[str]
) -> None:
    apps = []
    for _ in range(2):
        settings = ApiSettings(insecure=False, urls={"node-1": "http://127.0.0.1:8321"})
        app = create_app(node, settings, Gateway(node, settings))
        app.start()
        apps.append(app)
    async with served(apps[1]) as other:
        node.peers = (peer("node-2", "zone-b", url=other), peer("node-3", "zone-c"))
        async with served(apps[0]) as own:
            page = await tab(f"{own}/cockpit/jobs?state=paused&q=copy")
            await expect(page.locator(LIVE)).to_be_visible()
            await expect(page.locator("#filter")).to_have_value("copy")
            await page.add_init_script(GREETED)  # it is said for a moment only
        await expect(page).to_have_url(f"{other}/cockpit/jobs?state=paused&q=copy")
        await page.wait_for_function("window.greeted")
        await expect(page.locator("#filter")).to_have_value("copy")
        await expect(page.locator(LIVE)).to_be_visible()
        await page.close()
    for app in apps:
        await app.close()
    complaints.clear()  # of refused connections


async def test_all_tabs_share_one_stream(
    api: Api, url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    page = await tab(f"{url}cockpit/jobs")
    await expect(page.locator(LIVE)).to_be_visible()
    second = await page.context.new_page()
    await second.goto(f"{url}cockpit/jobs")
    await expect(second.locator(LIVE)).to_be_visible()
    assert api.services.feed.streams == 1
    await client.put("/v1/jobs/new", json={"noop": True})
    for each in (page, second):
        await each.bring_to_front()
        await expect(each.locator("body")).to_contain_text("new")


@pytest.mark.parametrize(("width", "dark"), [(400, False), (1400, True)])
async def test_it_fits_and_works_by_keys(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, width: int, dark: bool
) -> None:
    assert (await client.put(f"/v1/jobs/{'long-name-' * 8}x", json={"noop": True})).status_code == 201
    await client.put("/v1/jobs/short", json={"noop": True})
    page = await tab(url, width=width, dark=dark)
    await expect(page.get_by_role("heading", name="Zones")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.keyboard.press("g")
    await page.keyboard.press("j")
    await expect(page.locator("body")).to_contain_text("short")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert await page.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    await page.keyboard.press("/")
    await expect(page.locator("#filter")).to_be_focused()
    await page.keyboard.press("h")
    await expect(page).to_have_url(re.compile(r"\?q=h$"))
    await expect(page.get_by_role("link", name="short")).to_be_visible()
    await expect(page.get_by_role("link", name="long-name")).to_have_count(0)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("shor")
    await expect(page.get_by_role("option", name="short")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/cockpit/jobs/default/short$"))
    await page.go_back()
    await expect(page).to_have_url(re.compile(r"/cockpit/jobs\?q=h$"))
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_a_press_that_the_page_moved_away_from_is_kept(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    await client.put("/v1/jobs/short", json={"noop": True})
    page = await tab(f"{url}cockpit/jobs")

    async def press(what: Locator, away: int) -> None:
        box = await what.bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        await page.mouse.move(x, y)
        await page.mouse.down()
        # As what loads late does.
        await page.evaluate("document.getElementById('main').style.paddingTop = '300px'")
        await page.mouse.move(x + away, y)
        await page.mouse.up()
        await page.evaluate("document.getElementById('main').style.paddingTop = ''")

    await press(page.get_by_role("button", name="Run short now"), away=40)
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await press(page.get_by_role("link", name="short"), away=0)
    await expect(page).to_have_url(re.compile("/cockpit/jobs/default/short$"))


async def test_on_a_phone_the_later_pages_are_behind_more(url: str, tab: OpenTab) -> None:
    page = await tab(f"{url}cockpit", width=400)
    pages = page.get_by_role("navigation", name="Pages")
    await expect(pages.get_by_role("link", name="Jobs")).to_be_visible()
    await expect(pages.get_by_role("link", name="Ledger")).to_have_count(0)
    await pages.get_by_text("More").click()
    await expect(pages.get_by_role("link", name="Ledger")).to_be_visible()
    assert await violations(page) == []
    await pages.get_by_role("link", name="Ledger").click()
    await expect(page).to_have_url(re.compile("/cockpit/ledger$"))
    await expect(pages.get_by_role("link", name="Ledger")).to_have_count(0)
    await pages.get_by_text("More").click()
    await page.keyboard.press("Escape")
    await expect(pages.get_by_role("link", name="Ledger")).to_have_count(0)


async def test_it_speaks_german_and_remembers(url: str, tab: OpenTab) -> None:
    page = await tab(url)
    await page.get_by_text("admin", exact=True).click()
    await page.get_by_label("Language").select_option("de")
    await expect(page.get_by_role("heading", name="Zonen")).to_be_visible()
    assert await page.evaluate("document.documentElement.lang") == "de"
    await page.reload()
    await expect(page.get_by_role("heading", name="Zonen")).to_be_visible()


async def test_without_a_session_it_asks_for_a_token(
    url: str, tab: OpenTab, complaints: list[str]
) -> None:
    page = await tab(f"{url}cockpit/jobs?q=b", token="")
    await page.get_by_label("Token").fill("wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("not known")
    await page.get_by_label("Token").fill(ADMIN_TOKEN)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#filter")).to_have_value("b")  # the view that was asked for
    complaints.clear()  # of the 401s, which a browser writes down as errors


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("path", PATHS)
async def test_nothing_of_it_is_out_of_reach(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, dark: bool, path: str
) -> None:
    await client.put("/v1/jobs/backup", json={"noop": True, "triggers": {"cron": "0 2 * * *"}})
    await client.post("/v1/jobs/backup/runs", json={})
    page = await tab(f"{url}{path}", dark=dark)
    await expect(page.locator("body")).to_contain_text("backup")
    assert await violations(page) == []
