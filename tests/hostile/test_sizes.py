"""Commands that are too large, and agents that say too much: refused with words, and no process notices."""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
import sys
from typing import Any

import pytest

from bench.cluster import PROJECT, Cluster
from scheduler import protocol as p
from tests.api.served import HandAgent

pytestmark = pytest.mark.cluster

REFUSED = frozenset({413, 422})
DEADLINE_S = 60.0
SCRIPT = "echo " + "x" * 59_995


def wide(name: str) -> dict[str, Any]:
    """Smaller as it is written than in its command, where its triggers are a second time."""
    cron = " ".join([",".join(map(str, range(60)))] * 2 + [",".join(map(str, range(24)))] + ["*"] * 3)
    return {"job": name, "noop": True, "triggers": [{"id": f"t{n}", "cron": cron} for n in range(100)]}


def long(name: str, size: int) -> dict[str, Any]:
    """A job of about so many bytes as it is written."""
    scripts, rest = divmod(size, len(SCRIPT))
    tasks = {f"t{number}": {"run": SCRIPT} for number in range(scripts)}
    return {"job": name, "tasks": {**tasks, "rest": {"run": "echo " + "y" * rest}}}


def defaults(size: int) -> dict[str, Any]:
    """Parameters that fill a run's command where a person gives the other half."""
    return {f"p{number}": {"type": "string", "default": "d" * 8_192} for number in range(size // 8_192)}


def sent(cluster: Cluster, node: int, method: str, path: str, body: object) -> tuple[int, bytes] | str:
    try:
        reply = cluster.client.send(method, path, body, node=node, timeout_s=DEADLINE_S)
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    return reply.status, reply.body


WRITES: list[tuple[str, str, object]] = [
    ("POST", "/v1/apply", {"jobs": [wide(f"wide-{number}") for number in range(15)]}),
    ("POST", "/v1/apply", {"jobs": [{"job": f"j{n}", "run": "echo " + "x" * 985} for n in range(1_000)]}),
    ("PUT", "/v1/jobs/long", long("long", 1_046_009)),
    ("POST", "/v1/jobs", long("long", 1_046_009)),
    ("PUT", "/v1/jobs/full", long("full", (1 << 20) - 3_500)),
    ("POST", "/v1/jobs/params/runs", {"params": {f"p{n}": "😀" * 4_000 for n in range(60)}}),
    ("POST", "/v1/tokens", {"name": "t", "role": "viewer", "holder": "h" * 1_000_000}),
    ("POST", "/v1/cluster/members", {name: "m" * 250_000 for name in ("name", "address", "zone", "url")}),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=lambda v: v if isinstance(v, str) else "")
def test_what_would_be_a_command_of_more_than_a_mebibyte_is_refused_by_every_node(
    besieged: Cluster, method: str, path: str, body: object
) -> None:
    besieged.client.ask("PUT", "/v1/jobs/params", {"noop": True, "params": defaults(800_000)})
    for node in range(3):
        for query in ("?dry_run=true", ""):
            answer = sent(besieged, node, method, path + query, body)
            assert not isinstance(answer, str), answer
            assert answer[0] in REFUSED, answer
            assert b"bytes" in answer[1] or b"letters" in answer[1] or b"characters" in answer[1], answer


def test_the_command_line_cuts_what_is_too_large_for_one_request(besieged: Cluster) -> None:
    """With three nodes to ask: none is taken down, and all three jobs are there in the end."""
    jobs = [long(f"cut-{number}", 400_000) for number in range(3)]
    text = "\n---\n".join(json.dumps(job) for job in jobs)

    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "job", "apply", "-"],
        input=text,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S * 3,
        cwd=PROJECT,
        env={"CRONCLAVE_URL": ",".join(besieged.client.urls), "CRONCLAVE_TOKEN": besieged.token},
        check=False,
    )

    assert done.returncode == 0, done.stderr
    for job in jobs:
        assert besieged.client.ask("GET", f"/v1/jobs/{job['job']}").status == 200


async def rogue(cluster: Cluster, node: int, *messages: p.Message) -> list[p.Message]:
    """What an agent that says this is answered, until it is sent away or its last word is acknowledged."""
    async with HandAgent(cluster.client.urls[node], token=cluster.token, name=f"rogue-{node}") as agent:
        welcome = await agent.hello(cluster="", pool="rogue")
        assert isinstance(welcome, p.Welcome), welcome
        await agent.send(*messages)
        return [await agent.expect(p.Ack, p.Leave)]


@pytest.mark.parametrize("node", range(3))
def test_an_end_with_four_megabytes_of_output_is_cut_and_acknowledged(besieged: Cluster, node: int) -> None:
    told = p.Finished(1, 1 << 40, 1, 2, 1, "exit", None, "d" * 50_000, b"t" * 3_900_000)

    heard = asyncio.run(rogue(besieged, node, told))

    assert p.Ack in map(type, heard), heard


@pytest.mark.parametrize(
    "message",
    [
        p.Finished(1, (1 << 64) - 1, 1, 2, 1, "exit", None, "", b""),
        p.Finished(1, 7, -(1 << 63), 2, 1, "exit", None, "", b""),
        p.Finished(1, 7, 1, 2, 1 << 63, "exit", None, "", b""),
        p.Finished(1, 7, 1, 2, 1, "x" * 3_000_000, None, "", b""),
        p.Running(1, 7, (1 << 64) - 1),
        p.Claim(-1, "c"),
        p.Ping(-1, 1 << 63),
        p.TailChunk(1, b"", False, -1),
    ],
    ids=lambda message: type(message).__name__,
)
def test_numbers_and_texts_out_of_bounds_send_their_agent_away(besieged: Cluster, message: p.Message) -> None:
    heard = asyncio.run(rogue(besieged, 0, message))

    assert any(isinstance(m, p.Leave) and m.reason == "refused" and m.detail for m in heard), heard
