"""The API against its own description: schemathesis asks a node what /openapi.json says it answers.

    python -m tests.api.contract --examples 5 --seed 1
    python -m tests.api.contract --examples 200 --url http://127.0.0.1:8321 --token TOKEN   # a node that runs

Without --url it is one node in this process. What the description does not say is a failure: a status, a
media type, a body of another shape, a header; so is an error of the server, a request that the description
forbids and the server takes, and a route that answers without a token.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

from api import consistency, failures
from api.agents.gateway import Gateway
from api.app import create_app
from api.ports import ApiSettings
from api.routes import cluster
from scheduler.words.commands import Command, CommitStage, DeleteToken
from scheduler.words.outcomes import Code, Outcome
from tests.api.planning import advance
from tests.api.served import DEADLINE_S, served
from tests.api.single_node import ADMIN_TOKEN, SingleNode, peer

#: What they would find is decided elsewhere: which jobs are right is more than a schema can say, and a name
#: that was given out may be gone by the time it is asked for.
LEFT_OUT = ("positive_data_acceptance", "ensure_resource_availability")
PASSING = ["2xx", "3xx", "4xx", "503", "507"]  #: no leader, behind, short of disk: no mistakes of the server
STREAMS = "/v1/events"  #: it never ends: tests/api/test_events.py reads it
LIMIT_S = 3_600.0


class KeptNode(SingleNode):
    """It keeps the token that it is asked with: the description's shapes lead from the list to its end. What
    is staged and committed goes live at once: edits would wait for it."""

    async def propose(self, command: Command, *, timeout_s: float = 10.0) -> Outcome:
        if isinstance(command, DeleteToken) and command.name == "admin":
            return Outcome(Code.CONFLICT, "it is the token that all of this is asked with")
        outcome = await super().propose(command, timeout_s=timeout_s)
        if isinstance(command, CommitStage):
            advance(self)
        return outcome


@contextlib.contextmanager
def one_node(folder: Path) -> Iterator[str]:
    """The address of a node without consensus, served from a thread of its own."""
    url: Future[str] = Future()
    over = threading.Event()

    # Nothing else happens there: what waits for a change would wait in vain.
    consistency.BLOCKING_WAIT_S = consistency.MIN_INDEX_WAIT_S = cluster.SETTLE_S = cluster.STATUS_S = 0.01
    failures.BURST = 1 << 30  # wrong tokens are asked for by the hundred here, from one address

    async def serve() -> None:
        node = KeptNode(folder, peers=[peer("node-2", "zone-b"), peer("node-3", "zone-c")])
        settings = ApiSettings(insecure=False, scratch=folder)
        async with served(create_app(node, settings, Gateway(node, settings))) as found:
            url.set_result(found)
            await asyncio.to_thread(over.wait)
        node.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    try:
        yield url.result(DEADLINE_S)
    finally:
        over.set()
        thread.join()


def compare(
    url: str, token: str, *, examples: int, seed: int, folder: Path, more: Sequence[str] = ()
) -> tuple[int, str]:
    """schemathesis' exit code and what it found."""
    (folder / "schemathesis.toml").write_text(
        f'headers = {{ Authorization = "Bearer {token}" }}\n'
        f"[checks]\nnot_a_server_error.expected-statuses = {PASSING}\n"
        f"max_response_time = 60\n"
    )
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(folder / "schemathesis.toml"),
        "run", f"{url}/openapi.json", "--checks", "all", "--exclude-checks", ",".join(LEFT_OUT),
        "--exclude-path", STREAMS, "--max-examples", str(examples), "--seed", str(seed),
        "--suppress-health-check", "all", "--generation-database", "none", "--no-color",
        "--generation-with-security-parameters", "false", "--request-timeout", "60",
        "--continue-on-failure", *more,
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S,
        env={**os.environ, "PYTHONHASHSEED": "0", "COLUMNS": "110"}, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def answers(url: str, token: str) -> dict[str, int]:
    """How often the node has answered what: a run that is refused at the door compares nothing."""
    request = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        text = reply.read().decode()
    found: dict[str, int] = {}
    for line in text.splitlines():
        match = re.match(r'cronclave_http_requests(?:_total)?[{].*status="([0-9]+)".*[}] ([0-9.e+]+)$', line)
        if match is not None:
            found[match[1]] = found.get(match[1], 0) + int(float(match[2]))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.api.contract", description=__doc__)
    parser.add_argument("--examples", type=int, default=50, help="of each operation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url")
    parser.add_argument("--token", default=os.environ.get("CRONCLAVE_TOKEN", ADMIN_TOKEN))
    given, more = parser.parse_known_args()  # what else there is goes to schemathesis
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        url = given.url or stack.enter_context(one_node(Path(folder)))
        code, told = compare(
            url, given.token, examples=given.examples, seed=given.seed, folder=Path(folder), more=more
        )
        counted = answers(url, given.token)
    print(told)
    print("answers:", *(f"{status}: {count}" for status, count in sorted(counted.items())))
    return code


if __name__ == "__main__":
    sys.exit(main())
