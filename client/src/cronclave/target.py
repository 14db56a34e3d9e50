"""Which cluster a program talks to, and by whose word: as the command does.

The first of these that names a cluster is the one:

1. `urls`, or `context`, of the call
2. CRONCLAVE_URL (several with commas)
3. CRONCLAVE_CONTEXT
4. ./.cronclave/dev.json, which `cronclave dev` keeps
5. the context in use (`cronclave context use`)

Its token is that of the call, else that of a context that the call names, else CRONCLAVE_TOKEN, else the one
beside its address in 3 to 5: the token of one cluster is never sent to another. CRONCLAVE_CA and a context's
`ca` follow the same order. A token crosses no network in plain text: http is for loopback, unless
CRONCLAVE_INSECURE is true.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from cronclave.contexts import contexts_file, current_context, find_context
from cronclave.errors import CronclaveError

DEV_FILE = Path(".cronclave") / "dev.json"
LOOPBACK = ("localhost", "127.", "::1")


@dataclass(frozen=True, slots=True)
class Target:
    """Nodes of one cluster, and how to speak to them."""

    urls: tuple[str, ...]
    token: str = ""
    ca: str = ""  #: a PEM file; empty: the authorities of the system
    source: str = ""  #: where the addresses are from, for messages

    def trust(self) -> ssl.SSLContext:
        """What certificates are checked against. Raises CronclaveError."""
        try:
            return ssl.create_default_context(cafile=self.ca or None)
        except OSError as error:
            raise CronclaveError(
                f"the authorities in {self.ca} cannot be read: {error}",
                hint="It is the PEM file with the cluster's CA certificates, ca.pem.",
            ) from None


def find_target(
    urls: str | Iterable[str] | None, token: str | None, ca: str | None, context: str | None = None
) -> Target:
    """Raises CronclaveError where no cluster is named, or it is named wrongly."""
    if urls is not None and context is not None:
        raise CronclaveError("urls and context both name a cluster", hint="Give one; token goes with both.")
    found = _named(urls, context)
    told_token, told_ca = os.environ.get("CRONCLAVE_TOKEN", ""), os.environ.get("CRONCLAVE_CA", "")
    if told_token and not (context and found.token):
        found = replace(found, token=told_token)
    if told_ca and not (context and found.ca):
        found = replace(found, ca=told_ca)
    found = found if token is None else replace(found, token=token)
    return _checked(found if ca is None else replace(found, ca=ca))


def _named(urls: str | Iterable[str] | None, context: str | None) -> Target:
    """The cluster with what stands beside its address."""
    if urls is not None:
        return Target(_split(urls) if isinstance(urls, str) else tuple(urls), source="the program")
    if context is not None:
        return _of_context(context, "the program")
    if told := os.environ.get("CRONCLAVE_URL"):
        return Target(_split(told), source="CRONCLAVE_URL")
    if told := os.environ.get("CRONCLAVE_CONTEXT"):
        return _of_context(told, "CRONCLAVE_CONTEXT")
    if DEV_FILE.exists():
        return _of_dev()
    if current := current_context():
        return _of_context(current, f"current in {contexts_file()}")
    raise CronclaveError(
        "no cluster is named",
        hint="Client(urls, token), or CRONCLAVE_URL and CRONCLAVE_TOKEN; `cronclave dev` starts one here.",
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _of_context(name: str, named_by: str) -> Target:
    found = find_context(name, named_by)
    return Target(_split(found.urls), found.token, found.ca, f"context {name}")


def _of_dev() -> Target:
    try:
        facts = json.loads(DEV_FILE.read_text())
        urls = tuple(str(node["url"]) for node in facts["nodes"])
        return Target(urls, str(facts["token"]), source=str(DEV_FILE))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CronclaveError(
            f"{DEV_FILE} cannot be read: {error}", hint="Start the cluster again: cronclave dev"
        ) from None


def _checked(target: Target) -> Target:
    for url in target.urls:
        need_address(url, target)
    if not target.urls:
        raise CronclaveError("no address of a node is given")
    return replace(target, urls=tuple(url.rstrip("/") for url in target.urls))


def need_address(url: str, target: Target) -> None:
    """Raises CronclaveError where a node cannot be at this address, or the token would be read on the way."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise CronclaveError(
            f"{url!r} is no address of a node ({target.source})", hint="Write it as https://host:port"
        )
    plain = parts.scheme == "http" and target.token
    if plain and not str(parts.hostname).startswith(LOOPBACK) and not _insecure():
        raise CronclaveError(
            f"{url} has no TLS: everybody on the way could read the token",
            hint="Use its https address, or say CRONCLAVE_INSECURE=true if you know that network.",
        )


def _insecure() -> bool:
    return os.environ.get("CRONCLAVE_INSECURE", "") in ("1", "true")
