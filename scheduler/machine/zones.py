"""Zone data comes into force: the first, by whoever first names a zone, and later ones by a person's word.

Rules of this file:

1. What is in force is all zones of one version, the same on every node, whatever tzdata it has installed.
   What is decided names its rules by content, and those that an era names stay for as long as eras do.
2. Who retimes says which zones show other clocks from then on: a zone whose file changed in bytes alone
   moves no trigger. A wrong word there makes no two nodes decide differently.
3. Triggers take the new rules over as they take over a calendar's dates (`machine.redates`), all at the
   stamp of the Retime. Plan dates are others at once.
"""

from __future__ import annotations

from scheduler.machine.context import Context, done, refused
from scheduler.machine.steps import redating
from scheduler.model.known_dates import ZONE
from scheduler.store.tables import namespaces, pins, zones
from scheduler.store.tables.refs import Named
from scheduler.ticks import zone_files
from scheduler.ticks.plan_days import PIECES_MAX, PLANS_MAX
from scheduler.ticks.zone_files import ZoneFiles
from scheduler.words import events as e
from scheduler.words.commands import KeepZones, Retime
from scheduler.words.outcomes import Code, Outcome

_PLANS_LOOKED = 10_000


def keep_zones(ctx: Context, command: KeepZones) -> Outcome:
    state = ctx.state
    if state.zones:
        return done(kept=False, version=state.tzdata)
    found = _read(command.body)
    if isinstance(found, Outcome):
        return found
    _put(ctx, found, command.body)
    ctx.emit(e.ZonesKept(found.version))
    return done(kept=True, version=found.version)


def retime(ctx: Context, command: Retime) -> Outcome:
    state = ctx.state
    before = zones.of_digest(ctx.store, state.zones)
    if before is None or state.zones != command.before:
        return refused(Code.SUPERSEDED, "other zone data is in force by now")
    if state.redates:
        return refused(Code.SWITCHING, redating.WAITS)
    found = _read(command.body)
    if isinstance(found, Outcome):
        return found
    if found.digest == state.zones:
        return refused(Code.CONFLICT, f"the zone data {found.version} is in force already")
    planned = namespaces.plans(ctx.store, _PLANS_LOOKED)
    if refusal := _refuse_gone(ctx, found, command.moved, planned) or _refuse_unplanned(command, planned):
        return refusal
    zones.note_version(
        ctx.store, [pin for pin, _ in zones.used(ctx.store) if pin in found.files], found.version
    )
    was = state.tzdata
    _put(ctx, found, command.body)
    state.retimed_ms = ctx.stamp_ms
    begun = state.redates
    for name in command.moved:
        redating.begin(ctx, Named(ZONE, "", name), found.pins[name], ctx.stamp_ms)
    for plan in command.plans:
        if (plan.tz, plan.begin) in planned:
            namespaces.plan(ctx.store, plan.tz, plan.begin, plan.days)
    ctx.changed("cluster", "", "tzdata", was, found.version)
    ctx.emit(e.Retimed(was, found.version, state.redates - begun))
    return done(before=was, version=found.version, at_ms=ctx.stamp_ms, moving=state.redates - begun)


def _read(body: bytes) -> ZoneFiles | Outcome:
    try:
        return zone_files.read(body)
    except zone_files.ZoneFilesError as error:
        return refused(Code.INVALID, str(error))


def _put(ctx: Context, found: ZoneFiles, body: bytes) -> None:
    zones.put(ctx.store, body)
    ctx.state.tzdata, ctx.state.zones = found.version, found.digest


def _refuse_gone(
    ctx: Context, found: ZoneFiles, moved: tuple[str, ...], planned: list[tuple[str, str]]
) -> Outcome | None:
    if len(moved) > zone_files.ZONES_MAX or len(set(moved)) != len(moved):
        return refused(Code.INVALID, f"at most {zone_files.ZONES_MAX} zones move, each once")
    for name in moved:
        if name not in found.pins:
            return refused(Code.INVALID, f"zone {name[: zone_files.NAME_MAX]!r} is not in {found.version}")
    for name in [*pins.zones(ctx.store), *(tz for tz, _ in planned)]:
        if name not in found.pins:
            said = f"triggers or plan dates go by {name}, which {found.version} does not have"
            return refused(Code.CONFLICT, said)
    return None


def _refuse_unplanned(command: Retime, planned: list[tuple[str, str]]) -> Outcome | None:
    found = {(plan.tz, plan.begin) for plan in command.plans}
    if len(found) > PLANS_MAX or any(len(plan.days) > PIECES_MAX for plan in command.plans):
        return refused(Code.LIMIT, f"namespaces are planned by {PLANS_MAX} zones and hours at most")
    for tz, begin in planned:
        if tz in command.moved and (tz, begin) not in found:
            return refused(Code.SUPERSEDED, f"a namespace is planned by {tz} since")
    return None
