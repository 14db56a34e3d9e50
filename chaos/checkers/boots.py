"""A trigger of boots makes one run for each boot of a host, on that host.

Rules:
1. A host boots where a fault took it away, and where its agent comes for the first time: those runs, and no
   others; of one boot one run at most.
2. The last boot of each host has its run, unless everything may have been paused as its agent came, or
   another fault hit the host. Of several boots that the cluster did not hear of between, the last one alone
   is known. When an agent came is what nodes told of it; where none did, any pause since excuses it.
3. Paused or not, each has an entry of the ledger or a run: of no fewer hosts than have surely booted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from chaos.case import Band, Case, milliseconds
from chaos.checkers import Finding, Offence, finding
from chaos.checkers.causes import BEGIN_S, agent_hurt
from chaos.checkers.spans import EVERYTHING, overlapping, possibly

NAME = "boots"
CAUSE = "startup"
TOLD_S = 1.0  #: so late may be told that an agent came; it is away for longer than that

Run = Mapping[str, Any]


class Boot(NamedTuple):
    host: str
    from_s: float
    back_s: float
    is_sure: bool  #: that it came back


def check(case: Case) -> Finding:
    jobs = {o.arguments["job"] for o in case.operations if o.op == "declare" and o.arguments.get("boots")}
    runs = [run for run in case.final.get("runs", []) if run["job"] in jobs]
    boots = sorted(_boots(case), key=lambda boot: boot.back_s)
    offences = [*_too_many(case, runs, len(boots)), *(_lacking(case, runs, boots) if jobs else ())]
    counts = {"boots": len(boots), "runs": len(runs)}
    return finding(NAME, offences, f"{len(boots)} boots, {len(runs)} runs of them", counts)


def _boots(case: Case) -> Iterator[Boot]:
    for band in case.bands:
        for host in sorted(_lost_hosts(case, band)):
            yield Boot(host, band.began_s, band.ended_s, not band.problem)
    come: set[str] = set()
    for entry in case.history:
        if entry["kind"] == "visitor" and entry["what"] == "came" and entry["name"] not in come:
            come.add(entry["name"])
            yield Boot(entry["name"], entry["t"] - BEGIN_S, entry["t"], True)


def _lost_hosts(case: Case, band: Band) -> set[str]:
    if band.fault.get("kind") == "zone-loss":
        zones = set(band.fault["zones"])
        return {host for host, zone in case.zones.items() if zone in zones} - case.nodes
    return {name.removesuffix("/host") for name in band.fault.get("processes", ()) if name.endswith("/host")}


def _too_many(case: Case, runs: list[Run], boots: int) -> Iterator[Offence]:
    times = Counter((run["job"], run["cause_key"]) for run in runs)
    for (job, key), count in times.items():
        if count > 1:
            yield Offence("booted-twice", f"{count} runs of {job} for the boot {key}", None, job)
    for job, count in Counter(job for job, _ in times).items():
        if count > boots:
            yield Offence("never-booted", f"{count} runs of {job}, {boots} boots", None, job)
    for run in runs:
        if run["cause"] != CAUSE:
            detail = f"run {run['id']} of {run['job']} is there by {run['cause']}"
            yield Offence("never-booted", detail, case.at_s(milliseconds(run["created"])), run["job"])


def _unheard(case: Case, runs: list[Run], last: Mapping[str, Boot]) -> Iterator[Offence]:
    """Keys are of trigger, installation and boot; each host has an installation of its own."""
    entries = case.final.get("boots")
    if entries is None:
        return
    keys = [run["cause_key"] for run in runs] + [entry["cause_key"] for entry in entries]
    heard = {str(key).split("/")[1] for key in keys if str(key).count("/") == 2}
    if len(heard) < len(last):
        yield Offence("boot-unheard", f"{len(last)} hosts surely booted, the product knows {len(heard)}")


def _came(case: Case, boot: Boot, until_s: float) -> tuple[float, float]:
    """From when to when its agent was seen, and what waits for that was fired."""
    told = [
        event["t"]
        for events in case.events.values()
        for event in events
        if event["event"] == "agent_connected" and event["name"] == boot.host
    ]
    came_s = min((at_s for at_s in told if at_s >= boot.from_s + TOLD_S), default=None)
    if came_s is None:
        return boot.from_s, until_s
    return came_s - TOLD_S, came_s + BEGIN_S * case.slowness(boot.from_s, came_s)


def _lacking(case: Case, runs: list[Run], boots: list[Boot]) -> Iterator[Offence]:
    all_back_s, until_s = case.phases.get("agents"), case.phases.get("until")
    if all_back_s is None or until_s is None:
        return
    last = {
        boot.host: boot
        for boot in {boot.host: boot for boot in boots}.values()
        if boot.is_sure and not _hurt(case, boot, until_s)
    }
    yield from _unheard(case, runs, last)
    for host, boot in last.items():
        if overlapping(possibly(case, *EVERYTHING), *_came(case, boot, until_s)):
            continue
        ran = [run for run in runs if case.at_s(milliseconds(run["created"])) >= boot.from_s]
        if not any(a["agent"] == host for run in ran for t in run["tasks"].values() for a in t["attempts"]):
            detail = f"{host} booted and came back, and no run was made of it"
            yield Offence("boot-without-run", detail, boot.back_s)


def _hurt(case: Case, boot: Boot, until_s: float) -> bool:
    """Whether it came too late for all that follows, or another fault hit the host."""
    behind_s = boot.back_s + 2 * BEGIN_S * case.slowness(boot.back_s, until_s)
    return behind_s > until_s or agent_hurt(case, boot.host, behind_s, until_s)
