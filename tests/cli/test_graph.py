"""Graphs of jobs and runs as text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from cli import graph_kinds
from cli.graph import boxes_of, dot, mermaid
from scheduler.model.work.kind import Shape
from tests.api.single_node import SingleNode
from tests.api.working import connect, run_it
from tests.cli.conftest import Command

JOB = """
job: nightly
tasks:
  extract: {noop: true}
  load: {needs: [extract], when: "extract.exit_code < 3", noop: true}
  report: {needs: [load], rule: none_failed, noop: true}
  close: {noop: true}
finally: [close]
"""


async def test_the_graph_of_a_job_is_written_for_pages_and_for_graphviz(
    cronclave: Command, node: SingleNode
) -> None:
    await cronclave("job", "apply", "-", stdin=JOB)
    told = (await cronclave("job", "graph", "nightly")).out.splitlines()
    assert told[0] == "flowchart LR"
    nodes = (re.match(r' *(t\d+)\["(\w+)', line) for line in told)
    names = {node[2]: node[1] for node in nodes if node}
    assert f"  {names['extract']} --> {names['load']}" in told
    assert f"  {names['report']} -.-> finally" in told
    assert any("when: extract.exit_code #lt; 3" in line for line in told)
    drawn = (await cronclave("job", "graph", "nightly", "-o", "dot")).out
    assert drawn.startswith("digraph job {")
    assert '"extract" -> "load"' in drawn
    assert '"report" -> "close" [style=dashed]' in drawn


async def test_the_graph_of_a_run_says_how_its_tasks_stand(cronclave: Command, node: SingleNode) -> None:
    await cronclave("job", "apply", "-", stdin=JOB)
    agent = connect(node)  # late: a node gives up, after a while, whose agent has no connection
    await cronclave("job", "run", "nightly")
    run_it(node, 1, agent, exit_code=5)
    told = (await cronclave("run", "graph", "1")).out
    assert "extract<br>noop<br>failed" in told
    assert "classDef failed fill:" in told
    drawn = (await cronclave("run", "graph", "1", "-o", "dot")).out
    assert '"extract" [label="extract\\nnoop\\nfailed", fillcolor=' in drawn


@pytest.mark.parametrize("write", [mermaid, dot])
def test_what_a_condition_says_ends_no_label(write: object) -> None:
    job = {"tasks": {"a": {"when": 'params.x == "\\"]" and 1 > 0 # no'}}}
    text = (mermaid if write is mermaid else dot)(boxes_of(job, {}))
    (line,) = [line for line in text.splitlines() if "when" in line]
    if write is mermaid:
        assert line.count('"') == 2
        assert "<" not in line.replace("<br>", "")
    else:
        assert line.endswith('no"]')
        assert line.count('\\"') == 3


def test_a_group_is_a_box_of_its_own() -> None:
    job = {
        "tasks": {"a": {}, "b": {}, "c": {"needs": ["b"]}, "d": {"needs": ["g"]}, "mend": {}},
        "groups": {"g": {"tasks": ["b", "c"], "needs": ["a"], "catch": ["mend"]}},
    }
    boxes = boxes_of(job, {})
    assert {box.name: (box.needs, box.group) for box in boxes} == {
        "a": ((), ""), "b": (("a",), "g"), "c": (("b",), "g"), "d": (("c",), ""), "mend": ((), "g"),
    }  # fmt: skip
    assert '  subgraph g0["g<br>catch: mend"]' in mermaid(boxes)
    assert 'subgraph "cluster_g" {' in dot(boxes)


KINDS: dict[str, tuple[dict[str, object], str, str]] = {
    "each": ({"run": "x", "fanout": {"n": 3, "max_parallel": 2}, "join": "80%"},
             "[/\"each<br>3 times, 2 at a time, join: 80%\"/]", "box3d"),
    "hosts": ({"run": "x", "fanout": {"all": "registered"}},
              "[/\"hosts<br>each registered agent\"/]", "box3d"),
    "listed": ({"run": "x", "fanout": {"foreach": ["p", "q", "r", "s"]}},
               "[/\"listed<br>each of p, q, r and 1 more\"/]", "box3d"),
    "asks": ({"approval": {"by": ["ops"], "expires": "1d"}},
             "{{\"asks<br>approval by ops, within 1d\"}}", "hexagon"),
    "nap": ({"sleep": "10m"}, "([\"nap<br>sleep 10m\"])", "ellipse"),
    "tell": ({"post": {"board": "stock"}}, ">\"tell<br>notice on stock\"]", "cds"),
    "inner": ({"job": {"name": "page", "wait": True}}, "[[\"inner<br>run of page\"]]", "peripheries=2"),
    "aside": ({"job": {"name": "page", "wait": False}},
              "[[\"aside<br>run of page, not waited for\"]]", "peripheries=2"),
    "over": ({"finish": "succeeded"}, "((\"over<br>the run ends: succeeded\"))", "octagon"),
    "locked": ({"exec": ["ls"], "locks": ["w", {"resource": "seats", "amount": 2}]},
               "[\"locked<br>exec<br>locks: w, seats (2)\"]", ""),
    "plain": ({"run": "x"}, "[\"plain\"]", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_work_is_told_apart(name: str) -> None:
    task, drawn, shape = KINDS[name]
    boxes = boxes_of({"tasks": {name: task}}, {})
    assert f"  t0{drawn}" in mermaid(boxes).splitlines()
    (line,) = [line for line in dot(boxes).splitlines() if line.startswith(f'  "{name}"')]
    assert shape in line
    assert shape or "shape" not in line


def test_every_shape_that_a_kind_may_say_can_be_drawn() -> None:
    assert set(graph_kinds.SHAPES) == set(get_args(Shape))


def test_a_group_says_what_it_does() -> None:
    group = {
        "tasks": ["a"], "catch": ["mend"], "retry": {"max": 2}, "sticky": True, "max_parallel": 3,
        "repeat": {"until": "a.outputs.left == 0", "max": 20}, "locks": ["zone"],
        "admission": {"windows": ["Mon-Fri 20:00-06:00"]},
    }  # fmt: skip
    boxes = boxes_of({"tasks": {"a": {}, "mend": {}}, "groups": {"g": group}}, {})
    said = ["g", "retry: 2", "catch: mend", "until a.outputs.left == 0 (20 rounds at most)", "one agent",
            "3 at a time", "within Mon-Fri 20:00-06:00", "locks: zone"]  # fmt: skip
    assert f'  subgraph g0["{"<br>".join(said)}"]' in mermaid(boxes)
    assert 'label="{}"'.format("\\n".join(said)) in dot(boxes)


async def test_a_picture_is_drawn_by_graphviz_or_it_is_said_that_there_is_none(
    cronclave: Command, node: SingleNode, tmp_path: Path
) -> None:
    await cronclave("job", "apply", "-", stdin=JOB)
    told = await cronclave("job", "graph", "nightly", "-o", "svg", PATH=str(tmp_path))
    assert (told.code, told.out) == (1, "")
    assert "needs Graphviz" in told.err
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\nwhile read -r line; do echo "$1: $line"; done\n')
    program.chmod(0o755)
    drawn = (await cronclave("job", "graph", "nightly", "-o", "svg", PATH=str(tmp_path))).out
    assert "-Tsvg: digraph job {" in drawn
    program.write_text("#!/bin/sh\necho 'no such font' >&2; exit 3\n")
    told = await cronclave("job", "graph", "nightly", "-o", "svg", PATH=str(tmp_path))
    assert told.code == 1
    assert "ended with 3" in told.err
    assert "no such font" in told.err
