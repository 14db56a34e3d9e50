"""Names from the cluster for the shell's completion: of jobs, runs, agents, nodes, namespaces, tokens.

Rules:

1. A key is pressed and somebody waits: one node after the other is asked, all in all for WITHIN_S (or what
   CRONCLAVE_COMPLETE_WITHIN says, on a slow line), and what was answered is good for KEPT_S. It is kept in
   $XDG_CACHE_HOME/cronclave, private: names tell what a company does.
2. Nothing is said of what goes wrong: a shell that completes shows no errors. There are no names then.
3. It asks as whoever completes: with the options that stand on the line already, and by that token.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from cli.client import Client, path_of
from cli.instants import span_s

WITHIN_S = 0.8
KEPT_S = 5.0
NAMES_MAX = 200
KEPT_MAX = 50  #: questions whose answers are kept

Names = list[tuple[str, str]]
"""Each with what a shell that shows more says beside it."""


def context_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from cli.contexts import load_contexts
    from cli.exits import Failure

    try:
        named = load_contexts().named
    except Failure:
        return []
    return [CompletionItem(name, help=one.url) for name, one in named.items() if name.startswith(incomplete)]


def job_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    within = ctx.params.get("namespace")
    path = path_of("jobs", q=incomplete or None, namespace=within, limit=NAMES_MAX, consistency="stale")
    return _named(ctx, incomplete, "job", path, lambda i: (i["job"], i["state"]))


def run_numbers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The newest."""
    path = path_of("runs", limit=NAMES_MAX, consistency="stale")
    return _named(ctx, incomplete, "run", path, lambda i: (i["id"], f"{i['job']} {i['state']}"))


def agent_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    path = path_of("agents", limit=NAMES_MAX, consistency="stale")
    return _named(ctx, incomplete, "agent", path, lambda i: (i["name"], f"{i['zone']} {i['state']}"))


def token_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _named(ctx, incomplete, "token", path_of("tokens"), lambda i: (i["name"], i["role"]))


def secret_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    path = path_of("secrets", limit=NAMES_MAX, consistency="stale")
    return _named(ctx, incomplete, "secret", path, lambda i: (i["name"], i["namespace"]))


def namespaces(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Of the first jobs."""
    path = path_of("jobs", limit=NAMES_MAX, consistency="stale")
    return _named(ctx, incomplete, "namespace", path, lambda i: (i["namespace"], ""))


def node_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _named(ctx, incomplete, "node", path_of("cluster"), lambda i: (i["node"], i["zone"]))


def _named(
    ctx: click.Context, incomplete: str, what: str, path: str,
    name: Callable[[dict[str, Any]], tuple[object, object]],
) -> list[CompletionItem]:  # fmt: skip
    try:
        names = _asked(ctx, what, path, name)
    except Exception:  # rule 2: whatever it is
        return []
    fitting = {value: help_ for value, help_ in names if value.startswith(incomplete)}
    return [CompletionItem(value, help=help_) for value, help_ in fitting.items()]


def _asked(
    ctx: click.Context, what: str, path: str, name: Callable[[dict[str, Any]], tuple[object, object]]
) -> Names:
    from cli.output import printable
    from cli.target import find_target

    told = ctx.params
    target = find_target(told.get("url"), told.get("token"), told.get("context"))
    kept = Kept(repr((target.urls, target.token)), time.time())
    found = kept.get(f"{what} {path}")
    if found is None:
        within_s = span_s(os.environ.get("CRONCLAVE_COMPLETE_WITHIN", "")) or WITHIN_S
        client = Client(target, within_s=within_s, reply_s=within_s / min(len(target.urls), 4))
        reply = client.get(path)
        items = reply["items"] if "items" in reply else [reply, *reply["peers"]]
        found = [(printable(str(value)), printable(str(help_))) for value, help_ in map(name, items)]
        kept.put(f"{what} {path}", found)
    return found


class Kept:
    """The answers of one cluster to one person. A file that two wrote at once is as good as none."""

    def __init__(self, whose: str, now_s: float) -> None:
        from hashlib import sha256

        told = os.environ.get("XDG_CACHE_HOME", "")
        self._now_s = now_s
        folder = Path(told) if told.startswith("/") else Path.home() / ".cache"
        self._path = folder / "cronclave" / f"{sha256(whose.encode()).hexdigest()[:32]}.json"
        self._answers: dict[str, tuple[float, Names]] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):  # as good as none
            for question, (at_s, names) in json.loads(self._path.read_text()).items():
                self._answers[question] = float(at_s), [(str(value), str(help_)) for value, help_ in names]

    def get(self, question: str) -> Names | None:
        at_s, names = self._answers.get(question, (0.0, None))
        return names if 0 <= self._now_s - at_s < KEPT_S else None

    def put(self, question: str, names: Names) -> None:
        newest = sorted(self._answers.items(), key=lambda pair: pair[1][0])[-KEPT_MAX + 1 :]
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(handle, "w") as file:
            json.dump({**dict(newest), question: (self._now_s, names)}, file)
