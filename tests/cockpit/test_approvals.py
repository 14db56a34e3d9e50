"""What waits for the reader: in the overview, and on the run's page, with the two answers."""

from __future__ import annotations

from typing import Any

import httpx2
from playwright.async_api import expect

from tests.cockpit.accessibility import violations
from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab
from tests.cockpit.test_pages import confirm

pytestmark = IN_ONE_LOOP
PAYS: dict[str, Any] = {
    "tasks": {
        "sign": {"approval": {"text": "Pay out?"}},
        "later": {"approval": {"by": ["ann"]}, "needs": ["sign"]},
    }
}


async def test_what_waits_is_answered_where_it_is_seen(
    url: str, tab: OpenTab, client: httpx2.AsyncClient
) -> None:
    assert (await client.put("/v1/jobs/pays", json=PAYS)).status_code in (200, 201)
    yes, no = [(await client.post("/v1/jobs/pays/runs")).json()["id"] for _ in range(2)]
    page = await tab(f"{url}cockpit?span=")
    mine = page.get_by_role("region", name="Waits for your answer")
    await expect(mine).to_contain_text("2 tasks wait")
    await expect(mine).to_contain_text("Pay out?")
    assert await violations(page) == []
    await mine.get_by_role("listitem").nth(1).get_by_role("button", name="Approve").click()
    await page.get_by_label("Why (others read it)").fill("it is right")
    await confirm(page, "Approve")
    await expect(mine).to_contain_text("1 task waits")
    told = (await client.get(f"/v1/runs/{yes}")).json()["tasks"]["sign"]
    assert (told["state"], told["approval"]["reason"]) == ("succeeded", "it is right")

    await mine.get_by_role("link", name="pays, sign").click()
    await expect(page.get_by_text("May answer: whoever has the role approver, until")).to_be_visible()
    await page.get_by_role("button", name="Reject").click()
    await confirm(page, "Reject")
    await expect(page.get_by_text("Rejected by admin").first).to_be_visible()
    assert (await client.get(f"/v1/runs/{no}")).json()["state"] == "failed"
    assert await violations(page) == []
