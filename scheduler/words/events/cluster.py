"""Who leads, and by which format."""

from __future__ import annotations

from scheduler.words.record import NOW, Event, event


@event(1, wakes=NOW)
class Led(Event):
    epoch: int
    node: str
    zone: str


@event(20)
class FormatActivated(Event):
    """The cluster is on its way to this format: nodes that do not support it are refused from now on."""

    format: int
    actor: str


@event(21)
class FormatRaised(Event):
    """The state follows the rules of this format from here on."""

    format: int
