"""A secret's way through a whole cluster, looked for in every file and command line: nowhere in clear."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from bench.client import Client
from bench.cluster import PROJECT, free_base_port, wait_for
from tests.e2e.cluster import DEADLINE_S, PORTS
from tests.e2e.dev_cluster import Dev, client_of, running_dev

pytestmark = pytest.mark.cluster

VALUE = 'k7Qz/+"é" 9-distinctive-enough'
CHANGED = "the 2nd value, w1th letters of its own"
LINES = "first-line-of-a-key-7719\nsecond-line-of-a-key-4402\n"
OPEN = "in-nobodys-interest-to-hide-5510"  #: what the search must find, or it looks nowhere
ASKED = (
    "/v1/secrets",
    "/v1/secrets/A",
    "/v1/jobs/way",
    "/v1/jobs/way/revisions",
    "/v1/runs",
    "/v1/cluster",
    "/metrics",
)


def forms(value: str) -> list[bytes]:
    lines = value.splitlines()
    written = [
        text for each in lines for text in (each, json.dumps(each)[1:-1], quote(each), quote(each, safe=""))
    ]
    return [text.encode() for text in written] + [base64.b64encode(value.encode()).rstrip(b"=")[:-2]]


def places(folder: Path, value: str) -> list[str]:
    """The files below the folder that have the value in any form."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found += [str(path.relative_to(folder)) for form in forms(value) if form in content]
    return sorted(set(found))


def read(path: Path) -> bytes:
    """Nothing, where it has gone."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def command_lines() -> bytes:
    """Of every process of this machine."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found.append((folder / "cmdline").read_bytes())
        except OSError:
            continue
    return b"\n".join(found)


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    with running_dev(tmp_path_factory.mktemp("secrets") / "dev", free_base_port(*PORTS, 3)) as started:
        started.ready()
        yield started


def cronclave(dev: Dev, *arguments: str, stdin: str = "") -> str:
    facts = dev.facts()
    told = {
        "CRONCLAVE_URL": ",".join(node["url"] for node in facts["nodes"]),
        "CRONCLAVE_TOKEN": facts["token"],
    }
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments], cwd=PROJECT, env={**os.environ, **told},
        input=stdin.encode(), capture_output=True, timeout=DEADLINE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode() + done.stderr.decode()


def run(client: Client, job: str) -> dict[str, Any]:
    """Its run, ended, with what it printed."""
    made = client.ask("POST", f"/v1/jobs/{job}/runs?wait=60s", {}).json()
    ended = wait_for(
        lambda: (seen := client.ask("GET", f"/v1/runs/{made['id']}").json())["finished"] and seen,
        DEADLINE_S, f"run {made['id']} of {job} has ended",
    )  # fmt: skip
    output = client.send("GET", f"/v1/runs/{made['id']}/logs").body.decode()
    return {**ended, "output": output}


def sha256(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


WORK = (
    'test "$(printf %s "$A" | sha256sum)" = "$EXPECTED  -" || exit 9\n'
    'test "$(sha256sum < "$KEYS")" = "$EXPECTED_KEYS  -" || exit 8\n'
    'echo "plain $A"; cat "$KEYS"; printf "%s" "$A" | base64 -w0; echo; echo "open $OPEN"\n'
)


def test_a_secret_is_nowhere_in_clear(dev: Dev, tmp_path: Path) -> None:
    with closing(client_of(dev.facts())) as client:
        cronclave(dev, "secret", "put", "A", "--job", "way", stdin=VALUE + "\n")
        cronclave(dev, "secret", "put", "KEYS", "--all-jobs", stdin=LINES + "\n")
        job = {
            "job": "way", "run": WORK, "secrets": ["A", {"name": "KEYS", "file": True}],
            "env": {"OPEN": OPEN, "EXPECTED": sha256(VALUE), "EXPECTED_KEYS": sha256(LINES)},
        }  # fmt: skip
        assert client.ask("PUT", "/v1/jobs/way", job).status == 201
        ended = run(client, "way")
        assert (ended["state"], ended["output"]) == ("succeeded", f"plain ***\n***\n***\nopen {OPEN}\n")
        backup = tmp_path / "backup.db"
        backup.write_bytes(client.send("GET", "/v1/cluster/backup").body)
        told = "".join(client.send("GET", path).body.decode() for path in ASKED)
        with urllib.request.urlopen(
            urllib.request.Request(
                f"{dev.facts()['nodes'][0]['url']}/v1/events?after=0.0&types=secret_changed",
                headers={"Authorization": f"Bearer {dev.facts()['token']}"},
            ),
            timeout=DEADLINE_S,
        ) as stream:
            told += "".join(stream.readline().decode() for _ in range(8))

    commands = command_lines()
    for value in (VALUE, LINES):
        assert places(dev.data, value) == []
        assert places(tmp_path, value) == []
        assert not [form for form in forms(value) if form in commands or form.decode() in told]
    in_memory = Path("/dev/shm").glob("cronclave-secrets-*/*")  # of other clusters too, which come and go
    written = [*forms(VALUE), *forms(LINES)]
    assert not [path for path in in_memory if any(form in read(path) for form in written)]
    assert "backup.db" in places(tmp_path, OPEN)
    found = places(dev.data, OPEN)
    assert {path.split("/")[0] for path in found} >= {"node-1", "node-2", "node-3"}, (
        "the control: the log has it"
    )
    assert any(path.startswith("agent-") and "output" in path for path in found)
    assert OPEN in told


def test_the_key_is_changed_under_load_and_a_new_leader_reads_on(dev: Dev) -> None:
    keys = dev.data / "secrets.key"
    old = keys.read_text()
    with closing(client_of(dev.facts())) as client:
        cronclave(dev, "secret", "put", "LOAD", "--all-jobs", stdin=CHANGED)
        line = 'test "$(printf %s "$LOAD" | sha256sum)" = "$EXPECTED  -"'
        each = {"run": line, "secrets": ["LOAD"], "env": {"EXPECTED": sha256(CHANGED)}}
        policies = {"overlap": "allow"}
        client.ask(
            "PUT", "/v1/jobs/load", {"job": "load", "triggers": {"every": "1s"}, "policies": policies, **each}
        )

        keys.write_text(base64.b64encode(os.urandom(32)).decode() + "\n" + old)
        said = cronclave(dev, "secret", "rotate-key")
        assert "remove it from the nodes' key files" in said
        keys.write_text(keys.read_text().splitlines()[0] + "\n")
        cronclave(dev, "secret", "put", "LATER", stdin="a value under the new key")

        leader = client.ask("GET", "/v1/cluster").json()["leader"]
        pid = next(node["pid"] for node in dev.facts()["nodes"] if node["name"] == leader)
        os.kill(pid, signal.SIGKILL)
        others = {**dev.facts(), "nodes": [node for node in dev.facts()["nodes"] if node["name"] != leader]}
    with closing(client_of(others)) as client:
        wait_for(lambda: client.send("GET", "/readyz").status == 200, DEADLINE_S, "another leads")
        assert client.ask("PUT", "/v1/jobs/after", {"job": "after", **each}).status in (200, 201)
        assert run(client, "after")["state"] == "succeeded"

        def two_ended() -> bool:
            return len(list(client.items("/v1/runs", {"job": "load", "state": "succeeded"}))) >= 2

        wait_for(two_ended, DEADLINE_S, "runs that were given the secret")
        client.ask("POST", "/v1/jobs/load/pause")
        failed = [
            each for each in client.items("/v1/runs", {"job": "load"}) if each["state"] in ("failed", "lost")
        ]
        assert failed == []
