"""The zone data in force, as fronts prepare by it: theirs comes into force only where there is none yet."""

from __future__ import annotations

from api.outcomes import expect_ok
from api.ports import Scheduler
from api.problems import Problem
from api.threads import in_thread
from scheduler.model import Job
from scheduler.model.objects.parsing import Definition
from scheduler.store.tables import zones
from scheduler.ticks import zone_files
from scheduler.ticks.zone_files import ZoneFiles
from scheduler.words.commands import KeepZones


def zone_rules(in_force: ZoneFiles | None, name: str) -> str:
    """The pin of the zone's rules; empty: no zone data is in force yet. Raises Problem for a zone that what
    is in force does not have."""
    pin = zones.rules_in(in_force, name)
    if in_force is not None and pin is None:
        raise Problem(
            "validation", f"the zone data in force, {in_force.version}, has no time zone {name}",
            hint="cronclave cluster retime brings newer zone data into force.",
        )  # fmt: skip
    return pin or ""


async def need_zones(scheduler: Scheduler, parsed: Job | Definition, *, trial: bool) -> None:
    """Zone data is in force, and has the zones that this object names: jobs are due by those of a schedule
    whenever it is edited. Raises Problem."""
    named = [] if isinstance(parsed, Job) else parsed.zones  # of a job that is said as it is prepared
    if named and not trial:
        await keep_zones(scheduler)
    with scheduler.read() as store:
        in_force = zones.current(store) if named else None
    for name in named:
        zone_rules(in_force, name)


async def keep_zones(scheduler: Scheduler) -> bool:
    """Zone data is in force: that of this node, if there was none, which it says."""
    with scheduler.read() as store:
        if store.value("SELECT zones FROM state WHERE id = 1"):
            return False
    body = await in_thread(zone_files.of_wheel)
    expect_ok(await scheduler.propose(KeepZones(body)), what="the zone data")
    return True
