"""The zone data in force, and the zone files that eras of triggers name.

`ready` stands wherever a trigger's spec leaves the state: who reads it may ask `ticks.schedule` for its
instants, which needs the rules that the spec names and looks nothing up.
"""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.store.connection import Store
from scheduler.ticks import zone_files
from scheduler.ticks.zone_files import ZoneFiles
from scheduler.ticks.zones import Zone, zone

_READ: dict[str, ZoneFiles] = {}  #: by digest
_READ_MAX = 4
_RULES = b'"rules":"'
_IS_USED = "SELECT 1 FROM zone_files WHERE pin = ?"


def current(store: Store) -> ZoneFiles | None:
    """All zones of the version in force; None: none was asked for yet."""
    return of_digest(store, store.value("SELECT zones FROM state WHERE id = 1"))


def pin_of(store: Store, name: str) -> str | None:
    """The rules of this zone that are in force; None: none, or there is no such zone."""
    found = current(store)
    return None if found is None else found.pins.get(name)


def of_digest(store: Store, digest: str) -> ZoneFiles | None:
    if not digest:
        return None
    found = _READ.get(digest)
    if found is None:
        found = zone_files.read(bytes(store.value("SELECT body FROM zone_data WHERE id = 1")))
        while len(_READ) >= _READ_MAX:
            _READ.pop(next(iter(_READ)), None)
        _READ[found.digest] = found
    return found


def clock(store: Store, digest: str, tz: str) -> Zone:
    """The zone of this name by the data of that digest; empty: UTC. What that lacks is read as UTC."""
    pin = rules_in(of_digest(store, digest), tz) if tz else None
    return zone("UTC") if pin is None else zone_files.pinned(pin)


def in_force(store: Store, tz: str) -> Zone:
    """The same by the data in force."""
    return clock(store, store.value("SELECT zones FROM state WHERE id = 1"), tz)


def rules_in(found: ZoneFiles | None, name: str) -> str | None:
    """The pin of the zone in this data, which the process knows from then on; None: there is no such zone."""
    pin = None if found is None else found.pins.get(name)
    if found is not None and pin is not None and not zone_files.is_learned(pin):
        zone_files.learn(found.files[pin])
    return pin


def put(store: Store, body: bytes) -> None:
    """From now on these are in force; `use` has kept what eras name of the others."""
    store.write("INSERT OR REPLACE INTO zone_data (id, body) VALUES (1, ?)", (body,))


def use(store: Store, found: ZoneFiles, pin: str) -> None:
    """An era names these rules."""
    if pin in found.files and not store.kept.note("zone_files", _IS_USED, (pin,), keeps=bool):
        store.write(
            "INSERT INTO zone_files (pin, version, body) VALUES (?, ?, ?)",
            (pin, found.version, found.files[pin]),
        )


def used(store: Store) -> list[tuple[str, str]]:
    """What eras name: pin and the last version in force that had it, by pin."""
    return [(pin, version) for pin, version in store.rows("SELECT pin, version FROM zone_files ORDER BY pin")]


def note_version(store: Store, pins: Iterable[str], version: str) -> None:
    """These are in this version too, which comes into force."""
    for pin in pins:
        store.write("UPDATE zone_files SET version = ? WHERE pin = ?", (version, pin))


def version_of(store: Store, pin: str) -> str | None:
    """The last version in force that had these rules."""
    found: str | None = store.value("SELECT version FROM zone_files WHERE pin = ?", (pin,))
    return found


def ready(store: Store, spec: bytes) -> None:
    """This process knows the rules that the spec names. Those that the state lacks stay unknown: who
    asks for instants hears of it."""
    at = spec.find(_RULES)
    if at >= 0:
        at += len(_RULES)
        pin = spec[at : at + zone_files.PIN_LETTERS].decode("ascii", "replace")
        if not zone_files.is_learned(pin):
            learn(store, pin)


def learn(store: Store, pin: str) -> None:
    body = store.value("SELECT body FROM zone_files WHERE pin = ?", (pin,))
    if body is None:
        found = current(store)
        body = None if found is None else found.files.get(pin)
    if body is not None:
        zone_files.learn(bytes(body))
