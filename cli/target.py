"""Which cluster a command talks to, and by whose word.

The first of these that names a cluster is the one:

1. `--url`, or `--context`
2. CRONCLAVE_URL
3. CRONCLAVE_CONTEXT
4. ./.cronclave/dev.json, which `cronclave dev` keeps: what is tried in its folder reaches no other cluster
5. the context in use (`cronclave context use`)

Its token is `--token`, else that of a context named by `--context`, else CRONCLAVE_TOKEN, else the one beside
its address in 3 to 5: the token of one cluster is never sent to another. CRONCLAVE_CA and a context's `ca`
follow the same order. A URL may be a list, separated by commas: each node answers, so the first that does is
as good as any.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from cli.contexts import Context, Contexts, contexts_file, load_contexts
from cli.exits import USAGE, Failure

DEV_FILE = Path(".cronclave") / "dev.json"


class UnnamedError(Failure):
    """Nothing names a cluster: no option, no variable, no file."""


@dataclass(frozen=True, slots=True)
class Target:
    urls: tuple[str, ...]
    token: str
    source: str  #: where this was found, for messages
    token_source: str = ""
    ca: str = ""
    ca_source: str = ""

    def at(self, url: str) -> Target:
        """A node that this cluster told of."""
        return replace(self, urls=(url,), source="the cluster's own list")


def find_target(url: str | None, token: str | None, context: str | None = None) -> Target:
    """Raises Failure where nothing says which cluster is meant."""
    if url and context:
        raise Failure(
            "--url and --context both name a cluster", code=USAGE, hint="Give one; --token goes with both."
        )
    found = _named(url, context)
    told, told_source = os.environ.get("CRONCLAVE_TOKEN", ""), "CRONCLAVE_TOKEN"
    ca, ca_source = os.environ.get("CRONCLAVE_CA", ""), "CRONCLAVE_CA"
    if told and not (context and found.token):
        found = replace(found, token=told, token_source=told_source)
    if ca and not (context and found.ca):
        found = replace(found, ca=ca, ca_source=ca_source)
    if token:
        found = replace(found, token=token, token_source="--token")
    if found.token and not (found.token.isascii() and found.token.isprintable()):
        raise Failure(
            f"the token ({found.token_source}) holds letters that no token has",
            code=USAGE,
            hint="Copy it again: ASCII, on one line.",
        )
    return found


def split_urls(text: str, where: str) -> tuple[str, ...]:
    """Raises Failure, which says where the text stands."""
    urls = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
    for part in urls:
        if not _is_url(part):
            raise Failure(f"{where}: {part!r} is no URL", code=USAGE, hint="Write it as http://host:port.")
    if not urls:
        raise Failure(f"{where}: there is no URL", code=USAGE, hint="Write it as http://host:port.")
    return urls


def _named(url: str | None, context: str | None) -> Target:
    """The cluster with what stands beside its address."""
    if url:
        return Target(split_urls(url, "--url"), "", "--url")
    if context:
        return _of_context(load_contexts(), context, "--context")
    if told := os.environ.get("CRONCLAVE_URL"):
        return Target(split_urls(told, "CRONCLAVE_URL"), "", "CRONCLAVE_URL")
    if told := os.environ.get("CRONCLAVE_CONTEXT"):
        return _of_context(load_contexts(), told, "CRONCLAVE_CONTEXT")
    if DEV_FILE.exists():
        return _of_dev()
    contexts = load_contexts()
    if contexts.current:
        return _of_context(contexts, contexts.current, f"current in {contexts_file()}")
    raise UnnamedError(
        "no cluster is known",
        code=USAGE,
        hint="Name one by cronclave context add NAME --url URL, or by CRONCLAVE_URL and CRONCLAVE_TOKEN; or"
        " start one here: cronclave dev",
    )


def _of_context(contexts: Contexts, name: str, named_by: str) -> Target:
    context, where = contexts.get(name, named_by=named_by), f"context {name}"
    urls = split_urls(context.url, where)
    token, token_source = _token_of(context, where)
    return Target(
        urls, token, where, token_source if token else "", context.ca, f"{where}: ca" if context.ca else ""
    )


def _token_of(context: Context, where: str) -> tuple[str, str]:
    if not context.token_file:
        return context.token, where
    try:
        return Path(context.token_file).read_text().strip(), f"{where}: {context.token_file}"
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Failure(
            f"{where}: token_file {context.token_file} cannot be read: {why}",
            code=USAGE,
            hint=f"Write the token there again, or change the context: cronclave context add {where[8:]} …",
        ) from None


def _of_dev() -> Target:
    try:
        facts = json.loads(DEV_FILE.read_text())
        urls = tuple(str(node["url"]) for node in facts["nodes"])
        return Target(urls, str(facts["token"]), str(DEV_FILE), str(DEV_FILE))
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
