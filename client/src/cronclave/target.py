"""Where the cluster is: what the program says, else the environment, else a cluster of `cronclave dev`
beside it.

Rules:

1. `urls` and `token` of the call; else CRONCLAVE_URL (several with commas) and CRONCLAVE_TOKEN,
   CRONCLAVE_CA; else ./.cronclave/dev.json. A URL of the call never meets a token of dev.json.
2. A token crosses no network in plain text: http is for loopback, unless CRONCLAVE_INSECURE is true.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

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


def find_target(urls: str | Iterable[str] | None, token: str | None, ca: str | None) -> Target:
    """Raises CronclaveError where no cluster is named, or it is named wrongly."""
    environment = os.environ.get("CRONCLAVE_URL", "")
    own_token = os.environ.get("CRONCLAVE_TOKEN", "") if token is None else token
    own_ca = os.environ.get("CRONCLAVE_CA", "") if ca is None else ca
    if urls is not None:
        given = urls.split(",") if isinstance(urls, str) else list(urls)
        return _checked(Target(tuple(map(str.strip, given)), own_token, own_ca, "the program"))
    if environment:
        found = tuple(map(str.strip, environment.split(",")))
        return _checked(Target(found, own_token, own_ca, "CRONCLAVE_URL"))
    if DEV_FILE.exists():
        return _of_dev(token)
    raise CronclaveError(
        "no cluster is named",
        hint="Client(urls, token), or CRONCLAVE_URL and CRONCLAVE_TOKEN; `cronclave dev` starts one here.",
    )


def _of_dev(token: str | None) -> Target:
    try:
        facts = json.loads(DEV_FILE.read_text())
        urls = tuple(str(node["url"]) for node in facts["nodes"])
        return Target(urls, str(facts["token"]) if token is None else token, "", str(DEV_FILE))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CronclaveError(
            f"{DEV_FILE} cannot be read: {error}", hint="Start the cluster again: cronclave dev"
        ) from None


def _checked(target: Target) -> Target:
    for url in target.urls:
        need_address(url, target)
    if not target.urls:
        raise CronclaveError("no address of a node is given")
    return Target(tuple(url.rstrip("/") for url in target.urls), target.token, target.ca, target.source)


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
