"""The secrets that a task is given, read when its attempt is granted and not before: as they are then."""

from __future__ import annotations

from collections.abc import Iterable

from api.ports import Vault, VaultError
from api.secrets import place
from scheduler.machine.rules.secret_uses import why_not
from scheduler.model.secret_uses import SecretUse
from scheduler.store.connection import Store
from scheduler.store.reads import secrets as secret_reads
from scheduler.store.reads.attempts import DispatchRow


class Ungiven(Exception):
    """The task is not given a secret that it names, and why: words for its run."""


def given(
    store: Store, vault: Vault, row: DispatchRow, uses: Iterable[SecretUse]
) -> tuple[tuple[str, str, bool], ...]:
    """As protocol.Grant has them. Raises Ungiven."""
    return tuple([(use.variable, _value(store, vault, row, use), use.file) for use in uses])


def _value(store: Store, vault: Vault, row: DispatchRow, use: SecretUse) -> str:
    why = why_not(store, use, row.namespace, row.name)
    if why:
        raise Ungiven(why)
    sealed = secret_reads.sealed(store, use.namespace, use.name)
    assert sealed is not None  # of the same snapshot
    try:
        return vault.open(place(store, *sealed[:3]), sealed.key, sealed.sealed).decode()
    except VaultError as error:
        raise Ungiven(f"secret {use.namespace}/{use.name}: {error}") from None
