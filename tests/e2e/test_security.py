"""Certificates on real processes: a stranger is refused, the CA changes under load, without an election."""

from __future__ import annotations

import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cluster import Agent, Cluster, Node, Program, free_base_port, wait_for
from bench.jobs import append_tick, every_second
from cli.join_token import decode, fingerprints
from cluster.tls import TlsFiles, read
from tests.cluster.certificates import Certificates
from tests.e2e.cluster import DEADLINE_S, judge_file, start_run, wait_lines, wait_run
from tests.e2e.conftest import CLUSTERS
from tests.e2e.secured import add_agent, administrator, cronclave, lay_out, must
from tests.e2e.starvation import no_election

pytestmark = pytest.mark.cluster

PORTS = (30000, 30800)
JOBS = 10


@pytest.fixture
def secured(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Laid out by the command; the test starts it."""
    cluster = lay_out(tmp_path / "prod", free_base_port(*PORTS, 6))
    request.node.stash.setdefault(CLUSTERS, []).append(cluster)
    yield cluster
    cluster.stop()


def told(node: Program, *words: str, since: int = 0) -> bool:
    """Whether a line of the node's log behind `since` has all these words."""
    lines = node.log.read_bytes()[since:].decode(errors="replace").splitlines()
    return any(all(word in line for word in words) for line in lines)


def https_fingerprint(node: Node, ca: Path) -> bytes:
    """The certificate that a new client sees and accepts."""
    host, _, port = node.url.removeprefix("https://").rpartition(":")
    context = ssl.create_default_context(cafile=str(ca))
    with (
        socket.create_connection((host, int(port)), timeout=DEADLINE_S) as raw,
        context.wrap_socket(raw, server_hostname=host) as wrapped,
    ):
        return wrapped.getpeercert(binary_form=True) or b""


def raft_answer(node: Node, files: TlsFiles, patience_s: float = DEADLINE_S) -> str:
    """What a node's Raft port does to who shows this certificate."""
    context = read(files).context(files, server_side=False)
    context.verify_mode = ssl.CERT_NONE
    host, _, port = node.raft.rpartition(":")
    try:
        with (
            socket.create_connection((host, int(port)), timeout=DEADLINE_S) as raw,
            context.wrap_socket(raw) as tls,
        ):
            tls.settimeout(patience_s)
            return f"read {tls.recv(100)!r}"  # TLS 1.3 tells a client here
    except TimeoutError:
        return "silence"
    except OSError as error:
        return str(error)


def test_strangers_are_refused_and_the_ca_is_changed_under_load(
    secured: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody is there, and no node may ask it
    cluster, prod = secured, secured.root
    for node in cluster.nodes:
        node.start()
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name)
    cluster.wait_ready()
    admin = administrator(prod)
    status = must(cronclave("cluster", "status", environment=admin))
    assert "certificates  valid until" in status
    for zone, name in (("zone-a", "agent-1"), ("zone-b", "agent-2")):
        token = must(cronclave("token", "create", "--role", "agent", name, environment=admin)).strip()
        add_agent(cluster, name, zone, token).start()
    cluster.wait_agents()

    file = tmp_path / "ticks.txt"
    made = [every_second(f"load-{i}", append_tick(file), offset_ms=i * 100) for i in range(JOBS)]
    cluster.client.apply([job for job, _ in made])
    from_ms = int(time.time() * 1000) + 1_000
    wait_lines(file, JOBS)
    leader = cluster.leader()
    with no_election(cluster):
        _live_output_comes_through_every_node(cluster, tmp_path)
        _a_foreign_node_is_refused_on_both_sides(cluster, tmp_path)
        _change_the_ca(cluster, tmp_path)
        _live_output_comes_through_every_node(cluster, tmp_path)

        follower = next(node for node in cluster.nodes if node is not leader)
        follower.kill()  # its agent moves, and itself comes back, with what is new alone
        follower.start()
        cluster.wait_ready()
        cluster.wait_agents()
    judgement = judge_file(
        [oracle for _, oracle in made], file, from_ms=from_ms, until_ms=int(time.time() * 1000)
    )
    assert judgement.clean, judgement


def _live_output_comes_through_every_node(cluster: Cluster, tmp_path: Path) -> None:
    """Two of the three ask the one that holds the agent: by the cluster's own CA, and past a proxy."""
    gate = tmp_path / "gate"
    gate.unlink(missing_ok=True)
    script = f"echo early; until test -e {gate}; do sleep 0.05; done"
    cluster.client.ask("PUT", "/v1/jobs/talks", {"run": script})
    run = start_run(cluster, "talks")
    for number, node in enumerate(cluster.nodes):
        wait_for(
            lambda number=number: cluster.client.send("GET", f"/v1/runs/{run}/logs", node=number).body
            == b"early\n",
            DEADLINE_S,
            f"{node.name} gives the output of running work",
            0.1,
        )
    gate.touch()
    assert wait_run(cluster, run)["state"] == "succeeded"


def _a_foreign_node_is_refused_on_both_sides(cluster: Cluster, tmp_path: Path) -> None:
    """It has another CA, though it trusts ours, and says in all else that it is node-3 of this cluster."""
    real = cluster.nodes[2]
    http, raft = (f"127.0.0.1:{int(real.raft.rpartition(':')[2]) + 10 + i}" for i in (0, 1))
    intruder = Node("node-3", real.zone, tmp_path / "intruder", "node", url=f"https://{http}", raft=raft)
    shutil.copytree(real.directory / "tls", intruder.directory / "tls")
    shutil.copy(real.directory / "secrets.key", intruder.directory)
    files = Certificates(tmp_path / "foreign", cluster=cluster.uid).issue("node-3")
    tls = intruder.directory / "tls"
    shutil.copy(files.certificate, tls / "node.pem")
    shutil.copy(files.key, tls / "node.key")
    (tls / "ca.pem").write_bytes(files.trust.read_bytes() + (cluster.root / "ca.pem").read_bytes())
    head, members, rest = real.config.read_text().partition("[members.node-1]")
    head = head.replace(real.url.removeprefix("https://"), http).replace(real.raft, raft)
    intruder.config.write_text(head + members + rest)
    intruder.start()
    try:
        first = cluster.nodes[0]
        wait_for(
            lambda: told(first, "is refused", "a CA that our bundle (tls.ca) does not hold"),
            DEADLINE_S,
            "the cluster says whom it refuses",
        )
        wait_for(
            lambda: told(intruder, "no connection to node node-1", "refuses the certificate of this node"),
            DEADLINE_S,
            "the stranger says why it stays alone",
        )
    finally:
        intruder.kill()


def _change_the_ca(cluster: Cluster, tmp_path: Path) -> None:
    prod, first = cluster.root, cluster.nodes[0]
    kept = tmp_path / "kept"
    shutil.copytree(prod / "node-3" / "tls", kept)
    old_files = TlsFiles(kept / "node.pem", kept / "node.key", kept / "ca.pem")
    before = https_fingerprint(first, kept / "ca.pem")
    assert raft_answer(first, old_files, patience_s=2.0) == "silence", "it waits for a hello"

    early = cronclave("cluster", "cert", "drop-ca", str(prod))
    assert early.returncode == 5
    for step in ("new-ca", "renew", "drop-ca"):
        sizes = {node.name: node.log.stat().st_size for node in cluster.nodes}
        must(cronclave("cluster", "cert", step, str(prod)))
        for node in cluster.nodes:
            wait_for(
                lambda node=node, size=sizes[node.name]: told(node, "core", "read again", since=size),
                DEADLINE_S,
                f"{node.name} uses what {step} made",
            )
    assert cluster.status(first)["certificates"]["https"]
    wait_for(lambda: _trusted(first, prod / "ca.pem"), DEADLINE_S, "https with the new certificate")
    assert https_fingerprint(first, prod / "ca.pem") != before
    with pytest.raises(ssl.SSLCertVerificationError):
        https_fingerprint(first, kept / "ca.pem")
    assert "unknown ca" in raft_answer(first, old_files)


def _trusted(node: Node, ca: Path) -> bool:
    try:
        return bool(https_fingerprint(node, ca))
    except OSError:
        return False


def test_machines_join_by_token_and_verify_the_cluster_first(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    base_port = free_base_port(*PORTS, 5)
    cluster = lay_out(tmp_path / "prod", base_port, nodes=1, options=("--signer", "node-1"))
    request.node.stash.setdefault(CLUSTERS, []).append(cluster)
    try:
        _machines_join(cluster, tmp_path, base_port)
    finally:
        cluster.stop()


def _machines_join(cluster: Cluster, tmp_path: Path, base_port: int) -> None:
    cluster.nodes[0].start()
    cluster.wait_ready()
    admin = administrator(cluster.root)
    invite = ("cluster", "token", "create", "--role")

    token = must(cronclave(*invite, "node", "--name", "node-2", environment=admin)).strip()
    foreign = Certificates(tmp_path / "foreign", cluster="x").trust.read_text()
    forged = replace(decode(token), fingerprints=fingerprints(foreign)).encode()
    where = (
        "--zone",
        "zone-b",
        "--http",
        f"127.0.0.1:{base_port + 20}",
        "--raft",
        f"127.0.0.1:{base_port + 21}",
    )
    into = ("--data", str(tmp_path / "node-2"))
    stranger = cronclave("cluster", "join", "node-2", "--token", forged, *where, *into)
    assert stranger.returncode == 4
    assert "is not the cluster that made this token" in stranger.stderr
    must(cronclave("cluster", "join", "node-2", "--token", token, *where, *into))
    fresh = Node(
        "node-2", "zone-b", tmp_path / "node-2", "node",
        url=f"https://127.0.0.1:{base_port + 20}", raft=f"127.0.0.1:{base_port + 21}",
    )  # fmt: skip
    fresh.start()
    cluster.set_nodes([*cluster.nodes, fresh])
    cluster.wait_ready()
    elsewhere = (
        *where[:2], "--http", f"127.0.0.1:{base_port + 22}", "--raft", f"127.0.0.1:{base_port + 23}",
    )  # fmt: skip
    used = cronclave(
        "cluster", "join", "node-3", "--token", token, *elsewhere, "--data", str(tmp_path / "node-3")
    )
    assert (used.returncode, "is for node-2, not node-3" in used.stderr) == (5, True)

    token = must(cronclave(*invite, "agent", "--pool", "web", environment=admin)).strip()
    host = Agent("web-7", "zone-b", tmp_path / "web-7", "agent")
    arguments = (
        "agents",
        "join",
        "web-7",
        "--zone",
        "zone-b",
        "--pool",
        "web",
        "--data",
        str(host.directory),
    )
    must(cronclave(*arguments, "--token", token))
    host.start()
    cluster.agents.append(host)
    cluster.wait_agents()
    listed = {item["name"]: item for item in cluster.client.items("/v1/agents")}
    assert (listed["web-7"]["pool"], listed["web-7"]["node"]) == ("web", "node-2"), "its own zone first"
    run = cluster.client.ask(
        "POST", "/v1/apply", {"jobs": [{"job": "j", "run": "true", "on": {"pool": "web"}}]}
    )
    assert run.status == 200
    wait_run(cluster, start_run(cluster, "j"), frozenset({"succeeded"}))
    assert must(cronclave("token", "revoke", "agent:web-7", environment=admin))
    wait_for(lambda: told(host, "is withdrawn"), DEADLINE_S, "its connection ends")
    wait_for(lambda: told(host, "401"), DEADLINE_S, "a withdrawn token opens nothing")
