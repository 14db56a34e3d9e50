"""What is of another namespace is named by whoever may read there alone; who refers is told to them alone."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.api.single_node import SingleNode
from tests.api.test_namespaces import OURS, THEIRS, token

THERE = {"vars": "there", "namespace": THEIRS, "values": {"a": "theirs"}}


def named(kind: str, name: str) -> tuple[str, dict[str, Any]]:
    """A document of our namespace that names something of theirs, and the pointer to the name."""
    target = f"{THEIRS}/{name}"
    at = {"namespace": OURS}
    documents: dict[str, tuple[str, dict[str, Any]]] = {
        "job": ("/vars/0", {"job": "j", **at, "noop": True, "vars": [target]}),
        "after": ("/triggers/0/after", {"job": "j", **at, "noop": True,
                                        "triggers": [{"after": f"{target}.succeeded"}]}),
        "hook": ("/secret", {"hook": "h", **at, "secret": target}),
        "schedule": ("/triggers/0/schedule", {"job": "j", **at, "noop": True,
                                              "triggers": [{"schedule": target}]}),
    }  # fmt: skip
    return documents[kind]


@pytest.mark.parametrize("name", ["there", "not-there"])
@pytest.mark.parametrize("kind", ["job", "after", "hook", "schedule"])
async def test_who_may_not_read_there_is_told_the_same_whether_it_is_there(
    client: httpx2.AsyncClient, node: SingleNode, kind: str, name: str
) -> None:
    assert (await client.put("/v1/vars/there", json=THERE)).status_code == 201
    theirs = {"job": "there", "namespace": THEIRS, "noop": True}
    assert (await client.put("/v1/jobs/there", json=theirs)).status_code == 201
    pointer, document = named(kind, name)
    ours = token(node, "ours", **{OURS: "submitter"})
    what, own = next(iter(document.items()))
    ways = [
        ("PUT", f"/v1/{what}s/{own}", "", document),
        ("POST", "/v1/apply", "/objects/0", {"objects": [document]}),
        ("POST", "/v1/apply?stage=s&slice=0", "/objects/0", {"objects": [document]}),
    ]  # fmt: skip
    if "job" in document:
        ways.append(("POST", "/v1/jobs", "", document))
    for method, path, above, body in ways:
        for dry_run in ("true", "false"):
            params = {"dry_run": dry_run} if "stage" not in path else {}
            reply = await client.request(method, path, json=body, headers=ours, params=params or None)
            assert reply.status_code == 403, reply.text
            (error,) = reply.json()["errors"]
            assert error["pointer"] == above + pointer
            assert f"it needs 'read' in namespace '{THEIRS}'" in error["detail"]


async def test_who_may_read_there_names_it(client: httpx2.AsyncClient, node: SingleNode) -> None:
    assert (await client.put("/v1/vars/there", json=THERE)).status_code == 201
    _, document = named("job", "there")
    both = token(node, "both", **{OURS: "submitter", THEIRS: "viewer"})
    assert (await client.put("/v1/jobs/j", json=document, headers=both)).status_code == 201


@pytest.mark.parametrize("kind", ["vars", "job"])
async def test_referrers_of_another_namespace_are_a_number(
    client: httpx2.AsyncClient, node: SingleNode, kind: str
) -> None:
    target = THERE if kind == "vars" else {"job": "there", "namespace": THEIRS, "noop": True}
    _, document = named("job" if kind == "vars" else "after", "there")
    own = {key: value for key, value in document.items() if key in ("noop", "vars", "triggers")}
    own |= {"job": "own", "namespace": THEIRS}
    done = await client.post("/v1/apply", json={"objects": [target, document, own]})
    assert done.status_code == 200, done.text
    theirs = token(node, "theirs", **{THEIRS: "admin"})
    path = f"/v1/{'vars' if kind == 'vars' else 'jobs'}/there"
    for dry_run in ("true", "false"):
        params = {"namespace": THEIRS, "dry_run": dry_run}
        refused = await client.delete(path, headers=theirs, params=params)
        assert (refused.status_code, OURS in refused.text) == (409, False), refused.text
        told = refused.json()
        assert (told["referrers"], told["more"]) == ([{"kind": "job", "namespace": THEIRS, "name": "own"}], 1)
        assert "job kitchen/own, 1 that this token may not read" in told["detail"]
