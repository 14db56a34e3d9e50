"""What became of effects: of what leaves the cluster."""

from __future__ import annotations

from scheduler.words.record import Event, event


@event(40)
class EffectQueued(Event):
    """It is in the outbox, and is sent as soon as may be."""

    effect: int
    kind: str
    namespace: str
    name: str
    run: int
    about: str


@event(41)
class EffectSent(Event):
    effect: int
    kind: str
    namespace: str
    name: str
    run: int
    attempts: int  #: tries that failed before


@event(42)
class EffectGivenUp(Event):
    """Nothing sends it any more, unless a person has it sent again."""

    effect: int
    kind: str
    namespace: str
    name: str
    run: int
    reason: str


@event(43)
class EffectDropped(Event):
    effect: int
    kind: str
    namespace: str
    name: str
    run: int
    actor: str
