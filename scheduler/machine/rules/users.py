"""Whether a namespace lets its tasks run as a user of their agent's host."""

from __future__ import annotations

from scheduler.store.connection import Store
from scheduler.store.tables import namespaces


def allows(store: Store, namespace: str, user: str) -> bool:
    """`user` empty: the agent's own, which only the check of a job that is put refuses."""
    if not user:
        return True
    allowance = namespaces.allowance(store, namespace)
    return allowance is None or allowance.users == "[]" or user in allowance.allowed_users
