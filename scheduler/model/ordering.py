"""Which of the agents that fit a task comes first, as compiled tasks say it. No pydantic."""

from __future__ import annotations

from typing import Any

SPREAD, PREFER = "spread", "prefer"
_ORDERED = "?"
"""What a zone's name never begins with: in a compiled task, which agent comes first stands in its place."""


def compiled_zone(place: dict[str, Any]) -> str | None:
    """A zone's name: only there; None: anywhere. With `?` before it: anywhere, and how an agent is chosen
    (for `order_of`)."""
    zone, strategy = place.get("zone"), place.get("strategy")
    if isinstance(zone, dict):
        zone = f"{PREFER} {zone[PREFER]}"
    ordered = zone is not None and zone.partition(" ")[0] in (SPREAD, PREFER)
    if not ordered and strategy is None:
        return None if zone is None else str(zone)
    words = [zone] if ordered else [f"in {zone}"] if zone is not None else []
    return _ORDERED + ",".join([*words, *([strategy] if strategy else [])])


def order_of(zone: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Of what `compiled_zone` gave: the only zone, and by what the agents are put in order, the first
    first."""
    if zone is None or not zone.startswith(_ORDERED):
        return zone, ()
    words = zone.removeprefix(_ORDERED).split(",")
    only = words.pop(0).removeprefix("in ") if words[0].startswith("in ") else None
    return only, tuple(words)
