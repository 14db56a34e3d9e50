"""webhook: a POST of what happened, as a CloudEvent, signed as Standard Webhooks says.

Rules of this file:

1. Sent is what a 2xx answered, and nothing else. No redirect is followed: where a job's notices go stands in
   the job. 410 says that nobody wants it any more, ever.
2. A node reaches what it is told to, not what its host can see beside: no address of the host itself (unless
   the configuration allows it) and none of its link, where clouds keep what machines are known by. The
   address that was judged is the one that is connected to; no proxy of the environment is obeyed.
3. A try opens a connection of its own and reads no more of the answer than its head: a receiver can keep
   nothing of ours.
4. The body is made of the parcel alone, so each try sends the same bytes. The signature is over id, time of
   the try and body (https://www.standardwebhooks.com, its specification); the keys are read at each try, one
   a line, so that one can follow another.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import hashlib
import hmac
import ipaddress
import json
import logging
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2

from api.instants import rfc3339, written
from node.effects.contract import Parcel, UnsentError
from node.identity import software_version

logging.getLogger("httpx2").setLevel(logging.WARNING)  # else each try is a line, with its whole URL

CONNECT_S = 5.0
ANSWER_S = 10.0
KEY_PREFIX = "whsec_"
KEYS_MAX = 5
_GONE = 410
_PAUSE = (429, 503)


class Webhook:
    kind = "webhook"

    def __init__(
        self, *, signing_key: Path | None = None, loopback: bool = False, trust: ssl.SSLContext | None = None,
        secret_of: Callable[[str], bytes | None] = lambda channel: None,
    ) -> None:  # fmt: skip
        """`signing_key`: the file with the keys; None: nothing is signed. `trust`: whose certificates are
        good; None: those that this host trusts. `secret_of`: what a channel signs with instead; it raises
        UnsentError where that cannot be had."""
        self._secret_of = secret_of
        self._signing_key = signing_key
        self._loopback = loopback
        self._trust = trust

    async def send(self, parcel: Parcel) -> None:
        body = cloud_event(parcel)
        headers = {
            "content-type": "application/cloudevents+json; charset=utf-8",
            "user-agent": f"cronclave/{software_version()}",
            **self._signed(parcel, int(time.time()), body),
        }
        try:
            url = httpx2.URL(parcel.target)
        except httpx2.InvalidURL as error:
            raise UnsentError(f"no URL: {error}", is_final=True) from None
        answer = await self._post(url, headers, body)
        if not answer.is_success:
            is_gone = answer.status_code == _GONE
            raise UnsentError(
                f"it answered {answer.status_code}", is_final=is_gone, wait_s=_asked_pause_s(answer)
            )

    async def _post(self, url: httpx2.URL, headers: Mapping[str, str], body: bytes) -> httpx2.Response:
        """The head of the answer."""
        failure = UnsentError("it has no address")
        for address in await self._addresses(url):
            request = httpx2.Request(
                "POST", url.copy_with(host=address), content=body,
                headers={"host": url.netloc.decode("ascii"), **headers},
                extensions={"sni_hostname": url.host, "timeout": _TIMEOUT},
            )  # fmt: skip
            transport = httpx2.AsyncHTTPTransport(verify=self._trust or _public_trust(), trust_env=False)
            try:
                async with transport:
                    answer = await transport.handle_async_request(request)
                    await answer.aclose()
                return answer
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failure = UnsentError(f"cannot connect: {_why(error):.200}")
            except httpx2.HTTPError as error:  # it may have been heard: not said again at another address
                raise UnsentError(f"{type(error).__name__}: {_why(error):.200}") from None
        raise failure

    async def _addresses(self, url: httpx2.URL) -> list[str]:
        """Where this host is, of that what may be reached. Raises UnsentError."""
        port = url.port or (443 if url.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise UnsentError(f"the name {url.host[:200]} has no address: {error}") from None
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        allowed = [address for address in addresses if self._may_reach(address)]
        if addresses and not allowed:
            raise UnsentError(f"{url.host[:200]} is {addresses[0]}, where no webhook may go", is_final=True)
        if url.scheme != "https" and not all(_ip(address).is_loopback for address in allowed):
            raise UnsentError("plain http goes to this host alone", is_final=True)
        return allowed

    def _may_reach(self, address: str) -> bool:
        ip = _ip(address)
        if ip.is_loopback:
            return self._loopback
        return not (ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved)

    def _signed(self, parcel: Parcel, at_s: int, body: bytes) -> dict[str, str]:
        """The headers of Standard Webhooks. Raises UnsentError when there are keys that cannot be read."""
        id = parcel.id
        headers = {"webhook-id": id, "webhook-timestamp": str(at_s)}
        own = self._secret_of(parcel.channel) if parcel.channel else None
        if own is not None:
            headers["webhook-signature"] = signature(own, id, at_s, body)
        elif self._signing_key is not None:
            try:
                keys = read_keys(self._signing_key)
            except (OSError, ValueError) as error:
                raise UnsentError(f"this node cannot sign: {error}") from None
            headers["webhook-signature"] = " ".join(signature(key, id, at_s, body) for key in keys)
        return headers


_TIMEOUT = httpx2.Timeout(ANSWER_S, connect=CONNECT_S).as_dict()


@functools.cache
def _public_trust() -> ssl.SSLContext:
    """Kept: reading all CAs keeps the loop for tens of milliseconds."""
    return ssl.create_default_context()


def _why(error: httpx2.HTTPError) -> str:
    silence = "no answer in time" if isinstance(error, httpx2.TimeoutException) else "the connection broke"
    return str(error) or silence


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    ip = ipaddress.ip_address(address.partition("%")[0])
    return getattr(ip, "ipv4_mapped", None) or ip


def _asked_pause_s(answer: httpx2.Response) -> float:
    """What Retry-After says in seconds (RFC 9110, 10.2.3); a date is not read."""
    text = answer.headers.get("retry-after", "")
    return float(text) if answer.status_code in _PAUSE and text.isascii() and text.isdigit() else 0.0


def cloud_event(parcel: Parcel) -> bytes:
    """The body: CloudEvents 1.0, JSON format, structured mode."""
    facts = parcel.facts
    data = written(facts)
    of = data.pop("of")
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": parcel.id,
        "source": f"/clusters/{parcel.cluster}/namespaces/{facts['namespace']}{_job(facts)}",
        "type": f"cronclave.{of}.{parcel.about}",
        "subject": _subject(of, facts, data),
        "time": rfc3339(parcel.created_ms),
        "datacontenttype": "application/json",
        "data": data,
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _job(facts: Mapping[str, Any]) -> str:
    return f"/jobs/{facts['job']}" if facts["job"] else ""


def _subject(of: str, facts: Mapping[str, Any], data: Mapping[str, Any]) -> str:
    if of == "job":
        return f"jobs/{facts['job']}"
    if of == "tick":
        return f"ticks/{data['tick']}"
    return f"runs/{facts['run']}" if facts["run"] else of


def signature(key: bytes, id: str, at_s: int, body: bytes) -> str:
    """One signature of the symmetric kind."""
    digest = hmac.new(key, f"{id}.{at_s}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def read_keys(path: Path) -> list[bytes]:
    """The keys in a file, one a line. Raises OSError, ValueError."""
    lines = [line.strip() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
    try:
        keys = [base64.b64decode(line.removeprefix(KEY_PREFIX), validate=True) for line in lines]
    except binascii.Error:
        keys = []
    if not keys or len(keys) > KEYS_MAX or any(not 24 <= len(key) <= 64 for key in keys):
        raise ValueError(
            f"{path}: one to {KEYS_MAX} lines are expected, each {KEY_PREFIX} and base64 of 24 to 64 bytes"
        )
    return keys
