"""`cronclave job graph` and `run graph`: the graph of a job's tasks as text, for pages and for Graphviz.

A drawing needs a layout. Graphviz has one, so `-o svg` asks its `dot` for it, where that is installed; every
page that renders Mermaid draws what is written here too."""

from __future__ import annotations

from typing import Any, NamedTuple

import click

from cli.client import Client, path_of
from cli.completing import job_names
from cli.examples import examples
from cli.exits import Failure
from cli.graph_kinds import PLAIN, Shape, group_words, shape_of, words_of
from cli.hands import ID
from cli.options import connected, consistency, namespaced, stale

COLOURS = {
    "succeeded": "#c9e7c5", "failed": "#f4b8b0", "timed_out": "#f4b8b0", "lost": "#f4b8b0",
    "expired": "#f4b8b0", "cancelled": "#dddddd", "skipped": "#eeeeee", "active": "#b9d7f5",
    "queued": "#fdf0c4", "retry_wait": "#fdf0c4", "held": "#e3cdf2",
}  # fmt: skip
"""Of a task's state; of others none."""
FORM = click.option(
    "-o", "--output", "form", type=click.Choice(("mermaid", "dot", "svg")), default="mermaid",
    show_default=True,
    help="Mermaid, as Markdown pages render it, the language of Graphviz, or a picture (needs Graphviz).",
)  # fmt: skip


DRAWN_S = 120  #: a graph of thousands takes Graphviz long


class Box(NamedTuple):
    name: str
    lines: tuple[str, ...]  #: beneath its name: what is to be known of it
    needs: tuple[str, ...]
    is_last: bool  #: it is done finally
    state: str = ""
    waits: bool = False  #: for the end of all the rest, and for no other of those that are done finally
    group: str = ""  #: that it is in
    shape: Shape = PLAIN
    group_lines: tuple[str, ...] = ()  #: beneath the group's name


@click.command(
    "graph",
    epilog=examples(
        "cronclave job graph nightly-report > graph.mmd",
        "cronclave job graph nightly-report -o svg > graph.svg",
    ),
)
@click.argument("name", shell_complete=job_names)
@FORM
@namespaced
@stale
@connected
def job_graph(client: Client, name: str, form: str, namespace: str, stale: bool) -> None:
    """Write the graph of a job's tasks, as Mermaid, for Graphviz, or as a picture."""
    path = path_of("jobs", name, namespace=namespace, consistency=consistency(stale))
    click.echo(WRITERS[form](boxes_of(client.get(path), {})))


@click.command(
    "graph",
    epilog=examples("cronclave run graph 42", "cronclave run graph 42 -o dot | dot -Tpng > run.png"),
)
@ID
@FORM
@stale
@connected
def run_graph(client: Client, run_id: int, form: str, stale: bool) -> None:
    """Write the graph of a run's tasks with how they stand, as Mermaid, for Graphviz, or as a picture."""
    run = client.get(path_of("runs", run_id, consistency=consistency(stale)))
    path = path_of(
        "jobs", run["job"], namespace=run["namespace"], revision=str(run["revision"]),
        consistency=consistency(stale),
    )  # fmt: skip
    revision = client.get(path)
    click.echo(WRITERS[form](boxes_of(revision.get("definition") or revision, run["tasks"])))


def boxes_of(job: dict[str, Any], states: dict[str, dict[str, Any]]) -> list[Box]:
    """Of each task, in the order of the job. `states`: of a run's tasks."""
    last, found, groups = set(job.get("finally") or ()), [], _Groups(job)
    for name, task in job["tasks"].items():
        said = words_of(task)
        said += [_rule(task["rule"])] if task.get("rule", "all_success") != "all_success" else []
        said += [f"when: {task['when']}"] if task.get("when") else []
        stands = states.get(name, {})
        if stands:
            said.append(str(stands["state"]))
        if stands.get("taken_from"):
            said.append(f"taken over from run {stands['taken_from']}")
        needs, is_last = groups.needs(name), name in last
        state, group = str(stands.get("state", "")), "finally" if is_last else groups.of.get(name, "")
        found.append(
            Box(
                name, tuple(said), needs, is_last, state, is_last and not needs, group, shape_of(task),
                groups.words(group),
            )
        )  # fmt: skip
    return found


class _Groups:
    """Of a job: an edge from or to a group is drawn from those in it that no other there needs, and to those
    that need no other there."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._tasks, self._groups = job["tasks"], job.get("groups") or {}
        self.of = {
            task: name
            for name, group in self._groups.items()
            for task in (*group["tasks"], *(group.get("catch") or ()))
        }

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(group_words(self._groups[name])) if name in self._groups else ()

    def needs(self, name: str) -> tuple[str, ...]:
        needs = list(self._tasks[name].get("needs") or ())
        group = self._groups.get(self.of.get(name, ""), {})
        if not needs and name in group.get("tasks", ()):
            needs = list(group.get("needs") or ())
        found = dict.fromkeys(end for need in needs for end in self._ends(need))
        return tuple(found)

    def _ends(self, name: str) -> list[str]:
        if name not in self._groups:
            return [name]
        inside = self._groups[name]["tasks"]
        needed = {need for task in inside for need in self._tasks[task].get("needs") or ()}
        return [task for task in inside if task not in needed]


def _rule(rule: str | dict[str, int]) -> str:
    return f"rule: {rule}" if isinstance(rule, str) else f"rule: {next(iter(rule.values()))} of them"


def mermaid(boxes: list[Box]) -> str:
    ids = {box.name: f"t{place}" for place, box in enumerate(boxes)}
    lines = ["flowchart LR"]
    lines += [f"  {_node(ids, box)}" for box in boxes if not box.group]
    for place, (group, said) in enumerate(_groups_of(boxes).items()):
        words = "<br>".join(_entities(line) for line in (group, *said))
        title = "finally" if group == "finally" else f'g{place}["{words}"]'
        inside = (f"    {_node(ids, box)}" for box in boxes if box.group == group)
        lines += [f"  subgraph {title}", *inside, "  end"]
    lines += [f"  {ids[need]} --> {ids[box.name]}" for box in boxes for need in box.needs]
    lines += [f"  {ids[name]} -.-> finally" for name in _ends(boxes)]
    for state in dict.fromkeys(box.state for box in boxes if box.state in COLOURS):
        of_state = ",".join(ids[box.name] for box in boxes if box.state == state)
        lines += [f"  classDef {state} fill:{COLOURS[state]},color:#111", f"  class {of_state} {state}"]
    return "\n".join(lines)


def _node(ids: dict[str, str], box: Box) -> str:
    left, right = box.shape.mermaid
    return f'{ids[box.name]}{left}"{"<br>".join(_entities(line) for line in (box.name, *box.lines))}"{right}'


def _entities(text: str) -> str:
    """As Mermaid reads a label that holds anything."""
    for letter, entity in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(letter, entity)
    return text


def dot(boxes: list[Box]) -> str:
    lines = ["digraph job {", "  rankdir=LR", '  node [shape=box, style="rounded,filled", fillcolor=white]']
    lines += [f"  {_dot_node(box)}" for box in boxes if not box.group]
    for group, said in _groups_of(boxes).items():
        label = "\\n".join(_escaped(line) for line in (group, *said))
        inside = (f"    {_dot_node(box)}" for box in boxes if box.group == group)
        lines += [f"  subgraph {_quoted(f'cluster_{group}')} {{", f'    label="{label}"']
        lines += ["    style=dashed", *inside, "  }"]
    lines += [f"  {_quoted(need)} -> {_quoted(box.name)}" for box in boxes for need in box.needs]
    waiting = [box.name for box in boxes if box.waits]
    lines += [
        f"  {_quoted(name)} -> {_quoted(other)} [style=dashed]" for name in _ends(boxes) for other in waiting
    ]
    return "\n".join([*lines, "}"])


def _dot_node(box: Box) -> str:
    label = "\\n".join(_escaped(line) for line in (box.name, *box.lines))
    colour = f', fillcolor="{COLOURS[box.state]}"' if box.state in COLOURS else ""
    shape = f", {box.shape.dot}" if box.shape.dot else ""
    return f'{_quoted(box.name)} [label="{label}"{colour}{shape}]'


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _groups_of(boxes: list[Box]) -> dict[str, tuple[str, ...]]:
    return {box.group: box.group_lines for box in boxes if box.group}


def _ends(boxes: list[Box]) -> list[str]:
    """Tasks that no other needs, where something is done finally after them."""
    if not any(box.is_last for box in boxes):
        return []
    needed = {need for box in boxes for need in box.needs}
    return [box.name for box in boxes if not box.is_last and box.name not in needed]


def svg(boxes: list[Box]) -> str:
    """As Graphviz draws it; raises Failure where there is none, or it fails."""
    import shutil
    import subprocess

    program = shutil.which("dot")
    if program is None:
        hint = "Install it (apt install graphviz), or write it with -o dot and draw it elsewhere."
        raise Failure("-o svg needs Graphviz, and there is no program dot here", hint=hint)
    try:
        done = subprocess.run(
            [program, "-Tsvg"], input=dot(boxes), capture_output=True, text=True, check=False,
            timeout=DRAWN_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        hint = "Write it with -o dot, and draw it with another of Graphviz' programs: sfdp -Tsvg."
        raise Failure(f"{program} did not draw it: {error}", hint=hint) from error
    if done.returncode != 0:
        raise Failure(f"{program} ended with {done.returncode}", details=done.stderr.splitlines()[:5])
    return done.stdout


WRITERS = {"mermaid": mermaid, "dot": dot, "svg": svg}
