"""`python -m tests.cockpit.load [--jobs N] [--runs N]`: the cockpit before a large cluster, in a browser.

Prints how long frames take while somebody opens the lists, scrolls through them, filters and goes to a run,
and the processor time that the three nodes spend on it. Figures, no test: `make cockpit-load`.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

from bench.cluster import Cluster, free_base_port, layout
from bench.inventory import seed
from bench.machine import facts
from tests.cockpit.conftest import ARGUMENTS, DEADLINE_MS, NAMES
from tests.e2e.cluster import PORTS

FRAME_MS = 1000 / 60
WATCH = """() => {
  window.frames_ms = [];
  let last = performance.now();
  const look = (now) => {
    window.frames_ms.push(now - last);
    last = now;
    window.watching = requestAnimationFrame(look);
  };
  window.watching = requestAnimationFrame(look);
}"""
SEEN = "() => { cancelAnimationFrame(window.watching); return window.frames_ms.slice(1); }"


async def scroll(page: Page) -> None:
    """Three seconds downwards, as with a wheel."""
    await page.mouse.move(700, 500)
    for _ in range(60):
        await page.mouse.wheel(0, 400)
        await asyncio.sleep(0.05)


async def measured(cluster: Cluster, page: Page, what: str, act: Callable[[], Awaitable[None]]) -> None:
    before, began_s = cluster.cpu_seconds(), time.monotonic()
    await page.evaluate(WATCH)
    await act()
    frames = sorted(await page.evaluate(SEEN))
    spent_s = time.monotonic() - began_s
    cpu = {role: s - before.get(role, 0.0) for role, s in cluster.cpu_seconds().items()}
    late = sum(frame > 2 * FRAME_MS for frame in frames)
    median, p99 = (frames[min(len(frames) - 1, int(len(frames) * share))] for share in (0.5, 0.99))
    told = ", ".join(f"{role} {s * 1000:.0f} ms" for role, s in sorted(cpu.items()))
    print(
        f"| {what} | {spent_s:.1f} s | {len(frames)} | {median:.0f} ms | {p99:.0f} ms | {frames[-1]:.0f} ms "
        f"| {late} | {told} |",
        flush=True,
    )


async def measure(cluster: Cluster, jobs: int) -> None:
    program = next(path for name in NAMES if (path := shutil.which(name)))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=ARGUMENTS, chromium_sandbox=False
        )
        page = await browser.new_page(viewport={"width": 1400, "height": 1000}, locale="en-GB")
        page.set_default_timeout(DEADLINE_MS)
        await page.goto(f"{cluster.nodes[0].url}/cockpit#token={cluster.token}")
        await expect(page.locator(".bar .health")).to_contain_text("Healthy")
        print("| what | took | frames | median | p99 | longest | over 33 ms | CPU of the nodes |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        rows = page.locator("table.long tbody tr:not(.gap):not(.waits)")

        async def nothing() -> None:
            await asyncio.sleep(5)

        async def open_jobs() -> None:
            await page.get_by_role("link", name="Jobs", exact=True).click()
            await expect(rows.first).to_be_visible()

        async def find_job() -> None:
            await page.get_by_role("searchbox").fill(f"{jobs - 7}")
            await expect(rows).to_have_count(1)

        async def open_runs() -> None:
            await page.get_by_role("link", name="Runs", exact=True).click()
            await expect(rows.first).to_be_visible()

        async def open_run() -> None:
            await rows.first.get_by_role("link").first.click()
            await expect(page.get_by_role("heading", name="Timeline")).to_be_visible()

        await measured(cluster, page, "overview, nothing done", nothing)
        await measured(cluster, page, "open the jobs", open_jobs)
        await measured(cluster, page, "scroll through them", lambda: scroll(page))
        await measured(cluster, page, "find one by its name", find_job)
        await measured(cluster, page, "open the runs", open_runs)
        await measured(cluster, page, "scroll through them", lambda: scroll(page))
        await measured(cluster, page, "open a run", open_run)
        await browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.cockpit.load")
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=200_000, help="a multiple of --jobs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cockpit-load-") as folder:
        cluster = layout(Path(folder) / "cluster", base_port=free_base_port(*PORTS, 3))
        print(seed(cluster, jobs=options.jobs, runs=options.runs, tail_bytes=200), flush=True)
        try:
            cluster.start()
            print("; ".join(facts(None)), flush=True)
            asyncio.run(measure(cluster, options.jobs))
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
