"""No text, number or instant from outside is an error of the server: each is taken, or refused with words."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.model.bounds import half_pair

HALF = "\ud800"
JOB: dict[str, Any] = {"job": "a", "noop": True, "params": {"x": {"type": "string"}}}
WRITES = [
    ("PUT", "/v1/jobs/a"), ("POST", "/v1/jobs"), ("POST", "/v1/apply"), ("POST", "/v1/jobs/a/runs"),
    ("POST", "/v1/tokens"), ("POST", "/v1/cluster/members"), ("POST", "/v1/cluster/transfer"),
    ("POST", "/v1/cluster/format"), ("PUT", "/v1/cluster/tick-limits"), ("POST", "/v1/session"),
]  # fmt: skip
READS = [
    "/v1/jobs", "/v1/jobs/a", "/v1/jobs/a/revisions", "/v1/jobs/a/next", "/v1/jobs/a/ticks", "/v1/runs",
    "/v1/runs/1", "/v1/runs/1/logs", "/v1/agents", "/v1/agents/x", "/v1/ledger/verify", "/v1/tokens",
]  # fmt: skip
PARAMETERS = [
    "namespace", "min_index", "wait", "labels", "state", "q", "cursor", "limit", "revision", "count", "task",
    "attempt", "offset", "job", "since", "from", "to", "outcome",
]  # fmt: skip


def no_error_of_the_server(reply: httpx2.Response) -> httpx2.Response:
    assert reply.status_code < 500 or reply.status_code in (503, 507), (reply.request.url, reply.text)
    if reply.status_code >= 400 and reply.request.method != "HEAD":
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["detail"]
    return reply


def a_cursor(*key: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def with_half_letters(value: Any) -> list[Any]:
    """The document with half a letter in place of each text and each name, one at a time."""
    if isinstance(value, str):
        return [HALF, value + HALF]
    if isinstance(value, list):
        at = range(len(value))
        return [[*value[:i], each, *value[i + 1 :]] for i in at for each in with_half_letters(value[i])]
    if isinstance(value, dict):
        names = [{HALF if k == name else k: v for k, v in value.items()} for name in value]
        names.append({**value, HALF: 1})
        return names + [{**value, name: each} for name in value for each in with_half_letters(value[name])]
    return [HALF]


WHOLE: dict[str, Any] = {
    "job": "a", "namespace": "default", "description": "d", "labels": {"k": "v"},
    "triggers": [
        {"id": "t", "cron": "0 2 * * *", "tz": "UTC"}, {"every": "1h"}, {"at": "2999-01-01T00:00:00Z"},
    ],
    "params": {"x": {"type": "string", "default": "d", "enum": ["d"], "description": "e"}},
    "tasks": {"one": {"run": "true", "needs": ["two"], "env": {"A": "b"}, "on": {"pool": "p", "zone": "z",
              "labels": {"l": "m"}}}, "two": {"exec": ["a", "b"], "cwd": "/"}},
    "policies": {"timeout": "1m"},
}  # fmt: skip


@pytest.mark.parametrize("document", with_half_letters(WHOLE), ids=lambda d: ascii(d)[:0])
async def test_half_a_letter_anywhere_in_a_job_is_refused_with_its_place(
    client: httpx2.AsyncClient, document: Any
) -> None:
    for method, path, body in (("PUT", "/v1/jobs/a", document), ("POST", "/v1/apply", {"jobs": [document]})):
        reply = no_error_of_the_server(await client.request(method, path, content=json.dumps(body)))

        assert reply.status_code == 422
        place = reply.json()["errors"][0]["pointer"]
        assert place.startswith("/jobs/0/" if "jobs" in body else "/")


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_half_a_letter_is_refused_by_every_route_that_takes_a_body(
    client: httpx2.AsyncClient, method: str, path: str
) -> None:
    bodies: list[Any] = [
        {HALF: 1}, {"name": HALF, "role": "viewer"}, {"name": "n", "role": "agent", "holder": HALF},
        {"params": {HALF: "1"}}, {"params": {"x": HALF}}, {"node": HALF}, {"token": HALF}, {"source": HALF},
        {"name": "n", "address": "h:1", "zone": HALF, "url": "http://h"}, HALF, [HALF],
    ]  # fmt: skip
    for body in bodies:
        reply = no_error_of_the_server(await client.request(method, path, content=json.dumps(body)))

        if path != "/v1/session":  # it has its token in the header, and reads no body then
            assert reply.status_code == 422


async def test_whole_letters_written_as_pairs_are_letters(client: httpx2.AsyncClient) -> None:
    body = b'{"job": "a", "noop": true, "description": "\\ud83d\\ude00 \\\\ud800"}'

    reply = await client.put("/v1/jobs/a", content=body)

    assert reply.status_code == 201
    assert reply.json()["description"] == "\U0001f600 \\ud800"


@pytest.mark.parametrize("tag", ['"²"', "²", '"٣"', '"-1"', '"1_0"', '"' + "9" * 5_000 + '"', '""', "\xff"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_an_etag_that_is_no_revision_is_refused(
    client: httpx2.AsyncClient, method: str, tag: str
) -> None:
    for name in ("If-Match", "If-None-Match"):
        headers = [(name.encode(), tag.encode("utf-8" if "٣" in tag else "latin-1"))]
        body = b'{"noop": true}' if method == "PUT" else b""

        reply = await client.request(method, "/v1/jobs/a", headers=headers, content=body)

        no_error_of_the_server(reply)
        assert reply.status_code == 422


@pytest.mark.parametrize("path", READS)
async def test_no_strange_parameter_is_an_error_of_the_server(client: httpx2.AsyncClient, path: str) -> None:
    await client.put("/v1/jobs/a", json=JOB)
    await client.post("/v1/jobs/a/runs", json={"params": {"x": "1"}})
    huge, day = 1 << 70, "2026-01-01T00:00:00Z"
    values = [
        "\0", "²", "٣", "1_0", " 5", "-1", "NaN", "1e3", "9" * 5_000, "9" * 5_000 + "h", str(huge),
        str(1 << 63), "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59", "1970-01-01T00:00:00Z", '"', 'a".b', "$", "[", "%", "e\u0301",
        a_cursor("jobs", HALF, "a"), a_cursor("jobs", "a", HALF), a_cursor("agents", HALF),
        a_cursor("runs", huge), a_cursor("runs", -huge),
        a_cursor("ticks", huge, 1), a_cursor("ticks", 1, huge),
        a_cursor("revisions", huge), base64.urlsafe_b64encode(b"[" * 9_000).decode(),
    ]  # fmt: skip
    for name in PARAMETERS:
        for value in values:
            query = f"?{name}={quote(value)}" + ("&wait=1ms" if name == "min_index" else "")
            no_error_of_the_server(await client.get(path + query))
    for raw in ("?%ED%A0%80=1", "?q=%ED%A0%80", "?%00=1", "?q=%FF", f"?from={day}&to=9999-12-31T23:59:59Z"):
        no_error_of_the_server(await client.get(path + raw))


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_no_strange_path_is_an_error_of_the_server(client: httpx2.AsyncClient, method: str) -> None:
    parts = [
        "%2F", "..%2F..", "%2E%2E", "%00", "%ED%A0%80", "%FF", "e%CC%81", "%C2%B2", "9" * 5_000,
        "-1", "//", "[",
    ]  # fmt: skip
    paths = [
        "/{}", "/v1/{}/", "/v1/jobs/{}", "/v1/jobs/{}/", "/v1/jobs/{}/runs", "/v1/jobs/{}/pause",
        "/v1/runs/{}", "/v1/runs/{}/logs", "/v1/agents/{}", "/v1/tokens/{}", "/problems/{}", "/cockpit/{}",
        "/assets/{}",
    ]  # fmt: skip
    for path in paths:
        for part in parts:
            reply = await client.request(method, path.format(part), content=b'{"noop": true}')
            no_error_of_the_server(reply)


@pytest.mark.parametrize("host", ["[", "a]b", "[::1", "\xff", "a:b:c"])
async def test_no_strange_host_is_an_error_of_the_server(client: httpx2.AsyncClient, host: str) -> None:
    for method, path in (("GET", "/nowhere"), ("PATCH", "/v1/jobs"), ("GET", "/v1/jobs"), ("GET", "/")):
        reply = await client.request(method, path, headers=[(b"Host", host.encode("latin-1"))])
        no_error_of_the_server(reply)


# -- any document --------------------------------------------------------------------------------------------

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(),
    st.text(st.characters(categories=["Cs", "Cc", "Nd", "No", "Lu"])),
    st.sampled_from([1 << 63, -(1 << 63) - 1, 1 << 200, "²", "\0", HALF, "0001-01-01T00:00:00+23:59"]),
)  # fmt: skip
FIELDS = sorted(
    {
        *WHOLE, *WHOLE["tasks"]["one"], "name", "role", "ttl_s", "uses", "holder", "pool", "address", "zone",
        "url", "node", "format", "jobs", "source", "dry_run", "token", "revision", "retry", "noop",
    }
)  # fmt: skip
DOCUMENTS = st.recursive(
    ODD,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=5),
    ),
    max_leaves=12,
)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(document=DOCUMENTS, changed=st.sampled_from(sorted(WHOLE)), value=DOCUMENTS)
async def test_no_document_is_an_error_of_the_server(
    client: httpx2.AsyncClient, document: Any, changed: str, value: Any
) -> None:
    for method, path in WRITES:
        for body in (document, {**WHOLE, changed: value}):
            query = "?dry_run=true" if "cluster" in path else ""
            no_error_of_the_server(await client.request(method, path + query, content=json.dumps(body)))


@given(st.recursive(st.text() | st.integers(), lambda i: st.lists(i) | st.dictionaries(st.text(), i)))
def test_a_document_of_whole_letters_has_no_half_one(document: Any) -> None:
    assert half_pair(document) is None


@pytest.mark.parametrize(
    ("document", "pointer"),
    [("\udfff", ""), ({"a": ["b", HALF]}, "/a/1"), ({"a": {HALF: 1}}, "/a/\\ud800"), ({"/": HALF}, "/~1")],
)
def test_half_a_letter_is_found_with_its_place(document: Any, pointer: str) -> None:
    assert half_pair(document) == pointer
