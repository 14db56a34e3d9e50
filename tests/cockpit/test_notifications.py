"""Who was told what: seen, answered, muted; a receiver that takes nothing is named."""

from __future__ import annotations

import httpx2
from playwright.async_api import expect

from scheduler.machine.effects import FAILING
from scheduler.words import commands as c
from tests.api.single_node import SingleNode
from tests.cockpit.accessibility import violations
from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab
from tests.cockpit.test_pages import confirm
from tests.node.effects.parts import connect, fail_last

pytestmark = IN_ONE_LOOP


async def test_notices_are_seen_answered_and_muted(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, node: SingleNode
) -> None:
    connect(node)
    route = {"on": ["failed"], "to": ["pager"], "match": {"jobs": ["loud"]}}
    route["escalate"] = {"after": "30m", "to": ["pager"]}
    for path, body in [
        ("channels/pager", {"email": ["pager@example.org"]}),
        ("routes/loud", route),
        ("jobs/loud", {"noop": True}),
    ]:
        reply = await client.put(f"/v1/{path}", json=body)
        assert reply.status_code in (200, 201), reply.text
    assert (await client.post("/v1/jobs/loud/runs")).status_code == 201
    fail_last(node)
    (one,) = (await client.get("/v1/outbox")).json()["items"]
    for attempt in range(1, FAILING + 1):
        node.apply(c.ReportUnsent(one["id"], attempt, "connection refused"))

    page = await tab(f"{url}cockpit/notifications")
    notices = page.get_by_role("table", name="Notifications")
    await expect(notices).to_contain_text("default/pager")
    failing = page.get_by_role("region", name="Receivers that take nothing")
    await expect(failing).to_contain_text("5 tries failed since")
    assert await violations(page) == []
    await notices.get_by_role("button", name="Seen").click()
    await page.get_by_label("Why").fill("on it")
    await confirm(page, "Seen")
    await expect(notices).to_contain_text("seen by admin")
    node.apply(c.ReportSent(one["id"]))
    await expect(notices).to_contain_text("sent")
    await expect(failing).to_have_count(0)

    run = await tab(f"{url}cockpit/runs/{one['run']}")
    told = run.get_by_role("region", name="Who was told")
    await expect(told).to_contain_text("pager@example.org")
    await expect(told).to_contain_text("sent")
    await expect(told).to_contain_text("seen by admin")
    assert await violations(run) == []

    await page.get_by_role("button", name="Mute").click()
    await page.get_by_role("textbox", name="Job").fill("loud")
    await confirm(page, "Mute")
    muted = page.get_by_role("region", name="Muted")
    await expect(muted).to_contain_text("muted by admin until")
    await muted.get_by_role("button", name="Unmute").click()
    await confirm(page, "Unmute")
    await expect(muted).to_contain_text("Nothing is muted.")
    assert await violations(page) == []
    assert (await client.get("/v1/mutes")).json()["items"] == []
