"""A secret's way from the API through state and gateway to a process of a real agent: looked for in every
file, command line, event and answer, and nowhere found in clear."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from api.agents.gateway import Gateway
from api.app import Api, create_app
from api.ports import ApiSettings
from node.secret_keys import KeyRing
from node.vault import NodeVault
from tests.agent.fake_node import DEADLINE_S
from tests.agent.host import Host
from tests.agent.test_with_gateway import agent_id, run, single, state
from tests.api.served import served
from tests.api.single_node import ADMIN_TOKEN, SingleNode

__all__ = ["single"]  # a fixture

VALUE = 'k7Qz/+"é" 9-distinctive-enough'
LINES = "first-line-of-a-key-7719\nsecond-line-of-a-key-4402\n"
OPEN = "in-nobodys-interest-to-hide-5510"  #: what the search must find, or it looks nowhere
ASKED = (
    "/v1/secrets",
    "/v1/secrets/A",
    "/v1/jobs/job",
    "/v1/jobs/job/revisions",
    "/v1/runs",
    "/v1/cluster",
    "/v1/audit",
)
WORK = (
    'test "$(printf %s "$A" | sha256sum)" = "$EXPECTED  -" || exit 9\n'
    'test "$(sha256sum < "$KEYS")" = "$EXPECTED_KEYS  -" || exit 8\n'
    'echo "plain $A"; cat "$KEYS"; printf "%s" "$A" | base64 -w0; echo; echo "open $OPEN"\n'
)


@pytest.fixture
async def api(single: SingleNode, tmp_path: Path) -> AsyncIterator[Api]:
    keys = tmp_path / "keys"
    keys.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    keys.chmod(0o600)
    settings = ApiSettings(
        insecure=False, vault=NodeVault(KeyRing(keys)), scratch=tmp_path / "node" / "backups"
    )
    app = create_app(single, settings, Gateway(single, settings))
    app.start()
    yield app
    await app.close()


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    async with served(api) as address:
        yield address


@pytest.fixture
def real(tmp_path: Path, url: str) -> Iterator[Host]:
    made = Host(tmp_path, [url])
    yield made
    made.close()


@pytest.fixture
async def client(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=DEADLINE_S) as found:
        yield found


def forms(value: str) -> list[bytes]:
    lines = value.splitlines()
    written = [
        text for each in lines for text in (each, json.dumps(each)[1:-1], quote(each), quote(each, safe=""))
    ]
    return [text.encode() for text in written] + [base64.b64encode(value.encode()).rstrip(b"=")[:-2]]


def places(folder: Path, value: str) -> set[str]:
    """The files below the folder that have the value in any form."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path.name for path in files for form in forms(value) if form in path.read_bytes()}


def command_lines() -> bytes:
    """Of every process of this machine."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found.append((folder / "cmdline").read_bytes())
        except OSError:
            continue
    return b"\n".join(found)


def sha256(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


async def events(client: httpx2.AsyncClient) -> str:
    """All that were told so far, up to the last one of a secret."""
    told = ""
    async with client.stream("GET", "/v1/events?after=0.0") as reply:
        async for line in reply.aiter_lines():
            told += line + "\n"
            if "run_ended" in told:
                return told
    return told


async def test_a_secret_is_nowhere_in_clear(
    real: Host, single: SingleNode, client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    real.start()
    await agent_id(single)
    for name, value in (("A", VALUE), ("KEYS", LINES)):
        put = await client.put(f"/v1/secrets/{name}", json={"value": value, "grants": ["job"]})
        assert put.status_code == 201, put.text
    number = await run(
        client, single, WORK, secrets=["A", {"name": "KEYS", "file": True}],
        env={"OPEN": OPEN, "EXPECTED": sha256(VALUE), "EXPECTED_KEYS": sha256(LINES)},
    )  # fmt: skip
    ended = await state(client, number, "succeeded", "failed")
    output = (await client.get(f"/v1/runs/{number}/logs")).text
    assert (ended["state"], output) == ("succeeded", f"plain ***\n***\n***\nopen {OPEN}\n"), ended

    told = output + await events(client)
    for path in ASKED:
        told += (await client.get(path)).text
    (tmp_path / "backup.db").write_bytes((await client.get("/v1/cluster/backup")).content)
    commands = command_lines()
    for value in (VALUE, LINES):
        assert places(tmp_path, value) == set()
        assert not [form for form in forms(value) if form in commands or form.decode() in told]
    assert places(tmp_path, OPEN) >= {"backup.db", "1.log"}
    assert OPEN in told
