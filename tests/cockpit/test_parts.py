"""Parts of the cockpit that decide something, asked in the browser: how output is read, and what of a large
graph is drawn together.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest_asyncio
from playwright.async_api import Page, Route, expect

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

READ = """async (path) => {
  const { Log } = await import("/assets/parts/log.js");
  const log = new Log(path, () => {});
  const shown = () => log.chunks.flatMap((chunk) => chunk.lines.map((line) => line.text));
  await log.follow(() => false);
  const states = [[log.from, shown()]];
  while (log.from > 0) { await log.earlier(); states.push([log.from, shown()]); }
  return states;
}"""


SERIES = """async (states) => {
  const { seriesOf } = await import("/assets/parts/series.js");
  const rows = states.map((state, i) => [state, i * 1000, i * 1000 + 100, i * 1000 + 600]);
  return seriesOf({ columns: ["state", "due", "started", "finished"], rows: rows.reverse() });
}"""


FIRST = """async ([tasks, state]) => (await import("/assets/parts/run_tasks.js")).firstOf({ tasks, state })"""
SPANS = """async (task) => (await import("/assets/parts/run_tasks.js")).spansOf(task)"""
CLOCKS = """async (offsets) => (await import("/assets/parts/members.js")).clocksOf(offsets)"""
BOXES = """async (job) => {
  const { boxesOf } = await import("/assets/parts/graph.js");
  return [...boxesOf(job).values()].map((box) => [box.name, Boolean(box.catches), box.isLast]);
}"""


#: How often all names of a chain of tasks are gone through, until it is known what each is drawn after.
LOOKS = """async (count) => {
  const { boxesOf } = await import("/assets/parts/graph.js");
  const names = Array.from({ length: count }, (_, i) => `t${i}`);
  const chain = Object.fromEntries(names.map((name, i) => [name, { needs: i ? [names[i - 1]] : [] }]));
  let looks = 0;
  const tasks = new Proxy(chain, { ownKeys: (all) => { looks += 1; return Reflect.ownKeys(all); } });
  return [boxesOf({ tasks, groups: {}, finally: ["t0"] }).get(`t${count - 1}`).needs, looks];
}"""


def task(state: str, *, group: str | None = None, finished: int | None = None, **more: Any) -> dict[str, Any]:
    ended = None if finished is None else f"2026-11-28T02:00:{finished:02}.000Z"
    attempts = [] if more.pop("attempts", "") == "none" else [{"finished": ended}]
    return {"state": state, "group": group, "finished": ended, "attempts": attempts, "run": None, **more}


#: Tasks of a run, and the one whose output is shown first.
FIRST_SHOWN: list[tuple[str, dict[str, Any]]] = [
    ("b", {  # the group failed since b did, and the catch after it too
        "load": task("failed", finished=9, attempts="none"), "a": task("succeeded", group="load", finished=1),
        "b": task("failed", group="load", finished=5), "mend": task("timed_out", group="load", finished=8),
    }),
    ("late", {  # what was cancelled was so since another failed
        "cut": task("cancelled", finished=1), "late": task("lost", finished=2),
    }),
    ("child", {
        "a": task("succeeded", finished=1), "child": task("failed", finished=3, attempts="none", run=7),
    }),
    ("waits", {
        "a": task("succeeded", finished=1), "waits": task("active", attempts="none", run=7),
        "z": task("blocked", attempts="none"),
    }),
    ("many", {  # its members have attempts, it itself has none
        "a": task("succeeded", finished=1),
        "many": task("active", attempts="none", members={"all": 3, "going": 1}),
        "z": task("blocked", attempts="none"),
    }),
    ("a", {"group": task("blocked", attempts="none"), "a": task("blocked", group="group", attempts="none")}),
]  # fmt: skip
#: By how much each clock differs from that of the node that tells of it, and by how much each is wrong.
CLOCK_CASES: list[tuple[list[int | None], list[int | None]]] = [
    ([0, 3_600_000, 4], [-4, 3_599_996, 0]),
    ([0, -3_600_000, -3_600_010], [3_600_000, 0, -10]),  # its own has jumped
    ([0, 3_600_000], [0, 3_600_000]),  # of two nobody can say
    ([0, None, None], [0, None, None]),
    ([0, -3_600_000, -3_600_000, -3_600_000], [3_600_000, 0, 0, 0]),
]


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
    (["a\x1b[2K\x1b[1Gb\x07\x00c"], [[["abc", ""]]]),
    (["\x1b]8;;https://example.org\x07link\x1b]8;;\x07"], [[["link", ""]]]),
    (["\x1b[38;5;9mbright\x1b[39m \x1b[4mline"], [[["bright", "fore-9"], [" ", ""], ["line", "under"]]]),
    (["\x1b[38;2;1;2;3mown"], [[["own", ""]]]),
    (["cut \x1b[3", "and \x1b"], [[["cut ", ""]], [["and ", ""]]]),
    (["\x1b[?25lno \x1b[?1049hscreen \x1b[>4;2mof its own"], [[["no screen ", ""], ["of its own", ""]]]),
    (
        ["\x1bP1$rq\x1b\\no \x1b_string\x1b\\of \x9b31mred\x9d0;title\x07"],
        [[["no of ", ""], ["red", "fore-1"]]],
    ),
    (["turned \u202eround\u2069"], [[["turned round", ""]]]),
    ([""], [[]]),
]


async def test_a_line_is_read_as_a_terminal_would(page: Page) -> None:
    for lines, shown in LINES:
        assert await page.evaluate(PIECES, lines) == shown, lines


async def test_a_line_made_to_hold_the_reader_up_is_shown(page: Page) -> None:
    endless, patched = "\x1b[" + "1;" * 2**18 + "mx", "\x1b[31mx\x1b[32my" * 2**15
    ((text, look),), colours = await page.evaluate(PIECES, [endless, patched])
    assert (text, look) == (endless[2:], "")  # no sequence: it has no end in sight
    assert len(colours) == 1000
    assert sum(len(text) for text, _ in colours) == 2**16


async def test_output_read_in_parts_has_each_line_whole(page: Page) -> None:
    lines = [f"line {i} {'é' * (i % 50)}" for i in range(30_000)]
    output = "\n".join([*lines, ""]).encode()

    async def answer(route: Route) -> None:
        offset = int(parse_qs(urlsplit(route.request.url).query)["offset"][0])
        headers = {"x-cronclave-log-bytes": str(len(output)), "x-cronclave-log-offset": str(offset)}
        await route.fulfill(body=output[offset:], headers=headers)

    await page.route("**/an-output?**", answer)
    states = await page.evaluate(READ, "/an-output")
    assert len(states) > 2
    for place, shown in states:
        assert shown == output[place:].decode().split("\n")[:-1] == lines[-len(shown) :]


async def test_tasks_that_stand_alike_are_one_box_in_a_large_graph(page: Page) -> None:
    assert await page.evaluate(GROUPED, 2_000) == [
        ["first", 1, "succeeded", []],
        ["m0 …", 2_000, "failed", ["first"]],  # what needs somebody is what the box says
        ["last", 1, "skipped", ["m0 …"]],
    ]
    assert len(await page.evaluate(GROUPED, 200)) == 202


async def test_a_page_shows_the_cause_first_and_judges_clocks_by_the_most(page: Page) -> None:
    for name, tasks in FIRST_SHOWN:
        assert await page.evaluate(FIRST, [tasks, "failed"]) == name
    assert await page.evaluate(FIRST, [{}, "pending"]) is None
    assert await page.evaluate(FIRST, [FIRST_SHOWN[0][1], "succeeded"]) == "mend"  # its failure was caught
    for offsets, off in CLOCK_CASES:
        assert await page.evaluate(CLOCKS, offsets) == off
    nested = {**task("active", attempts="none", run=7), "started": "2026-11-28T02:00:00.000Z"}
    (span,) = await page.evaluate(SPANS, nested)
    assert (span["run"], span["state"], span["started"]) == (7, "running", nested["started"])
    assert await page.evaluate(SPANS, {**nested, "taken_from": 3}) == []
    groups = {"g": {"tasks": ["a"], "catch": ["b"]}}
    job = {"tasks": {name: {} for name in "abc"}, "groups": groups, "finally": ["c"]}
    assert sorted(await page.evaluate(BOXES, job)) == [
        ["a", False, False], ["b", True, False], ["c", False, True], ["g", False, False],
    ]  # fmt: skip


async def test_what_a_large_graph_is_made_of_is_looked_for_once(page: Page) -> None:
    """Once for each of its tasks, a job of 10,000 took a browser a minute, each second anew."""
    needs, looks = await page.evaluate(LOOKS, 1_000)
    assert needs == ["t998"]
    assert looks < 10


async def test_a_chart_names_the_ends_that_it_marks(page: Page) -> None:
    """No other: what was lost, or ran out of time, is not called failed."""
    found = await page.evaluate(SERIES, ["succeeded", "lost", "timed_out", "succeeded", "lost"])
    assert found["ends"] == ["timed_out", "lost"]
    assert found["failed"] == [None, 0.5, 0.5, None, 0.5]
    assert found["all"] == [0.5] * 5
    assert (await page.evaluate(SERIES, ["succeeded", "failed"]))["ends"] == ["failed"]
    assert (await page.evaluate(SERIES, ["succeeded"]))["ends"] == []
