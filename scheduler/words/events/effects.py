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


@event(165)
class EffectAcknowledged(Event):
    """Somebody saw what it tells of."""

    effect: int
    namespace: str
    name: str
    run: int
    about: str
    actor: str
    reason: str


@event(166)
class Muted(Event):
    """Nobody is told for a while. An empty field means all."""

    mute: int
    namespace: str
    name: str
    about: str
    until_ms: int
    actor: str
    reason: str


@event(167)
class Unmuted(Event):
    mute: int
    namespace: str
    name: str
    about: str
    actor: str


@event(168)
class ReceiverFailing(Event):
    """Several tries in a row arrived nowhere. Of a receiver that is known by one of its notices: where it is
    may be a secret."""

    effect: int
    kind: str
    namespace: str
    name: str
    channel: str
    failures: int
    reason: str


@event(169)
class ReceiverRecovered(Event):
    effect: int
    kind: str
    namespace: str
    name: str
    channel: str


@event(170)
class EffectEscalated(Event):
    """Nobody said that they saw it: so many others are told."""

    effect: int
    namespace: str
    name: str
    run: int
    about: str
    told: int


@event(171)
class EffectMuted(Event):
    """Nobody is told: a person wants it so."""

    effect: int
    namespace: str
    name: str
    run: int
    about: str
    mute: int
