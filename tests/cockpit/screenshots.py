"""`python -m tests.cockpit.screenshots [DIR]`: the pictures of the documentation, from a real cluster.

A cluster of `cronclave dev` with its sample jobs runs for a while, has another leader, and is shown page by
page. A person looks at them before they are committed.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from playwright.async_api import Browser, async_playwright, expect

from bench.client import Client
from bench.cluster import PROJECT, free_base_port, wait_for
from tests.cockpit.conftest import ARGUMENTS, DEADLINE_MS, NAMES
from tests.e2e.cluster import DEADLINE_S, PORTS
from tests.e2e.dev_cluster import client_of, running_dev

FOLDER = PROJECT / "docs" / "pictures"
SETTLES_S = 4.0  #: pictures and streams are there
LIVES_S = 75.0  #: before anything is shown, so that there is something to see
REPORT = {
    "description": "From the shop's database to the board, every minute here.",
    "triggers": [{"every": "1m"}],
    "tasks": {
        "orders": {"run": "for i in 1 2 3 4 5; do echo read $((i * 1204)) orders; sleep 0.3; done"},
        "users": {"run": "echo read 512 users; sleep 0.8"},
        "stock": {"run": "echo read 96 shelves; sleep 0.5"},
        "join": {"needs": ["orders", "users", "stock"], "run": "echo joined; sleep 0.7"},
        "check": {
            "needs": ["join"],
            "run": r"""printf '\033[32mINFO\033[0m  412 rows, 3 of them without a price\n'
printf '\033[33mWARN\033[0m  the price list is of \033[1myesterday\033[0m\n'
printf '\033[1;31mERROR\033[0m 3 rows refused: no price\n'; exit 1""",
            "retry": {"max": 1, "backoff": "constant", "first": "1s"},
        },
        "publish": {"needs": ["check"], "run": "echo published"},
    },
}


OBJECTS = [
    {
        "calendar": "berlin", "description": "Days on which the bank is open", "owner": "treasury",
        "holidays": {"country": "DE", "subdivision": "BE"}, "exclude": ["12-24", "12-31"],
    },
]  # fmt: skip


HOLIDAY = f"{datetime.now(UTC).year}-12-24"
BANK = [
    {"calendar": "bank", "holidays": {"country": "DE", "subdivision": "BE"}, "exclude": ["12-24", "12-31"]},
    {"job": "mail", "noop": True, "triggers": [{"cron": "0 */2 * * *", "id": "two-hourly"}]},
    {"job": "rates", "noop": True, "triggers": [{"cron": "*/30 6-8 * * *", "id": "half-hourly"}]},
    {"job": "payout", "noop": True, "triggers": [{"cron": "0 11,15 * * *", "id": "twice"}]},
    {
        "job": "statements", "noop": True,
        "triggers": [{"cron": "0 17 * * *", "id": "daily", "calendar": {"exclude": ["bank"]}}],
    },
]  # fmt: skip


async def shoot(browser: Browser, address: str, picture: Path, size: tuple[int, int], *, dark: bool) -> None:
    width, height = size
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light",
        reduced_motion="reduce", locale="en-GB", device_scale_factor=1 if width > 500 else 2,
    )  # fmt: skip
    context.set_default_timeout(DEADLINE_MS)
    page = await context.new_page()
    await page.goto(address)
    await expect(page.locator("main h1")).to_be_attached()
    await asyncio.sleep(SETTLES_S)
    await page.screenshot(path=picture)
    await context.close()
    print(picture)


async def shoot_all(url: str, token: str, run: int, folder: Path) -> None:
    program = next(path for name in NAMES if (path := shutil.which(name)))
    views = [
        ("overview", "", 1400, 900, False),
        ("jobs", "/jobs", 1400, 700, False),
        ("job", "/jobs/default/shop-report", 1400, 1000, False),
        ("why", f"/jobs/bank/payout/why?at={HOLIDAY}T11:00:00Z", 1400, 760, False),
        ("plan", f"/plan?namespace=bank&date={HOLIDAY}&beside=-1", 1400, 900, False),
        ("editor", "/jobs/new", 1400, 900, False),
        ("calendar", "/objects/calendars/default/berlin", 1400, 1000, False),
        ("run", f"/runs/{run}", 1400, 1100, False),
        ("agents", "/agents?open=agent-1", 1400, 800, False),
        ("cluster", "/cluster", 1400, 900, False),
        ("ledger", "/ledger?range=hour", 1400, 800, True),
        ("phone", f"/runs/{run}", 400, 800, True),
    ]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=ARGUMENTS, chromium_sandbox=False
        )
        for name, path, width, height, dark in views:
            address = f"{url}/cockpit{path}#token={token}"
            await shoot(browser, address, folder / f"{name}.png", (width, height), dark=dark)
        await browser.close()


def prepare(client: Client) -> int:
    """A cluster that has lived: its leader was handed over; gives a run that failed."""
    client.ask("PUT", "/v1/jobs/shop-report", REPORT)
    client.ask("POST", "/v1/apply", {"objects": OBJECTS})
    client.ask("POST", "/v1/apply?namespace=bank", {"objects": BANK})
    held = {"hold": True, "trigger": "twice", "reason": "figures are late"}
    client.ask("PATCH", f"/v1/jobs/payout/ticks/{HOLIDAY}T15:00:00Z?namespace=bank", held)
    client.ask("POST", f"/v1/plan/{HOLIDAY}/close?namespace=bank", {"reason": "bank holiday"})
    began_s = time.monotonic()
    client.ask("POST", "/v1/cluster/transfer", {})
    run = int(client.ask("POST", "/v1/jobs/shop-report/runs", {}).json()["id"])
    wait_for(lambda: client.get(f"/v1/runs/{run}")["finished"], DEADLINE_S, "the run failed", 0.2)
    time.sleep(max(0.0, LIVES_S - (time.monotonic() - began_s)))
    return run


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="screenshots-") as scratch:
        data = Path(scratch) / "dev"
        with running_dev(data, free_base_port(*PORTS, 3), "--agents", "3") as dev:
            facts = dev.ready()
            with closing(client_of(facts)) as client:
                run = prepare(client)
            asyncio.run(shoot_all(facts["nodes"][0]["url"], facts["token"], run, folder))


if __name__ == "__main__":
    main()
