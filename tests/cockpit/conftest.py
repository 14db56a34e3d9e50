"""A real Chromium, Debian's, driven by Playwright, and a node whose cockpit it opens.

Rules: one browser and one event loop a module (`pytestmark = IN_ONE_LOOP`), a context of its own for each
tab, so that nothing of a test is left for the next. What a page writes to the console as errors, exceptions
and refused loads is a failure of the test, unless the test says with `complaints.clear()` that it meant it.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.ports import ApiSettings
from node.secret_keys import KeyRing
from node.vault import NodeVault
from tests.api.served import served
from tests.api.single_node import ADMIN_TOKEN, SingleNode, peer
from tests.api.within import client_of

IN_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")
DEADLINE_MS = 60_000
#: Without the window that nobody sees, a tab costs a third of the CPU.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--disable-gpu", "--disable-dev-shm-usage")

expect.set_options(timeout=DEADLINE_MS)


class OpenTab(Protocol):
    """The fixture `tab`: the cockpit in a window of its own, signed in unless `token` is empty."""

    async def __call__(
        self, url: str, *, token: str = ADMIN_TOKEN, width: int = 1400, dark: bool = False
    ) -> Page: ...


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium on this machine (apt-get install chromium-headless-shell)")
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(
            executable_path=program, args=ARGUMENTS, chromium_sandbox=False, timeout=DEADLINE_MS
        )
        yield found
        await found.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the tabs of this test complained of so far."""
    return []


@pytest_asyncio.fixture(loop_scope="module")
async def tab(browser: Browser, complaints: list[str]) -> AsyncIterator[OpenTab]:
    contexts = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"{message.text} ({message.location.get('url')})")

    async def open_tab(
        url: str, *, token: str = ADMIN_TOKEN, width: int = 1400, dark: bool = False
    ) -> Page:
        context = await browser.new_context(
            viewport={"width": width, "height": 1000},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            locale="en-GB",
        )
        contexts.append(context)
        context.set_default_timeout(DEADLINE_MS)
        page = await context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"{url}#token={token}" if token else url)
        return page

    yield open_tab
    for context in contexts:
        await context.close()
    assert complaints == []


@pytest_asyncio.fixture(loop_scope="module")
async def node(tmp_path: Path) -> AsyncIterator[SingleNode]:
    found = SingleNode(tmp_path, peers=[peer("node-2", "zone-b"), peer("node-3", "zone-c")])
    yield found
    found.close()


@pytest_asyncio.fixture(loop_scope="module")
async def api(node: SingleNode, tmp_path: Path) -> AsyncIterator[Api]:
    keys = tmp_path / "keys"
    keys.write_text(base64.b64encode(bytes(range(32))).decode() + "\n")
    keys.chmod(0o600)
    vault = NodeVault(KeyRing(keys))
    settings = ApiSettings(insecure=False, urls={"node-1": "http://127.0.0.1:8321"}, vault=vault)
    app = create_app(node, settings, Gateway(node, settings))
    app.start()
    yield app
    await app.close()


@pytest_asyncio.fixture(loop_scope="module")
async def url(api: Api) -> AsyncIterator[str]:
    async with served(api) as address:
        yield f"{address}/"


@pytest_asyncio.fixture(loop_scope="module")
async def client(api: Api) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(api) as found:
        yield found
