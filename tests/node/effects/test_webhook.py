"""Webhooks against real servers on this host: what they hear, and what is made of their answers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as StandardWebhook
from standardwebhooks.webhooks import WebhookVerificationError

from node.effects import webhook as webhook_module
from node.effects.contract import Parcel, UnsentError
from node.effects.webhook import Webhook, cloud_event, read_keys
from tests.cluster.certificates import Certificates
from tests.node.effects.receiver import receiving

FACTS = {
    "about": "failed", "of": "run", "namespace": "finance", "job": "nightly", "run": 17,
    "state": "failed", "exit_code": 3, "reason": "no – nothing", "tick_ms": 1_800_000_000_000,
    "started_ms": None,
}  # fmt: skip
KEY = b"k" * 32
KEY_LINE = "whsec_" + base64.b64encode(KEY).decode()


def parcel(target: str) -> Parcel:
    return Parcel("lineage-7", target, "failed", "c0ffee", 1_800_000_000_500, FACTS)


async def refused(webhook: Webhook, target: str) -> UnsentError:
    with pytest.raises(UnsentError) as caught:
        await webhook.send(parcel(target))
    return caught.value


@pytest.fixture
def here() -> Webhook:
    return Webhook(loopback=True)


async def test_a_receiver_hears_one_post_with_a_cloud_event(here: Webhook) -> None:
    async with receiving() as receiver:
        await here.send(parcel(receiver.url()))

    (heard,) = receiver.heard
    assert heard.line == "POST /hook?a=b HTTP/1.1"
    assert heard.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert heard.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert heard.headers["webhook-id"] == "lineage-7"
    assert "webhook-signature" not in heard.headers
    assert json.loads(heard.body) == {
        "specversion": "1.0",
        "id": "lineage-7",
        "source": "/clusters/c0ffee/namespaces/finance/jobs/nightly",
        "type": "cronclave.run.failed",
        "subject": "runs/17",
        "time": "2027-01-15T08:00:00.500Z",
        "datacontenttype": "application/json",
        "data": {
            "about": "failed", "namespace": "finance", "job": "nightly", "run": 17, "state": "failed",
            "exit_code": 3, "reason": "no – nothing", "tick": "2027-01-15T08:00:00Z", "started": None,
        },
    }  # fmt: skip


def test_ticks_are_told_of_as_such() -> None:
    facts = {
        "about": "missed", "of": "tick", "namespace": "finance", "job": "nightly", "run": None,
        "tick_ms": 1_800_000_000_000, "last_ms": 1_800_000_060_000, "count": 2, "reason": "window",
    }  # fmt: skip
    event = json.loads(cloud_event(Parcel("lineage-8", "", "missed", "c0ffee", 1_800_000_100_000, facts)))

    assert (event["type"], event["subject"]) == ("cronclave.tick.missed", "ticks/2027-01-15T08:00:00Z")
    assert (event["data"]["last"], event["data"]["count"]) == ("2027-01-15T08:01:00Z", 2)
    assert "of" not in event["data"]


async def test_each_try_says_the_same_and_is_signed_with_every_key(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    other = b"o" * 24
    file.write_text(f"{KEY_LINE}\n\nwhsec_{base64.b64encode(other).decode()}\n")
    async with receiving("500 No", "200 OK") as receiver:
        webhook = Webhook(signing_key=file, loopback=True)
        await refused(webhook, receiver.url())
        file.write_text(KEY_LINE)
        await webhook.send(parcel(receiver.url()))

    first, second = receiver.heard
    assert first.body == second.body == cloud_event(parcel(receiver.url()))
    for heard, keys in ((first, [KEY, other]), (second, [KEY])):
        signed = f"{heard.headers['webhook-id']}.{heard.headers['webhook-timestamp']}.".encode() + heard.body
        digests = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
        expected = " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
        assert heard.headers["webhook-signature"] == expected


@pytest.mark.parametrize(
    "text", ["", "whsec_short", "whsec_" + "A" * 16, f"{KEY_LINE}\nnot a key", "\n".join([KEY_LINE] * 6), "ü"]
)
async def test_a_node_that_cannot_sign_sends_nothing_unsigned(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text, encoding="utf-8")
    async with receiving() as receiver:
        error = await refused(Webhook(signing_key=file, loopback=True), receiver.url())

    assert error.reason.startswith("this node cannot sign: ")
    assert not error.is_final
    assert receiver.connections == 0
    with pytest.raises(ValueError, match=r"one to 5 lines|codec"):
        read_keys(file)


@pytest.mark.parametrize(
    ("answer", "reason", "is_final", "wait_s"),
    [
        ("500 No", "it answered 500", False, 0),
        ("404 Not Found", "it answered 404", False, 0),
        ("410 Gone", "it answered 410", True, 0),
        ("429 Slowly\r\nRetry-After: 120", "it answered 429", False, 120),
        ("503 Later\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT", "it answered 503", False, 0),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", "it answered 302", False, 0),
    ],
)
async def test_what_is_no_success_is_not_sent(
    here: Webhook, answer: str, reason: str, is_final: bool, wait_s: float
) -> None:
    async with receiving(answer) as receiver:
        error = await refused(here, receiver.url())

    assert (error.reason, error.is_final, error.wait_s) == (reason, is_final, wait_s)
    assert receiver.connections == 1, "no redirect is followed"


@pytest.mark.parametrize(
    ("answer", "said"), [("reset", "ReadError: the connection broke"), ("half", "RemoteProtocolError: ")]
)
async def test_who_hangs_up_has_not_got_it(here: Webhook, answer: str, said: str) -> None:
    async with receiving(answer) as receiver:
        error = await refused(here, receiver.url())

    assert error.reason.startswith(said)
    assert not error.is_final


async def test_who_never_answers_is_left(here: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(webhook_module._TIMEOUT, "read", 0.05)
    async with receiving("hang") as receiver:
        error = await refused(here, receiver.url())

    assert error.reason == "ReadTimeout: no answer in time"


async def test_an_answer_without_end_is_not_read(here: Webhook) -> None:
    async with receiving("endless") as receiver:
        await asyncio.wait_for(here.send(parcel(receiver.url())), 20)


async def test_nobody_there_is_said(here: Webhook) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        error = await refused(here, f"http://127.0.0.1:{free.getsockname()[1]}/")

    assert error.reason.startswith("cannot connect: ")
    assert not error.is_final


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.1", "[::ffff:127.0.0.1]"])
async def test_no_webhook_reaches_the_host_itself_unless_that_is_allowed(host: str) -> None:
    async with receiving() as receiver:
        for scheme in ("http", "https"):
            error = await refused(Webhook(), f"{scheme}://{host}:{receiver.port}/")
            assert "where no webhook may go" in error.reason
            assert error.is_final

    assert receiver.connections == 0


@pytest.mark.parametrize("address", ["169.254.169.254", "[fe80::1]", "0.0.0.0", "224.0.0.1", "[::]"])
async def test_no_webhook_reaches_what_clouds_tell_their_machines(here: Webhook, address: str) -> None:
    error = await refused(here, f"https://{address}/latest/meta-data/")

    assert "where no webhook may go" in error.reason
    assert error.is_final


class Names:
    """What names stand for, instead of the host's resolver: the world outside is none of ours."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, port)) for address in self.addresses]


async def test_a_name_that_stands_for_a_forbidden_address_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", Names("169.254.169.254"))
    error = await refused(Webhook(), "https://innocent.example.org/")

    assert error.reason == "innocent.example.org is 169.254.169.254, where no webhook may go"


async def test_plain_http_goes_nowhere_else_whatever_a_name_stands_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", Names("10.0.0.1"))
    error = await refused(Webhook(loopback=True), "http://localhost/")

    assert (error.reason, error.is_final) == ("plain http goes to this host alone", True)


async def test_the_certificate_must_be_the_name_s_not_the_address_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Certificates(tmp_path, "outside").web("hooks.example.org")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    trust = ssl.create_default_context(cafile=files.trust)
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", Names("127.0.0.1"))
    async with receiving(tls=server) as receiver:
        webhook = Webhook(loopback=True, trust=trust)
        await webhook.send(parcel(receiver.url(host="hooks.example.org")))
        wrong = await refused(webhook, receiver.url(host="other.example.org"))
        unknown = await refused(Webhook(loopback=True), receiver.url(host="hooks.example.org"))

    (heard,) = receiver.heard
    assert heard.headers["host"] == f"hooks.example.org:{receiver.port}"
    assert "cannot connect" in wrong.reason
    assert "cannot connect" in unknown.reason


@pytest.mark.parametrize("is_of_channel", [False, True])
async def test_receivers_check_it_with_the_library_of_standard_webhooks(
    tmp_path: Path, is_of_channel: bool
) -> None:
    (tmp_path / "keys").write_text("whsec_" + base64.b64encode(b"o" * 32).decode() + "\n" + KEY_LINE)
    own = base64.b64encode(b"c" * 24).decode()
    webhook = Webhook(
        loopback=True, signing_key=tmp_path / "keys", secret_of=lambda channel: b"c" * 24
    )
    async with receiving() as receiver:
        told = parcel(receiver.url())
        await webhook.send(replace(told, channel="default/ops") if is_of_channel else told)

    (heard,) = receiver.heard
    checked = StandardWebhook(own if is_of_channel else KEY_LINE).verify(heard.body, heard.headers)
    assert checked == json.loads(heard.body)
    with pytest.raises(WebhookVerificationError):
        StandardWebhook(base64.b64encode(b"x" * 24).decode()).verify(heard.body, heard.headers)
