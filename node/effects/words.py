"""What an effect says to a person: a subject, and a text in plain words. Made of the parcel alone, so each
try says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from api.instants import rfc3339
from node.effects.contract import Parcel
from scheduler.explain.endings import ending_of
from scheduler.explain.expectations import said
from scheduler.model.quantities import format_duration
from scheduler.store.tables.unmet import Unmet

Facts = Mapping[str, Any]

_ENDED: Mapping[str, str] = {
    "succeeded": "succeeded", "failed": "failed", "timed_out": "timed out", "lost": "was lost"
}  # fmt: skip
_HAPPENED: Mapping[str, Callable[[Facts], str]] = {
    "failed": lambda facts: _ENDED.get(facts["state"], facts["state"]),
    "warned": lambda facts: "succeeded with a warning",
    "recovered": lambda facts: "succeeded again",
    "output": lambda facts: f"wrote something, and {_ENDED.get(facts['state'], facts['state'])}",
    "waiting": lambda facts: "waits",
    "held": lambda facts: f"task {facts['task']} is held" if facts["task"] else "is held",
    "missed": lambda facts: f"missed {_ticks(facts)}",
    "skipped": lambda facts: f"skipped {_ticks(facts)}",
    "late": lambda facts: "is late",
    "at_risk": lambda facts: "is at risk",
    "long": lambda facts: "takes long",
    "short": lambda facts: "was short",
    "stalled": lambda facts: "writes nothing",
    "too_few": lambda facts: "succeeded too few times",
    "digest": lambda facts: f"{facts['count']} notices: {_counts(facts)}",
    "test": lambda facts: f"a test of channel {facts['namespace']}/{facts['channel']}",
    "report": lambda facts: f"report {facts['title']}",
}


def subject(parcel: Parcel) -> str:
    facts = parcel.facts
    mark = "" if facts["criticality"] == "normal" else f"[{facts['criticality']}] "
    silent = "Nobody saw: " if "escalated" in facts else ""
    return f"{mark}{silent}{_whose(facts)}{_HAPPENED[parcel.about](facts)}"


def text(parcel: Parcel, public_url: str = "") -> str:
    """`public_url`: of the cockpit; empty: nobody said."""
    facts = parcel.facts
    end = ["", "-- ", f"Cronclave, cluster {parcel.cluster}, notice {parcel.id}", ""]
    silence = []
    if "escalated" in facts:
        waited = format_duration(facts["silent_ms"] // 1_000 * 1_000)
        silence = [f"Others were told {waited} ago, and nobody said that they saw it.", ""]
    if parcel.about in _OF_NO_JOB:
        return "\n".join([*silence, *_OF_NO_JOB[parcel.about](facts), *end])
    lines = [f"{_whose(facts)}{_HAPPENED[parcel.about](facts)}.", "", *silence]
    if why := _why(parcel.about, facts):
        lines += [f"Why: {why}", ""]
    lines += [f"{name + ':':<12}{value}" for name, value in _known(facts)]
    for part in facts.get("output", ()):
        lines += ["", *_written(part)]
    run = facts["run"]
    more = f"run explain {run}" if run else f"job history {_job(facts)}"
    lines += ["", f"More: cronclave {more}"]
    if public_url:
        place = f"runs/{run}" if run else f"jobs/{facts['namespace']}/{facts['job']}/why"
        lines.append(f"      {public_url}/cockpit/{place}")
    if facts["owner"]:
        lines += ["", f"{facts['owner']} answers for this job."]
    return "\n".join([*lines, *end])


def _digest(facts: Facts) -> list[str]:
    lines = [f"{facts['count']} notices since {rfc3339(facts['first_ms'])}: {_counts(facts)}.", ""]
    for item in facts["items"]:
        run = f", run {item['run']}" if item["run"] else ""
        why = f": {item['reason']}" if item["reason"] else ""
        lines.append(f"{rfc3339(item['at_ms'])}  {item['namespace']}/{item['job']} {item['about']}{run}{why}")
    return [*lines, "", "More: cronclave notify list --state all"]


def _test(facts: Facts) -> list[str]:
    who = facts["actor"] or "Somebody"
    return [f"{who} tries channel {facts['namespace']}/{facts['channel']}. It arrives."]


def _report(facts: Facts) -> list[str]:
    return [facts["title"], "", *facts["lines"]]


_OF_NO_JOB: Mapping[str, Callable[[Facts], list[str]]] = {
    "digest": _digest, "test": _test, "report": _report
}  # fmt: skip


def _whose(facts: Facts) -> str:
    return f"{facts['namespace']}/{facts['job']} " if facts["job"] else ""


def _counts(facts: Facts) -> str:
    return ", ".join(f"{count} {about}" for about, count in facts["by"].items())


def _job(facts: Facts) -> str:
    namespace = facts["namespace"]
    return f"{facts['job']}" if namespace == "default" else f"{facts['job']} -n {namespace}"


def _why(about: str, facts: Facts) -> str:
    if about in ("missed", "skipped"):
        return ending_of(about, facts["reason"]).said
    if "what" in facts:
        row = Unmet(
            0, 0, "", "", 0, facts["what"], facts.get("part", 0), facts["limit_ms"], 0, None, facts["found"],
            facts["wanted"], "", None, None, "",
        )  # fmt: skip
        return said(row)
    if about == "failed":
        code = facts["exit_code"]
        parts = [facts["reason"], "" if code is None else f"exit code {code}"]
        return ", ".join(part for part in parts if part)
    return str(facts.get("reason") or "")


def _ticks(facts: Facts) -> str:
    return "a tick" if facts["count"] == 1 else f"{facts['count']} ticks"


def _known(facts: Facts) -> Iterator[tuple[str, str]]:
    for name in ("tick", "last", "due", "created", "started", "finished", "decided", "limit"):
        if facts.get(f"{name}_ms") is not None and not (name == "last" and facts["count"] == 1):
            yield name, str(rfc3339(facts[f"{name}_ms"]))
    if facts.get("started_ms") is not None and facts.get("finished_ms") is not None:
        took_ms = (facts["finished_ms"] - facts["started_ms"]) // 1_000 * 1_000
        yield "took", format_duration(took_ms) or "less than a second"
    if facts["run"]:
        yield "run", str(facts["run"])
    for name in ("cause", "actor", "revision"):
        if facts.get(name):
            yield name, str(facts[name])


def _written(part: Facts) -> Iterator[str]:
    whose = f"{part['task']}[{part['member']}]" if part["member"] else part["task"]
    length = len(part["end"].encode())
    which = "all of it" if length >= part["bytes"] else f"its last {length} of {part['bytes']} bytes"
    yield f"Output of {whose}, {which}:"
    yield ""
    yield part["end"].rstrip("\n")
