"""Whom a fault meant: in words, and as the hosts whose lanes it darkens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chaos.case import Band, Case
from chaos.faults import CLIENT

NAMED_MAX = 3


def whom(fault: Mapping[str, Any]) -> str:
    """In few words: node-1 ⇄ node-2, node-3. Empty where it names nobody."""
    pairs = [(str(one), str(other)) for one, other in fault.get("pairs", ())]
    if not pairs:
        return _names(_named(fault))
    middle = _middle(pairs)
    if middle is None:
        return _names(dict.fromkeys(host for pair in pairs for host in pair))
    out = {other for one, other in pairs if one == middle}
    into = {one for one, other in pairs if other == middle}
    both = f"{middle} ⇄ {_names(sorted(out & into))}" if out & into else ""
    to = f"{middle} → {_names(sorted(out - into))}" if out - into else ""
    of = f"{middle} ← {_names(sorted(into - out))}" if into - out else ""
    return ", ".join(part for part in (both, to, of) if part)


def hosts(case: Case, band: Band) -> list[str]:
    """The hosts that it meant; of a cut, those that it cut off."""
    pairs = [(str(one), str(other)) for one, other in band.fault.get("pairs", ())]
    if pairs:
        middle = _middle(pairs)
        found = [middle] if middle else sorted({host for pair in pairs for host in pair} - {CLIENT})
        return [host for host in found if host]
    zones = {str(zone) for zone in (*band.fault.get("zones", ()), band.fault.get("zone")) if zone}
    there = sorted(host for host, zone in case.zones.items() if zone in zones)
    return there or [name.split("/")[0] for name in _named(band.fault)]


def _named(fault: Mapping[str, Any]) -> list[str]:
    names = [fault[key] for key in ("node", "zone") if fault.get(key)]
    return [*names, *fault.get("processes", ()), *fault.get("nodes", ()), *fault.get("zones", ())]


def _middle(pairs: list[tuple[str, str]]) -> str | None:
    """The host that is in every pair, the first where two are."""
    return next((host for host in pairs[0] if all(host in pair for pair in pairs)), None)


def _names(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - NAMED_MAX} more" if len(found) > NAMED_MAX else ""
    return ", ".join(found[:NAMED_MAX]) + more
