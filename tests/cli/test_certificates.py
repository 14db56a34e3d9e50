"""`cronclave cluster cert`: new certificates and a new CA in the directory that `cluster init` made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.tls import LinkTls, TlsError, TlsFiles, identity
from tests.cli.conftest import Command


def files(directory: Path) -> TlsFiles:
    tls = directory / "tls"
    return TlsFiles(tls / "node.pem", tls / "node.key", tls / "ca.pem")


async def test_a_ca_is_changed_in_three_steps_each_of_which_every_node_takes(
    offline: Command, tmp_path: Path
) -> None:
    specs = [x for i in (1, 2) for x in ("--node", f"node-{i}=z,10.0.0.{i}:1,10.0.0.{i}:2")]
    assert (await offline("cluster", "init", "p", "--cluster", "p", *specs, "--signer", "node-1")).code == 0
    prod = tmp_path / "p"
    cluster = json.loads((prod / "cluster.json").read_text())["cluster"]
    before = (prod / "node-1" / "tls" / "node.pem").read_bytes()

    early = await offline("cluster", "cert", "drop-ca", "p")
    assert (early.code, "has one CA" in early.err) == (5, True)
    assert (await offline("cluster", "cert", "new-ca", "p")).code == 0
    again = await offline("cluster", "cert", "new-ca", "p")
    assert (again.code, "in the middle" in again.err) == (5, True)
    one = await offline("cluster", "cert", "renew", "p", "--node", "node-1", "--days", "10")
    assert one.code == 0, one.err
    early = await offline("cluster", "cert", "drop-ca", "p")
    assert (early.code, "node-2: the certificate is still the old CA's" in early.err) == (5, True)
    for name in ("node-1", "node-2"):  # one of each CA: both trust both
        LinkTls(files(prod / name), identity(cluster, name))
    assert (await offline("cluster", "cert", "renew", "p")).code == 0
    assert (await offline("cluster", "cert", "drop-ca", "p")).code == 0
    for name in ("node-1", "node-2"):
        LinkTls(files(prod / name), identity(cluster, name))
        assert (prod / name / "tls" / "ca.pem").read_bytes() == (prod / "ca.pem").read_bytes()
    assert (prod / "node-1" / "tls" / "ca.key").read_bytes() == (prod / "ca" / "ca.key").read_bytes()
    files(prod / "node-1").certificate.write_bytes(before)
    with pytest.raises(TlsError):
        LinkTls(files(prod / "node-1"), None)


async def test_a_restored_cluster_gets_certificates_of_its_new_uid(offline: Command, tmp_path: Path) -> None:
    assert (await offline("cluster", "init", "p", "--cluster", "p", "--node", "n=z,h:1,h:2")).code == 0
    wrong = await offline("cluster", "cert", "renew", "p", "--cluster", "a b")
    assert (wrong.code, "is no uid" in wrong.err) == (2, True)
    assert (await offline("cluster", "cert", "renew", "p", "--cluster", "0123abcd")).code == 0
    LinkTls(files(tmp_path / "p" / "n"), identity("0123abcd", "n"))
    assert (await offline("cluster", "cert", "renew", "p")).code == 0, "it stays so"
    LinkTls(files(tmp_path / "p" / "n"), identity("0123abcd", "n"))


async def test_what_cannot_be_renewed_is_said(offline: Command, tmp_path: Path) -> None:
    nowhere = await offline("cluster", "cert", "renew", "p")
    assert (nowhere.code, "cluster init made" in nowhere.err) == (1, True)
    done = await offline("cluster", "init", "p", "--cluster", "p", "--node", "n=z,10.0.0.1:1,10.0.0.1:2")
    assert "1 node survives the loss of 0" in done.out
    assert (await offline("cluster", "cert", "renew", "p", "--node", "m")).code == 3
    (tmp_path / "p" / "ca" / "ca.key").unlink()
    offline_key = await offline("cluster", "cert", "renew", "p")
    assert (offline_key.code, "from where it is kept" in offline_key.err) == (3, True)
    shown = json.loads((await offline("cluster", "cert", "show", "p", "-o", "json")).out)
    assert [item["file"] for item in shown] == ["p/ca.pem", "p/n/tls/node.pem"]
    assert shown[1]["identities"][0].endswith("/node/n")
