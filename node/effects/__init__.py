"""Everything that leaves the cluster goes out of the outbox, at least once, with an id.

The promise: what the log says is to be sent is a row of the state (scheduler/store/tables/outbox.py), written
in the entry that is its cause. The leader's front sends it, reports what became of it, and the row goes once
the world outside has it. An effect is a file here and its line in `effects`; nothing else of the product
opens a connection to the world outside.

Reading order: contract.py (what an effect is given and what it answers), runner.py (who sends what when),
webhook.py with channel_secrets.py, words.py and email.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from api.ports import Vault
from node.config import NodeConfig
from node.effects.channel_secrets import secret_of
from node.effects.contract import Effect
from node.effects.email import Email
from node.effects.webhook import Webhook
from scheduler.store.connection import Store


def effects(config: NodeConfig, vault: Vault, open_store: Callable[[], Store]) -> Mapping[str, Effect]:
    """Every effect of this node, by the kind that the outbox names."""
    known: tuple[Effect, ...] = (
        Webhook(
            signing_key=config.webhook_signing_key, loopback=config.webhook_loopback,
            secret_of=partial(secret_of, vault, open_store),
        ),
        Email(config.mail, public_url=config.public_url),
    )
    return {effect.kind: effect for effect in known}
