"""Every write route, every role, bodies of every odd size and shape: refused as they should be, no harm done.

The routes come from the node's own OpenAPI, so a new one is attacked from its first day.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from bench.client import Client, Reply
from bench.cluster import Cluster

MIB = 1 << 20
ROLES = ["viewer", "operator", "submitter", "agent"]
WRITES = {"post", "put", "patch", "delete"}

#: Bodies that no route may take. What is read of them must not cost a process, a term or a second.
BODIES: dict[str, bytes] = {
    "no JSON": b"{",
    "another shape": b'[["x"]]',
    "a number": b"1e999",
    "deep": b"[" * 20_000 + b"]" * 20_000,
    "deep objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "wide": json.dumps({f"k{n}": n for n in range(60_000)}).encode(),
    "one long name": json.dumps({"n" * (MIB - 100): 1}).encode(),
    "a long digit string": b'{"jobs": ' + b"9" * 10_000 + b"}",
    "no UTF-8": b'{"job": "\xff\xfe"}',
    "a lone surrogate": b'{"job": "\\ud800", "\\udfff": 1}',
    "NUL": b'{"job": "a\\u0000b"}',
    "just under the limit": b" " * (MIB - 1) + b"x",
    "at the limit": b" " * (MIB - 1) + b"xx",
    "just over the limit": b" " * MIB + b"xx",
    "twice the limit": b"[" + b"1," * MIB + b"1]",
}


@pytest.fixture(scope="module")
def routes(target: Cluster) -> list[tuple[str, str]]:
    """(method, path) of every write, its parameters filled in with what is not there."""
    document = target.client.get("/openapi.json")
    found = []
    for path, operations in document["paths"].items():
        while "{" in path:
            before, _, rest = path.partition("{")
            name, _, after = rest.partition("}")
            path = f"{before}{'999999999' if name in ('run', 'id') else 'no-such'}{after}"
        found += [(method.upper(), path) for method in operations if method in WRITES]
    assert len(found) > 15
    return found


@pytest.fixture(scope="module")
def tokens(target: Cluster) -> dict[str, str]:
    made = {}
    for role in ROLES:
        body = {"name": f"hostile-{role}", "role": role}
        made[role] = target.client.ask("POST", "/v1/tokens", body).json()["token"]
    return made


def send(client: Client, node: int, method: str, path: str, body: bytes, token: str | None) -> Reply:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}" if token else ""}
    try:
        return client.send(method, path, body, node=node, headers=headers, timeout_s=30.0)
    except (BrokenPipeError, ConnectionResetError):
        # The answer came, and the connection was closed, before all of the body was sent.
        return Reply(0, {}, b"")


def is_problem(reply: Reply) -> bool:
    found: Any = reply.json()
    return reply.headers["content-type"] == "application/problem+json" and found["status"] == reply.status


def test_odd_bodies_from_an_administrator_are_refused(
    besieged: Cluster, routes: list[tuple[str, str]]
) -> None:
    wrong, seen = [], Counter[int]()
    for number, (what, body) in enumerate(BODIES.items()):
        for method, path in routes:
            reply = send(besieged.client, number % 3, method, path, body, besieged.token)
            seen[reply.status] += 1
            if path == "/v1/session" and reply.status in (201, 204):
                continue  # it is asked for by its header; its body is not read
            if reply.status and not (400 <= reply.status < 500 and is_problem(reply)):
                wrong.append(f"{what}: {method} {path}: {reply.status} {reply.body[:200]!r}")
    assert wrong == []
    assert {413, 422} <= set(seen), seen


@pytest.mark.parametrize("role", [*ROLES, None, "a stranger"])
def test_who_may_not_write_is_told_so_whatever_is_sent(
    besieged: Cluster, routes: list[tuple[str, str]], tokens: dict[str, str], role: str | None
) -> None:
    """No token, or one that is not known: 401, and nothing of the body is judged. A role without the right:
    403, or what is wrong with the request, but never done."""
    token = tokens.get(role, role) if role else None
    bodies = [BODIES["no JSON"], BODIES["a lone surrogate"], BODIES["just over the limit"], b"{}", b""]
    wrong = []
    for method, path in routes:
        for number, body in enumerate(bodies):
            reply = send(besieged.client, number % 3, method, path, body, token)
            right = {401, 429} if role not in tokens else set(range(400, 500))
            if path == "/v1/session":  # judges the token itself, which may be in its body
                right |= {400, 413, 422} if role not in tokens else {201, 204}
            if path.startswith("/v1/hooks/"):  # signed over its body, which is read up to a limit for that
                right |= {413}
            if (path, role) == ("/v1/resume", "operator") and body in (b"{}", b""):
                right = {200}  # an operator's right, and nothing is paused
            refused = reply.status >= 400
            if reply.status and (reply.status not in right or (refused and not is_problem(reply))):
                wrong.append(f"{method} {path} {body[:20]!r}: {reply.status} {reply.body[:200]!r}")
    assert wrong == []
