"""`cronclave cluster init`: everything that a new cluster needs, in one directory.

Rules: laid out beside its place and moved there in one step, so that nothing half written is ever found;
nothing that exists is overwritten.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Any

import click

from cli.authority import certify
from cli.dev.layout import SECRET_KEY_FILE, new_secret_key, write_private
from cli.exits import CONFLICT, USAGE, Failure
from cli.founding import Founding, FoundingNode, node_toml, write_certificate
from cli.options import HOST_PORT
from cli.output import counted

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
TLS = {"ca": "tls/ca.pem", "cert": "tls/node.pem", "key": "tls/node.key"}


class NodeSpec(click.ParamType[FoundingNode]):
    """NAME=ZONE,HTTP,RAFT with both addresses as host:port."""

    name = "node"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> FoundingNode:
        if isinstance(value, FoundingNode):
            return value
        name, equals, rest = str(value).partition("=")
        parts = [part.strip() for part in rest.split(",")]
        if not equals or len(parts) != 3 or not all(parts):
            self.fail(
                f"{value!r}: write NAME=ZONE,HOST:PORT,HOST:PORT with the address of the API and that of "
                "Raft, such as node-1=zone-a,10.0.1.1:8321,10.0.1.1:8322",
                param,
                ctx,
            )
        if not NAME.fullmatch(name):
            self.fail(f"{name!r}: a node's name is letters, digits and . _ - between them", param, ctx)
        zone, http, raft = parts
        hosts = []
        for address in (http, raft):
            HOST_PORT.convert(address, param, ctx)
            host = address.rpartition(":")[0].strip("[]")
            if host in ("0.0.0.0", "::"):
                self.fail(f"{address}: name an address that the others can reach", param, ctx)
            hosts.append(host)
        return FoundingNode(name, zone, http, raft, tuple(dict.fromkeys(hosts)))


@click.command(
    "init",
    epilog="Example: cronclave cluster init prod --cluster prod "
    "--node node-1=zone-a,10.0.1.1:8321,10.0.1.1:8322 "
    "--node node-2=zone-b,10.0.2.1:8321,10.0.2.1:8322 "
    "--node node-3=zone-c,10.0.3.1:8321,10.0.3.1:8322",
)
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--cluster", "label", required=True, metavar="NAME", help="A name for people; its uid is random."
)
@click.option(
    "--node", "nodes", multiple=True, required=True, type=NodeSpec(), metavar="NAME=ZONE,HTTP,RAFT",
    help="A founding node: its zone, and host:port of its API and of Raft. Repeat it for each, best three.",
)  # fmt: skip
@click.option(
    "--host", "extra_hosts", multiple=True, metavar="HOST",
    help="One more name of the API for all certificates, such as a balancer's.",
)  # fmt: skip
@click.option(
    "--signer", "signers", multiple=True, metavar="NODE",
    help="Give this node the CA's key, so that machines can join by token.",
)  # fmt: skip
@click.option(
    "--days", type=click.IntRange(1, 3650), default=365, show_default=True,
    help="How long the nodes' certificates are valid.",
)  # fmt: skip
def init(
    directory: Path,
    label: str,
    nodes: tuple[FoundingNode, ...],
    extra_hosts: tuple[str, ...],
    signers: tuple[str, ...],
    days: int,
) -> None:
    """Lay out a new cluster: its CA, a certificate and a configuration for each node, the first token."""
    _refuse_twice(nodes, signers)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Failure(
            f"{directory} exists already; nothing was changed",
            code=CONFLICT,
            hint="Choose another directory: what lies there may be a running cluster's keys.",
        )
    nodes = tuple(
        FoundingNode(n.name, n.zone, n.http, n.raft, tuple(dict.fromkeys((*n.hosts, *extra_hosts))))
        for n in nodes
    )
    parent = directory.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=parent))
    except OSError as error:
        raise Failure(f"{directory} cannot be made: {error.strerror}") from None
    made = Founding(building, secrets.token_hex(16), label, nodes)
    try:
        _fill(made, directory.absolute(), signers, days)
        os.replace(building, directory)
    except OSError as error:
        raise Failure(f"{directory} cannot be made: {error.strerror}; nothing is left of it") from None
    finally:
        shutil.rmtree(building, ignore_errors=True)  # gone already where all went well
    _tell(directory, made, signers, days)


def _refuse_twice(nodes: tuple[FoundingNode, ...], signers: tuple[str, ...]) -> None:
    for what, texts in (
        ("name", [node.name for node in nodes]),
        ("address", [address for node in nodes for address in (node.http, node.raft)]),
    ):
        twice = sorted({text for text in texts if texts.count(text) > 1})
        if twice:
            raise Failure(f"--node: the {what} {twice[0]} is given twice", code=USAGE)
    if any(node.name == "ca" for node in nodes):
        raise Failure("--node: a founding node is not called ca: its folder is the CA's", code=USAGE)
    for signer in signers:
        if signer not in [node.name for node in nodes]:
            raise Failure(f"--signer {signer}: there is no --node of that name", code=USAGE)


def _fill(made: Founding, place: Path, signers: tuple[str, ...], days: int) -> None:
    ca = certify("create", label=made.label, days=3650)
    issued = certify(
        "issue",
        ca=ca["ca"],
        key=ca["key"],
        cluster=made.cluster,
        days=days,
        nodes={node.name: node.hosts for node in made.nodes},
    )["nodes"]
    token = secrets.token_urlsafe(32)
    digest = hashlib.sha256(token.encode()).hexdigest()
    secret_key = new_secret_key()
    made.ca.parent.mkdir(mode=0o700)
    write_private(made.ca, ca["ca"])
    write_private(made.ca_key, ca["key"])
    write_private(made.bundle, ca["ca"])
    made.bundle.chmod(0o644)
    for node in made.nodes:
        tls = made.tls(node.name)
        tls.mkdir(parents=True, mode=0o700)
        write_private(tls / "ca.pem", ca["ca"])
        write_certificate(tls, issued[node.name]["certificate"], issued[node.name]["key"])
        settings = dict(TLS)
        if node.name in signers:
            write_private(tls / "ca.key", ca["key"])
            settings["ca_key"] = "tls/ca.key"
        text = node_toml(
            cluster=made.cluster, name=node.name, zone=node.zone,
            http=node.http, url=node.url, raft=node.raft,
            members=[{"name": n.name, "raft": n.raft, "zone": n.zone, "url": n.url} for n in made.nodes],
            tls=settings, auth={"bootstrap_token_sha256": digest},
            secrets={"key_file": SECRET_KEY_FILE},
        )  # fmt: skip
        write_private(made.config(node.name).parent / SECRET_KEY_FILE, secret_key)
        write_private(made.config(node.name), text)
    write_private(
        made.admin,
        f"export CRONCLAVE_URL={','.join(node.url for node in made.nodes)}\n"
        f"export CRONCLAVE_TOKEN={token}\n"
        f"export CRONCLAVE_CA={shlex.quote(str(place / 'ca.pem'))}\n",
    )
    made.save()


def _tell(directory: Path, made: Founding, signers: tuple[str, ...], days: int) -> None:
    click.echo(f"cluster {made.label} ({made.cluster}) is laid out in {directory}")
    for node in made.nodes:
        signs = ", signs for machines that join" if node.name in signers else ""
        click.echo(f"  {node.name}  {node.zone}  {node.url}  raft {node.raft}{signs}")
    first = f"{made.nodes[0].name}/node.toml"
    click.echo(f"1. copy each folder to its machine and start it: cronclave node --config {first}")
    click.echo(f"2. here: . {directory / 'admin.env'} && cronclave cluster status")
    click.echo(
        f"3. agents need {directory / 'ca.pem'} (ca) and a token: cronclave token create --role agent NAME"
    )
    click.echo(
        f"4. keep {directory / 'ca'} offline: whoever has ca.key can make nodes of this cluster. It is "
        f"needed to renew the certificates, within {days} days: cronclave cluster cert renew {directory}"
    )
    count = len(made.nodes)
    if count % 2 == 0 or count == 1:
        survive = counted(count, "node survives", "nodes survive")
        click.echo(f"note: {survive} the loss of {(count - 1) // 2}; three survive one")
