"""Who may take what of resources now: what is free, as a plan sees it and hands it out, in the order of rank.

Rules of this file:

1. A request takes all of it or nothing. One that has to wait lets nobody of a later rank pass to any resource
   that it asks for: who asks for much is not kept waiting for ever by those who ask for little.
2. But a run that has locks passes those who wait for them, or both would wait for ever: of what a waiter asks
   for it respects that up to the first which this one cannot have. All take in one order (`model.locks`), so
   each waits for one that is further on, and nobody in a circle. One that has something of a run above its
   own passes all: that took its own in no order with it.
3. A request that no agent can take just now lets others pass: they have an agent, and it is told later."""

from __future__ import annotations

from scheduler.machine.rules import amounts, selectors
from scheduler.machine.rules.amounts import Amount
from scheduler.machine.rules.holdings import Asked, asked
from scheduler.store.connection import Store
from scheduler.store.tables import lock_holds
from scheduler.store.tables.lock_holds import Use


class Locks:
    """Of one plan. Resources are read when they are asked for first."""

    def __init__(self, store: Store, now_ms: int) -> None:
        self._store = store
        self._now_ms = now_ms
        self._known: dict[str, tuple[Amount, Use]] = {}
        self._wanted: dict[str, Asked] = {}
        self._closed: set[str] = set()  #: to all of a later rank that have no locks
        self._closed_inside: set[str] = set()  #: to those too that have some
        self.opens_ms: int | None = None  #: when time lets the first of those go on that were refused

    def fit(self, selector: str, most: int) -> int:
        """How many such requests could have all they ask for, up to `most`."""
        for lock in self._asked(selector).wants:
            most = min(most, max(0, self._free(lock.resource)) // lock.amount)
        return most

    def may(self, selector: str) -> bool:
        """Whether one such request may have all it asks for, after those that were asked about before. Where
        not, it is before those that are asked about from now on."""
        wanted = self._asked(selector)
        names = [lock.resource for lock in wanted.wants]
        first = self._first_lacking(wanted)
        waits = first is not None or (not wanted.is_inside and not self._closed.isdisjoint(names))
        if waits:
            self._closed.update(names)
            self._closed_inside.update(names[: 0 if first is None else first + 1])
        return not waits

    def take(self, selector: str) -> None:
        """One that may."""
        for _, resource, wanted in self._asked(selector).wants:
            amount, use = self._of(resource)
            self._known[resource] = amount, amounts.taken(amount, use, wanted, self._now_ms)

    def _asked(self, selector: str) -> Asked:
        known = self._wanted.get(selector)
        if known is None:
            known = self._wanted[selector] = asked(self._store, selectors.parse(selector))
        return known

    def _first_lacking(self, wanted: Asked) -> int | None:
        """The place of the first that it could not have if its run had locks."""
        for place, (_, resource, most) in enumerate(wanted.wants):
            if self._free(resource) < most:
                self._note_instant(resource, most)
                return place
            if resource in self._closed_inside and not wanted.is_nested:
                return place
        return None

    def _note_instant(self, resource: str, wanted: int) -> None:
        at_ms = amounts.opens_ms(*self._of(resource), wanted)
        if at_ms is not None and (self.opens_ms is None or at_ms < self.opens_ms):
            self.opens_ms = at_ms

    def _free(self, resource: str) -> int:
        return amounts.free(*self._of(resource), self._now_ms)

    def _of(self, resource: str) -> tuple[Amount, Use]:
        known = self._known.get(resource)
        if known is None:
            known = amounts.amount_of(self._store, resource), lock_holds.use_of(self._store, resource)
            self._known[resource] = known
        return known
