"""The zone files of one tzdata version as the state keeps them, and the rules that specs name by content.

Rules of this file:

1. A *pin* is a hash of a zone file's bytes: equal pins are equal rules, whatever version brought them and
   under whichever name. What is decided names its rules by pin, and never asks the wheel.
2. `learn` lays rules down for this process, under their own hash: who asks for a pin gets the same zone in
   every process, whoever learned it. Nothing is ever changed or taken back.
3. All zones of a version are one body: a JSON head, and behind it the files, each once; compressed. Its
   *digest* is of what is compressed, so that it does not depend on the zlib of whoever made it.
4. Bytes may come from anywhere: they have limits, and what is no set of zone files raises ZoneFilesError.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from typing import NamedTuple
from zoneinfo import ZoneInfo

from scheduler.ticks.zones import Zone, tzdata_version, year_start_s, zone_names

FILE_BYTES_MAX = 16_384
ZONES_MAX = 2_000
BODY_BYTES_MAX = 512 << 10  #: compressed: that of 2026f has 50 KB
WHOLE_BYTES_MAX = 4 << 20
NAME_MAX = 64
VERSION_MAX = 20
_MAGIC = b"TZif"
PIN_LETTERS = 16
_CALLED = re.compile(rb"<[^>]*>|[A-Za-z]{3,}")
_SAME_YEARS = 15
"""Fat files name each change up to 2037: two that agree for so long, and on the rule for later, agree
always."""


class ZoneFilesError(ValueError):
    """Bytes that are no set of zone files."""


class UnknownRulesError(ValueError):
    """Nobody laid down the rules of this pin in this process."""


class ZoneFiles(NamedTuple):
    """All zones of one version."""

    version: str
    digest: str
    pins: dict[str, str]  #: by name of the zone
    files: dict[str, bytes]  #: by pin


def pin_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:PIN_LETTERS]


def packed(version: str, found: Mapping[str, bytes]) -> bytes:
    """The body of these zones, by name."""
    places: dict[bytes, tuple[int, int]] = {}
    names: dict[str, tuple[int, int]] = {}
    at = 0
    for name in sorted(found):
        body = found[name]
        if body not in places:
            places[body] = (at, len(body))
            at += len(body)
        names[name] = places[body]
    head = json.dumps({"version": version, "zones": names}, separators=(",", ":"), sort_keys=True)
    return zlib.compress(head.encode() + b"\n" + b"".join(places), 9)


@lru_cache(maxsize=8)
def read(body: bytes) -> ZoneFiles:
    """Raises ZoneFilesError."""
    if len(body) > BODY_BYTES_MAX:
        raise ZoneFilesError(f"zone files of {len(body)} bytes, at most {BODY_BYTES_MAX}")
    unpacking = zlib.decompressobj()
    try:
        whole = unpacking.decompress(body, WHOLE_BYTES_MAX)
        if not unpacking.eof:
            raise ZoneFilesError(f"zone files of more than {WHOLE_BYTES_MAX} bytes, or cut off")
        head, _, rest = whole.partition(b"\n")
        told = json.loads(head)
        version, zones = told["version"], told["zones"]
    except ZoneFilesError:
        raise
    except (zlib.error, ValueError, RecursionError, KeyError, TypeError) as error:
        # Not in its words: they are part of an outcome, and other versions of Python have others.
        raise ZoneFilesError(f"no zone files: {type(error).__name__}") from error
    if not isinstance(version, str) or not isinstance(zones, dict):
        raise ZoneFilesError("no zone files: they name no version, or no zones")
    if not 0 < len(version) <= VERSION_MAX or not version.isascii():
        raise ZoneFilesError(f"a version has 1 to {VERSION_MAX} letters, all of them ASCII")
    if not 0 < len(zones) <= ZONES_MAX:
        raise ZoneFilesError(f"{len(zones)} zones, 1 to {ZONES_MAX}")
    pins: dict[str, str] = {}
    bodies: dict[str, bytes] = {}
    known: dict[tuple[int, int], str] = {}
    for name, place in sorted(zones.items()):
        key = _place(name, place, rest)
        pin = known.get(key)
        if pin is None:
            found = rest[key[0] : key[0] + key[1]]
            pin = known[key] = pin_of(found)
            bodies[pin] = found
        pins[name] = pin
    return ZoneFiles(version, hashlib.sha256(whole).hexdigest()[:PIN_LETTERS], pins, bodies)


def _place(name: str, place: object, rest: bytes) -> tuple[int, int]:
    if not 0 < len(name) <= NAME_MAX or not name.isascii():
        raise ZoneFilesError(f"a zone's name has 1 to {NAME_MAX} letters, all of them ASCII")
    match place:
        case [int(start), int(length)] if start >= 0 and 0 < length <= FILE_BYTES_MAX:
            if rest[start : start + 4] == _MAGIC and start + length <= len(rest):
                return start, length
    raise ZoneFilesError(f"{name[:NAME_MAX]!r} is no zone file of at most {FILE_BYTES_MAX} bytes")


@lru_cache(maxsize=1)
def of_wheel() -> bytes:
    """The body of all zones of the packaged tzdata. Only for whoever proposes it."""
    root = files("tzdata").joinpath("zoneinfo")
    found = {name: root.joinpath(*name.split("/")).read_bytes() for name in zone_names()}
    return packed(tzdata_version(), found)


_LEARNED: dict[str, bytes] = {}


def learn(body: bytes) -> str:
    """The pin of this zone file, which this process can tell the time by from now on."""
    pin = pin_of(body)
    _LEARNED.setdefault(pin, body)
    return pin


def is_learned(pin: str) -> bool:
    return pin in _LEARNED


@lru_cache(maxsize=1_024)
def pinned(pin: str) -> Zone:
    """The zone of these rules. Raises UnknownRulesError, and ZoneFilesError for bytes that are no zone."""
    body = _LEARNED.get(pin)
    if body is None:
        raise UnknownRulesError(f"the time zone rules {pin[:PIN_LETTERS]} are not known here")
    return _zone(body)


def _zone(body: bytes) -> Zone:
    try:
        return Zone("", ZoneInfo.from_file(BytesIO(body)))
    except (ValueError, LookupError, ArithmeticError, TypeError, EOFError, struct.error) as error:
        raise ZoneFilesError(f"a zone file that cannot be read: {error}") from error


def agree(one: bytes, other: bytes, since_s: int) -> bool:
    """Whether two zone files show the same clocks from this instant on: many change in bytes alone."""
    if one == other:
        return True
    if _footer(one) != _footer(other):
        return False
    first, second = _zone(one), _zone(other)
    end_s = year_start_s(1970 + since_s // (365 * 86_400) + _SAME_YEARS)
    return list(first.segments(since_s, end_s)) == list(second.segments(since_s, end_s))


def _footer(body: bytes) -> bytes:
    """The rule for all years to come (RFC 8536, section 3.3), without what it calls its clocks."""
    return _CALLED.sub(b"X", body[body.rstrip(b"\n").rfind(b"\n") :].strip())


def moved(before: ZoneFiles, after: ZoneFiles, since_s: int) -> list[str]:
    """Zones of both that show other clocks from this instant on, by name."""
    known: dict[tuple[str, str], bool] = {}
    for pair in ((pin, after.pins[name]) for name, pin in before.pins.items() if name in after.pins):
        if pair not in known:
            known[pair] = agree(before.files[pair[0]], after.files[pair[1]], since_s)
    return [
        name for name, pin in before.pins.items() if name in after.pins and not known[pin, after.pins[name]]
    ]
