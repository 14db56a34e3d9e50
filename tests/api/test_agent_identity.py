"""Who may be which agent: a name by its token, an installation by its key, and a person has the last word."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from api.agents import bounds as agent_bounds
from api.agents.ownership import relevant
from api.app import Api
from api.ports import NoLeaderError
from scheduler import protocol as p
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.tables import agents as agent_rows
from tests.api.served import HandAgent, key_of, served, session
from tests.api.single_node import SingleNode
from tests.api.test_gateway import a_run, assign, until


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with served(api) as address:
        yield address


async def token(client: httpx2.AsyncClient, name: str, **limits: Any) -> str:
    made = await client.post("/v1/tokens", json={"name": name, "role": "agent", **limits})
    assert made.status_code == 201, made.text
    secret: str = made.json()["token"]
    return secret


async def refused(agent: HandAgent, **fields: Any) -> str:
    answer = await agent.hello(**fields)
    assert isinstance(answer, p.Leave), answer
    assert answer.reason == "refused"
    return answer.detail


async def released(client: httpx2.AsyncClient, name: str) -> None:
    shown = (await client.get(f"/v1/agents/{name}")).json()
    body = {"installation": shown["installation"]}
    assert (await client.post(f"/v1/agents/{name}/release", json=body)).status_code == 200


# -- installations


async def test_an_installation_that_was_only_read_about_fences_nobody(
    url: str, client: httpx2.AsyncClient
) -> None:
    async with HandAgent(url) as good, HandAgent(url) as rogue:
        assert isinstance(await good.hello(), p.Welcome)
        shown = (await client.get("/v1/agents/agent-1")).json()
        rogue.key = key_of("the rogue's own")

        said = await refused(rogue, installation=shown["installation"], session=session(p.SESSION_MS_MAX))

        assert "nothing proves" in said
        await good.send(p.Ping(1, 0))
        assert isinstance(await good.expect(p.Pong, p.Leave), p.Pong)
    async with HandAgent(url) as again:
        assert isinstance(await again.hello(session=session(2)), p.Welcome)


async def test_a_hello_that_was_overheard_is_worth_nothing_on_another_socket(url: str) -> None:
    async with HandAgent(url) as good, HandAgent(url) as rogue:
        hello = good.signed(good.unsigned(), await good.challenged())

        await rogue.send(hello)
        answer = await rogue.expect(p.Welcome, p.Leave)

        assert isinstance(answer, p.Leave)
        assert "nothing proves" in answer.detail
        await good.send(hello)
        assert isinstance(await good.expect(p.Welcome, p.Leave), p.Welcome)


async def test_no_word_of_a_signed_hello_can_be_changed(url: str) -> None:
    """Another boot id, say, would be proof of death for all that the agent runs."""
    async with HandAgent(url) as agent:
        hello = agent.signed(agent.unsigned(), await agent.challenged())

        await agent.send(dataclasses.replace(hello, boot_id="boot-2"))

        answer = await agent.expect(p.Welcome, p.Leave)
        assert isinstance(answer, p.Leave)
        assert "nothing proves" in answer.detail


@pytest.mark.parametrize(
    "name",
    ["", "7", "z" * 33, "f" * 16 + "-" + "0" * 16, f"{p.SESSION_MS_MAX + 1:016x}-{'0' * 16}", "~" * 33],
)
async def test_a_session_that_sorts_behind_all_to_come_is_refused(url: str, name: str) -> None:
    async with HandAgent(url) as agent:
        assert "session" in await refused(agent, session=name)


@pytest.mark.parametrize(
    "fields",
    [
        {"slots": -1},
        {"slots": 1 << 40},
        {"index": -1},
        {"index": 1 << 63},
        {"restores": 1 << 63},
        {"told": -5},
        {"slots": True},
        {"held": ((-1, "running"),)},
        {"held": ((1 << 63, "running"),)},
        {"held": ((1, "dancing"),)},
        {"held": ((1, "gone", 3),)},
        {"name": "two\nlines"},
        {"zone": "\x1b[2J"},
        {"labels": {"os": "x" * 256}},
        {"key": b""},
        {"proof": b"x"},
    ],
    ids=str,
)
async def test_every_field_of_a_hello_is_bounded(url: str, node: SingleNode, fields: dict[str, Any]) -> None:
    async with HandAgent(url) as agent:
        index = node.index
        await refused(agent, **fields)
        assert node.index == index, "nothing of it went into the log"


# -- names


async def test_a_token_is_for_the_agent_of_its_name(url: str, client: httpx2.AsyncClient) -> None:
    secret = await token(client, "web-1")
    async with HandAgent(url, token=secret, name="web-1") as own:
        assert isinstance(await own.hello(), p.Welcome)
    async with HandAgent(url, token=secret, name="web-2") as other:
        said = await refused(other)
    assert "is that of agent web-1, not of web-2; make one: cronclave token create --role agent web-2" in said


async def test_a_token_for_any_name_gets_no_name_that_belongs_to_a_token(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    wanted = {"name": "fleet", "role": "agent", "any_name": True, "pool": "spot"}
    fleet = await client.post("/v1/tokens", json=wanted)
    assert "may come as any agent of pool spot" in fleet.json()["warning"]
    secret = fleet.json()["token"]
    own = await token(client, "the-token-of-web-1", holder="web-1")
    async with HandAgent(url, token=own, name="web-1") as agent:
        assert isinstance(await agent.hello(), p.Welcome)
    await until(lambda: not _connected(node, "web-1"))

    async with HandAgent(url, token=secret, name="web-1") as rogue:
        rogue.key = key_of("another host")
        assert "belongs to token the-token-of-web-1" in await refused(rogue, pool="spot")
    async with HandAgent(url, token=secret, name="spot-9") as fresh:
        assert isinstance(await fresh.hello(pool="spot"), p.Welcome)
    async with HandAgent(url, token=secret, name="spot-8") as stray:
        assert "for the pool spot" in await refused(stray)


def _connected(node: SingleNode, name: str) -> bool:
    with node.read() as store:
        row = agent_rows.find(store, name)
    return row is not None and bool(row.node)


# -- a person's word


async def test_a_released_name_is_free_for_another_host_and_lost_to_the_former(
    url: str, node: SingleNode, client: httpx2.AsyncClient
) -> None:
    async with HandAgent(url) as old:
        welcome = await old.hello()
        assert isinstance(welcome, p.Welcome)
        run = await a_run(client)
        attempt = assign(node, run, welcome.agent)
        await old.send(p.Claim(attempt, "claim-1"))
        assert isinstance(await old.expect(p.Grant, p.Refuse), p.Grant)
        async with HandAgent(url) as new:
            new.key = key_of("the replacement")
            assert "another installation is connected" in await refused(new)

        await released(client, "agent-1")

        assert isinstance(await old.expect(p.Leave), p.Leave)
    async with HandAgent(url) as back:
        answer = await back.hello(session=session(9))
        assert isinstance(answer, p.Leave)
        assert (answer.reason, "released the name" in answer.detail) == ("fenced", True)
    async with HandAgent(url) as new:
        new.key = key_of("the replacement")
        fresh = await new.hello()
        assert isinstance(fresh, p.Welcome)
        assert fresh.agent != welcome.agent
        # What the former host runs is neither judged nor given away: only its lease or a person ends it.
        await new.send(p.Claim(attempt, "claim-2"))
        assert isinstance(await new.expect(p.Grant, p.Refuse), p.Refuse)
    read = (await client.get(f"/v1/runs/{run}")).json()
    assert read["tasks"]["main"]["attempts"][0]["state"] == "granted"


async def test_only_an_administrator_releases_and_only_whom_they_mean(
    url: str, client: httpx2.AsyncClient, node: SingleNode
) -> None:
    async with HandAgent(url) as agent:
        assert isinstance(await agent.hello(), p.Welcome)
        path, body = "/v1/agents/agent-1/release", {"installation": agent.installation}
        for role in ("viewer", "operator", "submitter", "agent"):
            made = await client.post("/v1/tokens", json={"name": role, "role": role})
            headers = {"Authorization": f"Bearer {made.json()['token']}"}
            assert (await client.post(path, json=body, headers=headers)).status_code == 403, role
        assert (await client.post(path, json={})).status_code == 422
        assert (await client.post(path, json={"installation": "another"})).status_code == 409
        assert (await client.post("/v1/agents/none/release", json=body)).status_code == 404
        assert (await client.post(f"{path}?dry_run=true", json=body)).json()["dry_run"]
        assert _connected(node, "agent-1")


async def test_an_agent_that_drains_gets_no_grant_until_it_is_resumed(
    url: str, client: httpx2.AsyncClient, node: SingleNode
) -> None:
    async with HandAgent(url) as agent:
        welcome = await agent.hello()
        assert isinstance(welcome, p.Welcome)
        attempt = assign(node, await a_run(client), welcome.agent)

        drained = await client.post("/v1/agents/agent-1/drain", json={"reason": "new kernel"})

        assert drained.status_code == 200
        assert drained.json()["draining"] is True
        assert drained.json()["drain_reason"] == "new kernel"
        assert (await client.get("/v1/jobs/job")).json()["state"] == "unplaceable"
        await agent.send(p.Claim(attempt, "claim-1"))
        refusal = await agent.expect(p.Grant, p.Refuse)
        assert isinstance(refusal, p.Refuse)
        resumed = (await client.post("/v1/agents/agent-1/resume")).json()
        assert (resumed["draining"], resumed["drain_reason"]) == (False, None)
        ends = {"until": "2100-01-01T00:00:00Z"}
        drained = await client.post("/v1/agents/agent-1/drain", json=ends)
        assert drained.json()["drain_until"] == ends["until"]
        for until, said in (("soon", "RFC 3339"), ("2001-01-01T00:00:00Z", "over already"), (7, "RFC 3339")):
            refused = await client.post("/v1/agents/agent-1/drain", json={"until": until})
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/until")
            assert said in refused.json()["detail"]
        assert (await client.post("/v1/agents/agent-1/resume")).json()["drain_until"] is None
        assert (await client.get("/v1/jobs/job")).json()["state"] == "active"
        await agent.send(p.Claim(attempt, "claim-2"))
        assert isinstance(await agent.expect(p.Grant, p.Refuse), p.Grant)


@pytest.mark.parametrize("verb", ["drain", "resume"])
async def test_who_operates_drains_and_resumes_and_bad_bodies_are_told(
    url: str, client: httpx2.AsyncClient, node: SingleNode, verb: str
) -> None:
    async with HandAgent(url) as agent:
        assert isinstance(await agent.hello(), p.Welcome)
        path = f"/v1/agents/agent-1/{verb}"
        for role, status in (("viewer", 403), ("submitter", 403), ("agent", 403), ("operator", 200)):
            made = await client.post("/v1/tokens", json={"name": role, "role": role})
            headers = {"Authorization": f"Bearer {made.json()['token']}"}
            assert (await client.post(path, headers=headers)).status_code == status, role
        assert (await client.post(f"/v1/agents/none/{verb}")).status_code == 404
        assert (await client.post(f"/v1/agents/none/{verb}?dry_run=true")).status_code == 404
    was = {"drain": True, "resume": False}[verb]
    other = {"drain": "resume", "resume": "drain"}[verb]
    told = (await client.post(f"/v1/agents/agent-1/{other}?dry_run=true")).json()
    assert told["draining"] is not was, "a dry run shows the agent as it would be"
    assert (await client.get("/v1/agents/agent-1")).json()["draining"] is was


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"why": "x"}, "/why"), ({"reason": 7}, "/reason"), ({"reason": "x" * 501}, "/reason"), ([], "")],
)
async def test_a_drain_tells_what_is_wrong_with_its_body(
    url: str, client: httpx2.AsyncClient, body: object, pointer: str
) -> None:
    told = await client.post("/v1/agents/agent-1/drain", json=body)
    assert told.status_code == 422
    assert [error["pointer"] for error in told.json()["errors"]] == [pointer]


async def test_an_agent_by_an_administrators_token_is_warned_of(
    url: str, client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    own = await token(client, "agent-1")
    async with HandAgent(url, token=own) as agent:
        assert isinstance(await agent.hello(), p.Welcome)
    assert "administrator" not in caplog.text
    async with HandAgent(url) as agent:
        assert isinstance(await agent.hello(session=session(2)), p.Welcome)
    assert "agent agent-1 has an administrator's token" in caplog.text


# -- what it holds


@pytest.mark.parametrize(("word", "state"), [("running", "granted"), ("gone", "lost")])
async def test_of_many_attempts_that_an_agent_holds_its_own_ones_are_told_to_the_cluster(
    url: str, client: httpx2.AsyncClient, node: SingleNode, word: str, state: str
) -> None:
    """40,000 of nobody's in one command kept the cores from each other for as long as an election takes."""
    async with HandAgent(url) as agent:
        welcome = await agent.hello()
        assert isinstance(welcome, p.Welcome)
        attempt = assign(node, await a_run(client), welcome.agent)
        await agent.send(p.Claim(attempt, "claim"))
        await agent.expect(p.Grant)
    many = tuple((attempt + n, word) for n in range(agent_bounds.HELD_MAX))

    again = HandAgent(url)
    again.session = session(2)
    assert await relevant(node, again.unsigned(held=many)) == ((attempt, word),)
    node.quorum = False
    with pytest.raises(NoLeaderError):
        await relevant(node, again.unsigned(held=many))
    assert await relevant(node, again.unsigned(held=many[:10])) == many[:10]
    node.quorum = True

    async with again:
        assert isinstance(await again.hello(held=many), p.Welcome)
    with node.read() as store:
        (row,) = attempt_reads.of_runs(store, [await run_of(client)])
    assert row.attempt.state == state


async def run_of(client: httpx2.AsyncClient) -> int:
    number: int = (await client.get("/v1/runs")).json()["items"][0]["id"]
    return number
