"""The directory that `cronclave cluster init` lays out, and what later commands find in it.

    DIR/cluster.json        uid, label, nodes with zone and addresses: no secrets
    DIR/ca.pem              trust bundle, for agents and the command line
    DIR/admin.env           0600: the environment of an administrator's shell
    DIR/ca/                 0700: certificate and key of the authority. To be kept offline
    DIR/NODE/node.toml      0600: a node's configuration; its paths are relative, so the folder can be moved
    DIR/NODE/secrets.key    0600: the key that secrets are encrypted with, the same for every node
    DIR/NODE/tls/           ca.pem, node.pem, node.key (0600)

Rules: a file is replaced in one step; a key is never readable by others, not even for a moment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cli.dev.layout import toml, write_private
from cli.exits import Failure


@dataclass(frozen=True, slots=True)
class FoundingNode:
    """One node as the person named it."""

    name: str
    zone: str
    http: str  #: host:port
    raft: str
    hosts: tuple[str, ...]  #: in its certificate

    @property
    def url(self) -> str:
        return f"https://{self.http}"


@dataclass(frozen=True, slots=True)
class Founding:
    """A laid out cluster."""

    directory: Path
    cluster: str
    label: str
    nodes: tuple[FoundingNode, ...]

    @property
    def bundle(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def ca(self) -> Path:
        return self.directory / "ca" / "ca.pem"

    @property
    def ca_key(self) -> Path:
        return self.directory / "ca" / "ca.key"

    @property
    def admin(self) -> Path:
        return self.directory / "admin.env"

    def tls(self, node: str) -> Path:
        return self.directory / node / "tls"

    def config(self, node: str) -> Path:
        return self.directory / node / "node.toml"

    def save(self) -> None:
        document = {
            "cluster": self.cluster,
            "label": self.label,
            "nodes": [asdict(node) for node in self.nodes],
        }
        write_private(self.directory / "cluster.json", json.dumps(document, indent=2) + "\n")


def load(directory: Path) -> Founding:
    """What `cluster init` left there. Raises Failure."""
    path = directory / "cluster.json"
    try:
        document = json.loads(path.read_text())
        nodes = tuple(FoundingNode(**{**node, "hosts": tuple(node["hosts"])}) for node in document["nodes"])
        return Founding(directory, document["cluster"], document["label"], nodes)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failure(
            f"{path} cannot be read: {error}", hint="Name the directory that cronclave cluster init made."
        ) from None


def read_text(path: Path) -> str:
    """Raises Failure."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path} cannot be read: {error}") from None


def write_certificate(directory: Path, certificate: str, key: str) -> None:
    """A node's pair. A node that looks in between finds two that do not fit, keeps its own, and waits."""
    write_private(directory / "node.key", key)
    write_private(directory / "node.pem", certificate)


def node_toml(
    *,
    cluster: str,
    name: str,
    zone: str,
    http: str,
    url: str,
    raft: str,
    members: Sequence[Mapping[str, str]],
    top: Mapping[str, Any] | None = None,
    tls: Mapping[str, str] | None = None,
    auth: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    data: str = "data",
) -> str:
    """A node's configuration. `members`: name, raft, zone and url of each."""
    document: dict[str, Any] = {
        "cluster": cluster,
        **(top or {}),
        "node": {"name": name, "zone": zone, "data": data},
        "http": {"listen": http, "url": url},
        "raft": {"listen": raft},
    }
    if tls is not None:
        document["http"] |= {"cert": tls["cert"], "key": tls["key"]}
        document["tls"] = dict(tls)
    document["members"] = {
        member["name"]: {key: member[key] for key in ("raft", "zone", "url")} for member in members
    }
    if auth is not None:
        document["auth"] = dict(auth)
    if secrets is not None:
        document["secrets"] = dict(secrets)
    return toml(document)
