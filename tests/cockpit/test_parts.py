"""Parts of the cockpit that decide something, asked in the browser: how output is read, and what of a large
graph is drawn together.
"""

from __future__ import annotations

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.cockpit.conftest import IN_ONE_LOOP, OpenTab

pytestmark = IN_ONE_LOOP

PIECES = """async (lines) => {
  const { newPen, pieces } = await import("/assets/parts/ansi.js");
  const pen = newPen();
  return lines.map((line) => pieces(line, pen).map((piece) => [piece.text, piece.look]));
}"""
GROUPED = """async (count) => {
  const { grouped } = await import("/assets/parts/graph.js");
  const middle = Array.from({ length: count }, (_, i) => (
    { name: `m${i}`, needs: ["first"], state: i === 7 ? "failed" : "succeeded" }));
  const last = { name: "last", needs: middle.map((task) => task.name), state: "skipped" };
  const boxes = grouped([{ name: "first", needs: [], state: "succeeded" }, ...middle, last]);
  return boxes.map((box) => [box.name, box.members.length, box.state, box.needs]);
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def page(url: str, tab: OpenTab) -> Page:
    opened = await tab(f"{url}cockpit")
    await expect(opened.locator(".bar .health")).to_contain_text("Healthy")
    return opened


#: Lines as they come, and the pieces of each: text and look.
LINES: list[tuple[list[str], list[list[list[str]]]]] = [
    (["plain"], [[["plain", ""]]]),
    (["\x1b[31mred\x1b[0m not"], [[["red", "fore-1"], [" not", ""]]]),
    (
        ["\x1b[1;92mgood", "still\x1b[m not"],
        [[["good", "fore-10 bold"]], [["still", "fore-10 bold"], [" not", ""]]],
    ),
    (["\x1b[7minverse"], [[["inverse", "fore-ground back-ink"]]]),
    (["10 %\r50 %\r100 %\r"], [[["100 %", ""]]]),
    (["a\x1b[2K\x1b[1Gb\x07\x00c"], [[["a", ""], ["bc", ""]]]),
    (["\x1b]8;;https://example.org\x07link\x1b]8;;\x07"], [[["link", ""]]]),
    (["\x1b[38;5;9mbright\x1b[39m \x1b[4mline"], [[["bright", "fore-9"], [" ", ""], ["line", "under"]]]),
    (["\x1b[38;2;1;2;3mown"], [[["own", ""]]]),
    (["cut \x1b[3"], [[["cut ", ""], ["3", ""]]]),
    ([""], [[]]),
]


async def test_a_line_is_read_as_a_terminal_would(page: Page) -> None:
    for lines, shown in LINES:
        assert await page.evaluate(PIECES, lines) == shown, lines


async def test_tasks_that_stand_alike_are_one_box_in_a_large_graph(page: Page) -> None:
    assert await page.evaluate(GROUPED, 2_000) == [
        ["first", 1, "succeeded", []],
        ["m0 …", 2_000, "failed", ["first"]],  # what needs somebody is what the box says
        ["last", 1, "skipped", ["m0 …"]],
    ]
    assert len(await page.evaluate(GROUPED, 200)) == 202
