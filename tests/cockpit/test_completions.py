"""A task that awaits its completion: how far it is, until when, and a person's word."""

from __future__ import annotations

from typing import Any

import httpx2
from playwright.async_api import expect

from tests.api.single_node import SingleNode
from tests.api.test_gateway import assign
from tests.api.working import connect, run_it
from tests.cockpit.accessibility import violations
from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab
from tests.cockpit.test_pages import confirm

pytestmark = IN_ONE_LOOP
JOB: dict[str, Any] = {"run": "submit", "async": {"timeout": "1h"}}


async def test_how_far_it_is_is_shown_and_a_person_completes_it(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, node: SingleNode
) -> None:
    agent = connect(node, "hands-on", pool="hands-on")
    job = {**JOB, "on": {"pool": "hands-on"}}
    assert (await client.put("/v1/jobs/hands-on", json=job)).status_code in (200, 201)
    run = (await client.post("/v1/jobs/hands-on/runs")).json()["id"]
    assign(node, run, agent)
    run_it(node, run, agent)
    path = f"/v1/runs/{run}/tasks/main/progress"
    told = await client.post(path, json={"percent": 40, "text": "table 3 of 7"})
    assert told.status_code == 200, told.text
    page = await tab(f"{url}cockpit/runs/{run}")
    await expect(page.get_by_text("table 3 of 7").first).to_be_visible()
    await expect(page.get_by_role("progressbar", name="How far it is")).to_have_attribute("value", "40")
    await expect(page.get_by_text("Somebody completes it, until")).to_be_visible()
    assert await violations(page) == []
    await page.get_by_role("button", name="Complete …").click()
    await page.get_by_label("As what it ends").select_option("failed")
    await page.get_by_label("Why (others read it)").fill("it is not in the queue")
    await confirm(page, "Complete")
    await expect(page.get_by_text("Completed as failed").first).to_be_visible()
    assert (await client.get(f"/v1/runs/{run}")).json()["state"] == "failed"
    assert await violations(page) == []
