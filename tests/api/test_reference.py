"""The reference names every route and every problem, and real replies have the shapes that are published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import Depends
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from api.app import NOUNS, Api
from api.parameters import refuse_unknown
from api.problems import KINDS
from api.schemas import replies
from scheduler.words.commands import ConnectAgent
from tests.api.single_node import SingleNode

pytestmark = pytest.mark.house

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "api.md"


def test_the_reference_names_every_route_and_problem(api: Api) -> None:
    text = REFERENCE.read_text()
    missing = [
        f"{method.upper()} {path}"
        for path, methods in api.fastapi.openapi()["paths"].items()
        for method in methods
        if f"{method.upper()} {path}`" not in text
    ]
    assert missing == []
    assert [kind for kind in KINDS if kind not in text] == []


def test_every_route_refuses_what_it_does_not_know(api: Api) -> None:
    """Its router says so: no other place adds it."""
    routes = [route for noun in NOUNS for route in noun.router.routes if isinstance(route, APIRoute)]
    assert len(routes) > 100
    assert [route.path for route in routes if Depends(refuse_unknown) not in route.dependencies] == []


async def test_replies_have_the_published_shapes(client: httpx2.AsyncClient, node: SingleNode) -> None:
    node.apply(ConnectAgent("agent-1", "i", "s", "b", "zone-a", "default", b"{}", 8, "1", "node-2", ("x",)))
    await client.put("/v1/jobs/job", json={"noop": True, "triggers": {"every": "1h"}})
    await client.post("/v1/jobs/job/runs")
    shapes: dict[str, type[BaseModel]] = {
        "/v1/jobs/job": replies.Job,
        "/v1/jobs": replies.JobList,
        "/v1/runs": replies.RunList,
        "/v1/runs/1": replies.Run,
        "/v1/jobs/job/ticks": replies.TickList,
        "/v1/agents": replies.AgentList,
        "/v1/agents/agent-1": replies.Agent,
        "/v1/cluster": replies.Cluster,
    }
    for path, shape in shapes.items():
        reply = await client.get(path)
        assert reply.status_code == 200, path
        shape.model_validate(reply.json())

    class Strict(replies.Problem):
        model_config = ConfigDict(extra="forbid")

    problem: dict[str, Any] = (await client.get("/v1/jobs/none")).json()
    Strict.model_validate(problem)
