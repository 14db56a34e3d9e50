"""`cronclave cluster join`: this machine becomes a new node of a running cluster.

By a join token it gets its certificate, its membership and the addresses of the others in one request, which
it may repeat: the key is made and kept first. By an administrator's token it is admitted without a
certificate (a cluster without TLS).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from cli.authority import certify
from cli.client import Client, connect, path_of
from cli.dev.layout import write_private
from cli.exits import CONFLICT, Failure
from cli.founding import node_toml, read_text
from cli.join_token import PREFIX, JoinToken, decode
from cli.join_token import join as join_by
from cli.options import HOST_PORT
from cli.processes import module_command, service_environment
from cli.word import shown_at

TLS = {"ca": "tls/ca.pem", "cert": "tls/node.pem", "key": "tls/node.key"}


@click.command(
    "join",
    epilog="Example: cronclave cluster join node-4 --token crj1.… --zone zone-b "
    "--http 10.0.4.1:8321 --raft 10.0.4.1:8322",
)
@click.argument("node")
@click.option("--zone", required=True, help="Its availability zone.")
@click.option(
    "--http", "http_address", required=True, type=HOST_PORT, metavar="HOST:PORT",
    help="Where its API listens.",
)  # fmt: skip
@click.option(
    "--raft", required=True, type=HOST_PORT, metavar="HOST:PORT", help="Where its Raft port listens."
)
@click.option(
    "--node-url", metavar="URL",
    help="Base URL of its API for others.  [default: https://HOST:PORT, http without TLS]",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Where its configuration and data go.  [default: ./NODE]",
)  # fmt: skip
@click.option("--start", is_flag=True, help="Become the node at once.")
@click.option("--url", metavar="URL", help="Node to talk to; a join token knows it.  [env: CRONCLAVE_URL]")
@click.option(
    "--token", metavar="TOKEN",
    help="Join token, or an administrator's token in a cluster without TLS.  [env: CRONCLAVE_TOKEN]",
)  # fmt: skip
def join(
    node: str, zone: str, http_address: str, raft: str, node_url: str | None, data: Path | None,
    start: bool, url: str | None, token: str | None,
) -> None:  # fmt: skip
    """Make this machine a new node of the cluster: admits the name, writes its configuration."""
    directory = (data or Path(node)).absolute()
    config = directory / "node.toml"
    if config.exists():
        raise Failure(f"{config} exists already", code=CONFLICT, hint="Start it, or choose another --data.")
    try:  # before the name is admitted: names are used once
        (directory / "data").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(
            f"{directory} cannot be made: {error.strerror}", hint="Choose another --data."
        ) from None
    token = token or os.environ.get("CRONCLAVE_TOKEN")
    if token and token.startswith(PREFIX):
        settings = _by_join_token(decode(token), directory, node, zone, http_address, raft, node_url)
    else:
        settings = _as_administrator(connect(url, token), node, zone, http_address, raft, node_url)
    members = settings.pop("members")
    write_private(
        config,
        node_toml(
            name=node, zone=zone, http=http_address, raft=raft, top={"join": True},
            data=str(directory / "data"),
            members=[
                {"name": m["node"], "raft": m["address"], "zone": m["zone"], "url": m["url"]} for m in members
            ],
            **settings,
        ),
    )  # fmt: skip
    (directory / "tls" / "node.csr").unlink(missing_ok=True)  # kept until now: the request could be repeated
    click.echo(f"{node} is admitted; its configuration is {config}")
    if start:
        command = module_command("node", "--config", str(config))
        os.execve(command[0], command, service_environment(os.environ))
    click.echo(f"start it with: cronclave node --config {config}")


def _by_join_token(
    token: JoinToken, directory: Path, node: str, zone: str, http_address: str, raft: str, url: str | None
) -> dict[str, Any]:
    secure = bool(token.fingerprints)
    url = url or f"{'https' if secure else 'http'}://{http_address}"
    document: dict[str, Any] = {"name": node, "zone": zone, "address": raft, "url": url}
    tls = directory / "tls"
    if secure:
        tls.mkdir(mode=0o700, exist_ok=True)
        if not (tls / "node.csr").exists():  # else it is the same request again: its reply was lost
            made = certify("request", name=node)
            write_private(tls / "node.key", made["key"])
            write_private(tls / "node.csr", made["request"])
        hosts = [http_address.rpartition(":")[0], raft.rpartition(":")[0], urlsplit(url).hostname or ""]
        document["request"] = read_text(tls / "node.csr")
        document["hosts"] = list(dict.fromkeys(host.strip("[]") for host in hosts))
    with shown_at(raft) as word:
        reply = join_by(token, {**document, "word": word})
    if secure:
        write_private(tls / "ca.pem", reply["ca"])
        write_private(tls / "node.pem", reply["certificate"])
    return {
        "cluster": reply["cluster"],
        "url": url,
        "tls": TLS if secure else None,
        "members": [member for member in reply["members"] if member["node"] != node],
    }


def _as_administrator(
    client: Client, node: str, zone: str, http_address: str, raft: str, url: str | None
) -> dict[str, Any]:
    view = client.get("/v1/cluster")
    members = [view, *view["peers"]]
    url = url or f"http://{http_address}"
    asked = {"node": node, "address": raft, "zone": zone, "url": url, "voter": False}
    is_repeated = any(all(member.get(k) == v for k, v in asked.items()) for member in view["peers"])
    if any(member["url"].startswith("https") for member in members):
        raise Failure(
            "this cluster has TLS: a new node needs a certificate",
            hint="Join by a token: cronclave cluster token create --role node",
        )
    if is_repeated:  # the reply was lost: it is admitted, and never ran
        others = [member for member in members if member["node"] != node]
        return {"cluster": view["cluster"], "url": url, "members": others}
    if node in [member["node"] for member in members]:
        raise Failure(
            f"{node} is a member already",
            code=CONFLICT,
            hint="A wiped node joins under a new name; remove the old one.",
        )
    with shown_at(raft) as word:
        member = {"name": node, "address": raft, "zone": zone, "url": url, "word": word}
        client.post(path_of("cluster", "members"), member)
    return {"cluster": view["cluster"], "url": url, "members": members}
