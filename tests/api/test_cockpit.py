"""The cockpit in a real browser: sign in by the address, see, act, stay live; and what its files promise."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from api.app import Api
from api.routes.pages import FOLDER, TYPES
from scheduler.words.commands import ConnectAgent
from tests.api.browser import Page, chromium, executable
from tests.api.served import served
from tests.api.single_node import ADMIN_TOKEN, SingleNode
from tests.scheduler.story import KINDS

TEXT = "document.body.innerText"


@pytest.fixture
async def url(api: Api, node: SingleNode) -> AsyncIterator[str]:
    node.apply(ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "0.1", "node-1", KINDS))
    async with served(api) as address:
        yield address


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    program = executable()
    if program is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    async with chromium(program, tmp_path / "browser") as found:
        yield found


async def test_the_address_signs_in_and_the_page_lives(
    url: str, page: Page, client: httpx2.AsyncClient
) -> None:
    document = {"noop": True, "triggers": {"cron": "0 2 * * *"}, "description": "the nightly copy"}
    await client.put("/v1/jobs/backup", json=document)
    await page.open(f"{url}/#token={ADMIN_TOKEN}")
    await page.until(f"{TEXT}.includes('backup')")
    assert ADMIN_TOKEN not in await page.value("location.href")
    assert ADMIN_TOKEN not in await page.value("document.cookie")
    text = await page.value(TEXT)
    shown = ("Healthy", "node-1", "node-2", "zone-c", "agent-1", "0 2 * * *", "leader", "the nightly copy")
    for word in shown:
        assert word in text, word

    # Another client's change arrives by the stream.
    await page.until("document.getElementById('live').textContent === 'Live'")
    await client.put("/v1/jobs/second", json={"noop": True})
    await page.until(f"{TEXT}.includes('second')")

    # A pause of everything is seen by everybody.
    await client.post("/v1/pause", json={"reason": "the database is moved"})
    await page.until(f"{TEXT}.includes('everything is paused: the database is moved')")
    await client.post("/v1/resume")
    await page.until(f"!{TEXT}.includes('everything is paused')")

    # A write carries the CSRF token.
    await page.value("document.querySelector('[aria-label=\"Pause backup\"]').click()")
    await page.until("document.querySelector('[aria-label=\"Resume backup\"]') !== null")
    assert (await client.get("/v1/jobs/backup")).json()["state"] == "paused"
    await page.value("document.querySelector('[aria-label=\"Run second now\"]').click()")
    await page.until("document.getElementById('run').open")
    assert "Run 1 of second" in await page.value("document.getElementById('run-title').textContent")
    assert page.complaints == []


async def test_a_quorum_that_is_lost_is_said(url: str, page: Page, node: SingleNode) -> None:
    await page.open(f"{url}/#token={ADMIN_TOKEN}")
    await page.until(f"{TEXT}.includes('Healthy')")
    node.quorum = False
    await page.until(f"{TEXT}.includes('No quorum')")
    await page.until("document.title.includes('No quorum')")


async def test_a_node_that_falls_silent_is_not_called_healthy(api: Api, node: SingleNode, page: Page) -> None:
    async with served(api) as address:
        await page.open(f"{address}/#token={ADMIN_TOKEN}")
        await page.until(f"{TEXT}.includes('Healthy')")
    await page.until(f"{TEXT}.includes('does not answer')")
    await page.until(f"{TEXT}.includes('No answer') && !{TEXT}.includes('Healthy')")


@pytest.mark.parametrize(("width", "dark"), [(400, False), (1400, True)])
async def test_it_fits_and_works_by_keys(
    url: str, page: Page, client: httpx2.AsyncClient, width: int, dark: bool
) -> None:
    assert (await client.put(f"/v1/jobs/{'long-name-' * 8}x", json={"noop": True})).status_code == 201
    await client.put("/v1/jobs/short", json={"noop": True})
    await page.open(f"{url}/#token={ADMIN_TOKEN}", width=width, dark=dark)
    await page.until(f"{TEXT}.includes('short')")
    assert await page.value("document.documentElement.scrollWidth <= innerWidth")
    assert await page.value("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    await page.key("/")
    assert await page.value("document.activeElement.id") == "filter"
    await page.key("h")
    await page.until("location.search === '?q=h'")
    await page.until("document.querySelectorAll('#jobs-body tr').length === 1")


async def test_without_a_session_it_asks_for_a_token(url: str, page: Page) -> None:
    await page.open(url)
    await page.until("!document.getElementById('login').hidden")
    await page.value("document.getElementById('token').value = 'wrong'")
    await page.value("document.getElementById('login-form').requestSubmit()")
    await page.until("document.getElementById('login-error').textContent.includes('not known')")
    await page.value(f"document.getElementById('token').value = {ADMIN_TOKEN!r}")
    await page.value("document.getElementById('login-form').requestSubmit()")
    await page.until("!document.getElementById('overview').hidden")


def test_the_files_come_from_here_alone_and_stay_small() -> None:
    files = [path for path in FOLDER.rglob("*") if path.suffix in TYPES]
    assert {"index.html", "app.js", "style.css"} <= {path.name for path in files}
    for path in files:
        text = path.read_text()
        assert not re.search(r"https?://(?!www\.w3\.org/)[a-z]", text), path.name
        assert "innerHTML" not in text, path.name
        assert " style=" not in text, path.name
    assert sum(path.stat().st_size for path in files) < 100_000
