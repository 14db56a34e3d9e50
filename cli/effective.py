"""What holds for a job, value by value, and who said so: the job, its namespace, or nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

TOLD = ("policies", "labels", "owner", "criticality", "notify", "params", "tasks")
"""Of a job, what its template or its namespace may give."""
JOB, TEMPLATE, NAMESPACE, BUILT_IN = "job", "template", "namespace", "built-in"


def effective(found: Mapping[str, Any], words: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`found`: the job as the cluster has it; `words`: what it says itself, in its long form."""
    origins, inherited = found.get("defaults") or {}, found.get("inherited") or {}
    taken, given = set(origins.get("taken", ())), set(inherited.get("taken", ()))
    own = {place for place, _ in _leaves(words, "")}
    own |= {*origins.get("own", ()), *inherited.get("own", ())}
    told = []
    for place, value in _leaves({name: found[name] for name in TOLD if name in found}, ""):
        by_others = NAMESPACE if place in taken else TEMPLATE if place in given else None
        origin = by_others or (JOB if place in own else BUILT_IN)
        told.append({"value": place, "is": value, "by": origin})
    told += [{"value": place, "is": None, "by": JOB} for place in origins.get("off", ())]
    return sorted(told, key=lambda each: str(each["value"]))


def around_of(namespace: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What its namespace runs with each of its attempts."""
    return [
        {"value": f"/{word}", "is": namespace[word], "by": NAMESPACE}
        for word in ("before", "after")
        if namespace.get(word)
    ]


def _leaves(value: object, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _leaves(each, f"{place}/{str(name).replace('~', '~0').replace('/', '~1')}")
    elif value not in ({}, [], "") or not place:
        yield place, value
