"""Pauses of everything and of namespaces, as one plan sees them."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.store.connection import Store
from scheduler.store.tables import pauses
from scheduler.store.tables.pauses import ALL, Pause


@dataclass(frozen=True, slots=True)
class Pauses:
    """`NOTHING` where there never was one."""

    through_ms: int = 0  #: up to which instant any can be in the way
    standing: tuple[Pause, ...] = ()

    def kept_back(self, now_ms: int) -> tuple[str, ...]:
        """The namespaces in which nothing new starts; ALL among them: in none."""
        return tuple(pause.namespace for pause in self.standing if pause.stands(now_ms))

    def all_stands(self, now_ms: int) -> bool:
        return ALL in self.kept_back(now_ms)

    def of(self, store: Store, namespace: str | None, due_ms: int) -> list[Pause]:
        """Those that can be in the way of a tick of this namespace that is due then, or later."""
        return pauses.of(store, namespace or ALL) if self.through_ms > due_ms else []


NOTHING = Pauses()


def pauses_of(store: Store) -> Pauses:
    through_ms = store.value("SELECT paused_through_ms FROM state WHERE id = 1")
    return Pauses(through_ms, tuple(pauses.standing(store))) if through_ms else NOTHING
