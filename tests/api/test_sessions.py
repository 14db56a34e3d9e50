"""The cockpit's sessions: a cookie with a secret of its own, over when browser, token or clock say so."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

import httpx2
import pytest

from api.access import COOKIES, Access, Principal, credentials, new_session
from api.app import Api
from api.problems import Problem
from api.routes import events
from scheduler.machine.sessions import LIFE_MS
from scheduler.words.commands import CloseSession, DeleteToken, OpenSession, PutToken
from tests.api.served import DEADLINE_S, served
from tests.api.single_node import SingleNode

NOOP = {"noop": True}
SECRET = "ops-token"


@pytest.fixture
async def browser(api: Api, node: SingleNode) -> AsyncIterator[httpx2.AsyncClient]:
    node.apply(PutToken("ops", hashlib.sha256(SECRET.encode()).digest(), "submitter"))
    transport = httpx2.ASGITransport(app=api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://node-1") as client:
        yield client


async def begin(browser: httpx2.AsyncClient) -> dict[str, str]:
    """The header that its writes need."""
    begun = await browser.post("/v1/session", json={"token": SECRET})
    assert begun.status_code == 201, begun.text
    return {"X-CSRF-Token": begun.json()["csrf"]}


async def test_a_session_by_cookie_needs_its_csrf_token_for_writes(browser: httpx2.AsyncClient) -> None:
    assert (await browser.post("/v1/session", json={"token": "wrong"})).status_code == 401
    csrf = await begin(browser)
    assert (await browser.get("/v1/jobs")).status_code == 200
    bare = await browser.put("/v1/jobs/job", json=NOOP)
    assert (bare.status_code, bare.json()["type"]) == (403, "/problems/csrf")
    assert (await browser.get("/v1/session")).json() == {
        "name": "ops", "role": "submitter", "namespaces": None, "roles": {"*": "submitter"},
        "may": ["edit", "read", "run"], "may_in": {"*": ["edit", "read", "run"]},
        "csrf": csrf["X-CSRF-Token"],
    }  # fmt: skip
    assert (await browser.put("/v1/jobs/job", json=NOOP, headers=csrf)).status_code == 201
    assert (await browser.delete("/v1/session")).status_code == 403
    assert (await browser.delete("/v1/session", headers=csrf)).status_code == 204
    assert (await browser.get("/v1/jobs")).status_code == 401


async def test_the_cookie_holds_no_token_and_the_state_no_secret(
    browser: httpx2.AsyncClient, node: SingleNode
) -> None:
    begun = await browser.post("/v1/session", json={"token": SECRET})
    cookie = begun.headers["set-cookie"]
    assert SECRET not in cookie + begun.text
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Max-Age=43200" in cookie
    value = cookie.partition("=")[2].partition(";")[0]
    assert value.encode() not in node.path.read_bytes() + node.path.with_name("state.db-wal").read_bytes()
    again = await browser.post("/v1/session", json={"token": SECRET})
    assert again.headers["set-cookie"] != cookie, "each begins its own"
    assert again.json()["csrf"] != begun.json()["csrf"], "and has its own CSRF token"
    bearer = {"Authorization": f"Bearer {value}"}
    browser.cookies.clear()
    assert (await browser.get("/v1/jobs", headers=bearer)).status_code == 401, "a session is no token"
    assert (await browser.get("/v1/jobs", headers={"Cookie": f"{COOKIES['p']}={SECRET}"})).status_code == 401


async def test_a_cookie_that_was_kept_is_worth_nothing_after_the_end(browser: httpx2.AsyncClient) -> None:
    csrf = await begin(browser)
    kept = {"Cookie": f"{COOKIES['p']}={browser.cookies[COOKIES['p']]}"}
    ended = await browser.delete("/v1/session", headers=csrf)
    assert "Max-Age=0" in ended.headers["set-cookie"]
    browser.cookies.clear()
    assert (await browser.get("/v1/jobs", headers=kept)).status_code == 401


async def test_a_session_ends_with_its_token_and_with_its_time(
    browser: httpx2.AsyncClient, node: SingleNode
) -> None:
    await begin(browser)
    node.skew_ms = LIFE_MS - 5_000
    assert (await browser.get("/v1/jobs")).status_code == 200
    node.skew_ms = LIFE_MS
    over = await browser.get("/v1/jobs")
    assert (over.status_code, over.json()["detail"]) == (401, "the session is over")
    node.skew_ms = 0
    node.apply(DeleteToken("ops"))
    assert (await browser.get("/v1/jobs")).status_code == 401
    node.apply(PutToken("ops", hashlib.sha256(b"another").digest(), "admin"))
    assert (await browser.get("/v1/jobs")).status_code == 401, "a new token of that name revives none"


async def test_a_session_that_another_node_closed_or_opened_counts_here(
    browser: httpx2.AsyncClient, node: SingleNode
) -> None:
    secret = new_session(is_https=False)
    sha256 = hashlib.sha256(secret.encode()).digest()
    node.unheard.append(OpenSession("ops", hashlib.sha256(SECRET.encode()).digest(), sha256))
    headers = {"Cookie": f"{COOKIES['p']}={secret}"}
    assert (await browser.get("/v1/jobs", headers=headers)).status_code == 200
    node.apply(CloseSession(sha256))
    assert (await browser.get("/v1/jobs", headers=headers)).status_code == 401


async def test_over_https_the_cookie_is_one_that_no_neighbour_can_set(api: Api, node: SingleNode) -> None:
    node.apply(PutToken("ops", hashlib.sha256(SECRET.encode()).digest(), "submitter"))
    transport = httpx2.ASGITransport(app=api)
    async with httpx2.AsyncClient(transport=transport, base_url="https://node-1") as browser:
        begun = await browser.post("/v1/session", json={"token": SECRET})
        cookie = begun.headers["set-cookie"]
        assert cookie.startswith("__Host-cronclave_session=")
        assert "; Path=/;" in cookie
        assert cookie.endswith("; Secure")
        assert (await browser.get("/v1/jobs")).status_code == 200
        value = browser.cookies[COOKIES["s"]]
        browser.cookies.clear()
        tossed = {"Cookie": f"{COOKIES['p']}={value}"}
        assert (await browser.get("/v1/jobs", headers=tossed)).status_code == 401


@pytest.mark.parametrize("role", ["agent", "join-agent"])
async def test_a_token_that_reads_nothing_begins_no_session(
    browser: httpx2.AsyncClient, node: SingleNode, role: str
) -> None:
    node.apply(PutToken("other", hashlib.sha256(b"x").digest(), role, 1 << 50, int(role != "agent")))
    assert (await browser.post("/v1/session", json={"token": "x"})).status_code == 403


async def test_another_node_is_asked_with_what_the_browser_sent(
    browser: httpx2.AsyncClient, node: SingleNode
) -> None:
    await begin(browser)
    value = browser.cookies[COOKIES["p"]]
    access = Access(node)
    principal = await access.identify({"cookie": f"a=b; {COOKIES['p']}={value}"})
    forwarded = {name.lower(): text for name, text in credentials(principal).items()}
    assert (await access.identify(forwarded)) == principal
    assert credentials(Principal("ops", "admin", SECRET)) == {"Authorization": f"Bearer {SECRET}"}
    with pytest.raises(Problem):
        await access.identify({"cookie": f"{COOKIES['p']}=; {COOKIES['s']}"})


async def test_any_text_at_all_is_no_token_and_no_error(browser: httpx2.AsyncClient) -> None:
    for text in ("\\ud800", "\\u0000", "x" * 600, "a b;c", "\u20ac"):
        body = b'{"token": "%s"}' % text.encode()
        assert (await browser.post("/v1/session", content=body)).status_code in (401, 422), text


@pytest.mark.parametrize("end", [CloseSession, DeleteToken])
async def test_a_stream_of_events_ends_with_the_session_that_opened_it(
    api: Api, node: SingleNode, monkeypatch: pytest.MonkeyPatch, end: type
) -> None:
    monkeypatch.setattr(events, "LOOK_S", 0.0)
    token, secret = hashlib.sha256(SECRET.encode()).digest(), new_session(is_https=False)
    sha256 = hashlib.sha256(secret.encode()).digest()
    node.apply(PutToken("ops", token, "viewer"), OpenSession("ops", token, sha256))
    async with served(api) as url, httpx2.AsyncClient(timeout=DEADLINE_S) as client:
        cookie = {"Cookie": f"{COOKIES['p']}={secret}"}
        async with client.stream("GET", f"{url}/v1/events", headers=cookie) as stream:
            lines = stream.aiter_lines()
            while await anext(lines) != "event: hello":
                pass
            node.apply(CloseSession(sha256) if end is CloseSession else DeleteToken("ops"))
            rest = [line async for line in lines]
    assert not [line for line in rest if "closed" in line or "withdrawn" in line]
