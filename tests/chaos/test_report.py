"""The report: what broke, when, under which fault and whom that meant, each linked to what is behind it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chaos.checkers.judge import judge
from chaos.commands import main
from chaos.report.page import headlines
from chaos.report.targets import whom
from chaos.report.timeline import Timeline
from chaos.suite import Judged, write_suite
from tests.chaos.stories import Story, clean, write


def wrong() -> Story:
    """A tick is fired twice while the leader is dead."""
    story = clean()
    story.again(story.start(11), run=77, at_s=111.5)
    return story


def test_the_first_line_says_what_when_under_which_fault_and_on_which_host() -> None:
    case = wrong().case()

    first = headlines(Judged("story", Path(), case.plan, tuple(judge(case))), case)[0]

    assert re.sub("<[^>]*>", "", first).startswith(
        "two-runs at 12.0 s, under leader-killed (node-1): pulse at"
    )


def test_every_line_leads_to_its_row_on_the_page_of_its_case(tmp_path: Path) -> None:
    write(clean(), tmp_path / "000-right")
    write(wrong(), tmp_path / "001-wrong")
    write_suite(tmp_path, ["000-right", "001-wrong"], {"profile": "soak", "seed": 7})
    assert main(["check", str(tmp_path)]) == 1
    assert main(["check", str(tmp_path / "001-wrong")]) == 1

    for page in (tmp_path / "report.html", tmp_path / "001-wrong" / "report.html"):
        links = re.findall(r'href="([^"#]*)#(o-[^"]*)"', page.read_text())
        assert links
        for other, anchor in links:
            assert f'id="{anchor}"' in (page.parent / other if other else page).read_text()


def test_the_lane_of_an_agent_that_comes_and_goes_shows_when_it_was_away() -> None:
    story = clean()
    told = [(100.5, "came"), (104.0, "went"), (106.5, "came"), (129.0, "went")]
    story.history += [{"t": t, "kind": "visitor", "name": "visitor-1", "what": what} for t, what in told]
    story.again(story.start(5), run=900, agent="visitor-1", at_s=103.5)

    picture = Timeline(story.case(), []).svg()

    assert re.findall(r'class="away"><title>([^<]*)', picture) == [
        "visitor-1 is away for 1.5 s",  # before it first came
        "visitor-1 is away for 2.5 s",
        "visitor-1 is away for 11.0 s",  # for good
    ]


def test_a_fault_is_drawn_on_the_lane_of_the_host_that_it_meant() -> None:
    zone = {"kind": "zone-loss", "zones": ["zone-b"]}
    cut = {"kind": "cut", "pairs": [["node-1", "node-2"], ["node-2", "node-1"], ["client", "node-1"]]}
    story = clean()
    story.final["nodes"]["node-2"]["zone"] = "zone-b"
    story.fault(115.0, 116.0, "zone-lost", fault=zone)
    story.fault(117.0, 118.0, "leader-cut-off", fault=cut)

    picture = Timeline(story.case(), []).svg()

    hits = re.findall(r'y="(\d+)"[^>]*class="hit"><title>([^<]*?) for', picture)
    lanes = {name: int(y) - 14 for y, name in re.findall(r'y="(\d+)" class="lane[^"]*">([^<]*)<', picture)}
    assert sorted((title.split(":")[0], int(y)) for y, title in hits) == [
        ("leader-cut-off", lanes["node-1"]),
        ("leader-killed", lanes["node-1"]),
        ("zone-lost", lanes["node-2"]),
    ]


def test_a_cut_is_told_in_its_directions() -> None:
    both = [["a", "b"], ["b", "a"], ["a", "c"], ["d", "a"]]

    assert whom({"kind": "cut", "pairs": both}) == "a ⇄ b, a → c, a ← d"
    assert whom({"kind": "kill", "processes": ["node-1/core"]}) == "node-1/core"


def test_the_last_lines_say_what_was_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a long output, often only the end is kept."""
    write(wrong(), tmp_path / "000-wrong")
    write(clean(), tmp_path / "001-right")
    write_suite(tmp_path, ["000-wrong", "001-right"], {"profile": "soak", "seed": 7})

    assert main(["check", str(tmp_path)]) == 1

    said = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert said[-1] == "VIOLATION:"
    behind = said[said.index("violation") :]
    assert "two-runs:" in behind
    assert "pass" not in behind
