"""By which rules clocks on walls are read: the zone data of the cluster."""

from __future__ import annotations

from scheduler.words.record import NOBODY, Actor, ByCore, ByPerson, Record, command, part


@command(95)
class KeepZones(ByCore):
    """These zone files are in force, as none were yet: whoever is first to name a zone sends those of its own
    tzdata."""

    body: bytes  #: `ticks.zone_files.packed`


@part
class Replanned(Record):
    """The plan dates of all namespaces that are planned by this zone and hour, by the new rules."""

    tz: str
    begin: str
    days: tuple[tuple[int, int], ...]  #: `ticks.plan_days`


@command(106, edits=True)
class Retime(ByPerson):
    """Other zone data comes into force, as of the stamp of this entry. Triggers of zones that moved take the
    new rules over in slices (Redate), namespaces at once."""

    before: str  #: digest of the zone data that it was prepared beside; another is in force: refused
    body: bytes  #: `ticks.zone_files.packed`
    moved: tuple[str, ...]  #: zones that show other clocks from now on
    plans: tuple[Replanned, ...] = ()  #: of each zone among them by which a namespace is planned
    actor: Actor = NOBODY
