"""How much of a resource is there to be taken.

Rules of this file:

1. Of a count, what nobody holds. An edit takes nothing away from a holder: below what is held, nothing is
   free until enough is given back.
2. A rate (100 per 1m) is a bucket of so many that refills evenly, and is full at first: what is taken is
   spent and never given back. It is kept as what was spent and has not come back, in units times the period's
   milliseconds: with each millisecond `total` of it comes back. So it is counted in whole numbers, by stamps.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import NamedTuple

from scheduler.model.locks import ROOM, room_of
from scheduler.model.quantities import parse_duration_ms
from scheduler.store.connection import Store
from scheduler.store.tables import objects
from scheduler.store.tables.lock_holds import Use

KIND = "resource"


class Amount(NamedTuple):
    total: int  #: how much there is; of a rate, within `period_ms`
    period_ms: int = 0  #: 0: it is no rate


GONE = Amount(0)
"""Of a resource that does not exist any more: a run of an earlier revision may still ask for it."""


def amount_of(store: Store, resource: str) -> Amount:
    if resource.startswith(ROOM):
        return Amount(room_of(resource))
    found = objects.find(store, KIND, *resource.split("/", 1))
    return GONE if found is None else parsed(found.spec)


@lru_cache(maxsize=1_024)
def parsed(spec: bytes) -> Amount:
    """Of a resource's canonical text."""
    shape = json.loads(spec)
    if "rate" not in shape:
        return Amount(shape["count"])
    count, period = shape["rate"].split(" per ")
    return Amount(int(count), parse_duration_ms(period))


def free(amount: Amount, use: Use, now_ms: int) -> int:
    """How much may be taken now; below 0: more is held than there is."""
    if not amount.period_ms:
        return amount.total - use.held
    return (amount.total * amount.period_ms - _spent(amount, use, now_ms)) // amount.period_ms


def taken(amount: Amount, use: Use, wanted: int, now_ms: int) -> Use:
    """As it is when so much was taken, whether or not it is free."""
    if not amount.period_ms:
        return use._replace(held=use.held + wanted)
    spent = _spent(amount, use, now_ms) + wanted * amount.period_ms
    return use._replace(spent=spent, at_ms=now_ms)


def opens_ms(amount: Amount, use: Use, wanted: int) -> int | None:
    """When time alone makes so much free; None: it never does."""
    if not amount.period_ms or wanted > amount.total:
        return None
    over = use.spent + (wanted - amount.total) * amount.period_ms
    return use.at_ms + max(0, -(-over // amount.total))


def _spent(amount: Amount, use: Use, now_ms: int) -> int:
    return max(0, use.spent - max(0, now_ms - use.at_ms) * amount.total)
