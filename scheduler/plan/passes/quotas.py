"""Runs that wait until their namespace may have one more: they go on.

A plan looks at NAMESPACES_MAX namespaces in which any waits; where there are more, plans go round them."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.machine.rules.gates import AdmitView, quota
from scheduler.plan.view import Outlook, View
from scheduler.store.connection import Store
from scheduler.store.tables import quotas
from scheduler.store.tables.pauses import ALL
from scheduler.words.commands import AdmitRuns

NAMESPACES_MAX = 100


def plan(view: View) -> list[AdmitRuns]:
    kept_back = view.pauses.kept_back(view.now_ms)
    if ALL in kept_back:
        return []
    commands = []
    for namespace in _namespaces(view.store, view.cache.quota_cursor):
        view.cache.quota_cursor = namespace
        if namespace in kept_back:
            continue
        opens_ms = quota.opens_ms(AdmitView(view.store, namespace, view.now_ms, in_turn=True))
        if opens_ms is not None and opens_ms <= view.now_ms:
            commands.append(AdmitRuns(view.epoch, namespace))
    return commands


def wake(outlook: Outlook) -> int | None:
    """When a quota of starts lets the next one go. What an end or another declaration opens, an event tells,
    or the next plan finds."""
    paused = [pause.namespace for pause in outlook.pauses.standing]
    if ALL in paused:
        return None
    found = [
        quota.opens_ms(AdmitView(outlook.store, namespace, 0, in_turn=True))
        for namespace in _namespaces(outlook.store, "")
        if namespace not in paused
    ]
    return min((opens_ms for opens_ms in found if opens_ms), default=None)


def _namespaces(store: Store, after: str) -> Iterator[str]:
    """In which any waits, from behind this one on, each once."""
    name, wrapped = quotas.next_namespace(store, after), not after
    for _ in range(NAMESPACES_MAX):
        if name is None and not wrapped:
            name, wrapped = quotas.next_namespace(store, ""), True
        if name is None or (wrapped and after and name > after):
            return
        yield name
        name = quotas.next_namespace(store, name)
