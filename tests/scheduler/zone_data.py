"""Sets of zone files to retime by: a few zones of the packaged tzdata, under names and versions of choice."""

from __future__ import annotations

from importlib.resources import files

from scheduler.ticks import zone_files

ZONES = ("America/Havana", "America/New_York", "America/Vancouver", "Etc/UTC", "Europe/Berlin")


def file_of(name: str) -> bytes:
    return files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


def body(version: str = "2026a", **other: str) -> bytes:
    """The zones, those in `other` with the clocks of another zone: `Europe_Berlin="Europe/Moscow"`."""
    found = {name: file_of(other.get(name.replace("/", "_"), name)) for name in ZONES}
    return zone_files.packed(version, found)


def shuffled(version: str, name: str) -> bytes:
    """As `body`, and one zone's file has other bytes and the same clocks: another version of the format."""
    found = {each: file_of(each) for each in ZONES}
    whole = found[name]
    found[name] = whole[:4] + (b"3" if whole[4:5] == b"2" else b"2") + whole[5:]
    return zone_files.packed(version, found)
