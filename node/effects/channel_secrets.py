"""What the webhook of a channel is signed with: the secret that the channel names, read at each try."""

from __future__ import annotations

import json
from collections.abc import Callable

from api.ports import Vault, VaultError
from api.secrets import place
from outside.unsent import UnsentError
from scheduler.machine.rules import secret_uses
from scheduler.machine.rules.routing import CHANNEL
from scheduler.model.hook_secrets import secret_bytes
from scheduler.model.named import resolved
from scheduler.store.connection import Store
from scheduler.store.reads import secrets as secret_reads
from scheduler.store.tables import objects
from scheduler.store.tables.refs import Named

SCHEME = "standard"


def secret_of(vault: Vault, open_store: Callable[[], Store], channel: str) -> bytes | None:
    """None: it names none, or is no more. Raises UnsentError, without a part of the value."""
    store = open_store()
    namespace, _, name = channel.partition("/")
    row = objects.find(store, CHANNEL, namespace, name)
    named = None if row is None else json.loads(row.spec).get("secret")
    if named is None:
        return None
    where, secret = resolved(named, namespace)
    sealed = secret_reads.sealed(store, where, secret)
    if sealed is None or not secret_uses.serves(store, Named(CHANNEL, namespace, name), where, secret):
        raise UnsentError(f"secret {where}/{secret} is not there, or is not granted to channel {channel}")
    try:
        value = vault.open(place(store, *sealed[:3]), sealed.key, sealed.sealed)
        return secret_bytes(SCHEME, value.decode())
    except VaultError as error:
        raise UnsentError(f"this node cannot read secret {where}/{secret}: {error}") from None
    except ValueError as error:
        raise UnsentError(f"secret {where}/{secret} signs nothing: {error}") from None
