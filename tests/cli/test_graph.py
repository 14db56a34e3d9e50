"""Graphs of jobs and runs as text."""

from __future__ import annotations

import re

import pytest

from cli.graph import boxes_of, dot, mermaid
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
    agent = connect(node)
    await cronclave("job", "apply", "-", stdin=JOB)
    await cronclave("job", "run", "nightly")
    run_it(node, 1, agent, exit_code=5)
    told = (await cronclave("run", "graph", "1")).out
    assert "extract<br>failed" in told
    assert "classDef failed fill:" in told
    drawn = (await cronclave("run", "graph", "1", "-o", "dot")).out
    assert '"extract" [label="extract\\nfailed", fillcolor=' in drawn


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
    assert '  subgraph g0["g"]' in mermaid(boxes)
    assert 'subgraph "cluster_g" {' in dot(boxes)
