"""Plans are drawn from a seed, stored, replayed and shrunk; reports are made of what is there."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from chaos.actions import ACTIONS, View
from chaos.checkers.judge import judge
from chaos.commands import main
from chaos.faults import from_json, to_json
from chaos.plan import Plan, Step, read_plan, shrink, write_plan
from chaos.report import write_report
from chaos.scenarios import CI, ci_plans, possible, random_plan, soak_plans
from chaos.suite import Judged, write_suite
from tests.chaos.stories import clean, write

VIEW = View(
    "node-2",
    {"node-1": "zone-a", "node-2": "zone-b", "node-3": "zone-c"},
    {"agent-1": "zone-a", "agent-2": "zone-b", "agent-3": "zone-c"},
)
#: Words of the issue's list, and the actions that stand for each.
LIST = {
    "zone-lost", "two-zones-lost", "zone-flaps", "leader-cut-off", "leader-deaf", "leader-mute", "bridge",
    "follower-slow", "leader-stopped", "leader-core-stopped", "leader-front-stopped", "majority-killed",
    "all-killed", "leader-disk-full", "follower-sync-error", "torn-tail", "agent-cut-off", "spooler-killed",
    "rolling-restart", "agents-restarted", "clock-ahead", "clock-behind",
}  # fmt: skip


def test_a_seed_gives_the_same_plan_and_another_seed_another() -> None:
    plans = [random_plan("smoke", seed, "switch", possible("switch")) for seed in (1, 1, 2)]

    assert plans[0] == plans[1] != plans[2]


def test_a_stored_plan_is_read_back_as_it_was(tmp_path: Path) -> None:
    plan = random_plan("smoke", 5, "toxiproxy", possible("toxiproxy"))

    write_plan(plan, tmp_path)

    assert read_plan(tmp_path) == plan


@pytest.mark.parametrize("pick", range(5))
@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_becomes_a_fault_that_can_be_written_and_read(name: str, pick: int) -> None:
    fault = ACTIONS[name].becomes(VIEW, pick)

    assert isinstance(fault, ACTIONS[name].fault)
    assert from_json(json.loads(json.dumps(to_json(fault)))) == fault


def test_the_whole_list_is_in_ci_and_in_each_turn_of_a_soak() -> None:
    soak = soak_plans(3)
    turn = [next(soak) for _ in range(40)]

    assert {action for actions in CI.values() for action in actions} >= LIST
    assert {step.action for plan in turn if plan.name.startswith("list-0") for step in plan.steps} >= LIST


def test_what_a_soak_breaks_at_once_can_be_told_apart() -> None:
    over_links = {"follower-slow", "nodes-lossy", "agent-cut-off", "zone-flaps", "zone-lost", "bridge"}
    pairs = {
        (first.action, second.action)
        for seed in range(300)
        for steps in [random_plan("soak", seed, "switch", possible("switch")).steps]
        for first, second in pairwise(steps)
        if second.at_ms < first.at_ms + first.for_ms
    }

    assert len(pairs) > 50
    assert not [pair for pair in pairs if set(pair) <= over_links]
    assert not [pair for pair in pairs if not ACTIONS[pair[0]].keeps_majority]
    assert ("leader-cut-off", "spooler-killed") in pairs
    assert ("zone-lost", "agent-killed") not in pairs


def test_the_links_of_ci_alternate_and_change_with_the_seed() -> None:
    even, odd = ci_plans(4), ci_plans(5)

    assert len(even) == 6
    assert {plan.links for plan in even} == {"toxiproxy", "switch"}
    assert all(one.links != other.links for one, other in zip(even, odd, strict=True))


def test_shrinking_finds_the_steps_that_matter() -> None:
    steps = tuple(Step(1000 * n, 500, name) for n, name in enumerate(list(ACTIONS)[:16]))
    plan = Plan("long", "soak", 1, "direct", steps)
    needed = {steps[3], steps[11]}

    smaller, runs = shrink(plan, lambda fewer: needed <= set(fewer.steps), runs_max=100)

    assert set(smaller.steps) == needed
    assert runs < 60


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"format": 9}, "format"),
        ({"steps": [{"at_ms": 1, "for_ms": 1, "action": "leader-kiled"}]}, "leader-kiled"),
        ({"steps": [{"at_ms": 1, "for_ms": -1, "action": "leader-killed"}]}, "negative"),
        ({"sted": 1}, "sted"),
    ],
)
def test_a_broken_plan_is_refused_with_its_place(
    tmp_path: Path, change: dict[str, object], word: str
) -> None:
    write_plan(random_plan("smoke", 5, "direct", possible("direct")), tmp_path)
    told = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({**told, **change}))

    with pytest.raises(ValueError, match=word):
        read_plan(tmp_path)


def test_check_judges_what_lies_in_a_directory(tmp_path: Path) -> None:
    write(clean(), tmp_path)

    assert main(["check", str(tmp_path)]) == 0
    assert "PASS" in (tmp_path / "report.html").read_text()


def test_a_violation_is_exit_code_1_and_on_top_of_the_page(tmp_path: Path) -> None:
    story = clean()
    story.again(story.start(11), run=77, at_s=111.5)
    write(story, tmp_path)

    assert main(["check", str(tmp_path)]) == 1
    top = (tmp_path / "report.html").read_text().split("</header>")[0]
    assert "VIOLATION" in top
    assert "two-runs" in top
    assert "leader-killed" in top  # under which fault
    suites = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert {t.get("name") for t in suites.iter("testcase") if t.find("failure") is not None} >= {"ticks"}


def test_too_little_is_exit_code_2(tmp_path: Path) -> None:
    story = clean()
    story.plan["minimum"] = {"ticks": 10_000}
    write(story, tmp_path)

    assert main(["check", str(tmp_path)]) == 2


def test_no_case_and_a_used_directory_are_exit_code_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "something").write_text("of mine")

    assert main(["check", str(tmp_path)]) == 3
    assert "plan.json" in capsys.readouterr().err
    assert main(["run", "--profile", "smoke", "--out", str(tmp_path)]) == 3
    assert "new or empty" in capsys.readouterr().err


def test_the_report_loads_nothing_from_outside_and_shows_no_markup_of_others(tmp_path: Path) -> None:
    story = clean()
    story.fault(115.0, 116.0, action="<script>alert(1)</script>")
    write(story, tmp_path)

    write_report(tmp_path, [Judged("story", tmp_path, story.plan, tuple(judge(story.case())))])

    text = (tmp_path / "report.html").read_text()
    assert "<script" not in text
    assert "http://" not in text
    assert "https://" not in text


def test_a_page_of_several_cases_adds_them_up_and_names_the_gravest_first(tmp_path: Path) -> None:
    wrong = clean()
    wrong.again(wrong.start(11), run=77, at_s=111.5)
    write(clean(), tmp_path / "000-right")
    write(wrong, tmp_path / "001-wrong")
    write_suite(tmp_path, ["000-right", "001-wrong"], {"profile": "soak", "seed": 7})

    assert main(["check", str(tmp_path)]) == 1

    text = (tmp_path / "report.html").read_text()
    assert "1 of 2 plans passed" in text
    assert text.index("001-wrong/report.html") < text.index("000-right/report.html")
    assert "leader-killed 2" in text  # faults of both
