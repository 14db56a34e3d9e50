"""When runs of a job may start, as the machine and the planner read it. No pydantic.

Rules of this file:

1. In a blackout nothing fires by itself: neither what was due then, nor what is late and would start then.
   The same holds outside of admission windows, where a firing outside of them is skipped.
2. What is decided ahead of its instant starts at that: the later of the two counts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from scheduler.model.quantities import parse_instant_ms
from scheduler.ticks import windows
from scheduler.ticks.windows import Opening, Window
from scheduler.ticks.zones import Zone


class Span(NamedTuple):
    """A blackout."""

    from_ms: int
    until_ms: int
    reason: str


class Admission(NamedTuple):
    windows: tuple[Window, ...]
    texts: tuple[str, ...]  #: as they are written
    tz: str  #: empty: UTC
    skips: bool  #: a firing outside of them; else its run waits
    terminates: bool  #: what runs when they end

    def at(self, zone: Zone, at_ms: int) -> Opening:
        return windows.opening(self.windows, zone, at_ms)


class Openings(NamedTuple):
    blackout: tuple[Span, ...]
    admission: Admission | None

    @property
    def skips(self) -> bool:
        """Whether its windows skip a firing outside of them."""
        return self.admission is not None and self.admission.skips

    def blacked_out(self, due_ms: int, now_ms: int) -> Span | None:
        """The one in which what is due then, and decided now, may not fire."""
        at_ms = max(due_ms, now_ms)
        for span in self.blackout:
            if span.from_ms <= due_ms < span.until_ms or span.from_ms <= at_ms < span.until_ms:
                return span
        return None


def compiled_openings(policies: dict[str, Any]) -> Openings | None:
    """None: any time is as good as another."""
    if "blackout" not in policies and "admission" not in policies:
        return None
    spans = tuple(
        [
            Span(parse_instant_ms(each["from"]), parse_instant_ms(each["until"]), each["reason"])
            for each in policies.get("blackout", ())
        ]
    )
    return Openings(spans, compiled_admission(policies["admission"]) if "admission" in policies else None)


def compiled_admission(shape: dict[str, Any]) -> Admission:
    """Of the canonical one, of a job or a group."""
    texts, tz = tuple(shape["windows"]), shape.get("tz") or "UTC"
    return Admission(
        tuple([windows.parse(text) for text in texts]), texts, "" if tz == "UTC" else tz,
        shape["outside"] == "skip", shape["at_end"] == "terminate",
    )  # fmt: skip
