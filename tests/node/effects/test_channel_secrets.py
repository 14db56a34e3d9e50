"""The secret of a channel: its webhook is signed with it, opened by this node's vault at each try."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx2
import pytest
from standardwebhooks.webhooks import Webhook as StandardWebhook
from standardwebhooks.webhooks import WebhookVerificationError

from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.ports import ApiSettings
from node.effects.channel_secrets import secret_of
from node.effects.contract import UnsentError
from node.effects.webhook import Webhook
from node.secret_keys import KeyRing
from node.vault import NodeVault
from tests.api.conftest import client as client
from tests.api.conftest import node as node
from tests.api.single_node import SingleNode
from tests.api.test_secrets import keys as keys
from tests.api.test_secrets import new_key, write_keys
from tests.node.effects.receiver import receiving
from tests.node.effects.test_webhook import parcel

FIRST, SECOND = (base64.b64encode(letter * 24).decode() for letter in (b"a", b"b"))


@pytest.fixture
async def api(node: SingleNode, keys: Path) -> AsyncIterator[Api]:
    settings = ApiSettings(insecure=False, vault=NodeVault(KeyRing(keys)))
    app = create_app(node, settings, Gateway(node, settings))
    app.start()
    yield app
    await app.close()


async def put(client: httpx2.AsyncClient, path: str, **body: object) -> httpx2.Response:
    reply = await client.put(f"/v1/{path}", json=body)
    assert FIRST not in reply.text
    return reply


async def test_a_channel_signs_with_its_secret_as_it_is_at_each_try(
    client: httpx2.AsyncClient, node: SingleNode, keys: Path
) -> None:
    webhook = Webhook(loopback=True, secret_of=partial(secret_of, NodeVault(KeyRing(keys)), node.reader))
    async with receiving() as receiver:
        told = replace(parcel(receiver.url()), channel="default/pager")
        assert (await put(client, "secrets/pager-key", value=FIRST)).status_code == 201
        channel = await put(client, "channels/pager", webhook=receiver.url(), secret="pager-key")
        assert channel.status_code == 201, channel.text
        await webhook.send(told)
        assert (await put(client, "secrets/pager-key", value=f"whsec_{SECOND}")).is_success
        await webhook.send(told)

    first, second = receiver.heard
    StandardWebhook(FIRST).verify(first.body, first.headers)
    StandardWebhook(SECOND).verify(second.body, second.headers)
    with pytest.raises(WebhookVerificationError):
        StandardWebhook(FIRST).verify(second.body, second.headers)
    assert (await client.delete("/v1/secrets/pager-key")).status_code == 409, "the channel names it"


async def test_what_cannot_be_signed_is_not_sent_and_says_why_without_the_value(
    client: httpx2.AsyncClient, node: SingleNode, keys: Path, tmp_path: Path
) -> None:
    assert (await put(client, "secrets/pager-key", value=FIRST)).status_code == 201
    foreign = tmp_path / "foreign"
    write_keys(foreign, new_key())
    async with receiving() as receiver:
        channel = await put(client, "channels/pager", webhook=receiver.url(), secret="pager-key")
        assert channel.status_code == 201, channel.text
        short = await put(client, "secrets/pager-key", value="hunter2")
        assert (short.status_code, "hunter2" in short.text) == (422, False), "no signature can be made of it"
        vault = NodeVault(KeyRing(foreign))
        webhook = Webhook(loopback=True, secret_of=partial(secret_of, vault, node.reader))
        with pytest.raises(UnsentError, match="cannot read secret default/pager-key") as caught:
            await webhook.send(replace(parcel(receiver.url()), channel="default/pager"))

    assert not caught.value.is_final, "the key may come"
    assert FIRST not in caught.value.reason
    assert receiver.heard == []
