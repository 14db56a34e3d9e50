"""Whether the secrets that objects name serve them: a node that has the key looks, before they are put.

Rules: of a secret of another namespace than the object's nothing is told, since who puts the object may not
know it; and a node that cannot read one lets it pass. It is looked at again when it is used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from api.objects.judging import Item
from api.ports import Vault, VaultError
from api.problems import FieldError, Problem
from api.secrets import place
from scheduler.model.named import resolved
from scheduler.model.objects import NAMES, kind_of
from scheduler.store.connection import Store
from scheduler.store.reads import secrets as secret_reads
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import refs
from scheduler.store.tables.refs import Named

REFERRERS_MAX = 1_000


def need_serving(store: Store, vault: Vault, items: Sequence[Item]) -> None:
    """Raises Problem where a secret does not serve an object that names it."""
    errors = []
    for item in items:
        fault = kind_of(item.what.kind).secret_fault if item.what.kind in NAMES else None
        for target in item.parsed.refers if fault is not None else ():
            if target.kind != "secret" or target.namespace != item.what.namespace:
                continue
            value = value_of(store, vault, target.namespace, target.name)
            why = fault(json.loads(item.prepared.spec), value) if fault and value is not None else ""
            if why:
                detail = f"secret {target.namespace}/{target.name} does not serve it: {why}"
                errors.append(FieldError(item.pointer + target.pointer, detail, "Put it anew, then this."))
    if errors:
        first = errors[0]
        raise Problem("validation", f"{first.pointer}: {first.detail}", hint=first.hint, errors=errors)


def need_serving_all(store: Store, namespace: str, name: str, value: str) -> None:
    """Raises Problem where a new value of this secret does not serve an object that names it."""
    for who in refs.to(store, Named("secret", namespace, name), REFERRERS_MAX):
        fault = kind_of(who.kind).secret_fault if who.kind in NAMES else None
        row = object_rows.find(store, *who) if fault is not None and who.namespace == namespace else None
        why = fault(json.loads(row.spec), value) if fault is not None and row is not None else ""
        if why:
            detail = f"it does not serve {who}: {why}"
            raise Problem("validation", f"/value: {detail}", errors=[FieldError("/value", detail)])


def value_of(store: Store, vault: Vault, namespace: str, name: str) -> str | None:
    """None: it is not there, or this node cannot read it."""
    sealed = secret_reads.sealed(store, *resolved(name, namespace))
    try:
        return (
            None if sealed is None
            else vault.open(place(store, *sealed[:3]), sealed.key, sealed.sealed).decode()
        )  # fmt: skip
    except VaultError:
        return None
