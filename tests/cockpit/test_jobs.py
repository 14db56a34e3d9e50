"""Jobs in a real browser: ten thousands of them, many at once, one with its past, and its text written."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect

from scheduler.words.commands import ConnectAgent
from tests.api.single_node import ADMIN_TOKEN, SingleNode
from tests.cockpit.accessibility import violations
from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab
from tests.scheduler.story import KINDS

pytestmark = IN_ONE_LOOP
WRONG = """job: report
triggers:
  - corn: 0 2 * * *
tasks:
  a: {noop: true}
  b: {noop: true, needs: [a]}
"""


async def _put_many(client: httpx2.AsyncClient, count: int) -> None:
    for first in range(0, count, 500):
        jobs = [
            {"job": f"job-{number:04d}", "noop": True} for number in range(first, min(count, first + 500))
        ]
        assert (await client.post("/v1/apply", json={"jobs": jobs})).status_code == 200


async def test_of_many_jobs_those_in_view_are_drawn_and_held(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    await _put_many(client, 1_500)
    page = await tab(f"{url}cockpit/jobs")
    await expect(page.get_by_role("link", name="job-0000")).to_be_visible()
    for _ in range(100):  # a page of rows is fetched each time
        await page.evaluate("scrollTo(0, document.body.scrollHeight)")
        if await page.get_by_role("link", name="job-1499").count():
            break
        await page.wait_for_function("() => !document.querySelector('tr.waits')")
    await expect(page.get_by_role("link", name="job-1499")).to_be_visible()
    await expect(page.locator("main")).to_contain_text("1,500 jobs")
    assert await page.locator("table.long tbody tr").count() < 100
    await page.evaluate("scrollTo(0, 0)")
    await expect(page.get_by_role("link", name="job-0000")).to_be_visible()


async def test_a_list_that_cannot_be_shown_says_why(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, complaints: list[str]
) -> None:
    await _put_many(client, 1)
    page = await tab(f"{url}cockpit/jobs?state=asleep")
    await expect(page.get_by_role("alert")).to_contain_text("'asleep' is not one of active, paused")
    await expect(page.locator("main .head")).not_to_contain_text("0+ jobs")
    await page.goto(f"{url}cockpit/runs?state=asleep")
    await expect(page.get_by_role("alert")).to_contain_text("'asleep' is not one of pending, running")
    await page.goto("about:blank")  # by when the console has been heard
    complaints.clear()


async def test_many_are_paused_at_once_and_resumed(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    await _put_many(client, 30)
    page = await tab(f"{url}cockpit/jobs?q=job-001")
    await page.get_by_label("Choose job-0010").check()
    await page.get_by_label("Choose job-0011").check()
    await expect(page.get_by_role("region")).to_contain_text("2 chosen")
    await page.get_by_role("button", name="All that fit the filter").click()
    await page.get_by_role("region").get_by_role("button", name="Pause").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("10 jobs are paused")
    await dialog.get_by_role("button", name="Pause", exact=True).click()
    await expect(page.locator(".toast")).to_contain_text("10 jobs are paused")
    assert len((await client.get("/v1/jobs?state=paused")).json()["items"]) == 10
    await page.locator(".toast").get_by_role("button", name="Resume").click()
    await page.get_by_role("dialog").get_by_role("button", name="Resume", exact=True).click()
    await expect(page.locator(".toast")).to_contain_text("10 jobs go on")
    assert (await client.get("/v1/jobs?state=paused")).json()["items"] == []


async def test_a_job_is_written_mended_previewed_and_saved(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, node: SingleNode, complaints: list[str]
) -> None:
    page = await tab(f"{url}cockpit/jobs")
    await page.get_by_role("link", name="New job").first.click()
    text = page.get_by_role("textbox", name="The job, in YAML")
    await text.fill(WRONG)
    mistakes = page.locator("#mistakes")
    await expect(mistakes).to_contain_text("line 3")
    await expect(mistakes).to_contain_text("did you mean cron?")
    await expect(page.get_by_role("button", name="Check and save")).to_be_disabled()
    assert await violations(page) == []
    await page.get_by_role("button", name="unknown field 'corn'").click()
    selected = "node => node.value.slice(node.selectionStart, node.selectionEnd)"
    assert await text.evaluate(selected) == "corn: 0 2 * * *"
    await text.fill(WRONG.replace("corn", "cron"))
    await expect(mistakes).to_contain_text("No mistake")
    would = page.get_by_role("region", name="What it would do")
    await expect(would).to_contain_text("02:00:00")
    await expect(would.locator(".box").filter(has_text="b")).to_be_visible()
    await page.keyboard.press("Control+s")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("report is made")
    await dialog.get_by_role("button", name="Save", exact=True).click()
    await expect(page).to_have_url(re.compile("/cockpit/jobs/default/report$"))
    assert (await client.get("/v1/jobs/report")).json()["revision"] == 1
    complaints.clear()  # of the refusals while it was wrong


async def test_what_others_change_meanwhile_is_not_overwritten(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, complaints: list[str]
) -> None:
    await client.put("/v1/jobs/report", json={"noop": True})
    page = await tab(f"{url}cockpit/jobs/default/report/edit")
    text = page.get_by_role("textbox", name="The job, in YAML")
    await expect(text).to_have_value(re.compile("noop: true"))
    await client.put("/v1/jobs/report", json={"noop": True, "description": "theirs"})
    await text.fill("job: report\nnoop: true\ndescription: mine\n")
    await expect(page.locator("#mistakes")).to_contain_text("revision 1 was expected, found 2")
    await expect(page.get_by_role("button", name="Check and save")).to_be_disabled()
    complaints.clear()  # of the refusal


async def test_revisions_are_compared_and_the_comparison_has_an_address(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    await client.put("/v1/jobs/report", json={"noop": True, "description": "first"})
    await client.put("/v1/jobs/report", json={"noop": True, "description": "second"})
    page = await tab(f"{url}cockpit/jobs/default/report")
    await page.get_by_role("button", name="From revision 1 to 2").click()
    await expect(page).to_have_url(re.compile(r"\?revision=2&against=1$"))
    for _ in range(2):
        await expect(page.locator(".diff .removed")).to_contain_text("first")
        await expect(page.locator(".diff .added")).to_contain_text("second")
        await page.reload()


async def test_a_deleted_job_can_be_put_back(url: str, tab: OpenTab, client: httpx2.AsyncClient) -> None:
    await client.put("/v1/jobs/report", json={"noop": True, "description": "keep me"})
    page = await tab(f"{url}cockpit/jobs/default/report")
    await expect(page.get_by_text("description: keep me")).to_be_visible()
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    await expect(page).to_have_url(re.compile("/cockpit/jobs$"))
    assert (await client.get("/v1/jobs/report")).status_code == 404
    await page.locator(".toast").get_by_role("button", name="Put it back").click()
    await page.get_by_role("dialog").get_by_role("button", name="Put it back").click()
    await expect(page).to_have_url(re.compile("/cockpit/jobs/default/report$"))
    assert (await client.get("/v1/jobs/report")).json()["description"] == "keep me"


async def test_a_job_that_somebody_else_deletes_is_shown_as_deleted_and_can_be_put_back(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, complaints: list[str]
) -> None:
    await client.put("/v1/jobs/report", json={"noop": True, "description": "keep me"})
    run = (await client.post("/v1/jobs/report/runs")).json()["id"]
    page = await tab(f"{url}cockpit/jobs/default/report")
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    await client.delete("/v1/jobs/report")
    await expect(page.get_by_text("Deleted by admin")).to_be_visible()
    await expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    await expect(page.get_by_role("link", name=f"Run {run}")).to_be_visible()
    await expect(page.get_by_text("description: keep me")).to_be_visible()
    assert await violations(page) == []
    await page.get_by_role("button", name="Put it back").click()
    await page.get_by_role("dialog").get_by_role("button", name="Put it back").click()
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    complaints.clear()  # of the 404


async def test_the_command_that_a_dialog_offers_does_the_same_as_its_button(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    """It holds the text that was typed: there is no file of it anywhere."""
    page = await tab(f"{url}cockpit/jobs/new")
    await page.get_by_role("textbox", name="The job, in YAML").fill("job: report\nrun: echo \"it's $HOME\"\n")
    await expect(page.locator("#mistakes")).to_contain_text("No mistake")
    await page.get_by_role("button", name="Check and save").click()
    await page.get_by_text("The same by command line and API").click()
    offered = await page.get_by_role("dialog").locator("code").all_inner_texts()
    for number, command in enumerate(offered, 1):
        program = await asyncio.create_subprocess_exec(
            "bash", "-c", command, cwd="/",
            env={
                "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": "/nowhere",
                "CRONCLAVE_URL": url.rstrip("/"), "CRONCLAVE_TOKEN": ADMIN_TOKEN,
            },
        )  # fmt: skip
        assert await program.wait() == 0, command
        job = (await client.get("/v1/jobs/report")).json()
        assert job["tasks"]["main"]["run"] == 'echo "it\'s $HOME"', (number, command)
        await client.delete("/v1/jobs/report")
    assert [command.partition(" ")[0] for command in offered] == ["cronclave", "curl"]


@pytest.mark.parametrize("count", [2, 301])
async def test_a_graph_is_a_picture_as_long_as_it_helps(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, node: SingleNode, count: int
) -> None:
    node.apply(ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "0.1", "node-2", KINDS))
    tasks = {f"t{n}": {"noop": True, **({"needs": [f"t{n - 1}"]} if n else {})} for n in range(count)}
    job: dict[str, Any] = {"tasks": tasks, "triggers": [{"after": "before.succeeded"}]}
    if count <= 300:
        tasks["fetch"] = {"run": "true"}
        job["groups"] = {"download": {"tasks": ["fetch"], "sticky": True, "max_parallel": 3}}
    await client.put("/v1/jobs/before", json={"noop": True})
    assert (await client.put("/v1/jobs/graph", json=job)).status_code == 201
    page = await tab(f"{url}cockpit/jobs/default/graph")
    await expect(page.get_by_text("or when what its triggers wait for happens")).to_be_visible()
    awaits = page.get_by_role("region", name="What its triggers wait for")
    await expect(awaits.locator(".tree")).to_have_text(re.compile("unknown +before.succeeded"))
    await expect(awaits).to_contain_text("not yet: default/before")
    if count <= 300:
        await expect(page.locator(".box")).to_have_count(count + 2)
        name = page.locator(".box .name", has_text="download")  # its note is long, and gives way
        assert await name.evaluate("node => node.scrollWidth <= node.clientWidth")
    else:
        await expect(page.get_by_text("301 tasks, too many")).to_be_visible()
