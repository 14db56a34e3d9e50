"""The API does what /openapi.json says, and says what it does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.app import Api
from api.description import ANSWERS, REFUSALS
from api.problems import KINDS

PROJECT = Path(__file__).parents[2]
EXAMPLES, SEED = 3, 1
GOOD_LEAST = 100  #: answers of 2xx in such a run; about 300 usually
DEADLINE_S = 900.0
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND")


def test_schemathesis_finds_no_difference_between_the_api_and_its_description() -> None:
    """A process of its own: its libraries warn, and its node waits for nothing. More: make fuzz-api"""
    command = [
        sys.executable, "-m", "tests.api.contract", "--examples", str(EXAMPLES), "--seed", str(SEED),
        "--no-shrink",
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )

    assert done.returncode == 0, f"seed {SEED}\n{done.stdout[-20_000:]}{done.stderr[-2_000:]}"
    told = done.stdout.splitlines()[-1]
    answers = {status: int(count) for status, count in re.findall(r"([0-9]{3}): ([0-9]+)", told)}
    good = sum(count for status, count in answers.items() if status < "300")
    assert good > GOOD_LEAST, f"it compared next to nothing: {told}"
    assert answers["422"] > GOOD_LEAST
    assert not answers.get("500")


@pytest.fixture
def operations(api: Api) -> dict[str, dict[str, Any]]:
    return {
        operation["operationId"]: operation
        for methods in api.fastapi.openapi()["paths"].values()
        for operation in methods.values()
    }


def test_every_operation_tells_its_refusals_as_problems(operations: dict[str, dict[str, Any]]) -> None:
    statuses = {kind.status for kind in KINDS.values()}
    for name, operation in operations.items():
        assert any(status.startswith("2") for status in operation["responses"]), name
        for status, reply in operation["responses"].items():
            assert reply["headers"]["X-Cronclave-Index"]["required"]
            if int(status) >= 400:
                assert "application/problem+json" in reply["content"], (name, status)
                assert int(status) in statuses, (name, status)


def test_the_tables_of_the_description_name_operations_that_are_there(
    operations: dict[str, dict[str, Any]],
) -> None:
    assert {*ANSWERS, *REFUSALS} <= set(operations)


def test_no_example_names_what_a_cluster_may_have(api: Api) -> None:
    text = str([o.get("requestBody") for m in api.fastapi.openapi()["paths"].values() for o in m.values()])

    for name in ("node-1", "node-2", "node-3", "node-4", "host-17", "10.0."):
        assert name not in text


@pytest.mark.parametrize("method", METHODS)
async def test_no_path_answers_an_error_in_another_shape(
    client: httpx2.AsyncClient, api: Api, method: str
) -> None:
    paths = [*api.fastapi.openapi()["paths"], "/nowhere", "/v1/nowhere", "/", "/docs"]
    for path in [path.replace("{", "").replace("}", "") for path in paths if path != "/v1/events"]:
        for asked in (path, f"{path}/"):
            query = "?dry_run=true" if method in ("POST", "DELETE") and "/cluster/" in asked else ""
            reply = await client.request(method, asked + query, content=b"")

            if reply.status_code >= 400 and reply.status_code != 503:
                assert reply.headers["content-type"] == "application/problem+json", (method, asked)
                if method != "HEAD":
                    assert reply.json()["status"] == reply.status_code
            if reply.status_code == 405:
                assert method not in reply.headers["allow"].split(", ")


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b"{", "application/json", 400), (b"", "application/json", 400), (b"1", "application/json", 422),
        (b"\xff", "application/json", 400), (b"a: [", "application/yaml", 400), (b"x", "image/png", 415),
        (b"{}", "application/json; charset=utf-8", 422), (b"NaN", "application/json", 400),
    ],
)  # fmt: skip
async def test_a_body_that_cannot_be_read_is_a_problem(
    client: httpx2.AsyncClient, content: bytes, media: str, status: int
) -> None:
    for method, path in (("PUT", "/v1/jobs/a"), ("POST", "/v1/jobs"), ("POST", "/v1/apply")):
        reply = await client.request(method, path, content=content, headers={"Content-Type": media})

        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.status_code == status, reply.text
