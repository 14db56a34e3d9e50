"""Which cluster a command talks to.

By --url and --token, else CRONCLAVE_URL and CRONCLAVE_TOKEN, else ./.cronclave/dev.json. A URL may be a list,
separated by commas: each node answers, so the first that does is as good as any.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cli.exits import USAGE, Failure

DEV_FILE = Path(".cronclave") / "dev.json"


@dataclass(frozen=True, slots=True)
class Target:
    urls: tuple[str, ...]
    token: str
    source: str  #: where this was found, for messages


def find_target(url: str | None, token: str | None) -> Target:
    """Raises Failure where nothing says which cluster is meant."""
    url = url or os.environ.get("CRONCLAVE_URL")
    token = token or os.environ.get("CRONCLAVE_TOKEN")
    if token and not (token.isascii() and token.isprintable()):
        raise Failure(
            "the token holds letters that no token has", code=USAGE, hint="Copy it again: ASCII, on one line."
        )
    if url:
        urls = tuple(part.strip().rstrip("/") for part in url.split(",") if part.strip())
        for part in urls:
            if not _is_url(part):
                raise Failure(f"{part!r} is no URL", code=USAGE, hint="Write it as http://host:port.")
        return Target(urls, token or "", "CRONCLAVE_URL")
    if not DEV_FILE.exists():
        raise Failure(
            "no cluster is known",
            code=USAGE,
            hint="Set CRONCLAVE_URL and CRONCLAVE_TOKEN, or start one here: cronclave dev",
        )
    try:
        facts = json.loads(DEV_FILE.read_text())
        urls = tuple(str(node["url"]) for node in facts["nodes"])
        return Target(urls, token or str(facts["token"]), str(DEV_FILE))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failure(
            f"{DEV_FILE} cannot be read: {error}", hint="Start the cluster again: cronclave dev"
        ) from None


def _is_url(text: str) -> bool:
    """Whether it is http, names a host, and has no port or one that there can be."""
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna")
        return parts.scheme in ("http", "https") and bool(host) and parts.port != 0
    except ValueError:
        return False
