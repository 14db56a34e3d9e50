"""What a node says of itself to whoever watches it, and its pages."""

from __future__ import annotations

import httpx2
import pytest

from tests.api.single_node import SingleNode
from tests.api.working import NOOP


async def test_health_is_alive_without_a_quorum_and_ready_only_with_one(
    client: httpx2.AsyncClient, node: SingleNode
) -> None:
    assert (await client.get("/readyz")).status_code == 200
    node.quorum = False
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/healthy.html")).status_code == 200
    assert (await client.get("/readyz")).status_code == 503


async def test_metrics(client: httpx2.AsyncClient, node: SingleNode) -> None:
    await client.put("/v1/jobs/job", json=NOOP)
    text = (await client.get("/metrics")).text
    assert f"cronclave_index {float(node.index)}" in text
    assert 'cronclave_http_requests{method="PUT",status="201"} 1.0' in text
    assert 'cronclave_peer_reachable{peer="node-2",zone="zone-b"} 1.0' in text


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_pages_have_a_strict_policy_and_ask_for_nothing_elsewhere(
    client: httpx2.AsyncClient, path: str
) -> None:
    page = await client.get(path)
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text


async def test_the_description_names_every_route_of_the_reference(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    page = (await client.get("/docs")).text
    identities = [o["operationId"] for methods in document["paths"].values() for o in methods.values()]
    assert len(identities) == len(set(identities))
    assert "putJob" in identities
    for path in document["paths"]:
        assert path in page
