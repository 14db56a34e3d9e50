"""Which cluster a command talks to.

By --url and --token, else CRONCLAVE_URL and CRONCLAVE_TOKEN, else ./.cronclave/dev.json. A URL may be a list,
separated by commas: each node answers, so the first that does is as good as any.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

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
    if url:
        urls = tuple(part.strip().rstrip("/") for part in url.split(",") if part.strip())
        for part in urls:
            if not part.startswith(("http://", "https://")):
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
