"""`cronclave cluster init`: all of a cluster, private, and taken by a node; or nothing at all."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from cluster.authority import describe
from cluster.tls import LinkTls, TlsError, TlsFiles, identity
from node.config import load_config
from tests.cli.conftest import Command

NODES = (
    "--node", "node-1=zone-a,10.0.1.1:8321,10.0.1.1:8322",
    "--node", "node-2=zone-b,node2.example:8321,[fd00::2]:8322",
)  # fmt: skip


async def test_a_laid_out_cluster_is_complete_and_private(offline: Command, tmp_path: Path) -> None:
    done = await offline(
        "cluster", "init", "prod", "--cluster", "prod", *NODES, "--host", "api.example", "--signer", "node-2"
    )
    assert done.code == 0, done.err
    assert "keep prod/ca offline" in done.out
    prod = tmp_path / "prod"
    cluster = tomllib.loads((prod / "node-1" / "node.toml").read_text())["cluster"]
    for name, hosts in (
        ("node-1", {"10.0.1.1", "api.example"}),
        ("node-2", {"node2.example", "fd00::2", "api.example"}),
    ):
        config = load_config(prod / name / "node.toml", {})
        assert config.tls is not None
        assert (config.cluster, config.name, set(config.members)) == (cluster, name, {"node-1", "node-2"})
        assert (config.tls.ca_key is not None) == (name == "node-2")
        files = TlsFiles(config.tls.cert, config.tls.key, config.tls.ca)
        LinkTls(files, identity(cluster, name))
        with pytest.raises(TlsError, match="it is the certificate of"):
            LinkTls(files, identity(cluster, "node-9"))
        assert set(describe(config.tls.cert.read_bytes())[0].hosts) == hosts
        assert config.bootstrap_token_sha256 is not None
    open_to_others = {
        path.relative_to(prod).as_posix()
        for path in prod.rglob("*")
        if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077
    }
    assert open_to_others == {"ca.pem"}
    assert stat.S_IMODE(prod.stat().st_mode) == 0o700
    secret = next(
        line for line in (prod / "admin.env").read_text().splitlines() if "TOKEN" in line
    ).partition("=")[2]
    assert len(secret) >= 43
    assert secret not in done.out


async def test_a_node_may_have_a_host_name(offline: Command, tmp_path: Path) -> None:
    names = ["n1.example.com", "n2.example.com", "n3"]
    nodes = [f"--node={name}=zone-{i},{name}:8321,{name}:8322" for i, name in enumerate(names)]

    done = await offline("cluster", "init", "prod", "--cluster", "prod", *nodes)

    assert done.code == 0, done.err
    for name in names:
        config = load_config(tmp_path / "prod" / name / "node.toml", {})
        assert (config.name, sorted(config.members)) == (name, names)


async def test_an_existing_directory_is_left_alone(offline: Command, tmp_path: Path) -> None:
    (tmp_path / "prod").mkdir()
    (tmp_path / "prod" / "keys").write_text("precious")
    done = await offline("cluster", "init", "prod", "--cluster", "prod", *NODES)
    assert (done.code, "nothing was changed" in done.err) == (5, True)
    assert [path.name for path in tmp_path.rglob("*")] == ["prod", "keys"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--node", "node-1=zone-a,10.0.1.1:8321"), "NAME=ZONE,HOST:PORT,HOST:PORT"),
        (("--node", "node-1=zone-a,10.0.1.1:8321,10.0.1.1"), "is no address"),
        (("--node", "no de=zone-a,10.0.1.1:8321,10.0.1.1:2"), "a node's name is"),
        (("--node", "../x=zone-a,10.0.1.1:8321,10.0.1.1:2"), "a node's name is"),
        (("--node", "ca=zone-a,10.0.1.1:8321,10.0.1.1:2"), "not called ca"),
        (("--node", "a=zone-a,0.0.0.0:8321,10.0.1.1:2"), "that the others can reach"),
        ((*NODES, *NODES[:2]), "the name node-1 is given twice"),
        ((*NODES, "--node", "node-3=zone-c,10.0.1.1:8322,10.0.3.1:1"), "10.0.1.1:8322 is given twice"),
        ((*NODES, "--signer", "node-7"), "no --node of that name"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_made(
    offline: Command, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = await offline("cluster", "init", "prod", "--cluster", "prod", *arguments)
    assert done.code == 2
    assert says in done.err
    assert list(tmp_path.iterdir()) == []


async def test_a_failure_in_the_middle_leaves_nothing(offline: Command, tmp_path: Path) -> None:
    done = await offline("cluster", "init", "prod", "--cluster", "prod", *NODES, "--host", "x" * 70 + "é..")
    assert done.code == 1
    assert "is no host name" in done.err
    assert list(tmp_path.iterdir()) == []
