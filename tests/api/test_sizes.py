"""A request that would be too large a command: 413 with the size and the limit, in the dry run too."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from api.routes.apply import ITEMS_MAX
from scheduler.model.job import CANONICAL_BYTES_MAX
from scheduler.words import sizes
from tests.api.single_node import SingleNode


def wide(name: str) -> dict[str, Any]:
    """52 KB as it is written, twice of that in its command: there its triggers are a second time."""
    return {"job": name, "noop": True, "triggers": seconds(100)}


def long(size: int) -> dict[str, Any]:
    """A job of at least so many bytes."""
    scripts = {f"t{n}": {"run": "x" * 60_000} for n in range(size // 60_000)}
    return {"job": "long", "tasks": {**scripts, "rest": {"run": "y" * (size % 60_000 + 1)}}}


def seconds(count: int) -> list[dict[str, Any]]:
    """So many triggers that are due each second, in many words."""
    sixty, days = ",".join(map(str, range(60))), ",".join(map(str, range(1, 32)))
    hours = ",".join(map(str, range(24)))
    return [{"id": f"t{n}", "cron": f"{sixty} {sixty} {hours} {days} * *"} for n in range(count)]


def crowd() -> dict[str, Any]:
    """A job that is small enough, whose triggers are in its command a second time."""
    triggers = seconds(100)
    return {**long(994_000 - len(json.dumps(triggers))), "triggers": triggers}


TOO_LARGE: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v1/apply", {"jobs": [wide(f"wide-{n}") for n in range(12)]}),
    ("POST", "/v1/apply", {"jobs": [{"job": f"j{n}", "run": "x" * 990} for n in range(ITEMS_MAX)]}),
    ("POST", "/v1/jobs/wants/runs", {"params": {f"p{n}": "é" * 8_000 for n in range(40)}}),
]


@pytest.mark.parametrize(("method", "path", "body"), TOO_LARGE, ids=["wide", "many", "params"])
async def test_it_is_refused_with_its_size_and_the_limit_by_the_dry_run_too(
    client: httpx2.AsyncClient, node: SingleNode, method: str, path: str, body: dict[str, Any]
) -> None:
    wants = {f"p{n}": {"type": "string", "default": "d" * 8_000} for n in range(100)}
    made = await client.put("/v1/jobs/wants", json={"noop": True, "params": wants})
    assert made.status_code == 201, made.text
    before = node.index
    for query in ("?dry_run=true", ""):
        reply = await client.request(method, path + query, json=body)

        problem = reply.json()
        assert (reply.status_code, problem["type"]) == (413, "/problems/too-large"), reply.text
        assert problem["value"]["bytes"] > sizes.COMMAND_BYTES_MAX == problem["value"]["bytes_max"]
        assert f"{problem['value']['bytes']} bytes" in problem["detail"]
        assert f"{sizes.COMMAND_BYTES_MAX} at most" in problem["detail"]
        assert problem["hint"]
    assert node.index == before


@pytest.mark.parametrize(("method", "path"), [("PUT", "/v1/jobs/long"), ("POST", "/v1/jobs")])
async def test_one_job_is_refused_from_its_first_byte_too_many(
    client: httpx2.AsyncClient, method: str, path: str
) -> None:
    for query in ("?dry_run=true", ""):
        reply = await client.request(method, path + query, json=long(CANONICAL_BYTES_MAX))
        assert reply.status_code == 422, reply.text
        assert f"{CANONICAL_BYTES_MAX} at most" in reply.json()["detail"]
        assert reply.json()["errors"][0]["pointer"] == ""

        fits = await client.request(method, path + query, json=long(CANONICAL_BYTES_MAX - 10_000))
        assert fits.status_code in (200, 201), fits.text


async def test_the_dry_run_of_a_job_measures_its_triggers_too(client: httpx2.AsyncClient) -> None:
    for method, path in (("PUT", "/v1/jobs/long"), ("POST", "/v1/jobs")):
        for query in ("?dry_run=true", ""):
            reply = await client.request(method, path + query, json=crowd())
            assert reply.status_code == 413, reply.text
            assert "job long is too large" in reply.json()["detail"]
