"""`cronclave cluster cert`: the certificates in the directory that `cronclave cluster init` made.

Nodes read changed files by themselves, so none of this restarts anything. The order of a new CA is the
bundle with both, then new certificates, then the bundle without the old one; each step refuses to come too
early, and may be repeated.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from cli.authority import certify
from cli.dev.layout import write_private
from cli.exits import CONFLICT, NOT_FOUND, USAGE, Failure
from cli.founding import Founding, load, read_text, write_certificate
from cli.lazy import Group
from cli.options import formatted
from cli.output import show

AUTHORITY_DAYS = 3650
UID = re.compile(r"[A-Za-z0-9._-]{1,128}")
DIRECTORY = click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
DAYS = click.option(
    "--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long they are valid."
)
COPY = "copy each node's tls/ folder to its machine; the nodes read it within seconds, without a restart"


@click.group("cert", cls=Group, epilog="Example: cronclave cluster cert renew prod")
def certificates() -> None:
    """Look at certificates, renew them, change the CA."""


@certificates.command("show", epilog="Example: cronclave cluster cert show prod/node-1/tls/node.pem")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@formatted
def show_(path: Path, form: str) -> None:
    """Whom certificates name and until when: of a PEM file, or of a directory that `cluster init` made."""
    files = [path]
    if path.is_dir():
        made = load(path)
        files = [made.bundle, *(made.tls(node.name) / "node.pem" for node in made.nodes)]
    found = [{"file": str(file), **one} for file, described in _described(files).items() for one in described]
    show(
        form,
        found,
        ("file", "names", "until", "issuer", "sha-256"),
        lambda: [
            (
                item["file"], ", ".join(item["identities"]) or item["subject"], item["not_after"],
                item["issuer"], item["fingerprint"][:16],
            )
            for item in found
        ],
    )  # fmt: skip


@certificates.command("renew", epilog="Example: cronclave cluster cert renew prod --node node-1")
@DIRECTORY
@click.option("--node", "names", multiple=True, metavar="NAME", help="Only this one; repeat it for more.")
@click.option(
    "--cluster", "uid", metavar="UID",
    help="The new uid of the cluster, after restore or recover: certificates of the old one are refused.",
)  # fmt: skip
@DAYS
def renew(directory: Path, names: tuple[str, ...], uid: str | None, days: int) -> None:
    """Make new certificates and keys for the nodes, signed by the CA in DIRECTORY."""
    made = load(directory)
    if uid is not None and not UID.fullmatch(uid):
        raise Failure(f"--cluster {uid!r} is no uid", code=USAGE, hint="cronclave cluster status")
    unknown = [name for name in names if name not in [node.name for node in made.nodes]]
    if unknown:
        raise Failure(f"{directory} has no node {unknown[0]}", code=NOT_FOUND)
    if uid is not None and uid != made.cluster:
        made = replace(made, cluster=uid)
        made.save()
        click.echo(f"these are certificates of cluster {uid} from now on")
    chosen = [node for node in made.nodes if not names or node.name in names]
    issued = certify(
        "issue",
        ca=read_text(made.bundle),  # of both, the one that the key belongs to
        key=_key(made),
        cluster=made.cluster,
        days=days,
        nodes={node.name: node.hosts for node in chosen},
    )["nodes"]
    for node in chosen:
        pair = issued[node.name]
        write_certificate(made.tls(node.name), pair["certificate"], pair["key"])
    files = [made.tls(node.name) / "node.pem" for node in chosen]
    for node, described in zip(chosen, _described(files).values(), strict=True):
        click.echo(f"{node.name}: valid until {described[0]['not_after']}")
    click.echo(COPY)


@certificates.command("new-ca", epilog="Example: cronclave cluster cert new-ca prod")
@DIRECTORY
def new_ca(directory: Path) -> None:
    """Begin to change the CA: a new one, which every node trusts beside the old one."""
    made = load(directory)
    if _previous(made).exists():
        raise Failure(
            f"{directory} is in the middle of a change of the CA already",
            code=CONFLICT,
            hint=f"Go on with: cronclave cluster cert renew {directory}, and then drop-ca.",
        )
    old, new = read_text(made.ca), certify("create", label=made.label, days=AUTHORITY_DAYS)
    _write_bundles(made, new["ca"] + old)
    # From here on the new one signs. The old one's key has no use any more and is gone.
    write_private(_previous(made), old)
    write_private(made.ca_key, new["key"])
    write_private(made.ca, new["ca"])
    for node in made.nodes:
        if (made.tls(node.name) / "ca.key").exists():
            write_private(made.tls(node.name) / "ca.key", new["key"])
    click.echo("the nodes are to trust both CAs now")
    click.echo(f"1. {COPY}; {made.bundle} goes to agents and to who uses the command line")
    click.echo(f"2. once all have it: cronclave cluster cert renew {directory}, and copy again")
    click.echo(f"3. at the end: cronclave cluster cert drop-ca {directory}, and copy again")


@certificates.command("drop-ca", epilog="Example: cronclave cluster cert drop-ca prod")
@DIRECTORY
def drop_ca(directory: Path) -> None:
    """End the change of the CA: what the old one signed is refused from then on."""
    made = load(directory)
    if not _previous(made).exists():
        raise Failure(
            f"{directory} has one CA", code=CONFLICT, hint=f"cronclave cluster cert new-ca {directory}"
        )
    certificate = {node.name: made.tls(node.name) / "node.pem" for node in made.nodes}
    described = _described([made.ca, *certificate.values()])
    new = described[made.ca][0]["subject"]
    late = [name for name, file in certificate.items() if described[file][0]["issuer"] != new]
    if late:
        raise Failure(
            f"{', '.join(late)}: the certificate is still the old CA's; without it nobody would accept it",
            code=CONFLICT,
            hint=f"First: cronclave cluster cert renew {directory}",
        )
    _write_bundles(made, read_text(made.ca))
    _previous(made).unlink()
    click.echo(f"{COPY}; {made.bundle} goes to agents and to who uses the command line")


def _previous(made: Founding) -> Path:
    return made.ca.parent / "previous.pem"


def _key(made: Founding) -> str:
    if not made.ca_key.exists():
        raise Failure(
            f"{made.ca_key} is not here",
            code=NOT_FOUND,
            hint="Bring the CA's key from where it is kept, for as long as this command runs.",
        )
    return read_text(made.ca_key)


def _write_bundles(made: Founding, bundle: str) -> None:
    for node in made.nodes:
        write_private(made.tls(node.name) / "ca.pem", bundle)
    write_private(made.bundle, bundle)
    os.chmod(made.bundle, 0o644)


def _described(paths: Sequence[Path]) -> dict[Path, list[dict[str, Any]]]:
    """The certificates of each file, in the order given; one at least. Raises Failure."""
    found = certify("describe", files={str(path): read_text(path) for path in paths})["files"]
    return {path: found[str(path)] for path in paths}
