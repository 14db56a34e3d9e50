"""What a task, or a group, in the picture of a job is, in words beneath its name; and the shape by which
another kind of work than a command is told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

ITEMS_SHOWN = 3


class Shape(NamedTuple):
    mermaid: tuple[str, str]  #: what stands around a label
    dot: str  #: attributes


SHAPES = {
    "box": Shape(("[", "]"), ""),
    "double": Shape(("[[", "]]"), "peripheries=2"),
    "ellipse": Shape(("([", "])"), "shape=ellipse"),
    "flag": Shape((">", "]"), "shape=cds"),
    "hexagon": Shape(("{{", "}}"), "shape=hexagon"),
    "octagon": Shape(("((", "))"), "shape=octagon"),
}
"""As a kind of work says what it is drawn as."""
PLAIN, DIVIDED = SHAPES["box"], Shape(("[/", "/]"), "shape=box3d")


def shape_of(task: Mapping[str, Any]) -> Shape:
    from scheduler.model.work import KINDS

    if task.get("fanout"):
        return DIVIDED
    return next((SHAPES[kind.shape] for kind in KINDS if task.get(kind.name) is not None), PLAIN)


def words_of(task: Mapping[str, Any]) -> list[str]:
    """Of a task of a job as the API gives it."""
    from scheduler.model.work import KINDS

    there = [kind for kind in KINDS if task.get(kind.name) is not None]
    said = [kind.name if kind.drawn is None else kind.drawn(task[kind.name]) for kind in there]
    said += [_members(task["fanout"], task.get("join"))] if task.get("fanout") else []
    return [each for each in said if each] + _locks(task)


def group_words(group: Mapping[str, Any]) -> list[str]:
    said = []
    if retry := group.get("retry"):
        said.append(f"retry: {len(retry['delays']) if retry.get('delays') else retry.get('max')}")
    if group.get("catch"):
        said.append(f"catch: {_some(group['catch'])}")
    if repeat := group.get("repeat"):
        said.append(f"until {repeat['until']} ({repeat['max']} rounds at most)")
    if group.get("sticky"):
        said.append("one agent")
    if group.get("max_parallel"):
        said.append(f"{group['max_parallel']} at a time")
    if group.get("admission"):
        said.append(f"within {_some(group['admission']['windows'])}")
    return said + _locks(group)


def _members(fanout: Mapping[str, Any], join: Any) -> str:
    over = fanout.get("foreach")
    if fanout.get("all"):
        said = f"each {fanout['all']} agent"
    elif over is not None:
        said = f"each of {over if isinstance(over, str) else _some([str(each) for each in over])}"
    else:
        said = f"{fanout['n']} times"
    if fanout.get("max_parallel"):
        said += f", {fanout['max_parallel']} at a time"
    return said if join in (None, "all") else f"{said}, join: {join}"


def _locks(box: Mapping[str, Any]) -> list[str]:
    found = [each if isinstance(each, str) else _lock(each) for each in box.get("locks") or ()]
    return [f"locks: {_some(found)}"] if found else []


def _lock(lock: Mapping[str, Any]) -> str:
    amount = lock.get("amount", 1)
    return f"{lock['resource']} ({amount})" if amount != 1 else str(lock["resource"])


def _some(names: Any) -> str:
    more = len(names) - ITEMS_SHOWN
    return ", ".join(names[:ITEMS_SHOWN]) + (f" and {more} more" if more > 0 else "")
