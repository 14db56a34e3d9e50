"""Bodies that are small to send and were dear to read: refused with words, and no node falls silent."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from bench.client import Client
from bench.cluster import Cluster

pytestmark = pytest.mark.cluster

ANSWER_S = 10.0
"""For one body on an idle machine: ten times what is promised."""

YAML = {"Content-Type": "application/yaml"}
JSON = {"Content-Type": "application/json"}
UNKNOWN = ",".join(f'"tusk-{i}"' for i in range(900))
TASKS = ",".join(f'"task-{i}":{{"noop":true}}' for i in range(3_000))

BODIES = {
    "brackets": (YAML, "a: " + "[" * 10_000),
    "many brackets": (YAML, "[" * 900_000),
    "flat keys": (YAML, "".join(f"k{i}: 1\n" for i in range(80_000))),
    "documents": (YAML, "---\n" * 200_000),
    "tag lines": (YAML, "".join(f"%TAG !a{i}! x\n" for i in range(40_000)) + "--- a"),
    "digits": (YAML, "a: " + "9" * 900_000),
    "JSON brackets": (JSON, "[" * 900_000),
    "JSON fields": (JSON, "{" + ",".join(f'"k{i}":1' for i in range(80_000)) + "}"),
    "JSON digits": (JSON, '{"a":' + "9" * 900_000 + "}"),
    "a number beyond all": (JSON, '{"job":"a","noop":true,"labels":{"a":1e999}}'),
    "unknown needs": (JSON, f'{{"job":"a","tasks":{{{TASKS},"z":{{"noop":true,"needs":[{UNKNOWN}]}}}}}}'),
}


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/apply"])
@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_body_is_answered_soon(besieged: Cluster, name: str, path: str) -> None:
    headers, text = BODIES[name]
    reply = besieged.client.send("POST", path, text.encode(), headers=headers, timeout_s=ANSWER_S)
    assert reply.status in (400, 413, 422), reply.body[:500]
    assert reply.json()["detail"]


def test_many_at_once_leave_every_node_responsive(besieged: Cluster) -> None:
    """The siege asks for `/healthz` all the while."""
    statuses: list[int] = []

    def send(place: int) -> None:
        headers, text = list(BODIES.values())[place % len(BODIES)]
        with closing(Client(besieged.client.urls, besieged.token)) as client:
            for round_ in range(3):
                node = (place + round_) % 3
                reply = client.send(
                    "POST", "/v1/jobs", text.encode(), node=node, headers=headers, timeout_s=60.0
                )
                statuses.append(reply.status)

    threads = [threading.Thread(target=send, args=[place]) for place in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) == 48
    assert set(statuses) <= {400, 408, 413, 422, 429, 503}
