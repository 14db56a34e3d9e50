"""Which of the due triggers a plan looks at first, when more are due than it holds.

Rules of this file:

1. Nobody's many ticks stand before another's few. Namespaces take turns; within one, jobs of a higher
   priority come first, of them those that ask for least (ticks a day of all their triggers, by powers of
   two), and of them who is due longest. So of one priority who asks for less than an even share gets all of
   it, and the others divide the rest.
2. A tenth goes by what is due alone: whoever asks for most is late under overload, and not for ever.
3. A plan looks at SHARES_MAX pairs of namespace and share; where there are more, plans go round them.
4. It costs nothing while a plan holds all that is due.
5. A trigger whose schedule this node cannot read is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scheduler.plan.lookahead import PlanCache
from scheduler.store.connection import Store
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.triggers import DueTrigger

SHARES_MAX = 1_000
ROWS_AT_ONCE = 50
_ID_MAX = (1 << 63) - 1


def due(store: Store, cache: PlanCache, after_ms: int, fire_ms: int, limit: int) -> list[DueTrigger]:
    """At most `limit` triggers that fire in (after_ms, fire_ms], in the order of these rules."""
    oldest = trigger_rows.due(store, after_ms, fire_ms, limit + 1, cache.unreadable)
    if len(oldest) <= limit:
        return sorted(_readable(cache, oldest), key=lambda trigger: trigger.share)
    chosen = {trigger.id: trigger for trigger in oldest[: limit // 10]}
    turns = [
        _of_namespace(store, namespace, shares, after_ms, fire_ms, limit)
        for namespace, shares in _namespaces(store, cache).items()
    ]
    while turns and len(chosen) < limit:
        left = []
        for turn in turns:
            trigger = next((found for found in turn if found.id not in chosen), None)
            if trigger is not None and len(chosen) < limit:
                chosen[trigger.id] = trigger
                left.append(turn)
        turns = left
    return _readable(cache, chosen.values())


def _readable(cache: PlanCache, triggers: Iterable[DueTrigger]) -> list[DueTrigger]:
    return [trigger for trigger in triggers if cache.can_read(trigger.spec)]


def _of_namespace(
    store: Store, namespace: str, shares: list[int], after_ms: int, fire_ms: int, limit: int
) -> Iterator[DueTrigger]:
    for share in shares:
        after = (after_ms, _ID_MAX)
        for _ in range(0, limit + 1, ROWS_AT_ONCE):
            rows = trigger_rows.due_of_share(store, namespace, share, after, fire_ms, ROWS_AT_ONCE)
            for _, trigger in rows:
                yield trigger
            if len(rows) < ROWS_AT_ONCE:
                break
            after = (rows[-1][0], rows[-1][1].id)


def _namespaces(store: Store, cache: PlanCache) -> dict[str, list[int]]:
    """The shares in use of each namespace that this plan looks at, from where the last one ended."""
    found: dict[str, list[int]] = {}
    first = at = cache.share_cursor
    wrapped = False
    for _ in range(SHARES_MAX):
        pair = trigger_rows.next_share(store, *at)
        if pair is None:
            if wrapped or first == BEGIN:
                at = BEGIN
                break
            pair, wrapped = trigger_rows.next_share(store, *BEGIN), True
        if pair is None or (wrapped and pair > first):
            at = first
            break
        found.setdefault(pair[0], []).append(pair[1])
        at = pair
    cache.share_cursor = at
    return found


BEGIN = ("", -1)
