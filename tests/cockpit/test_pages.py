"""The pages of runs, agents, the cluster, the ledger and access: what they show, what can be done there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.ports import ApiSettings
from scheduler.words.commands import DisconnectAgent, Finish, MarkUnreachable, TellProof
from tests.api.served import served
from tests.api.single_node import SingleNode, peer
from tests.api.working import go_on
from tests.cockpit.accessibility import violations
from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab
from tests.cockpit.house import House, furnish, grant

pytestmark = IN_ONE_LOOP
MEMBERS = 600  #: more than a page shows
SPILLS = """[...document.querySelectorAll("table.even td")]
  .filter((cell) => cell.checkVisibility() && cell.scrollWidth > cell.clientWidth + 1)
  .map((cell) => [cell.textContent, cell.scrollWidth, cell.clientWidth])"""
#: Words that are cut in two, though they are short: at a phone's width nobody can read "connect", "ed".
BROKEN = """(() => {
  const found = [], range = document.createRange();
  const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (!node.parentElement.checkVisibility() || node.parentElement.closest("code, pre, h1, svg")) continue;
    for (const word of node.data.matchAll(/[\\p{L}\\d]{2,14}/gu)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((each) => Math.round(each.top)));
      if (lines.size > 1) found.push(word[0]);
    }
  }
  return found;
})()"""
#: What has the focus: null where it has left the page's own controls.
FOCUSED = """(() => {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const look = getComputedStyle(node), box = node.getBoundingClientRect();
  const label = node.getAttribute("aria-label") || node.labels?.[0]?.textContent;
  const name = (label || node.textContent || node.title).trim();
  return { name, seen: box.width > 0 && box.height > 0, ring: look.outlineStyle !== "none" };
})()"""
TABS_MAX = 120
GO = "(to) => { history.pushState(null, '', to); dispatchEvent(new Event('popstate')); }"


@pytest_asyncio.fixture(loop_scope="module")
async def house(node: SingleNode, client: httpx2.AsyncClient) -> House:
    return await furnish(node, client)


async def confirm(page: Page, text: str) -> None:
    """Press the button of the open dialog."""
    await page.get_by_role("dialog").get_by_role("button", name=text, exact=True).click()


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (400, True)])
async def test_every_page_is_in_reach_and_fits(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, house: House, width: int, dark: bool
) -> None:
    await client.post("/v1/tokens", json={"name": "submitter-of-the-night", "role": "submitter"})
    page = await tab(f"{url}cockpit/runs/{house.failed}", width=width, dark=dark)
    shown = {
        f"runs/{house.failed}": "too many connections",
        "agents?open=agent-1": "hello",
        "cluster": "Who led when",
        "ledger": "Whole: every due tick",
        "access?make=yes": "Its secret is shown once",
        "plan?date=2099-12-25": "What the day of a namespace brings",
        "audit?action=put,delete,pause,resume": "Who changed what",
    }
    for path, text in shown.items():
        await page.evaluate(GO, f"/cockpit/{path}")
        await expect(page.locator("body")).to_contain_text(text)
        assert await violations(page) == [], path
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert await page.evaluate(SPILLS) == [], path
        assert await page.evaluate(BROKEN) == [], path


async def test_by_keyboard_each_control_is_reached_has_a_name_and_shows_that_it_is_meant(
    url: str, tab: OpenTab, house: House
) -> None:
    page = await tab(f"{url}cockpit/jobs")
    await expect(page.get_by_role("link", name="nightly-report").first).to_be_visible()  # it is logged in
    job = "/cockpit/jobs/default/nightly-report"
    paths = (job, f"{job}/why", f"{job}/backfills", "/cockpit/plan", f"/cockpit/runs/{house.failed}")
    for path in paths:
        await page.goto(f"{url}{path[1:]}")
        await expect(page.locator("main h1")).to_be_attached()
        await expect(page.locator("main .note[role=status]")).to_have_count(0)  # all of it is there
        found = []
        for _ in range(TABS_MAX):
            await page.keyboard.press("Tab")
            if (focused := await page.evaluate(FOCUSED)) is None:
                break
            found.append(focused)
        assert len(found) < TABS_MAX, path
        assert [each for each in found if not (each["name"] and each["seen"] and each["ring"])] == [], path


async def test_a_run_tells_what_failed_and_what_it_wrote(url: str, tab: OpenTab, house: House) -> None:
    page = await tab(f"{url}cockpit/runs/{house.failed}")
    await expect(page.get_by_role("heading", name=f"Run {house.failed}")).to_be_visible()
    await expect(page.get_by_role("link", name="load: failed")).to_be_visible()  # of the graph
    log = page.get_by_role("region", name=re.compile("Output of nightly-report"))
    await expect(log).to_contain_text("ERROR too many connections")  # of the task that failed, unasked
    await expect(log.locator(".fore-1.bold", has_text="ERROR")).to_be_attached()
    await expect(log).not_to_contain_text("[31m")

    await page.get_by_placeholder("Find").fill("ROWS")
    await expect(page.get_by_text("1 of 60")).to_be_visible()
    await page.get_by_placeholder("Find").press("Enter")
    await expect(page.get_by_text("2 of 60")).to_be_visible()
    await page.get_by_label("Wrap lines").uncheck()
    await expect(page).to_have_url(re.compile(r"find=ROWS&wrap=no$"))
    await page.reload()
    await expect(page.get_by_text("1 of 60")).to_be_visible()
    await expect(log).to_have_class(re.compile("long-lines"))

    async with page.expect_download() as loaded:
        await page.get_by_role("link", name="Download").click()
    assert (await loaded.value).suggested_filename == f"nightly-report-{house.failed}-load.txt"
    await page.get_by_role("link", name="transform: succeeded").click()
    await expect(page).to_have_url(re.compile("task=transform"))
    await expect(page.get_by_role("region", name=re.compile("transform$"))).to_contain_text("read 5723 rows")


async def test_output_that_cannot_be_asked_for_is_not_called_empty(
    url: str, tab: OpenTab, house: House, node: SingleNode
) -> None:
    ((attempt, agent, session),) = node.store.rows(
        "SELECT a.id, g.id, g.session FROM attempts a JOIN agents g ON g.id = a.agent WHERE a.run = ?",
        (house.running,),
    )
    node.apply(DisconnectAgent(agent, session, "node-2"))
    page = await tab(f"{url}cockpit/runs/{house.running}")
    away = page.get_by_text("is not connected: what it wrote shows when it is back")
    await expect(away).to_be_visible()  # before it is called unreachable, too
    ((since_ms,),) = node.store.rows("SELECT disconnected_ms FROM agents WHERE id = ?", (agent,))
    node.apply(MarkUnreachable(node.machine.state.epoch, attempt, since_ms))
    await expect(page.get_by_role("button", name="Vouch that it ended")).to_be_visible()
    await expect(away).to_be_visible()
    await expect(page.get_by_text("Nothing written yet")).to_have_count(0)


async def test_a_run_is_made_again_and_cancelled(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, house: House
) -> None:
    page = await tab(f"{url}cockpit/runs/{house.failed}")
    await page.get_by_role("button", name="Run again").click()
    await page.get_by_role("dialog").get_by_text("The same by command line").click()
    await expect(page.get_by_role("dialog")).to_contain_text("--param day=2026-11-28")
    await confirm(page, "Run again")
    await expect(page).not_to_have_url(re.compile(f"/{house.failed}$"))
    await expect(page.get_by_role("heading", name=re.compile("^Run"))).to_be_visible()
    made = int(page.url.rpartition("/")[2])
    assert (await client.get(f"/v1/runs/{made}")).json()["params"] == {"day": "2026-11-28"}
    await page.get_by_role("button", name="Cancel run").click()
    await confirm(page, "Cancel run")
    await expect(page.locator(".head .status").first).to_have_text(re.compile("cancelled"))


async def test_a_run_is_repeated_from_what_failed(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, house: House
) -> None:
    page = await tab(f"{url}cockpit/runs/{house.failed}", width=390)
    await page.get_by_role("button", name="Repeat").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Taken over:")
    assert await dialog.evaluate("(box) => box.scrollWidth <= box.clientWidth")
    await dialog.get_by_label("What of it").select_option("all")
    await expect(dialog).not_to_contain_text("Taken over:")
    await dialog.get_by_label("What of it").select_option("failed")
    await dialog.get_by_text("The same by command line").click()
    await expect(dialog).to_contain_text(f"run rerun {house.failed} --from-failed")
    await confirm(page, "Repeat")
    await expect(page).not_to_have_url(re.compile(f"/{house.failed}$"))
    await expect(page.get_by_role("link", name=f"#{house.failed}").first).to_be_visible()
    made = (await client.get(f"/v1/runs/{page.url.rpartition('/')[2]}")).json()
    assert (made["rerun"]["of"], made["rerun"]["from_failed"]) == (house.failed, True)
    await client.post(f"/v1/runs/{made['id']}/cancel")


FAMILY = {
    "tasks": {
        "child": {"job": {"name": "small"}}, "a": {"run": "true"}, "b": {"run": "true", "needs": ["a"]},
        "mend": {"noop": True}, "tidy": {"noop": True},
    },
    "groups": {"load": {"tasks": ["a", "b"], "catch": ["mend"], "needs": ["child"]}},
    "finally": ["tidy"], "policies": {"on_failure": "end"},
}  # fmt: skip


def _end(node: SingleNode, run: int, task: str, exit_code: int) -> None:
    """The attempt of this task ends so."""
    grant(node)
    ((attempt, agent),) = node.store.rows(
        "SELECT a.id, a.agent FROM attempts a JOIN tasks t ON t.id = a.task"
        " WHERE a.live = 1 AND a.run = ? AND t.name = ?",
        (run, task),
    )
    now_ms = node.now_ms()
    told = f"{task} wrote this\n".encode()
    node.apply(
        Finish(attempt, agent, now_ms - 5, now_ms, exit_code, "exit", tail=told, output_bytes=len(told))
    )


async def test_a_run_leads_to_the_first_cause_and_to_the_runs_that_it_began(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, house: House, node: SingleNode
) -> None:
    await client.put("/v1/jobs/small", json={"run": "true"})
    assert (await client.put("/v1/jobs/family", json=FAMILY)).status_code == 201
    run = int((await client.post("/v1/jobs/family/runs")).json()["id"])
    grant(node)
    child = (await client.get(f"/v1/runs/{run}")).json()["tasks"]["child"]["run"]
    page = await tab(f"{url}cockpit/runs/{run}")
    await expect(page.get_by_text("Its work is a run of another job")).to_contain_text(f"Run {child}")
    _end(node, child, "main", 0)
    grant(node)  # so that the group begins
    await page.evaluate("localStorage.setItem('language', 'de')")
    await page.reload()
    waits = page.get_by_role("region", name="Worauf er wartet")
    await expect(waits).to_contain_text("Aufgaben darin")
    await expect(waits).to_contain_text("2 of its tasks have not ended, in round 1")
    _end(node, run, "a", 0)
    await expect(waits).to_contain_text("1 of its tasks has not ended, in round 1")
    _end(node, run, "b", 3)

    # The group failed since b did, whose output it is; what is done after a failure, and finally, is named.
    await page.reload()
    log = page.get_by_role("region", name=re.compile(f"^Ausgabe von family-{run}-b$"))
    await expect(log).to_contain_text("b wrote this")
    await expect(page.get_by_text("Versuche: 3")).to_be_visible()  # of mend too, which goes where b ended
    for name, part in (("tidy", "finally"), ("mend", "catch")):
        box = page.locator("a.box", has_text=name)
        await expect(box.locator(".part")).to_have_text(part)
    began = page.locator("a.bar-of")
    await expect(began).to_have_attribute("href", f"/cockpit/runs/{child}")
    await page.locator("a.box", has_text="load").click()
    await expect(page.get_by_text("Eine Gruppe schreibt selbst nichts")).to_contain_text("mend")
    assert await violations(page) == []
    await began.click()
    await expect(page.get_by_role("heading", name=f"Lauf {child}")).to_be_visible()


async def test_a_member_is_looked_at_and_held_though_it_is_none_of_the_first(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, house: House, node: SingleNode
) -> None:
    job = {"tasks": {"many": {"run": "x", "fanout": {"n": MEMBERS}}}}
    assert (await client.put("/v1/jobs/divided", json=job)).status_code == 201
    run = (await client.post("/v1/jobs/divided/runs")).json()["id"]
    last = f"{MEMBERS - 1}"
    path = f"/v1/runs/{run}/tasks/many/members?member={last}"
    go_on(node)
    page = await tab(f"{url}cockpit/runs/{run}?task=many&member={last}")
    members = page.get_by_role("region", name="Members")
    await expect(members).to_contain_text(f"of {MEMBERS}")
    await expect(members.locator("code")).to_have_text(last)
    await members.get_by_role("button", name="Hold").click()
    await confirm(page, "Hold")
    await expect(members.get_by_role("button", name="Release")).to_be_visible()
    assert [each["state"] for each in (await client.get(path)).json()["items"]] == ["held"]


async def test_an_agent_tells_what_it_does_and_is_drained(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, house: House
) -> None:
    page = await tab(f"{url}cockpit/agents")
    holder = next(
        task["attempts"][0]["agent"]
        for task in (await client.get(f"/v1/runs/{house.running}")).json()["tasks"].values()
    )
    await page.get_by_role("button", name=holder, exact=True).click()
    await expect(page.get_by_role("link", name=f"#{house.running}")).to_be_visible()
    await expect(page).to_have_url(re.compile(f"open={holder}"))

    await page.get_by_role("button", name=f"Drain {holder}").click()
    await page.get_by_role("dialog").get_by_label("Why").fill("a new kernel")
    await confirm(page, "Drain")
    await expect(page.locator("body")).to_contain_text("a new kernel")
    told = (await client.get(f"/v1/agents/{holder}")).json()
    assert (told["draining"], told["drain_reason"]) == (True, "a new kernel")
    await page.get_by_role("link", name="Overview").click()
    needs = page.get_by_role("region", name="Needs you")
    await expect(needs).to_contain_text("1 draining")
    await expect(needs.get_by_text("starts nothing more until")).to_contain_text("a new kernel")
    await page.locator(".toast").get_by_role("button", name="Resume").click()
    await confirm(page, "Resume")
    await expect(needs.get_by_text("draining")).to_have_count(0)
    await expect(page.locator(".toast")).to_have_count(1)  # what is over is not offered to be undone


async def test_leadership_is_handed_over_from_the_cluster_page(
    url: str, tab: OpenTab, node: SingleNode, house: House
) -> None:
    jumped = {"clock_offset_ms": -3_600_000}  # as this node sees them: it is its own that has jumped
    node.peers = (
        peer("node-2", "zone-b", match=1_007, **jumped), peer("node-3", "zone-c", match=7, **jumped)
    )  # fmt: skip
    page = await tab(f"{url}cockpit/cluster", width=1280)
    await expect(page.locator(".bar .health")).to_contain_text("the clock of node-1 is 60 min ahead")
    await expect(page.get_by_role("row", name=re.compile("node-1 you"))).to_contain_text("60 min ahead")
    await expect(page.get_by_role("row", name=re.compile("node-2"))).to_contain_text("0 ms")
    assert await page.locator(".frame:has(.members)").evaluate("(box) => box.scrollWidth <= box.clientWidth")
    await expect(page.get_by_role("row", name=re.compile("node-3"))).to_contain_text("1,000 entries behind")
    await expect(page.get_by_role("row", name=re.compile("node-2"))).to_contain_text("zone-b")
    await expect(page.get_by_text("entries behind")).to_have_count(1)
    await expect(page.locator("body")).not_to_contain_text("Break something")  # not a cluster of `dev`
    await page.get_by_role("link", name="Overview").click()
    await expect(page.get_by_role("region", name="Needs you")).to_contain_text("1 wrong clock")
    await page.get_by_role("link", name="Cluster").click()
    await page.get_by_role("button", name="Let node-2 lead").click()
    await confirm(page, "Let node-2 lead")
    await expect(page.get_by_role("row", name=re.compile("node-2"))).to_contain_text("leader")
    assert ("transfer", "node-2") in node.calls


async def test_a_ledger_that_lacks_an_entry_is_called_broken(
    url: str, tab: OpenTab, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    await client.put("/v1/jobs/often", json={"noop": True, "triggers": {"every": "1s"}})
    async with asyncio.timeout(60):
        while node.store.value("SELECT count(*) FROM ledger") < 3:
            grant(node)
            await asyncio.sleep(0.1)
    page = await tab(f"{url}cockpit/ledger?range=hour")
    await expect(page.get_by_text("Whole: every due tick")).to_be_visible()
    node.store.begin()
    node.store.execute("DELETE FROM ledger WHERE seq = 2")
    node.store.commit()
    await page.get_by_role("button", name="Prove", exact=True).click()
    await expect(page.get_by_text("the ledger does not agree with what was due")).to_be_visible()
    await expect(page.get_by_role("cell", name="entries 2 to 2 are gone")).to_have_count(1)
    lost = page.get_by_role("row").filter(has_text="no outcome")
    await expect(lost).to_contain_text("often")
    await lost.get_by_role("link").last.click()  # of its instant
    await expect(page).to_have_url(re.compile(r"/jobs/default/often/why\?at="))


async def test_a_token_is_made_shown_once_and_revoked(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, complaints: list[str]
) -> None:
    page = await tab(f"{url}cockpit/access")
    await page.get_by_role("button", name="Make a token").click()
    dialog = page.get_by_role("dialog")
    await dialog.locator("[data-first]").fill("bad name")
    await confirm(page, "Make a token")
    await expect(dialog.get_by_text("letters, digits and").first).to_be_visible()
    await dialog.locator("[data-first]").fill("grafana")
    await confirm(page, "Make a token")
    await expect(dialog).to_contain_text("the only time that it is shown")
    secret = await dialog.locator("code").inner_text()
    told = await client.get("/v1/session", headers={"Authorization": f"Bearer {secret}"})
    assert (told.json()["name"], told.json()["role"]) == ("grafana", "viewer")
    await dialog.get_by_role("button", name="Close").first.click()
    await expect(page.get_by_role("row", name=re.compile("grafana"))).to_be_visible()
    await expect(page.locator("body")).not_to_contain_text(secret)
    await page.get_by_role("button", name="Revoke grafana").click()
    await confirm(page, "Revoke")
    await expect(page.get_by_role("row", name=re.compile("grafana"))).to_have_count(0)
    complaints.clear()  # of the 422


class Dev:
    """As `cronclave dev` answers (tests/cli/test_dev_demonstration.py)."""

    def __init__(self) -> None:
        self.stands = False

    async def ask(self, wish: Mapping[str, object] | None) -> Sequence[Mapping[str, Any]]:
        if wish is not None:
            assert (wish["kind"], wish["target"]) == ("lose-zone", "zone-b")
            self.stands = bool(wish["stands"])
        parts = ["node-2", "agent-2"]
        fault = {"kind": "lose-zone", "target": "zone-b", "parts": parts, "stands": self.stands}
        return [{**fault, "unavailable": None}]


@pytest_asyncio.fixture(loop_scope="module")
async def in_dev(node: SingleNode) -> AsyncIterator[tuple[str, Dev]]:
    """The address of a node that `cronclave dev` started."""
    dev = Dev()
    settings = ApiSettings(insecure=False, demonstration=dev)
    async with served(create_app(node, settings, Gateway(node, settings))) as address:
        yield address, dev


async def test_a_zone_is_lost_by_a_button_and_brought_back_without_a_quorum(
    in_dev: tuple[str, Dev], tab: OpenTab, node: SingleNode
) -> None:
    address, dev = in_dev
    page = await tab(f"{address}/cockpit/cluster")
    await page.get_by_role("button", name="Lose zone-b").click()
    await expect(page.get_by_role("dialog")).to_contain_text("node-2, agent-2")
    assert not dev.stands
    await confirm(page, "Lose zone-b")
    await expect(page.get_by_text("zone-b is lost", exact=True)).to_be_visible()
    assert dev.stands
    node.quorum = False  # it is taken back by this node alone: nothing could be, else
    await expect(page.locator("body")).to_contain_text("No quorum")
    await page.get_by_role("button", name="Bring zone-b back").first.click()
    await expect(page.get_by_role("dialog")).to_contain_text("These are started again: node-2, agent-2.")
    await confirm(page, "Bring zone-b back")
    await expect(page.get_by_role("button", name="Lose zone-b")).to_be_visible()
    await expect(page.get_by_role("button", name="Bring zone-b back")).to_have_count(0)
    assert not dev.stands


async def test_who_changed_what_is_found_by_object_and_actor(url: str, tab: OpenTab, house: House) -> None:
    page = await tab(f"{url}cockpit/jobs/default/nightly-report")
    # What comes late moves what stands below it, and a click that is half done misses.
    await expect(page.get_by_role("link", name="Open run").first).to_be_visible()
    await page.get_by_role("link", name="Who changed what").click()
    await expect(page).to_have_url(re.compile("/cockpit/audit"))
    row = page.get_by_role("row").filter(has_text="nightly-report").first
    await expect(row).to_contain_text("changed")
    await expect(row).to_contain_text("admin")
    await expect(row).to_contain_text("– → revision 1")
    await page.get_by_placeholder("By the token of this name").fill("nobody")
    await expect(page.get_by_text("Nobody did anything like this.")).to_be_visible()
    await expect(page).to_have_url(re.compile("actor=nobody"))


async def test_a_run_with_a_warning_is_marked_and_found(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, house: House, node: SingleNode
) -> None:
    await client.put("/v1/jobs/fetch", json={"run": "true", "exit": {"warn": [4]}})
    run = int((await client.post("/v1/jobs/fetch/runs")).json()["id"])
    grant(node)
    attempt, agent = node.store.rows("SELECT id, agent FROM attempts WHERE run = ?", (run,))[0]
    node.apply(Finish(attempt, agent, node.now_ms(), node.now_ms(), 4, "exit"))

    page = await tab(f"{url}cockpit/runs?warned=true")
    rows = page.locator("table.long tbody tr", has_text="#")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("warned")
    assert await violations(page) == []
    await page.evaluate(GO, f"/cockpit/runs/{run}")
    await expect(page.locator(".head", has=page.get_by_role("heading", level=1))).to_contain_text("warned")
    await expect(page.locator("body")).to_contain_text("exit code 4 is a warning")
    assert await violations(page) == []


async def test_a_run_shows_what_its_conditions_came_to_and_what_was_written(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, house: House, node: SingleNode
) -> None:
    tasks = {
        "extract": {"run": "true", "outputs": ["rows"]},
        "full": {"run": "true", "needs": ["extract"], "when": "extract.outputs.rows > 100"},
    }
    assert (await client.put("/v1/jobs/branches", json={"tasks": tasks})).status_code == 201
    run = int((await client.post("/v1/jobs/branches/runs", json={})).json()["id"])
    grant(node)
    attempt, agent = node.store.rows("SELECT id, agent FROM attempts WHERE run = ?", (run,))[0]
    ended = Finish(attempt, agent, node.now_ms(), node.now_ms(), 0, "exit", outputs=b'{"rows":"42"}')
    node.apply(ended)

    page = await tab(f"{url}cockpit/runs/{run}?task=extract")
    conditions = page.get_by_role("region", name="Conditions of its tasks")
    whole = conditions.locator(".tree > li").first
    await expect(conditions).to_contain_text("full")
    await expect(whole.locator("> .status")).to_have_text("false")
    await expect(whole.locator(".tree > li", has_text="extract.outputs.rows").last).to_contain_text("42")
    await expect(page.locator("body")).to_contain_text("What it gives to the tasks after it")
    assert await violations(page) == []


async def test_what_the_leader_proves_all_the_time_is_told_and_where_it_differs(
    url: str, tab: OpenTab, client: httpx2.AsyncClient, node: SingleNode, api: Api
) -> None:
    await client.put("/v1/jobs/often", json={"noop": True, "triggers": {"every": "1h"}})
    page = await tab(f"{url}cockpit/ledger")
    watch = page.get_by_role("region", name="What the leader proves all the time")
    await expect(watch).to_contain_text("The first look has not come to its end yet.")
    proved = api.services.settings.proved
    proved.whole_ms = proved.recent_ms = node.now_ms()
    proved.due, proved.entries, proved.took_s = 5, 4, 0.25
    await expect(watch).to_contain_text("agrees")
    await expect(watch).to_contain_text("5 due, 4 entries")
    job = int(node.store.value("SELECT id FROM jobs WHERE name = 'often'"))
    node.apply(TellProof(node.machine.state.epoch, 3, "missing", job, 1_800_000_000_000, "no outcome"))
    await expect(watch).to_contain_text("3 differences")
    await expect(page.locator(".bar .health")).to_contain_text("differs")
    assert await violations(page) == []
    await watch.get_by_role("link", name="often").click()
    await expect(page).to_have_url(re.compile(r"/jobs/default/often/why\?at=2027-01-15T08%3A00%3A00Z$"))
