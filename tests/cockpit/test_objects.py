"""What jobs refer to, in a real browser: lists, one with its past, its text written and mended; namespaces
and secrets."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from scheduler.model.objects import NAMES, kind_of
from tests.api.hooked import github
from tests.cockpit.accessibility import violations
from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab
from tests.cockpit.test_pages import BROKEN, GO, SPILLS, confirm

pytestmark = IN_ONE_LOOP
BERLIN = {
    "calendar": "berlin", "holidays": {"country": "DE", "subdivision": "BE"}, "exclude": ["12-24"],
    "extra_working": ["2026-11-28"], "description": "Days on which the bank is open", "owner": "treasury",
}  # fmt: skip
DSN = {"vars": "dsn", "values": {"host": "db1.example.org", "port": 5432, "readonly": True}}
SECRET = "correct horse battery"
OFFERED = (
    "Edit", "Delete", "New", "New secret", "New namespace", "Pause", "Take back", "Encrypt anew",
)  # fmt: skip


@pytest_asyncio.fixture(loop_scope="module")
async def furnished(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """One object of each kind, a job that uses one, a namespace with a quota, a secret."""
    put = await client.put("/v1/secrets/deploy-key", json={"value": SECRET, "grants": ["load"]})
    assert put.status_code == 201, put.text
    given = [kind_of(name).example for name in NAMES if name not in ("calendar", "vars")]
    job = {"job": "load", "noop": True, "vars": ["dsn"]}
    reply = await client.post("/v1/apply", json={"objects": [*given, BERLIN, DSN], "jobs": [job]})
    assert reply.status_code == 200, reply.text
    said: dict[str, Any] = {"description": "Closing and invoices", "owner": "ann", "quotas": {"jobs": 2}}
    assert (await client.put("/v1/namespaces/finance", json=said)).status_code == 201
    await client.put("/v1/jobs/close", json={"namespace": "finance", "noop": True})
    return client


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (400, True)])
async def test_every_page_of_objects_is_in_reach_and_fits(
    url: str, tab: OpenTab, furnished: httpx2.AsyncClient, width: int, dark: bool
) -> None:
    page = await tab(f"{url}cockpit/objects", width=width, dark=dark)
    shown = {
        "objects": "host=db1.example.org",
        "objects/calendars": "DE-BE",
        "objects/schedules": "0 18 L * *",
        "objects/resources": "4 in all",
        "objects/boards": "a notice stays 2d",
        "objects/hooks": "github, signed with deploy-key",
        "objects/secrets": "deploy-key",
        "objects/secrets?namespace=default&name=deploy-key": "Delete",
        "objects/vars/default/dsn": "CRONCLAVE_VAR_PORT",
        "objects/calendars/default/berlin?year=2026": "working days",
        "objects/vars/default/dsn/edit": "No mistake",
        "objects/vars/new": "No mistake",
        "namespaces": "1 of 2",
        "namespaces/finance": "Who has a role here",
        "namespaces/finance/edit": "No mistake",
        "namespaces/default": "Nobody declared it",
    }
    for path, text in shown.items():
        await page.evaluate(GO, f"/cockpit/{path}")
        await expect(page.locator("main")).to_contain_text(text)
        assert await violations(page) == [], path
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert await page.evaluate(SPILLS) == [], path
        assert await page.evaluate(BROKEN) == [], path
    await expect(page.locator("body")).not_to_contain_text(SECRET)


async def test_a_list_is_filtered_and_an_object_tells_who_refers_to_it(
    url: str, tab: OpenTab, furnished: httpx2.AsyncClient, complaints: list[str]
) -> None:
    await furnished.put("/v1/vars/other", json={"namespace": "finance", "values": {"a": 1}})
    page = await tab(f"{url}cockpit")
    await expect(page.locator(".bar .health")).to_contain_text("Healthy")
    await page.keyboard.press("g")
    await page.keyboard.press("o")
    await expect(page.locator("main")).to_contain_text("2 objects")
    await page.get_by_label("Namespace").select_option("finance")
    await expect(page).to_have_url(re.compile(r"/cockpit/objects\?namespace=finance$"))
    await expect(page.get_by_role("link", name="finance/other")).to_be_visible()
    await expect(page.get_by_role("link", name="dsn")).to_have_count(0)
    await page.get_by_label("Namespace").select_option("")
    await page.keyboard.press("Tab")
    await page.keyboard.press("/")
    await page.keyboard.type("nothing-like-it")
    await expect(page.get_by_text("Nothing matches these filters.")).to_be_visible()
    await page.get_by_role("searchbox").fill("ds")
    await page.get_by_role("link", name="dsn").click()
    referrers = page.get_by_role("region", name="Who refers to it")
    await referrers.get_by_role("link", name="load").click()
    await expect(page).to_have_url(re.compile("/cockpit/jobs/default/load$"))

    await page.go_back()
    await page.locator("main").get_by_role("button", name="Delete").click()  # refused, with who refers
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("vars default/dsn is referred to by job default/load")
    await expect(dialog.get_by_role("link", name="load")).to_be_visible()
    await dialog.get_by_text("The same by command line").click()
    await expect(dialog).to_contain_text("cronclave vars delete dsn")
    await expect(dialog).to_contain_text("""-H 'If-Match: "1"'""")
    complaints.clear()  # of the refusal


async def test_a_year_tells_each_day(url: str, tab: OpenTab, furnished: httpx2.AsyncClient) -> None:
    page = await tab(f"{url}cockpit/objects/calendars/default/berlin?year=2026")
    year = page.get_by_role("region", name="The year 2026")
    for day, said in (
        ("Thursday, December 24", "day off"),
        ("Friday, May 1", "day off"),
        ("Saturday, November 28", "worked all the same"),
        ("Sunday, May 3", "weekend"),
        ("Monday, May 4", "working day"),
    ):
        await expect(year.get_by_title(f"{day}: {said}")).to_be_visible()
    days = (await furnished.get("/v1/calendars/berlin/days?from=2026-01-01&to=2026-12-31")).json()["items"]
    working = sum(day["working"] for day in days)
    await expect(year.get_by_role("status")).to_contain_text(f"{working} working days")
    await year.get_by_role("button", name="Show 2027").click()
    await expect(page).to_have_url(re.compile("year=2027"))
    await expect(page.get_by_role("region", name="The year 2027")).to_be_visible()


async def test_an_edit_of_a_calendar_tells_which_ticks_move(
    url: str, tab: OpenTab, furnished: httpx2.AsyncClient
) -> None:
    daily = {"id": "daily", "cron": "0 6 * * *", "calendar": {"exclude": ["berlin"]}}
    await furnished.put("/v1/jobs/payroll", json={"noop": True, "triggers": [daily]})
    page = await tab(f"{url}cockpit/objects/calendars/default/berlin/edit")
    text = page.get_by_role("textbox", name="Its text, in YAML")
    await expect(text).to_have_value(re.compile("12-24"))
    await text.fill((await text.input_value()).replace("12-24", "12-23"))
    row = page.get_by_role("row").filter(has_text="payroll")
    await expect(row.get_by_role("cell").nth(1)).to_contain_text(re.compile(r"Dec 23.*, Dec 23, \d{4}"))
    await expect(row.get_by_role("cell").nth(2)).to_contain_text(re.compile(r"Dec 24.*, Dec 24, \d{4}"))
    assert await violations(page) == []


async def test_the_palette_finds_objects_and_secrets(
    url: str, tab: OpenTab, furnished: httpx2.AsyncClient, complaints: list[str]
) -> None:
    page = await tab(f"{url}cockpit")
    await expect(page.locator(".bar .health")).to_contain_text("Healthy")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("deploy")
    await expect(page.get_by_role("option", name="deploy-key")).to_contain_text("Secrets, in default")
    await expect(page.get_by_role("option", name="deploys")).to_contain_text("Hooks, in default")
    await page.get_by_role("option", name="deploys").click()
    await expect(page).to_have_url(re.compile("/cockpit/objects/hooks/default/deploys$"))
    assert complaints == []


async def test_an_object_is_written_mended_changed_and_put_back(
    url: str, tab: OpenTab, furnished: httpx2.AsyncClient, complaints: list[str]
) -> None:
    page = await tab(f"{url}cockpit/objects/vars/new")
    text = page.get_by_role("textbox", name="Its text, in YAML")
    await text.fill("vars: shop\nvaluess: {a: 1}\n")
    mistakes = page.locator("#mistakes")
    await expect(mistakes).to_contain_text("line 2")
    await expect(mistakes).to_contain_text("did you mean values?")
    await text.fill("vars: shop\nvalues: {a: 1}\n")
    await expect(mistakes).to_contain_text("No mistake")
    await page.keyboard.press("Control+s")
    await confirm(page, "Save")
    await expect(page).to_have_url(re.compile("/cockpit/objects/vars/default/shop$"))
    await expect(page.get_by_role("region", name="Who refers to it")).to_be_visible()
    await page.keyboard.press("e")
    await text.fill("vars: shop\nvalues: {a: 2}\n")
    would = page.get_by_role("region", name="What it would do")
    await expect(would.locator(".added")).to_contain_text("values: {a: 2}")
    await page.get_by_role("button", name="Check and save").click()
    await confirm(page, "Save")
    await expect(page.get_by_role("button", name="From revision 1 to 2")).to_be_visible()
    await page.get_by_role("button", name="From revision 1 to 2").click()
    await expect(page).to_have_url(re.compile(r"\?revision=2&against=1$"))
    await expect(page.locator(".diff .removed")).to_contain_text("a: 1")
    await page.locator("main").get_by_role("button", name="Delete").click()
    await confirm(page, "Delete")
    await expect(page).to_have_url(re.compile("/cockpit/objects/vars$"))
    assert (await furnished.get("/v1/vars/shop")).status_code == 404
    await page.evaluate(GO, "/cockpit/objects/vars/default/shop")  # its page is left, with what it was
    await expect(page.get_by_text("Deleted by admin")).to_be_visible()
    await expect(page.locator("main pre")).to_contain_text("a: 2")
    await page.locator("main").get_by_role("button", name="Put it back").click()
    await confirm(page, "Put it back")
    await expect(page).to_have_url(re.compile("/cockpit/objects/vars/default/shop$"))
    assert (await furnished.get("/v1/vars/shop")).json()["values"] == {"a": 2}
    complaints.clear()  # of the refusals while it was wrong


async def _pause(page: Page, reason: str) -> None:
    await page.locator("main").get_by_role("button", name="Pause", exact=True).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Why").fill(reason)
    await dialog.get_by_label("Until").fill("2199-01-31T23:00")
    await confirm(page, "Pause")


async def test_a_namespace_is_paused_edited_and_not_taken_back_while_it_has_jobs(
    url: str, tab: OpenTab, furnished: httpx2.AsyncClient, complaints: list[str]
) -> None:
    for name, role, of in (("clerk", "operator", ["finance"]), ("cook", "viewer", ["kitchen"])):
        await furnished.post("/v1/tokens", json={"name": name, "role": role, "namespaces": of})
    page = await tab(f"{url}cockpit/namespaces")
    await page.get_by_role("link", name="finance").click()
    roles = page.get_by_role("region", name="Who has a role here")
    await expect(roles).to_contain_text("clerk operator")
    await expect(roles).not_to_contain_text("cook")
    await _pause(page, "the books are closed")
    await expect(page.locator("main")).to_contain_text("the books are closed")
    standing = (await furnished.get("/v1/namespaces/finance")).json()["pause"]
    assert (standing["reason"], standing["until"][:10]) == ("the books are closed", "2199-01-31")
    await page.locator("main").get_by_role("button", name="Resume", exact=True).click()
    await confirm(page, "Resume")
    await expect(page.locator("main").get_by_role("button", name="Pause", exact=True)).to_be_visible()

    await page.get_by_role("link", name="Who changed what").click()
    row = page.get_by_role("row").filter(has_text="changed").first
    await row.get_by_role("link", name="finance").click()
    await page.get_by_role("button", name="Take back").click()
    await expect(page.get_by_role("dialog")).to_contain_text("namespace finance has 1 job")
    await page.keyboard.press("Escape")
    await page.get_by_role("link", name="Edit").click()
    text = page.get_by_role("textbox", name="Its text, in YAML")
    await expect(text).to_have_value(re.compile("jobs: 2"))
    await text.fill("namespace: finance\nowner: bob\npools: [etl]\n")
    await expect(page.get_by_role("region", name="Jobs that use other pools")).to_contain_text("close")
    await page.keyboard.press("Control+s")
    await confirm(page, "Save")
    await expect(page).to_have_url(re.compile("/cockpit/namespaces/finance$"))
    assert (await furnished.get("/v1/namespaces/finance")).json()["owner"] == "bob"
    complaints.clear()  # of what was refused


async def test_what_a_namespace_gives_its_jobs_is_shown_at_both(
    url: str, tab: OpenTab, furnished: httpx2.AsyncClient
) -> None:
    page = await tab(f"{url}cockpit/namespaces/finance/edit")
    text = page.get_by_role("textbox", name="Its text, in YAML")
    await text.fill("namespace: finance\ndefaults: {policies: {timeout: 2h}}\n")
    await expect(page.get_by_role("region", name="Jobs that follow")).to_contain_text("close")
    given = {"job": "report", "namespace": "finance", "run": "true"}
    said = {"defaults": {"policies": {"timeout": "2h"}}}
    assert (await furnished.put("/v1/namespaces/finance", json=said)).status_code == 200
    await furnished.put("/v1/jobs/report", json=given)
    page = await tab(f"{url}cockpit/jobs/finance/report")
    await page.get_by_text("1 value comes from the namespace").click()
    assert await violations(page) == []
    row = page.get_by_role("row").filter(has_text="policies.timeout")
    await expect(row).to_contain_text('"2h"')
    await page.get_by_role("link", name="finance", exact=True).click()
    await expect(page.locator("main")).to_contain_text("timeout: 2h")


async def test_a_secret_goes_in_and_is_never_shown(
    url: str, tab: OpenTab, furnished: httpx2.AsyncClient, complaints: list[str]
) -> None:
    page = await tab(f"{url}cockpit/objects/secrets")
    await page.get_by_role("button", name="New secret").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name", exact=True).fill("DB_PASSWORD")
    await dialog.get_by_label("Value").fill(SECRET)
    await dialog.get_by_label("Jobs that may use it").fill("load, nightly-*")
    await dialog.get_by_text("The same by command line").click()
    told = "cronclave secret put DB_PASSWORD --job load --job 'nightly-*' < FILE"
    await expect(dialog).to_contain_text(told)
    assert SECRET not in await dialog.inner_text()
    await confirm(page, "New secret")
    row = page.get_by_role("row", name=re.compile("DB_PASSWORD"))
    await expect(row).to_contain_text("load, nightly-*")
    assert (await furnished.get("/v1/secrets/DB_PASSWORD")).json()["grants"] == ["load", "nightly-*"]

    await page.get_by_role("button", name="New value for DB_PASSWORD").click()
    await dialog.get_by_label("Value").fill("abc")
    await confirm(page, "New value")
    await expect(dialog).to_contain_text("fewer than 4 letters")
    await dialog.get_by_label("Value").fill(f"{SECRET} staple")
    await confirm(page, "New value")
    await expect(row).to_contain_text("version 2")
    await page.get_by_role("button", name="Who may use DB_PASSWORD").click()
    await dialog.get_by_role("checkbox", name="nightly-*").uncheck()
    await dialog.get_by_label("Also these").fill("close")
    await confirm(page, "Who may")
    await expect(row).to_contain_text("close, load")

    await page.get_by_role("button", name="Delete deploy-key").click()  # a hook names it
    await expect(dialog).to_contain_text("hook default/deploys")
    await expect(dialog.get_by_role("link", name="deploys")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Delete DB_PASSWORD").click()
    await confirm(page, "Delete")
    await expect(row).to_have_count(0)
    assert SECRET not in await page.content()
    complaints.clear()  # of what was refused


async def test_who_may_only_look_sees_objects_and_changes_nothing(
    url: str, tab: OpenTab, furnished: httpx2.AsyncClient
) -> None:
    made = await furnished.post("/v1/tokens", json={"name": "eyes", "role": "viewer"})
    page = await tab(f"{url}cockpit/objects/vars/default/dsn", token=made.json()["token"])
    await expect(page.locator("main")).to_contain_text("CRONCLAVE_VAR_PORT")
    paths = {
        "objects/vars/default/dsn": "CRONCLAVE_VAR_PORT", "objects": "dsn", "objects/secrets": "deploy-key",
        "namespaces": "finance", "namespaces/finance": "Closing and invoices",
    }  # fmt: skip
    for path, text in paths.items():
        await page.evaluate(GO, f"/cockpit/{path}")
        await expect(page.locator("main")).to_contain_text(text)
        for name in OFFERED:
            await expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
            await expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)


async def test_a_hook_shows_what_came_and_what_came_of_it(
    url: str, tab: OpenTab, furnished: httpx2.AsyncClient
) -> None:
    job = {"noop": True, "triggers": {"webhook": "deploys", "id": "push"}}
    assert (await furnished.put("/v1/jobs/deploy", json=job)).status_code == 201
    page = await tab(f"{url}cockpit/objects/hooks/default/deploys")
    came = page.locator("section", has=page.get_by_role("heading", name="Deliveries of the last day"))
    await expect(came).to_contain_text("Nothing came.")
    headers = github(b"{}", secret=SECRET, id="guid-7")
    sent = await furnished.post("/v1/hooks/deploys", content=b"{}", headers=headers)
    assert sent.status_code == 202, sent.text
    (firing,) = sent.json()["firings"]
    await expect(came).to_contain_text("guid-7")  # live
    await expect(came.get_by_role("link", name=f"#{firing['run']}")).to_be_visible()
    assert await violations(page) == []
    await came.get_by_role("link", name="deploy", exact=True).click()
    await expect(page.get_by_text("each delivery to deploys")).to_be_visible()


async def test_a_board_shows_its_notices(url: str, tab: OpenTab, furnished: httpx2.AsyncClient) -> None:
    page = await tab(f"{url}cockpit/objects/boards/default/stock")
    stand = page.locator("section", has=page.get_by_role("heading", name="Notices"))
    await expect(stand).to_contain_text("Nothing stands there.")
    posted = await furnished.post("/v1/boards/stock/notices", json={"key": "counted"})
    assert posted.status_code == 201, posted.text
    await expect(stand).to_contain_text("counted")  # live
    assert await violations(page) == []


async def test_a_resource_shows_who_holds_some_and_who_waits(
    url: str, tab: OpenTab, furnished: httpx2.AsyncClient
) -> None:
    made = await furnished.put("/v1/resources/slots", json={"count": 2})
    assert made.status_code == 201, made.text
    job = {"run": "true", "locks": [{"resource": "slots", "amount": 2}], "on": {"pool": "nowhere"}}
    assert (await furnished.put("/v1/jobs/takes", json=job)).status_code == 201
    page = await tab(f"{url}cockpit/objects/resources/default/slots")
    waits = page.locator("section", has=page.get_by_role("heading", name="Who waits"))
    holds = page.locator("section", has=page.get_by_role("heading", name="Who holds some"))
    await expect(waits).to_contain_text("Nobody waits.")
    await expect(holds).to_contain_text("2 of 2 free")
    run = (await furnished.post("/v1/jobs/takes/runs", json={})).json()["id"]
    await expect(waits.get_by_role("link", name=f"#{run}")).to_be_visible()  # live
    assert await violations(page) == []
