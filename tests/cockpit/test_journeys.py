"""What people come for, in a real browser, on a real cluster of `cronclave dev`: an agent in each zone.

One cluster for all of the module. Each journey leaves it whole: what it broke is taken back.
"""

from __future__ import annotations

import http.client
import json
import re
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from bench.client import Client
from bench.cluster import free_base_port, wait_for
from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab
from tests.e2e.cluster import DEADLINE_S, PORTS
from tests.e2e.dev_cluster import client_of, running_dev

pytestmark = [pytest.mark.cluster, IN_ONE_LOOP]

PATH = "/v1/demonstration"
FAILS = r"""printf '\033[32mINFO\033[0m copied 41 tables\n\033[1;31mERROR\033[0m disk full\n'; exit 3"""
SLOW = "for i in $(seq 1 6000); do echo line $i; sleep 0.1; done"


class Cluster:
    """Its nodes' addresses, its token, and a client that asks whichever node answers."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts
        self.urls = [node["url"] for node in facts["nodes"]]
        self.token: str = facts["token"]
        self.client: Client = client_of(facts)

    def faults(self, wish: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Of the first node that answers, after this wish."""
        return wait_for(lambda: self._asked(wish), DEADLINE_S, "a node tells of its faults", 0.2)

    def _asked(self, wish: dict[str, Any] | None) -> list[dict[str, Any]] | None:
        for url in self.urls:
            request = urllib.request.Request(
                url + PATH,
                None if wish is None else json.dumps(wish).encode(),
                {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            )
            try:
                with urllib.request.urlopen(request, timeout=10) as reply:
                    found: list[dict[str, Any]] = json.load(reply)["items"]
                    return found
            except (OSError, http.client.HTTPException, ValueError):
                continue
        return None

    def mend(self) -> None:
        """Whole again: nothing stands, every node is ready, every agent is connected."""
        for fault in self.faults():
            if fault["stands"]:
                self.faults({"kind": fault["kind"], "target": fault["target"], "stands": False})
        wait_for(self._is_whole, 2 * DEADLINE_S, "three nodes ready, three agents connected", 0.1)

    def _is_whole(self) -> bool:
        try:
            ready = all(self.client.send("GET", "/readyz", node=i).status == 200 for i in range(3))
            return ready and sum(a["connected"] for a in self.client.items("/v1/agents")) == 3
        except Exception:  # nodes that start yet
            return False

    def put(self, name: str, **fields: Any) -> None:
        self.client.ask("PUT", f"/v1/jobs/{name}", fields)


@pytest.fixture(scope="module")
def founded_dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    data = tmp_path_factory.mktemp("journeys") / "dev"
    with running_dev(data, free_base_port(*PORTS, 3), "--agents", "3") as dev:
        cluster = Cluster(dev.ready())
        with closing(cluster.client):
            cluster.mend()
            yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def cluster(founded_dev: Cluster) -> AsyncIterator[Cluster]:
    yield founded_dev
    founded_dev.mend()


async def confirm(page: Page, text: str) -> None:
    await page.get_by_role("dialog").get_by_role("button", name=text, exact=True).click()


async def test_the_run_that_failed_is_found_and_its_log_is_read(cluster: Cluster, tab: OpenTab) -> None:
    cluster.put("nightly-copy", run=FAILS)
    run = cluster.client.ask("POST", "/v1/jobs/nightly-copy/runs", {}).json()["id"]
    wait_for(lambda: cluster.client.get(f"/v1/runs/{run}")["finished"], DEADLINE_S, "it failed", 0.1)
    page = await tab(f"{cluster.urls[0]}/cockpit", token=cluster.token)
    await page.get_by_role("link", name="Runs", exact=True).click()
    await page.get_by_label("State of runs").select_option("failed")
    await page.get_by_role("searchbox").fill("nightly-copy")
    await page.get_by_role("link", name=f"Open run {run}").click()
    log = page.get_by_role("region", name=re.compile("^Output of nightly-copy"))
    await expect(log.locator(".fore-1.bold")).to_have_text("ERROR")
    await expect(log).to_contain_text("disk full")
    await page.get_by_text("Attempts: 1").click()
    await expect(page.get_by_role("row", name=re.compile("failed .* 3"))).to_be_visible()


async def test_output_comes_while_it_is_written(cluster: Cluster, tab: OpenTab) -> None:
    cluster.put("slow", run=SLOW)
    run = cluster.client.ask("POST", "/v1/jobs/slow/runs", {}).json()["id"]
    page = await tab(f"{cluster.urls[1]}/cockpit/runs/{run}", token=cluster.token)
    log = page.get_by_role("region", name=re.compile("^Output of slow"))
    await expect(log.locator(".line").nth(4)).to_have_text("line 5")
    await expect(page.get_by_text("Follows what comes")).to_be_visible()
    seen = await log.locator(".line").count()
    await expect(log.locator(".line").nth(seen + 10)).to_be_attached()
    await page.get_by_role("button", name="Cancel run").click()
    await confirm(page, "Cancel run")
    await expect(page.locator(".head .status").first).to_have_text(re.compile("cancelled"))


async def test_a_zone_is_lost_and_the_ledger_is_whole(cluster: Cluster, tab: OpenTab) -> None:
    page = await tab(f"{cluster.urls[0]}/cockpit/cluster", token=cluster.token)
    health = page.locator(".bar .health")
    await expect(health).to_contain_text("Healthy")
    await page.get_by_role("button", name="Lose zone-b").click()
    await confirm(page, "Lose zone-b")
    await expect(health).to_contain_text("Degraded")
    await expect(page.get_by_role("row", name=re.compile("^node-2"))).to_contain_text("unreachable")

    await page.get_by_role("link", name="Ledger", exact=True).first.click()
    await page.get_by_role("button", name="Hour").click()
    await expect(page.get_by_text("Whole: every due tick")).to_be_visible()
    await expect(page.get_by_text("0 ticks were due")).to_have_count(0)

    await page.get_by_role("link", name="Cluster", exact=True).click()
    await page.locator("#main").get_by_role("button", name="Bring zone-b back").click()
    await confirm(page, "Bring zone-b back")
    await expect(health).to_contain_text("Healthy")


async def test_the_page_survives_the_node_that_serves_it(
    cluster: Cluster, tab: OpenTab, complaints: list[str]
) -> None:
    page = await tab(f"{cluster.urls[2]}/cockpit/agents?open=agent-1", token=cluster.token)
    await expect(page.get_by_role("button", name="agent-1", exact=True)).to_be_visible()
    cluster.faults({"kind": "kill-node", "target": "node-3", "stands": True})
    await expect(page).not_to_have_url(re.compile(re.escape(cluster.urls[2])))
    await expect(page).to_have_url(re.compile(r"/cockpit/agents\?open=agent-1"))
    await expect(page.get_by_role("button", name="agent-1", exact=True)).to_be_visible()
    complaints.clear()  # of refused connections


async def test_without_a_quorum_it_says_what_is_wrong_and_what_to_do(
    cluster: Cluster, tab: OpenTab, complaints: list[str]
) -> None:
    page = await tab(f"{cluster.urls[0]}/cockpit/cluster", token=cluster.token)
    await expect(page.locator(".bar .health")).to_contain_text("Healthy")
    for node in ("node-2", "node-3"):
        cluster.faults({"kind": "kill-node", "target": node, "stands": True})
    alarm = page.get_by_role("alert")
    await expect(alarm).to_contain_text("node-3")
    await expect(alarm).to_contain_text("cronclave cluster recover")
    await expect(page.locator(".bar .health")).to_contain_text("No quorum")
    cluster.mend()
    await expect(page.locator(".bar .health")).to_contain_text("Healthy")
    complaints.clear()  # of what a node without a quorum refuses


async def test_all_of_it_goes_by_keys(cluster: Cluster, tab: OpenTab) -> None:
    page = await tab(f"{cluster.urls[0]}/cockpit", token=cluster.token)
    await expect(page.locator(".bar .health")).to_contain_text("Healthy")
    await page.keyboard.press("g")
    await page.keyboard.press("a")
    await expect(page.get_by_role("heading", name="Agents", exact=True)).to_be_visible()
    await expect(page.get_by_role("button", name="agent-2", exact=True)).to_be_visible()
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("agent-2")
    await expect(page).to_have_url(re.compile("q=agent-2"))
    for key in ("Tab", "Tab"):
        await page.keyboard.press(key)
    agent = page.get_by_role("button", name="agent-2", exact=True)
    await expect(agent).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(agent).to_have_attribute("aria-expanded", "true")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("greet")
    await expect(page.get_by_role("option", name=re.compile("greet")).first).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
